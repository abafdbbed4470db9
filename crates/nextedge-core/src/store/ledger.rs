//! The read sides: accounting, threads, audit, review, archive.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::overview::Overview;
use crate::clock::Timestamp;
use crate::domain::{
    AuditRow, CallRecord, Category, Confidence, ConnectionId, EmailAddress, Labels, MailboxId,
    MessageUid, Outcome, OutcomeKind, PartyKey, Plan, Priority, ProviderId, RecordRef,
    ReviewDecision, ReviewId, ReviewItem, ReviewState, TenantId, Thread, ThreadId, ThreadKey,
    Urgency, Versions,
};
use crate::error::{ErrorReport, Result};

/// Tells what became of each message.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// Returns the row of a message.
    async fn message(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<LedgerRow>>;

    /// Returns rows in (received time, message) order.
    async fn messages(&self, tenant: &TenantId, query: &LedgerQuery) -> Result<Vec<LedgerRow>>;

    /// Returns the plans of a message in connection order, whatever their state.
    async fn plans(&self, tenant: &TenantId, message: MessageUid) -> Result<Vec<Plan>>;

    /// Counts the messages of a mailbox, or of the tenant, by outcome; the sum is every sighting.
    async fn counts(&self, tenant: &TenantId, mailbox: Option<&MailboxId>) -> Result<Counts>;

    /// Reads what stands where: each mailbox (in id order, at most `mailboxes`) and each sink.
    ///
    /// Counts are kept current, so that they cost the same whatever the history; lanes are counted,
    /// which costs a little for each lane with open deliveries.
    async fn overview(&self, tenant: &TenantId, mailboxes: usize) -> Result<Overview>;

    /// Counts the pending deliveries by the owner of their message's decision, in owner order, for
    /// assignment by load.
    async fn open_by_owner(&self, tenant: &TenantId) -> Result<Vec<(String, u64)>>;
}

/// Finds threads and known parties.
#[async_trait]
pub trait ThreadLinks: fmt::Debug + Send + Sync + 'static {
    /// Looks threads up by key, and tells which parties have a record in any sink.
    ///
    /// At most 20 threads a key, the most recent `last_received_at` first, then by id; keys and
    /// parties in the order asked, each once.
    async fn lookup(
        &self,
        tenant: &TenantId,
        keys: &[ThreadKey],
        parties: &[PartyKey],
    ) -> Result<Lookup>;

    /// Returns a thread.
    async fn thread(&self, tenant: &TenantId, id: ThreadId) -> Result<Option<Thread>>;
}

/// The answer of [`ThreadLinks::lookup`].
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Lookup {
    /// Which key found which thread.
    pub found: Vec<(ThreadKey, ThreadId)>,
    /// The threads found, each once.
    pub threads: Vec<Thread>,
    /// The parties that have a record in some sink.
    pub known: Vec<PartyKey>,
}

/// Keeps what was asked of the vendors.
#[async_trait]
pub trait AuditLog: fmt::Debug + Send + Sync + 'static {
    /// Appends calls that belong to no claim, such as a connection check.
    async fn append_calls(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        calls: Vec<CallRecord>,
    ) -> Result<()>;

    /// Returns rows in order.
    async fn audit(&self, tenant: &TenantId, query: &AuditQuery) -> Result<Vec<AuditRow>>;
}

/// Which audit rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct AuditQuery {
    /// Only rows after this one.
    pub after: u64,
    /// Only calls sent at or after this moment.
    pub since: Option<Timestamp>,
    /// Only operations that contain this text, case included.
    pub operation: Option<String>,
    /// Only this status; 0 for calls without an answer.
    pub status: Option<u16>,
    /// Only calls that concerned this message.
    pub message: Option<MessageUid>,
    /// Most rows.
    pub limit: usize,
}

impl Default for AuditQuery {
    /// The first 100 rows.
    fn default() -> Self {
        Self {
            after: 0,
            since: None,
            operation: None,
            status: None,
            message: None,
            limit: 100,
        }
    }
}

/// Keeps the items that a person decides.
#[async_trait]
pub trait ReviewQueue: fmt::Debug + Send + Sync + 'static {
    /// Returns items by (opening time, id).
    async fn reviews(&self, tenant: &TenantId, query: &ReviewQuery) -> Result<Vec<ReviewItem>>;

    /// Returns an item.
    async fn review(&self, tenant: &TenantId, id: ReviewId) -> Result<Option<ReviewItem>>;

    /// Carries out a decision in one transaction: held deliveries are released in thread order or
    /// parked, the thread's open item is cleared, and the outcomes follow.
    ///
    /// Released deliveries start with attempts at zero. `Reject` and `Expire` park what was held
    /// under that reason. `Correct` gives held deliveries their new plan, adds those of new sinks
    /// and parks held ones without a plan as `not_relevant`; the item takes the category and the
    /// opener's plans. Deliveries that are not held by the item stay as they are.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if the item is not open or its version is another one; `Invalid` if
    /// a corrected plan is for a message that does not wait for the item.
    async fn decide(
        &self,
        tenant: &TenantId,
        id: ReviewId,
        version: u64,
        decision: ReviewDecision,
    ) -> Result<ReviewItem>;
}

/// Which review items are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct ReviewQuery {
    /// Only this state; none for all.
    pub state: Option<ReviewState>,
    /// Only items that expire at or before this moment.
    pub expires_by: Option<Timestamp>,
    /// Most items.
    pub limit: usize,
}

impl Default for ReviewQuery {
    /// The first 100 open items.
    fn default() -> Self {
        Self {
            state: Some(ReviewState::Open),
            expires_by: None,
            limit: 100,
        }
    }
}

/// Keeps the raw mails.
#[async_trait]
pub trait Archive: fmt::Debug + Send + Sync + 'static {
    /// Returns the raw bytes of a message, if they are kept.
    async fn raw(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<Bytes>>;
}

/// One message in the accounting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct LedgerRow {
    /// Our id.
    pub message: MessageUid,
    /// The mailbox it was seen in.
    pub mailbox: MailboxId,
    /// The source's id.
    pub provider_id: ProviderId,
    /// When the source received it; until it tells, when it was first seen.
    pub received_at: Option<Timestamp>,
    /// The source's labels.
    #[serde(default)]
    pub labels: Labels,
    /// Its one state.
    pub outcome: Outcome,
    /// The state for each sink it was planned for, in connection order.
    pub sinks: Vec<SinkOutcome>,
    /// What was found and decided, once processed.
    pub decision: Option<DecisionRecord>,
    /// Every error so far, oldest first, at most [`LedgerRow::MAX_ERRORS`].
    pub errors: Vec<ErrorReport>,
}

impl LedgerRow {
    /// Errors that are kept for a message: the first one and the latest nine.
    pub const MAX_ERRORS: usize = 10;
}

/// A message's state in one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct SinkOutcome {
    /// The sink.
    pub connection: ConnectionId,
    /// The state.
    pub outcome: OutcomeKind,
    /// The records its effects touched, in slot order.
    pub records: Vec<RecordRef>,
}

/// What was found and decided about a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // stored data
pub struct DecisionRecord {
    /// The header Message-ID without brackets.
    pub message_id: Option<String>,
    /// The decoded subject.
    pub subject: String,
    /// Who wrote it.
    pub sender: Option<EmailAddress>,
    /// The thread it joined or founded.
    pub thread: Option<ThreadId>,
    /// The decided category; none if it was never classified.
    pub category: Option<Category>,
    /// How sure the classifier was.
    pub confidence: Option<Confidence>,
    /// How much it hurries.
    pub urgency: Option<Urgency>,
    /// Its priority.
    pub priority: Option<Priority>,
    /// Who classified it.
    pub model: Option<String>,
    /// Whether the first choice of classifier gave no answer.
    pub degraded: bool,
    /// The proposed owner.
    pub owner: Option<String>,
    /// The reason in words.
    pub reason: String,
    /// Evidence in words, such as `header list-id`.
    pub evidence: Vec<String>,
    /// The configuration it was decided with.
    pub versions: Versions,
    /// When.
    pub decided_at: Timestamp,
}

/// Messages by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // the accounting equation
pub struct Counts {
    /// Work remains.
    pub pending: u64,
    /// Every sink has it.
    pub delivered: u64,
    /// Kept, not written.
    pub parked: u64,
    /// A person decides.
    pub review: u64,
    /// Given up.
    pub dead: u64,
}

impl Counts {
    /// Returns the number of sightings.
    pub fn total(&self) -> u64 {
        self.pending + self.delivered + self.parked + self.review + self.dead
    }

    /// Returns the counter of a state.
    pub fn of_mut(&mut self, kind: OutcomeKind) -> &mut u64 {
        match kind {
            OutcomeKind::Pending => &mut self.pending,
            OutcomeKind::Delivered => &mut self.delivered,
            OutcomeKind::Parked => &mut self.parked,
            OutcomeKind::Review => &mut self.review,
            OutcomeKind::Dead => &mut self.dead,
        }
    }
}

/// Which messages are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct LedgerQuery {
    /// Only this mailbox.
    pub mailbox: Option<MailboxId>,
    /// Only this state.
    pub outcome: Option<OutcomeKind>,
    /// Only messages after this one in order: its received time and id.
    pub after: Option<(Timestamp, MessageUid)>,
    /// Most rows.
    pub limit: usize,
}

impl Default for LedgerQuery {
    /// The first 100 messages.
    fn default() -> Self {
        Self {
            mailbox: None,
            outcome: None,
            after: None,
            limit: 100,
        }
    }
}
