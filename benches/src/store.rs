//! The store alone: the claims and commits that one run of the mix costs, in the engine's groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nextedge_core::engine::EngineOptions;
use nextedge_core::source::Stub;
use nextedge_core::store::{
    Claim, ClaimRequest, ClaimedItem, DecisionRecord, DeliveredEnd, DeliveredUnit, JobKind,
    KnownRecord, Mailbox, NextPage, PageCommit, Phase, ProcessedOutcome, ProcessedUnit, Store,
    SyncState, Unit, Work,
};
use nextedge_core::{
    CallRecord, Connection, ConnectionId, ConnectionRole, Effect, EffectVerb, Guarantee,
    MessageUid, ParkReason, PartyKey, Plan, ProviderId, RecordId, RecordKind, RecordRef, Slot,
    Versions,
};
use serde_json::json;

use crate::clock::{cpu, monotonic};
use crate::stages::{Prepared, Stages};
use crate::{Failure, receiver};

/// A store that has listed the prepared mails and waits for the rest of their way.
///
/// Units are made from the prepared plans before the clocks are read, so a step's time is the
/// store's alone.
#[derive(Debug)]
pub struct StoreWay<'a> {
    store: Arc<dyn Store>,
    stages: &'a Stages,
    by_message: HashMap<MessageUid, &'a Prepared>,
    options: EngineOptions,
    deliver_batch: usize,
}

/// What one claim, its commit and its release took.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Step {
    /// Mails of the claim.
    pub mails: u64,
    /// By the clock on the wall.
    pub wall: Duration,
    /// Of all threads of this process.
    pub cpu: Duration,
}

impl std::ops::AddAssign for Step {
    fn add_assign(&mut self, other: Self) {
        self.mails += other.mails;
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

impl<'a> StoreWay<'a> {
    /// Connects a source and a sink in an empty store and lists the prepared mails, by pages.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(
        store: Arc<dyn Store>,
        stages: &'a Stages,
        options: EngineOptions,
    ) -> Result<Self, Failure> {
        let (tenant, id) = (&stages.tenant, &stages.mailbox);
        let source = Connection::new(ConnectionId::new(SOURCE)?, SOURCE, ConnectionRole::Source);
        let sink = Connection::new(stages.sink.clone(), receiver::VENDOR, ConnectionRole::Sink);
        let source_id = source.id.clone();
        store.put_connection(tenant, source).await?;
        store.put_connection(tenant, sink).await?;
        store
            .put_mailbox(tenant, Mailbox::new(id.clone(), source_id))
            .await?;
        let way = Self {
            by_message: stages.mails().iter().map(|m| (m.message, m)).collect(),
            deliver_batch: options.deliver_batch.min(receiver::MAX_BATCH),
            store,
            stages,
            options,
        };
        for page in stages.mails().chunks(way.options.page_size) {
            way.page(page).await?;
        }
        Ok(way)
    }

    async fn page(&self, mails: &[Prepared]) -> Result<(), Failure> {
        let (tenant, id) = (&self.stages.tenant, &self.stages.mailbox);
        self.store.mark_dirty(tenant, id).await?;
        let claim = self
            .store
            .claim_mailbox(&self.options.scope, SOURCE, self.options.lease)
            .await?
            .ok_or("the mailbox is not due")?;
        let stub = |mail: &Prepared| -> Result<Stub, Failure> {
            Ok(Stub {
                thread_hint: Some(mail.thread_hint.clone()),
                received_at: Some(mail.received_at),
                bytes: Some(mail.raw.len() as u64),
                ..Stub::new(ProviderId::new(mail.number.to_string())?)
            })
        };
        let page = PageCommit {
            stubs: mails.iter().map(stub).collect::<Result<_, _>>()?,
            sync: SyncState {
                phase: Phase::Live,
                ..SyncState::default()
            },
            next: NextPage::Free { due: None },
        };
        self.store
            .commit_page(tenant, id, claim.lease, page)
            .await?;
        Ok(())
    }

    /// Takes every mail through one kind of work; returns the sum of its steps.
    ///
    /// # Errors
    ///
    /// Those of the store, or if a unit was refused.
    pub async fn all(&self, kind: JobKind) -> Result<Step, Failure> {
        let mut sum = Step::default();
        while let Some(step) = self.step(kind).await? {
            sum += step;
        }
        Ok(sum)
    }

    /// Claims one group, commits and releases it; none if nothing is left of this kind.
    ///
    /// # Errors
    ///
    /// Those of the store, or if a unit was refused.
    pub async fn step(&self, kind: JobKind) -> Result<Option<Step>, Failure> {
        let request = self.request(kind);
        let begun = Clocks::now();
        let claim = self.store.claim(&request).await?;
        let mut step = begun.step();
        let Some(claim) = claim else {
            return Ok(None);
        };
        step.mails = claim.items.len() as u64;
        let units = self.units(&claim)?;
        let begun = Clocks::now();
        let answers = self.store.commit(&claim.tenant, claim.lease, units).await?;
        self.store.release(&claim.tenant, claim.lease).await?;
        step += begun.step();
        for answer in answers {
            answer?;
        }
        Ok(Some(step))
    }

    fn request(&self, kind: JobKind) -> ClaimRequest {
        let options = &self.options;
        let (vendor, max_items, max_in_flight) = match kind {
            JobKind::Fetch => (SOURCE, options.fetch_batch, 1),
            JobKind::Process => ("", options.process_batch, options.process_workers),
            JobKind::Deliver => (
                receiver::VENDOR,
                self.deliver_batch,
                options.deliver_in_flight,
            ),
        };
        ClaimRequest {
            kind,
            scope: options.scope.clone(),
            vendor: vendor.to_owned(),
            max_items,
            max_bytes: options.batch_bytes,
            lease: options.lease,
            max_in_flight,
            settle: Duration::ZERO,
        }
    }

    fn units(&self, claim: &Claim) -> Result<Vec<Unit>, Failure> {
        let mut units = Vec::with_capacity(claim.items.len() + 1);
        for item in &claim.items {
            let mail = self
                .by_message
                .get(&item.message)
                .ok_or("an unknown mail")?;
            units.push(match &item.work {
                Work::Fetch { .. } => Unit::Fetched {
                    message: item.message,
                    raw: mail.raw.clone(),
                    received_at: item.received_at,
                    thread_hint: None,
                },
                Work::Process { .. } => Unit::Processed(Box::new(processed(mail))),
                Work::Deliver { plan, .. } => Unit::Delivered(Box::new(delivered(plan)?)),
            });
        }
        if claim.connection.as_ref() == Some(&self.stages.sink) {
            units.push(Unit::Calls(vec![call(&claim.items, self.stages)]));
        }
        Ok(units)
    }
}

struct Clocks {
    wall: Duration,
    cpu: Duration,
}

impl Clocks {
    fn now() -> Self {
        Self {
            wall: monotonic(),
            cpu: cpu(),
        }
    }

    fn step(&self) -> Step {
        Step {
            mails: 0,
            wall: monotonic() - self.wall,
            cpu: cpu() - self.cpu,
        }
    }
}

fn processed(mail: &Prepared) -> ProcessedUnit {
    let intent = mail.decision.intent();
    let outcome = match &mail.plan {
        Some(plan) => ProcessedOutcome::Deliver(vec![plan.clone()]),
        None => ProcessedOutcome::Park(ParkReason::NotRelevant),
    };
    let (category, confidence) = mail.answer.top();
    ProcessedUnit {
        message: mail.message,
        fingerprint: mail.fingerprint,
        decision: DecisionRecord {
            message_id: mail.mail.message_id.clone(),
            subject: mail.mail.subject.clone(),
            sender: mail.mail.from.as_ref().map(|from| from.address.clone()),
            thread: Some(mail.change.thread.id),
            category: Some(category),
            confidence: Some(confidence),
            urgency: Some(mail.answer.urgency),
            priority: intent.map(|intent| intent.priority),
            model: Some(mail.answer.model.clone()),
            degraded: false,
            owner: None,
            reason: mail.decision.explanation().to_owned(),
            evidence: Vec::new(),
            versions: Versions::default(),
            decided_at: mail.received_at,
        },
        thread: Some(mail.change.clone()),
        outcome,
    }
}

/// What the receiver's answer says of one mail: each part is a record of its own.
fn delivered(plan: &Plan) -> Result<DeliveredUnit, Failure> {
    let reference = |kind: RecordKind, name: &str| -> Result<RecordRef, Failure> {
        Ok(RecordRef {
            kind,
            id: RecordId::new(name)?,
        })
    };
    let address = &plan.sender.address;
    let contact = reference(RecordKind::Contact, address.as_str())?;
    let mut parties = vec![KnownRecord {
        party: PartyKey::Address(address.clone()),
        record: contact.clone(),
    }];
    let mut effects = vec![effect(Slot::Contact, contact)];
    if plan.company.is_some() {
        let domain = address.domain().registrable();
        let company = reference(RecordKind::Company, domain.as_str())?;
        parties.push(KnownRecord {
            party: PartyKey::Company(domain),
            record: company.clone(),
        });
        effects.push(effect(Slot::Company, company));
    }
    let record = reference(RecordKind::Lead, &format!("nr-{}", plan.thread))?;
    effects.push(effect(Slot::Record, record.clone()));
    let activity = reference(RecordKind::Activity, &format!("ne-{}", plan.message))?;
    effects.push(effect(Slot::Activity, activity));
    Ok(DeliveredUnit {
        message: plan.message,
        thread: plan.thread,
        effects,
        parties,
        record: Some(record),
        end: DeliveredEnd::Done,
    })
}

fn effect(slot: Slot, record: RecordRef) -> Effect {
    Effect {
        slot,
        record,
        verb: EffectVerb::Created,
        guarantee: Guarantee::Keyed,
        previous: std::collections::BTreeMap::new(),
        notes: Vec::new(),
    }
}

fn call(items: &[ClaimedItem], stages: &Stages) -> CallRecord {
    CallRecord {
        at: stages.mails()[0].received_at,
        operation: "receiver.batch".to_owned(),
        verb: "POST".to_owned(),
        path: "/batch".to_owned(),
        status: Some(200),
        duration: Duration::from_millis(1),
        writes: true,
        messages: items.iter().map(|item| item.message).collect(),
        records: Vec::new(),
        request: json!({ "items": items.len() }),
        response: json!({ "items": items.len() }),
    }
}

/// The connection and connector that the mails come from.
const SOURCE: &str = "mix";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nextedge_core::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn every_mail_goes_its_whole_way_in_the_engines_groups() {
        let stages = Stages::prepare(220, 2 << 10).unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let way = StoreWay::list(store.clone(), &stages, EngineOptions::default())
            .await
            .unwrap();
        let first = way.step(JobKind::Fetch).await.unwrap().unwrap();
        assert_eq!(first.mails, 100);
        assert_eq!(way.all(JobKind::Fetch).await.unwrap().mails, 120);
        assert_eq!(way.all(JobKind::Process).await.unwrap().mails, 220);
        assert_eq!(way.all(JobKind::Deliver).await.unwrap().mails, 209);
        let counts = store.counts(&stages.tenant, None).await.unwrap();
        assert_eq!((counts.delivered, counts.parked), (209, 11));
    }
}
