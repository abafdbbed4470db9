//! Lanes: one row for each lane with work tells whether it can be claimed, so that a claim looks at
//! ready lanes only.

use nextedge_core::source::is_shared_hint;
use nextedge_core::store::Mailbox;
use nextedge_core::{LeaseToken, MailboxId, MessageUid, Result, ThreadId, Timestamp};
use rusqlite::{Connection, params};

use crate::db::{Columns, IdBytes, all, exec, micros, one};
use crate::tx::Tx;

/// What a lane orders; the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneKind {
    Intake = 1,
    Delivery = 2,
}

/// Which lane of which tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaneKey {
    pub(crate) tenant: i64,
    pub(crate) kind: LaneKind,
    /// Empty for intake lanes.
    pub(crate) connection: String,
    pub(crate) lane: [u8; 16],
}

impl LaneKey {
    /// The intake lane of a message.
    pub(crate) fn intake(tenant: i64, mailbox: &str, hint: Option<&str>, uid: MessageUid) -> Self {
        let text = intake_text(mailbox, hint, uid);
        Self {
            tenant,
            kind: LaneKind::Intake,
            connection: String::new(),
            lane: *MessageUid::derive(&[b"lane", text.as_bytes()]).as_bytes(),
        }
    }

    /// The delivery lane of a thread in one sink.
    pub(crate) fn delivery(tenant: i64, connection: &str, thread: ThreadId) -> Self {
        Self {
            tenant,
            kind: LaneKind::Delivery,
            connection: connection.to_owned(),
            lane: *thread.as_bytes(),
        }
    }
}

/// The text a claim shows for an intake lane.
pub(crate) fn intake_text(mailbox: &str, hint: Option<&str>, uid: MessageUid) -> String {
    match hint {
        Some(hint) if is_shared_hint(hint) => format!("s:{hint}"),
        // The length keeps (a, b:c) and (a:b, c) apart.
        Some(hint) => format!("i:{}:{mailbox}:{hint}", mailbox.len()),
        None => format!("m:{uid}"),
    }
}

/// The text a claim shows for a delivery lane.
pub(crate) fn delivery_text(lane: [u8; 16], connection: &str) -> String {
    format!("d:{}:{connection}", ThreadId::from_bytes(lane))
}

/// How an item stands in its lane; the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its raw bytes are wanted; it stops the whole lane.
    Stub = 0,
    /// It can be done.
    Ready = 1,
    /// It waits for a review and stops what comes after it.
    Review = 2,
    /// It is dead and stops what comes after it.
    Held = 3,
}

/// How a lane stands; the number is stored.
#[derive(Clone, Copy)]
enum LaneState {
    Stopped = 0,
    Ready = 1,
    Delayed = 2,
    Claimed = 3,
    Listing = 4,
}

struct LaneRow {
    stubs: i64,
    due_at: Option<i64>,
    leased: bool,
}

struct Head {
    standing: i64,
    rank: i64,
    received_at: i64,
    uid: [u8; 16],
    mailbox: String,
}

/// Brings a lane's row in line with its items.
pub(crate) fn refresh(tx: &mut Tx<'_>, key: &LaneKey) -> Result<()> {
    let row = lane_row(tx.db, key)?.unwrap_or(LaneRow {
        stubs: 0,
        due_at: None,
        leased: false,
    });
    let due_at = row.due_at.filter(|due| *due > tx.now_micros());
    let Some(head) = head(tx.db, key)? else {
        return if row.leased || due_at.is_some() {
            stop(tx, key)
        } else {
            remove(tx, key)
        };
    };
    let state = state(tx, key, &row, due_at, &head)?;
    exec(
        tx.db,
        "INSERT INTO lane (tenant, kind, connection, lane, state, rank, head_at, head_uid, mailbox,
             due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET state = excluded.state, rank = excluded.rank,
             head_at = excluded.head_at, head_uid = excluded.head_uid, mailbox = excluded.mailbox,
             due_at = excluded.due_at",
        params![
            key.tenant,
            key.kind as i64,
            key.connection,
            key.lane,
            state as i64,
            head.rank,
            head.received_at,
            head.uid,
            head.mailbox,
            due_at
        ],
    )
    .map(|_| ())
}

fn state(
    tx: &mut Tx<'_>,
    key: &LaneKey,
    row: &LaneRow,
    due_at: Option<i64>,
    head: &Head,
) -> Result<LaneState> {
    if row.stubs > 0 || head.standing != Standing::Ready as i64 {
        return Ok(LaneState::Stopped);
    }
    if key.kind == LaneKind::Intake && tx.is_listing(key.tenant, &head.mailbox)? {
        return Ok(LaneState::Listing);
    }
    Ok(match (row.leased, due_at) {
        (true, _) => LaneState::Claimed,
        (false, Some(_)) => LaneState::Delayed,
        (false, None) => LaneState::Ready,
    })
}

fn lane_row(db: &Connection, key: &LaneKey) -> Result<Option<LaneRow>> {
    one(
        db,
        "SELECT stubs, due_at, lease IS NOT NULL FROM lane
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4",
        params![key.tenant, key.kind as i64, key.connection, key.lane],
        |row| {
            Ok(LaneRow {
                stubs: row.col(0)?,
                due_at: row.col(1)?,
                leased: row.col(2)?,
            })
        },
    )
}

fn head(db: &Connection, key: &LaneKey) -> Result<Option<Head>> {
    one(
        db,
        "SELECT state, rank, received_at, uid, mailbox FROM item
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4
         ORDER BY received_at, uid LIMIT 1",
        params![key.tenant, key.kind as i64, key.connection, key.lane],
        |row| {
            Ok(Head {
                standing: row.col(0)?,
                rank: row.col(1)?,
                received_at: row.col(2)?,
                uid: row.bytes16(3)?,
                mailbox: row.col(4)?,
            })
        },
    )
}

fn remove(tx: &Tx<'_>, key: &LaneKey) -> Result<()> {
    exec(
        tx.db,
        "DELETE FROM lane WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4",
        params![key.tenant, key.kind as i64, key.connection, key.lane],
    )
    .map(|_| ())
}

fn stop(tx: &Tx<'_>, key: &LaneKey) -> Result<()> {
    exec(
        tx.db,
        "UPDATE lane SET state = 0
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4",
        params![key.tenant, key.kind as i64, key.connection, key.lane],
    )
    .map(|_| ())
}

/// Counts a stub into its lane, which it stops.
pub(crate) fn add_stub(tx: &Tx<'_>, key: &LaneKey, mailbox: &str) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO lane (tenant, kind, connection, lane, state, stubs, mailbox)
         VALUES (?1, ?2, ?3, ?4, 0, 1, ?5)
         ON CONFLICT DO UPDATE SET stubs = stubs + 1, state = 0",
        params![
            key.tenant,
            key.kind as i64,
            key.connection,
            key.lane,
            mailbox
        ],
    )
    .map(|_| ())
}

/// Counts a stub out of its lane; the lane must be refreshed afterwards.
pub(crate) fn drop_stub(tx: &Tx<'_>, key: &LaneKey) -> Result<()> {
    exec(
        tx.db,
        "UPDATE lane SET stubs = stubs - 1
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4",
        params![key.tenant, key.kind as i64, key.connection, key.lane],
    )
    .map(|_| ())
}

/// Makes a claimed lane wait when it is freed; the latest moment wins.
pub(crate) fn delay(tx: &Tx<'_>, key: &LaneKey, at: Timestamp) -> Result<()> {
    exec(
        tx.db,
        "UPDATE lane SET due_at = max(coalesce(due_at, ?5), ?5)
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4",
        params![
            key.tenant,
            key.kind as i64,
            key.connection,
            key.lane,
            micros(at)
        ],
    )
    .map(|_| ())
}

/// Puts a lane under a lease.
pub(crate) fn lease(tx: &Tx<'_>, key: &LaneKey, token: LeaseToken) -> Result<()> {
    exec(
        tx.db,
        "UPDATE lane SET lease = ?5, state = 3
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4",
        params![
            key.tenant,
            key.kind as i64,
            key.connection,
            key.lane,
            token.key()
        ],
    )
    .map(|_| ())
}

/// Frees the lanes and stubs of a claim.
pub(crate) fn free(tx: &mut Tx<'_>, tenant: i64, token: LeaseToken) -> Result<()> {
    let keys = all(
        tx.db,
        "SELECT kind, connection, lane FROM lane WHERE tenant = ?1 AND lease = ?2",
        params![tenant, token.key()],
        |row| {
            Ok(LaneKey {
                tenant,
                kind: match row.col::<i64>(0)? {
                    1 => LaneKind::Intake,
                    _ => LaneKind::Delivery,
                },
                connection: row.col(1)?,
                lane: row.bytes16(2)?,
            })
        },
    )?;
    exec(
        tx.db,
        "UPDATE lane SET lease = NULL WHERE tenant = ?1 AND lease = ?2",
        params![tenant, token.key()],
    )?;
    for key in keys {
        refresh(tx, &key)?;
    }
    exec(
        tx.db,
        "UPDATE item SET lease = NULL WHERE tenant = ?1 AND lease = ?2",
        params![tenant, token.key()],
    )
    .map(|_| ())
}

/// Makes lanes and stubs ready whose delay has passed.
pub(crate) fn wake(tx: &Tx<'_>) -> Result<()> {
    exec(
        tx.db,
        "UPDATE lane SET state = 1, due_at = NULL WHERE state = 2 AND due_at <= ?1",
        params![tx.now_micros()],
    )?;
    exec(
        tx.db,
        "UPDATE item SET not_before = NULL
         WHERE state = 0 AND lease IS NULL AND not_before IS NOT NULL AND not_before <= ?1",
        params![tx.now_micros()],
    )
    .map(|_| ())
}

/// Brings lanes in line after a mailbox was written, given how listings stood before.
///
/// Lanes that waited for a listing are released part by part, by the claims that follow.
pub(crate) fn follow_listing(tx: &mut Tx<'_>, tenant: i64, before: &Listings) -> Result<()> {
    let after = Listings::read(tx.db, tenant, &before.mailbox)?;
    if after == *before {
        return Ok(());
    }
    tx.forget_listing();
    if after.any && after.waits {
        hold(tx, tenant)
    } else if after.any {
        // this mailbox alone does not wait any more
        let release = "UPDATE mailbox SET releasing = 1 WHERE tenant = ?1 AND id = ?2";
        exec(tx.db, release, params![tenant, before.mailbox.as_str()]).map(|_| ())
    } else {
        let release = "UPDATE mailbox SET releasing = 1 WHERE tenant = ?1";
        exec(tx.db, release, params![tenant]).map(|_| ())
    }
}

/// Makes all lanes wait that wait for listings.
fn hold(tx: &Tx<'_>, tenant: i64) -> Result<()> {
    exec(
        tx.db,
        "UPDATE mailbox SET releasing = 0 WHERE tenant = ?1 AND listing > 0",
        params![tenant],
    )?;
    exec(
        tx.db,
        "UPDATE lane SET state = 4
         WHERE tenant = ?1 AND kind = 1 AND connection = '' AND state IN (1, 2, 3) AND mailbox IN (
             SELECT id FROM mailbox WHERE tenant = ?1 AND listing > 0)",
        params![tenant],
    )
    .map(|_| ())
}

/// How the listings of a tenant stand, and one mailbox among them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listings {
    mailbox: MailboxId,
    /// Some mailbox is listing.
    any: bool,
    /// The mailbox waits for listings.
    waits: bool,
}

impl Listings {
    pub(crate) fn read(db: &Connection, tenant: i64, mailbox: &MailboxId) -> Result<Self> {
        let found = one(
            db,
            "SELECT EXISTS (SELECT 1 FROM mailbox WHERE tenant = ?1 AND listing = 1),
                 EXISTS (SELECT 1 FROM mailbox WHERE tenant = ?1 AND id = ?2 AND listing > 0)",
            params![tenant, mailbox.as_str()],
            |row| Ok((row.col(0)?, row.col(1)?)),
        )?;
        let (any, waits) = found.unwrap_or_default();
        Ok(Self {
            mailbox: mailbox.clone(),
            any,
            waits,
        })
    }
}

/// Releases the oldest lanes of mailboxes whose listing ended, at least `most` of each.
pub(crate) fn release_some(tx: &Tx<'_>, most: usize) -> Result<()> {
    let most = most.max(RELEASED_AT_ONCE);
    let mailboxes = all(
        tx.db,
        "SELECT tenant, id FROM mailbox WHERE releasing = 1",
        [],
        |row| Ok((row.col::<i64>(0)?, row.col::<String>(1)?)),
    )?;
    for (tenant, mailbox) in mailboxes {
        let released = exec(
            tx.db,
            "UPDATE lane SET state = CASE WHEN lease IS NOT NULL THEN 3
                     WHEN due_at > ?4 THEN 2 ELSE 1 END
             WHERE tenant = ?1 AND kind = 1 AND connection = '' AND lane IN (
                 SELECT lane FROM lane WHERE tenant = ?1 AND mailbox = ?2 AND state = 4
                 ORDER BY head_at, head_uid LIMIT ?3)",
            params![tenant, mailbox, crate::db::limit(most), tx.now_micros()],
        )?;
        if released < most {
            exec(
                tx.db,
                "UPDATE mailbox SET releasing = 0 WHERE tenant = ?1 AND id = ?2",
                params![tenant, mailbox],
            )?;
        }
    }
    Ok(())
}

/// The stored form of how a mailbox takes part in listings: 0 not at all, 1 it is listing, 2 it
/// waits while others are.
pub(crate) fn listing_code(mailbox: &Mailbox) -> i64 {
    match (mailbox.list_first, mailbox.is_listing()) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    }
}

/// Lanes that one claim releases after a listing: a long listing must not stop the writer.
const RELEASED_AT_ONCE: usize = 1_000;
