//! `deliver`: one batch for one sink: load, find, resolve, write, one commit.

use std::time::Duration;

use super::batch::Batch;
use super::deps::{Deps, panic_safe};
use super::ending::outcome;
use crate::context::CallContext;
use crate::domain::ConnectionId;
use crate::error::{Error, ErrorKind, Reach, Result};
use crate::failpoint::reached;
use crate::sink::{CrmSink, Delivery, ItemEnd, ItemOutcome};
use crate::store::{Claim, JobKind, Unit};

/// Writes a claimed batch to its CRM; every answered effect is committed, whatever else happened.
pub(crate) async fn deliver(deps: &Deps, claim: &Claim) -> Result<()> {
    reached("deliver.claimed");
    let started = deps.clock.now();
    let connection_id = claim.connection.as_ref().ok_or_else(no_connection)?;
    let connection = deps.connection(&claim.tenant, connection_id).await?;
    let sink = deps.sink(&connection.vendor)?;
    let attempt = claim
        .items
        .iter()
        .map(|item| item.attempt)
        .max()
        .unwrap_or(1);
    let cx = deps
        .call_context(&claim.tenant, connection)
        .with_attempt(attempt);
    let batch = Batch::load(claim).await?;
    let found = match batch.find(deps, &*sink, &cx).await {
        Ok(found) => found,
        Err(error) => return pause(deps, claim, &cx, connection_id, &error).await,
    };
    reached("deliver.found");
    let ready = batch.resolve(deps, &found);
    let answers = match write(deps, &*sink, &cx, &ready.deliveries).await {
        Ok(answers) => answers,
        Err(error) => return pause(deps, claim, &cx, connection_id, &error).await,
    };
    reached("deliver.written");
    let settle = deps.options.settle.unwrap_or(sink.capabilities().settle);
    let mut units = vec![Unit::Calls(cx.take_calls())];
    units.extend(ready.reviews);
    for ((entry, delivery), answer) in ready.entries.iter().zip(&ready.deliveries).zip(answers) {
        if let ItemEnd::Failed(error) = &answer.end
            && error.reach() != Reach::Item
        {
            deps.close_gate(&claim.tenant, connection_id, error).await?;
        }
        units.extend(outcome(deps, claim, settle, entry, delivery, answer));
    }
    reached("deliver.before_commit");
    deps.commit_all(claim, JobKind::Deliver, units, started)
        .await?;
    reached("deliver.committed");
    Ok(())
}

/// Sends the batch and checks the connector's answer against its contract.
async fn write(
    deps: &Deps,
    sink: &dyn CrmSink,
    cx: &CallContext,
    deliveries: &[Delivery],
) -> Result<Vec<ItemOutcome>> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let answer = tokio::select! {
        answer = panic_safe(sink.name(), sink.deliver(cx, deliveries)) => answer,
        // the sink should have kept the deadline itself
        () = deps.clock.sleep(deps.options.call_budget + DEADLINE_GRACE) => {
            Err(Error::new(ErrorKind::Unexpected, "sink overran its deadline"))
        }
    };
    match answer {
        Ok(answers) if answers.len() == deliveries.len() => {
            if let Some(fault) = run_broken(deliveries, &answers) {
                let _ = deps.contract_broken(sink.name(), fault);
            }
            Ok(answers)
        }
        Ok(answers) => {
            let fault = format!("{} answers for {} items", answers.len(), deliveries.len());
            let error = deps.contract_broken(sink.name(), fault);
            Ok(all_unknown(deliveries, &error))
        }
        // a panic or an overrun may have come after a write
        Err(error) if error.kind() == ErrorKind::Unexpected => Ok(all_unknown(deliveries, &error)),
        Err(error) => Err(error),
    }
}

fn all_unknown(deliveries: &[Delivery], error: &Error) -> Vec<ItemOutcome> {
    let unknown = |_| ItemOutcome {
        effects: Vec::new(),
        end: ItemEnd::Unknown(error.repeated()),
    };
    deliveries.iter().map(unknown).collect()
}

/// Finds an item that went on after an unfinished one of its run.
fn run_broken(deliveries: &[Delivery], answers: &[ItemOutcome]) -> Option<String> {
    let mut unfinished = None;
    for (delivery, answer) in deliveries.iter().zip(answers) {
        if unfinished == Some(delivery.thread) && !matches!(answer.end, ItemEnd::NotAttempted) {
            return Some(format!(
                "item {} was attempted after an unfinished one",
                delivery.key
            ));
        }
        if !matches!(answer.end, ItemEnd::Done) {
            unfinished = Some(delivery.thread);
        }
    }
    None
}

/// Nothing was written: the calls are kept, the connection pauses, no attempt is burnt.
async fn pause(
    deps: &Deps,
    claim: &Claim,
    cx: &CallContext,
    connection: &ConnectionId,
    error: &Error,
) -> Result<()> {
    deps.close_gate(&claim.tenant, connection, error).await?;
    let calls = vec![Unit::Calls(cx.take_calls())];
    let started = deps.clock.now();
    deps.commit_all(claim, JobKind::Deliver, calls, started)
        .await
}

fn no_connection() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        "the store claimed a delivery without its connection",
    )
}

/// Time a sink gets beyond its deadline before its future is dropped.
const DEADLINE_GRACE: Duration = Duration::from_secs(3);
