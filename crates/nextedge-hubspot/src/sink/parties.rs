//! Companies and contacts of a batch: each created once, however many mails need it.

use std::collections::BTreeMap;

use nextedge_core::sink::PartyWrite;
use nextedge_core::{
    Draft, Effect, EffectVerb, FieldName, FieldValue, Guarantee, RecordId, RecordRef, Slot,
};

use super::deliver::{Job, Written};
use super::write::{Input, Verb};
use crate::wire::associations::Association;
use crate::wire::objects::Properties;
use crate::wire::{KEY_PROPERTY, ObjectType};

/// Party to create, with the items that need it.
struct New<'a> {
    key: &'a str,
    draft: &'a Draft,
    owners: Vec<usize>,
}

impl<'a> Job<'a> {
    /// Creates the companies that do not exist.
    pub(super) async fn companies(&mut self) {
        let object = ObjectType::Company;
        let new = self.new_parties(&Slot::Company);
        let keyed = self.profile.is_keyed(&object);
        let inputs = new.iter().map(|party| {
            let mut properties = self.profile.properties(&object, &party.draft.fields);
            properties
                .entry("domain".to_owned())
                .or_insert_with(|| party.key.to_owned());
            if keyed {
                properties.insert(KEY_PROPERTY.to_owned(), party.key.to_owned());
            }
            self.input(party, properties, Vec::new())
        });
        let inputs = inputs.collect();
        let verb = if keyed {
            Verb::CreateUnique(KEY_PROPERTY)
        } else {
            Verb::Create
        };
        for (party, written) in self.create_parties(&object, verb, new, inputs).await {
            self.sink
                .remember_company(self.cx, party.key, &written.id)
                .await;
            for &index in &party.owners {
                self.items[index].company = Some(written.id.clone());
            }
        }
    }

    /// Creates the contacts that do not exist, each linked to its company.
    pub(super) async fn contacts(&mut self) {
        let object = ObjectType::Contact;
        let new = self.new_parties(&Slot::Contact);
        let inputs = new.iter().map(|party| {
            let mut properties = self.profile.properties(&object, &party.draft.fields);
            properties.insert("email".to_owned(), party.key.to_owned());
            let company = self.items[party.owners[0]].company.as_ref();
            let links = company.and_then(|id| self.association(&object, &ObjectType::Company, id));
            self.input(party, properties, links.into_iter().collect())
        });
        let inputs = inputs.collect();
        let verb = Verb::CreateUnique("email");
        for (party, written) in self.create_parties(&object, verb, new, inputs).await {
            for &index in &party.owners {
                self.items[index].contact = Some(written.id.clone());
            }
        }
    }

    fn new_parties(&self, slot: &Slot) -> Vec<New<'a>> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut new: Vec<New<'a>> = Vec::new();
        for (index, delivery) in self.batch.iter().enumerate() {
            let (party, known) = match slot {
                Slot::Company => (delivery.company.as_ref(), &self.items[index].company),
                _ => (Some(&delivery.contact), &self.items[index].contact),
            };
            let Some(PartyWrite::Create { key, draft }) = party else {
                continue;
            };
            if known.is_some() || !self.is_live(index) {
                continue;
            }
            let place = *places.entry(key).or_insert_with(|| {
                new.push(New {
                    key,
                    draft,
                    owners: Vec::new(),
                });
                new.len() - 1
            });
            new[place].owners.push(index);
        }
        new
    }

    fn input(
        &self,
        party: &New<'_>,
        properties: Properties,
        associations: Vec<Association>,
    ) -> Input {
        Input {
            properties,
            associations,
            identity: Some(party.key.to_owned()),
            message: self.batch[party.owners[0]].message,
        }
    }

    /// Writes parties and notes an effect for each item: the first created, the others adopted.
    async fn create_parties(
        &mut self,
        object: &ObjectType,
        verb: Verb,
        new: Vec<New<'a>>,
        inputs: Vec<Input>,
    ) -> Vec<(New<'a>, Written)> {
        let owners: Vec<_> = new.iter().map(|party| party.owners.clone()).collect();
        let written = self.write(object, verb, inputs, &owners).await;
        let pairs = new.into_iter().zip(written);
        let done: Vec<_> = pairs
            .filter_map(|(party, written)| Some((party, written?)))
            .collect();
        for (party, written) in &done {
            for (place, &index) in party.owners.iter().enumerate() {
                let verb = if place == 0 {
                    written.verb
                } else {
                    EffectVerb::Adopted
                };
                let effect = self.party_effect(object, verb, &written.id, &party.draft.notes);
                self.push(index, effect);
            }
        }
        done
    }

    pub(super) fn party_effect(
        &self,
        object: &ObjectType,
        verb: EffectVerb,
        id: &RecordId,
        notes: &[String],
    ) -> Effect {
        Effect {
            slot: match object {
                ObjectType::Company => Slot::Company,
                _ => Slot::Contact,
            },
            record: RecordRef {
                kind: object.kind(),
                id: id.clone(),
            },
            verb,
            guarantee: self.guarantee(object),
            previous: BTreeMap::new(),
            notes: notes.to_vec(),
        }
    }

    pub(super) fn association(
        &self,
        from: &ObjectType,
        to: &ObjectType,
        id: &RecordId,
    ) -> Option<Association> {
        let kind = self.profile.link(from, to)?;
        Some(Association::new(id.as_str(), kind))
    }

    /// Links contacts that existed to companies that this batch has created.
    pub(super) async fn link_parties(&mut self) {
        let mut pairs: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (index, item) in self.items.iter().enumerate() {
            let made = |slot: Slot| {
                let created = |e: &&Effect| e.slot == slot && e.verb == EffectVerb::Created;
                item.effects.iter().any(|effect| created(&effect))
            };
            if let (Some(contact), Some(company)) = (&item.contact, &item.company)
                && made(Slot::Company)
                && !made(Slot::Contact)
                && self.is_live(index)
            {
                let pair = (contact.to_string(), company.to_string());
                pairs.entry(pair).or_default().push(index);
            }
        }
        let owners: Vec<usize> = pairs.values().flatten().copied().collect();
        let pairs: Vec<_> = pairs.into_keys().collect();
        self.link(&ObjectType::Contact, &ObjectType::Company, &pairs, &owners)
            .await;
    }

    /// Links pairs by the default type; a refusal is noted, not fatal.
    pub(super) async fn link(
        &mut self,
        from: &ObjectType,
        to: &ObjectType,
        pairs: &[(String, String)],
        owners: &[usize],
    ) {
        for chunk in pairs.chunks(self.sink.limits.request_items.max(1)) {
            if self.halt.is_some() {
                return;
            }
            let messages = owners
                .iter()
                .map(|&index| self.batch[index].message)
                .collect();
            let linked = self
                .sink
                .client
                .associate(self.cx, from, to, chunk, messages)
                .await;
            match linked {
                Ok(()) => {}
                Err(fault) if fault.halts() => self.stop(fault),
                Err(_) => {
                    for &index in owners {
                        self.items[index]
                            .notes
                            .push(format!("not linked: {from} to {to}"));
                    }
                }
            }
        }
    }

    /// Fills fields that are empty on parties that exist.
    pub(super) async fn fill_parties(&mut self) {
        for object in [ObjectType::Company, ObjectType::Contact] {
            let mut fills: BTreeMap<RecordId, (BTreeMap<FieldName, FieldValue>, Vec<usize>)> =
                BTreeMap::new();
            for (index, delivery) in self.batch.iter().enumerate() {
                let (party, slot) = match object {
                    ObjectType::Company => (delivery.company.as_ref(), Slot::Company),
                    _ => (Some(&delivery.contact), Slot::Contact),
                };
                let Some(PartyWrite::Known { record, fill }) = party else {
                    continue;
                };
                if fill.is_empty() || self.was_done(index, &slot) || !self.is_live(index) {
                    continue;
                }
                let entry = fills.entry(record.id.clone()).or_default();
                for (name, value) in fill {
                    entry.0.entry(name.clone()).or_insert_with(|| value.clone());
                }
                entry.1.push(index);
            }
            self.fill(&object, fills).await;
        }
    }

    async fn fill(
        &mut self,
        object: &ObjectType,
        fills: BTreeMap<RecordId, (BTreeMap<FieldName, FieldValue>, Vec<usize>)>,
    ) {
        let inputs = fills.iter().map(|(id, (fields, owners))| Input {
            properties: self.profile.properties(object, fields),
            associations: Vec::new(),
            identity: Some(id.to_string()),
            message: self.batch[owners[0]].message,
        });
        let inputs = inputs.collect();
        let owners: Vec<_> = fills.values().map(|(_, owners)| owners.clone()).collect();
        let written = self.write(object, Verb::Update, inputs, &owners).await;
        for ((id, (fields, owners)), written) in fills.into_iter().zip(written) {
            if written.is_none() {
                continue;
            }
            let empty = |name: &FieldName| (name.clone(), FieldValue::Text(String::new()));
            let mut effect = self.party_effect(object, EffectVerb::Updated, &id, &[]);
            // Setting the same values on the same id again changes nothing.
            effect.guarantee = Guarantee::Keyed;
            effect.previous = fields.keys().map(empty).collect();
            self.push(owners[0], effect);
        }
    }
}
