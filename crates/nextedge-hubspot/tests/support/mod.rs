//! A sandbox, a sink that writes to it, and mails to write.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use nextedge_core::sink::{
    ActivityWrite, AttachmentWrite, CrmSink, Delivery, ItemEnd, ItemOutcome, PartyWrite,
    RecordWrite,
};
use nextedge_core::{
    ActivityDraft, CallContext, Connection, ConnectionId, ConnectionRole, Direction, Draft,
    EmailAddress, FieldName, FieldValue, Mailer, MessageUid, RecordKind, RecordRef, Secret, Slot,
    TenantId, ThreadId,
};
use nextedge_http::{ApiClient, Request, RetryOptions, StaticToken};
use nextedge_hubspot::{HubSpotSink, error_mapper};
use nextedge_sandbox::{RateLimit, STATIC_TOKEN, Sandbox, SandboxBuilder};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) sink: HubSpotSink,
    pub(crate) settings: Value,
}

impl World {
    /// An account with the key property installed.
    pub(crate) async fn keyed() -> Self {
        let world = Self::start(builder(), json!({ "key_property": "install" })).await;
        world.sink.install(&world.cx()).await.unwrap();
        world
    }

    /// An account without the key property.
    pub(crate) async fn plain() -> Self {
        Self::start(builder(), Value::Null).await
    }

    pub(crate) async fn start(builder: SandboxBuilder, settings: Value) -> Self {
        let sandbox = builder.start().await.unwrap();
        let sink = sink(&sandbox);
        Self {
            sandbox,
            sink,
            settings,
        }
    }

    pub(crate) fn cx(&self) -> CallContext {
        self.cx_of("acme")
    }

    pub(crate) fn cx_of(&self, tenant: &str) -> CallContext {
        let id = ConnectionId::new("crm").unwrap();
        let connection = Connection::new(id, "hubspot", ConnectionRole::Sink)
            .with_settings(self.settings.clone());
        let tenant = TenantId::new(tenant).unwrap();
        CallContext::new(tenant, Arc::new(connection), Duration::from_secs(60))
    }

    pub(crate) async fn deliver(&self, batch: &[Delivery]) -> Vec<ItemOutcome> {
        self.sink.deliver(&self.cx(), batch).await.unwrap()
    }

    /// Delivers and expects every item to be done.
    pub(crate) async fn deliver_all(&self, batch: &[Delivery]) -> Vec<ItemOutcome> {
        let outcomes = self.deliver(batch).await;
        for (delivery, outcome) in batch.iter().zip(&outcomes) {
            assert!(is_done(outcome), "{}: {:?}", delivery.key, outcome.end);
        }
        outcomes
    }

    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        self.sandbox.records(kind)
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.records(kind).len()
    }

    pub(crate) async fn merge_contacts(&self, keep: &str, gone: &str) {
        let path = "/crm/objects/2026-09/contacts/merge";
        let request = Request::post("test.merge", path)
            .json(&json!({"primaryObjectId": keep, "objectIdToMerge": gone}));
        client(&self.sandbox)
            .send(&self.cx(), request)
            .await
            .unwrap();
    }

    /// Calls made by `work`, as method and path.
    pub(crate) async fn calls<F: Future<Output = T>, T>(&self, work: F) -> (T, Vec<String>) {
        let before = self.sandbox.journal().len();
        let result = work.await;
        let journal = self.sandbox.journal();
        let call = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("method"), text("path"))
        };
        (result, journal[before..].iter().map(call).collect())
    }
}

/// A sink that knows nothing yet, as in another process.
pub(crate) fn sink(sandbox: &Sandbox) -> HubSpotSink {
    HubSpotSink::builder()
        .client(client(sandbox))
        .build()
        .unwrap()
}

fn client(sandbox: &Sandbox) -> ApiClient {
    ApiClient::builder()
        .base_url(sandbox.hubspot_url())
        .tokens(StaticToken::new(Secret::new(STATIC_TOKEN)))
        .retry(RetryOptions::default().with_backoff(Duration::ZERO, Duration::ZERO))
        .error_mapper(error_mapper)
        .build()
        .unwrap()
}

pub(crate) fn builder() -> SandboxBuilder {
    Sandbox::builder()
        .rate_limit(RateLimit::None)
        .search_lag(Duration::ZERO)
}

pub(crate) fn is_done(outcome: &ItemOutcome) -> bool {
    matches!(outcome.end, ItemEnd::Done)
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(crate) fn fields(pairs: &[(&str, &str)]) -> BTreeMap<FieldName, FieldValue> {
    let pair = |(name, value): &(&str, &str)| {
        (FieldName::new(name), FieldValue::Text((*value).to_owned()))
    };
    pairs.iter().map(pair).collect()
}

pub(crate) fn draft(kind: RecordKind, pairs: &[(&str, &str)]) -> Draft {
    Draft {
        kind,
        fields: fields(pairs),
        notes: Vec::new(),
    }
}

pub(crate) fn reference(kind: RecordKind, id: &Value) -> RecordRef {
    let id = nextedge_core::RecordId::new(id.as_str().unwrap()).unwrap();
    RecordRef { kind, id }
}

/// A mail of its own thread from a new sender of a new company; the contact is the record.
pub(crate) fn mail(n: usize) -> Delivery {
    let sender = format!("ada{n}@firm{n}.example");
    let domain = format!("firm{n}.example");
    let contact = draft(
        RecordKind::Contact,
        &[("firstname", "Ada"), ("lastname", "Lovelace")],
    );
    let company = draft(
        RecordKind::Company,
        &[("name", domain.as_str()), ("domain", domain.as_str())],
    );
    Delivery {
        key: format!("ne-{n}"),
        message: MessageUid::derive(&[&n.to_be_bytes()]),
        thread: ThreadId::derive(&[&n.to_be_bytes()]),
        outcome_unknown: false,
        done: Vec::new(),
        company: Some(PartyWrite::Create {
            key: domain,
            draft: company,
        }),
        contact: PartyWrite::Create {
            key: sender.clone(),
            draft: contact,
        },
        record: RecordWrite::ContactOnly,
        activity: activity(n, &sender),
        attachments: Vec::new(),
    }
}

fn activity(n: usize, sender: &str) -> ActivityWrite {
    let mailer = |text: &str, name: &str| Mailer {
        address: address(text),
        name: name.to_owned(),
    };
    ActivityWrite {
        draft: ActivityDraft {
            direction: Direction::Incoming,
            sent_at: DateTime::from_timestamp(1_767_225_600 + n as i64, 0).unwrap(),
            utc_offset_minutes: 0,
            subject: format!("Subject {n}"),
            message_id: Some(format!("m{n}@mail.example")),
            from: mailer(sender, "Ada Lovelace"),
            to: vec![mailer("help@shop.example", "Help")],
            cc: Vec::new(),
            fields: BTreeMap::new(),
            bytes: 10,
        },
        text: format!("Text {n}"),
        html: Some(format!("<p>Text {n}</p>")),
        original: Bytes::from(format!("Subject: {n}\r\n\r\nText {n}")),
    }
}

pub(crate) fn ticket(n: usize) -> Delivery {
    let subject = format!("Subject {n}");
    with_record(
        mail(n),
        draft(
            RecordKind::Case,
            &[
                ("subject", subject.as_str()),
                ("content", "Broken"),
                ("hs_pipeline", "0"),
                ("hs_pipeline_stage", "1"),
                ("hs_ticket_priority", "HIGH"),
            ],
        ),
    )
}

pub(crate) fn with_record(mut delivery: Delivery, draft: Draft) -> Delivery {
    delivery.record = RecordWrite::Create {
        key: format!("{}-r", delivery.key),
        draft,
    };
    delivery
}

/// A later mail of the run that `first` opens at position `item`.
pub(crate) fn reply(n: usize, first: &Delivery, item: usize) -> Delivery {
    Delivery {
        thread: first.thread,
        company: first.company.clone(),
        contact: first.contact.clone(),
        record: RecordWrite::Earlier { item },
        ..mail(n)
    }
}

/// The same delivery after an attempt whose outcome nobody knows.
pub(crate) fn again(delivery: &Delivery) -> Delivery {
    Delivery {
        outcome_unknown: true,
        ..delivery.clone()
    }
}

pub(crate) fn file(name: &str, bytes: &'static [u8]) -> AttachmentWrite {
    let hash: u64 = bytes
        .iter()
        .fold(7, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
    AttachmentWrite {
        name: name.to_owned(),
        media_type: "application/pdf".to_owned(),
        sha256: format!("{hash:064x}"),
        bytes: Bytes::from_static(bytes),
    }
}

/// The ids of one object type that a record is linked to.
pub(crate) fn linked(record: &Value, to_type: &str) -> Vec<String> {
    let links = record["associations"].as_array().unwrap();
    let fits = links.iter().filter(|link| link["to_type"] == to_type);
    let mut ids: Vec<String> = fits
        .map(|l| l["to_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

pub(crate) fn id(record: &Value) -> String {
    record["id"].as_str().unwrap().to_owned()
}

pub(crate) fn effect_of(outcome: &ItemOutcome, slot: &Slot) -> nextedge_core::Effect {
    let mut effects = outcome.effects.iter();
    effects
        .find(|effect| effect.slot == *slot)
        .cloned()
        .unwrap()
}
