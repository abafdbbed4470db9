//! A sink that only hands complete mails over, to measure the engine without a vendor's rules.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nextedge_core::mail::OpenedMail;
use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty};
use nextedge_core::sink::{
    CrmSink, Delivery, FieldDescription, FieldKind, FindRequest, Found, FoundParty, ItemEnd,
    ItemOutcome, ObjectDescription, PartyWrite, RecordState, RecordWrite, SinkCapabilities,
    SinkDescription,
};
use nextedge_core::{
    CallContext, Category, Effect, EffectVerb, Error, FieldName, Guarantee, Plan, RecordId,
    RecordKind, RecordRef, Result, Slot,
};
use nextedge_http::{ApiClient, Applied, Request};
use serde::Serialize;

/// The name that connections refer to.
pub const VENDOR: &str = "receiver";

/// Posts each batch with all bodies and attachments to `/batch`, one request a batch.
#[derive(Debug)]
pub struct ReceiverSink {
    client: ApiClient,
}

impl ReceiverSink {
    /// Writes to the receiver at `base`.
    ///
    /// # Errors
    ///
    /// If `base` is no URL.
    pub fn new(base: &str) -> Result<Self> {
        let client = ApiClient::builder().base_url(base).build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl CrmSink for ReceiverSink {
    fn name(&self) -> &str {
        VENDOR
    }

    fn capabilities(&self) -> SinkCapabilities {
        SinkCapabilities::default()
            .with_kinds(KINDS.iter().cloned())
            .with_max_batch(MAX_BATCH)
            .with_attachments()
            .with_keyed()
    }

    async fn check(&self, _cx: &CallContext) -> Result<String> {
        Ok("receiver".to_owned())
    }

    async fn describe(&self, _cx: &CallContext) -> Result<SinkDescription> {
        Ok(description())
    }

    /// The receiver knows nobody; what this run wrote is in the engine's own ledger.
    async fn find(&self, _cx: &CallContext, request: &FindRequest) -> Result<Found> {
        Ok(Found {
            parties: vec![FoundParty::default(); request.parties.len()],
            records: vec![RecordState::Open; request.records.len()],
        })
    }

    async fn deliver(&self, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        let items: Vec<Item<'_>> = batch.iter().map(Item::of).collect();
        let request = Request::post("receiver.batch", "/batch")
            .header("x-items", &items.len().to_string())
            .json(&items)
            .anonymous()
            .keyed()
            .messages(batch.iter().map(|delivery| delivery.message).collect());
        match self.client.send(cx, request).await {
            Ok(_) => Ok(outcomes(batch)),
            Err(failure) if failure.applied() == Applied::No => Err(failure.into()),
            Err(failure) => Ok(unknown(batch, failure.error())),
        }
    }
}

/// One complete mail on the wire.
#[derive(Debug, Serialize)]
struct Item<'a> {
    key: Cow<'a, str>,
    message: String,
    thread: String,
    from: &'a str,
    subject: &'a str,
    text: &'a str,
    html: Option<&'a str>,
    attachments: Vec<(&'a str, String)>,
}

impl<'a> Item<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let activity = &delivery.activity;
        let files = delivery.attachments.iter();
        Self {
            key: Cow::Borrowed(&delivery.key),
            message: delivery.message.to_string(),
            thread: delivery.thread.to_string(),
            from: activity.draft.from.address.as_str(),
            subject: &activity.draft.subject,
            text: &activity.text,
            html: activity.html.as_deref(),
            attachments: files
                .map(|file| (file.name.as_str(), STANDARD.encode(&file.bytes)))
                .collect(),
        }
    }
}

impl<'a> Item<'a> {
    fn planned(plan: &'a Plan, opened: &'a OpenedMail) -> Self {
        let named = plan.attachments.iter().zip(&opened.attachments);
        Self {
            key: Cow::Owned(format!("ne-{}", plan.message)),
            message: plan.message.to_string(),
            thread: plan.thread.to_string(),
            from: plan.activity.from.address.as_str(),
            subject: &plan.activity.subject,
            text: &opened.text,
            html: opened.html.as_deref(),
            attachments: named
                .map(|(choice, (_, bytes))| (choice.name.as_str(), STANDARD.encode(bytes)))
                .collect(),
        }
    }
}

/// Makes the body that the sink sends for these mails.
///
/// # Errors
///
/// If JSON cannot be made of them.
pub fn body(mails: &[(&Plan, OpenedMail)]) -> std::result::Result<Vec<u8>, serde_json::Error> {
    let items = mails.iter();
    let items: Vec<_> = items
        .map(|(plan, mail)| Item::planned(plan, mail))
        .collect();
    serde_json::to_vec(&items)
}

/// The receiver took everything: each part of each item is its own record, named by our key.
fn outcomes(batch: &[Delivery]) -> Vec<ItemOutcome> {
    let mut records: Vec<Option<RecordRef>> = Vec::with_capacity(batch.len());
    let mut outcomes = Vec::with_capacity(batch.len());
    for delivery in batch {
        let (effects, record) = effects(delivery, &records);
        records.push(record);
        outcomes.push(ItemOutcome {
            effects,
            end: ItemEnd::Done,
        });
    }
    outcomes
}

/// No answer came: the batch may have arrived.
fn unknown(batch: &[Delivery], error: &Error) -> Vec<ItemOutcome> {
    let item = |_| ItemOutcome {
        effects: Vec::new(),
        end: ItemEnd::Unknown(Error::new(error.kind(), error.message().to_owned())),
    };
    batch.iter().map(item).collect()
}

fn effects(delivery: &Delivery, earlier: &[Option<RecordRef>]) -> (Vec<Effect>, Option<RecordRef>) {
    let mut effects = Vec::new();
    if let Some(company) = &delivery.company {
        effects.extend(party(Slot::Company, &RecordKind::Company, company));
    }
    let contact = party(Slot::Contact, &RecordKind::Contact, &delivery.contact);
    let person = contact.as_ref().map(|effect| effect.record.clone());
    effects.extend(contact);
    let (record, verb) = match &delivery.record {
        RecordWrite::ContactOnly => (person.clone(), None),
        RecordWrite::Known { record, .. } => (Some(record.clone()), Some(EffectVerb::Adopted)),
        RecordWrite::Create { key, draft } => {
            (reference(&draft.kind, key), Some(EffectVerb::Created))
        }
        RecordWrite::Earlier { item } => {
            let record = earlier.get(*item).cloned().flatten();
            (record, Some(EffectVerb::Adopted))
        }
    };
    if let (Some(record), Some(verb)) = (&record, verb)
        && record.kind != RecordKind::Contact
    {
        effects.push(effect(Slot::Record, record.clone(), verb));
    }
    if let Some(activity) = reference(&RecordKind::Activity, &delivery.key) {
        effects.push(effect(Slot::Activity, activity, EffectVerb::Created));
    }
    (effects, record)
}

fn party(slot: Slot, kind: &RecordKind, write: &PartyWrite) -> Option<Effect> {
    match write {
        PartyWrite::Known { record, .. } => Some(effect(slot, record.clone(), EffectVerb::Adopted)),
        PartyWrite::Create { key, .. } => {
            Some(effect(slot, reference(kind, key)?, EffectVerb::Created))
        }
    }
}

fn reference(kind: &RecordKind, key: &str) -> Option<RecordRef> {
    Some(RecordRef {
        kind: kind.clone(),
        id: RecordId::new(key).ok()?,
    })
}

fn effect(slot: Slot, record: RecordRef, verb: EffectVerb) -> Effect {
    Effect {
        slot,
        record,
        verb,
        guarantee: Guarantee::Keyed,
        previous: BTreeMap::new(),
        notes: Vec::new(),
    }
}

/// Tells the objects of the receiver and its field map.
pub fn description() -> SinkDescription {
    let field = |name: &str| FieldDescription {
        name: FieldName::new(name),
        kind: FieldKind::Text { max_chars: 1_000 },
        writable: true,
        required: false,
    };
    let object = |kind: &RecordKind| ObjectDescription {
        vendor_name: kind.to_string(),
        kind: kind.clone(),
        fields: ["name", "domain", "title"].map(field).to_vec(),
    };
    let map = |kind: RecordKind| CategoryMap {
        fields: BTreeMap::from([(FieldName::new("title"), "{{ subject }}".into())]),
        contact: BTreeMap::new(),
        on_reply: BTreeMap::new(),
        kind,
        known_party: KnownParty::Same,
    };
    let contact_map = CategoryMap {
        fields: BTreeMap::new(),
        ..map(RecordKind::Contact)
    };
    let default_map = FieldMap {
        contact: BTreeMap::from([(FieldName::new("name"), "{{ sender.name }}".into())]),
        company: BTreeMap::from([(FieldName::new("domain"), "{{ sender.domain }}".into())]),
        categories: BTreeMap::from([
            (Category::Lead, map(RecordKind::Lead)),
            (Category::Case, map(RecordKind::Case)),
            (Category::Opportunity, map(RecordKind::Opportunity)),
            (Category::Contact, contact_map),
        ]),
        ..FieldMap::default()
    };
    SinkDescription {
        objects: KINDS.iter().map(object).collect(),
        default_map,
    }
}

/// Deliveries that the receiver takes in one request.
pub const MAX_BATCH: usize = 400;
const KINDS: [RecordKind; 6] = [
    RecordKind::Contact,
    RecordKind::Company,
    RecordKind::Lead,
    RecordKind::Case,
    RecordKind::Opportunity,
    RecordKind::Activity,
];
