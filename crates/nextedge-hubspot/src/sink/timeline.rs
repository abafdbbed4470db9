//! The mails of a batch on the timeline.

use std::collections::BTreeMap;

use nextedge_core::sink::ItemEnd;
use nextedge_core::{Effect, EffectVerb, ErrorKind, RecordId, RecordRef, Slot};

use super::deliver::{Job, Progress};
use super::write::{Input, Verb};
use crate::wire::associations::Association;
use crate::wire::email::Engagement;
use crate::wire::{KEY_PROPERTY, ObjectType};

/// An item and the pair of ids to link once its mail exists.
type LateLink = (usize, (String, String));

impl Job<'_> {
    /// Creates one e-mail engagement for each item, linked to contact, company and record.
    pub(super) async fn mails(&mut self, chosen: &[usize]) {
        let object = ObjectType::Email;
        let chosen: Vec<usize> = chosen
            .iter()
            .copied()
            .filter(|&i| self.is_live(i))
            .collect();
        let keyed = self.profile.is_keyed(&object);
        let inputs = chosen.iter().map(|&index| self.mail_input(index, keyed));
        let inputs = inputs.collect();
        let verb = if keyed {
            Verb::CreateUnique(KEY_PROPERTY)
        } else {
            Verb::Create
        };
        let owners: Vec<_> = chosen.iter().map(|&index| vec![index]).collect();
        let written = self.write(&object, verb, inputs, &owners).await;
        let mut late_links: BTreeMap<ObjectType, Vec<LateLink>> = BTreeMap::new();
        let mut missing = Vec::new();
        for (index, written) in chosen.into_iter().zip(written) {
            let Some(written) = written else {
                missing.push(index);
                continue;
            };
            for (to, id) in self.targets(index) {
                if self.profile.link(&object, &to).is_none() {
                    let pair = (written.id.to_string(), id.to_string());
                    late_links.entry(to).or_default().push((index, pair));
                }
            }
            // Under our own key it can only be ours, made by an attempt whose answer was lost.
            self.settle_mail(index, EffectVerb::Created, written.id);
        }
        self.follow_merges(&missing).await;
        for (to, links) in late_links {
            let (owners, pairs): (Vec<_>, Vec<_>) = links.into_iter().unzip();
            self.link(&object, &to, &pairs, &owners).await;
        }
    }

    /// Replaces targets that were merged into others; mails with a new target are sent once more.
    async fn follow_merges(&mut self, unwritten: &[usize]) {
        for &index in unwritten {
            let gone = matches!(&self.items[index].end, Some(ItemEnd::Failed(error))
                if error.kind() == ErrorKind::NotFound);
            if !gone || self.items[index].followed || self.halt.is_some() {
                continue;
            }
            self.items[index].followed = true;
            for (object, id) in self.targets(index) {
                let read = self
                    .sink
                    .client
                    .read_one(self.cx, &object, id.as_str(), &[]);
                match read.await {
                    Ok(Some(row)) if row.id != id.as_str() => {
                        self.retarget(index, &object, &row.id);
                    }
                    Ok(_) => {}
                    Err(fault) if fault.halts() => return self.stop(fault),
                    Err(_) => {}
                }
            }
        }
    }

    fn retarget(&mut self, index: usize, object: &ObjectType, id: &str) {
        let Ok(id) = RecordId::new(id) else {
            return;
        };
        let item = &mut self.items[index];
        match object {
            ObjectType::Contact => item.contact = Some(id),
            ObjectType::Company => item.company = Some(id),
            _ => {
                let record = RecordRef {
                    kind: object.kind(),
                    id,
                };
                item.record = Progress::Settled(Some(record));
            }
        }
        // Still to be written: the next round takes it up.
        item.end = None;
    }

    fn mail_input(&self, index: usize, keyed: bool) -> Input {
        let delivery = &self.batch[index];
        let mut mail = Engagement::of(&delivery.activity, self.profile.message_id());
        let files = &self.items[index].files;
        if !files.is_empty() {
            mail.properties
                .insert("hs_attachment_ids".to_owned(), files.join(";"));
        }
        if keyed {
            mail.properties
                .insert(KEY_PROPERTY.to_owned(), delivery.key.clone());
        }
        let link = |(to, id): (ObjectType, RecordId)| -> Option<Association> {
            self.association(&ObjectType::Email, &to, &id)
        };
        Input {
            properties: mail.properties,
            associations: self.targets(index).into_iter().filter_map(link).collect(),
            identity: keyed.then(|| delivery.key.clone()),
            message: delivery.message,
        }
    }

    /// Everything on whose timeline the mail stands, each once.
    fn targets(&self, index: usize) -> Vec<(ObjectType, RecordId)> {
        let item = &self.items[index];
        let mut targets = Vec::new();
        targets.extend(item.contact.clone().map(|id| (ObjectType::Contact, id)));
        targets.extend(item.company.clone().map(|id| (ObjectType::Company, id)));
        if let Progress::Settled(Some(record)) = &item.record
            && let Some(object) = ObjectType::of(&record.kind)
        {
            let target = (object, record.id.clone());
            // HubSpot links no note to an e-mail, and a contact may be the record.
            if target.0 != ObjectType::Note && !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    /// Notes that a mail stands on the timeline, which completes its item.
    pub(super) fn settle_mail(&mut self, index: usize, verb: EffectVerb, id: RecordId) {
        let mut notes = std::mem::take(&mut self.items[index].notes);
        if verb == EffectVerb::Created {
            notes.splice(0..0, Engagement::cuts_of(&self.batch[index].activity));
        }
        self.push(
            index,
            Effect {
                slot: Slot::Activity,
                record: RecordRef {
                    kind: ObjectType::Email.kind(),
                    id,
                },
                verb,
                guarantee: self.guarantee(&ObjectType::Email),
                previous: BTreeMap::new(),
                notes,
            },
        );
        self.items[index].end.get_or_insert(ItemEnd::Done);
    }
}
