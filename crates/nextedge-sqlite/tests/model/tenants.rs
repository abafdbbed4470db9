//! Two tenants with the same names for everything: no call of one sees or moves the other's.
//!
//! Each check takes an empty store and its clock; `tenant_checks!` names one test for each.

use std::time::Duration;

use nextedge_core::policy::{FieldMap, Policy};
use nextedge_core::store::{
    AuditQuery, Counts, DeliveredEnd, JobKind, KnownRecord, LedgerQuery, NextPage, PageCommit,
    ProcessedOutcome, ReviewQuery, Scope, Store, Unit,
};
use nextedge_core::{
    ConnectionState, ErrorKind, ManualClock, Outcome, PartyKey, RecordKind, ReviewDecision,
    ReviewState, Slot, ThreadKey,
};

use crate::build::{
    SOURCE, address, call, connection_id, effect, fingerprint, gate, mailbox, mailbox_id, plan,
    processed, raw, record, request, review_item, sink, stub, thread_id,
};
use crate::flow::{Bench, crm, delivered, messages, plan_of};

/// Makes one test of each check; `$with` runs a check on a fresh store.
#[macro_export]
macro_rules! tenant_checks {
    ($with:ident) => {
        $crate::tenant_checks!($with:
            connections, policies_and_field_maps, turns, gates, mailboxes, mailbox_leases,
            claims_stay_in_scope, leases, units_of_another_tenant, in_flight_caps, fingerprints,
            threads, parties, reviews, ledger, requeue, audit, late_calls, next_due, turns_are_fair);
    };
    ($with:ident: $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            $with!(tenants::$check);
        })*
    };
}

pub async fn connections(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let mut other = sink("crm");
    other.version = 1;
    other.account = Some("of a".to_owned());
    store.put_connection(&bench.a, other).await.unwrap();
    store
        .put_connection(&bench.a, sink("only-a"))
        .await
        .unwrap();
    let paused = ConnectionState::Paused;
    store
        .set_connection_state(&bench.a, &crm(), paused)
        .await
        .unwrap();
    let seen = store.connection(&bench.b, &crm()).await.unwrap().unwrap();
    assert_eq!((seen.account, seen.version), (None, 1));
    assert_eq!(seen.state, ConnectionState::Connected);
    assert_eq!(store.connections(&bench.b).await.unwrap().len(), 2);
    let missing = connection_id("only-a");
    assert!(
        store
            .connection(&bench.b, &missing)
            .await
            .unwrap()
            .is_none()
    );
    let error = store
        .set_connection_state(&bench.b, &missing, paused)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

pub async fn policies_and_field_maps(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    store
        .put_policy(&bench.a, 0, Policy::default())
        .await
        .unwrap();
    let mut map = FieldMap::default();
    map.lengths.insert("contact.name".to_owned(), 40);
    store
        .put_field_map(&bench.a, &crm(), 0, map.clone())
        .await
        .unwrap();
    assert_eq!(store.policy(&bench.b).await.unwrap().version, 0);
    assert_eq!(store.field_map(&bench.b, &crm()).await.unwrap(), None);
    store
        .put_policy(&bench.b, 0, Policy::default())
        .await
        .unwrap();
    store
        .put_field_map(&bench.b, &crm(), 0, FieldMap::default())
        .await
        .unwrap();
    let kept = store.field_map(&bench.a, &crm()).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.value), (1, map));
}

pub async fn turns(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    assert_eq!(store.take_turns(&bench.a, "sales", 3).await.unwrap(), 0);
    assert_eq!(store.take_turns(&bench.b, "sales", 1).await.unwrap(), 0);
    assert_eq!(store.take_turns(&bench.a, "sales", 1).await.unwrap(), 3);
}

pub async fn gates(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for tenant in [&bench.a, &bench.b] {
        bench
            .planned(tenant, "m", thread_id("t"), "ada@acme.com", 0)
            .await;
    }
    store
        .set_gate(&bench.a, gate("crm", bench.at(60)))
        .await
        .unwrap();
    assert_eq!(store.gates(&bench.b).await.unwrap(), []);
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    assert!(bench.claim(JobKind::Deliver, &bench.b).await.is_some());
    store.open_gate(&bench.b, &crm()).await.unwrap();
    assert_eq!(store.gates(&bench.a).await.unwrap().len(), 1);
}

pub async fn mailboxes(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let mut paused = mailbox("in", "src");
    (paused.paused, paused.version) = (true, 1);
    store.put_mailbox(&bench.a, paused).await.unwrap();
    store
        .put_mailbox(&bench.a, mailbox("only-a", "src"))
        .await
        .unwrap();
    let seen = store
        .mailbox(&bench.b, &mailbox_id("in"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((seen.paused, seen.version), (false, 1));
    let missing = mailbox_id("only-a");
    assert_eq!(store.mailbox(&bench.b, &missing).await.unwrap(), None);
    assert_eq!(store.mailboxes(&bench.b, None, 10).await.unwrap().len(), 1);
    let error = store.mark_dirty(&bench.b, &missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

pub async fn mailbox_leases(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn claims_stay_in_scope(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn leases(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let minute = Duration::from_secs(60);
    let crossed = store.extend(&bench.b, claim.lease, minute).await;
    assert_eq!(crossed.unwrap_err().kind(), ErrorKind::Fenced);
    let outcome = ProcessedOutcome::Park(nextedge_core::ParkReason::NotRelevant);
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

pub async fn units_of_another_tenant(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    bench.arrive(&bench.a, "m", "h", 0).await;
    let theirs = bench.arrive(&bench.b, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let outcome = ProcessedOutcome::Park(nextedge_core::ParkReason::NotRelevant);
    let unit = Unit::Processed(Box::new(processed(theirs, None, outcome, bench.at(0))));
    let answers = bench.try_commit(&claim, vec![unit]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(bench.outcome(&bench.b, theirs).await, Outcome::Pending);
}

pub async fn in_flight_caps(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for (tenant, name) in [(&bench.a, "m1"), (&bench.a, "m2"), (&bench.b, "m1")] {
        bench
            .planned(
                tenant,
                name,
                thread_id(name),
                &format!("{name}@acme.com"),
                0,
            )
            .await;
    }
    let one = |scope| nextedge_core::store::ClaimRequest {
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

pub async fn fingerprints(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for tenant in [&bench.a, &bench.b] {
        let uid = bench.arrive(tenant, "m", "h", 0).await;
        let claim = bench.claim(JobKind::Process, tenant).await.unwrap();
        let park = ProcessedOutcome::Park(nextedge_core::ParkReason::NotRelevant);
        let mut unit = processed(uid, None, park, bench.at(0));
        unit.fingerprint = fingerprint("the same");
        let answers = bench
            .commit(&claim, vec![Unit::Processed(Box::new(unit))])
            .await;
        assert_eq!(answers, [nextedge_core::store::Committed::Accepted]);
    }
}

pub async fn threads(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let id = thread_id("t");
    bench.planned(&bench.a, "m1", id, "ada@acme.com", 0).await;
    bench.planned(&bench.a, "m2", id, "ada@acme.com", 1).await;
    let key = [ThreadKey::message_id("key")];
    assert_eq!(store.thread(&bench.b, id).await.unwrap(), None);
    assert!(
        store
            .lookup(&bench.b, &key, &[])
            .await
            .unwrap()
            .threads
            .is_empty()
    );
    bench.planned(&bench.b, "m1", id, "ada@acme.com", 0).await;
    let claim = bench.claim(JobKind::Deliver, &bench.b).await.unwrap();
    let mut unit = delivered(
        claim.items[0].message,
        plan_of(&claim.items[0].work),
        DeliveredEnd::Done,
    );
    if let Unit::Delivered(unit) = &mut unit {
        unit.record = Some(record(RecordKind::Case, "1"));
    }
    bench.commit(&claim, vec![unit]).await;
    let (of_a, of_b) = (
        store.thread(&bench.a, id).await,
        store.thread(&bench.b, id).await,
    );
    let (of_a, of_b) = (of_a.unwrap().unwrap(), of_b.unwrap().unwrap());
    assert_eq!((of_a.version, of_b.version), (2, 1));
    assert_eq!((of_a.records.len(), of_b.records.len()), (0, 1));
    let found = store.lookup(&bench.a, &key, &[]).await.unwrap();
    assert_eq!(found.threads, [of_a]);
}

pub async fn parties(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for tenant in [&bench.a, &bench.b] {
        bench
            .planned(tenant, "m", thread_id("t"), "ada@acme.com", 0)
            .await;
    }
    // both create the same party at the same time, each in its own CRM
    let of_a = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let of_b = bench.claim(JobKind::Deliver, &bench.b).await.unwrap();
    assert_eq!(of_b.items.len(), 1);
    let party = PartyKey::Address(address("ada@acme.com"));
    let mut unit = delivered(
        of_a.items[0].message,
        plan_of(&of_a.items[0].work),
        DeliveredEnd::Done,
    );
    if let Unit::Delivered(unit) = &mut unit {
        let record = record(RecordKind::Contact, "1");
        unit.parties = vec![KnownRecord {
            party: party.clone(),
            record,
        }];
        unit.effects = vec![effect(Slot::Contact, "1")];
    }
    bench.commit(&of_a, vec![unit]).await;
    let known = |tenant| store.lookup(tenant, &[], std::slice::from_ref(&party));
    assert_eq!(known(&bench.a).await.unwrap().known, vec![party.clone()]);
    assert_eq!(known(&bench.b).await.unwrap().known, []);
    bench.release(&of_b).await;
    let again = bench.claim(JobKind::Deliver, &bench.b).await.unwrap();
    let nextedge_core::store::Work::Deliver { parties, done, .. } = &again.items[0].work else {
        panic!("not a delivery");
    };
    assert!(parties.is_empty() && done.is_empty());
}

pub async fn reviews(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    // the id of an item comes from its message, so the same id is forced on both
    let id = nextedge_core::ReviewId::opened_by(bench.uid(&bench.a, "m"));
    for tenant in [&bench.a, &bench.b] {
        bench.arrive(tenant, "m", "h", 0).await;
        bench
            .process(tenant, thread_id("t"), |uid| {
                let plans = vec![plan(uid, thread_id("t"), "crm", "ada@acme.com")];
                let mut item = review_item(uid, thread_id("t"), plans, bench.at(0));
                item.id = id;
                ProcessedOutcome::Review(item)
            })
            .await;
    }
    store
        .decide(&bench.a, id, 1, ReviewDecision::Reject)
        .await
        .unwrap();
    let of_b = store.review(&bench.b, id).await.unwrap().unwrap();
    assert_eq!((of_b.state, of_b.version), (ReviewState::Open, 1));
    assert_eq!(
        store
            .reviews(&bench.b, &ReviewQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store
            .reviews(&bench.a, &ReviewQuery::default())
            .await
            .unwrap(),
        []
    );
    let waiting = bench.uid(&bench.b, "m");
    assert_eq!(
        bench.outcome(&bench.b, waiting).await,
        Outcome::Review { item: id }
    );
    let thread = store
        .thread(&bench.b, thread_id("t"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(thread.review, Some(id));
}

pub async fn ledger(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let plans = vec![plan(uid, thread_id("t"), "crm", "ada@acme.com")];
    let mut unit = processed(uid, None, ProcessedOutcome::Deliver(plans), bench.at(0));
    unit.decision.owner = Some("ann".to_owned());
    bench
        .commit(&claim, vec![Unit::Processed(Box::new(unit))])
        .await;
    let (b, id) = (&bench.b, mailbox_id("in"));
    assert_eq!(store.message(b, uid).await.unwrap(), None);
    assert_eq!(
        store.messages(b, &LedgerQuery::default()).await.unwrap(),
        []
    );
    assert_eq!(store.plans(b, uid).await.unwrap(), []);
    assert_eq!(store.raw(b, uid).await.unwrap(), None);
    assert_eq!(store.counts(b, Some(&id)).await.unwrap(), Counts::default());
    assert_eq!(store.open_by_owner(b).await.unwrap(), []);
    assert_eq!(store.plans(&bench.a, uid).await.unwrap().len(), 1);
    assert_eq!(store.raw(&bench.a, uid).await.unwrap(), Some(raw(uid, 200)));
    assert_eq!(store.counts(&bench.a, Some(&id)).await.unwrap().pending, 1);
    assert_eq!(
        store.open_by_owner(&bench.a).await.unwrap(),
        [("ann".to_owned(), 1)]
    );
}

pub async fn requeue(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    bench
        .process(&bench.a, thread_id("t"), |_| {
            ProcessedOutcome::Park(nextedge_core::ParkReason::NotRelevant)
        })
        .await;
    assert_eq!(store.requeue(&bench.b, &[uid]).await.unwrap(), 0);
    assert!(matches!(
        bench.outcome(&bench.a, uid).await,
        Outcome::Parked { .. }
    ));
    assert_eq!(store.requeue(&bench.a, &[uid]).await.unwrap(), 1);
}

pub async fn audit(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let calls = |name| vec![call(bench.at(0), name, Vec::new())];
    store
        .append_calls(&bench.a, &crm(), calls("crm.one"))
        .await
        .unwrap();
    store
        .append_calls(&bench.a, &crm(), calls("crm.two"))
        .await
        .unwrap();
    store
        .append_calls(&bench.b, &crm(), calls("crm.three"))
        .await
        .unwrap();
    let rows = store.audit(&bench.b, &AuditQuery::default()).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].seq, rows[0].call.operation.as_str()),
        (1, "crm.three")
    );
}

pub async fn late_calls(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn next_due(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for tenant in [&bench.a, &bench.b] {
        bench.list(tenant, Vec::new()).await;
    }
    bench.arrive(&bench.a, "m", "h", 0).await;
    let due = async |tenant: &nextedge_core::TenantId| {
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

pub async fn turns_are_fair(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for name in ["m1", "m2", "m3", "m4"] {
        bench.arrive(&bench.a, name, name, 0).await;
    }
    bench.arrive(&bench.b, "m1", "m1", 50).await;
    let one = nextedge_core::store::ClaimRequest {
        max_items: 1,
        max_in_flight: 9,
        ..request(JobKind::Process, Scope::All)
    };
    let mut order = Vec::new();
    while let Some(claim) = store.claim(&one).await.unwrap() {
        order.push(claim.tenant.as_str().to_owned());
    }
    // the flooded tenant does not keep the other waiting, though all its mail is older
    assert_eq!(order, ["a", "b", "a", "a", "a"]);
}
