//! Two tenants with the same names for everything: claims, leases and results.

use std::time::Duration;

use nextedge_core::store::{
    AuditQuery, ClaimRequest, Committed, Counts, DeliveredEnd, JobKind, KnownRecord, NextPage,
    PageCommit, ProcessedOutcome, Scope, Unit,
};
use nextedge_core::{
    ConnectionState, ErrorKind, Outcome, ParkReason, PartyKey, RecordKind, TenantId,
};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, delivered, messages, plan_of};
use crate::store::values::{
    SOURCE, call, connection_id, fingerprint, gate, mailbox_id, plan, processed, record, request,
    stub, thread_id,
};

/// The lease of a mailbox is of no use in another tenant, and holds only its own.
pub async fn mailbox_leases_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (id, minute) = (mailbox_id("in"), Duration::from_secs(60));
    let scope = Scope::Tenant(bench.b.clone());
    let of_b = store
        .claim_mailbox(&scope, SOURCE, minute)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(of_b.tenant, bench.b);
    assert!(
        store
            .claim_mailbox(&scope, SOURCE, minute)
            .await
            .unwrap()
            .is_none()
    );
    let of_a = store
        .claim_mailbox(&Scope::All, SOURCE, minute)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(of_a.tenant, bench.a);
    let page = PageCommit {
        stubs: vec![stub("m", None, None)],
        next: NextPage::Free { due: None },
        ..PageCommit::default()
    };
    let crossed = store
        .commit_page(&bench.b, &id, of_a.lease, page.clone())
        .await;
    assert_eq!(crossed.unwrap_err().kind(), ErrorKind::Fenced);
    store
        .commit_page(&bench.a, &id, of_a.lease, page)
        .await
        .unwrap();
    assert_eq!(
        store.counts(&bench.b, None).await.unwrap(),
        Counts::default()
    );
    // the one lease ended, the other did not
    store.mark_dirty(&bench.a, &id).await.unwrap();
    assert!(
        store
            .claim_mailbox(&scope, SOURCE, minute)
            .await
            .unwrap()
            .is_none()
    );
}

/// A claim in the scope of a tenant hands out work of that tenant only.
pub async fn claims_stay_in_scope(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    bench
        .list(&bench.a, vec![stub("m", Some("h"), Some(bench.at(0)))])
        .await;
    for kind in [JobKind::Fetch, JobKind::Process, JobKind::Deliver] {
        assert!(bench.claim(kind, &bench.b).await.is_none());
    }
    bench.fetch(&bench.a).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_none());
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            ProcessedOutcome::Deliver(vec![plan(uid, thread_id("t"), "crm", "ada@acme.com")])
        })
        .await;
    assert!(bench.claim(JobKind::Deliver, &bench.b).await.is_none());
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [bench.uid(&bench.a, "m")]);
}

/// A lease can be extended, committed and released by its own tenant only.
pub async fn leases_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let minute = Duration::from_secs(60);
    let crossed = store.extend(&bench.b, claim.lease, minute).await;
    assert_eq!(crossed.unwrap_err().kind(), ErrorKind::Fenced);
    let outcome = ProcessedOutcome::Park(ParkReason::NotRelevant);
    let unit = Unit::Processed(Box::new(processed(uid, None, outcome, bench.at(0))));
    let crossed = store
        .commit(&bench.b, claim.lease, vec![unit.clone()])
        .await
        .unwrap();
    assert_eq!(crossed[0].as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    store.release(&bench.b, claim.lease).await.unwrap();
    store.extend(&bench.a, claim.lease, minute).await.unwrap();
    bench.commit(&claim, vec![unit]).await;
}

/// A unit that names a message of another tenant is fenced and changes nothing.
pub async fn units_of_another_tenant_are_refused(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    bench.arrive(&bench.a, "m", "h", 0).await;
    let theirs = bench.arrive(&bench.b, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let outcome = ProcessedOutcome::Park(ParkReason::NotRelevant);
    let unit = Unit::Processed(Box::new(processed(theirs, None, outcome, bench.at(0))));
    let answers = bench.try_commit(&claim, vec![unit]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(bench.outcome(&bench.b, theirs).await, Outcome::Pending);
}

/// Claims of one tenant do not count against another.
pub async fn in_flight_caps_are_per_tenant(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for (tenant, name) in [(&bench.a, "m1"), (&bench.a, "m2"), (&bench.b, "m1")] {
        bench
            .planned(
                tenant,
                name,
                thread_id(name),
                &format!("{name}@gmail.com"),
                0,
            )
            .await;
    }
    let one = |scope| ClaimRequest {
        max_items: 1,
        max_in_flight: 1,
        ..request(JobKind::Deliver, scope)
    };
    let first = store
        .claim(&one(Scope::Tenant(bench.a.clone())))
        .await
        .unwrap();
    assert!(first.is_some());
    assert!(
        store
            .claim(&one(Scope::Tenant(bench.a.clone())))
            .await
            .unwrap()
            .is_none()
    );
    let next = store.claim(&one(Scope::All)).await.unwrap().unwrap();
    assert_eq!(next.tenant, bench.b);
}

/// The same mail in two tenants is no duplicate.
pub async fn same_mail_in_two_tenants_is_no_duplicate(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    for tenant in [&bench.a, &bench.b] {
        let uid = bench.arrive(tenant, "m", "h", 0).await;
        let claim = bench.claim(JobKind::Process, tenant).await.unwrap();
        let park = ProcessedOutcome::Park(ParkReason::NotRelevant);
        let mut unit = processed(uid, None, park, bench.at(0));
        unit.fingerprint = fingerprint("the same");
        let answers = bench
            .commit(&claim, vec![Unit::Processed(Box::new(unit))])
            .await;
        assert_eq!(answers, [Committed::Accepted]);
    }
}

/// A party that another tenant's CRM knows is new to this one: one claim at a time creates it.
pub async fn party_known_elsewhere_is_created_once(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    for (tenant, name) in [(&bench.a, "m1"), (&bench.b, "m1"), (&bench.b, "m2")] {
        let thread = thread_id(name);
        bench.planned(tenant, name, thread, "ada@acme.com", 0).await;
    }
    let of_a = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let (uid, plan) = (of_a.items[0].message, plan_of(&of_a.items[0].work));
    let mut unit = delivered(uid, plan, DeliveredEnd::Done);
    if let Unit::Delivered(unit) = &mut unit {
        let known = PartyKey::of(&plan.sender.address).into_iter();
        let known = known.map(|party| KnownRecord {
            party,
            record: record(RecordKind::Contact, "of a"),
        });
        unit.parties = known.collect();
    }
    bench.commit(&of_a, vec![unit]).await;
    let one = ClaimRequest {
        max_items: 1,
        ..request(JobKind::Deliver, Scope::Tenant(bench.b.clone()))
    };
    let claims = bench.claims_of(&one).await;
    assert_eq!(claims.len(), 1, "the second needs the same new party");
}

/// A closed gate, or a connection that cannot be used, stops the work of its own tenant only.
pub async fn stopped_work_is_of_one_tenant(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, now) = (bench.store(), bench.at(0));
    for tenant in [&bench.a, &bench.b] {
        let thread = thread_id("t");
        bench.planned(tenant, "m", thread, "ada@acme.com", 0).await;
        bench
            .list(tenant, vec![stub("stub", None, Some(now))])
            .await;
        store.mark_dirty(tenant, &mailbox_id("in")).await.unwrap();
    }
    for (stopped, other) in [(&bench.a, &bench.b), (&bench.b, &bench.a)] {
        for name in ["src", "crm"] {
            let until = bench.at(600);
            store.set_gate(stopped, gate(name, until)).await.unwrap();
        }
        assert_eq!(works(&bench, stopped).await, [false; 3], "the gates");
        assert_eq!(works(&bench, other).await, [true; 3]);
        for name in ["src", "crm"].map(connection_id) {
            store.open_gate(stopped, &name).await.unwrap();
            let paused = ConnectionState::Paused;
            let set = store.set_connection_state(stopped, &name, paused).await;
            set.unwrap();
        }
        assert_eq!(works(&bench, stopped).await, [false; 3], "the states");
        assert_eq!(works(&bench, other).await, [true; 3]);
        for name in ["src", "crm"].map(connection_id) {
            let usable = ConnectionState::Connected;
            let set = store.set_connection_state(stopped, &name, usable).await;
            set.unwrap();
        }
    }
}

/// Whether a mailbox, a stub and a delivery of a tenant can be claimed; gives them back.
async fn works(bench: &Bench, tenant: &TenantId) -> [bool; 3] {
    let mailbox = bench.claim_mailbox(tenant).await;
    if let Some(claim) = &mailbox {
        let page = PageCommit {
            sync: claim.mailbox.sync.clone(),
            next: NextPage::Free {
                due: Some(bench.at(0)),
            },
            ..PageCommit::default()
        };
        let id = &claim.mailbox.id;
        let done = bench.store().commit_page(tenant, id, claim.lease, page);
        done.await.unwrap();
    }
    let mut works = [mailbox.is_some(), false, false];
    for (index, kind) in [(1, JobKind::Fetch), (2, JobKind::Deliver)] {
        if let Some(claim) = bench.claim(kind, tenant).await {
            works[index] = true;
            bench.release(&claim).await;
        }
    }
    works
}

/// A replay in one tenant leaves the message of another as it is.
pub async fn replay_stays_in_its_tenant(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    bench
        .process(&bench.a, thread_id("t"), |_| {
            ProcessedOutcome::Park(ParkReason::NotRelevant)
        })
        .await;
    assert_eq!(store.requeue(&bench.b, &[uid]).await.unwrap(), 0);
    assert!(matches!(
        bench.outcome(&bench.a, uid).await,
        Outcome::Parked { .. }
    ));
    assert_eq!(store.requeue(&bench.a, &[uid]).await.unwrap(), 1);
}

/// Calls under the lease of another tenant are refused and leave no row.
pub async fn late_calls_stay_in_their_tenant(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let unit = Unit::Calls(vec![call(bench.at(0), "crm.upsert", Vec::new())]);
    let crossed = store
        .commit(&bench.b, claim.lease, vec![unit])
        .await
        .unwrap();
    assert_eq!(crossed[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    for tenant in [&bench.a, &bench.b] {
        assert_eq!(
            store.audit(tenant, &AuditQuery::default()).await.unwrap(),
            []
        );
    }
}

/// The next due moment in the scope of a tenant is that of its own work.
pub async fn next_due_stays_in_scope(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for tenant in [&bench.a, &bench.b] {
        bench.list(tenant, Vec::new()).await;
    }
    bench.arrive(&bench.a, "m", "h", 0).await;
    let due = async |tenant: &TenantId| {
        store
            .next_due(&Scope::Tenant(tenant.clone()))
            .await
            .unwrap()
    };
    assert_eq!(due(&bench.a).await, Some(bench.at(0)));
    assert_eq!(due(&bench.b).await, None);
    assert_eq!(
        store.next_due(&Scope::All).await.unwrap(),
        Some(bench.at(0))
    );
}
