//! Review items: what waits, and what each decision does with it.

use nextedge_core::store::{Committed, DeliveredEnd, JobKind, ProcessedOutcome, Unit};
use nextedge_core::{
    Category, ErrorKind, MessageUid, Outcome, ParkReason, ReviewDecision, ReviewId, ReviewState,
};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, delivered, help, messages, parked, plan_of};
use crate::store::values::{processed, review_item, sink, thread_id};

/// A mail cannot join a review item that was decided meanwhile.
pub async fn decided_item_is_stale(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (_, item) = held(&bench, "m1", 0).await;
    let uid = bench.arrive(&bench.a, "m2", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    store
        .decide(&bench.a, item, 1, ReviewDecision::Approve)
        .await
        .unwrap();
    let plans = vec![help(uid, "crm")];
    let outcome = ProcessedOutcome::Join { item, plans };
    let unit = Unit::Processed(Box::new(processed(uid, None, outcome, bench.at(0))));
    assert_eq!(bench.commit(&claim, vec![unit]).await, [Committed::Stale]);
}

/// An approval releases what waits in the order of the thread.
pub async fn approval_delivers_in_order(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (opener, item) = held(&bench, "m5", 5).await;
    let later = joined(&bench, "m9", 9, item).await;
    let earlier = joined(&bench, "m1", 1, item).await;
    let open = store.review(&bench.a, item).await.unwrap().unwrap();
    assert_eq!(
        open.waiting,
        [opener, earlier, later],
        "the opener first, then thread order"
    );
    assert_eq!(open.version, 3);
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    let thread = store
        .thread(&bench.a, thread_id("t"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(thread.review, Some(item));
    let decided = store
        .decide(&bench.a, item, 3, ReviewDecision::Approve)
        .await
        .unwrap();
    assert_eq!((decided.state, decided.version), (ReviewState::Approved, 4));
    let thread = store
        .thread(&bench.a, thread_id("t"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(thread.review, None);
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [earlier, opener, later]);
}

/// A rejection parks all that waits; a replay asks for a new decision.
pub async fn rejection_parks(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (opener, item) = held(&bench, "m1", 0).await;
    let other = joined(&bench, "m2", 1, item).await;
    store
        .decide(&bench.a, item, 2, ReviewDecision::Reject)
        .await
        .unwrap();
    for uid in [opener, other] {
        assert_eq!(
            bench.outcome(&bench.a, uid).await,
            parked(ParkReason::Rejected)
        );
    }
    // a replay asks for a new decision; it does not deliver what was rejected
    assert_eq!(store.requeue(&bench.a, &[opener]).await.unwrap(), 1);
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [opener]);
}

/// A correction delivers exactly its own plans and parks what has none.
pub async fn correction_replaces_plans(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    store.put_connection(&bench.a, sink("crm2")).await.unwrap();
    let (opener, item) = held(&bench, "m1", 0).await;
    let other = joined(&bench, "m2", 1, item).await;
    let mut new = help(opener, "crm2");
    new.category = Category::Lead;
    let stranger = help(MessageUid::derive(&[b"x"]), "crm");
    let correct = |plans| ReviewDecision::Correct {
        category: Category::Lead,
        plans,
    };
    let refused = store
        .decide(&bench.a, item, 2, correct(vec![new.clone(), stranger]))
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    let decided = store
        .decide(&bench.a, item, 2, correct(vec![new.clone()]))
        .await
        .unwrap();
    assert_eq!(
        (decided.category, decided.plans),
        (Category::Lead, vec![new.clone()])
    );
    assert_eq!(bench.outcome(&bench.a, opener).await, Outcome::Pending);
    assert_eq!(
        bench.outcome(&bench.a, other).await,
        parked(ParkReason::NotRelevant)
    );
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(
        (messages(Some(&claim)), plan_of(&claim.items[0].work)),
        (vec![opener], &new)
    );
}

/// A delivery in review holds its lane; an approval delivers exactly the plan shown.
pub async fn review_of_a_delivery(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let id = thread_id("t");
    let first = bench.planned(&bench.a, "m1", id, "ada@acme.com", 0).await;
    let second = bench.planned(&bench.a, "m2", id, "ada@acme.com", 1).await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let mut shown = help(first, "crm");
    shown.reason = "to this contact?".to_owned();
    let item = review_item(first, id, vec![shown.clone()], bench.at(0));
    let end = DeliveredEnd::Review(item.clone());
    bench
        .commit(
            &claim,
            vec![delivered(first, plan_of(&claim.items[0].work), end)],
        )
        .await;
    bench.release(&claim).await;
    assert_eq!(
        bench.outcome(&bench.a, first).await,
        Outcome::Review { item: item.id }
    );
    assert_eq!(bench.outcome(&bench.a, second).await, Outcome::Pending);
    assert!(
        bench.claim(JobKind::Deliver, &bench.a).await.is_none(),
        "the lane waits"
    );
    store
        .decide(&bench.a, item.id, 1, ReviewDecision::Approve)
        .await
        .unwrap();
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(messages(Some(&claim)), [first, second]);
    assert_eq!(
        *plan_of(&claim.items[0].work),
        shown,
        "exactly the plan shown"
    );
}

/// A decision on an item that changed or was decided is a conflict.
pub async fn decision_needs_the_present_version(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (_, item) = held(&bench, "m1", 0).await;
    joined(&bench, "m2", 1, item).await;
    let decide = |id, version| store.decide(&bench.a, id, version, ReviewDecision::Approve);
    let missing = ReviewId::derive(&[b"x"]);
    assert_eq!(
        decide(missing, 1).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        decide(item, 1).await.unwrap_err().kind(),
        ErrorKind::Conflict,
        "a mail joined"
    );
    decide(item, 2).await.unwrap();
    assert_eq!(
        decide(item, 3).await.unwrap_err().kind(),
        ErrorKind::Conflict,
        "decided"
    );
}

async fn held(bench: &Bench, name: &str, seconds: u64) -> (MessageUid, ReviewId) {
    let uid = bench.arrive(&bench.a, name, "h", seconds).await;
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            let item = review_item(uid, thread_id("t"), vec![help(uid, "crm")], bench.at(0));
            ProcessedOutcome::Review(item)
        })
        .await;
    (uid, ReviewId::opened_by(uid))
}

async fn joined(bench: &Bench, name: &str, seconds: u64, item: ReviewId) -> MessageUid {
    let uid = bench.arrive(&bench.a, name, "h", seconds).await;
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            let plans = vec![help(uid, "crm")];
            ProcessedOutcome::Join { item, plans }
        })
        .await;
    uid
}
