//! What the tests of this crate share: a store in a fresh directory on a clock moved by hand, and
//! short ways to bring mail into every state.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::wildcard_imports)] // tests walk over the whole surface; each file uses a part

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nextedge_core::source::Stub;
use nextedge_core::store::*;
use nextedge_core::*;
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

pub const LEASE: Duration = Duration::from_secs(60);

pub struct Fixture {
    pub store: SqliteStore,
    pub clock: Arc<ManualClock>,
    pub directory: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory, &clock);
        Self {
            store,
            clock,
            directory,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mail.db")
    }

    /// Ends the store without releasing anything, and opens the file again.
    pub fn reopened(self) -> Self {
        let Self {
            store,
            clock,
            directory,
        } = self;
        drop(store);
        let store = open(&directory, &clock);
        Self {
            store,
            clock,
            directory,
        }
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Connects a source `in`, a sink `crm` and a mailbox `me`.
    pub async fn connected(self, name: &str) -> Self {
        let tenant = tenant(name);
        for (id, vendor, role) in [
            ("in", "files", ConnectionRole::Source),
            ("crm", "hubspot", ConnectionRole::Sink),
        ] {
            let connection = Connection::new(connection(id), vendor, role);
            self.store
                .put_connection(&tenant, connection)
                .await
                .unwrap();
        }
        self.store
            .put_mailbox(&tenant, mailbox("me"))
            .await
            .unwrap();
        self
    }

    /// Lists messages into mailbox `me`.
    pub async fn list(&self, tenant: &TenantId, stubs: Vec<Stub>) -> PageCommitted {
        self.store
            .mark_dirty(tenant, &mailbox_id("me"))
            .await
            .unwrap();
        let scope = Scope::Tenant(tenant.clone());
        let claim = self.store.claim_mailbox(&scope, "files", LEASE).await;
        let claim = claim.unwrap().expect("the mailbox is due");
        let page = PageCommit {
            stubs,
            sync: SyncState {
                complete_at: Some(self.clock.now()),
                ..claim.mailbox.sync
            },
            next: NextPage::Free { due: None },
        };
        let id = mailbox_id("me");
        let done = self.store.commit_page(tenant, &id, claim.lease, page).await;
        done.unwrap()
    }

    /// Claims and fetches every stub.
    pub async fn fetch_all(&self, tenant: &TenantId) {
        while let Some(claim) = self.claim(tenant, JobKind::Fetch).await {
            let units = claim.items.iter().map(fetched).collect();
            self.all_accepted(tenant, claim.lease, units).await;
            self.store.release(tenant, claim.lease).await.unwrap();
        }
    }

    /// Claims and processes everything into one delivery each, in a thread of its own.
    pub async fn process_all(&self, tenant: &TenantId) {
        while let Some(claim) = self.claim(tenant, JobKind::Process).await {
            let items = claim.items.iter();
            let units = items.map(|item| deliver_to(item, own_thread(item), "crm"));
            let units = units.collect();
            self.all_accepted(tenant, claim.lease, units).await;
            self.store.release(tenant, claim.lease).await.unwrap();
        }
    }

    pub async fn claim(&self, tenant: &TenantId, kind: JobKind) -> Option<Claim> {
        let request = request(kind, Scope::Tenant(tenant.clone()));
        self.store.claim(&request).await.unwrap()
    }

    pub async fn all_accepted(&self, tenant: &TenantId, lease: LeaseToken, units: Vec<Unit>) {
        for answer in self.store.commit(tenant, lease, units).await.unwrap() {
            assert_eq!(answer.unwrap(), Committed::Accepted);
        }
    }

    pub async fn one(&self, tenant: &TenantId, lease: LeaseToken, unit: Unit) -> Result<Committed> {
        let answers = self.store.commit(tenant, lease, vec![unit]).await;
        answers.unwrap().pop().unwrap()
    }

    pub async fn outcome(&self, tenant: &TenantId, message: MessageUid) -> Outcome {
        let row = self.store.message(tenant, message).await.unwrap();
        row.expect("the message is known").outcome
    }
}

pub fn open(directory: &TempDir, clock: &Arc<ManualClock>) -> SqliteStore {
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let options = SqliteOptions::default().with_clock(clock);
    SqliteStore::open(directory.path().join("mail.db"), options).unwrap()
}

pub fn request(kind: JobKind, scope: Scope) -> ClaimRequest {
    let vendor = match kind {
        JobKind::Fetch => "files",
        JobKind::Process => "",
        JobKind::Deliver => "hubspot",
    };
    ClaimRequest {
        kind,
        scope,
        vendor: vendor.to_owned(),
        max_items: 100,
        max_bytes: 1 << 30,
        lease: LEASE,
        max_in_flight: 10,
        settle: Duration::from_secs(120),
    }
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

pub fn mailbox_id(name: &str) -> MailboxId {
    MailboxId::new(name).unwrap()
}

pub fn uid(tenant: &TenantId, provider: &str) -> MessageUid {
    let provider = ProviderId::new(provider).unwrap();
    MessageUid::of(tenant, &mailbox_id("me"), &provider)
}

pub fn mailbox(name: &str) -> Mailbox {
    Mailbox::new(mailbox_id(name), connection("in"))
}

/// A stub in the thread `hint`, received `second` seconds after 2026 began.
pub fn stub(provider: &str, hint: &str, second: i64) -> Stub {
    let mut stub = Stub::new(ProviderId::new(provider).unwrap());
    stub.thread_hint = (!hint.is_empty()).then(|| hint.to_owned());
    stub.received_at = Some(at(second));
    stub.bytes = Some(10);
    stub
}

pub fn at(second: i64) -> Timestamp {
    ManualClock::default().now() + chrono::TimeDelta::seconds(second)
}

pub fn raw_of(message: MessageUid) -> Bytes {
    Bytes::from(format!("Subject: {message}\r\n\r\nhello"))
}

pub fn fetched(item: &ClaimedItem) -> Unit {
    Unit::Fetched {
        message: item.message,
        raw: raw_of(item.message),
        received_at: item.received_at,
        thread_hint: None,
        labels: Labels::default(),
    }
}

pub fn own_thread(item: &ClaimedItem) -> ThreadId {
    ThreadId::founded_by(item.message)
}

pub fn error(text: &str) -> ErrorReport {
    Error::new(ErrorKind::Unavailable, text.to_owned()).report()
}

pub fn decision(text: &str) -> DecisionRecord {
    DecisionRecord {
        message_id: Some("a@b".to_owned()),
        subject: text.to_owned(),
        sender: Some(EmailAddress::parse("ada@example.com").unwrap()),
        thread: None,
        category: Some(Category::Lead),
        confidence: Some(Confidence::new(0.9).unwrap()),
        urgency: Some(Urgency::Normal),
        priority: Some(Priority::Medium),
        model: Some("offline/1".to_owned()),
        degraded: false,
        owner: Some("owner-1".to_owned()),
        reason: "confident".to_owned(),
        evidence: vec!["subject".to_owned()],
        versions: Versions::default(),
        decided_at: at(0),
    }
}

/// A plan as stored JSON, so that a later field with a default needs no change here.
pub fn plan(message: MessageUid, thread: ThreadId, sink: &str, sender: &str) -> Plan {
    let person = serde_json::json!({ "address": sender, "name": "Ada" });
    let fields = serde_json::json!({ "email": { "text": sender } });
    serde_json::from_value(serde_json::json!({
        "connection": sink,
        "message": message,
        "thread": thread,
        "category": "Lead",
        "confidence": 0.9,
        "urgency": "normal",
        "priority": "medium",
        "reason": "confident",
        "sender": person,
        "contact": { "kind": "contact", "fields": fields },
        "company": null,
        "alternatives": [{
            "when": "party_unknown",
            "write": { "create": { "kind": "lead", "fields": fields } },
        }],
        "activity": {
            "direction": "incoming",
            "sent_at": "2026-01-01T00:00:00Z",
            "utc_offset_minutes": 60,
            "subject": "hello",
            "message_id": "a@b",
            "from": person,
            "to": [],
            "cc": [],
            "bytes": 5,
        },
        "attachments": [],
        "basis": { "thread_version": 0, "versions": { "policy": 0, "field_map": 0 } },
    }))
    .unwrap()
}

/// A sender of its own for each message, so that no party is shared.
pub fn sender_of(message: MessageUid) -> String {
    format!("{message}@example.com")
}

pub fn processed(item: &ClaimedItem, outcome: ProcessedOutcome) -> ProcessedUnit {
    ProcessedUnit {
        message: item.message,
        fingerprint: Fingerprint::derive(&[item.message.as_bytes()]),
        decision: decision("hello"),
        thread: None,
        outcome,
    }
}

pub fn deliver_to(item: &ClaimedItem, thread: ThreadId, sink: &str) -> Unit {
    let plan = plan(item.message, thread, sink, &sender_of(item.message));
    let outcome = ProcessedOutcome::Deliver(vec![plan]);
    Unit::Processed(Box::new(processed(item, outcome)))
}

pub fn park(item: &ClaimedItem, reason: ParkReason) -> Unit {
    let outcome = ProcessedOutcome::Park(reason);
    Unit::Processed(Box::new(processed(item, outcome)))
}

pub fn delivered(item: &ClaimedItem, end: DeliveredEnd) -> Unit {
    let thread = match &item.work {
        Work::Deliver { plan, .. } => plan.thread,
        Work::Fetch { .. } | Work::Process { .. } => own_thread(item),
    };
    Unit::Delivered(Box::new(DeliveredUnit {
        message: item.message,
        thread,
        effects: Vec::new(),
        parties: Vec::new(),
        record: None,
        end,
    }))
}

pub fn record(kind: RecordKind, id: &str) -> RecordRef {
    RecordRef {
        kind,
        id: RecordId::new(id).unwrap(),
    }
}

pub fn effect(slot: Slot, id: &str) -> Effect {
    Effect {
        slot,
        record: record(RecordKind::Contact, id),
        verb: EffectVerb::Created,
        guarantee: Guarantee::Keyed,
        previous: BTreeMap::new(),
        notes: Vec::new(),
    }
}

pub fn uids(claim: &Claim) -> Vec<MessageUid> {
    claim.items.iter().map(|item| item.message).collect()
}
