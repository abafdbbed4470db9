//! Leases, fences and crashes: who may write, and what is known after a process died.

use std::time::Duration;

use nextedge_core::store::{
    AfterDead, AuditQuery, Committed, DeliveredEnd, JobKind, Scope, Unit, Work,
};
use nextedge_core::{DeadReason, ErrorKind, MessageUid, Outcome, ParkReason, RecordKind, TenantId};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, crm, delivered, messages, park, parked, plan_of};
use crate::store::values::{call, record, report, request, thread_id};

/// A released item has neither an attempt more nor an unknown outcome.
pub async fn release_burns_nothing(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
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

/// After a lease ran out, items come again one by one, after the settle time, as unknown.
pub async fn crash_is_isolated(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let clock = &bench.clock;
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

async fn crash_three_times_alone(bench: &Bench, tenant: &TenantId) {
    for _ in 0..4 {
        bench.claim(JobKind::Deliver, tenant).await.unwrap();
        bench.clock.advance(seconds(121));
    }
}

/// The third crash alone is the end of an item and holds a lane without a record.
pub async fn third_crash_is_the_end(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// A lane whose thread has a record goes on after a crashed item; linking makes nothing stale.
pub async fn crash_of_a_linked_thread_lets_the_lane_go_on(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// An unknown end is told at the next attempts until the delivery is done.
pub async fn unknown_end_is_told(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let clock = &bench.clock;
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

/// Commit, extend and release of a lost lease change nothing and hide no crash.
pub async fn lost_lease_writes_nothing(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
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

/// An extended lease is held for as long as it was extended.
pub async fn extended_lease_is_held(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
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

/// Calls become audit rows even after their claim lost its lease.
pub async fn calls_are_kept_after_the_lease(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
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

/// An item takes one outcome; a second one of the same claim is fenced.
pub async fn item_is_committed_once(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
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
    let kept = parked(ParkReason::NotRelevant);
    assert_eq!(bench.outcome(&bench.a, uid).await, kept);
    bench.release(&claim).await;
    // a retry is an outcome too, though its item goes on
    let uid = bench.arrive(&bench.a, "again", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let retry = Unit::Retry {
        message: uid,
        at: bench.at(0),
        error: report("slow"),
        keep: None,
    };
    let units = vec![retry.clone(), retry, park(uid, &bench)];
    let answers = bench.try_commit(&claim, units).await;
    assert!(answers[0].is_ok());
    for answer in &answers[1..] {
        assert_eq!(answer.as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    }
    bench.release(&claim).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    assert_eq!(claim.items[0].attempt, 2);
}

/// Of the units of one commit each is accepted or refused alone, and what is accepted stays.
pub async fn units_stand_alone(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let first = bench.arrive(&bench.a, "m1", "h1", 0).await;
    let last = bench.arrive(&bench.a, "m2", "h2", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let stranger = MessageUid::derive(&[b"of no claim"]);
    let units = [first, stranger, last].map(|uid| park(uid, &bench));
    let answers = bench.try_commit(&claim, units.to_vec()).await;
    assert_eq!(answers[0].as_ref().unwrap(), &Committed::Accepted);
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(answers[2].as_ref().unwrap(), &Committed::Accepted);
    for uid in [first, last] {
        let kept = parked(ParkReason::NotRelevant);
        assert_eq!(bench.outcome(&bench.a, uid).await, kept);
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
