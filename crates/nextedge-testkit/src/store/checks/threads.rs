//! Threads: links that were chosen from something old are refused; look-ups are bounded.

use nextedge_core::store::{Committed, JobKind, ProcessedOutcome, ThreadChange, Unit};
use nextedge_core::{ParkReason, PartyKey, ThreadId, ThreadKey};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, help};
use crate::store::values::{address, processed, thread, thread_id};

/// A link is stale if a key it found absent, or a thread it saw, changed since.
pub async fn a_link_chosen_from_other_threads_is_stale(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let first = bench.arrive(&bench.a, "m1", "h", 0).await;
    let second = bench.arrive(&bench.a, "m2", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let key = ThreadKey::message_id("shared@conversation.example");
    let unit = |uid, name: &str, absent: &[ThreadKey], seen: &[(ThreadId, u64)]| {
        let change = ThreadChange {
            absent: absent.to_vec(),
            seen: seen.to_vec(),
            expected: 0,
            thread: thread(thread_id(name), bench.at(0)),
            keys: vec![key.clone()],
        };
        let outcome = ProcessedOutcome::Park(ParkReason::NotRelevant);
        Unit::Processed(Box::new(processed(uid, Some(change), outcome, bench.at(0))))
    };
    let keys = [key.clone()];
    let answers = bench
        .commit(&claim, vec![unit(first, "one", &keys, &[])])
        .await;
    assert_eq!(answers, [Committed::Accepted]);
    let present = (thread_id("one"), 1);
    for (absent, seen) in [
        (&keys[..], &[present][..]),
        (&[], &[(thread_id("one"), 2)]),
        (&[], &[(thread_id("of a unit that was refused"), 1)]),
    ] {
        let answers = bench
            .commit(&claim, vec![unit(second, "two", absent, seen)])
            .await;
        assert_eq!(answers, [Committed::Stale], "{absent:?} {seen:?}");
    }
    assert_eq!(
        store.thread(&bench.a, thread_id("two")).await.unwrap(),
        None
    );
    let answers = bench
        .commit(&claim, vec![unit(second, "two", &[], &[present])])
        .await;
    assert_eq!(answers, [Committed::Accepted]);
}

/// A unit whose thread changed since it was read is stale, and nothing of it is kept.
pub async fn changed_thread_is_stale(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let id = thread_id("t");
    let uid = bench.arrive(&bench.a, "m1", "h1", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let old = bench.change(&bench.a, id, "k1").await;
    bench.planned(&bench.a, "m2", id, "ada@acme.com", 1).await;
    let unit = |change: ThreadChange| {
        let outcome = ProcessedOutcome::Deliver(vec![help(uid, "crm")]);
        Unit::Processed(Box::new(processed(uid, Some(change), outcome, bench.at(0))))
    };
    assert_eq!(
        bench.commit(&claim, vec![unit(old)]).await,
        [Committed::Stale]
    );
    let row = store.message(&bench.a, uid).await.unwrap().unwrap();
    assert_eq!(
        (row.decision, row.sinks.len()),
        (None, 0),
        "nothing of it is kept"
    );
    let new = bench.change(&bench.a, id, "k1").await;
    assert_eq!(
        bench.commit(&claim, vec![unit(new)]).await,
        [Committed::Accepted]
    );
    assert_eq!(
        store.thread(&bench.a, id).await.unwrap().unwrap().version,
        2
    );
}

/// A key finds at most twenty threads, the latest first, each key once.
pub async fn lookup_is_bounded(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for index in 0..25 {
        let uid = bench.arrive(&bench.a, &format!("m{index}"), "h", 0).await;
        let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
        let id = thread_id(&format!("t{index}"));
        let change = ThreadChange {
            absent: Vec::new(),
            seen: Vec::new(),
            expected: 0,
            thread: thread(id, bench.at(index)),
            keys: vec![ThreadKey::message_id("shared")],
        };
        let park = ProcessedOutcome::Park(ParkReason::NotRelevant);
        let unit = processed(uid, Some(change), park, bench.at(0));
        bench
            .commit(&claim, vec![Unit::Processed(Box::new(unit))])
            .await;
        bench.release(&claim).await;
    }
    let key = ThreadKey::message_id("shared");
    let party = PartyKey::Address(address("ada@acme.com"));
    let found = store
        .lookup(&bench.a, &[key.clone(), key.clone()], &[party])
        .await
        .unwrap();
    assert_eq!(
        (found.found.len(), found.threads.len(), found.known.len()),
        (20, 20, 0)
    );
    assert_eq!(found.found[0], (key, thread_id("t24")));
}
