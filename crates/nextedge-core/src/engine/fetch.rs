//! `fetch`: raw bytes of a batch of stubs, one commit.

use std::time::Duration;

use super::deps::{Deps, panic_safe};
use super::event::EngineEvent;
use crate::clock::Timestamp;
use crate::domain::{DeadReason, MessageUid, ParkReason};
use crate::error::{Error, ErrorKind, Reach, Result, Retry};
use crate::failpoint::reached;
use crate::source::{FetchItem, Fetched};
use crate::store::{AfterDead, Claim, ClaimedItem, JobKind, Unit, Work};

/// Reads the raw bytes of a claimed batch; one unreadable mail never holds another.
pub(crate) async fn fetch(deps: &Deps, claim: &Claim) -> Result<()> {
    reached("fetch.claimed");
    let started = deps.clock.now();
    let connection_id = claim.connection.as_ref().ok_or_else(no_connection)?;
    let connection = deps.connection(&claim.tenant, connection_id).await?;
    let source = deps.source(&connection.vendor)?;
    let cx = deps.call_context(&claim.tenant, connection);
    let batch: Vec<FetchItem> = claim.items.iter().filter_map(fetch_item).collect();
    let answers = match panic_safe(source.name(), source.fetch(&cx, &batch)).await {
        Ok(answers) if answers.len() == batch.len() => answers,
        Ok(answers) => {
            let fault = format!("{} answers for {} messages", answers.len(), batch.len());
            return Err(deps.contract_broken(source.name(), fault));
        }
        Err(error) => {
            deps.close_gate(&claim.tenant, connection_id, &error)
                .await?;
            return Ok(());
        }
    };
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        if error.reach() != Reach::Item {
            deps.close_gate(&claim.tenant, connection_id, error).await?;
        }
    }
    let items = claim.items.iter().zip(answers);
    let units = items
        .filter_map(|(item, answer)| unit(deps, claim, item, answer))
        .collect();
    reached("fetch.before_commit");
    deps.commit_all(claim, JobKind::Fetch, units, started)
        .await?;
    reached("fetch.committed");
    Ok(())
}

fn fetch_item(item: &ClaimedItem) -> Option<FetchItem> {
    let Work::Fetch {
        provider_id,
        locator,
    } = &item.work
    else {
        return None;
    };
    Some(FetchItem {
        provider_id: provider_id.clone(),
        locator: locator.clone(),
    })
}

fn unit(deps: &Deps, claim: &Claim, item: &ClaimedItem, answer: Result<Fetched>) -> Option<Unit> {
    let message = item.message;
    match answer {
        Ok(Fetched::Raw {
            bytes,
            received_at,
            thread_hint,
            labels,
        }) => Some(Unit::Fetched {
            message,
            raw: bytes,
            received_at: received_at.unwrap_or(item.received_at),
            thread_hint,
            labels,
        }),
        Ok(Fetched::Gone) => Some(Unit::Park {
            message,
            reason: ParkReason::Gone,
        }),
        // the gate spares the attempt
        Err(error) if error.reach() != Reach::Item => None,
        Err(error) => Some(failed(deps, claim, JobKind::Fetch, item, &error)),
    }
}

/// Turns an item's error into its next attempt, or its end.
pub(crate) fn failed(
    deps: &Deps,
    claim: &Claim,
    kind: JobKind,
    item: &ClaimedItem,
    error: &Error,
) -> Unit {
    let report = error.report();
    let tenant = claim.tenant.clone();
    if let Some(at) = next_attempt(deps, item.message, item.attempt, error) {
        deps.events.emit(EngineEvent::ItemRetried {
            tenant,
            kind,
            error: report.clone(),
        });
        return Unit::Retry {
            message: item.message,
            at,
            error: report,
            keep: None,
        };
    }
    deps.events.emit(EngineEvent::ItemDead {
        tenant,
        kind,
        error: report.clone(),
    });
    let reason = match kind {
        JobKind::Fetch => DeadReason::Fetch(report.text.clone()),
        JobKind::Process => DeadReason::Process(report.text.clone()),
        JobKind::Deliver => DeadReason::Deliver(report.text.clone()),
    };
    Unit::Dead {
        message: item.message,
        reason,
        error: report,
        after: AfterDead::Continue,
    }
}

/// Returns when an item is tried again, or none if it is given up.
pub(crate) fn next_attempt(
    deps: &Deps,
    message: MessageUid,
    attempt: u32,
    error: &Error,
) -> Option<Timestamp> {
    let wait = *deps.options.backoff.get(attempt.checked_sub(1)? as usize)?;
    let wait = match error.retry() {
        Retry::Never => return None,
        Retry::Backoff => wait + jitter(wait, message, attempt),
        Retry::After(asked) => asked.max(Duration::from_millis(1)),
    };
    Some(crate::clock::later(deps.clock.now(), wait))
}

/// Spreads up to a quarter of the wait, the same for the same message and attempt.
fn jitter(wait: Duration, message: MessageUid, attempt: u32) -> Duration {
    let seed = u32::from(message.as_bytes()[attempt as usize % 16]);
    wait / 4 * seed / 256
}

fn no_connection() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        "the store claimed work without its connection",
    )
}
