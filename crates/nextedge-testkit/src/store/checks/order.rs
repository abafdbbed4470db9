//! What a claim hands out, in which order and how much.

use std::collections::BTreeSet;
use std::time::Duration;

use nextedge_core::ConnectionState;
use nextedge_core::source::shared_hint;
use nextedge_core::store::{
    AfterDead, ClaimRequest, DeliveredEnd, JobKind, PageCommit, Phase, ProcessedOutcome, Scope,
    SyncState, Unit,
};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, crm, delivered, messages, plan_of};
use crate::store::values::{
    SOURCE, gate, mailbox, mailbox_id, plan, report, request, sink, stub, thread_id,
};

/// A lane with an unfetched stub waits; other lanes go on, and a late stub joins by order.
pub async fn unfetched_stub_holds_its_lane(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
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

/// A mailbox with `list_first` is processed only after its listing is complete.
pub async fn listing_comes_first(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let files = bench.list_first("files").await;
    bench.show(&files, &["m"], SyncState::default()).await;
    bench.fetch(&bench.b).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_none());
    bench.show(&files, &[], bench.listed()).await;
    assert!(bench.claim(JobKind::Process, &bench.b).await.is_some());
}

/// It is processed only after every such mailbox of the tenant was listed to its end or failed.
pub async fn every_listing_comes_first(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
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

/// Mails with one shared hint are one lane in order, whatever their mailbox.
pub async fn shared_hints_are_one_lane(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// Live mail is handed out before older mail of the backfill.
pub async fn live_mail_comes_before_backfill(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// A claim ends before the item that exceeds its count or bytes; one claim holds a lane.
pub async fn claims_are_bounded(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// However many claims are made at once, each item is in one of them and a lane is in one of them.
pub async fn lane_is_held_by_one_claim(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let stubs = (0..12).map(|n| stub(&format!("m{n}"), Some(&format!("h{}", n % 4)), None));
    bench.list(&bench.a, stubs.collect()).await;
    bench.fetch(&bench.a).await;
    let one = ClaimRequest {
        max_items: 1,
        max_in_flight: 100,
        ..request(JobKind::Process, Scope::Tenant(bench.a.clone()))
    };
    let claims = (0..16).map(|_| bench.store().claim(&one));
    let claims = futures::future::join_all(claims).await;
    let claims: Vec<_> = claims.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(claims.len(), 4, "one for each lane");
    let lanes: BTreeSet<&str> = claims.iter().map(|c| c.items[0].lane.as_str()).collect();
    assert_eq!(lanes.len(), 4);
    assert!(bench.store().claim(&one).await.unwrap().is_none());
}

/// A retry delays the whole lane, counts an attempt and keeps its error and the order.
pub async fn retry_moves_the_lane(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
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

/// A dead item holds its lane if told so, and else lets it go on.
pub async fn dead_item_holds_its_lane(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
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

/// The next due moment is that of what waits for time alone.
pub async fn due_times(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
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
    let paused = ConnectionState::Paused;
    store
        .set_connection_state(&bench.a, &crm(), paused)
        .await
        .unwrap();
    assert_eq!(due().await, None, "a person must act first");
}

/// A tenant with much work does not keep another waiting.
pub async fn tenants_take_fair_turns(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    for name in ["m1", "m2", "m3", "m4"] {
        bench.arrive(&bench.a, name, name, 0).await;
    }
    bench.arrive(&bench.b, "m1", "m1", 50).await;
    let one = ClaimRequest {
        max_items: 1,
        max_in_flight: 9,
        ..request(JobKind::Process, Scope::All)
    };
    let claims = bench.claims_of(&one).await;
    let order: Vec<&str> = claims.iter().map(|claim| claim.tenant.as_str()).collect();
    // the flooded tenant does not keep the other waiting, though all its mail is older
    assert_eq!(order, ["a", "b", "a", "a", "a"]);
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
