//! Message rows: how far each is, its outcome, its errors.

use nextedge_core::store::LedgerRow;
use nextedge_core::{ErrorReport, MessageUid, Outcome, OutcomeKind, ParkReason, Result};
use rusqlite::{Connection, params};

use crate::db::{Columns, IdBytes, all, encode, exec, one};
use crate::error::stored;
use crate::lanes::LaneKey;
use crate::outcome;
use crate::tx::{Place, Tx};

/// How far a message is before its deliveries; the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// Its raw bytes are wanted.
    Fetch = 0,
    /// A decision is wanted.
    Process = 1,
    /// Its deliveries tell the rest.
    Planned = 2,
    /// It waits for a review item, and so do its plans.
    Held = 3,
    /// It ended parked.
    Parked = 4,
    /// It was given up.
    Dead = 5,
}

impl Intake {
    fn of(code: i64) -> Result<Self> {
        Ok(match code {
            0 => Self::Fetch,
            1 => Self::Process,
            2 => Self::Planned,
            3 => Self::Held,
            4 => Self::Parked,
            5 => Self::Dead,
            _ => return Err(stored("intake")),
        })
    }
}

impl Intake {
    /// The work a message waits for, if it is counted there.
    fn place(self, mailbox: &str) -> Option<Place> {
        match self {
            Self::Fetch => Some(Place::Fetch(mailbox.to_owned())),
            Self::Process => Some(Place::Process(mailbox.to_owned())),
            Self::Planned | Self::Held | Self::Parked | Self::Dead => None,
        }
    }
}

/// What writes need of a message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) msg: i64,
    pub(crate) uid: MessageUid,
    pub(crate) mailbox: String,
    pub(crate) hint: Option<String>,
    pub(crate) rank: i64,
    pub(crate) received_at: i64,
    pub(crate) bytes: i64,
    pub(crate) intake: Intake,
    /// What `intake` was when it was last counted.
    pub(crate) counted: Intake,
    pub(crate) unknown: bool,
    pub(crate) outcome: Outcome,
}

impl Message {
    /// Its intake lane.
    pub(crate) fn lane(&self, tenant: i64) -> LaneKey {
        LaneKey::intake(tenant, &self.mailbox, self.hint.as_deref(), self.uid)
    }
}

/// Finds a message.
pub(crate) fn find(db: &Connection, tenant: i64, uid: MessageUid) -> Result<Option<Message>> {
    one(
        db,
        "SELECT msg, mailbox, hint, rank, received_at, bytes, intake, unknown, outcome, detail
         FROM message WHERE tenant = ?1 AND uid = ?2",
        params![tenant, uid.key()],
        |row| {
            let detail: Option<String> = row.col(9)?;
            Ok(Message {
                msg: row.col(0)?,
                uid,
                mailbox: row.col(1)?,
                hint: row.col(2)?,
                rank: row.col(3)?,
                received_at: row.col(4)?,
                bytes: row.col(5)?,
                intake: Intake::of(row.col(6)?)?,
                counted: Intake::of(row.col(6)?)?,
                unknown: row.col(7)?,
                outcome: outcome::read(row.col(8)?, detail.as_deref())?,
            })
        },
    )
}

/// Moves a message on, and the counters with it.
pub(crate) fn set(
    tx: &mut Tx<'_>,
    tenant: i64,
    message: &mut Message,
    intake: Intake,
    outcome: Outcome,
) -> Result<()> {
    exec(
        tx.db,
        "UPDATE message SET intake = ?3, outcome = ?4, detail = ?5, unknown = ?6
         WHERE tenant = ?1 AND msg = ?2",
        params![
            tenant,
            message.msg,
            intake as i64,
            outcome::code(outcome.kind()),
            outcome::detail(&outcome)?,
            message.unknown
        ],
    )?;
    if outcome.kind() != message.outcome.kind() {
        tx.count(tenant, &message.mailbox, message.outcome.kind(), -1);
        tx.count(tenant, &message.mailbox, outcome.kind(), 1);
    }
    message.intake = intake;
    message.outcome = outcome;
    count_intake(tx, tenant, message);
    Ok(())
}

/// Counts a message out of the work it was in and into the work it is in.
pub(crate) fn count_intake(tx: &mut Tx<'_>, tenant: i64, message: &mut Message) {
    if message.counted == message.intake {
        return;
    }
    for (intake, by) in [(message.counted, -1), (message.intake, 1)] {
        if let Some(place) = intake.place(&message.mailbox) {
            tx.count_work(tenant, place, 0, by);
        }
    }
    message.counted = message.intake;
}

/// Lets the deliveries of a planned message tell its outcome: the worst, the first of equals.
pub(crate) fn follow_deliveries(tx: &mut Tx<'_>, tenant: i64, message: &mut Message) -> Result<()> {
    if message.intake != Intake::Planned {
        return Ok(());
    }
    let states = all(
        tx.db,
        "SELECT state, detail FROM delivery WHERE tenant = ?1 AND msg = ?2 ORDER BY connection",
        params![tenant, message.msg],
        |row| Ok((row.col::<i64>(0)?, row.col::<Option<String>>(1)?)),
    )?;
    let mut worst: Option<(OutcomeKind, Option<String>)> = None;
    for (code, detail) in states {
        let kind = outcome::kind(code)?;
        if worst.as_ref().is_none_or(|(found, _)| kind > *found) {
            worst = Some((kind, detail));
        }
    }
    let outcome = match worst {
        Some((kind, detail)) => outcome::read(outcome::code(kind), detail.as_deref())?,
        None => Outcome::Parked {
            reason: ParkReason::NoSink,
        },
    };
    set(tx, tenant, message, Intake::Planned, outcome)
}

/// Keeps an error: the first and the latest ones stay.
pub(crate) fn push_error(tx: &Tx<'_>, tenant: i64, msg: i64, error: ErrorReport) -> Result<()> {
    let errors: Option<Option<Vec<ErrorReport>>> = one(
        tx.db,
        "SELECT errors FROM message WHERE tenant = ?1 AND msg = ?2",
        params![tenant, msg],
        |row| row.json_opt(0),
    )?;
    let mut errors = errors.flatten().unwrap_or_default();
    if errors.len() >= LedgerRow::MAX_ERRORS {
        errors.remove(1);
    }
    errors.push(error);
    exec(
        tx.db,
        "UPDATE message SET errors = ?3, error_at = ?4 WHERE tenant = ?1 AND msg = ?2",
        params![tenant, msg, encode(&errors)?, tx.now_micros()],
    )
    .map(|_| ())
}

/// Whether the raw bytes are kept.
pub(crate) fn has_raw(db: &Connection, tenant: i64, msg: i64) -> Result<bool> {
    let found = one(
        db,
        "SELECT 1 FROM raw WHERE msg = ?2 AND tenant = ?1",
        params![tenant, msg],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}
