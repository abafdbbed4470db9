//! Running claims: their rows, and what becomes of their items when they end.

use nextedge_core::store::{AfterDead, CLAIM_MEMORY, JobKind, Scope};
use nextedge_core::{
    CallRecord, ConnectionId, DeadReason, LeaseToken, MessageUid, Outcome, Result, Timestamp,
};
use rusqlite::{Connection, Row, params};

use crate::audit;
use crate::db::{Columns, IdBytes, all, exec, micros, moment, one};
use crate::delivery;
use crate::error::stored;
use crate::item::{self, Crash};
use crate::lanes::{self, LaneKind, Standing};
use crate::message::{self, Intake};
use crate::threads;
use crate::tx::{Tx, tenant_number};

/// A claim as stored.
#[derive(Clone, Debug)]
pub(crate) struct ClaimRow {
    pub(crate) tenant: i64,
    pub(crate) lease: LeaseToken,
    pub(crate) kind: JobKind,
    /// Empty for `Process`.
    pub(crate) connection: String,
    pub(crate) until: Timestamp,
    /// Not before this moment is an item without outcome handed out again.
    pub(crate) settled: Timestamp,
    pub(crate) probe: bool,
    pub(crate) items: ClaimItems,
    pub(crate) ended: bool,
}

/// The items of a claim, and whether the outcome of each is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimItems(Vec<u8>);

impl ClaimItems {
    pub(crate) fn of(messages: impl Iterator<Item = MessageUid>) -> Self {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.extend_from_slice(message.key());
            bytes.push(OPEN);
        }
        Self(bytes)
    }

    /// Whether an item is part of the claim, committed or not.
    pub(crate) fn contains(&self, message: MessageUid) -> bool {
        self.0.chunks_exact(ITEM).any(|c| c[..16] == *message.key())
    }

    pub(crate) fn is_open(&self, message: MessageUid) -> bool {
        let mut items = self.0.chunks_exact(ITEM);
        items.any(|c| c[..16] == *message.key() && c[16] == OPEN)
    }

    pub(crate) fn commit(&mut self, message: MessageUid) {
        let mut items = self.0.chunks_exact_mut(ITEM);
        if let Some(item) = items.find(|c| c[..16] == *message.key()) {
            item[16] = COMMITTED;
        }
    }

    fn least(&self) -> Option<&[u8]> {
        self.0.chunks_exact(ITEM).map(|c| &c[..16]).min()
    }

    fn open(&self) -> Result<Vec<MessageUid>> {
        let items = self.0.chunks_exact(ITEM).filter(|c| c[16] == OPEN);
        items
            .map(|c| {
                let bytes = c[..16].try_into().map_err(|_| stored("claim"))?;
                Ok(MessageUid::from_bytes(bytes))
            })
            .collect()
    }
}

const ITEM: usize = 17;
const OPEN: u8 = 1;
const COMMITTED: u8 = 0;

/// The stored number of a kind of work.
pub(crate) fn kind_code(kind: JobKind) -> i64 {
    match kind {
        JobKind::Fetch => 0,
        JobKind::Process => 1,
        JobKind::Deliver => 2,
    }
}

const CLAIM_COLUMNS: &str =
    "tenant, lease, kind, connection, until, settled, probe, items, ended_at IS NOT NULL";

fn claim_row(row: &Row<'_>) -> Result<ClaimRow> {
    Ok(ClaimRow {
        tenant: row.col(0)?,
        lease: LeaseToken::from_bytes(row.bytes16(1)?),
        kind: match row.col::<i64>(2)? {
            0 => JobKind::Fetch,
            1 => JobKind::Process,
            2 => JobKind::Deliver,
            _ => return Err(stored("claim")),
        },
        connection: row.col(3)?,
        until: moment(row.col(4)?)?,
        settled: moment(row.col(5)?)?,
        probe: row.col(6)?,
        items: ClaimItems(row.col(7)?),
        ended: row.col(8)?,
    })
}

/// Finds a claim, running or ended.
pub(crate) fn find(db: &Connection, tenant: i64, lease: LeaseToken) -> Result<Option<ClaimRow>> {
    one(
        db,
        &format!("SELECT {CLAIM_COLUMNS} FROM claim WHERE tenant = ?1 AND lease = ?2"),
        params![tenant, lease.key()],
        claim_row,
    )
}

/// Records a claim that starts now.
pub(crate) fn insert(tx: &Tx<'_>, claim: &ClaimRow) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO claim (tenant, lease, kind, connection, until, settled, probe, items)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            claim.tenant,
            claim.lease.key(),
            kind_code(claim.kind),
            claim.connection,
            micros(claim.until),
            micros(claim.settled),
            claim.probe,
            claim.items.0
        ],
    )
    .map(|_| ())
}

/// Writes which items are committed.
pub(crate) fn save_items(tx: &Tx<'_>, claim: &ClaimRow) -> Result<()> {
    exec(
        tx.db,
        "UPDATE claim SET items = ?3 WHERE tenant = ?1 AND lease = ?2",
        params![claim.tenant, claim.lease.key(), claim.items.0],
    )
    .map(|_| ())
}

/// Moves the end of a running claim.
pub(crate) fn extend(
    tx: &Tx<'_>,
    tenant: i64,
    lease: LeaseToken,
    until: Timestamp,
) -> Result<bool> {
    let extended = exec(
        tx.db,
        "UPDATE claim SET until = ?4
         WHERE tenant = ?1 AND lease = ?2 AND ended_at IS NULL AND until > ?3",
        params![tenant, lease.key(), tx.now_micros(), micros(until)],
    )?;
    Ok(extended > 0)
}

/// Counts the running claims of one kind on a connection.
pub(crate) fn running(
    db: &Connection,
    tenant: i64,
    connection: &str,
    kind: JobKind,
) -> Result<u64> {
    let count = one(
        db,
        "SELECT count(*) FROM claim
         WHERE tenant = ?1 AND connection = ?2 AND kind = ?3 AND ended_at IS NULL",
        params![tenant, connection, kind_code(kind)],
        |row| row.count(0),
    )?;
    Ok(count.unwrap_or(0))
}

/// Whether any claim runs on a connection, mailboxes included; a probe waits for all of them.
pub(crate) fn is_busy(tx: &Tx<'_>, tenant: i64, connection: &str) -> Result<bool> {
    let busy = one(
        tx.db,
        "SELECT EXISTS (SELECT 1 FROM claim
                        WHERE tenant = ?1 AND connection = ?2 AND ended_at IS NULL)
             OR EXISTS (SELECT 1 FROM mailbox
                        WHERE tenant = ?1 AND connection = ?2 AND lease_until > ?3)",
        params![tenant, connection, tx.now_micros()],
        |row| row.col(0),
    )?;
    Ok(busy.unwrap_or(false))
}

/// Whether a running fetch claim covers a message.
pub(crate) fn fetching(
    db: &Connection,
    tenant: i64,
    message: MessageUid,
) -> Result<Option<LeaseToken>> {
    let claims = all(
        db,
        &format!(
            "SELECT {CLAIM_COLUMNS} FROM claim WHERE tenant = ?1 AND kind = 0 AND ended_at IS NULL"
        ),
        params![tenant],
        claim_row,
    )?;
    let mut claims = claims.into_iter();
    Ok(claims
        .find(|claim| claim.items.contains(message))
        .map(|claim| claim.lease))
}

/// Opens a gate that is not closed anew.
pub(crate) fn pass_gate(tx: &Tx<'_>, tenant: i64, connection: &str) -> Result<()> {
    exec(
        tx.db,
        "DELETE FROM gate WHERE tenant = ?1 AND connection = ?2 AND until <= ?3",
        params![tenant, connection, tx.now_micros()],
    )
    .map(|_| ())
}

/// Ends the claims in scope whose lease ran out, and forgets those that ended long ago.
pub(crate) fn end_overdue(tx: &mut Tx<'_>, scope: &Scope) -> Result<()> {
    let only = match scope {
        Scope::All => None,
        Scope::Tenant(tenant) => match tenant_number(tx.db, tenant)? {
            Some(number) => Some(number),
            None => return Ok(()),
        },
    };
    let mut overdue = all(
        tx.db,
        &format!(
            "SELECT {CLAIM_COLUMNS} FROM claim
             WHERE ended_at IS NULL AND until <= ?1 AND (?2 IS NULL OR tenant = ?2)"
        ),
        params![tx.now_micros(), only],
        claim_row,
    )?;
    overdue.sort_by(in_order);
    for claim in overdue {
        end_lost(tx, &claim, claim.until)?;
    }
    let memory = i64::try_from(CLAIM_MEMORY.as_micros()).unwrap_or(i64::MAX);
    exec(
        tx.db,
        "DELETE FROM claim WHERE ended_at IS NOT NULL AND ended_at <= ?1",
        params![tx.now_micros().saturating_sub(memory)],
    )
    .map(|_| ())
}

/// Ends every claim and frees every mailbox: their process is gone.
pub(crate) fn end_all(tx: &mut Tx<'_>) -> Result<()> {
    let mut claims = all(
        tx.db,
        &format!("SELECT {CLAIM_COLUMNS} FROM claim WHERE ended_at IS NULL"),
        [],
        claim_row,
    )?;
    claims.sort_by(in_order);
    for claim in claims {
        end_lost(tx, &claim, tx.now)?;
    }
    exec(
        tx.db,
        "UPDATE mailbox SET lease = NULL, lease_until = NULL WHERE lease IS NOT NULL",
        [],
    )
    .map(|_| ())
}

/// Ends a claim by its own worker: items without an outcome lose their start.
pub(crate) fn release(tx: &mut Tx<'_>, tenant: i64, lease: LeaseToken) -> Result<()> {
    let Some(claim) = find(tx.db, tenant, lease)? else {
        return Ok(());
    };
    if claim.ended || claim.until <= tx.now {
        return Ok(());
    }
    end(tx, &claim, tx.now)
}

/// An order that does not hang on random tokens.
fn in_order(one: &ClaimRow, other: &ClaimRow) -> std::cmp::Ordering {
    let items = one.items.least().cmp(&other.items.least());
    items.then_with(|| one.connection.cmp(&other.connection))
}

fn end_lost(tx: &mut Tx<'_>, claim: &ClaimRow, at: Timestamp) -> Result<()> {
    let open = claim.items.open()?;
    for message in open.iter().copied() {
        match claim.kind {
            // A repeated read does no harm.
            JobKind::Fetch => {}
            JobKind::Process => lose_process(tx, claim, message)?,
            JobKind::Deliver => lose_delivery(tx, claim, message)?,
        }
    }
    if claim.kind == JobKind::Deliver && !open.is_empty() {
        let connection = ConnectionId::new(&claim.connection)?;
        let calls = vec![CallRecord::interrupted(at, open)];
        audit::append(tx, claim.tenant, &connection, calls)?;
    }
    end(tx, claim, at)
}

fn end(tx: &mut Tx<'_>, claim: &ClaimRow, at: Timestamp) -> Result<()> {
    lanes::free(tx, claim.tenant, claim.lease)?;
    exec(
        tx.db,
        "DELETE FROM reservation WHERE tenant = ?1 AND lease = ?2",
        params![claim.tenant, claim.lease.key()],
    )?;
    let (tenant, lease) = (claim.tenant, claim.lease.key());
    if claim.kind == JobKind::Process {
        // Calls are told of a connection, and it has none.
        exec(
            tx.db,
            "DELETE FROM claim WHERE tenant = ?1 AND lease = ?2",
            params![tenant, lease],
        )?;
        return Ok(());
    }
    exec(
        tx.db,
        "UPDATE claim SET ended_at = ?3, items = x'' WHERE tenant = ?1 AND lease = ?2",
        params![tenant, lease, micros(at)],
    )
    .map(|_| ())
}

fn lose_process(tx: &mut Tx<'_>, claim: &ClaimRow, uid: MessageUid) -> Result<()> {
    let found = item::find(tx.db, claim.tenant, uid, LaneKind::Intake, "")?;
    let Some(mut item) = found.filter(|item| item.standing == Standing::Ready) else {
        return Ok(());
    };
    if item.job.crashed() == Crash::Borne {
        item::update(tx, &item)?;
        return lanes::delay(tx, &item.key, claim.settled);
    }
    item::settle(tx, &item)?;
    let Some(mut message) = message::find(tx.db, claim.tenant, uid)? else {
        return Ok(());
    };
    message.unknown = true;
    let reason = DeadReason::Crash;
    message::set(
        tx,
        claim.tenant,
        &mut message,
        Intake::Dead,
        Outcome::Dead { reason },
    )
}

fn lose_delivery(tx: &mut Tx<'_>, claim: &ClaimRow, uid: MessageUid) -> Result<()> {
    let found = item::find(
        tx.db,
        claim.tenant,
        uid,
        LaneKind::Delivery,
        &claim.connection,
    )?;
    let Some(mut item) = found.filter(|item| item.standing == Standing::Ready) else {
        return Ok(());
    };
    if item.job.crashed() == Crash::Borne {
        item::update(tx, &item)?;
        return lanes::delay(tx, &item.key, claim.settled);
    }
    let connection = ConnectionId::new(&claim.connection)?;
    let linked = threads::linked_record(tx.db, claim.tenant, item.thread(), &connection)?;
    // A later mail of a thread without a record would create one without this mail.
    let after = match linked {
        Some(_) => AfterDead::Continue,
        None => AfterDead::HoldLane,
    };
    let outcome = Outcome::Dead {
        reason: DeadReason::Crash,
    };
    delivery::give_up(tx, claim.tenant, item, &outcome, after)?;
    let Some(mut message) = message::find(tx.db, claim.tenant, uid)? else {
        return Ok(());
    };
    message::follow_deliveries(tx, claim.tenant, &mut message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn items_of_a_claim_are_open_until_committed() {
        let (a, b) = (MessageUid::derive(&[b"a"]), MessageUid::derive(&[b"b"]));
        let mut items = ClaimItems::of([a, b].into_iter());
        items.commit(a);
        assert!(!items.is_open(a) && items.contains(a));
        assert_eq!(items.open().unwrap(), [b]);
        assert!(!items.contains(MessageUid::derive(&[b"c"])));
    }
}
