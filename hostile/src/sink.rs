//! A CRM in memory that takes everything, or refuses everything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty};
use nextedge_core::sink::{
    CrmSink, Delivery, FieldDescription, FieldKind, FindRequest, Found, FoundParty, ItemEnd,
    ItemOutcome, ObjectDescription, PartyWrite, RecordState, RecordWrite, SinkCapabilities,
    SinkDescription,
};
use nextedge_core::{
    CallContext, Category, Effect, EffectVerb, Error, ErrorKind, FieldName, FieldValue, Guarantee,
    RecordId, RecordKind, RecordRef, Result, Slot,
};

/// A CRM in memory: keeps what it was given, so that tests can look at it.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    refuses: bool,
    made: Arc<AtomicU64>,
    texts: Arc<Mutex<Vec<(String, String)>>>,
}

impl MemorySink {
    /// Starts a CRM that refuses every mail.
    pub fn refusing() -> Self {
        Self {
            refuses: true,
            ..Self::default()
        }
    }

    /// Returns the name and text of every short field that was written.
    pub fn texts(&self) -> Vec<(String, String)> {
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn record(&self, kind: RecordKind) -> Result<RecordRef> {
        let id = self.made.fetch_add(1, Ordering::Relaxed);
        let id = RecordId::new(id.to_string())?;
        Ok(RecordRef { kind, id })
    }

    fn keep(&self, fields: &BTreeMap<FieldName, FieldValue>) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in fields {
            if let FieldValue::Text(text) = value {
                texts.push((name.as_str().to_owned(), text.clone()));
            }
        }
    }

    fn apply(&self, item: &Delivery) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        if let Some(PartyWrite::Create { draft, .. }) = &item.company {
            self.keep(&draft.fields);
            effects.push(effect(Slot::Company, self.record(RecordKind::Company)?));
        }
        if let PartyWrite::Create { draft, .. } = &item.contact {
            self.keep(&draft.fields);
        }
        effects.push(effect(Slot::Contact, self.record(RecordKind::Contact)?));
        if let RecordWrite::Create { draft, .. } = &item.record {
            self.keep(&draft.fields);
            effects.push(effect(Slot::Record, self.record(draft.kind.clone())?));
        }
        effects.push(effect(Slot::Activity, self.record(RecordKind::Activity)?));
        Ok(effects)
    }
}

#[async_trait]
impl CrmSink for MemorySink {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> SinkCapabilities {
        SinkCapabilities::default()
            .with_max_batch(100)
            .with_keyed()
            .with_attachments()
    }

    async fn check(&self, _cx: &CallContext) -> Result<String> {
        Ok("account".into())
    }

    async fn describe(&self, _cx: &CallContext) -> Result<SinkDescription> {
        let kinds = [
            RecordKind::Contact,
            RecordKind::Company,
            RecordKind::Case,
            RecordKind::Activity,
        ];
        let names = ["name", "company", "phone", "domain", "title", "text"];
        let field = |name: &str| FieldDescription {
            name: FieldName::new(name),
            kind: FieldKind::Text { max_chars: 65_536 },
            writable: true,
            required: false,
        };
        let objects = kinds.map(|kind| ObjectDescription {
            vendor_name: kind.to_string(),
            kind,
            fields: names.map(field).to_vec(),
        });
        Ok(SinkDescription {
            objects: objects.to_vec(),
            default_map: field_map(),
        })
    }

    async fn find(&self, _cx: &CallContext, request: &FindRequest) -> Result<Found> {
        Ok(Found {
            parties: request
                .parties
                .iter()
                .map(|_| FoundParty::default())
                .collect(),
            records: request.records.iter().map(|_| RecordState::Open).collect(),
        })
    }

    async fn deliver(&self, _cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        let answers = batch.iter().map(|item| {
            if self.refuses {
                let error = Error::new(ErrorKind::Invalid, "the mail was refused")
                    .with_operation("memory.deliver")
                    .with_action("correct the mail");
                let end = ItemEnd::Failed(error);
                return Ok(ItemOutcome {
                    effects: Vec::new(),
                    end,
                });
            }
            Ok(ItemOutcome {
                effects: self.apply(item)?,
                end: ItemEnd::Done,
            })
        });
        answers.collect()
    }
}

fn effect(slot: Slot, record: RecordRef) -> Effect {
    Effect {
        slot,
        record,
        verb: EffectVerb::Created,
        guarantee: Guarantee::Keyed,
        previous: BTreeMap::new(),
        notes: Vec::new(),
    }
}

/// Uses what a mail can choose: names, phone, subject, description, in plain and in full templates.
fn field_map() -> FieldMap {
    let fields = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, template)| (FieldName::new(*name), (*template).into()))
            .collect::<BTreeMap<_, _>>()
    };
    let case = CategoryMap {
        fields: fields(&[
            (
                "title",
                "{% if subject %}{{ subject|truncate(200) }}{% else %}-{% endif %}",
            ),
            ("text", "{{ description }}"),
        ]),
        contact: BTreeMap::new(),
        on_reply: BTreeMap::new(),
        kind: RecordKind::Case,
        known_party: KnownParty::Same,
    };
    FieldMap {
        contact: fields(&[
            ("name", "{{ sender.name }}"),
            ("phone", "{{ contact.phone }}"),
            ("company", "{{ company.name }}"),
        ]),
        company: fields(&[("domain", "{{ sender.domain }}")]),
        categories: BTreeMap::from([(Category::Case, case)]),
        lengths: BTreeMap::from([
            ("contact.name".to_owned(), 100),
            ("case.text".to_owned(), 60_000),
        ]),
        ..FieldMap::default()
    }
}
