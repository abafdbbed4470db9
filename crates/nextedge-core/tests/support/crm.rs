//! A CRM in memory: enforces unique addresses, domains and keys, and fails on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty};
use nextedge_core::sink::*;
use nextedge_core::*;

#[derive(Clone, Debug, Default)]
pub struct Crm(pub Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub struct State {
    pub contacts: Vec<String>,
    pub companies: Vec<String>,
    /// (key, kind) of each record.
    pub records: Vec<(String, RecordKind)>,
    /// (key, record id, message id header) of each mail on a timeline, in order of arrival.
    pub timeline: Vec<(String, String, String)>,
    pub delivers: u64,
    pub finds: u64,
    pub faults: VecDeque<Fault>,
    /// Attempts at something that exists already.
    pub doubles: Vec<String>,
    /// Where an outcome-unknown item was created without a look-up.
    pub busy: usize,
    pub most_busy: usize,
}

#[derive(Clone, Debug)]
pub enum Fault {
    /// Everything of the next call is applied, the answer is lost.
    LoseAnswer,
    /// The next call is refused as a whole for this connection.
    Throttle,
    /// Items whose subject holds this text are refused for good, naming a field.
    Refuse(String),
    /// The sink panics before anything is applied.
    Panic,
}

impl Crm {
    pub fn fault(&self, fault: Fault) {
        self.0.lock().unwrap().faults.push_back(fault);
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn record(kind: RecordKind, id: String) -> RecordRef {
    RecordRef {
        kind,
        id: RecordId::new(id).unwrap(),
    }
}

#[async_trait]
impl CrmSink for Crm {
    fn name(&self) -> &str {
        "crm"
    }

    fn capabilities(&self) -> SinkCapabilities {
        SinkCapabilities::default().with_max_batch(100).with_keyed()
    }

    async fn check(&self, _cx: &CallContext) -> Result<String> {
        Ok("account".into())
    }

    async fn describe(&self, _cx: &CallContext) -> Result<SinkDescription> {
        let kinds = [
            RecordKind::Contact,
            RecordKind::Company,
            RecordKind::Lead,
            RecordKind::Case,
            RecordKind::Opportunity,
            RecordKind::Activity,
        ];
        let field = |name: &str| FieldDescription {
            name: FieldName::new(name),
            kind: FieldKind::Text { max_chars: 1000 },
            writable: true,
            required: false,
        };
        let objects = kinds.map(|kind| ObjectDescription {
            vendor_name: kind.to_string(),
            kind,
            fields: ["name", "domain", "title"].map(field).to_vec(),
        });
        let map = |kind: RecordKind, known_party| CategoryMap {
            fields: BTreeMap::from([(FieldName::new("title"), "{{ subject }}".into())]),
            contact: BTreeMap::new(),
            on_reply: BTreeMap::new(),
            kind,
            known_party,
        };
        let deal = KnownParty::Instead(Box::new(map(RecordKind::Opportunity, KnownParty::Same)));
        let default_map = FieldMap {
            contact: BTreeMap::from([(FieldName::new("name"), "{{ sender.name }}".into())]),
            company: BTreeMap::from([(FieldName::new("domain"), "{{ sender.domain }}".into())]),
            categories: BTreeMap::from([
                (Category::Lead, map(RecordKind::Lead, deal)),
                (Category::Case, map(RecordKind::Case, KnownParty::Same)),
                (
                    Category::Opportunity,
                    map(RecordKind::Opportunity, KnownParty::Same),
                ),
                (
                    Category::Contact,
                    map(RecordKind::Contact, KnownParty::Same),
                ),
            ]),
            ..FieldMap::default()
        };
        Ok(SinkDescription {
            objects: objects.to_vec(),
            default_map,
        })
    }

    async fn find(&self, _cx: &CallContext, request: &FindRequest) -> Result<Found> {
        let mut state = self.state();
        state.finds += 1;
        let parties = request.parties.iter().map(|query| {
            let hit = |address: &EmailAddress| state.contacts.iter().any(|c| c == address.as_str());
            let contacts = query
                .addresses
                .iter()
                .filter(|a| hit(a))
                .map(|address| FoundContact {
                    record: record(RecordKind::Contact, address.to_string()),
                    company: None,
                    fields: BTreeMap::new(),
                });
            let domain = query.company.iter().map(ToString::to_string);
            let companies = domain.filter(|domain| state.companies.contains(domain));
            FoundParty {
                contacts: contacts.collect(),
                companies: companies
                    .map(|domain| record(RecordKind::Company, domain))
                    .collect(),
            }
        });
        let parties = parties.collect();
        let records = request.records.iter().map(|_| RecordState::Open).collect();
        Ok(Found { parties, records })
    }

    async fn deliver(&self, _cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        let fault = {
            let mut state = self.state();
            state.delivers += 1;
            state.busy += 1;
            state.most_busy = state.most_busy.max(state.busy);
            state.faults.pop_front()
        };
        // lets other tasks in, as a network call would
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.busy -= 1;
        match &fault {
            Some(Fault::Throttle) => {
                return Err(Error::new(ErrorKind::RateLimited, "slow down")
                    .with_reach(Reach::Connection)
                    .with_retry(Retry::After(Duration::from_millis(5))));
            }
            Some(Fault::Panic) => {
                drop(state);
                panic!("scripted");
            }
            _ => {}
        }
        let mut outcomes: Vec<ItemOutcome> = Vec::new();
        let mut made = Vec::new();
        let mut stopped = None;
        for item in batch {
            if stopped == Some(item.thread) {
                made.push(None);
                outcomes.push(ItemOutcome::not_attempted());
                continue;
            }
            let refused = matches!(&fault, Some(Fault::Refuse(text))
                if item.activity.draft.subject.contains(text));
            if refused {
                stopped = Some(item.thread);
                made.push(None);
                let error =
                    Error::new(ErrorKind::Rejected, "refused").with_context("field", "title");
                outcomes.push(ItemOutcome {
                    effects: Vec::new(),
                    end: ItemEnd::Failed(error),
                });
                continue;
            }
            let (effects, target) = state.apply(item, &made);
            made.push(Some(target));
            if matches!(fault, Some(Fault::LoseAnswer)) {
                stopped = Some(item.thread);
                let error = Error::new(ErrorKind::Timeout, "no answer");
                outcomes.push(ItemOutcome {
                    effects: Vec::new(),
                    end: ItemEnd::Unknown(error),
                });
            } else {
                outcomes.push(ItemOutcome {
                    effects,
                    end: ItemEnd::Done,
                });
            }
        }
        Ok(outcomes)
    }
}

impl State {
    /// Returns the effects, and the record that the mail is on.
    fn apply(&mut self, item: &Delivery, made: &[Option<RecordRef>]) -> (Vec<Effect>, RecordRef) {
        let mut effects = Vec::new();
        if let Some(PartyWrite::Create { key, .. }) = &item.company {
            let verb = ensure(
                &mut self.companies,
                key,
                item.outcome_unknown,
                &mut self.doubles,
            );
            effects.push(effect(
                Slot::Company,
                record(RecordKind::Company, key.clone()),
                verb,
            ));
        }
        let contact = match &item.contact {
            PartyWrite::Create { key, .. } => {
                let verb = ensure(
                    &mut self.contacts,
                    key,
                    item.outcome_unknown,
                    &mut self.doubles,
                );
                let contact = record(RecordKind::Contact, key.clone());
                effects.push(effect(Slot::Contact, contact.clone(), verb));
                contact
            }
            // nothing is written to it
            PartyWrite::Known { record, .. } => record.clone(),
        };
        let target = match &item.record {
            RecordWrite::ContactOnly => contact,
            RecordWrite::Known { record, .. } => record.clone(),
            RecordWrite::Earlier { item } => made[*item].clone().expect("an earlier record"),
            RecordWrite::Create { key, draft } => {
                let exists = self.records.iter().any(|(known, _)| known == key);
                if exists && !item.outcome_unknown {
                    self.doubles.push(key.clone());
                }
                if !exists {
                    self.records.push((key.clone(), draft.kind.clone()));
                }
                record(draft.kind.clone(), key.clone())
            }
        };
        // the earlier item has told of its record itself
        let is_earlier = matches!(item.record, RecordWrite::Earlier { .. });
        if target.kind != RecordKind::Contact && !is_earlier {
            effects.push(effect(Slot::Record, target.clone(), EffectVerb::Created));
        }
        let exists = self.timeline.iter().any(|(key, ..)| *key == item.key);
        if exists && !item.outcome_unknown {
            self.doubles.push(item.key.clone());
        }
        if !exists {
            let header = item
                .activity
                .draft
                .message_id
                .as_deref()
                .unwrap_or_default();
            let header = header.trim_end_matches(".mail.example").to_owned();
            self.timeline
                .push((item.key.clone(), target.id.to_string(), header));
        }
        let activity = record(RecordKind::Activity, item.key.clone());
        effects.push(effect(Slot::Activity, activity, EffectVerb::Created));
        (effects, target)
    }
}

fn ensure(
    all: &mut Vec<String>,
    key: &str,
    unknown: bool,
    doubles: &mut Vec<String>,
) -> EffectVerb {
    // several items of one batch may share a new party: the first creates, the others use it
    let _ = (unknown, doubles);
    if all.iter().any(|known| known == key) {
        return EffectVerb::Adopted;
    }
    all.push(key.to_owned());
    EffectVerb::Created
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
