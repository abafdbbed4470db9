//! The rows, and what follows from them alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;

use crate::classify::Classification;
use crate::clock::Timestamp;
use crate::context::{Connection, ConnectionRole};
use crate::domain::{
    AuditRow, ConnectionId, DeadReason, Effect, Fingerprint, Labels, LeaseToken, LinkedRecord,
    MailboxId, MessageUid, Outcome, ParkReason, PartyKey, Plan, ProviderId, RecordRef, ReviewId,
    ReviewItem, ReviewState, Slot, TenantId, Thread, ThreadId, ThreadKey,
};
use crate::error::ErrorReport;
use crate::policy::{FieldMap, Policy};
use crate::source::is_shared_hint;
use crate::store::{
    AfterDead, DecisionRecord, Gate, JobKind, LedgerRow, Mailbox, RunRow, Scope, Versioned,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tenants: BTreeMap<TenantId, TenantState>,
    /// When each tenant was last served each kind of work, by a counter.
    pub(super) served: HashMap<(JobKind, TenantId), u64>,
    pub(super) turn: u64,
}

impl State {
    pub(super) fn tenant(&self, tenant: &TenantId) -> Option<&TenantState> {
        self.tenants.get(tenant)
    }

    pub(super) fn tenant_mut(&mut self, tenant: &TenantId) -> &mut TenantState {
        self.tenants.entry(tenant.clone()).or_default()
    }

    /// Names the tenants in scope, in id order.
    pub(super) fn in_scope(&self, scope: &Scope) -> Vec<TenantId> {
        match scope {
            Scope::All => self.tenants.keys().cloned().collect(),
            Scope::Tenant(tenant) => self
                .tenants
                .get_key_value(tenant)
                .map(|(id, _)| id.clone())
                .into_iter()
                .collect(),
        }
    }
}

/// Everything of one tenant.
#[derive(Debug, Default)]
pub(super) struct TenantState {
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) policy: Option<Versioned<Policy>>,
    pub(super) field_maps: BTreeMap<ConnectionId, Versioned<FieldMap>>,
    pub(super) turns: BTreeMap<String, u64>,
    pub(super) gates: BTreeMap<ConnectionId, Gate>,
    pub(super) mailboxes: BTreeMap<MailboxId, MailboxRow>,
    pub(super) messages: BTreeMap<MessageUid, MessageRow>,
    /// Messages that may stand in a lane, so that a claim need not look at all of them.
    pub(super) active: BTreeSet<MessageUid>,
    pub(super) fingerprints: BTreeMap<Fingerprint, MessageUid>,
    /// Until when a lane waits after a retry, an unknown end or a crash.
    pub(super) delays: BTreeMap<String, Timestamp>,
    pub(super) claims: BTreeMap<LeaseToken, ClaimRow>,
    /// Connections of claims that ended, for calls that are reported late.
    pub(super) ended: BTreeMap<LeaseToken, (Option<ConnectionId>, Timestamp)>,
    pub(super) threads: BTreeMap<ThreadId, Thread>,
    pub(super) thread_keys: BTreeMap<ThreadKey, BTreeSet<ThreadId>>,
    pub(super) records: BTreeMap<ThreadId, BTreeMap<ConnectionId, RecordRef>>,
    pub(super) parties: BTreeMap<PartyKey, BTreeMap<ConnectionId, RecordRef>>,
    pub(super) reviews: BTreeMap<ReviewId, ReviewItem>,
    pub(super) audit: Vec<AuditRow>,
}

#[derive(Debug)]
pub(super) struct MailboxRow {
    pub(super) mailbox: Mailbox,
    pub(super) due: Option<Timestamp>,
    /// Marked while leased: due as soon as it is freed.
    pub(super) dirty: bool,
    pub(super) lease: Option<MailboxLease>,
    /// Oldest first.
    pub(super) runs: Vec<RunRow>,
}

#[derive(Debug)]
pub(super) struct MailboxLease {
    pub(super) token: LeaseToken,
    pub(super) until: Timestamp,
    pub(super) length: Duration,
    pub(super) probe: bool,
}

#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) mailbox: MailboxId,
    pub(super) provider_id: ProviderId,
    pub(super) locator: Option<String>,
    pub(super) thread_hint: Option<String>,
    pub(super) labels: Labels,
    pub(super) bytes: u64,
    pub(super) received_at: Timestamp,
    pub(super) backfill: bool,
    pub(super) raw: Option<Bytes>,
    pub(super) kept: Option<Classification>,
    pub(super) intake: Intake,
    pub(super) job: Job,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) decision: Option<DecisionRecord>,
    pub(super) deliveries: BTreeMap<ConnectionId, DeliveryRow>,
    pub(super) errors: Vec<ErrorReport>,
    pub(super) error_at: Option<Timestamp>,
}

/// How far a message is before its deliveries.
#[derive(Debug)]
pub(super) enum Intake {
    /// Its raw bytes are wanted.
    Fetch,
    /// A decision is wanted.
    Process,
    /// Its deliveries tell the rest.
    Planned,
    /// It waits for a review item, and so do its plans.
    Held(ReviewId),
    Parked(ParkReason),
    Dead(DeadReason, AfterDead),
}

/// The attempts at one piece of work.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) retries: u32,
    /// Only of stubs; other work waits by lane.
    pub(super) not_before: Option<Timestamp>,
    pub(super) unknown: bool,
    pub(super) alone: bool,
    pub(super) crashes: u32,
}

impl Job {
    /// Starts anew, but remembers that an earlier start has no known outcome.
    pub(super) fn replayed(&self) -> Self {
        Self {
            unknown: self.unknown,
            ..Self::default()
        }
    }

    /// Notes that an attempt came to an end of some kind.
    pub(super) fn survived(&mut self) {
        self.alone = false;
        self.crashes = 0;
    }
}

#[derive(Debug)]
pub(super) struct DeliveryRow {
    pub(super) plan: Plan,
    pub(super) state: DeliveryState,
    pub(super) job: Job,
    pub(super) effects: BTreeMap<Slot, Effect>,
}

#[derive(Debug)]
pub(super) enum DeliveryState {
    Pending,
    Done,
    Review(ReviewId),
    Parked(ParkReason),
    Dead(DeadReason, AfterDead),
}

impl DeliveryState {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Pending => Outcome::Pending,
            Self::Done => Outcome::Delivered,
            Self::Review(item) => Outcome::Review { item: *item },
            Self::Parked(reason) => Outcome::Parked {
                reason: reason.clone(),
            },
            Self::Dead(reason, _) => Outcome::Dead {
                reason: reason.clone(),
            },
        }
    }
}

/// A claim that runs, or ran out and was not ended yet.
#[derive(Debug)]
pub(super) struct ClaimRow {
    pub(super) kind: JobKind,
    pub(super) connection: Option<ConnectionId>,
    pub(super) until: Timestamp,
    /// Not before this moment is an item without outcome handed out again.
    pub(super) settled: Timestamp,
    pub(super) probe: bool,
    /// The items, and whether the outcome of each is committed.
    pub(super) items: BTreeMap<MessageUid, ItemEnd>,
    pub(super) lanes: BTreeSet<String>,
    pub(super) parties: BTreeSet<PartyKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemEnd {
    Open,
    Committed,
}

impl MessageRow {
    /// The intake lane: the hint alone if it is shared, mailbox and hint, or the message alone.
    pub(super) fn lane(&self, message: MessageUid) -> String {
        let mailbox = self.mailbox.as_str();
        match &self.thread_hint {
            Some(hint) if is_shared_hint(hint) => format!("s:{hint}"),
            // the length keeps (a, b:c) and (a:b, c) apart
            Some(hint) => format!("i:{}:{mailbox}:{hint}", mailbox.len()),
            None => format!("m:{message}"),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match &self.intake {
            Intake::Fetch | Intake::Process => Outcome::Pending,
            Intake::Held(item) => Outcome::Review { item: *item },
            Intake::Parked(reason) => Outcome::Parked {
                reason: reason.clone(),
            },
            Intake::Dead(reason, _) => Outcome::Dead {
                reason: reason.clone(),
            },
            Intake::Planned => self.worst_delivery(),
        }
    }

    fn worst_delivery(&self) -> Outcome {
        let mut worst: Option<Outcome> = None;
        for outcome in self.deliveries.values().map(|row| row.state.outcome()) {
            if worst.as_ref().is_none_or(|w| outcome.kind() > w.kind()) {
                worst = Some(outcome);
            }
        }
        worst.unwrap_or(Outcome::Parked {
            reason: ParkReason::NoSink,
        })
    }

    /// Tells whether it is, or blocks, work in some lane.
    pub(super) fn is_active(&self) -> bool {
        let intake = matches!(
            self.intake,
            Intake::Fetch | Intake::Process | Intake::Dead(_, AfterDead::HoldLane)
        );
        intake
            || self.deliveries.values().any(|row| match row.state {
                DeliveryState::Pending | DeliveryState::Review(_) => true,
                DeliveryState::Dead(_, after) => after == AfterDead::HoldLane,
                DeliveryState::Done | DeliveryState::Parked(_) => false,
            })
    }

    pub(super) fn push_error(&mut self, error: ErrorReport) {
        if self.errors.len() >= LedgerRow::MAX_ERRORS {
            // the first error often tells the cause, the latest ones the present state
            self.errors.remove(1);
        }
        self.errors.push(error);
    }

    /// Gives a sink its plan; a sink that has the message keeps it as delivered.
    pub(super) fn plan(&mut self, plan: Plan, state: DeliveryState) {
        let Some(row) = self.deliveries.get_mut(&plan.connection) else {
            let (job, effects) = (Job::default(), BTreeMap::new());
            let row = DeliveryRow {
                state,
                job,
                effects,
                plan,
            };
            self.deliveries.insert(row.plan.connection.clone(), row);
            return;
        };
        if !matches!(row.state, DeliveryState::Done) {
            row.job = row.job.replayed();
            row.plan = plan;
            row.state = state;
        }
    }
}

/// The delivery lane: the sink connection and our thread.
pub(super) fn delivery_lane(connection: &ConnectionId, thread: ThreadId) -> String {
    format!("d:{thread}:{connection}")
}

impl TenantState {
    /// Notes whether a message still stands in a lane; called after each change of a message.
    pub(super) fn touch(&mut self, message: MessageUid) {
        if self
            .messages
            .get(&message)
            .is_some_and(MessageRow::is_active)
        {
            self.active.insert(message);
        } else {
            self.active.remove(&message);
        }
    }

    pub(super) fn active_rows(&self) -> impl Iterator<Item = (MessageUid, &MessageRow)> {
        let active = self.active.iter();
        active.filter_map(|uid| self.messages.get(uid).map(|row| (*uid, row)))
    }

    /// Returns a thread with what the store owns of it: its records and its open review item.
    pub(super) fn thread(&self, id: ThreadId) -> Option<Thread> {
        let mut thread = self.threads.get(&id)?.clone();
        thread.records = self.records_of(id);
        thread.review = self.open_review_of(id);
        Some(thread)
    }

    fn records_of(&self, id: ThreadId) -> Vec<LinkedRecord> {
        let records = self.records.get(&id).into_iter().flatten();
        records
            .map(|(connection, record)| LinkedRecord {
                connection: connection.clone(),
                record: record.clone(),
            })
            .collect()
    }

    fn open_review_of(&self, id: ThreadId) -> Option<ReviewId> {
        let open = self
            .reviews
            .values()
            .filter(|item| item.thread == id && item.state == ReviewState::Open);
        open.min_by_key(|item| (item.opened_at, item.id))
            .map(|item| item.id)
    }

    pub(super) fn record_of(&self, id: ThreadId, connection: &ConnectionId) -> Option<&RecordRef> {
        self.records.get(&id)?.get(connection)
    }

    /// Makes a lane wait; the latest moment wins.
    pub(super) fn delay(&mut self, lane: String, at: Timestamp) {
        let until = self.delays.entry(lane).or_insert(at);
        *until = at.max(*until);
    }

    pub(super) fn is_usable(&self, id: &ConnectionId, role: ConnectionRole) -> bool {
        let connection = self.connections.get(id);
        connection.is_some_and(|c| c.role == role && c.state.is_usable())
    }

    pub(super) fn serves(&self, id: &ConnectionId, vendor: &str) -> bool {
        self.connections.get(id).is_some_and(|c| c.vendor == vendor)
    }

    /// Orders messages as their threads do.
    pub(super) fn order_of(&self, message: MessageUid) -> (Timestamp, MessageUid) {
        let row = self.messages.get(&message);
        (row.map(|r| r.received_at).unwrap_or_default(), message)
    }
}
