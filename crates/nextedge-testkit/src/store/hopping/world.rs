//! The tenants, the journal of what was done to them, and the work of one hop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use nextedge_core::store::{
    Claim, ClaimedItem, Committed, DeliveredEnd, DeliveredUnit, JobKind, KnownRecord, LedgerQuery,
    NextPage, PageCommit, Phase, ProcessedOutcome, Scope, Store, SyncState, ThreadChange, Unit,
    Work,
};
use nextedge_core::{
    Clock, Labels, ManualClock, MessageUid, PartyKey, RecordKind, RecordRef, Slot, TenantId,
    ThreadKey, Timestamp,
};

use crate::store::random::rng::Rng;
use crate::store::values::{
    SOURCE, call, connection_id, effect, fingerprint, mailbox, mailbox_id, plan, processed,
    provider_id, record, request, sink, source, stub, tenant, thread, thread_id,
};
use crate::store::{StoreHarness, Subject};

/// One store and its tenants.
#[derive(Debug)]
pub(super) struct World {
    subject: Box<dyn Subject>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) tenants: Vec<TenantId>,
    /// When all mails were received.
    start: Timestamp,
    journal: Mutex<Journal>,
}

/// What the store answered for, kept apart from it.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Messages in pages that were answered as committed.
    pub(super) listed: BTreeSet<(TenantId, MessageUid)>,
    /// How often the end of a delivery was accepted.
    pub(super) delivered: BTreeMap<(TenantId, MessageUid), u64>,
}

impl World {
    /// Gives every tenant the same connections and the same mailbox.
    pub(super) async fn new(harness: &dyn StoreHarness, tenants: usize) -> Self {
        let clock = Arc::new(ManualClock::default());
        let subject = harness.fresh(clock.clone()).await;
        let tenants: Vec<_> = (0..tenants).map(|n| tenant(&format!("t{n}"))).collect();
        let store = subject.store();
        for tenant in &tenants {
            store.put_connection(tenant, source("src")).await.unwrap();
            store.put_connection(tenant, sink("crm")).await.unwrap();
            let mailbox = mailbox("in", "src");
            store.put_mailbox(tenant, mailbox).await.unwrap();
        }
        Self {
            subject,
            start: clock.now(),
            clock,
            tenants,
            journal: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.subject.store()
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that a tenant can have: the same names in each.
    pub(super) fn own(&self, tenant: &TenantId) -> BTreeSet<MessageUid> {
        names().map(|name| uid(tenant, &name)).collect()
    }

    /// Does one piece of work of a random tenant.
    pub(super) async fn hop(&self, rng: &mut Rng) {
        let tenant = rng.pick(&self.tenants);
        match rng.below(12) {
            0..3 => {
                let shown = names().filter(|_| rng.percent(40)).collect();
                self.list(tenant, shown).await;
            }
            3..5 => _ = self.work(JobKind::Fetch, tenant).await,
            5..8 => _ = self.work(JobKind::Process, tenant).await,
            8..11 => _ = self.work(JobKind::Deliver, tenant).await,
            _ => {
                self.read(tenant).await;
                let seconds = rng.below(20);
                self.clock.advance(Duration::from_secs(seconds));
            }
        }
    }

    /// Lists some mails; some are known already.
    pub(super) async fn list(&self, tenant: &TenantId, shown: Vec<String>) {
        let (id, scope) = (mailbox_id("in"), Scope::Tenant(tenant.clone()));
        let store = self.store();
        store.mark_dirty(tenant, &id).await.unwrap();
        pause().await;
        let minute = Duration::from_secs(60);
        let claim = store.claim_mailbox(&scope, SOURCE, minute).await.unwrap();
        let Some(claim) = claim else { return };
        assert_eq!(claim.tenant, *tenant, "a mailbox of another tenant");
        pause().await;
        let stubs = shown.iter().map(|name| {
            let hint = format!("h{}", name.len() % 3);
            stub(name, Some(&hint), Some(self.start))
        });
        let page = PageCommit {
            stubs: stubs.collect(),
            sync: SyncState {
                phase: Phase::Live,
                ..claim.mailbox.sync
            },
            next: NextPage::Free { due: None },
        };
        if store
            .commit_page(tenant, &id, claim.lease, page)
            .await
            .is_ok()
        {
            let listed = shown.iter().map(|name| (tenant.clone(), uid(tenant, name)));
            self.journal().listed.extend(listed);
        }
    }

    /// Claims work of one kind, does it, and ends the claim.
    pub(super) async fn work(&self, kind: JobKind, tenant: &TenantId) -> bool {
        let scope = Scope::Tenant(tenant.clone());
        let claim = self.store().claim(&request(kind, scope)).await.unwrap();
        let Some(claim) = claim else { return false };
        assert_eq!(claim.tenant, *tenant, "work of another tenant");
        for item in &claim.items {
            pause().await;
            let own = self.own(tenant).contains(&item.message);
            assert!(own, "an item of another tenant");
            self.end(&claim, item).await;
        }
        pause().await;
        self.store().release(tenant, claim.lease).await.unwrap();
        true
    }

    async fn end(&self, claim: &Claim, item: &ClaimedItem) {
        let (tenant, message) = (&claim.tenant, item.message);
        let units = match &item.work {
            Work::Fetch { .. } => vec![Unit::Fetched {
                message,
                raw: body(tenant),
                received_at: item.received_at,
                thread_hint: None,
                labels: Labels::default(),
            }],
            Work::Process { raw, .. } => {
                assert_eq!(*raw, body(tenant), "the mail of another tenant");
                vec![self.decided(tenant, item).await]
            }
            Work::Deliver { .. } => self.delivered(tenant, item),
        };
        let answers = self.store().commit(tenant, claim.lease, units).await;
        let last = answers.unwrap().pop().unwrap();
        let delivered = matches!(item.work, Work::Deliver { .. });
        if delivered && matches!(last, Ok(Committed::Accepted)) {
            let mut journal = self.journal();
            *journal
                .delivered
                .entry((tenant.clone(), message))
                .or_default() += 1;
        }
    }

    /// A decision; every tenant has the same threads, keys, senders and fingerprints.
    async fn decided(&self, tenant: &TenantId, item: &ClaimedItem) -> Unit {
        let Some(name) = names().find(|name| uid(tenant, name) == item.message) else {
            panic!("an item of another tenant");
        };
        let id = thread_id(&format!("t{}", name.len() % 3));
        let present = self.store().thread(tenant, id).await.unwrap();
        pause().await;
        let change = ThreadChange {
            expected: present.map_or(0, |thread| thread.version),
            thread: thread(id, item.received_at),
            keys: vec![ThreadKey::message_id("the same in every tenant")],
            absent: Vec::new(),
            seen: Vec::new(),
        };
        let mut plan = plan(item.message, id, "crm", "ada@acme.com");
        plan.reason = tenant.to_string();
        let outcome = ProcessedOutcome::Deliver(vec![plan]);
        let now = self.clock.now();
        let mut unit = processed(item.message, Some(change), outcome, now);
        unit.fingerprint = fingerprint(&name);
        Unit::Processed(Box::new(unit))
    }

    fn delivered(&self, tenant: &TenantId, item: &ClaimedItem) -> Vec<Unit> {
        let Work::Deliver {
            plan,
            done,
            raw,
            parties,
            record: known,
            ..
        } = &item.work
        else {
            return Vec::new();
        };
        assert_eq!(plan.reason, tenant.as_str(), "the plan of another tenant");
        assert_eq!(*raw, body(tenant), "the mail of another tenant");
        let told = done.iter().map(|effect| &effect.record);
        let told = told.chain(known).chain(parties.iter().map(|p| &p.record));
        for told in told {
            assert_eq!(*told, own_record(tenant), "a record of another tenant");
        }
        let parties = PartyKey::of(&plan.sender.address).into_iter();
        let parties = parties.map(|party| KnownRecord {
            party,
            record: own_record(tenant),
        });
        let unit = DeliveredUnit {
            message: item.message,
            thread: plan.thread,
            effects: vec![effect(Slot::Record, tenant.as_str())],
            parties: parties.collect(),
            record: Some(own_record(tenant)),
            end: DeliveredEnd::Done,
        };
        let made = call(self.clock.now(), tenant.as_str(), vec![item.message]);
        vec![Unit::Calls(vec![made]), Unit::Delivered(Box::new(unit))]
    }

    async fn read(&self, tenant: &TenantId) {
        let query = LedgerQuery::default();
        let rows = self.store().messages(tenant, &query).await.unwrap();
        let own = self.own(tenant);
        assert!(rows.iter().all(|row| own.contains(&row.message)));
        pause().await;
        let gates = self.store().gates(tenant).await.unwrap();
        assert!(gates.is_empty());
        pause().await;
        let id = connection_id("crm");
        self.store().open_gate(tenant, &id).await.unwrap();
    }
}

/// The one record that a tenant's CRM has.
pub(super) fn own_record(tenant: &TenantId) -> RecordRef {
    record(RecordKind::Case, tenant.as_str())
}

/// The names of all mails of a tenant: of different lengths, so that they fall into three threads.
pub(super) fn names() -> impl Iterator<Item = String> {
    (1..=MAILS).map(|n| "m".repeat(n))
}

fn uid(tenant: &TenantId, name: &str) -> MessageUid {
    MessageUid::of(tenant, &mailbox_id("in"), &provider_id(name))
}

fn body(tenant: &TenantId) -> Bytes {
    Bytes::from(format!("of {tenant}"))
}

/// A place where a hop can be cut off, also on a store whose calls never wait.
async fn pause() {
    tokio::task::yield_now().await;
}

/// Mails of each tenant.
const MAILS: usize = 12;
