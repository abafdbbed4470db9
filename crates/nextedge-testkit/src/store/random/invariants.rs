//! What must hold whatever happens, checked with bookkeeping of its own; and the full comparison.

use std::collections::{BTreeMap, BTreeSet};

use nextedge_core::source::Stub;
use nextedge_core::store::{
    AuditQuery, Claim, ClaimRequest, ClaimedItem, JobKind, Ledger, LedgerQuery, LedgerRow,
    ReviewQuery, RunQuery, Scope, Work,
};
use nextedge_core::{
    DeadReason, LeaseToken, MailboxId, MessageUid, Outcome, OutcomeKind, TenantId, Timestamp, later,
};

use super::drive::{Driver, both};
use crate::store::values::{connection_id, mailbox_id, thread_id};

/// Our own count of what happened.
#[derive(Default)]
pub(crate) struct Checks {
    listed: BTreeMap<TenantId, BTreeMap<MessageUid, MailboxId>>,
    outcomes: BTreeMap<(TenantId, MessageUid), OutcomeKind>,
    running: Vec<Running>,
}

struct Running {
    lease: LeaseToken,
    tenant: TenantId,
    lanes: BTreeSet<(&'static str, String)>,
    until: Timestamp,
}

impl Checks {
    pub(crate) fn listed(&mut self, tenant: &TenantId, mailbox: &MailboxId, stubs: &[Stub]) {
        let listed = self.listed.entry(tenant.clone()).or_default();
        for stub in stubs {
            let message = MessageUid::of(tenant, mailbox, &stub.provider_id);
            listed.insert(message, mailbox.clone());
        }
    }

    pub(crate) fn released(&mut self, lease: LeaseToken) {
        self.running.retain(|running| running.lease != lease);
    }

    pub(crate) fn extended(&mut self, lease: LeaseToken, until: Timestamp) {
        for running in &mut self.running {
            if running.lease == lease {
                running.until = until;
            }
        }
    }

    pub(crate) fn leases_lost(&mut self) {
        self.running.clear();
    }
}

fn everything() -> LedgerQuery {
    LedgerQuery {
        limit: usize::MAX >> 1,
        ..LedgerQuery::default()
    }
}

impl Driver {
    /// Checks a claim that the model gave; the other store gave the same.
    pub(crate) async fn check_claim(&mut self, request: &ClaimRequest, claim: &Claim) {
        assert!(!claim.items.is_empty() && claim.items.len() <= request.max_items);
        let listed = &self.checks.listed[&claim.tenant];
        for item in &claim.items {
            assert!(listed.contains_key(&item.message), "item of another tenant");
        }
        self.check_lanes(request, claim);
        if request.kind != JobKind::Fetch {
            self.check_order(claim).await;
        }
    }

    fn check_lanes(&mut self, request: &ClaimRequest, claim: &Claim) {
        let now = self.now();
        let kind = match request.kind {
            JobKind::Fetch => return,
            JobKind::Process => "process",
            JobKind::Deliver => "deliver",
        };
        let lanes: BTreeSet<_> = claim
            .items
            .iter()
            .map(|item| (kind, item.lane.clone()))
            .collect();
        self.checks.running.retain(|running| running.until > now);
        for running in &self.checks.running {
            let shared = running.tenant == claim.tenant && !running.lanes.is_disjoint(&lanes);
            assert!(!shared, "{}\ntwo claims hold one lane", self.history());
        }
        self.checks.running.push(Running {
            lease: claim.lease,
            tenant: claim.tenant.clone(),
            lanes,
            until: later(now, request.lease),
        });
    }

    /// No item is handed out while an earlier one of its lane is not settled, except in front of it.
    async fn check_order(&self, claim: &Claim) {
        let rows = self
            .model
            .messages(&claim.tenant, &everything())
            .await
            .unwrap();
        let mut seen: Vec<&ClaimedItem> = Vec::new();
        for item in &claim.items {
            if let Some(last) = seen.iter().rev().find(|before| before.lane == item.lane) {
                let order = (last.received_at, last.message) < (item.received_at, item.message);
                assert!(order, "{}\nlane out of order", self.history());
                assert_eq!(seen.last().unwrap().lane, item.lane, "lane is not adjacent");
            }
            if let Work::Deliver { plan, .. } = &item.work {
                for row in rows
                    .iter()
                    .filter(|row| order(row) < (Some(item.received_at), item.message))
                {
                    let ours = seen.iter().any(|before| before.message == row.message);
                    let plans = self.model.plans(&claim.tenant, row.message).await.unwrap();
                    let lane = plans
                        .iter()
                        .any(|p| (&p.connection, p.thread) == (&plan.connection, plan.thread));
                    let sink = row
                        .sinks
                        .iter()
                        .find(|sink| sink.connection == plan.connection);
                    let open = sink.is_some_and(|sink| {
                        matches!(sink.outcome, OutcomeKind::Pending | OutcomeKind::Review)
                    });
                    assert!(
                        ours || !lane || !open,
                        "{}\novertaken: {row:?}",
                        self.history()
                    );
                }
            }
            seen.push(item);
        }
    }

    /// Every listed message has exactly one outcome, and moves only as the table allows.
    pub(crate) async fn check_outcomes(&mut self) {
        for tenant in self.tenants.clone() {
            let rows = self.model.messages(&tenant, &everything()).await.unwrap();
            let shown: BTreeMap<_, _> = rows
                .iter()
                .map(|row| (row.message, row.mailbox.clone()))
                .collect();
            let listed = self.checks.listed.get(&tenant).cloned().unwrap_or_default();
            assert!(
                shown == listed && rows.len() == shown.len(),
                "{}\nledger differs from journal",
                self.history()
            );
            let counts = self.model.counts(&tenant, None).await.unwrap();
            assert_eq!(counts.total(), listed.len() as u64);
            for row in rows {
                if matches!(
                    row.outcome,
                    Outcome::Dead {
                        reason: DeadReason::Crash
                    }
                ) {
                    self.saw("dead of crashes");
                }
                self.saw(row.outcome.kind().as_str());
                let (key, now) = ((tenant.clone(), row.message), row.outcome.kind());
                let before = self.checks.outcomes.insert(key, now);
                let allowed = before.is_none_or(|before| before == now || before.may_become(now));
                assert!(
                    allowed,
                    "{}\n{before:?} became {now:?}: {row:?}",
                    self.history()
                );
            }
        }
    }

    /// Compares everything both stores can show.
    pub(crate) async fn compare_all(&mut self) {
        for tenant in self.tenants.clone() {
            let rows = both!(self, "messages", s => s.messages(&tenant, &everything())).unwrap();
            for row in &rows {
                let message = row.message;
                let _ = both!(self, format!("message {message}"), s => s.message(&tenant, message));
                let _ = both!(self, format!("plans of {message}"), s => s.plans(&tenant, message));
                let _ = both!(self, format!("raw of {message}"), s => s.raw(&tenant, message));
            }
            for mailbox in [None, Some("in"), Some("files"), Some("more")] {
                let mailbox = mailbox.map(mailbox_id);
                let _ = both!(self, "counts", s => s.counts(&tenant, mailbox.as_ref()));
            }
            let _ = both!(self, "overview", s => s.overview(&tenant, 10));
            let _ = both!(self, "runs", s => s.runs(&tenant, &RunQuery::default()));
            self.compare_rest(&tenant).await;
        }
        let _ = both!(self, "next due", s => s.next_due(&Scope::All));
    }

    async fn compare_rest(&mut self, tenant: &TenantId) {
        let audit = AuditQuery {
            limit: 10_000,
            ..AuditQuery::default()
        };
        let _ = both!(self, "audit", s => s.audit(tenant, &audit));
        let reviews = ReviewQuery {
            state: None,
            limit: 10_000,
            ..ReviewQuery::default()
        };
        let _ = both!(self, "reviews", s => s.reviews(tenant, &reviews));
        let expiring = ReviewQuery {
            expires_by: Some(self.now()),
            ..ReviewQuery::default()
        };
        let _ = both!(self, "expiring reviews", s => s.reviews(tenant, &expiring));
        for name in ["t0", "t1", "t2", "t3", "t4"] {
            let id = thread_id(name);
            let _ = both!(self, format!("thread {name}"), s => s.thread(tenant, id));
        }
        let _ = both!(self, "owners", s => s.open_by_owner(tenant));
        let _ = both!(self, "gates", s => s.gates(tenant));
        let _ = both!(self, "connections", s => s.connections(tenant));
        let _ = both!(self, "mailboxes", s => s.mailboxes(tenant, None, 10));
        let id = connection_id("crm1");
        let _ = both!(self, "field map", s => s.field_map(tenant, &id));
        let _ = both!(self, "policy", s => s.policy(tenant));
        let scope = Scope::Tenant(tenant.clone());
        let _ = both!(self, "next due", s => s.next_due(&scope));
    }
}

fn order(row: &LedgerRow) -> (Option<Timestamp>, MessageUid) {
    (row.received_at, row.message)
}
