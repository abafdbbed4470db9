//! Takes the same random steps on two stores and compares every answer.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use nextedge_core::memory::MemoryStore;
use nextedge_core::source::{Cursor, SourceFault, shared_hint};
use nextedge_core::store::{
    AuditQuery, Claim, JobKind, Ledger, LedgerQuery, MailboxClaim, MailboxStore, NextPage,
    PageCommit, Phase, Scope,
};
use nextedge_core::{
    Clock, ConnectionState, LeaseToken, ManualClock, OutcomeKind, PartyKey, Result, TenantId,
    ThreadKey, Timestamp, later,
};

use super::invariants::Checks;
use super::rng::Rng;
use crate::store::values::{
    SOURCE, address, call, connection_id, mailbox, mailbox_id, report, request, sink, source, stub,
    tenant, thread_id,
};
use crate::store::{Restart, Subject};

/// Both stores, what is held in them, and what happened so far.
pub(crate) struct Driver {
    pub(crate) rng: Rng,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) model: MemoryStore,
    pub(crate) other: Box<dyn Subject>,
    restart: Restart,
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) claims: Vec<Held>,
    pub(crate) pages: Vec<HeldPage>,
    pub(crate) checks: Checks,
    /// How often each thing worth testing was seen.
    pub(crate) seen: BTreeMap<&'static str, u64>,
    pub(super) steps: u64,
    trace: VecDeque<String>,
}

/// One claim as both stores gave it.
pub(crate) struct Held {
    pub(crate) claim: Claim,
    pub(crate) other: LeaseToken,
}

/// One leased mailbox as both stores gave it.
pub(crate) struct HeldPage {
    pub(crate) claim: MailboxClaim,
    pub(crate) other: LeaseToken,
}

/// Makes the same call on both stores and returns the model's answer.
macro_rules! both {
    ($driver:ident, $what:expr, $store:ident => $call:expr) => {{
        let model = {
            let $store: &dyn nextedge_core::store::Store = &$driver.model;
            $call.await
        };
        let other = {
            let $store = $driver.other.store();
            $call.await
        };
        $driver.same(&$what, &model, &other);
        model
    }};
}
pub(crate) use both;

impl Driver {
    pub(crate) async fn new(
        seed: u64,
        clock: Arc<ManualClock>,
        other: Box<dyn Subject>,
        restart: Restart,
    ) -> Self {
        let mut driver = Self {
            rng: Rng(seed),
            model: MemoryStore::with_clock(clock.clone()),
            clock,
            other,
            restart,
            tenants: ["a", "b", "c"].map(tenant).to_vec(),
            claims: Vec::new(),
            pages: Vec::new(),
            checks: Checks::default(),
            seen: BTreeMap::new(),
            steps: 0,
            trace: VecDeque::from([format!("seed {seed}")]),
        };
        driver.set_up().await;
        driver
    }

    /// The same connections and mailboxes in every tenant.
    async fn set_up(&mut self) {
        for tenant in self.tenants.clone() {
            for connection in [source("src"), sink("crm1"), sink("crm2")] {
                let put = both!(self, "put connection", s => s.put_connection(&tenant, connection.clone()));
                put.unwrap();
            }
            let [mut files, mut more] = ["files", "more"].map(|name| mailbox(name, "src"));
            (files.list_first, more.list_first) = (true, true);
            for mailbox in [mailbox("in", "src"), files, more] {
                both!(self, "put mailbox", s => s.put_mailbox(&tenant, mailbox.clone())).unwrap();
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn soon(&mut self) -> Timestamp {
        let seconds = *self.rng.pick(&[0, 1, 5, 20, 60]);
        later(self.now(), Duration::from_secs(seconds))
    }

    pub(crate) fn tenant(&mut self) -> TenantId {
        self.rng.pick(&self.tenants).clone()
    }

    pub(crate) fn name(&mut self, from: &[&'static str]) -> &'static str {
        from[self.rng.index(from.len())]
    }

    pub(crate) fn scope(&mut self) -> Scope {
        if self.rng.percent(70) {
            return Scope::All;
        }
        Scope::Tenant(self.tenant())
    }

    pub(crate) fn note(&mut self, text: String) {
        if self.trace.len() > 60 {
            self.trace.remove(1);
        }
        self.trace.push_back(text);
    }

    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(crate) fn history(&self) -> String {
        self.trace.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Compares two answers; errors by their kind, since their texts may name the store.
    pub(crate) fn same<T: Debug>(&self, what: &str, model: &Result<T>, other: &Result<T>) {
        let (model, other) = (show(model), show(other));
        assert!(
            model == other,
            "{}\nstep {}: {what}\nmodel: {model}\nother: {other}",
            self.history(),
            self.steps
        );
    }

    /// Takes one random step.
    pub(crate) async fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(100) {
            self.repair().await;
        }
        match self.rng.below(100) {
            0..10 => self.advance(),
            10..16 => self.claim_mailbox().await,
            16..26 => self.commit_page().await,
            26..52 => self.claim().await,
            52..82 => self.commit().await,
            82..85 => self.release().await,
            85..87 => self.extend().await,
            87..91 => self.decide().await,
            91..94 => self.requeue().await,
            94 => self.change_gate().await,
            95..97 => self.configure().await,
            97 => self.mark_dirty().await,
            98 => self.crash_or_report().await,
            _ => self.read().await,
        }
        self.check_outcomes().await;
    }

    /// Ends every connection's trouble, so that a long run does not stand still.
    async fn repair(&mut self) {
        self.note("repair".to_owned());
        for tenant in self.tenants.clone() {
            for id in ["src", "crm1", "crm2"].map(connection_id) {
                let state = ConnectionState::Connected;
                let _ = both!(self, "set state", s => s.set_connection_state(&tenant, &id, state));
                let _ = both!(self, "open gate", s => s.open_gate(&tenant, &id));
            }
        }
    }

    fn advance(&mut self) {
        let seconds = *self.rng.pick(&[0, 1, 1, 1, 2, 2, 5, 10, 30, 121]);
        self.note(format!("advance {seconds} s"));
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn claim_mailbox(&mut self) {
        let (scope, lease) = (self.scope(), Duration::from_secs(60));
        let model = self.model.claim_mailbox(&scope, SOURCE, lease).await;
        let other = self
            .other
            .store()
            .claim_mailbox(&scope, SOURCE, lease)
            .await;
        let strip = |claim: &Result<Option<MailboxClaim>>| match claim {
            Ok(Some(claim)) => Ok(Some((claim.tenant.clone(), claim.mailbox.clone()))),
            Ok(None) => Ok(None),
            Err(error) => Err(nextedge_core::Error::new(error.kind(), "failed")),
        };
        self.same(
            &format!("claim mailbox {scope:?}"),
            &strip(&model),
            &strip(&other),
        );
        if let (Ok(Some(claim)), Ok(Some(other))) = (model, other) {
            self.note(format!(
                "claimed mailbox {} of {}",
                claim.mailbox.id, claim.tenant
            ));
            let other = other.lease;
            self.pages.push(HeldPage { claim, other });
        }
    }

    async fn commit_page(&mut self) {
        if self.pages.is_empty() {
            return self.claim_mailbox().await;
        }
        let index = self.rng.index(self.pages.len());
        let page = self.page(index);
        let (tenant, id) = {
            let claim = &self.pages[index].claim;
            (claim.tenant.clone(), claim.mailbox.id.clone())
        };
        self.note(format!("page of {id} in {tenant}: {page:?}"));
        let (mine, other) = (self.pages[index].claim.lease, self.pages[index].other);
        let model = self
            .model
            .commit_page(&tenant, &id, mine, page.clone())
            .await;
        let store = self.other.store();
        let other = store.commit_page(&tenant, &id, other, page.clone()).await;
        self.same("commit page", &model, &other);
        if model.is_ok() {
            self.checks.listed(&tenant, &id, &page.stubs);
            self.pages[index].claim.mailbox.sync = page.sync;
        }
        if model.is_err() || page.next != NextPage::Keep {
            self.pages.remove(index);
        }
    }

    fn page(&mut self, index: usize) -> PageCommit {
        let now = self.now();
        let ids = 8 + self.steps / 30;
        let stubs = (0..self.rng.below(5)).map(|_| {
            let id = self.rng.below(ids);
            let hint = hint_of(id % 6);
            let back = Duration::from_secs(self.rng.below(40));
            let received_at = self.rng.percent(80).then(|| now - back);
            let hint = self.rng.percent(75).then_some(hint.as_str());
            let mut stub = stub(&format!("p{id}"), hint, received_at);
            stub.bytes = self.rng.percent(50).then_some(id * 10);
            stub.draft = self.rng.percent(4);
            stub
        });
        let stubs = stubs.collect();
        let mut sync = self.pages[index].claim.mailbox.sync.clone();
        let last = self.rng.percent(50);
        if self.rng.percent(10) {
            let fault = SourceFault {
                item: "x".into(),
                fault: "broken".into(),
            };
            sync.run.faults.extend(vec![fault; 60]);
            sync.run.fault_count += 60;
        }
        sync.run.error = self.rng.percent(10).then(|| report("down"));
        if last && self.rng.percent(70) {
            sync.phase = Phase::Live;
            sync.cursor = Some(Cursor(format!("c{}", self.steps)));
            sync.complete_at = Some(now);
        }
        let due = self.rng.percent(80).then(|| self.soon());
        let next = if last {
            NextPage::Free { due }
        } else {
            NextPage::Keep
        };
        PageCommit { stubs, sync, next }
    }

    async fn crash(&mut self) {
        if self.restart == Restart::Unsupported {
            return;
        }
        self.note("restart".to_owned());
        self.other.restart().await;
        if self.restart == Restart::EndsLeases {
            self.model.simulate_crash();
            self.checks.leases_lost();
        }
    }

    /// The same work takes the process down until it is given up.
    async fn crash_again_and_again(&mut self) {
        let kind = *self.rng.pick(&[JobKind::Process, JobKind::Deliver]);
        let mut request = request(kind, Scope::Tenant(self.tenant()));
        request.settle = Duration::ZERO;
        for _ in 0..4 {
            self.claim_with(request.clone()).await;
            self.crash().await;
            if self.restart != Restart::EndsLeases {
                self.clock.advance(request.lease);
            }
        }
    }

    async fn crash_or_report(&mut self) {
        match self.rng.below(4) {
            0..2 => return self.crash().await,
            2 => return self.crash_again_and_again().await,
            _ => {}
        }
        let (tenant, id) = (self.tenant(), connection_id("crm1"));
        let calls = vec![call(self.now(), "crm.check", Vec::new())];
        let _ = both!(self, "append calls", s => s.append_calls(&tenant, &id, calls.clone()));
    }

    async fn read(&mut self) {
        let tenant = self.tenant();
        let all = LedgerQuery {
            limit: 500,
            ..LedgerQuery::default()
        };
        let rows = self.model.messages(&tenant, &all).await.unwrap();
        let after = (!rows.is_empty()).then(|| self.rng.pick(&rows).clone());
        let query = LedgerQuery {
            mailbox: self.rng.percent(50).then(|| mailbox_id("in")),
            outcome: self
                .rng
                .percent(50)
                .then(|| *self.rng.pick(&OutcomeKind::ALL)),
            after: after
                .as_ref()
                .and_then(|row| Some((row.received_at?, row.message))),
            limit: 1 + self.rng.index(5),
        };
        let _ = both!(self, format!("{query:?}"), s => s.messages(&tenant, &query));
        let query = AuditQuery {
            after: self.rng.below(10),
            since: self
                .rng
                .percent(30)
                .then(|| self.now() - Duration::from_secs(60)),
            operation: self.rng.percent(30).then(|| "crm.".to_owned()),
            status: self.rng.percent(30).then(|| *self.rng.pick(&[0, 200, 429])),
            message: after
                .filter(|_| self.rng.percent(30))
                .map(|row| row.message),
            limit: 1 + self.rng.index(9),
        };
        let _ = both!(self, format!("{query:?}"), s => s.audit(&tenant, &query));
        let keys = (0..4).map(|_| ThreadKey::message_id(&format!("k{}", self.rng.below(6))));
        let keys: Vec<ThreadKey> = keys.collect();
        let parties = ["ada@acme.com", "bob@acme.com", "eve@gmail.com"].map(address);
        let parties: Vec<PartyKey> = parties.iter().flat_map(PartyKey::of).collect();
        let _ = both!(self, "lookup", s => s.lookup(&tenant, &keys, &parties));
        let scope = self.scope();
        let _ = both!(self, format!("next due {scope:?}"), s => s.next_due(&scope));
        let _ = both!(self, "policy", s => s.policy(&tenant));
        let id = thread_id("t1");
        let _ = both!(self, "thread", s => s.thread(&tenant, id));
    }
}

fn show<T: Debug>(answer: &Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {:?}", error.kind()),
    }
}

/// A thread hint; some hold in every mailbox of a tenant.
pub(crate) fn hint_of(number: u64) -> String {
    match number % 3 {
        0 => shared_hint(&format!("h{number}@x.example")),
        _ => format!("h{number}"),
    }
}
