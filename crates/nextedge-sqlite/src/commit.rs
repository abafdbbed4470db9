//! Taking results: each unit accepted or refused alone, all in one transaction.

use nextedge_core::classify::Classification;
use nextedge_core::store::{
    AfterDead, Committed, DecisionRecord, JobKind, ProcessedOutcome, ProcessedUnit, Unit,
};
use nextedge_core::{
    CallRecord, ConnectionId, DeadReason, ErrorReport, LeaseToken, MessageUid, Outcome, ParkReason,
    Result, TenantId, Timestamp,
};
use rusqlite::params;

use crate::audit;
use crate::claims::{self, ClaimRow};
use crate::db::{Columns, IdBytes, encode, exec, micros, one};
use crate::delivery;
use crate::error::{fenced, not_found};
use crate::intake::{self, Arrived};
use crate::item::{self, Item};
use crate::lanes::{self, LaneKind, Standing};
use crate::message::{self, Intake, Message};
use crate::review;
use crate::threads;
use crate::tx::{Tx, tenant_number};

/// Commits the units of one call.
pub(crate) fn commit(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    lease: LeaseToken,
    units: Vec<Unit>,
) -> Result<Vec<Result<Committed>>> {
    let number = tenant_number(tx.db, tenant)?;
    let claim = match number {
        Some(number) => claims::find(tx.db, number, lease)?,
        None => None,
    };
    let Some(mut claim) = claim else {
        return Ok(units.iter().map(refused_without_claim).collect());
    };
    let mut answers = Vec::with_capacity(units.len());
    for unit in units {
        answers.push(commit_unit(tx, &mut claim, unit)?);
    }
    if !claim.ended {
        claims::save_items(tx, &claim)?;
    }
    Ok(answers)
}

fn refused_without_claim(unit: &Unit) -> Result<Committed> {
    match unit {
        Unit::Calls(_) => Err(not_found("claim", "forgotten")),
        Unit::Fetched { .. }
        | Unit::Processed(_)
        | Unit::Delivered(_)
        | Unit::Park { .. }
        | Unit::Retry { .. }
        | Unit::Dead { .. } => Err(fenced()),
    }
}

/// The inner result refuses this unit alone and has changed nothing; the outer one fails the call.
fn commit_unit(tx: &mut Tx<'_>, claim: &mut ClaimRow, unit: Unit) -> Result<Result<Committed>> {
    let (message, kind) = match &unit {
        Unit::Calls(_) => (None, None),
        Unit::Fetched { message, .. } => (Some(*message), Some(JobKind::Fetch)),
        Unit::Processed(unit) => (Some(unit.message), Some(JobKind::Process)),
        Unit::Delivered(unit) => (Some(unit.message), Some(JobKind::Deliver)),
        Unit::Park { message, .. } | Unit::Retry { message, .. } | Unit::Dead { message, .. } => {
            (Some(*message), None)
        }
    };
    let Some(uid) = message else {
        return commit_calls(tx, claim, unit);
    };
    let held = !claim.ended && claim.until > tx.now && claim.items.is_open(uid);
    if !held || kind.is_some_and(|kind| kind != claim.kind) {
        return Ok(Err(fenced()));
    }
    let Some(message) = message::find(tx.db, claim.tenant, uid)? else {
        return Ok(Err(fenced()));
    };
    let lane_kind = match claim.kind {
        JobKind::Fetch | JobKind::Process => LaneKind::Intake,
        JobKind::Deliver => LaneKind::Delivery,
    };
    let Some(item) = item::find(tx.db, claim.tenant, uid, lane_kind, item_connection(claim))?
    else {
        return Ok(Err(fenced()));
    };
    let committed = apply(tx, claim, message, item, unit)?;
    if committed != Committed::Stale {
        claim.items.commit(uid);
        if claim.probe {
            claims::pass_gate(tx, claim.tenant, &claim.connection)?;
        }
    }
    Ok(Ok(committed))
}

/// Intake items stand under no connection.
fn item_connection(claim: &ClaimRow) -> &str {
    match claim.kind {
        JobKind::Fetch | JobKind::Process => "",
        JobKind::Deliver => &claim.connection,
    }
}

fn commit_calls(tx: &Tx<'_>, claim: &ClaimRow, unit: Unit) -> Result<Result<Committed>> {
    let Unit::Calls(calls) = unit else {
        return Ok(Err(fenced()));
    };
    if claim.connection.is_empty() {
        return Ok(Err(not_found("connection", "of the claim")));
    }
    let calls: Vec<CallRecord> = calls;
    audit::append(
        tx,
        claim.tenant,
        &ConnectionId::new(&claim.connection)?,
        calls,
    )?;
    Ok(Ok(Committed::Accepted))
}

fn apply(
    tx: &mut Tx<'_>,
    claim: &ClaimRow,
    mut message: Message,
    item: Item,
    unit: Unit,
) -> Result<Committed> {
    let tenant = claim.tenant;
    match unit {
        Unit::Fetched {
            raw,
            received_at,
            thread_hint,
            labels,
            ..
        } => {
            let arrived = Arrived {
                raw,
                received_at,
                thread_hint,
                labels,
            };
            intake::fetched(tx, tenant, message, &item, arrived)?;
        }
        Unit::Processed(unit) => return processed(tx, tenant, message, &item, *unit),
        Unit::Delivered(unit) => delivery::delivered(tx, tenant, &mut message, item, *unit)?,
        Unit::Park { reason, .. } => park(tx, claim, &mut message, &item, reason)?,
        Unit::Retry {
            at, error, keep, ..
        } => {
            keep_answer(tx, tenant, message.msg, keep)?;
            retry(tx, claim, item, at, error)?;
        }
        Unit::Dead {
            reason,
            error,
            after,
            ..
        } => {
            message::push_error(tx, tenant, message.msg, error)?;
            give_up(tx, claim, &mut message, item, reason, after)?;
        }
        Unit::Calls(_) => {}
    }
    Ok(Committed::Accepted)
}

fn keep_answer(tx: &Tx<'_>, tenant: i64, msg: i64, keep: Option<Classification>) -> Result<()> {
    let Some(keep) = keep else {
        return Ok(());
    };
    exec(
        tx.db,
        "UPDATE message SET kept = ?3 WHERE tenant = ?1 AND msg = ?2",
        params![tenant, msg, encode(&keep)?],
    )
    .map(|_| ())
}

fn park(
    tx: &mut Tx<'_>,
    claim: &ClaimRow,
    message: &mut Message,
    item: &Item,
    reason: ParkReason,
) -> Result<()> {
    let outcome = Outcome::Parked { reason };
    match claim.kind {
        JobKind::Fetch => {
            message.unknown = item.job.unknown;
            item::remove(tx, item)?;
            message::set(tx, claim.tenant, message, Intake::Parked, outcome)
        }
        JobKind::Process => {
            message.unknown = item.job.unknown;
            item::settle(tx, item)?;
            message::set(tx, claim.tenant, message, Intake::Parked, outcome)
        }
        JobKind::Deliver => {
            delivery::set_state(tx, claim.tenant, item, &outcome)?;
            item::settle(tx, item)?;
            message::follow_deliveries(tx, claim.tenant, message)
        }
    }
}

fn retry(
    tx: &mut Tx<'_>,
    claim: &ClaimRow,
    mut item: Item,
    at: Timestamp,
    error: ErrorReport,
) -> Result<()> {
    if claim.kind == JobKind::Deliver {
        return delivery::retry(tx, claim.tenant, item, at, error);
    }
    message::push_error(tx, claim.tenant, item.msg, error)?;
    item.job.retries += 1;
    item.job.survived();
    item::update(tx, &item)?;
    match claim.kind {
        JobKind::Fetch => item::snooze(tx, &item, micros(at)),
        JobKind::Process | JobKind::Deliver => lanes::delay(tx, &item.key, at),
    }
}

fn give_up(
    tx: &mut Tx<'_>,
    claim: &ClaimRow,
    message: &mut Message,
    mut item: Item,
    reason: DeadReason,
    after: AfterDead,
) -> Result<()> {
    let outcome = Outcome::Dead { reason };
    if claim.kind == JobKind::Deliver {
        delivery::give_up(tx, claim.tenant, item, &outcome, after)?;
        return message::follow_deliveries(tx, claim.tenant, message);
    }
    message.unknown = item.job.unknown;
    match (claim.kind, after) {
        (JobKind::Fetch, AfterDead::Continue) => item::remove(tx, &item)?,
        (_, AfterDead::Continue) => item::settle(tx, &item)?,
        (_, AfterDead::HoldLane) => {
            if item.standing == Standing::Stub {
                lanes::drop_stub(tx, &item.key)?;
            }
            item.standing = Standing::Held;
            item.job.survived();
            item::update(tx, &item)?;
            lanes::refresh(tx, &item.key)?;
        }
    }
    message::set(tx, claim.tenant, message, Intake::Dead, outcome)
}

fn processed(
    tx: &mut Tx<'_>,
    tenant: i64,
    mut message: Message,
    item: &Item,
    unit: ProcessedUnit,
) -> Result<Committed> {
    if let Some(original) = original_of(tx, tenant, &unit)? {
        message.unknown = item.job.unknown;
        item::settle(tx, item)?;
        let sighting = DecisionRecord {
            thread: None,
            owner: None,
            ..unit.decision
        };
        exec(
            tx.db,
            "UPDATE message SET decision = ?3, owner = NULL WHERE tenant = ?1 AND msg = ?2",
            params![tenant, message.msg, encode(&sighting)?],
        )?;
        let reason = ParkReason::DuplicateOf(original);
        message::set(
            tx,
            tenant,
            &mut message,
            Intake::Parked,
            Outcome::Parked { reason },
        )?;
        return Ok(Committed::Duplicate(original));
    }
    if is_stale(tx, tenant, &unit)? {
        return Ok(Committed::Stale);
    }
    exec(
        tx.db,
        "UPDATE message SET fingerprint = ?3, decision = ?4, owner = ?5, kept = NULL
         WHERE tenant = ?1 AND msg = ?2",
        params![
            tenant,
            message.msg,
            unit.fingerprint.key(),
            encode(&unit.decision)?,
            unit.decision.owner
        ],
    )?;
    message.unknown = false;
    item::settle(tx, item)?;
    if let Some(change) = &unit.thread {
        threads::apply(tx, tenant, change)?;
    }
    decided(tx, tenant, &mut message, unit.outcome)?;
    Ok(Committed::Accepted)
}

/// The other message of this tenant that says the same, if any.
fn original_of(tx: &Tx<'_>, tenant: i64, unit: &ProcessedUnit) -> Result<Option<MessageUid>> {
    let found = one(
        tx.db,
        "SELECT uid FROM message WHERE tenant = ?1 AND fingerprint = ?2",
        params![tenant, unit.fingerprint.key()],
        |row| row.message(0),
    )?;
    Ok(found.filter(|found| *found != unit.message))
}

fn is_stale(tx: &Tx<'_>, tenant: i64, unit: &ProcessedUnit) -> Result<bool> {
    if let Some(change) = &unit.thread
        && !threads::is_current(tx.db, tenant, change)?
    {
        return Ok(true);
    }
    match &unit.outcome {
        ProcessedOutcome::Join { item, .. } => Ok(!review::is_open(tx.db, tenant, *item)?),
        ProcessedOutcome::Park(_) | ProcessedOutcome::Deliver(_) | ProcessedOutcome::Review(_) => {
            Ok(false)
        }
    }
}

fn decided(
    tx: &mut Tx<'_>,
    tenant: i64,
    message: &mut Message,
    outcome: ProcessedOutcome,
) -> Result<()> {
    match outcome {
        ProcessedOutcome::Park(reason) => message::set(
            tx,
            tenant,
            message,
            Intake::Parked,
            Outcome::Parked { reason },
        ),
        ProcessedOutcome::Deliver(plans) => {
            for plan in &plans {
                delivery::plan(tx, tenant, message, plan, None)?;
            }
            message.intake = Intake::Planned;
            message::follow_deliveries(tx, tenant, message)
        }
        ProcessedOutcome::Review(item) => {
            for plan in &item.plans {
                delivery::plan(tx, tenant, message, plan, Some(item.id))?;
            }
            let outcome = Outcome::Review { item: item.id };
            message::set(tx, tenant, message, Intake::Held, outcome)?;
            review::open(tx, tenant, message.uid, item)
        }
        ProcessedOutcome::Join { item, plans } => {
            for plan in &plans {
                delivery::plan(tx, tenant, message, plan, Some(item))?;
            }
            message::set(tx, tenant, message, Intake::Held, Outcome::Review { item })?;
            review::join(tx, tenant, message.uid, item)
        }
    }
}
