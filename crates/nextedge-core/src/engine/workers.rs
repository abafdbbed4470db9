//! The loops that claim work and hand it to the four functions.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::deps::{Deps, panic_safe};
use super::event::EngineEvent;
use super::fill::Backlog;
use super::{deliver, fetch, fill, ingest, process};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::reached;
use crate::store::{Claim, ClaimRequest, JobKind};

/// What one worker does, over and over.
#[derive(Clone, Debug)]
pub(crate) enum Duty {
    /// Reads mailboxes of one connector.
    Ingest(String),
    /// Reads raw mails of one connector.
    Fetch(String),
    /// Decides.
    Process,
    /// Writes to one connector.
    Deliver(String),
}

/// Lists the workers an engine needs for its connectors.
pub(crate) fn duties(deps: &Deps) -> Vec<Duty> {
    let mut duties = Vec::new();
    for vendor in deps.sources.keys() {
        duties.push(Duty::Ingest(vendor.clone()));
        duties.push(Duty::Fetch(vendor.clone()));
    }
    duties.extend((0..deps.options.process_workers).map(|_| Duty::Process));
    for vendor in deps.sinks.keys() {
        duties.extend((0..deps.options.deliver_workers).map(|_| Duty::Deliver(vendor.clone())));
    }
    duties
}

/// Which workers found nothing, and at which count of wake-ups.
#[derive(Debug)]
pub(crate) struct IdleBoard(Mutex<Vec<Option<u64>>>);

impl IdleBoard {
    pub(crate) fn new(workers: usize) -> Self {
        Self(Mutex::new(vec![None; workers]))
    }

    fn set(&self, worker: usize, idle: Option<u64>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[worker] = idle;
    }

    /// Tells whether every worker found nothing since the last wake-up.
    pub(crate) fn all_idle(&self, wakes: u64) -> bool {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.iter().all(|idle| *idle == Some(wakes))
    }
}

/// Works until the engine stops; store trouble is waited out, never fatal.
pub(crate) async fn work(deps: &Deps, duty: &Duty, worker: usize, board: &IdleBoard) {
    let mut wakes = deps.work.subscribe();
    // of the last claim, until the next one is answered
    let mut backlog = None;
    while !deps.stopping() {
        let seen = *wakes.borrow_and_update();
        // before the claim, so that a claim in progress never looks idle
        board.set(worker, None);
        match step(deps, duty, &mut backlog).await {
            Ok(Step::Worked) => {}
            Ok(Step::Nothing) => {
                board.set(worker, Some(seen));
                rest(deps, &mut wakes).await;
            }
            Err(error) if error.kind() == ErrorKind::Fenced => {
                deps.events.emit(EngineEvent::LeaseLost {
                    error: error.report(),
                });
            }
            Err(error) => {
                deps.events.emit(EngineEvent::StoreTrouble {
                    error: error.report(),
                });
                pause(deps, deps.options.idle).await;
            }
        }
    }
}

enum Step {
    Worked,
    Nothing,
}

async fn step(deps: &Deps, duty: &Duty, backlog: &mut Option<Backlog>) -> Result<Step> {
    match duty {
        Duty::Ingest(vendor) => {
            let (scope, lease) = (&deps.options.scope, deps.options.lease);
            let Some(claim) = deps.store.claim_mailbox(scope, vendor, lease).await? else {
                return Ok(Step::Nothing);
            };
            panic_safe("engine", ingest::ingest(deps, &claim)).await?;
        }
        Duty::Fetch(vendor) => {
            let Some(claim) = claim_more(deps, JobKind::Fetch, vendor, backlog).await? else {
                return Ok(Step::Nothing);
            };
            hold(deps, &claim, fetch::fetch(deps, &claim)).await?;
        }
        Duty::Process => {
            let Some(claim) = claim_more(deps, JobKind::Process, "", backlog).await? else {
                return Ok(Step::Nothing);
            };
            hold(deps, &claim, process::process(deps, &claim)).await?;
        }
        Duty::Deliver(vendor) => {
            let request = request(deps, JobKind::Deliver, vendor);
            fill::wait(deps, request.max_items).await;
            let Some(claim) = deps.store.claim(&request).await? else {
                deps.fill.nothing_ready();
                return Ok(Step::Nothing);
            };
            deps.fill.claimed(&claim.tenant, claim.items.len());
            hold(deps, &claim, deliver::deliver(deps, &claim)).await?;
        }
    }
    Ok(Step::Worked)
}

/// Claims mails to fetch or decide, and keeps in mind whether they are a backlog.
async fn claim_more(
    deps: &Deps,
    kind: JobKind,
    vendor: &str,
    backlog: &mut Option<Backlog>,
) -> Result<Option<Claim>> {
    let request = request(deps, kind, vendor);
    let claim = deps.store.claim(&request).await?;
    *backlog = claim
        .as_ref()
        .and_then(|claim| deps.fill.backlog(claim, &request));
    Ok(claim)
}

fn request(deps: &Deps, kind: JobKind, vendor: &str) -> ClaimRequest {
    let options = &deps.options;
    let sink = deps.sinks.get(vendor).filter(|_| kind == JobKind::Deliver);
    let capabilities = sink.map(|sink| sink.capabilities());
    let (max_items, max_in_flight) = match kind {
        JobKind::Fetch => (options.fetch_batch, 1),
        JobKind::Process => (options.process_batch, options.process_workers),
        JobKind::Deliver => {
            let most = capabilities.as_ref().map_or(1, |c| c.max_batch.max(1));
            (options.deliver_batch.min(most), options.deliver_in_flight)
        }
    };
    let settle = options
        .settle
        .unwrap_or(capabilities.map_or(Duration::ZERO, |c| c.settle));
    ClaimRequest {
        kind,
        scope: options.scope.clone(),
        vendor: vendor.to_owned(),
        max_items,
        max_bytes: options.batch_bytes,
        lease: options.lease,
        max_in_flight,
        settle: if kind == JobKind::Deliver {
            settle
        } else {
            Duration::ZERO
        },
    }
}

/// Works on a claim while its lease is renewed, and gives the lease back whatever happens.
async fn hold(deps: &Deps, claim: &Claim, work: impl Future<Output = Result<()>>) -> Result<()> {
    let result = tokio::select! {
        result = panic_safe("engine", work) => result,
        error = renew(deps, claim) => Err(error),
    };
    reached("work.before_release");
    deps.store.release(&claim.tenant, claim.lease).await?;
    reached("work.released");
    if result.is_ok() {
        deps.wake();
    }
    result
}

async fn renew(deps: &Deps, claim: &Claim) -> Error {
    loop {
        deps.clock.sleep(deps.options.lease / 3).await;
        if let Err(error) = deps
            .store
            .extend(&claim.tenant, claim.lease, deps.options.lease)
            .await
        {
            return error;
        }
        reached("work.lease_extended");
    }
}

async fn rest(deps: &Deps, wakes: &mut watch::Receiver<u64>) {
    tokio::select! {
        _ = wakes.changed() => {}
        () = deps.clock.sleep(deps.options.idle) => {}
        () = deps.stop.cancelled() => {}
    }
}

pub(super) async fn pause(deps: &Deps, wait: Duration) {
    tokio::select! {
        () = deps.clock.sleep(wait) => {}
        () = deps.stop.cancelled() => {}
    }
}

/// Waits until every worker found nothing and nothing becomes due within `patience`.
///
/// What is due but was not claimed for `patience` and a few looks more waits for something else than
/// time, such as a worker this engine does not have; it ends the drain as well.
pub(crate) async fn drained(deps: &Deps, board: &IdleBoard, patience: Duration) -> Result<()> {
    let mut idle_since = None;
    while !deps.stopping() {
        let (now, wakes) = (deps.clock.now(), *deps.work.borrow());
        if board.all_idle(wakes) {
            let (since, first) = *idle_since.get_or_insert((wakes, now));
            let due = deps.store.next_due(&deps.options.scope).await?;
            let later_than_patience = due.is_none_or(|due| due > later(now, patience));
            let unclaimed = now >= later(first, patience + deps.options.idle * IDLE_LOOKS);
            if since != wakes {
                idle_since = None;
            } else if (later_than_patience || unclaimed) && board.all_idle(*deps.work.borrow()) {
                return Ok(());
            }
        } else {
            idle_since = None;
        }
        pause(deps, DRAIN_CHECK).await;
    }
    Ok(())
}

/// Looks of an idle worker after which unclaimed work is left to somebody else.
const IDLE_LOOKS: u32 = 3;
/// How often a drain looks whether everything is idle.
const DRAIN_CHECK: Duration = Duration::from_millis(10);
