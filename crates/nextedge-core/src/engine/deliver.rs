//! `deliver`: one batch for one sink: load, find, resolve, write, one commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::deps::{Deps, panic_safe};
use super::fetch::{failed, next_attempt};
use super::open::{OpenedMail, open_mail};
use super::threads::sender_key;
use super::unit::delivery_item;
use crate::clock::{Timestamp, later};
use crate::context::CallContext;
use crate::domain::{
    Category, ConnectionId, Effect, EmailAddress, PartyKey, Plan, RecordKind, RecordRef,
    ReviewReason, Slot, ThreadKey,
};
use crate::error::{Error, ErrorKind, Reach, Result};
use crate::policy::Policy;
use crate::sink::{
    ActivityWrite, AttachmentWrite, CrmSink, Delivery, FindRequest, Found, FoundContact,
    FoundParty, ItemEnd, ItemOutcome, PartyQuery, RecordState,
};
use crate::stage::resolve::{ResolveInput, Resolved, resolve};
use crate::store::{
    AfterDead, Claim, ClaimedItem, DeliveredEnd, DeliveredUnit, JobKind, KnownRecord, Unit, Work,
};

/// Writes a claimed batch to its CRM; every answered effect is committed, whatever else happened.
pub(crate) async fn deliver(deps: &Deps, claim: &Claim) -> Result<()> {
    let started = deps.clock.now();
    let connection_id = claim.connection.as_ref().ok_or_else(no_connection)?;
    let connection = deps.connection(&claim.tenant, connection_id).await?;
    let sink = deps.sink(&connection.vendor)?;
    let attempt = claim
        .items
        .iter()
        .map(|item| item.attempt)
        .max()
        .unwrap_or(1);
    let cx = deps
        .call_context(&claim.tenant, connection)
        .with_attempt(attempt);
    let batch = Batch::load(claim).await?;
    let found = match batch.find(deps, &*sink, &cx).await {
        Ok(found) => found,
        Err(error) => return pause(deps, claim, &cx, connection_id, &error).await,
    };
    let ready = batch.resolve(deps, &found);
    let answers = match write(deps, &*sink, &cx, &ready.deliveries).await {
        Ok(answers) => answers,
        Err(error) => return pause(deps, claim, &cx, connection_id, &error).await,
    };
    let settle = deps.options.settle.unwrap_or(sink.capabilities().settle);
    let mut units = vec![Unit::Calls(cx.take_calls())];
    units.extend(ready.reviews);
    for (entry, answer) in ready.entries.iter().zip(answers) {
        if let ItemEnd::Failed(error) = &answer.end
            && error.reach() != Reach::Item
        {
            deps.close_gate(&claim.tenant, connection_id, error).await?;
        }
        units.extend(outcome(deps, claim, settle, entry, answer));
    }
    deps.commit_all(claim, JobKind::Deliver, units, started)
        .await
}

/// One claimed delivery with its plan taken apart and its mail opened.
struct Entry<'a> {
    item: &'a ClaimedItem,
    plan: &'a Plan,
    done: &'a [Effect],
    parties: &'a [KnownRecord],
    record: Option<&'a RecordRef>,
    mail: Result<OpenedMail>,
}

struct Batch<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Batch<'a> {
    /// Opens the raw mails away from the async threads.
    async fn load(claim: &'a Claim) -> Result<Self> {
        let wanted: Vec<_> = claim.items.iter().filter_map(to_open).collect();
        let opened = tokio::task::spawn_blocking(move || {
            wanted
                .into_iter()
                .map(|(raw, indices)| open_mail(raw, &indices))
                .collect::<Vec<_>>()
        });
        let opened = opened.await.map_err(|error| {
            Error::new(
                ErrorKind::Unexpected,
                "opening the mails of a batch panicked",
            )
            .with_source(error)
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
    async fn find(&self, deps: &Deps, sink: &dyn CrmSink, cx: &CallContext) -> Result<FoundBatch> {
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
            let record = threads
                .filter_map(|(_, id)| found.threads.iter().find(|thread| thread.id == *id))
                .filter(|thread| thread.category == Some(Category::Lead))
                .find_map(|thread| thread.record(&cx.connection().id));
            if let Some(record) = record.filter(|record| record.kind != RecordKind::Contact) {
                request.records.push(record.clone());
                siblings.insert(entry.plan.sender.address.clone(), record.clone());
            }
        }
        Ok(siblings)
    }

    /// Picks each plan's alternative; items that need a person, and the rest of their run, stay out.
    fn resolve(self, deps: &Deps, found: &FoundBatch) -> Ready<'a> {
        let mut ready = Ready::default();
        let mut stopped: Option<String> = None;
        for entry in self.entries {
            let lane = entry.item.lane.clone();
            if stopped.as_ref() == Some(&lane) {
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

struct FoundBatch {
    found: Found,
    places: HashMap<EmailAddress, usize>,
    records: Vec<RecordRef>,
    /// Our open lead of another thread, by sender.
    siblings: HashMap<EmailAddress, RecordRef>,
    policy: Arc<Policy>,
}

#[derive(Default)]
struct Ready<'a> {
    entries: Vec<Entry<'a>>,
    deliveries: Vec<Delivery>,
    reviews: Vec<Unit>,
}

enum Stop {
    Review(ReviewReason),
    Dead(Error),
}

impl Entry<'_> {
    fn is_new_lead(&self) -> bool {
        self.record.is_none() && self.plan.category == Category::Lead
    }

    fn known(&self, wanted: &PartyKey) -> bool {
        self.parties.iter().any(|known| known.party == *wanted)
    }

    /// What the CRM answered, with what our ledger knows already.
    fn known_party(&self, found: Option<&FoundParty>) -> FoundParty {
        let mut party = found.cloned().unwrap_or_default();
        for known in self.parties {
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

    fn delivery(&self, found: &FoundBatch, ready: &Ready<'_>) -> Result<Delivery, Stop> {
        let earlier = ready
            .entries
            .iter()
            .rposition(|entry| entry.item.lane == self.item.lane);
        let party = found.places.get(&self.plan.sender.address);
        let state = self.record.and_then(|record| {
            let place = found.records.iter().position(|known| known == record)?;
            found.found.records.get(place)
        });
        let record_key = format!("nr-{}", self.plan.message);
        let known = self.known_party(party.and_then(|place| found.found.parties.get(*place)));
        let state = state.unwrap_or(&RecordState::Open);
        let resolved = resolve(
            self.plan,
            &ResolveInput {
                party: &known,
                linked: self.record.map(|record| (record, state)),
                earlier: earlier.filter(|_| self.record.is_none()),
                sibling: found.siblings.get(&self.plan.sender.address),
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
        let mail = match &self.mail {
            Ok(mail) => mail,
            Err(error) => return Err(Stop::Dead(copy(error))),
        };
        let key = format!("ne-{}", self.plan.message);
        Ok(Delivery {
            message: self.plan.message,
            thread: self.plan.thread,
            outcome_unknown: self.item.outcome_unknown,
            done: self.done.to_vec(),
            company,
            contact,
            record,
            activity: self.activity(mail),
            attachments: self.attachments(mail),
            key,
        })
    }

    fn activity(&self, mail: &OpenedMail) -> ActivityWrite {
        ActivityWrite {
            draft: self.plan.activity.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
            original: mail.raw.clone(),
        }
    }

    fn attachments(&self, mail: &OpenedMail) -> Vec<AttachmentWrite> {
        let chosen = self.plan.attachments.iter();
        let opened = chosen.filter_map(|choice| {
            let bytes = mail
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
        opened.collect()
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
        self.unit(Vec::new(), end)
    }

    /// A later mail may go on without this one only if the thread has its record.
    fn after(&self) -> AfterDead {
        if self.record.is_some() {
            AfterDead::Continue
        } else {
            AfterDead::HoldLane
        }
    }

    fn unit(&self, effects: Vec<Effect>, end: DeliveredEnd) -> Unit {
        let all: Vec<&Effect> = self.done.iter().chain(&effects).collect();
        let of = |slot: &Slot| {
            all.iter()
                .find(|e| e.slot == *slot)
                .map(|e| e.record.clone())
        };
        let contact = of(&Slot::Contact);
        let address = &self.plan.sender.address;
        let person = contact.clone().map(|record| KnownRecord {
            party: PartyKey::Address(address.clone()),
            record,
        });
        let company = of(&Slot::Company).map(|record| KnownRecord {
            party: PartyKey::Company(address.domain().registrable()),
            record,
        });
        let complete = matches!(end, DeliveredEnd::Done);
        let contact_only = contact.filter(|r| complete && r.kind == RecordKind::Contact);
        Unit::Delivered(Box::new(DeliveredUnit {
            message: self.plan.message,
            thread: self.plan.thread,
            record: of(&Slot::Record).or_else(|| self.record.is_none().then_some(contact_only)?),
            parties: person.into_iter().chain(company).collect(),
            effects,
            end,
        }))
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

/// Sends the batch and checks the connector's answer against its contract.
async fn write(
    deps: &Deps,
    sink: &dyn CrmSink,
    cx: &CallContext,
    deliveries: &[Delivery],
) -> Result<Vec<ItemOutcome>> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let answer = tokio::select! {
        answer = panic_safe(sink.name(), sink.deliver(cx, deliveries)) => answer,
        // the sink should have kept the deadline itself
        () = deps.clock.sleep(deps.options.call_budget + DEADLINE_GRACE) => {
            Err(Error::new(ErrorKind::Unexpected, "sink overran its deadline"))
        }
    };
    match answer {
        Ok(answers) if answers.len() == deliveries.len() => {
            if let Some(fault) = run_broken(deliveries, &answers) {
                let _ = deps.contract_broken(sink.name(), fault);
            }
            Ok(answers)
        }
        Ok(answers) => {
            let fault = format!("{} answers for {} items", answers.len(), deliveries.len());
            let error = deps.contract_broken(sink.name(), fault);
            Ok(all_unknown(deliveries, &error))
        }
        // a panic or an overrun may have come after a write
        Err(error) if error.kind() == ErrorKind::Unexpected => Ok(all_unknown(deliveries, &error)),
        Err(error) => Err(error),
    }
}

fn all_unknown(deliveries: &[Delivery], error: &Error) -> Vec<ItemOutcome> {
    let unknown = |_| ItemOutcome {
        effects: Vec::new(),
        end: ItemEnd::Unknown(copy(error)),
    };
    deliveries.iter().map(unknown).collect()
}

/// Finds an item that went on after an unfinished one of its run.
fn run_broken(deliveries: &[Delivery], answers: &[ItemOutcome]) -> Option<String> {
    let mut unfinished = None;
    for (delivery, answer) in deliveries.iter().zip(answers) {
        if unfinished == Some(delivery.thread) && !matches!(answer.end, ItemEnd::NotAttempted) {
            return Some(format!(
                "item {} was attempted after an unfinished one",
                delivery.key
            ));
        }
        if !matches!(answer.end, ItemEnd::Done) {
            unfinished = Some(delivery.thread);
        }
    }
    None
}

fn outcome(
    deps: &Deps,
    claim: &Claim,
    settle: Duration,
    entry: &Entry<'_>,
    answer: ItemOutcome,
) -> Option<Unit> {
    let effects = answer.effects;
    let item = entry.item;
    let end = match answer.end {
        ItemEnd::Done => DeliveredEnd::Done,
        ItemEnd::NotAttempted if effects.is_empty() => return None,
        ItemEnd::NotAttempted => {
            let error = Error::new(ErrorKind::Unavailable, "interrupted after some effects");
            DeliveredEnd::Retry {
                at: deps.clock.now(),
                error: error.report(),
            }
        }
        ItemEnd::Unknown(error) => {
            let at = later(deps.clock.now(), settle);
            let at = next_attempt(deps, item.message, item.attempt, &error)
                .unwrap_or(at)
                .max(at);
            if item.attempt as usize > deps.options.backoff.len() {
                DeliveredEnd::Dead {
                    error: error.report(),
                    after: entry.after(),
                }
            } else {
                DeliveredEnd::Unknown {
                    at,
                    error: error.report(),
                }
            }
        }
        // the gate spares the attempt, unless something was achieved that must be kept
        ItemEnd::Failed(error) if error.reach() != Reach::Item && effects.is_empty() => {
            return None;
        }
        ItemEnd::Failed(error) => failure(deps, claim, entry, &error),
    };
    Some(entry.unit(effects, end))
}

fn failure(deps: &Deps, claim: &Claim, entry: &Entry<'_>, error: &Error) -> DeliveredEnd {
    if error.kind() == ErrorKind::Rejected
        && let Some(field) = error.context("field")
    {
        let reason = ReviewReason::Refused(field.to_owned());
        return DeliveredEnd::Review(delivery_item(entry.plan, reason, deps.clock.now()));
    }
    match failed(deps, claim, JobKind::Deliver, entry.item, error) {
        Unit::Retry { at, error, .. } => DeliveredEnd::Retry { at, error },
        _ => DeliveredEnd::Dead {
            error: error.report(),
            after: entry.after(),
        },
    }
}

/// Nothing was written: the calls are kept, the connection pauses, no attempt is burnt.
async fn pause(
    deps: &Deps,
    claim: &Claim,
    cx: &CallContext,
    connection: &ConnectionId,
    error: &Error,
) -> Result<()> {
    deps.close_gate(&claim.tenant, connection, error).await?;
    let calls = vec![Unit::Calls(cx.take_calls())];
    let started: Timestamp = deps.clock.now();
    deps.commit_all(claim, JobKind::Deliver, calls, started)
        .await
}

/// Repeats an error for each item of a batch; the cause stays with the first.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned())
        .with_operation(error.operation().to_owned())
        .with_retry(error.retry())
}

fn no_connection() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        "the store claimed a delivery without its connection",
    )
}

/// Time a sink gets beyond its deadline before its future is dropped.
const DEADLINE_GRACE: Duration = Duration::from_secs(3);
