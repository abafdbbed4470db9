//! What the engine tells the outside: the only place that emits metrics and log lines.
//!
//! Events carry ids, counts and codes; never a body, a token or an address.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use super::rate::Rates;
use crate::alert::{Change, Notice};
use crate::clock::{Clock, Timestamp};
use crate::domain::{ConnectionId, MailboxId, MessageUid, OutcomeKind, TenantId};
use crate::error::ErrorReport;
use crate::store::JobKind;

/// Something that happened in the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EngineEvent {
    /// A page of a mailbox was committed.
    PageCommitted {
        /// Whose.
        tenant: TenantId,
        /// Which mailbox.
        mailbox: MailboxId,
        /// Stubs that were new.
        new: u64,
        /// Stubs that were known.
        seen: u64,
        /// Items that could not be read.
        faults: u64,
        /// The listing came to its end.
        complete: bool,
    },
    /// A sync run failed; the mailbox is asked again later.
    SyncFailed {
        /// Whose.
        tenant: TenantId,
        /// Which mailbox.
        mailbox: MailboxId,
        /// Why.
        error: ErrorReport,
    },
    /// A batch of one kind was committed.
    BatchCommitted {
        /// Whose.
        tenant: TenantId,
        /// Which kind.
        kind: JobKind,
        /// The connection, for fetches and deliveries.
        connection: Option<ConnectionId>,
        /// Items with a result, retries included.
        items: u64,
        /// Items that are done with this kind of work, by mailbox.
        done: Vec<(MailboxId, u64)>,
        /// How long it took.
        took: Duration,
    },
    /// Messages came to an outcome.
    Outcomes {
        /// Whose.
        tenant: TenantId,
        /// Which kind of work ended so.
        kind: JobKind,
        /// Which mailbox, if the work names it.
        mailbox: Option<MailboxId>,
        /// Which outcome; of a delivery, at its sink.
        outcome: OutcomeKind,
        /// How many.
        count: u64,
    },
    /// An item failed and waits for its next attempt.
    ItemRetried {
        /// Whose.
        tenant: TenantId,
        /// Which kind.
        kind: JobKind,
        /// Why.
        error: ErrorReport,
    },
    /// An item was given up.
    ItemDead {
        /// Whose.
        tenant: TenantId,
        /// Which kind.
        kind: JobKind,
        /// Why.
        error: ErrorReport,
    },
    /// A connection pauses.
    GateClosed {
        /// Whose.
        tenant: TenantId,
        /// Which connection.
        connection: ConnectionId,
        /// Until when.
        until: Timestamp,
        /// Why.
        error: ErrorReport,
    },
    /// The store refused or could not take work; the worker waits.
    StoreTrouble {
        /// Why.
        error: ErrorReport,
    },
    /// Another worker took over because the lease ran out; nothing was written twice.
    LeaseLost {
        /// Why.
        error: ErrorReport,
    },
    /// No classifier answered; a person decides about the mail.
    NoAnswer {
        /// Whose.
        tenant: TenantId,
        /// Which mail.
        message: MessageUid,
        /// Why.
        error: ErrorReport,
    },
    /// An alert was raised or cleared.
    AlertChanged {
        /// What happened to which.
        notice: Notice,
    },
    /// A notifier could not be told.
    NoticeFailed {
        /// Which notifier.
        notifier: Arc<str>,
        /// Whose alert.
        tenant: TenantId,
        /// Whether it is tried again.
        again: bool,
        /// Why.
        error: ErrorReport,
    },
    /// Too many notices wait for a notifier: one was left out.
    NoticeDropped {
        /// Which notifier.
        notifier: Arc<str>,
        /// Whose alert.
        tenant: TenantId,
    },
    /// A connector broke its contract or panicked; the item is treated as failed.
    ConnectorFault {
        /// Which connector.
        connector: Arc<str>,
        /// What it did.
        fault: String,
    },
}

/// Sends events to subscribers, metrics and logs.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    sender: broadcast::Sender<EngineEvent>,
    clock: Arc<dyn Clock>,
    rates: Arc<Rates>,
}

impl Events {
    pub(crate) fn new(buffer: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            sender: broadcast::channel(buffer.max(1)).0,
            clock,
            rates: Arc::default(),
        }
    }

    /// How fast work goes, by what was emitted.
    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.sender.subscribe()
    }

    pub(crate) fn emit(&self, event: EngineEvent) {
        measure(&event);
        self.rates.note(&event, self.clock.now());
        // no subscriber is no error
        let _ = self.sender.send(event);
    }
}

#[allow(clippy::disallowed_macros)] // the one place that emits metrics
fn measure(event: &EngineEvent) {
    match event {
        EngineEvent::PageCommitted {
            tenant,
            mailbox,
            new,
            seen,
            faults,
            complete,
        } => {
            metrics::counter!("nextedge_pages").increment(1);
            metrics::counter!("nextedge_stubs_new").increment(*new);
            metrics::counter!("nextedge_stubs_seen").increment(*seen);
            metrics::counter!("nextedge_source_faults").increment(*faults);
            metrics::counter!("nextedge_syncs").increment(u64::from(*complete));
            tracing::debug!(%tenant, %mailbox, new, seen, faults, complete, "page committed");
        }
        EngineEvent::SyncFailed {
            tenant,
            mailbox,
            error,
        } => {
            metrics::counter!("nextedge_sync_failed").increment(1);
            tracing::warn!(%tenant, %mailbox, error = %error.text, "sync failed");
        }
        EngineEvent::BatchCommitted {
            tenant,
            kind,
            items,
            took,
            ..
        } => {
            metrics::counter!("nextedge_items", "kind" => kind.as_str()).increment(*items);
            metrics::histogram!("nextedge_batch_seconds", "kind" => kind.as_str())
                .record(took.as_secs_f64());
            tracing::debug!(%tenant, kind = kind.as_str(), items, ?took, "batch committed");
        }
        EngineEvent::Outcomes {
            kind,
            outcome,
            count,
            ..
        } => {
            let (kind, outcome) = (kind.as_str(), outcome.as_str());
            metrics::counter!("nextedge_outcomes", "kind" => kind, "outcome" => outcome)
                .increment(*count);
        }
        EngineEvent::ItemRetried {
            tenant,
            kind,
            error,
        } => {
            metrics::counter!("nextedge_retries", "kind" => kind.as_str()).increment(1);
            tracing::info!(%tenant, kind = kind.as_str(), error = %error.text, "item will be retried");
        }
        EngineEvent::ItemDead {
            tenant,
            kind,
            error,
        } => {
            metrics::counter!("nextedge_dead", "kind" => kind.as_str()).increment(1);
            tracing::error!(%tenant, kind = kind.as_str(), error = %error.text, "item given up");
        }
        EngineEvent::GateClosed {
            tenant,
            connection,
            until,
            error,
        } => {
            metrics::counter!("nextedge_gates").increment(1);
            tracing::warn!(%tenant, %connection, %until, error = %error.text, "connection pauses");
        }
        EngineEvent::StoreTrouble { error } => {
            metrics::counter!("nextedge_store_trouble").increment(1);
            tracing::error!(error = %error.text, "store trouble");
        }
        EngineEvent::LeaseLost { error } => {
            metrics::counter!("nextedge_leases_lost").increment(1);
            tracing::debug!(error = %error.text, "lease lost, another worker goes on");
        }
        EngineEvent::NoAnswer {
            tenant,
            message,
            error,
        } => {
            metrics::counter!("nextedge_no_answer").increment(1);
            tracing::warn!(%tenant, %message, error = %error.text, "no classifier answered");
        }
        EngineEvent::AlertChanged { notice } => measure_alert(notice),
        EngineEvent::NoticeFailed {
            notifier,
            tenant,
            again,
            error,
        } => {
            metrics::counter!("nextedge_notices_failed", "notifier" => notifier.to_string())
                .increment(1);
            tracing::warn!(%tenant, %notifier, again, error = %error.text, "notice not told");
        }
        EngineEvent::NoticeDropped { notifier, tenant } => {
            metrics::counter!("nextedge_notices_dropped", "notifier" => notifier.to_string())
                .increment(1);
            tracing::error!(%tenant, %notifier, "notice left out: too many wait");
        }
        EngineEvent::ConnectorFault { connector, fault } => {
            metrics::counter!("nextedge_connector_faults", "connector" => connector.to_string())
                .increment(1);
            tracing::error!(%connector, fault, "connector fault");
        }
    }
}

#[allow(clippy::disallowed_macros)] // the one place that emits metrics
fn measure_alert(notice: &Notice) {
    let (alert, change) = (&notice.alert, notice.change.as_str());
    metrics::counter!("nextedge_alerts", "rule" => alert.rule.clone(), "change" => change)
        .increment(1);
    let (rule, subject, facts) = (&alert.rule, &alert.subject, &alert.facts);
    match notice.change {
        Change::Raised => {
            tracing::warn!(tenant = %alert.tenant, rule, %subject, facts, "alert raised");
        }
        Change::Cleared => tracing::info!(tenant = %alert.tenant, rule, %subject, "alert cleared"),
    }
}
