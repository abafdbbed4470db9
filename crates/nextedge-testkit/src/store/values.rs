//! Small valid values for store checks; the same names exist in every tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use nextedge_core::source::Stub;
use nextedge_core::store::{
    ClaimRequest, DecisionRecord, Gate, JobKind, Mailbox, ProcessedOutcome, ProcessedUnit, Scope,
    ThreadChange,
};
use nextedge_core::{
    ActivityDraft, Basis, CallRecord, Category, Confidence, Connection, ConnectionId,
    ConnectionRole, Direction, Draft, Effect, EffectVerb, EmailAddress, ErrorKind, ErrorReport,
    Fingerprint, Guarantee, MailboxId, Mailer, MessageUid, Plan, Priority, ProviderId, RecordId,
    RecordKind, RecordRef, ReviewId, ReviewItem, ReviewReason, ReviewState, Slot, TenantId, Thread,
    ThreadId, Timestamp, Timing, Urgency, Versions, later,
};

pub(crate) const SOURCE: &str = "box";
pub(crate) const SINK: &str = "crm";

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(crate) fn connection_id(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

pub(crate) fn mailbox_id(name: &str) -> MailboxId {
    MailboxId::new(name).unwrap()
}

pub(crate) fn provider_id(name: &str) -> ProviderId {
    ProviderId::new(name).unwrap()
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(crate) fn moment(start: Timestamp, seconds: u64) -> Timestamp {
    later(start, Duration::from_secs(seconds))
}

pub(crate) fn source(name: &str) -> Connection {
    Connection::new(connection_id(name), SOURCE, ConnectionRole::Source)
}

pub(crate) fn sink(name: &str) -> Connection {
    Connection::new(connection_id(name), SINK, ConnectionRole::Sink)
}

pub(crate) fn mailbox(name: &str, source: &str) -> Mailbox {
    Mailbox::new(mailbox_id(name), connection_id(source))
}

pub(crate) fn stub(name: &str, hint: Option<&str>, received_at: Option<Timestamp>) -> Stub {
    Stub {
        thread_hint: hint.map(str::to_owned),
        received_at,
        bytes: Some(100),
        locator: Some(format!("at {name}")),
        ..Stub::new(provider_id(name))
    }
}

pub(crate) fn raw(message: MessageUid, bytes: usize) -> Bytes {
    let mut text = format!("Message-ID: <{message}>\r\n\r\n").into_bytes();
    text.resize(bytes.max(text.len()), b'x');
    Bytes::from(text)
}

pub(crate) fn thread_id(name: &str) -> ThreadId {
    ThreadId::derive(&[b"test", name.as_bytes()])
}

pub(crate) fn fingerprint(name: &str) -> Fingerprint {
    Fingerprint::derive(&[b"test", name.as_bytes()])
}

pub(crate) fn record(kind: RecordKind, id: &str) -> RecordRef {
    RecordRef {
        kind,
        id: RecordId::new(id).unwrap(),
    }
}

pub(crate) fn effect(slot: Slot, id: &str) -> Effect {
    Effect {
        slot,
        record: record(RecordKind::Case, id),
        verb: EffectVerb::Created,
        guarantee: Guarantee::Keyed,
        previous: BTreeMap::new(),
        notes: Vec::new(),
    }
}

pub(crate) fn report(text: &str) -> ErrorReport {
    ErrorReport {
        kind: ErrorKind::Unavailable,
        code: ErrorKind::Unavailable.code().to_owned(),
        text: text.to_owned(),
        provider_code: None,
        request_id: None,
        action: None,
    }
}

pub(crate) fn gate(connection: &str, until: Timestamp) -> Gate {
    Gate {
        connection: connection_id(connection),
        until,
        error: report("closed"),
    }
}

pub(crate) fn call(at: Timestamp, operation: &str, messages: Vec<MessageUid>) -> CallRecord {
    CallRecord {
        at,
        operation: operation.to_owned(),
        verb: "POST".to_owned(),
        path: "/records".to_owned(),
        status: Some(200),
        duration: Duration::from_millis(12),
        writes: true,
        messages,
        records: Vec::new(),
        request: serde_json::json!({ "fields": 2 }),
        response: serde_json::json!({ "ids": ["1"] }),
    }
}

pub(crate) fn mailer(text: &str) -> Mailer {
    Mailer {
        address: address(text),
        name: String::new(),
    }
}

fn draft(kind: RecordKind) -> Draft {
    Draft {
        kind,
        fields: BTreeMap::new(),
        notes: Vec::new(),
    }
}

/// A plan of a mail from `sender`; a company is planned if the sender is at `acme.example`.
pub(crate) fn plan(message: MessageUid, thread: ThreadId, sink: &str, sender: &str) -> Plan {
    let company = sender
        .ends_with("acme.com")
        .then(|| draft(RecordKind::Company));
    Plan {
        connection: connection_id(sink),
        message,
        thread,
        category: Category::Case,
        confidence: Confidence::new(0.9).unwrap(),
        urgency: Urgency::Normal,
        priority: Priority::Medium,
        reason: "asks for help".to_owned(),
        sender: mailer(sender),
        contact: draft(RecordKind::Contact),
        company,
        alternatives: Vec::new(),
        activity: ActivityDraft {
            direction: Direction::Incoming,
            sent_at: Timestamp::default(),
            utc_offset_minutes: 0,
            subject: "Help".to_owned(),
            message_id: None,
            from: mailer(sender),
            to: Vec::new(),
            cc: Vec::new(),
            fields: BTreeMap::new(),
            bytes: 10,
        },
        attachments: Vec::new(),
        owner: None,
        accepted: Vec::new(),
        notes: Vec::new(),
        timing: Timing::default(),
        basis: Basis::default(),
    }
}

pub(crate) fn decision(
    thread: Option<ThreadId>,
    owner: Option<&str>,
    at: Timestamp,
) -> DecisionRecord {
    DecisionRecord {
        message_id: Some("a@b".to_owned()),
        subject: "Help".to_owned(),
        sender: Some(address("ada@acme.com")),
        thread,
        category: Some(Category::Case),
        confidence: Some(Confidence::new(0.9).unwrap()),
        urgency: Some(Urgency::Normal),
        priority: Some(Priority::Medium),
        model: Some("test/1".to_owned()),
        degraded: false,
        owner: owner.map(str::to_owned),
        reason: "asks for help".to_owned(),
        evidence: Vec::new(),
        versions: Versions::default(),
        decided_at: at,
    }
}

pub(crate) fn thread(id: ThreadId, last_received_at: Timestamp) -> Thread {
    Thread {
        id,
        version: 0,
        subject: "help".to_owned(),
        participants: vec![address("ada@acme.com")],
        mails: 1,
        last_received_at,
        category: Some(Category::Case),
        review: None,
        records: Vec::new(),
    }
}

pub(crate) fn review_item(
    message: MessageUid,
    thread: ThreadId,
    plans: Vec<Plan>,
    at: Timestamp,
) -> ReviewItem {
    ReviewItem {
        id: ReviewId::opened_by(message),
        version: 0,
        message,
        thread,
        waiting: Vec::new(),
        reason: ReviewReason::LowConfidence,
        explanation: "not sure".to_owned(),
        subject: "Help".to_owned(),
        category: Category::Case,
        confidence: Confidence::new(0.7).unwrap(),
        plans,
        state: ReviewState::Open,
        opened_at: at,
        expires_at: moment(at, 3600),
    }
}

pub(crate) fn processed(
    message: MessageUid,
    thread: Option<ThreadChange>,
    outcome: ProcessedOutcome,
    at: Timestamp,
) -> ProcessedUnit {
    ProcessedUnit {
        message,
        fingerprint: fingerprint(&message.to_string()),
        decision: decision(thread.as_ref().map(|change| change.thread.id), None, at),
        thread,
        outcome,
    }
}

/// Asks for up to ten items of one tenant or all, with a lease of one minute.
pub(crate) fn request(kind: JobKind, scope: Scope) -> ClaimRequest {
    let vendor = match kind {
        JobKind::Fetch => SOURCE,
        JobKind::Process => "",
        JobKind::Deliver => SINK,
    };
    ClaimRequest {
        kind,
        scope,
        vendor: vendor.to_owned(),
        max_items: 10,
        max_bytes: 1_000_000,
        lease: Duration::from_secs(60),
        max_in_flight: 4,
        settle: Duration::from_secs(120),
    }
}
