//! Order, leases, crashes, parties and gates: what a claim hands out, and what it must not.
//!
//! Each check takes an empty store and its clock; `lane_checks!` names one test for each.

use std::time::Duration;

use nextedge_core::source::shared_hint;
use nextedge_core::store::{
    AfterDead, AuditQuery, ClaimRequest, Committed, DeliveredEnd, JobKind, KnownRecord, NextPage,
    PageCommit, Phase, ProcessedOutcome, Scope, Store, SyncState, Unit, Work,
};
use nextedge_core::{
    DeadReason, ErrorKind, ManualClock, Outcome, ParkReason, PartyKey, RecordKind, TenantId,
};

use crate::build::{
    SOURCE, address, call, gate, mailbox, mailbox_id, plan, processed, record, report, request,
    sink, stub, thread_id,
};
use crate::flow::{Bench, crm, delivered, messages, plan_of};

/// Makes one test of each check; `$with` runs a check on a fresh store.
#[macro_export]
macro_rules! lane_checks {
    ($with:ident) => {
        $crate::lane_checks!($with:
            unfetched_stub_holds_its_lane, listing_comes_first,
            every_listing_comes_first, shared_hints_are_one_lane, live_mail_comes_before_backfill,
            claims_are_bounded, retry_moves_the_lane, release_burns_nothing, crash_is_isolated,
            third_crash_is_the_end, crash_of_a_linked_thread_lets_the_lane_go_on,
            unknown_end_is_told, lost_lease_writes_nothing, extended_lease_is_held,
            calls_are_kept_after_the_lease, item_is_committed_once, new_party_is_created_once,
            company_is_reserved_only_if_planned, gate_is_probed_once, gate_closed_anew_stays,
            dead_item_holds_its_lane, due_times, dirty_while_leased);
    };
    ($with:ident: $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            $with!(lanes::$check);
        })*
    };
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn park(message: nextedge_core::MessageUid, bench: &Bench<'_>) -> Unit {
    let outcome = ProcessedOutcome::Park(ParkReason::NotRelevant);
    Unit::Processed(Box::new(processed(message, None, outcome, bench.at(0))))
}

pub async fn unfetched_stub_holds_its_lane(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let late = bench.arrive(&bench.a, "late", "h", 9).await;
    let other = bench.arrive(&bench.a, "other", "g", 5).await;
    bench
        .list(&bench.a, vec![stub("early", Some("h"), Some(bench.at(1)))])
        .await;
    let claim = bench.claim(JobKind::Process, &bench.a).await;
    assert_eq!(messages(claim.as_ref()), [other]);
    bench.release(&claim.unwrap()).await;
    bench.fetch(&bench.a).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await;
    let early = bench.uid(&bench.a, "early");
    assert_eq!(messages(claim.as_ref()), [early, late, other]);
}

pub async fn listing_comes_first(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let files = bench.list_first("files").await;
    bench.show(&files, &["m"], SyncState::default()).await;
    bench.fetch(&bench.b).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_none());
    bench.show(&files, &[], bench.listed()).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_some());
}

pub async fn every_listing_comes_first(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let files = bench.list_first("files").await;
    let more = bench.list_first("more").await;
    bench.show(&files, &["m1"], bench.listed()).await;
    bench.fetch(&bench.b).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_none());
    // a listing that failed is not waited for, until it is tried again
    let mut failed = SyncState::default();
    failed.run.error = Some(report("down"));
    bench.show(&more, &[], failed).await;
    let claim = bench.claim(JobKind::Process, &bench.b).await.unwrap();
    bench.release(&claim).await;
    bench.show(&more, &["m0"], SyncState::default()).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_none());
    bench.show(&more, &[], bench.listed()).await;
    bench.fetch(&bench.b).await;
    let claim = bench.claim(JobKind::Process, &bench.b).await.unwrap();
    assert_eq!(claim.items.len(), 2);
}

pub async fn shared_hints_are_one_lane(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    store
        .put_mailbox(&bench.a, mailbox("other", "src"))
        .await
        .unwrap();
    let (scope, hint) = (Scope::Tenant(bench.a.clone()), shared_hint("h@x.example"));
    for (name, at) in [("late", 2), ("early", 1)] {
        let claim = store.claim_mailbox(&scope, SOURCE, seconds(60)).await;
        let claim = claim.unwrap().unwrap();
        let stubs = vec![stub(name, Some(&hint), Some(bench.at(at)))];
        let page = PageCommit {
            stubs,
            ..PageCommit::default()
        };
        let id = &claim.mailbox.id;
        let page = store.commit_page(&bench.a, id, claim.lease, page).await;
        assert_eq!(page.unwrap().new, 1);
    }
    // the later one is fetched first: the other one's stub holds it
    let mut claims = Vec::new();
    for _ in 0..2 {
        claims.push(bench.claim(JobKind::Fetch, &bench.a).await.unwrap());
    }
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.items[0].received_at));
    bench.fetched(&claims[0]).await;
    assert!(bench.claim(JobKind::Process, &bench.a).await.is_none());
    bench.fetched(&claims[1]).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let order: Vec<_> = claim.items.iter().map(|item| item.received_at).collect();
    assert_eq!(order, [bench.at(1), bench.at(2)]);
    assert_eq!(claim.items[0].lane, claim.items[1].lane);
}

pub async fn live_mail_comes_before_backfill(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    // the first page is listed while the mailbox is in backfill, and turns it live
    bench.arrive(&bench.a, "old", "h1", 1).await;
    let state = store
        .mailbox(&bench.a, &mailbox_id("in"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(state.sync.phase, Phase::Live);
    let new = bench.arrive(&bench.a, "new", "h2", 100).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await;
    assert_eq!(messages(claim.as_ref())[0], new);
}

pub async fn claims_are_bounded(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for (at, name) in ["m1", "m2", "m3"].into_iter().enumerate() {
        bench.arrive(&bench.a, name, "h", at as u64).await;
    }
    let ask = |max_items, max_bytes| ClaimRequest {
        max_items,
        max_bytes,
        ..request(JobKind::Process, Scope::All)
    };
    for (max_items, max_bytes, expected) in [(2, 9999, 2), (9, 400, 2), (9, 1, 1), (9, 9999, 3)] {
        let claim = store
            .claim(&ask(max_items, max_bytes))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            claim.items.len(),
            expected,
            "{max_items} items, {max_bytes} bytes"
        );
        assert!(
            store.claim(&ask(9, 9999)).await.unwrap().is_none(),
            "one claim holds a lane"
        );
        bench.release(&claim).await;
    }
}

pub async fn retry_moves_the_lane(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let first = bench.arrive(&bench.a, "m1", "h", 0).await;
    let second = bench.arrive(&bench.a, "m2", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let retry = Unit::Retry {
        message: first,
        at: bench.at(30),
        error: report("slow"),
        keep: None,
    };
    bench.commit(&claim, vec![retry]).await;
    bench.release(&claim).await;
    clock.advance(seconds(29));
    assert!(bench.claim(JobKind::Process, &bench.a).await.is_none());
    clock.advance(seconds(1));
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [first, second]);
    let attempts: Vec<u32> = claim.items.iter().map(|item| item.attempt).collect();
    assert_eq!(attempts, [2, 1]);
    let row = store.message(&bench.a, first).await.unwrap().unwrap();
    assert_eq!(row.errors, [report("slow")]);
}

pub async fn release_burns_nothing(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    for _ in 0..5 {
        let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
        let item = &claim.items[0];
        assert_eq!((item.attempt, item.outcome_unknown), (1, false));
        bench.release(&claim).await;
    }
}

pub async fn crash_is_isolated(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let thread = thread_id("t");
    let first = bench
        .planned(&bench.a, "m1", thread, "ada@acme.com", 0)
        .await;
    let second = bench
        .planned(&bench.a, "m2", thread, "ada@acme.com", 1)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [first, second]);
    // the lease ends after 60 s, the vendor settles 120 s after the start
    clock.advance(seconds(119));
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    clock.advance(seconds(1));
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [first], "alone");
    assert!(claim.items[0].outcome_unknown);
    assert_eq!(claim.items[0].attempt, 1);
    bench.deliver(&claim, |_| DeliveredEnd::Done).await;
    bench.release(&claim).await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [second]);
    assert!(claim.items[0].outcome_unknown);
}

async fn crash_three_times_alone(bench: &Bench<'_>, tenant: &TenantId) {
    for _ in 0..4 {
        bench.claim(JobKind::Deliver, tenant).await.unwrap();
        bench.clock.advance(seconds(121));
    }
}

pub async fn third_crash_is_the_end(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let thread = thread_id("t");
    let first = bench
        .planned(&bench.a, "m1", thread, "ada@acme.com", 0)
        .await;
    let second = bench
        .planned(&bench.a, "m2", thread, "ada@acme.com", 1)
        .await;
    crash_three_times_alone(&bench, &bench.a).await;
    // the thread has no record: its later mail would create one without the first
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    let dead = Outcome::Dead {
        reason: DeadReason::Crash,
    };
    assert_eq!(bench.outcome(&bench.a, first).await, dead);
    assert_eq!(bench.outcome(&bench.a, second).await, Outcome::Pending);
    assert_eq!(store.requeue(&bench.a, &[first]).await.unwrap(), 1);
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim))[0], first);
    assert!(
        claim.items[0].outcome_unknown,
        "a replay forgets no unknown outcome"
    );
}

pub async fn crash_of_a_linked_thread_lets_the_lane_go_on(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let thread = thread_id("t");
    bench
        .planned(&bench.a, "m0", thread, "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let version = store
        .thread(&bench.a, thread)
        .await
        .unwrap()
        .unwrap()
        .version;
    let mut unit = delivered(
        claim.items[0].message,
        plan_of(&claim.items[0].work),
        DeliveredEnd::Done,
    );
    if let Unit::Delivered(unit) = &mut unit {
        unit.record = Some(record(RecordKind::Case, "case-1"));
    }
    bench.commit(&claim, vec![unit]).await;
    bench.release(&claim).await;
    let linked = store.thread(&bench.a, thread).await.unwrap().unwrap();
    assert_eq!(
        linked.record(&crm()),
        Some(&record(RecordKind::Case, "case-1"))
    );
    assert_eq!(linked.version, version, "a link makes no decision stale");
    bench
        .planned(&bench.a, "m1", thread, "ada@acme.com", 1)
        .await;
    let second = bench
        .planned(&bench.a, "m2", thread, "ada@acme.com", 2)
        .await;
    crash_three_times_alone(&bench, &bench.a).await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [second]);
    let Work::Deliver { record: known, .. } = &claim.items[0].work else {
        panic!("not a delivery");
    };
    assert_eq!(known.as_ref(), Some(&record(RecordKind::Case, "case-1")));
}

pub async fn unknown_end_is_told(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let (at, error) = (bench.at(120), report("cut"));
    bench
        .deliver(&claim, |_| DeliveredEnd::Unknown {
            at,
            error: error.clone(),
        })
        .await;
    bench.release(&claim).await;
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    clock.advance(seconds(120));
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(
        (claim.items[0].attempt, claim.items[0].outcome_unknown),
        (2, true)
    );
    // a known failure afterwards does not tell what became of the first write
    bench
        .deliver(&claim, |_| DeliveredEnd::Retry {
            at,
            error: error.clone(),
        })
        .await;
    bench.release(&claim).await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(
        (claim.items[0].attempt, claim.items[0].outcome_unknown),
        (3, true)
    );
}

pub async fn lost_lease_writes_nothing(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let mut ask = request(JobKind::Process, Scope::All);
    ask.settle = Duration::ZERO;
    let lost = store.claim(&ask).await.unwrap().unwrap();
    clock.advance(seconds(60));
    let answers = bench.try_commit(&lost, vec![park(uid, &bench)]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    let extended = store.extend(&bench.a, lost.lease, seconds(60)).await;
    assert_eq!(extended.unwrap_err().kind(), ErrorKind::Fenced);
    store.release(&bench.a, lost.lease).await.unwrap();
    let claim = store.claim(&ask).await.unwrap().unwrap();
    assert!(
        claim.items[0].outcome_unknown,
        "a late release hides no crash"
    );
    assert_eq!(
        bench.commit(&claim, vec![park(uid, &bench)]).await,
        [Committed::Accepted]
    );
}

pub async fn extended_lease_is_held(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    for _ in 0..3 {
        clock.advance(seconds(50));
        store
            .extend(&bench.a, claim.lease, seconds(60))
            .await
            .unwrap();
    }
    assert_eq!(
        bench.commit(&claim, vec![park(uid, &bench)]).await,
        [Committed::Accepted]
    );
}

pub async fn calls_are_kept_after_the_lease(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    clock.advance(seconds(61));
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    let calls = Unit::Calls(vec![call(bench.at(1), "crm.upsert", vec![uid]); 2]);
    assert_eq!(
        bench.commit(&claim, vec![calls]).await,
        [Committed::Accepted]
    );
    let query = AuditQuery {
        message: Some(uid),
        ..AuditQuery::default()
    };
    let rows = store.audit(&bench.a, &query).await.unwrap();
    let told = rows.iter().map(|row| (row.seq, row.call.is_interrupted()));
    // the end of the lease tells of an attempt whose calls are not known by then
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(1, true), (2, false), (3, false)]
    );
    assert!(rows.iter().all(|row| row.connection == crm()));
}

pub async fn item_is_committed_once(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let dead = Unit::Dead {
        message: uid,
        reason: DeadReason::Process("late".to_owned()),
        error: report("late"),
        after: AfterDead::Continue,
    };
    let units = vec![park(uid, &bench), dead.clone(), dead];
    let answers = bench.try_commit(&claim, units).await;
    assert!(answers[0].is_ok());
    for answer in &answers[1..] {
        assert_eq!(answer.as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    }
    let parked = Outcome::Parked {
        reason: ParkReason::NotRelevant,
    };
    assert_eq!(bench.outcome(&bench.a, uid).await, parked);
}

pub async fn new_party_is_created_once(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for name in ["m1", "m2", "m3"] {
        bench
            .planned(&bench.a, name, thread_id(name), "ada@acme.com", 0)
            .await;
    }
    let one = ClaimRequest {
        max_items: 1,
        ..request(JobKind::Deliver, Scope::All)
    };
    let first = store.claim(&one).await.unwrap().unwrap();
    assert!(
        store.claim(&one).await.unwrap().is_none(),
        "the others need the same new party"
    );
    let mut unit = delivered(
        first.items[0].message,
        plan_of(&first.items[0].work),
        DeliveredEnd::Done,
    );
    let known: Vec<KnownRecord> = PartyKey::of(&address("ada@acme.com"))
        .into_iter()
        .map(|party| KnownRecord {
            record: record(RecordKind::Contact, &party.as_key()),
            party,
        })
        .collect();
    if let Unit::Delivered(unit) = &mut unit {
        unit.parties = known.clone();
    }
    bench.commit(&first, vec![unit]).await;
    // known parties need no reservation, so both go on while the first claim still runs
    for _ in 0..2 {
        let claim = store.claim(&one).await.unwrap().unwrap();
        let Work::Deliver { parties, .. } = &claim.items[0].work else {
            panic!("not a delivery");
        };
        assert_eq!(*parties, known);
    }
}

pub async fn company_is_reserved_only_if_planned(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    // a company at acme.com is planned, none at other.com
    let senders = [
        "ada@acme.com",
        "bob@acme.com",
        "ada@other.com",
        "bob@other.com",
    ];
    for sender in senders {
        bench
            .planned(&bench.a, sender, thread_id(sender), sender, 0)
            .await;
    }
    let one = ClaimRequest {
        max_items: 1,
        ..request(JobKind::Deliver, Scope::All)
    };
    let mut claimed = Vec::new();
    while let Some(claim) = store.claim(&one).await.unwrap() {
        claimed.push(
            plan_of(&claim.items[0].work)
                .sender
                .address
                .domain()
                .to_string(),
        );
    }
    claimed.sort();
    assert_eq!(claimed, ["acme.com", "other.com", "other.com"]);
}

pub async fn gate_is_probed_once(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    for name in ["m1", "m2", "m3"] {
        bench
            .planned(
                &bench.a,
                name,
                thread_id(name),
                &format!("{name}@gmail.com"),
                0,
            )
            .await;
    }
    store
        .set_gate(&bench.a, gate("crm", bench.at(30)))
        .await
        .unwrap();
    store
        .set_gate(&bench.a, gate("crm", bench.at(10)))
        .await
        .unwrap();
    clock.advance(seconds(29));
    assert!(
        bench.claim(JobKind::Deliver, &bench.a).await.is_none(),
        "the later moment holds"
    );
    clock.advance(seconds(1));
    let probe = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(probe.items.len(), 1);
    assert!(
        bench.claim(JobKind::Deliver, &bench.a).await.is_none(),
        "one probe at a time"
    );
    bench.deliver(&probe, |_| DeliveredEnd::Done).await;
    assert_eq!(store.gates(&bench.a).await.unwrap(), []);
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(claim.items.len(), 2);
}

pub async fn gate_closed_anew_stays(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    bench
        .planned(&bench.a, "m1", thread_id("t"), "ada@acme.com", 0)
        .await;
    store
        .set_gate(&bench.a, gate("crm", bench.at(10)))
        .await
        .unwrap();
    clock.advance(seconds(10));
    let probe = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    store
        .set_gate(&bench.a, gate("crm", bench.at(40)))
        .await
        .unwrap();
    let (at, error) = (bench.at(10), report("429"));
    bench
        .deliver(&probe, |_| DeliveredEnd::Retry {
            at,
            error: error.clone(),
        })
        .await;
    bench.release(&probe).await;
    assert_eq!(
        store.gates(&bench.a).await.unwrap(),
        [gate("crm", bench.at(40))]
    );
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
}

pub async fn dead_item_holds_its_lane(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let thread = thread_id("t");
    for (after, goes_on) in [(AfterDead::HoldLane, false), (AfterDead::Continue, true)] {
        let tenant = if goes_on { &bench.a } else { &bench.b };
        let first = bench.planned(tenant, "m1", thread, "ada@acme.com", 0).await;
        bench.planned(tenant, "m2", thread, "ada@acme.com", 1).await;
        let claim = bench.claim(JobKind::Deliver, tenant).await.unwrap();
        let end = DeliveredEnd::Dead {
            error: report("refused"),
            after,
        };
        let unit = delivered(first, plan_of(&claim.items[0].work), end);
        bench.commit(&claim, vec![unit]).await;
        bench.release(&claim).await;
        let next = bench.claim(JobKind::Deliver, tenant).await;
        assert_eq!(next.is_some(), goes_on, "{after:?}");
    }
}

pub async fn due_times(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    store.put_connection(&bench.a, sink("gone")).await.unwrap();
    for tenant in [&bench.a, &bench.b] {
        bench.list(tenant, Vec::new()).await;
    }
    let due = async || store.next_due(&Scope::All).await.unwrap();
    assert_eq!(due().await, None);
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    assert_eq!(due().await, Some(bench.at(0)), "ready now");
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    assert_eq!(due().await, Some(bench.at(60)), "the lease's end");
    let retry = Unit::Retry {
        message: uid,
        at: bench.at(20),
        error: report("x"),
        keep: None,
    };
    bench.commit(&claim, vec![retry]).await;
    bench.release(&claim).await;
    assert_eq!(due().await, Some(bench.at(20)), "the lane's delay");
    clock.advance(seconds(25));
    assert_eq!(due().await, Some(bench.at(25)), "now at the earliest");
    let thread = thread_id("t");
    bench
        .process(&bench.a, thread, |uid| {
            ProcessedOutcome::Deliver(vec![plan(uid, thread, "crm", "ada@acme.com")])
        })
        .await;
    store
        .set_gate(&bench.a, gate("crm", bench.at(90)))
        .await
        .unwrap();
    assert_eq!(due().await, Some(bench.at(90)), "the gate");
    let paused = nextedge_core::ConnectionState::Paused;
    store
        .set_connection_state(&bench.a, &crm(), paused)
        .await
        .unwrap();
    assert_eq!(due().await, None, "a person must act first");
}

pub async fn dirty_while_leased(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let (id, scope) = (mailbox_id("in"), Scope::Tenant(bench.a.clone()));
    let claim = store
        .claim_mailbox(&scope, SOURCE, seconds(60))
        .await
        .unwrap()
        .unwrap();
    store.mark_dirty(&bench.a, &id).await.unwrap();
    let free = |due| PageCommit {
        next: NextPage::Free { due: Some(due) },
        ..PageCommit::default()
    };
    let page = free(bench.at(600));
    store
        .commit_page(&bench.a, &id, claim.lease, page)
        .await
        .unwrap();
    // the push came after the page was read, so the mailbox is read again
    let claim = store
        .claim_mailbox(&scope, SOURCE, seconds(60))
        .await
        .unwrap()
        .unwrap();
    let page = free(bench.at(600));
    store
        .commit_page(&bench.a, &id, claim.lease, page)
        .await
        .unwrap();
    assert!(
        store
            .claim_mailbox(&scope, SOURCE, seconds(60))
            .await
            .unwrap()
            .is_none()
    );
}
