//! Moves mail through a store as the engine does, for checks that start in the middle.

use std::sync::Arc;
use std::time::Duration;

use nextedge_core::source::Stub;
use nextedge_core::store::{
    Claim, ClaimRequest, Committed, DeliveredEnd, DeliveredUnit, JobKind, MailboxClaim, NextPage,
    PageCommit, Phase, ProcessedOutcome, RunQuery, Scope, Store, SyncRun, SyncState, ThreadChange,
    Unit, Work,
};
use nextedge_core::{
    Clock, Labels, MailboxId, ManualClock, MessageUid, Outcome, ParkReason, Plan, Result, TenantId,
    ThreadId, ThreadKey, Timestamp,
};

use super::values::{
    SOURCE, connection_id, fingerprint, mailbox, mailbox_id, moment, plan, processed, provider_id,
    raw, request, sink, source, stub, tenant, thread, thread_id,
};
use super::{StoreHarness, Subject};

/// A store, its clock, and the tenants `a` and `b` that use the same names.
pub(crate) struct Bench {
    subject: Box<dyn Subject>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) a: TenantId,
    pub(crate) b: TenantId,
    pub(crate) start: Timestamp,
}

impl Bench {
    /// Puts connections `src`, `crm` and mailbox `in` into both tenants of a fresh store.
    pub(crate) async fn fresh(harness: &dyn StoreHarness) -> Self {
        let clock = Arc::new(ManualClock::default());
        let bench = Self {
            subject: harness.fresh(clock.clone()).await,
            a: tenant("a"),
            b: tenant("b"),
            start: clock.now(),
            clock,
        };
        for tenant in [&bench.a, &bench.b] {
            let store = bench.store();
            store.put_connection(tenant, source("src")).await.unwrap();
            store.put_connection(tenant, sink("crm")).await.unwrap();
            let mailbox = mailbox("in", "src");
            store.put_mailbox(tenant, mailbox).await.unwrap();
        }
        bench
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.subject.store()
    }

    /// Loses the process and opens the store again.
    pub(crate) async fn restart(&mut self) {
        self.subject.restart().await;
    }

    /// Opens the store as another process.
    pub(crate) async fn another(&self) -> Box<dyn Subject> {
        self.subject.another().await.unwrap()
    }

    pub(crate) fn at(&self, seconds: u64) -> Timestamp {
        moment(self.start, seconds)
    }

    pub(crate) fn uid(&self, tenant: &TenantId, name: &str) -> MessageUid {
        MessageUid::of(tenant, &mailbox_id("in"), &provider_id(name))
    }

    /// Lists stubs in mailbox `in`, which is due again at once.
    pub(crate) async fn list(&self, tenant: &TenantId, stubs: Vec<Stub>) {
        let id = mailbox_id("in");
        self.store().mark_dirty(tenant, &id).await.unwrap();
        let claim = self.claim_mailbox(tenant).await.unwrap();
        let sync = SyncState {
            phase: Phase::Live,
            ..SyncState::default()
        };
        let page = PageCommit {
            stubs,
            sync,
            next: NextPage::Free { due: None },
        };
        self.store()
            .commit_page(tenant, &id, claim.lease, page)
            .await
            .unwrap();
    }

    /// Adds a mailbox to tenant `b` that is listed before it is processed.
    pub(crate) async fn list_first(&self, name: &str) -> MailboxId {
        let mut first = mailbox(name, "src");
        first.list_first = true;
        self.store().put_mailbox(&self.b, first).await.unwrap();
        mailbox_id(name)
    }

    /// Commits one page of a mailbox of tenant `b`.
    pub(crate) async fn show(&self, id: &MailboxId, names: &[&str], sync: SyncState) {
        self.store().mark_dirty(&self.b, id).await.unwrap();
        let mut claim = self.claim_mailbox(&self.b).await.unwrap();
        for _ in 0..MOST_CLAIMS {
            if claim.mailbox.id == *id {
                break;
            }
            claim = self.claim_mailbox(&self.b).await.unwrap();
        }
        let stubs = names
            .iter()
            .map(|name| stub(name, None, Some(self.at(0))))
            .collect();
        let next = NextPage::Free { due: None };
        let page = PageCommit { stubs, sync, next };
        let done = self
            .store()
            .commit_page(&self.b, id, claim.lease, page)
            .await;
        assert_eq!(done.unwrap().new, names.len() as u64);
    }

    /// The state of a mailbox whose listing came to its end.
    pub(crate) fn listed(&self) -> SyncState {
        SyncState {
            complete_at: Some(self.at(0)),
            ..SyncState::default()
        }
    }

    /// Reads mailbox `in` in one run that starts `seconds` after the start and shows nothing.
    pub(crate) async fn run(&self, tenant: &TenantId, seconds: u64) {
        let id = mailbox_id("in");
        self.store().mark_dirty(tenant, &id).await.unwrap();
        let claim = self.claim_mailbox(tenant).await.unwrap();
        let mut page = PageCommit {
            sync: claim.mailbox.sync,
            next: NextPage::Free { due: None },
            ..PageCommit::default()
        };
        page.sync.run = SyncRun {
            started_at: Some(self.at(seconds)),
            ended_at: Some(self.at(seconds)),
            ..SyncRun::default()
        };
        let done = self.store().commit_page(tenant, &id, claim.lease, page);
        done.await.unwrap();
    }

    /// When the runs that a tenant is shown started.
    pub(crate) async fn runs(&self, tenant: &TenantId) -> Vec<Timestamp> {
        let rows = self.store().runs(tenant, &RunQuery::default()).await;
        let rows = rows.unwrap().into_iter();
        rows.filter_map(|row| row.run.started_at).collect()
    }

    /// Lists one mail received `seconds` after the start and fetches everything that waits.
    pub(crate) async fn arrive(
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

    pub(crate) async fn fetch(&self, tenant: &TenantId) {
        for _ in 0..MOST_CLAIMS {
            let Some(claim) = self.claim(JobKind::Fetch, tenant).await else {
                return;
            };
            self.fetched(&claim).await;
        }
        panic!("work is handed out without end");
    }

    /// Claims until nothing is handed out.
    pub(crate) async fn claims_of(&self, request: &ClaimRequest) -> Vec<Claim> {
        let mut claims = Vec::new();
        while let Some(claim) = self.store().claim(request).await.unwrap() {
            claims.push(claim);
            assert!(claims.len() < MOST_CLAIMS, "work is handed out without end");
        }
        claims
    }

    /// Ends a claim of stubs with their raw bytes.
    pub(crate) async fn fetched(&self, claim: &Claim) {
        let units = claim.items.iter().map(|item| Unit::Fetched {
            message: item.message,
            raw: raw(item.message, 200),
            received_at: item.received_at,
            thread_hint: None,
            labels: Labels::default(),
        });
        self.commit(claim, units.collect()).await;
        self.release(claim).await;
    }

    pub(crate) async fn claim(&self, kind: JobKind, tenant: &TenantId) -> Option<Claim> {
        let scope = Scope::Tenant(tenant.clone());
        self.store().claim(&request(kind, scope)).await.unwrap()
    }

    pub(crate) async fn claim_mailbox(&self, tenant: &TenantId) -> Option<MailboxClaim> {
        let scope = Scope::Tenant(tenant.clone());
        let lease = Duration::from_secs(60);
        let claim = self.store().claim_mailbox(&scope, SOURCE, lease).await;
        claim.unwrap()
    }

    pub(crate) async fn release(&self, claim: &Claim) {
        self.store()
            .release(&claim.tenant, claim.lease)
            .await
            .unwrap();
    }

    pub(crate) async fn try_commit(
        &self,
        claim: &Claim,
        units: Vec<Unit>,
    ) -> Vec<Result<Committed>> {
        self.store()
            .commit(&claim.tenant, claim.lease, units)
            .await
            .unwrap()
    }

    pub(crate) async fn commit(&self, claim: &Claim, units: Vec<Unit>) -> Vec<Committed> {
        let answers = self.try_commit(claim, units).await;
        answers.into_iter().map(|answer| answer.unwrap()).collect()
    }

    pub(crate) async fn outcome(&self, tenant: &TenantId, message: MessageUid) -> Outcome {
        let row = self.store().message(tenant, message).await.unwrap();
        row.unwrap().outcome
    }

    /// Reads the present version of a thread and changes it.
    pub(crate) async fn change(&self, tenant: &TenantId, id: ThreadId, key: &str) -> ThreadChange {
        let present = self.store().thread(tenant, id).await.unwrap();
        ThreadChange {
            absent: Vec::new(),
            seen: Vec::new(),
            expected: present.map_or(0, |thread| thread.version),
            thread: thread(id, self.clock.now()),
            keys: vec![ThreadKey::message_id(key)],
        }
    }

    /// Claims everything that is ready and decides each mail as told; releases.
    pub(crate) async fn process(
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
    pub(crate) async fn planned(
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
    pub(crate) async fn deliver(&self, claim: &Claim, end: impl Fn(MessageUid) -> DeliveredEnd) {
        let units = claim
            .items
            .iter()
            .map(|item| delivered(item.message, plan_of(&item.work), end(item.message)));
        self.commit(claim, units.collect()).await;
    }
}

pub(crate) fn plan_of(work: &Work) -> &Plan {
    match work {
        Work::Deliver { plan, .. } => plan,
        Work::Fetch { .. } | Work::Process { .. } => panic!("not a delivery"),
    }
}

pub(crate) fn delivered(message: MessageUid, plan: &Plan, end: DeliveredEnd) -> Unit {
    Unit::Delivered(Box::new(DeliveredUnit {
        message,
        thread: plan.thread,
        effects: Vec::new(),
        parties: Vec::new(),
        record: None,
        end,
    }))
}

pub(crate) fn messages(claim: Option<&Claim>) -> Vec<MessageUid> {
    let items = claim.into_iter().flat_map(|claim| &claim.items);
    items.map(|item| item.message).collect()
}

/// The names in `connection_id` form, for calls that need one.
pub(crate) fn crm() -> nextedge_core::ConnectionId {
    connection_id("crm")
}

/// A plan of thread `t` from a sender with a company.
pub(crate) fn help(message: MessageUid, sink: &str) -> Plan {
    plan(message, thread_id("t"), sink, "ada@acme.com")
}

pub(crate) fn parked(reason: ParkReason) -> Outcome {
    Outcome::Parked { reason }
}

/// Decides that a mail is kept and not written.
pub(crate) fn park(message: MessageUid, bench: &Bench) -> Unit {
    let outcome = ProcessedOutcome::Park(ParkReason::NotRelevant);
    Unit::Processed(Box::new(processed(message, None, outcome, bench.at(0))))
}

/// More than any check leaves to claim.
const MOST_CLAIMS: usize = 100;
