//! What the four functions work with, and the small things they share.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::alerts::Alerts;
use super::event::{EngineEvent, Events};
use super::fill::Fill;
use super::options::EngineOptions;
use super::tenant::TenantConfigs;
use crate::classify::Classifier;
use crate::clock::{Clock, Timestamp, later};
use crate::context::{CallContext, Connection};
use crate::domain::{ConnectionId, MailboxId, MessageUid, OutcomeKind, TenantId};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::failpoint::reached;
use crate::sink::CrmSink;
use crate::source::MailSource;
use crate::stage::token::TokenKey;
use crate::store::{
    Claim, Committed, DeliveredEnd, Gate, JobKind, ProcessedOutcome, Store, Unit, Work,
};

/// Everything a stage needs; shared by all workers.
#[derive(Clone, Debug)]
pub(crate) struct Deps {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sources: HashMap<String, Arc<dyn MailSource>>,
    pub(crate) sinks: HashMap<String, Arc<dyn CrmSink>>,
    pub(crate) classifier: Arc<dyn Classifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: EngineOptions,
    pub(crate) events: Events,
    pub(crate) alerts: Alerts,
    pub(crate) token_key: TokenKey,
    pub(crate) tenants: Arc<TenantConfigs>,
    pub(crate) fill: Fill,
    pub(crate) work: watch::Sender<u64>,
    pub(crate) stop: CancellationToken,
}

impl Deps {
    /// The same engine with a stop signal of its own.
    pub(crate) fn with_fresh_stop(&self) -> Self {
        Self {
            stop: CancellationToken::new(),
            ..self.clone()
        }
    }

    /// Tells idle workers that there may be work.
    pub(crate) fn wake(&self) {
        self.work
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(crate) fn source(&self, vendor: &str) -> Result<Arc<dyn MailSource>> {
        self.sources
            .get(vendor)
            .cloned()
            .ok_or_else(|| no_connector("source", vendor))
    }

    pub(crate) fn sink(&self, vendor: &str) -> Result<Arc<dyn CrmSink>> {
        self.sinks
            .get(vendor)
            .cloned()
            .ok_or_else(|| no_connector("sink", vendor))
    }

    pub(crate) async fn connection(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
    ) -> Result<Arc<Connection>> {
        let found = self.store.connection(tenant, id).await?;
        found.map(Arc::new).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "connection does not exist")
                .with_context("connection", id)
                .with_action("put the connection before its mailboxes and plans")
        })
    }

    pub(crate) fn call_context(
        &self,
        tenant: &TenantId,
        connection: Arc<Connection>,
    ) -> CallContext {
        let (budget, clock) = (self.options.call_budget, Arc::clone(&self.clock));
        CallContext::with_clock(tenant.clone(), connection, budget, clock)
    }

    /// Pauses a connection after an error that concerns all of it.
    pub(crate) async fn close_gate(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        error: &Error,
    ) -> Result<()> {
        let wait = match error.retry() {
            Retry::After(asked) => asked,
            Retry::Never | Retry::Backoff => self.options.gate,
        };
        let until = later(self.clock.now(), wait);
        let gate = Gate {
            connection: connection.clone(),
            until,
            error: error.report(),
        };
        self.store.set_gate(tenant, gate).await?;
        reached("gate.closed");
        self.events.emit(EngineEvent::GateClosed {
            tenant: tenant.clone(),
            connection: connection.clone(),
            until,
            error: error.report(),
        });
        Ok(())
    }

    pub(crate) fn contract_broken(&self, connector: &str, fault: String) -> Error {
        let error = Error::new(ErrorKind::Unexpected, "connector broke its contract")
            .with_context("connector", connector)
            .with_context("fault", &fault);
        self.events.emit(EngineEvent::ConnectorFault {
            connector: connector.into(),
            fault,
        });
        error
    }

    /// Commits the units of a claim whose answers need no second look.
    pub(crate) async fn commit_all(
        &self,
        claim: &Claim,
        kind: JobKind,
        units: Vec<Unit>,
        started: Timestamp,
    ) -> Result<()> {
        let tally = Tally::of(&units);
        let answers = self.store.commit(&claim.tenant, claim.lease, units).await?;
        if let Some(error) = answers.into_iter().find_map(Result::err) {
            return Err(error);
        }
        self.batch_done(claim, kind, &tally, started);
        Ok(())
    }

    pub(crate) fn batch_done(
        &self,
        claim: &Claim,
        kind: JobKind,
        tally: &Tally,
        started: Timestamp,
    ) {
        let tenant = &claim.tenant;
        for ((mailbox, outcome), count) in tally.outcomes(claim) {
            let tenant = tenant.clone();
            self.events.emit(EngineEvent::Outcomes {
                tenant,
                kind,
                mailbox,
                outcome,
                count,
            });
        }
        self.events.emit(EngineEvent::BatchCommitted {
            tenant: tenant.clone(),
            kind,
            connection: claim.connection.clone(),
            items: tally.items,
            done: tally.done(claim),
            took: (self.clock.now() - started).to_std().unwrap_or_default(),
        });
        self.wake();
    }
}

/// Counts what a commit changes, for events.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    items: u64,
    /// Messages done with this kind of work, and the outcome they came to by it.
    ended: Vec<(MessageUid, Option<OutcomeKind>)>,
}

impl Tally {
    pub(crate) fn of(units: &[Unit]) -> Self {
        let mut tally = Self::default();
        units
            .iter()
            .for_each(|unit| tally.add(unit, &Committed::Accepted));
        tally
    }

    pub(crate) fn add(&mut self, unit: &Unit, committed: &Committed) {
        let (message, outcome) = match (unit, committed) {
            (Unit::Calls(_), _) | (_, Committed::Stale) => return,
            (Unit::Retry { .. }, _) => {
                self.items += 1;
                return;
            }
            (Unit::Fetched { message, .. }, _) => (*message, None),
            (Unit::Park { message, .. }, _) => (*message, Some(OutcomeKind::Parked)),
            (Unit::Dead { message, .. }, _) => (*message, Some(OutcomeKind::Dead)),
            (Unit::Processed(unit), Committed::Duplicate(_)) => {
                (unit.message, Some(OutcomeKind::Parked))
            }
            (Unit::Processed(unit), _) => (unit.message, processed(&unit.outcome)),
            (Unit::Delivered(unit), _) => match delivered(&unit.end) {
                Some(outcome) => (unit.message, Some(outcome)),
                None => {
                    self.items += 1;
                    return;
                }
            },
        };
        self.items += 1;
        self.ended.push((message, outcome));
    }

    fn done(&self, claim: &Claim) -> Vec<(MailboxId, u64)> {
        let mut done: BTreeMap<MailboxId, u64> = BTreeMap::new();
        let mailboxes = mailboxes(claim);
        for (message, _) in &self.ended {
            if let Some(mailbox) = mailboxes.get(message) {
                *done.entry((*mailbox).clone()).or_default() += 1;
            }
        }
        done.into_iter().collect()
    }

    fn outcomes(&self, claim: &Claim) -> BTreeMap<(Option<MailboxId>, OutcomeKind), u64> {
        let mut outcomes = BTreeMap::new();
        let mailboxes = mailboxes(claim);
        for (message, outcome) in &self.ended {
            if let Some(outcome) = outcome {
                let mailbox = mailboxes.get(message).map(|id| (*id).clone());
                *outcomes.entry((mailbox, *outcome)).or_default() += 1;
            }
        }
        outcomes
    }
}

fn mailboxes(claim: &Claim) -> HashMap<MessageUid, &MailboxId> {
    let items = claim.items.iter();
    items
        .filter_map(|item| {
            let mailbox = match &item.work {
                Work::Fetch { .. } => claim.mailbox.as_ref()?,
                Work::Process { mailbox, .. } | Work::Deliver { mailbox, .. } => mailbox,
            };
            Some((item.message, mailbox))
        })
        .collect()
}

fn processed(outcome: &ProcessedOutcome) -> Option<OutcomeKind> {
    match outcome {
        ProcessedOutcome::Park(_) => Some(OutcomeKind::Parked),
        ProcessedOutcome::Deliver(_) => None,
        ProcessedOutcome::Review(_) | ProcessedOutcome::Join { .. } => Some(OutcomeKind::Review),
    }
}

fn delivered(end: &DeliveredEnd) -> Option<OutcomeKind> {
    match end {
        DeliveredEnd::Done => Some(OutcomeKind::Delivered),
        DeliveredEnd::Dead { .. } => Some(OutcomeKind::Dead),
        DeliveredEnd::Review(_) => Some(OutcomeKind::Review),
        DeliveredEnd::Retry { .. } | DeliveredEnd::Unknown { .. } => None,
    }
}

/// Runs a connector's future; a panic in it becomes an error of the call, not the engine's end.
pub(crate) async fn panic_safe<T>(
    connector: &str,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    AssertUnwindSafe(call)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unexpected, "connector panicked")
                .with_context("connector", connector)
                .with_retry(Retry::Backoff))
        })
}

fn no_connector(role: &'static str, vendor: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        "no such connector was given to the engine",
    )
    .with_context("role", role)
    .with_context("vendor", vendor)
    .with_action("add the connector when the engine is built")
}
