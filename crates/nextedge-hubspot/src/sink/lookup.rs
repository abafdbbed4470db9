//! Looks for what an attempt without answer may have left behind, before anything is created.

use std::collections::{BTreeMap, BTreeSet};

use nextedge_core::sink::{ActivityWrite, PartyWrite, RecordWrite};
use nextedge_core::{Draft, EffectVerb, RecordId, RecordRef};

use super::deliver::{Job, Progress};
use super::find::{ByProperty, companies_by_domain, read_by};
use super::write::{ADDITIONAL_EMAILS, answers_to};
use crate::config::Lookups;
use crate::error::Fault;
use crate::wire::answers::Row;
use crate::wire::objects::{BatchRead, Filter, Search};
use crate::wire::{KEY_PROPERTY, ObjectType};

impl Job<'_> {
    /// Adopts everything that earlier attempts of unknown outcome have made.
    pub(super) async fn look_up(&mut self) -> Result<(), Fault> {
        let unknown = |&index: &usize| self.batch[index].outcome_unknown && self.is_live(index);
        let unknown: Vec<usize> = (0..self.batch.len()).filter(unknown).collect();
        if !unknown.is_empty() {
            self.look_up_companies(&unknown).await?;
            self.look_up_contacts(&unknown).await?;
            self.look_up_records(&unknown).await?;
            self.look_up_own_mails(&unknown).await?;
        }
        let keyed = self.profile.is_keyed(&ObjectType::Email);
        let always = self.profile.settings.lookups == Lookups::Always;
        let doubtful = |&index: &usize| {
            self.is_live(index) && (always || (!keyed && self.batch[index].outcome_unknown))
        };
        let doubtful: Vec<usize> = (0..self.batch.len()).filter(doubtful).collect();
        self.look_up_foreign_mails(&doubtful).await
    }

    async fn look_up_companies(&mut self, unknown: &[usize]) -> Result<(), Fault> {
        let object = ObjectType::Company;
        let mut wanted: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &index in unknown {
            if let Some(PartyWrite::Create { key, .. }) = &self.batch[index].company
                && self.items[index].company.is_none()
            {
                wanted.entry(key.clone()).or_default().push(index);
            }
        }
        let keys: Vec<String> = wanted.keys().cloned().collect();
        let mut found = BTreeMap::new();
        if self.profile.is_keyed(&object) {
            for row in self.read_keys(&object, &keys).await? {
                let key = row.property(KEY_PROPERTY).map(str::to_owned);
                found.extend(key.map(|key| (key, row.id)));
            }
        } else {
            for (domain, ids) in companies_by_domain(self.sink, self.cx, &keys).await? {
                // More than one is ambiguous; which one to take is not for a sink to say.
                if ids.len() == 1 {
                    found.extend(ids.into_iter().map(|id| (domain.clone(), id)));
                }
            }
        }
        for (key, owners) in wanted {
            let Some(id) = found.get(&key).and_then(|id| RecordId::new(id).ok()) else {
                continue;
            };
            for index in owners {
                self.items[index].company = Some(id.clone());
                let effect = self.party_effect(&object, EffectVerb::Adopted, &id, &[]);
                self.push(index, effect);
            }
        }
        Ok(())
    }

    async fn look_up_contacts(&mut self, unknown: &[usize]) -> Result<(), Fault> {
        let object = ObjectType::Contact;
        let mut wanted: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &index in unknown {
            if let PartyWrite::Create { key, .. } = &self.batch[index].contact
                && self.items[index].contact.is_none()
            {
                wanted.entry(key.clone()).or_default().push(index);
            }
        }
        let keys: Vec<String> = wanted.keys().cloned().collect();
        let by = ByProperty {
            property: "email",
            wanted: &["email", ADDITIONAL_EMAILS],
        };
        let rows = read_by(self.sink, self.cx, &object, &by, &keys).await?;
        for (key, owners) in wanted {
            let row = rows.iter().find(|row| answers_to(row, "email", &key));
            let Some(id) = row.and_then(|row| RecordId::new(&row.id).ok()) else {
                continue;
            };
            for index in owners {
                self.items[index].contact = Some(id.clone());
                let effect = self.party_effect(&object, EffectVerb::Adopted, &id, &[]);
                self.push(index, effect);
            }
        }
        Ok(())
    }

    async fn look_up_records(&mut self, unknown: &[usize]) -> Result<(), Fault> {
        let batch = self.batch;
        let mut wanted: BTreeMap<ObjectType, Vec<(usize, &String, &Draft)>> = BTreeMap::new();
        for &index in unknown {
            if let RecordWrite::Create { key, draft } = &batch[index].record
                && self.items[index].record == Progress::Open
                && let Some(object) = ObjectType::of(&draft.kind)
            {
                wanted.entry(object).or_default().push((index, key, draft));
            }
        }
        let mut missing = Vec::new();
        for (object, items) in wanted {
            let keyed = self.profile.is_keyed(&object);
            let mut rows = Vec::new();
            if keyed {
                let keys: Vec<String> = items.iter().map(|(_, key, _)| (*key).clone()).collect();
                rows = self.read_keys(&object, &keys).await?;
            }
            for (index, key, draft) in items {
                let found = match keyed {
                    true => rows
                        .iter()
                        .find(|row| row.property(KEY_PROPERTY) == Some(key))
                        .cloned(),
                    false => self.search_record(&object, index, draft).await?,
                };
                let Some(id) = found.and_then(|row| RecordId::new(row.id).ok()) else {
                    missing.push((index, key, draft));
                    continue;
                };
                let verb = if keyed {
                    EffectVerb::Created
                } else {
                    EffectVerb::Adopted
                };
                let record = RecordRef {
                    kind: object.kind(),
                    id,
                };
                self.settle_record(index, &object, verb, record, &draft.notes);
            }
        }
        self.look_up_other_kinds(missing).await
    }

    /// Looks for our key on the other kinds of records: what an earlier attempt found about the
    /// sender may have led it to another kind.
    async fn look_up_other_kinds(
        &mut self,
        mut missing: Vec<(usize, &String, &Draft)>,
    ) -> Result<(), Fault> {
        for object in [ObjectType::Lead, ObjectType::Deal, ObjectType::Ticket] {
            if missing.is_empty() || !self.profile.is_keyed(&object) {
                continue;
            }
            let keys: Vec<String> = missing
                .iter()
                .filter(|(.., draft)| ObjectType::of(&draft.kind).as_ref() != Some(&object))
                .map(|(_, key, _)| (*key).clone())
                .collect();
            let rows = self.read_keys(&object, &keys).await?;
            let mut rest = Vec::new();
            for (index, key, draft) in missing {
                let mut same = rows
                    .iter()
                    .filter(|row| row.property(KEY_PROPERTY) == Some(key));
                let Some(id) = same.next().and_then(|row| RecordId::new(&row.id).ok()) else {
                    rest.push((index, key, draft));
                    continue;
                };
                let record = RecordRef {
                    kind: object.kind(),
                    id,
                };
                self.settle_record(index, &object, EffectVerb::Created, record, &draft.notes);
            }
            missing = rest;
        }
        Ok(())
    }

    /// Finds a record of the same contact that says in every field what the draft says.
    async fn search_record(
        &self,
        object: &ObjectType,
        index: usize,
        draft: &Draft,
    ) -> Result<Option<Row>, Fault> {
        let Some(contact) = &self.items[index].contact else {
            // It would be linked to a contact, and none was ever made.
            return Ok(None);
        };
        let sent = self.profile.properties(object, &draft.fields);
        let mut filters = Vec::new();
        if !matches!(object, ObjectType::Custom(_)) {
            filters.push(Filter::equal("associations.contact", contact.as_str()));
        }
        let title = object
            .title_property()
            .and_then(|name| sent.get_key_value(name));
        if let Some((name, value)) = title.filter(|(_, value)| value.chars().count() < 1_000) {
            filters.push(Filter::equal(name, value));
        }
        if filters.is_empty() {
            return Ok(None);
        }
        let wanted: Vec<&str> = sent.keys().map(String::as_str).take(MAX_COMPARED).collect();
        let body = Search::all(filters, &wanted);
        let (rows, _) = self.sink.client.search(self.cx, object, &body).await?;
        let same = |row: &Row| {
            wanted.iter().all(|name| {
                let found = row.property(name).unwrap_or_default().trim();
                sent.get(*name).is_some_and(|value| value.trim() == found)
            })
        };
        Ok(rows.into_iter().find(same))
    }

    async fn read_keys(&self, object: &ObjectType, keys: &[String]) -> Result<Vec<Row>, Fault> {
        let by = ByProperty {
            property: KEY_PROPERTY,
            wanted: &[KEY_PROPERTY],
        };
        read_by(self.sink, self.cx, object, &by, keys).await
    }

    /// Finds mails under our own key.
    async fn look_up_own_mails(&mut self, unknown: &[usize]) -> Result<(), Fault> {
        let object = ObjectType::Email;
        if !self.profile.is_keyed(&object) {
            return Ok(());
        }
        let keys: Vec<String> = unknown
            .iter()
            .map(|&index| self.batch[index].key.clone())
            .collect();
        let rows = self.read_keys(&object, &keys).await?;
        for &index in unknown {
            let key = self.batch[index].key.as_str();
            let row = rows
                .iter()
                .find(|row| row.property(KEY_PROPERTY) == Some(key));
            if let Some(id) = row.and_then(|row| RecordId::new(&row.id).ok()) {
                self.settle_mail(index, EffectVerb::Created, id);
            }
        }
        Ok(())
    }

    /// Finds mails on the contact's timeline that agree in sender, date and subject.
    async fn look_up_foreign_mails(&mut self, doubtful: &[usize]) -> Result<(), Fault> {
        let contacts: BTreeSet<String> = doubtful
            .iter()
            .filter_map(|&index| self.items[index].contact.as_ref().map(ToString::to_string))
            .collect();
        let contacts: Vec<String> = contacts.into_iter().collect();
        let mut linked: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let chunk = self.sink.limits.request_items.max(1);
        for part in contacts.chunks(chunk) {
            let (from, to) = (ObjectType::Contact, ObjectType::Email);
            linked.extend(self.sink.client.linked(self.cx, &from, &to, part).await?);
        }
        let mut ids: Vec<String> = Vec::new();
        for list in linked.values_mut() {
            // Ids grow, so the longest and then greatest are the newest.
            list.sort_by(|a, b| (b.len(), b).cmp(&(a.len(), a)));
            list.truncate(MAX_TIMELINE);
            ids.extend_from_slice(list);
        }
        ids.sort_unstable();
        ids.dedup();
        let mut rows = BTreeMap::new();
        for part in ids.chunks(chunk) {
            let body = BatchRead::by_id(MAIL_PROPERTIES, part);
            let read = self
                .sink
                .client
                .batch_read(self.cx, &ObjectType::Email, &body)
                .await?;
            rows.extend(read.into_iter().map(|row| (row.id.clone(), row)));
        }
        for &index in doubtful {
            let contact = self.items[index].contact.as_ref().map(ToString::to_string);
            let candidates = contact.and_then(|id| linked.get(&id)).into_iter().flatten();
            let candidates: Vec<Row> = candidates.filter_map(|id| rows.get(id)).cloned().collect();
            self.adopt_mail(index, &candidates);
        }
        Ok(())
    }

    fn adopt_mail(&mut self, index: usize, candidates: &[Row]) {
        let activity = &self.batch[index].activity;
        let taken = |row: &Row| {
            let effects = self.items.iter().flat_map(|item| &item.effects);
            effects
                .into_iter()
                .any(|effect| effect.record.id.as_str() == row.id)
        };
        let same = candidates
            .iter()
            .find(|row| agrees(row, activity) && !taken(row));
        if let Some(id) = same.and_then(|row| RecordId::new(&row.id).ok()) {
            self.settle_mail(index, EffectVerb::Adopted, id);
        } else if candidates.iter().any(|row| has_message_id(row, activity)) {
            let note = "another e-mail here bears this Message-ID; written on its own";
            self.items[index].notes.push(note.to_owned());
        }
    }
}

/// Tells whether an engagement is this mail: sender, date and subject agree, and so does the
/// Message-ID where the engagement has one.
fn agrees(row: &Row, activity: &ActivityWrite) -> bool {
    let draft = &activity.draft;
    let same_id = match (row.property("hs_email_message_id"), &draft.message_id) {
        (Some(_), Some(_)) => has_message_id(row, activity),
        _ => true,
    };
    let same_date = row
        .property("hs_timestamp")
        .and_then(seconds)
        .is_some_and(|at| at == draft.sent_at.timestamp());
    let subject = row.property("hs_email_subject").unwrap_or_default();
    let same_sender =
        sender(row).is_some_and(|s| s.eq_ignore_ascii_case(draft.from.address.as_str()));
    same_id && same_date && same_sender && subject.trim() == draft.subject.trim()
}

fn has_message_id(row: &Row, activity: &ActivityWrite) -> bool {
    let plain = |id: &str| id.trim_matches(['<', '>', ' ']).to_owned();
    let found = row.property("hs_email_message_id").map(plain);
    found.is_some() && found == activity.draft.message_id.as_deref().map(plain)
}

fn sender(row: &Row) -> Option<String> {
    if let Some(address) = row.property("hs_email_from_email") {
        return Some(address.to_owned());
    }
    let headers: serde_json::Value =
        serde_json::from_str(row.property("hs_email_headers")?).ok()?;
    headers["from"]["email"].as_str().map(str::to_owned)
}

/// Reads ISO 8601 or epoch milliseconds, both of which HubSpot answers.
fn seconds(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(millis) => Some(millis.div_euclid(1000)),
        Err(_) => chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.timestamp()),
    }
}

const MAIL_PROPERTIES: &[&str] = &[
    "hs_timestamp",
    "hs_email_subject",
    "hs_email_from_email",
    "hs_email_headers",
    "hs_email_message_id",
];
/// Newest mails of one contact that are compared.
const MAX_TIMELINE: usize = 300;
/// Fields of a record that are compared, so that a search stays under 3,000 characters.
const MAX_COMPARED: usize = 30;

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn dates_are_read_in_both_spellings() {
        for (text, at) in [
            ("2026-01-01T00:00:00.000Z", Some(1_767_225_600)),
            ("1767225600999", Some(1_767_225_600)),
            ("soon", None),
        ] {
            assert_eq!(seconds(text), at, "{text}");
        }
    }
}
