//! Moves mail through a store as the engine does, for tests that start in the middle.

#![allow(dead_code)] // each test binary uses its part

use nextedge_core::source::Stub;
use nextedge_core::store::{
    Claim, Committed, DeliveredEnd, DeliveredUnit, JobKind, NextPage, PageCommit, Phase,
    ProcessedOutcome, Scope, Store, SyncState, ThreadChange, Unit, Work,
};
use nextedge_core::{
    Clock, Labels, ManualClock, MessageUid, Outcome, Plan, Result, TenantId, ThreadId, ThreadKey,
    Timestamp,
};

use crate::build::{
    SOURCE, connection_id, fingerprint, mailbox, mailbox_id, moment, plan, processed, provider_id,
    raw, request, sink, source, stub, thread,
};

/// A store, its clock, and the tenants `a` and `b` that use the same names.
pub struct Bench<'a> {
    pub store: &'a dyn Store,
    pub clock: &'a ManualClock,
    pub a: TenantId,
    pub b: TenantId,
    pub start: Timestamp,
}

impl<'a> Bench<'a> {
    /// Puts connections `src`, `crm` and mailbox `in` into both tenants.
    pub async fn new(store: &'a dyn Store, clock: &'a ManualClock) -> Self {
        let (a, b) = (crate::build::tenant("a"), crate::build::tenant("b"));
        for tenant in [&a, &b] {
            store.put_connection(tenant, source("src")).await.unwrap();
            store.put_connection(tenant, sink("crm")).await.unwrap();
            store
                .put_mailbox(tenant, mailbox("in", "src"))
                .await
                .unwrap();
        }
        let start = clock.now();
        Self {
            store,
            clock,
            a,
            b,
            start,
        }
    }

    pub fn at(&self, seconds: u64) -> Timestamp {
        moment(self.start, seconds)
    }

    pub fn uid(&self, tenant: &TenantId, name: &str) -> MessageUid {
        MessageUid::of(tenant, &mailbox_id("in"), &provider_id(name))
    }

    /// Lists stubs in mailbox `in`, which is due again at once.
    pub async fn list(&self, tenant: &TenantId, stubs: Vec<Stub>) {
        let id = mailbox_id("in");
        self.store.mark_dirty(tenant, &id).await.unwrap();
        let (scope, lease) = (
            Scope::Tenant(tenant.clone()),
            std::time::Duration::from_secs(60),
        );
        let claim = self
            .store
            .claim_mailbox(&scope, SOURCE, lease)
            .await
            .unwrap()
            .unwrap();
        let sync = SyncState {
            phase: Phase::Live,
            ..SyncState::default()
        };
        let page = PageCommit {
            stubs,
            sync,
            next: NextPage::Free { due: None },
        };
        self.store
            .commit_page(tenant, &id, claim.lease, page)
            .await
            .unwrap();
    }

    /// Lists one mail received `seconds` after the start and fetches everything that waits.
    pub async fn arrive(
        &self,
        tenant: &TenantId,
        name: &str,
        hint: &str,
        seconds: u64,
    ) -> MessageUid {
        self.list(tenant, vec![stub(name, Some(hint), Some(self.at(seconds)))])
            .await;
        self.fetch(tenant).await;
        self.uid(tenant, name)
    }

    pub async fn fetch(&self, tenant: &TenantId) {
        while let Some(claim) = self.claim(JobKind::Fetch, tenant).await {
            let units = claim.items.iter().map(|item| Unit::Fetched {
                message: item.message,
                raw: raw(item.message, 200),
                received_at: item.received_at,
                thread_hint: None,
                labels: Labels::default(),
            });
            self.commit(&claim, units.collect()).await;
            self.release(&claim).await;
        }
    }

    pub async fn claim(&self, kind: JobKind, tenant: &TenantId) -> Option<Claim> {
        let scope = Scope::Tenant(tenant.clone());
        self.store.claim(&request(kind, scope)).await.unwrap()
    }

    pub async fn release(&self, claim: &Claim) {
        self.store
            .release(&claim.tenant, claim.lease)
            .await
            .unwrap();
    }

    pub async fn try_commit(&self, claim: &Claim, units: Vec<Unit>) -> Vec<Result<Committed>> {
        self.store
            .commit(&claim.tenant, claim.lease, units)
            .await
            .unwrap()
    }

    pub async fn commit(&self, claim: &Claim, units: Vec<Unit>) -> Vec<Committed> {
        let answers = self.try_commit(claim, units).await;
        answers.into_iter().map(|answer| answer.unwrap()).collect()
    }

    pub async fn outcome(&self, tenant: &TenantId, message: MessageUid) -> Outcome {
        let row = self.store.message(tenant, message).await.unwrap();
        row.unwrap().outcome
    }

    /// Reads the present version of a thread and changes it.
    pub async fn change(&self, tenant: &TenantId, id: ThreadId, key: &str) -> ThreadChange {
        let present = self.store.thread(tenant, id).await.unwrap();
        ThreadChange {
            absent: Vec::new(),
            seen: Vec::new(),
            expected: present.map_or(0, |thread| thread.version),
            thread: thread(id, self.clock.now()),
            keys: vec![ThreadKey::message_id(key)],
        }
    }

    /// Claims everything that is ready and decides each mail as told; releases.
    pub async fn process(
        &self,
        tenant: &TenantId,
        id: ThreadId,
        outcome: impl Fn(MessageUid) -> ProcessedOutcome,
    ) {
        let claim = self.claim(JobKind::Process, tenant).await.unwrap();
        for item in &claim.items {
            let change = self.change(tenant, id, "key").await;
            let (uid, at) = (item.message, self.clock.now());
            let mut unit = processed(uid, Some(change), outcome(uid), at);
            unit.fingerprint = fingerprint(&uid.to_string());
            let answers = self
                .commit(&claim, vec![Unit::Processed(Box::new(unit))])
                .await;
            assert_eq!(answers, [Committed::Accepted]);
        }
        self.release(&claim).await;
    }

    /// A mail that waits for delivery to `crm`.
    pub async fn planned(
        &self,
        tenant: &TenantId,
        name: &str,
        thread: ThreadId,
        sender: &str,
        seconds: u64,
    ) -> MessageUid {
        let uid = self.arrive(tenant, name, name, seconds).await;
        self.process(tenant, thread, |uid| {
            ProcessedOutcome::Deliver(vec![plan(uid, thread, "crm", sender)])
        })
        .await;
        uid
    }

    /// Ends the deliveries of a claim.
    pub async fn deliver(&self, claim: &Claim, end: impl Fn(MessageUid) -> DeliveredEnd) {
        let units = claim
            .items
            .iter()
            .map(|item| delivered(item.message, plan_of(&item.work), end(item.message)));
        self.commit(claim, units.collect()).await;
    }
}

pub fn plan_of(work: &Work) -> &Plan {
    match work {
        Work::Deliver { plan, .. } => plan,
        Work::Fetch { .. } | Work::Process { .. } => panic!("not a delivery"),
    }
}

pub fn delivered(message: MessageUid, plan: &Plan, end: DeliveredEnd) -> Unit {
    Unit::Delivered(Box::new(DeliveredUnit {
        message,
        thread: plan.thread,
        effects: Vec::new(),
        parties: Vec::new(),
        record: None,
        end,
    }))
}

pub fn messages(claim: Option<&Claim>) -> Vec<MessageUid> {
    let items = claim.into_iter().flat_map(|claim| &claim.items);
    items.map(|item| item.message).collect()
}

/// The names in `connection_id` form, for calls that need one.
pub fn crm() -> nextedge_core::ConnectionId {
    connection_id("crm")
}
