//! Items that a person decides: opening, joining, deciding.

use std::collections::BTreeMap;

use async_trait::async_trait;
use nextedge_core::store::{ReviewQuery, ReviewQueue};
use nextedge_core::{
    Error, ErrorKind, MessageUid, Outcome, ParkReason, Plan, Result, ReviewDecision, ReviewId,
    ReviewItem, ReviewState, TenantId,
};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use crate::SqliteStore;
use crate::db::{Columns, IdBytes, all, encode, exec, limit, micros, one};
use crate::delivery;
use crate::error::{conflict, not_found};
use crate::item;
use crate::message::{self, Intake, Message};
use crate::tx::{Tx, tenant_number};

#[async_trait]
impl ReviewQueue for SqliteStore {
    async fn reviews(&self, tenant: &TenantId, query: &ReviewQuery) -> Result<Vec<ReviewItem>> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => search(db, tenant, &query),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn review(&self, tenant: &TenantId, id: ReviewId) -> Result<Option<ReviewItem>> {
        let tenant = tenant.clone();
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => find(db, tenant, id),
            None => Ok(None),
        })
        .await
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        id: ReviewId,
        version: u64,
        decision: ReviewDecision,
    ) -> Result<ReviewItem> {
        let tenant = tenant.clone();
        self.write(move |tx| {
            let tenant =
                tenant_number(tx.db, &tenant)?.ok_or_else(|| not_found("review item", id))?;
            decide(tx, tenant, id, version, decision)
        })
        .await
    }
}

fn search(db: &Connection, tenant: i64, query: &ReviewQuery) -> Result<Vec<ReviewItem>> {
    let mut text = "SELECT body FROM review WHERE tenant = ?".to_owned();
    let mut values = vec![Value::from(tenant)];
    if let Some(state) = &query.state {
        // Written into the text so that the partial index of open items serves it.
        text.push_str(" AND state = '");
        text.push_str(state_text(state));
        text.push('\'');
    }
    if let Some(by) = query.expires_by {
        text.push_str(" AND expires_at <= ?");
        values.push(micros(by).into());
    }
    text.push_str(" ORDER BY opened_at, id LIMIT ?");
    values.push(limit(query.limit).into());
    all(db, &text, params_from_iter(values), |row| row.json(0))
}

fn state_text(state: &ReviewState) -> &'static str {
    match state {
        ReviewState::Open => "open",
        ReviewState::Approved => "approved",
        ReviewState::Rejected => "rejected",
        ReviewState::Corrected => "corrected",
        ReviewState::Expired => "expired",
    }
}

fn find(db: &Connection, tenant: i64, id: ReviewId) -> Result<Option<ReviewItem>> {
    one(
        db,
        "SELECT body FROM review WHERE tenant = ?1 AND id = ?2",
        params![tenant, id.key()],
        |row| row.json(0),
    )
}

/// Whether an item still waits for its decision.
pub(crate) fn is_open(db: &Connection, tenant: i64, id: ReviewId) -> Result<bool> {
    let open = one(
        db,
        "SELECT state = 'open' FROM review WHERE tenant = ?1 AND id = ?2",
        params![tenant, id.key()],
        |row| row.col(0),
    )?;
    Ok(open.unwrap_or(false))
}

fn save(tx: &Tx<'_>, tenant: i64, item: &ReviewItem) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO review (tenant, id, thread, state, opened_at, expires_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET thread = excluded.thread, state = excluded.state,
             opened_at = excluded.opened_at, expires_at = excluded.expires_at,
             body = excluded.body",
        params![
            tenant,
            item.id.key(),
            item.thread.key(),
            state_text(&item.state),
            micros(item.opened_at),
            micros(item.expires_at),
            encode(item)?
        ],
    )
    .map(|_| ())
}

/// Opens an item, or opens it again; what waits for an open one goes on waiting.
pub(crate) fn open(
    tx: &Tx<'_>,
    tenant: i64,
    opener: MessageUid,
    mut item: ReviewItem,
) -> Result<()> {
    let before = find(tx.db, tenant, item.id)?;
    item.version = before.as_ref().map_or(0, |before| before.version) + 1;
    item.state = ReviewState::Open;
    item.waiting = vec![opener];
    if let Some(before) = before.filter(|before| before.state == ReviewState::Open) {
        let kept = before.waiting.into_iter().filter(|uid| *uid != opener);
        item.waiting.extend(kept);
        for plan in before.plans {
            if !item.plans.iter().any(|p| p.connection == plan.connection) {
                item.plans.push(plan);
            }
        }
        sort_waiting(tx.db, tenant, &mut item)?;
    }
    save(tx, tenant, &item)
}

/// Lets a message wait for an open item.
pub(crate) fn join(tx: &Tx<'_>, tenant: i64, message: MessageUid, id: ReviewId) -> Result<()> {
    let Some(mut item) = find(tx.db, tenant, id)? else {
        return Ok(());
    };
    item.version += 1;
    if !item.waiting.contains(&message) {
        item.waiting.push(message);
    }
    sort_waiting(tx.db, tenant, &mut item)?;
    save(tx, tenant, &item)
}

/// The opener first, then in thread order.
fn sort_waiting(db: &Connection, tenant: i64, item: &mut ReviewItem) -> Result<()> {
    let mut order = BTreeMap::new();
    for uid in &item.waiting {
        let received = message::find(db, tenant, *uid)?.map_or(0, |found| found.received_at);
        order.insert(*uid, received);
    }
    let opener = item.message;
    item.waiting
        .sort_by_key(|uid| (*uid != opener, order.get(uid).copied(), *uid));
    Ok(())
}

fn decide(
    tx: &mut Tx<'_>,
    tenant: i64,
    id: ReviewId,
    version: u64,
    decision: ReviewDecision,
) -> Result<ReviewItem> {
    let mut item = find(tx.db, tenant, id)?.ok_or_else(|| not_found("review item", id))?;
    if item.version != version || item.state != ReviewState::Open {
        return Err(conflict("review item", version, item.version));
    }
    let mut corrected = BTreeMap::new();
    let verdict = match decision {
        ReviewDecision::Approve => {
            item.state = ReviewState::Approved;
            Verdict::Release
        }
        ReviewDecision::Reject => {
            item.state = ReviewState::Rejected;
            Verdict::Park(ParkReason::Rejected)
        }
        ReviewDecision::Expire => {
            item.state = ReviewState::Expired;
            Verdict::Park(ParkReason::Expired)
        }
        ReviewDecision::Correct { category, plans } => {
            corrected = by_message(&item, plans)?;
            item.state = ReviewState::Corrected;
            item.category = category;
            item.plans = corrected.get(&item.message).cloned().unwrap_or_default();
            Verdict::Correct
        }
    };
    for uid in item.waiting.clone() {
        let Some(mut message) = message::find(tx.db, tenant, uid)? else {
            continue;
        };
        let plans = corrected.remove(&uid).unwrap_or_default();
        carry_out(tx, tenant, id, &mut message, &verdict, &plans)?;
    }
    item.version += 1;
    save(tx, tenant, &item)?;
    Ok(item)
}

/// What a decision does to each waiting message.
enum Verdict {
    Release,
    Park(ParkReason),
    Correct,
}

fn carry_out(
    tx: &mut Tx<'_>,
    tenant: i64,
    id: ReviewId,
    message: &mut Message,
    verdict: &Verdict,
    plans: &[Plan],
) -> Result<()> {
    let held = matches!(message.outcome, Outcome::Review { item } if item == id)
        && message.intake == Intake::Held;
    match verdict {
        Verdict::Release => {
            for connection in held_by(tx.db, tenant, message, id)? {
                delivery::replay(tx, tenant, message, &connection)?;
            }
            if held {
                message.intake = Intake::Planned;
            }
        }
        Verdict::Park(reason) => park_held(tx, tenant, id, message, held, reason)?,
        Verdict::Correct => {
            for plan in plans {
                let connection = plan.connection.as_str();
                let waiting = held_by(tx.db, tenant, message, id)?;
                if waiting.iter().any(|held| held == connection)
                    || !delivery::exists(tx.db, tenant, message.msg, &plan.connection)?
                {
                    delivery::plan(tx, tenant, message, plan, None)?;
                }
            }
            park_held(tx, tenant, id, message, held, &ParkReason::NotRelevant)?;
        }
    }
    message::follow_deliveries(tx, tenant, message)
}

/// The sinks of a message whose delivery waits for an item.
fn held_by(db: &Connection, tenant: i64, message: &Message, id: ReviewId) -> Result<Vec<String>> {
    let rows = all(
        db,
        "SELECT connection, detail FROM delivery WHERE tenant = ?1 AND msg = ?2 AND state = 3
         ORDER BY connection",
        params![tenant, message.msg],
        |row| Ok((row.col::<String>(0)?, row.json::<Outcome>(1)?)),
    )?;
    let rows = rows.into_iter();
    Ok(rows
        .filter(|(_, outcome)| *outcome == Outcome::Review { item: id })
        .map(|(connection, _)| connection)
        .collect())
}

/// Parks what the item held, and the message if it has no delivery at all.
fn park_held(
    tx: &mut Tx<'_>,
    tenant: i64,
    id: ReviewId,
    message: &mut Message,
    held: bool,
    reason: &ParkReason,
) -> Result<()> {
    let outcome = Outcome::Parked {
        reason: reason.clone(),
    };
    for connection in held_by(tx.db, tenant, message, id)? {
        if let Some(waiting) = delivery::item(tx.db, tenant, message.uid, &connection)? {
            delivery::set_state(tx, tenant, &waiting, &outcome)?;
            item::remove(tx, &waiting)?;
        }
    }
    if !held {
        return Ok(());
    }
    if delivery::any(tx.db, tenant, message.msg)? {
        message.intake = Intake::Planned;
        return Ok(());
    }
    message::set(tx, tenant, message, Intake::Parked, outcome)
}

fn by_message(item: &ReviewItem, plans: Vec<Plan>) -> Result<BTreeMap<MessageUid, Vec<Plan>>> {
    let mut by_message: BTreeMap<MessageUid, Vec<Plan>> = BTreeMap::new();
    for plan in plans {
        if !item.waiting.contains(&plan.message) {
            return Err(
                Error::new(ErrorKind::Invalid, "corrected plan is for another message")
                    .with_context("message", plan.message)
                    .with_action("give plans for the messages that wait for the item"),
            );
        }
        by_message.entry(plan.message).or_default().push(plan);
    }
    Ok(by_message)
}
