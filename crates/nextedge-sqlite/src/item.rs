//! Items: unsettled work, each in one lane.

use nextedge_core::{MessageUid, PartyKey, Plan, Result, ThreadId};
use rusqlite::{Connection, params};

use crate::db::{Columns, IdBytes, exec, one};
use crate::error::stored;
use crate::lanes::{self, LaneKey, LaneKind, Standing};
use crate::message::Message;
use crate::tx::Tx;

/// One piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) key: LaneKey,
    pub(crate) uid: MessageUid,
    pub(crate) msg: i64,
    pub(crate) received_at: i64,
    pub(crate) standing: Standing,
    pub(crate) rank: i64,
    pub(crate) mailbox: String,
    pub(crate) bytes: i64,
    pub(crate) job: Job,
    /// The parties of a delivery as a store keeps them, one a line.
    pub(crate) parties: Option<String>,
}

/// The attempts at one item.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Job {
    pub(crate) retries: u32,
    pub(crate) unknown: bool,
    pub(crate) alone: bool,
    pub(crate) crashes: u32,
}

/// Whether a crash was the last that is borne.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    Borne,
    Last,
}

impl Job {
    /// Starts anew, but remembers that an earlier start has no known outcome.
    pub(crate) fn replayed(unknown: bool) -> Self {
        Self {
            unknown,
            ..Self::default()
        }
    }

    /// Notes that an attempt came to an end of some kind.
    pub(crate) fn survived(&mut self) {
        self.alone = false;
        self.crashes = 0;
    }

    /// Notes a start without outcome.
    pub(crate) fn crashed(&mut self) -> Crash {
        self.unknown = true;
        self.crashes += u32::from(self.alone);
        self.alone = true;
        if self.crashes >= MAX_CRASHES {
            Crash::Last
        } else {
            Crash::Borne
        }
    }
}

impl Item {
    /// The intake work of a message.
    pub(crate) fn intake(tenant: i64, message: &Message, standing: Standing) -> Self {
        Self {
            key: message.lane(tenant),
            uid: message.uid,
            msg: message.msg,
            received_at: message.received_at,
            standing,
            rank: message.rank,
            mailbox: message.mailbox.clone(),
            bytes: message.bytes,
            job: Job::replayed(message.unknown),
            parties: None,
        }
    }

    /// The delivery of a plan.
    pub(crate) fn delivery(tenant: i64, message: &Message, plan: &Plan, job: Job) -> Self {
        Self {
            key: LaneKey::delivery(tenant, plan.connection.as_str(), plan.thread),
            uid: message.uid,
            msg: message.msg,
            received_at: message.received_at,
            standing: Standing::Ready,
            rank: message.rank,
            mailbox: message.mailbox.clone(),
            bytes: message.bytes,
            job,
            parties: Some(party_lines(plan)),
        }
    }

    pub(crate) fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// The thread of a delivery lane.
    pub(crate) fn thread(&self) -> ThreadId {
        ThreadId::from_bytes(self.key.lane)
    }
}

/// The parties a delivery needs, sorted: the sender, and the company if it is planned.
pub(crate) fn parties_of(plan: &Plan) -> Vec<PartyKey> {
    let mut parties = PartyKey::of(&plan.sender.address);
    if plan.company.is_none() {
        parties.retain(|party| !matches!(party, PartyKey::Company(_)));
    }
    parties.sort();
    parties
}

fn party_lines(plan: &Plan) -> String {
    let keys: Vec<String> = parties_of(plan).iter().map(PartyKey::as_key).collect();
    keys.join("\n")
}

/// Finds the item of a message.
pub(crate) fn find(
    db: &Connection,
    tenant: i64,
    uid: MessageUid,
    kind: LaneKind,
    connection: &str,
) -> Result<Option<Item>> {
    one(
        db,
        "SELECT lane, received_at, msg, state, rank, mailbox, bytes, retries, unknown, alone,
             crashes, parties
         FROM item WHERE tenant = ?1 AND uid = ?2 AND kind = ?3 AND connection = ?4",
        params![tenant, uid.key(), kind as i64, connection],
        |row| {
            Ok(Item {
                key: LaneKey {
                    tenant,
                    kind,
                    connection: connection.to_owned(),
                    lane: row.bytes16(0)?,
                },
                uid,
                received_at: row.col(1)?,
                msg: row.col(2)?,
                standing: standing(row.col(3)?)?,
                rank: row.col(4)?,
                mailbox: row.col(5)?,
                bytes: row.col(6)?,
                job: Job {
                    retries: row.col(7)?,
                    unknown: row.col(8)?,
                    alone: row.col(9)?,
                    crashes: row.col(10)?,
                },
                parties: row.col(11)?,
            })
        },
    )
}

fn standing(code: i64) -> Result<Standing> {
    Ok(match code {
        0 => Standing::Stub,
        1 => Standing::Ready,
        2 => Standing::Review,
        3 => Standing::Held,
        _ => return Err(stored("standing")),
    })
}

/// Puts an item into its lane.
pub(crate) fn insert(tx: &mut Tx<'_>, item: &Item) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO item (tenant, kind, connection, lane, received_at, uid, msg, state, rank,
             mailbox, bytes, retries, unknown, alone, crashes, parties)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            item.key.tenant,
            item.key.kind as i64,
            item.key.connection,
            item.key.lane,
            item.received_at,
            item.uid.key(),
            item.msg,
            item.standing as i64,
            item.rank,
            item.mailbox,
            item.bytes,
            item.job.retries,
            item.job.unknown,
            item.job.alone,
            item.job.crashes,
            item.parties
        ],
    )?;
    match item.standing {
        Standing::Stub => lanes::add_stub(tx, &item.key, &item.mailbox),
        Standing::Ready | Standing::Review | Standing::Held => lanes::refresh(tx, &item.key),
    }
}

/// Takes an item out of a lane that its own claim holds: the lane is refreshed when that ends.
pub(crate) fn settle(tx: &Tx<'_>, item: &Item) -> Result<()> {
    exec(
        tx.db,
        "DELETE FROM item WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4
             AND received_at = ?5 AND uid = ?6",
        params![
            item.key.tenant,
            item.key.kind as i64,
            item.key.connection,
            item.key.lane,
            item.received_at,
            item.uid.key()
        ],
    )
    .map(|_| ())
}

/// Takes an item out of its lane, whoever holds it.
pub(crate) fn remove(tx: &mut Tx<'_>, item: &Item) -> Result<()> {
    settle(tx, item)?;
    if item.standing == Standing::Stub {
        lanes::drop_stub(tx, &item.key)?;
    }
    lanes::refresh(tx, &item.key)
}

/// Writes how an item stands and its attempts; the lane is refreshed when its claim ends.
pub(crate) fn update(tx: &Tx<'_>, item: &Item) -> Result<()> {
    exec(
        tx.db,
        "UPDATE item SET state = ?7, retries = ?8, unknown = ?9, alone = ?10, crashes = ?11
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4
             AND received_at = ?5 AND uid = ?6",
        params![
            item.key.tenant,
            item.key.kind as i64,
            item.key.connection,
            item.key.lane,
            item.received_at,
            item.uid.key(),
            item.standing as i64,
            item.job.retries,
            item.job.unknown,
            item.job.alone,
            item.job.crashes
        ],
    )
    .map(|_| ())
}

/// Makes a stub wait on its own.
pub(crate) fn snooze(tx: &Tx<'_>, item: &Item, at: i64) -> Result<()> {
    exec(
        tx.db,
        "UPDATE item SET not_before = ?4
         WHERE tenant = ?1 AND uid = ?2 AND kind = ?3 AND connection = ''",
        params![item.key.tenant, item.uid.key(), item.key.kind as i64, at],
    )
    .map(|_| ())
}

/// Puts a stub under the lease of a fetch claim.
pub(crate) fn lease_stub(
    tx: &Tx<'_>,
    tenant: i64,
    uid: MessageUid,
    lease: nextedge_core::LeaseToken,
) -> Result<()> {
    exec(
        tx.db,
        "UPDATE item SET lease = ?3
         WHERE tenant = ?1 AND uid = ?2 AND kind = 1 AND connection = ''",
        params![tenant, uid.key(), lease.key()],
    )
    .map(|_| ())
}

/// Crashes of one item while it is alone after which it is given up.
const MAX_CRASHES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crashes_while_alone_count() {
        let mut job = Job::default();
        let borne: Vec<bool> = (0..4).map(|_| job.crashed() == Crash::Borne).collect();
        assert_eq!(borne, [true, true, true, false]);
        job.survived();
        assert!(job.crashed() == Crash::Borne && job.unknown);
    }
}
