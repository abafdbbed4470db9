//! The records of a batch: created with their links, or updated with their old values kept.

use std::collections::BTreeMap;

use nextedge_core::sink::{ItemEnd, RecordWrite};
use nextedge_core::{
    Draft, Effect, EffectVerb, Error, FieldName, FieldValue, Guarantee, RecordRef, Slot,
};

use super::deliver::{Job, Progress};
use super::find::no_object;
use super::write::{Input, Verb};
use crate::wire::associations::Association;
use crate::wire::objects::{BatchRead, moment};
use crate::wire::{KEY_PROPERTY, ObjectType};

impl<'a> Job<'a> {
    /// Brings every head of a run as far as its record.
    pub(super) async fn records(&mut self) {
        let mut create: BTreeMap<ObjectType, Vec<(usize, &'a str, &'a Draft)>> = BTreeMap::new();
        let mut update: BTreeMap<ObjectType, Vec<(usize, &'a RecordRef)>> = BTreeMap::new();
        let batch = self.batch;
        for index in self.heads() {
            if self.items[index].record != Progress::Open {
                continue;
            }
            match &batch[index].record {
                RecordWrite::Create { key, draft } => match creatable(draft) {
                    Ok(object) => create.entry(object).or_default().push((index, key, draft)),
                    Err(error) => self.items[index].end = Some(ItemEnd::Failed(error)),
                },
                RecordWrite::Known { record, .. } => match ObjectType::of(&record.kind) {
                    Some(object) => update.entry(object).or_default().push((index, record)),
                    None => {
                        let error = no_object(&record.kind);
                        self.items[index].end = Some(ItemEnd::Failed(error));
                    }
                },
                RecordWrite::Earlier { item } => {
                    let earlier = self.items.get(*item).map(|item| item.record.clone());
                    self.items[index].record = match earlier {
                        Some(Progress::Settled(record)) => Progress::Settled(record),
                        _ => Progress::Settled(None),
                    };
                }
                RecordWrite::ContactOnly => self.items[index].record = Progress::Settled(None),
            }
        }
        for (object, new) in create {
            self.create_records(&object, new).await;
        }
        for (object, known) in update {
            self.update_records(&object, known).await;
        }
    }

    async fn create_records(&mut self, object: &ObjectType, new: Vec<(usize, &'a str, &'a Draft)>) {
        let keyed = self.profile.is_keyed(object);
        let inputs = new.iter().map(|&(index, key, draft)| {
            let mut properties = self.profile.properties(object, &draft.fields);
            if keyed {
                properties.insert(KEY_PROPERTY.to_owned(), key.to_owned());
            }
            if *object == ObjectType::Note {
                let at = moment(self.batch[index].activity.draft.sent_at);
                properties.entry("hs_timestamp".to_owned()).or_insert(at);
            }
            Input {
                properties,
                associations: self.party_links(object, index),
                identity: keyed.then(|| key.to_owned()),
                message: self.batch[index].message,
            }
        });
        let inputs = inputs.collect();
        let verb = if keyed {
            Verb::CreateUnique(KEY_PROPERTY)
        } else {
            Verb::Create
        };
        let owners: Vec<_> = new.iter().map(|(index, ..)| vec![*index]).collect();
        let written = self.write(object, verb, inputs, &owners).await;
        for ((index, _, draft), written) in new.into_iter().zip(written) {
            let Some(written) = written else {
                continue;
            };
            // Under our own key it can only be ours, made by an attempt whose answer was lost.
            let record = RecordRef {
                kind: object.kind(),
                id: written.id,
            };
            self.settle_record(index, object, EffectVerb::Created, record, &draft.notes);
        }
    }

    /// Notes that an item's record exists.
    pub(super) fn settle_record(
        &mut self,
        index: usize,
        object: &ObjectType,
        verb: EffectVerb,
        record: RecordRef,
        notes: &[String],
    ) {
        self.push(
            index,
            Effect {
                slot: Slot::Record,
                record: record.clone(),
                verb,
                guarantee: self.guarantee(object),
                previous: BTreeMap::new(),
                notes: notes.to_vec(),
            },
        );
        self.items[index].record = Progress::Settled(Some(record));
    }

    /// The inline links of a new record to its contact and company.
    pub(super) fn party_links(&self, object: &ObjectType, index: usize) -> Vec<Association> {
        let item = &self.items[index];
        let contact = item.contact.as_ref().map(|id| (ObjectType::Contact, id));
        let company = item.company.as_ref().map(|id| (ObjectType::Company, id));
        let parties = contact.into_iter().chain(company);
        parties
            .filter_map(|(to, id)| self.association(object, &to, id))
            .collect()
    }

    async fn update_records(&mut self, object: &ObjectType, known: Vec<(usize, &'a RecordRef)>) {
        let batch = self.batch;
        let fields = |index: usize| match &batch[index].record {
            RecordWrite::Known { fields, .. } => fields.clone(),
            _ => BTreeMap::new(),
        };
        // Two threads may share a record: their updates follow each other, never in one request.
        let mut rounds: Vec<Vec<(usize, &RecordRef)>> = Vec::new();
        for (index, record) in known {
            let fits =
                |round: &&mut Vec<(usize, &RecordRef)>| round.iter().all(|(_, r)| *r != record);
            match rounds.iter_mut().find(fits) {
                Some(round) => round.push((index, record)),
                None => rounds.push(vec![(index, record)]),
            }
        }
        for round in rounds {
            let previous = match self.previous(object, &round, &fields).await {
                Some(previous) => previous,
                None => return,
            };
            let inputs = round.iter().map(|&(index, record)| Input {
                properties: self.profile.properties(object, &fields(index)),
                associations: Vec::new(),
                identity: Some(record.id.to_string()),
                message: self.batch[index].message,
            });
            let inputs = inputs.collect();
            let owners: Vec<_> = round.iter().map(|(index, _)| vec![*index]).collect();
            let written = self.write(object, Verb::Update, inputs, &owners).await;
            for ((index, record), written) in round.into_iter().zip(written) {
                if written.is_none() {
                    continue;
                }
                self.push(
                    index,
                    Effect {
                        slot: Slot::Record,
                        record: record.clone(),
                        verb: EffectVerb::Updated,
                        // Setting the same values on the same id again changes nothing.
                        guarantee: Guarantee::Keyed,
                        previous: previous
                            .get(record.id.as_str())
                            .cloned()
                            .unwrap_or_default(),
                        notes: Vec::new(),
                    },
                );
                self.items[index].record = Progress::Settled(Some(record.clone()));
            }
        }
    }

    /// Reads the values that an update will replace; none if HubSpot takes no more calls.
    async fn previous(
        &mut self,
        object: &ObjectType,
        round: &[(usize, &RecordRef)],
        fields: &impl Fn(usize) -> BTreeMap<FieldName, FieldValue>,
    ) -> Option<BTreeMap<String, BTreeMap<FieldName, FieldValue>>> {
        let mut names: Vec<FieldName> = round
            .iter()
            .flat_map(|(i, _)| fields(*i).into_keys())
            .collect();
        names.sort();
        names.dedup();
        let wanted: Vec<&str> = names.iter().map(FieldName::as_str).collect();
        let ids: Vec<String> = round
            .iter()
            .map(|(_, record)| record.id.to_string())
            .collect();
        let mut previous = BTreeMap::new();
        for chunk in ids.chunks(self.sink.limits.request_items.max(1)) {
            let body = BatchRead::by_id(&wanted, chunk);
            let rows = match self.sink.client.batch_read(self.cx, object, &body).await {
                Ok(rows) => rows,
                Err(fault) => {
                    let owners: Vec<usize> = round.iter().map(|(index, _)| *index).collect();
                    match fault.halts() {
                        true => self.stop(fault.not_applied()),
                        false => self.fail(&owners, &fault.not_applied()),
                    }
                    return None;
                }
            };
            for row in rows {
                let value = |name: &FieldName| {
                    let text = row.property(name.as_str()).unwrap_or_default().to_owned();
                    (name.clone(), FieldValue::Text(text))
                };
                let values = names.iter().map(value).collect();
                previous.insert(row.id.clone(), values);
            }
        }
        Some(previous)
    }
}

fn creatable(draft: &Draft) -> Result<ObjectType, Error> {
    match ObjectType::of(&draft.kind) {
        Some(ObjectType::Contact | ObjectType::Company | ObjectType::Email) | None => {
            Err(no_object(&draft.kind))
        }
        Some(object) => Ok(object),
    }
}
