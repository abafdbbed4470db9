//! Sightings and raw bytes: from the listing to the first decision.

use bytes::Bytes;
use nextedge_core::source::Stub;
use nextedge_core::store::{Mailbox, Phase};
use nextedge_core::{
    Labels, MessageUid, Outcome, OutcomeKind, ParkReason, Result, TenantId, Timestamp,
};
use rusqlite::params;

use crate::db::{IdBytes, encode, exec, micros, number};
use crate::item::{self, Item, Job};
use crate::lanes::Standing;
use crate::message::{self, Intake, Message};
use crate::outcome;
use crate::tx::Tx;

/// Whether a stub was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    New,
    Known,
}

/// Records a stub; one that is known changes nothing.
pub(crate) fn add_stub(
    tx: &mut Tx<'_>,
    number: i64,
    tenant: &TenantId,
    mailbox: &Mailbox,
    stub: &Stub,
) -> Result<Added> {
    let uid = MessageUid::of(tenant, &mailbox.id, &stub.provider_id);
    let mut message = sighting(tx, uid, mailbox, stub);
    if insert(tx, number, &message, stub)? == 0 {
        return Ok(Added::Known);
    }
    message.msg = tx.db.last_insert_rowid();
    tx.count(number, &message.mailbox, message.outcome.kind(), 1);
    message::count_intake(tx, number, &mut message);
    if message.outcome.kind() == OutcomeKind::Pending {
        item::insert(tx, &Item::intake(number, &message, Standing::Stub))?;
    }
    Ok(Added::New)
}

fn sighting(tx: &Tx<'_>, uid: MessageUid, mailbox: &Mailbox, stub: &Stub) -> Message {
    let (intake, outcome) = if stub.draft {
        let reason = ParkReason::Draft;
        (Intake::Parked, Outcome::Parked { reason })
    } else {
        (Intake::Fetch, Outcome::Pending)
    };
    Message {
        msg: 0,
        uid,
        mailbox: mailbox.id.as_str().to_owned(),
        hint: stub.thread_hint.clone(),
        rank: i64::from(mailbox.sync.phase != Phase::Live),
        received_at: micros(stub.received_at.unwrap_or(tx.now)),
        bytes: crate::db::number(stub.bytes.unwrap_or(0)),
        intake,
        // nothing is counted yet
        counted: Intake::Parked,
        unknown: false,
        outcome,
    }
}

fn insert(tx: &Tx<'_>, tenant: i64, message: &Message, stub: &Stub) -> Result<usize> {
    exec(
        tx.db,
        "INSERT INTO message (tenant, uid, mailbox, provider_id, locator, hint, rank, received_at,
             bytes, intake, outcome, detail, labels)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (tenant, uid) DO NOTHING",
        params![
            tenant,
            message.uid.key(),
            message.mailbox,
            stub.provider_id.as_str(),
            stub.locator,
            message.hint,
            message.rank,
            message.received_at,
            message.bytes,
            message.intake as i64,
            outcome::code(message.outcome.kind()),
            outcome::detail(&message.outcome)?,
            stored_labels(&stub.labels)?
        ],
    )
}

fn stored_labels(labels: &Labels) -> Result<Option<String>> {
    (!labels.is_empty()).then(|| encode(labels)).transpose()
}

/// What came with the raw bytes.
pub(crate) struct Arrived {
    pub(crate) raw: Bytes,
    pub(crate) received_at: Timestamp,
    pub(crate) thread_hint: Option<String>,
    pub(crate) labels: Labels,
}

/// Keeps the raw bytes; the message becomes ready to process.
pub(crate) fn fetched(
    tx: &mut Tx<'_>,
    tenant: i64,
    mut message: Message,
    stub: &Item,
    arrived: Arrived,
) -> Result<()> {
    message.received_at = micros(arrived.received_at);
    message.hint = message.hint.take().or(arrived.thread_hint);
    message.bytes = number(arrived.raw.len() as u64);
    message.unknown = false;
    exec(
        tx.db,
        "UPDATE message SET received_at = ?3, hint = ?4, bytes = ?5, intake = ?6, unknown = 0,
             labels = coalesce(labels, ?7)
         WHERE tenant = ?1 AND msg = ?2",
        params![
            tenant,
            message.msg,
            message.received_at,
            message.hint,
            message.bytes,
            Intake::Process as i64,
            stored_labels(&arrived.labels)?
        ],
    )?;
    exec(
        tx.db,
        "INSERT OR REPLACE INTO raw (msg, tenant, bytes) VALUES (?1, ?2, ?3)",
        params![message.msg, tenant, &arrived.raw[..]],
    )?;
    message.intake = Intake::Process;
    message::count_intake(tx, tenant, &mut message);
    tx.cache_raw(tenant, message.uid, arrived.raw);
    item::remove(tx, stub)?;
    let mut ready = Item::intake(tenant, &message, Standing::Ready);
    ready.job = Job::default();
    item::insert(tx, &ready)
}
