//! Work to do: claimed in lanes, fenced by leases, committed in groups.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ledger::DecisionRecord;
use crate::classify::Classification;
use crate::clock::Timestamp;
use crate::domain::{
    CallRecord, ConnectionId, DeadReason, Effect, Fingerprint, Labels, LeaseToken, MailboxId,
    MessageUid, ParkReason, PartyKey, Plan, ProviderId, RecordRef, ReviewId, ReviewItem, TenantId,
    Thread, ThreadId, ThreadKey,
};
use crate::error::{ErrorReport, Result};

/// Hands out work and takes results, each in one transaction.
#[async_trait]
pub trait JobStore: fmt::Debug + Send + Sync + 'static {
    /// Claims one batch of work, or nothing if nothing is due.
    ///
    /// The tenant that was served this kind of work least recently comes first (by a counter; ties
    /// and tenants never served by id), then live mail before backfill, then the oldest lane head
    /// by (received time, message). Mail is backfill if its mailbox was in another phase than
    /// `Live` before the page that first showed it. Items of one lane are adjacent and in order;
    /// a claim ends before the first item that would exceed its count or bytes.
    ///
    /// The claim durably marks each item of kind `Process` and `Deliver` as started. Leases in
    /// scope that ran out are ended first: a started item without a committed outcome becomes
    /// `outcome_unknown` and *alone* (the only item of its next claim), and its lane waits until
    /// `settle` of the claim that started it has passed since that start. Ending again while it is
    /// flagged alone counts a crash; the third makes it dead (`crash`), holding its delivery lane if
    /// its thread has no record in that sink. A committed outcome takes the flag and the count away;
    /// crashes burn no attempt. The end of a `Deliver` lease with such items appends one
    /// [`CallRecord::interrupted`] that names them.
    ///
    /// - `Fetch`: stubs of one mailbox whose delay has passed, live ones first, in received order;
    ///   the mailbox is not paused, its source connection usable. They hold no lane.
    /// - `Process`: lanes of one tenant that hold no unfetched stub (a stub that arrives later
    ///   joins its lane by order); a lane whose first item is of a mailbox with `list_first` waits
    ///   while any mailbox of the tenant [is listing](super::Mailbox::is_listing). Mails with one
    ///   [shared hint](crate::source::shared_hint) are one lane, whatever their mailbox.
    /// - `Deliver`: lanes of one usable sink connection whose gate is open; a delivery in review or
    ///   dead with [`AfterDead::HoldLane`] stops its lane. Parties without a known record (the
    ///   sender's address, and its company's domain if the plan has a company) are reserved for the
    ///   claim; an item that needs a party reserved by another claim waits, and so does the rest of
    ///   its lane. Items of one claim may share a party. A delivery also waits while the head of another
    ///   lane of this sink has the same sender, or the same company without a known record, and an
    ///   earlier start of unknown outcome: what that start made is not known yet. Items that have such
    ///   a start themselves do not wait for it.
    ///
    /// At most [`ClaimRequest::max_in_flight`] claims of this kind run at a time for one (tenant,
    /// connection), or one tenant for `Process`.
    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>>;

    /// Prolongs a lease from now.
    ///
    /// # Errors
    ///
    /// `Fenced` if the lease is no longer held.
    async fn extend(&self, tenant: &TenantId, lease: LeaseToken, by: Duration) -> Result<()>;

    /// Commits results of one claim; each unit is accepted or refused alone, answers in order.
    ///
    /// All accepted units are durable, and visible together, when this returns. A store may group
    /// concurrent calls into one transaction. [`Unit::Calls`] is accepted whether the lease is held
    /// or not: those calls happened; a claim is remembered for [`CLAIM_MEMORY`] after its end, and
    /// calls of a forgotten claim, or of one without a connection, are refused with `NotFound`
    /// ([`AuditLog::append_calls`](super::AuditLog::append_calls) takes those). The other units are
    /// refused with `Fenced` if the lease is not held, if the message is not part of the claim or
    /// already committed, or if the claim is of another kind ([`Unit::Park`], [`Unit::Retry`] and
    /// [`Unit::Dead`] of a `Deliver` claim concern that delivery). Commit does not end a claim;
    /// [`release`](Self::release) does.
    async fn commit(
        &self,
        tenant: &TenantId,
        lease: LeaseToken,
        units: Vec<Unit>,
    ) -> Result<Vec<Result<Committed>>>;

    /// Ends a claim: frees its lanes and reservations; items without an outcome lose their start
    /// and burn no attempt. A lease that is no longer held is no error.
    async fn release(&self, tenant: &TenantId, lease: LeaseToken) -> Result<()>;

    /// Makes messages whose outcome is dead or parked pending again, with their keys and effects
    /// kept and attempts at zero; returns how many. Duplicates, quarantined, erased and gone
    /// messages stay. A dead message goes on where it died (its dead deliveries, else `Process`,
    /// else `Fetch`); a parked one is processed again (fetched, if it never was).
    async fn requeue(&self, tenant: &TenantId, messages: &[MessageUid]) -> Result<u64>;

    /// Returns when the next waiting item or mailbox becomes due, now at the earliest; for a worker
    /// that found nothing.
    ///
    /// Counted is what waits for time alone: a lane or stub for its delay, its connection's gate or
    /// the end of the lease that holds it. Not counted is what waits for a person, for another
    /// item of its lane, for a listing, or on a paused mailbox or unusable connection. In-flight
    /// caps and reserved parties are not looked at.
    async fn next_due(&self, scope: &Scope) -> Result<Option<Timestamp>>;
}

/// How long a claim is remembered after its end, for calls of a worker that lost it.
pub const CLAIM_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Over whom a worker looks for work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // one or all
pub enum Scope {
    /// Every tenant of the store, in fair turns.
    All,
    /// One tenant.
    Tenant(TenantId),
}

/// The three kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // ingest is claimed by mailbox; these three by item
pub enum JobKind {
    /// Read raw bytes from the source.
    Fetch,
    /// Parse, screen, link, classify, decide, map.
    Process,
    /// Write to one sink connection.
    Deliver,
}

impl JobKind {
    /// Returns the name as written in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Process => "process",
            Self::Deliver => "deliver",
        }
    }
}

/// Asks for one batch of work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by stores
pub struct ClaimRequest {
    /// What kind.
    pub kind: JobKind,
    /// Over whom.
    pub scope: Scope,
    /// Only connections of this connector; empty for `Process`.
    pub vendor: String,
    /// Most items.
    pub max_items: usize,
    /// Most raw bytes; the first item is handed out whatever its size.
    pub max_bytes: u64,
    /// How long the lease lasts.
    pub lease: Duration,
    /// Most claims at a time for one (tenant, connection), or one tenant for `Process`.
    pub max_in_flight: usize,
    /// How long after its start an item of this claim waits, should it end without outcome.
    pub settle: Duration,
}

/// One batch of work under one lease.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by stores, read by the engine
pub struct Claim {
    /// Whose work it is.
    pub tenant: TenantId,
    /// The fence of every later write.
    pub lease: LeaseToken,
    /// The source (`Fetch`) or sink (`Deliver`) connection.
    pub connection: Option<ConnectionId>,
    /// The mailbox (`Fetch`).
    pub mailbox: Option<MailboxId>,
    /// The items; those of one lane are adjacent and in order.
    pub items: Vec<ClaimedItem>,
}

/// One item of a claim.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by stores, read by the engine
pub struct ClaimedItem {
    /// The message.
    pub message: MessageUid,
    /// The lane it belongs to: equal texts are one lane.
    pub lane: String,
    /// Number of this attempt at this kind of work, from 1: grows with each committed retry or
    /// unknown end.
    pub attempt: u32,
    /// An earlier start has no known outcome; stays until this kind of work is done.
    pub outcome_unknown: bool,
    /// When the source received it, else when it was first seen; orders the lane.
    pub received_at: Timestamp,
    /// What to do.
    pub work: Work,
}

/// What to do with an item.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)] // one per kind
#[allow(clippy::large_enum_variant)] // short-lived, one per item of a bounded batch
pub enum Work {
    /// Read raw bytes.
    Fetch {
        /// The source's id.
        provider_id: ProviderId,
        /// Where the source finds it again.
        locator: Option<String>,
    },
    /// Make a decision.
    Process {
        /// The mailbox it was seen in.
        mailbox: MailboxId,
        /// The source's thread hint.
        thread_hint: Option<String>,
        /// The source's labels.
        labels: Labels,
        /// The raw mail.
        raw: Bytes,
        /// A model answer kept from a refused or failed attempt, so that it is not paid twice.
        kept: Option<Classification>,
    },
    /// Write to a sink.
    Deliver {
        /// The mailbox it was seen in.
        mailbox: MailboxId,
        /// What to write.
        plan: Plan,
        /// Effects of earlier attempts, in slot order.
        done: Vec<Effect>,
        /// The raw mail.
        raw: Bytes,
        /// Parties of this item whose record in this sink is known.
        parties: Vec<KnownRecord>,
        /// The thread's record in this sink.
        record: Option<RecordRef>,
    },
}

/// A party and its record in one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct KnownRecord {
    /// The party.
    pub party: PartyKey,
    /// Its record.
    pub record: RecordRef,
}

/// One result, committed alone or not at all.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)] // stores carry out each
pub enum Unit {
    /// The raw bytes came; the message becomes ready to process.
    Fetched {
        /// The message.
        message: MessageUid,
        /// The raw mail.
        raw: Bytes,
        /// When the source received it.
        received_at: Timestamp,
        /// The source's thread hint; taken only if the listing did not tell.
        thread_hint: Option<String>,
        /// The source's labels; taken only if the listing told none.
        labels: Labels,
    },
    /// A decision.
    Processed(Box<ProcessedUnit>),
    /// A delivery's end.
    Delivered(Box<DeliveredUnit>),
    /// The item of this claim ends parked: gone, draft, quarantined.
    Park {
        /// The message.
        message: MessageUid,
        /// Why.
        reason: ParkReason,
    },
    /// Try again later: burns an attempt and moves the lane.
    Retry {
        /// The message.
        message: MessageUid,
        /// Not before.
        at: Timestamp,
        /// Why.
        error: ErrorReport,
        /// A model answer to keep; none keeps the one that is kept.
        keep: Option<Classification>,
    },
    /// Give the item up.
    Dead {
        /// The message.
        message: MessageUid,
        /// Why.
        reason: DeadReason,
        /// The last error.
        error: ErrorReport,
        /// What becomes of the rest of its lane.
        after: AfterDead,
    },
    /// Calls that were made; one audit row each.
    Calls(Vec<CallRecord>),
}

/// What becomes of a lane whose item was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a lane goes on or it does not
pub enum AfterDead {
    /// The next item goes on.
    Continue,
    /// The lane waits until the dead item is requeued or parked by a person.
    HoldLane,
}

/// The decision about one message.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by stores
pub struct ProcessedUnit {
    /// The message.
    pub message: MessageUid,
    /// What the mail says; if the tenant has another message with it, this one is parked as its
    /// duplicate; of the unit only the decision is kept, without thread and owner.
    pub fingerprint: Fingerprint,
    /// What was found and decided, for the ledger.
    pub decision: DecisionRecord,
    /// How its thread changes; none for mail that joins no thread.
    pub thread: Option<ThreadChange>,
    /// What happens next.
    pub outcome: ProcessedOutcome,
}

/// How a decision changes a thread.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct ThreadChange {
    /// The version it was read at, 0 for a new thread; a different present version refuses the unit
    /// as [`Committed::Stale`].
    pub expected: u64,
    /// The thread as it shall be. The store sets `version` to `expected + 1`, and owns `records`
    /// (by connection) and `review` (the oldest open item of the thread): what is given here for
    /// them is not read, and they change without a new version.
    pub thread: Thread,
    /// Keys under which it is found from now on.
    pub keys: Vec<ThreadKey>,
    /// For a new thread: keys that found no thread when they were looked up. If one finds a thread
    /// now, the unit is refused as [`Committed::Stale`], so that two mails of one conversation that
    /// are decided at the same time never found two threads.
    pub absent: Vec<ThreadKey>,
    /// The other threads that the link was chosen from, each with the version it was read at. If one
    /// has another version now, or does not exist, the unit is refused as [`Committed::Stale`].
    pub seen: Vec<(ThreadId, u64)>,
}

/// What happens after a decision.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)] // stores carry out each
#[allow(clippy::large_enum_variant)] // short-lived
pub enum ProcessedOutcome {
    /// Kept, not written.
    Park(ParkReason),
    /// Deliver these plans, one a sink; parked as `no_sink` if there are none. A sink that already
    /// has the message keeps it as delivered.
    Deliver(Vec<Plan>),
    /// Ask a person; the item's plans wait. The store sets the item's `version`, `waiting` and
    /// `state`; an item that exists is opened again with a higher version, keeping what waits.
    Review(ReviewItem),
    /// The thread has an open item: wait for its decision, then deliver these plans.
    Join {
        /// The open item; if it was decided meanwhile the unit is refused as stale.
        item: ReviewId,
        /// What waits.
        plans: Vec<Plan>,
    },
}

/// The end of one delivery.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by stores
pub struct DeliveredUnit {
    /// The message.
    pub message: MessageUid,
    /// Its thread.
    pub thread: ThreadId,
    /// Effects of this attempt; kept whatever the end, the latest of each slot. What they show of
    /// parties and record is not read: the two fields below tell it.
    pub effects: Vec<Effect>,
    /// Parties whose record is known now.
    pub parties: Vec<KnownRecord>,
    /// The thread's record, if known now; links the thread.
    pub record: Option<RecordRef>,
    /// How it ended.
    pub end: DeliveredEnd,
}

/// How one delivery ended.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)] // stores carry out each
#[allow(clippy::large_enum_variant)] // short-lived
pub enum DeliveredEnd {
    /// Complete.
    Done,
    /// Try again later: burns an attempt and moves the lane.
    Retry {
        /// Not before.
        at: Timestamp,
        /// Why.
        error: ErrorReport,
    },
    /// A write has no answer: keeps its start, is next handed out as `outcome_unknown`.
    Unknown {
        /// Not before.
        at: Timestamp,
        /// Why.
        error: ErrorReport,
    },
    /// Give it up.
    Dead {
        /// The last error.
        error: ErrorReport,
        /// What becomes of the rest of its lane.
        after: AfterDead,
    },
    /// Ask a person; the delivery and the rest of its lane wait for the item. The delivery takes
    /// over the item's plan, so that an approval delivers exactly the plan shown.
    Review(ReviewItem),
}

/// How a unit was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // the engine decides each
pub enum Committed {
    /// As asked.
    Accepted,
    /// The tenant has the same mail already; this one is parked as its duplicate.
    Duplicate(MessageUid),
    /// The thread changed since it was read: link again and commit again under the same lease.
    Stale,
}
