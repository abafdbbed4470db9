//! Deliveries: one for each message and sink, and what a committed end does to it.

use nextedge_core::store::{AfterDead, DeliveredEnd, DeliveredUnit, KnownRecord};
use nextedge_core::{
    ConnectionId, DeadReason, Effect, ErrorReport, MessageUid, Outcome, OutcomeKind, Plan, Result,
    ReviewId, Timestamp,
};
use rusqlite::{Connection, params};

use crate::db::{Columns, IdBytes, encode, exec, one};
use crate::error::fenced;
use crate::item::{self, Item, Job};
use crate::lanes::{self, LaneKind, Standing};
use crate::message::{self, Message};
use crate::outcome;
use crate::review;
use crate::threads;
use crate::tx::{Place, Tx};

/// What writes need of a delivery.
struct DeliveryRow {
    id: i64,
    state: OutcomeKind,
    unknown: bool,
}

fn find(
    db: &Connection,
    tenant: i64,
    msg: i64,
    connection: &ConnectionId,
) -> Result<Option<DeliveryRow>> {
    one(
        db,
        "SELECT id, state, unknown FROM delivery
         WHERE tenant = ?1 AND msg = ?2 AND connection = ?3",
        params![tenant, msg, connection.as_str()],
        |row| {
            Ok(DeliveryRow {
                id: row.col(0)?,
                state: outcome::kind(row.col(1)?)?,
                unknown: row.col(2)?,
            })
        },
    )
}

/// Finds the item of a delivery.
pub(crate) fn item(
    db: &Connection,
    tenant: i64,
    uid: MessageUid,
    connection: &str,
) -> Result<Option<Item>> {
    item::find(db, tenant, uid, LaneKind::Delivery, connection)
}

/// Gives a sink its plan; a sink that has the message keeps it as delivered.
pub(crate) fn plan(
    tx: &mut Tx<'_>,
    tenant: i64,
    message: &Message,
    plan: &Plan,
    held: Option<ReviewId>,
) -> Result<()> {
    let (outcome, standing) = match held {
        None => (Outcome::Pending, Standing::Ready),
        Some(item) => (Outcome::Review { item }, Standing::Review),
    };
    let connection = &plan.connection;
    let row = find(tx.db, tenant, message.msg, connection)?;
    let unknown = match row {
        None => {
            insert(tx, tenant, message, plan, &outcome)?;
            count(tx, tenant, connection.as_str(), None, outcome.kind());
            false
        }
        Some(row) if row.state == OutcomeKind::Delivered => return Ok(()),
        Some(row) => {
            replace(tx, tenant, row.id, plan, &outcome)?;
            let before = Some(row.state);
            count(tx, tenant, connection.as_str(), before, outcome.kind());
            let old = item(tx.db, tenant, message.uid, connection.as_str())?;
            if let Some(old) = &old {
                item::remove(tx, old)?;
            }
            old.map_or(row.unknown, |old| old.job.unknown)
        }
    };
    let work = Item::delivery(tenant, message, plan, Job::replayed(unknown));
    item::insert(tx, &work.standing(standing))
}

fn insert(
    tx: &Tx<'_>,
    tenant: i64,
    message: &Message,
    plan: &Plan,
    outcome: &Outcome,
) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO delivery (tenant, msg, connection, thread, state, detail, plan)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            tenant,
            message.msg,
            plan.connection.as_str(),
            plan.thread.key(),
            outcome::code(outcome.kind()),
            outcome::detail(outcome)?,
            encode(plan)?
        ],
    )
    .map(|_| ())
}

fn replace(tx: &Tx<'_>, tenant: i64, id: i64, plan: &Plan, outcome: &Outcome) -> Result<()> {
    exec(
        tx.db,
        "UPDATE delivery SET thread = ?3, state = ?4, detail = ?5, plan = ?6
         WHERE tenant = ?1 AND id = ?2",
        params![
            tenant,
            id,
            plan.thread.key(),
            outcome::code(outcome.kind()),
            outcome::detail(outcome)?,
            encode(plan)?
        ],
    )
    .map(|_| ())
}

/// Counts a delivery out of one state and into another.
fn count(
    tx: &mut Tx<'_>,
    tenant: i64,
    connection: &str,
    before: Option<OutcomeKind>,
    after: OutcomeKind,
) {
    let place = || Place::Deliver(connection.to_owned());
    if let Some(before) = before {
        tx.count_work(tenant, place(), outcome::code(before), -1);
    }
    tx.count_work(tenant, place(), outcome::code(after), 1);
}

/// Sets the state of an item's delivery.
pub(crate) fn set_state(
    tx: &mut Tx<'_>,
    tenant: i64,
    item: &Item,
    outcome: &Outcome,
) -> Result<()> {
    let connection = ConnectionId::new(&item.key.connection)?;
    if let Some(row) = find(tx.db, tenant, item.msg, &connection)? {
        let before = Some(row.state);
        count(tx, tenant, connection.as_str(), before, outcome.kind());
    }
    exec(
        tx.db,
        "UPDATE delivery SET state = ?4, detail = ?5, unknown = ?6
         WHERE tenant = ?1 AND msg = ?2 AND connection = ?3",
        params![
            tenant,
            item.msg,
            item.key.connection,
            outcome::code(outcome.kind()),
            outcome::detail(outcome)?,
            item.job.unknown
        ],
    )
    .map(|_| ())
}

/// Gives a claimed delivery up.
pub(crate) fn give_up(
    tx: &mut Tx<'_>,
    tenant: i64,
    mut item: Item,
    outcome: &Outcome,
    after: AfterDead,
) -> Result<()> {
    set_state(tx, tenant, &item, outcome)?;
    match after {
        AfterDead::Continue => item::settle(tx, &item),
        AfterDead::HoldLane => {
            item.standing = Standing::Held;
            item.job.survived();
            item::update(tx, &item)
        }
    }
}

/// Tries a claimed delivery again later.
pub(crate) fn retry(
    tx: &Tx<'_>,
    tenant: i64,
    mut item: Item,
    at: Timestamp,
    error: ErrorReport,
) -> Result<()> {
    message::push_error(tx, tenant, item.msg, error)?;
    item.job.retries += 1;
    item.job.survived();
    item::update(tx, &item)?;
    lanes::delay(tx, &item.key, at)
}

/// Carries out the end of a claimed delivery.
pub(crate) fn delivered(
    tx: &mut Tx<'_>,
    tenant: i64,
    message: &mut Message,
    mut item: Item,
    unit: DeliveredUnit,
) -> Result<()> {
    let connection = ConnectionId::new(&item.key.connection)?;
    keep_effects(tx, tenant, &item, unit.effects)?;
    for known in unit.parties {
        know_party(tx, tenant, &connection, &known)?;
    }
    if let Some(record) = &unit.record {
        threads::link_record(tx, tenant, item.thread(), &connection, record)?;
    }
    match unit.end {
        DeliveredEnd::Done => {
            item.job.unknown = false;
            set_state(tx, tenant, &item, &Outcome::Delivered)?;
            item::settle(tx, &item)?;
        }
        DeliveredEnd::Retry { at, error } => retry(tx, tenant, item, at, error)?,
        DeliveredEnd::Unknown { at, error } => {
            item.job.unknown = true;
            retry(tx, tenant, item, at, error)?;
        }
        DeliveredEnd::Dead { error, after } => {
            let reason = DeadReason::Deliver(error.text.clone());
            message::push_error(tx, tenant, item.msg, error)?;
            give_up(tx, tenant, item, &Outcome::Dead { reason }, after)?;
        }
        DeliveredEnd::Review(asked) => {
            item.job.survived();
            set_state(tx, tenant, &item, &Outcome::Review { item: asked.id })?;
            take_over_plan(tx, tenant, message, item, &connection, &asked.plans)?;
            review::open(tx, tenant, message.uid, asked)?;
        }
    }
    message::follow_deliveries(tx, tenant, message)
}

/// A delivery in review takes over the item's plan, so that an approval delivers what is shown.
fn take_over_plan(
    tx: &mut Tx<'_>,
    tenant: i64,
    message: &Message,
    mut item: Item,
    connection: &ConnectionId,
    plans: &[Plan],
) -> Result<()> {
    item.standing = Standing::Review;
    let Some(plan) = plans.iter().find(|plan| plan.connection == *connection) else {
        return item::update(tx, &item);
    };
    exec(
        tx.db,
        "UPDATE delivery SET plan = ?4, thread = ?5
         WHERE tenant = ?1 AND msg = ?2 AND connection = ?3",
        params![
            tenant,
            item.msg,
            connection.as_str(),
            encode(plan)?,
            plan.thread.key()
        ],
    )?;
    item::remove(tx, &item)?;
    let next = Item::delivery(tenant, message, plan, item.job);
    item::insert(tx, &next.standing(Standing::Review))
}

fn know_party(
    tx: &Tx<'_>,
    tenant: i64,
    connection: &ConnectionId,
    known: &KnownRecord,
) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO party (tenant, key, connection, record) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET record = excluded.record",
        params![
            tenant,
            known.party.as_key(),
            connection.as_str(),
            encode(&known.record)?
        ],
    )
    .map(|_| ())
}

/// Keeps the latest effect of each slot, in slot order.
fn keep_effects(tx: &Tx<'_>, tenant: i64, item: &Item, effects: Vec<Effect>) -> Result<()> {
    if effects.is_empty() {
        return Ok(());
    }
    let stored: Option<Option<Vec<Effect>>> = one(
        tx.db,
        "SELECT effects FROM delivery WHERE tenant = ?1 AND msg = ?2 AND connection = ?3",
        params![tenant, item.msg, item.key.connection],
        |row| row.json_opt(0),
    )?;
    let mut kept = stored.ok_or_else(fenced)?.unwrap_or_default();
    for effect in effects {
        kept.retain(|old| old.slot != effect.slot);
        kept.push(effect);
    }
    kept.sort_by(|a, b| a.slot.cmp(&b.slot));
    exec(
        tx.db,
        "UPDATE delivery SET effects = ?4 WHERE tenant = ?1 AND msg = ?2 AND connection = ?3",
        params![tenant, item.msg, item.key.connection, encode(&kept)?],
    )
    .map(|_| ())
}

/// Whether a message has a delivery for a sink, in whatever state.
pub(crate) fn exists(
    db: &Connection,
    tenant: i64,
    msg: i64,
    connection: &ConnectionId,
) -> Result<bool> {
    Ok(find(db, tenant, msg, connection)?.is_some())
}

/// Whether a message has any delivery.
pub(crate) fn any(db: &Connection, tenant: i64, msg: i64) -> Result<bool> {
    let found = one(
        db,
        "SELECT 1 FROM delivery WHERE tenant = ?1 AND msg = ?2 LIMIT 1",
        params![tenant, msg],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Makes a held, dead or parked delivery pending again, with attempts at zero.
pub(crate) fn replay(
    tx: &mut Tx<'_>,
    tenant: i64,
    message: &Message,
    connection: &str,
) -> Result<()> {
    let stored = one(
        tx.db,
        "SELECT plan, unknown FROM delivery WHERE tenant = ?1 AND msg = ?2 AND connection = ?3",
        params![tenant, message.msg, connection],
        |row| Ok((row.json::<Plan>(0)?, row.col::<bool>(1)?)),
    )?;
    let Some((plan, unknown)) = stored else {
        return Ok(());
    };
    let old = item(tx.db, tenant, message.uid, connection)?;
    if let Some(old) = &old {
        item::remove(tx, old)?;
    }
    let unknown = old.map_or(unknown, |old| old.job.unknown);
    let next = Item::delivery(tenant, message, &plan, Job::replayed(unknown));
    set_state(tx, tenant, &next, &Outcome::Pending)?;
    item::insert(tx, &next)
}
