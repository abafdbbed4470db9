//! A claimed batch on its way to `deliver`: opened, looked up, every plan resolved.

use std::collections::HashMap;
use std::sync::Arc;

use super::deps::{Deps, panic_safe};
use super::open::{Opened, open};
use super::threads::sender_key;
use super::unit::delivery_item;
use crate::context::CallContext;
use crate::domain::{
    Category, Effect, EffectVerb, EmailAddress, PartyKey, Plan, RecordKind, RecordRef,
    ReviewReason, Slot, ThreadKey,
};
use crate::error::{Error, ErrorKind, Result};
use crate::mail::on_reading_thread;
use crate::policy::{Policy, SecondThread};
use crate::sink::{
    ActivityWrite, AttachmentWrite, CrmSink, Delivery, FindRequest, Found, FoundContact,
    FoundParty, PartyQuery, RecordState,
};
use crate::stage::resolve::{ResolveInput, Resolved, resolve};
use crate::store::{Claim, ClaimedItem, DeliveredEnd, KnownRecord, Unit, Work};

/// One claimed delivery with its plan taken apart and its mail opened.
pub(super) struct Entry<'a> {
    pub(super) item: &'a ClaimedItem,
    pub(super) plan: &'a Plan,
    pub(super) done: &'a [Effect],
    pub(super) parties: &'a [KnownRecord],
    pub(super) record: Option<&'a RecordRef>,
    pub(super) mail: Result<Opened>,
}

pub(super) struct Batch<'a> {
    pub(super) entries: Vec<Entry<'a>>,
}

impl<'a> Batch<'a> {
    /// Opens the raw mails away from the async threads.
    pub(super) async fn load(claim: &'a Claim) -> Result<Self> {
        let wanted: Vec<_> = claim.items.iter().filter_map(to_open).collect();
        let opened = on_reading_thread(move || {
            wanted
                .into_iter()
                .map(|(raw, indices)| open(raw, &indices))
                .collect::<Vec<_>>()
        });
        let opened = opened.await.ok_or_else(|| {
            Error::new(
                ErrorKind::Unexpected,
                "opening the mails of a batch panicked",
            )
        })?;
        let entries = claim.items.iter().zip(opened).filter_map(|(item, mail)| {
            let Work::Deliver {
                plan,
                done,
                parties,
                record,
                ..
            } = &item.work
            else {
                return None;
            };
            Some(Entry {
                item,
                plan,
                done,
                parties,
                record: record.as_ref(),
                mail,
            })
        });
        Ok(Self {
            entries: entries.collect(),
        })
    }

    /// One batched read for everything that is not known yet.
    pub(super) async fn find(
        &self,
        deps: &Deps,
        sink: &dyn CrmSink,
        cx: &CallContext,
    ) -> Result<FoundBatch> {
        let mut request = FindRequest::default();
        let mut places = HashMap::new();
        for entry in &self.entries {
            if let Some(query) = entry.party_query() {
                let address = entry.plan.sender.address.clone();
                places.entry(address).or_insert_with(|| {
                    request.parties.push(query);
                    request.parties.len() - 1
                });
            }
            if let Some(record) = entry.record.filter(|_| entry.needs_state()) {
                request.records.push(record.clone());
            }
        }
        let siblings = self.siblings(deps, cx, &mut request).await?;
        let policy = deps.tenants.load(&*deps.store, cx.tenant()).await?.policy;
        let records = request.records.clone();
        if request.parties.is_empty() && request.records.is_empty() {
            return Ok(FoundBatch {
                found: Found::default(),
                places,
                records,
                siblings,
                policy,
            });
        }
        let found = panic_safe(sink.name(), sink.find(cx, &request)).await?;
        if found.parties.len() != request.parties.len() || found.records.len() != records.len() {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "sink answered another number of finds",
            )
            .with_context("sink", sink.name()));
        }
        let open = |record: &RecordRef| {
            let place = records.iter().position(|known| known == record);
            place.and_then(|place| found.records.get(place)) == Some(&RecordState::Open)
        };
        let siblings = siblings
            .into_iter()
            .filter(|(_, record)| open(record))
            .collect();
        Ok(FoundBatch {
            found,
            places,
            records,
            siblings,
            policy,
        })
    }

    /// Finds our lead of another thread of the same sender, for new leads only.
    async fn siblings(
        &self,
        deps: &Deps,
        cx: &CallContext,
        request: &mut FindRequest,
    ) -> Result<HashMap<EmailAddress, RecordRef>> {
        let leads = self.entries.iter().filter(|entry| entry.is_new_lead());
        let keys: Vec<ThreadKey> = leads
            .map(|entry| sender_key(&entry.plan.sender.address))
            .collect();
        let mut siblings = HashMap::new();
        if keys.is_empty() {
            return Ok(siblings);
        }
        let found = deps.store.lookup(cx.tenant(), &keys, &[]).await?;
        for entry in self.entries.iter().filter(|entry| entry.is_new_lead()) {
            let key = sender_key(&entry.plan.sender.address);
            let threads = found
                .found
                .iter()
                .filter(|(k, id)| *k == key && *id != entry.plan.thread);
            // the record tells: a thread whose lead a person approved has no category of its own
            let mut records = threads
                .filter_map(|(_, id)| found.threads.iter().find(|thread| thread.id == *id))
                .filter_map(|thread| thread.record(&cx.connection().id));
            if let Some(record) = records.find(|record| record.kind == RecordKind::Lead) {
                request.records.push(record.clone());
                siblings.insert(entry.plan.sender.address.clone(), record.clone());
            }
        }
        Ok(siblings)
    }

    /// Picks each plan's alternative; items that need a person, and the rest of their run, stay out.
    pub(super) fn resolve(self, deps: &Deps, found: &FoundBatch) -> Ready<'a> {
        let mut ready = Ready::default();
        let mut stopped: Option<String> = None;
        for mut entry in self.entries {
            let lane = entry.item.lane.clone();
            if stopped.as_ref() == Some(&lane) {
                continue;
            }
            if entry.awaits_lead(found, &ready) {
                stopped = Some(lane);
                continue;
            }
            match entry.delivery(found, &ready) {
                Ok(delivery) => {
                    ready.deliveries.push(delivery);
                    ready.entries.push(entry);
                }
                Err(stop) => {
                    ready.reviews.push(entry.stopped(deps, stop));
                    stopped = Some(lane);
                }
            }
        }
        ready
    }
}

pub(super) struct FoundBatch {
    pub(super) found: Found,
    pub(super) places: HashMap<EmailAddress, usize>,
    pub(super) records: Vec<RecordRef>,
    /// Our open lead of another thread, by sender.
    pub(super) siblings: HashMap<EmailAddress, RecordRef>,
    pub(super) policy: Arc<Policy>,
}

#[derive(Default)]
pub(super) struct Ready<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) reviews: Vec<Unit>,
}

pub(super) enum Stop {
    Review(ReviewReason),
    Dead(Error),
}

impl Entry<'_> {
    fn is_new_lead(&self) -> bool {
        self.record.is_none() && self.plan.category == Category::Lead
    }

    /// Whether this batch makes the lead that this enquiry joins: it goes back and is claimed again,
    /// when that lead is known.
    fn awaits_lead(&self, found: &FoundBatch, ready: &Ready<'_>) -> bool {
        let sender = &self.plan.sender.address;
        let makes_lead = |other: &Entry<'_>| {
            other.is_new_lead()
                && other.item.lane != self.item.lane
                && other.plan.sender.address == *sender
        };
        self.is_new_lead()
            && found.policy.threads.second_thread == SecondThread::Activity
            && !found.siblings.contains_key(sender)
            && ready.entries.iter().any(makes_lead)
    }

    fn known(&self, wanted: &PartyKey) -> bool {
        // an item that failed before may have failed because our ledger is out of date
        self.item.attempt == 1 && self.parties.iter().any(|known| known.party == *wanted)
    }

    /// Whether the sender is known to the CRM only through an earlier attempt at this delivery.
    ///
    /// After an attempt of unknown outcome nothing tells its contact from one that others made since
    /// the plan; it is taken for ours, because the sink finds whatever record that attempt created.
    fn own_contact(&self) -> bool {
        let mut contacts = self.done.iter().filter(|e| e.slot == Slot::Contact);
        if self.item.outcome_unknown {
            let address = self.plan.sender.address.clone();
            return contacts.next().is_some() || !self.known(&PartyKey::Address(address));
        }
        contacts.any(|effect| effect.verb == EffectVerb::Created)
    }

    /// What the CRM answered, with what our ledger knows already.
    fn known_party(&self, found: Option<&FoundParty>) -> FoundParty {
        let mut party = found.cloned().unwrap_or_default();
        let ledger = self.parties.iter().filter(|known| self.known(&known.party));
        for known in ledger {
            match &known.party {
                PartyKey::Address(_) if party.contacts.is_empty() => {
                    party.contacts.push(FoundContact {
                        record: known.record.clone(),
                        company: None,
                        // unread, so nothing may be taken for empty
                        fields: self.plan.contact.fields.clone(),
                    });
                }
                PartyKey::Company(_) if party.companies.is_empty() => {
                    party.companies.push(known.record.clone());
                }
                PartyKey::Address(_) | PartyKey::Company(_) => {}
            }
        }
        party
    }

    /// What must be looked up about the sender; none if our ledger knows it already.
    fn party_query(&self) -> Option<PartyQuery> {
        let address = &self.plan.sender.address;
        if self.known(&PartyKey::Address(address.clone())) {
            return None;
        }
        let domain = address.domain().registrable();
        let wants_company = self.plan.company.is_some();
        let company =
            (wants_company && !self.known(&PartyKey::Company(domain.clone()))).then_some(domain);
        let fields = self.plan.contact.fields.keys().cloned().collect();
        Some(PartyQuery {
            addresses: vec![address.clone()],
            company,
            fields,
        })
    }

    /// A record's state is read only when it matters: fields would be set, or it failed before.
    fn needs_state(&self) -> bool {
        self.item.attempt > 1 || self.plan.sets_fields_on_join()
    }

    fn delivery(&mut self, found: &FoundBatch, ready: &Ready<'_>) -> Result<Delivery, Stop> {
        let earlier = ready
            .entries
            .iter()
            .rposition(|entry| entry.item.lane == self.item.lane);
        let party = found.places.get(&self.plan.sender.address);
        let state = self.record.and_then(|record| {
            let place = found.records.iter().position(|known| known == record)?;
            found.found.records.get(place)
        });
        let record_key = self.record_key();
        let known = self.known_party(party.and_then(|place| found.found.parties.get(*place)));
        let state = state.unwrap_or(&RecordState::Open);
        let resolved = resolve(
            self.plan,
            &ResolveInput {
                party: &known,
                linked: self.record.map(|record| (record, state)),
                earlier: earlier.filter(|_| self.record.is_none()),
                sibling: found.siblings.get(&self.plan.sender.address),
                own_contact: self.own_contact(),
                record_key: &record_key,
                threads: &found.policy.threads,
            },
        );
        let (company, contact, record) = match resolved {
            Resolved::Write {
                company,
                contact,
                record,
            } => (company, contact, record),
            Resolved::Review(reason) => return Err(Stop::Review(reason)),
        };
        let opened = match &mut self.mail {
            Ok(opened) => opened,
            Err(error) => return Err(Stop::Dead(error.repeated())),
        };
        let attachments = attachments(self.plan, opened);
        let activity = activity(self.plan, opened);
        let key = format!("ne-{}", self.plan.message);
        Ok(Delivery {
            message: self.plan.message,
            thread: self.plan.thread,
            outcome_unknown: self.item.outcome_unknown,
            done: self.done.to_vec(),
            company,
            contact,
            record,
            activity,
            attachments,
            key,
        })
    }

    /// Our key for a record that this delivery creates.
    ///
    /// The first record of a thread has the thread's key, so that an earlier mail that arrives while
    /// nobody knows what an attempt at a later one made meets the record of that attempt. A record that
    /// takes the place of another has a key of its own.
    fn record_key(&self) -> String {
        match self.record {
            None => format!("nr-{}", self.plan.thread),
            Some(_) => format!("nr-{}", self.plan.message),
        }
    }

    fn stopped(&self, deps: &Deps, stop: Stop) -> Unit {
        let end = match stop {
            Stop::Review(reason) => {
                DeliveredEnd::Review(delivery_item(self.plan, reason, deps.clock.now()))
            }
            Stop::Dead(error) => DeliveredEnd::Dead {
                error: error.report(),
                after: self.after(),
            },
        };
        self.unit(Vec::new(), end, None)
    }
}

type ToOpen = (bytes::Bytes, Vec<u32>);

fn to_open(item: &ClaimedItem) -> Option<ToOpen> {
    let Work::Deliver { raw, plan, .. } = &item.work else {
        return None;
    };
    Some((
        raw.clone(),
        plan.attachments.iter().map(|choice| choice.index).collect(),
    ))
}

/// Hands the opened content on; it is needed once.
fn activity(plan: &Plan, opened: &mut Opened) -> ActivityWrite {
    ActivityWrite {
        draft: plan.activity.clone(),
        text: std::mem::take(&mut opened.mail.text),
        html: opened.mail.html.take(),
        original: opened.raw.clone(),
    }
}

fn attachments(plan: &Plan, opened: &Opened) -> Vec<AttachmentWrite> {
    let chosen = plan.attachments.iter();
    let files = chosen.filter_map(|choice| {
        let bytes = opened
            .mail
            .attachments
            .iter()
            .find(|(index, _)| *index == choice.index)?;
        Some(AttachmentWrite {
            name: choice.name.clone(),
            media_type: choice.media_type.clone(),
            sha256: choice.sha256.clone(),
            bytes: bytes.1.clone(),
        })
    });
    files.collect()
}
