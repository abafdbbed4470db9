//! Outcomes, duplicates, threads, reviews, replays and listings: what a commit leaves behind.
//!
//! Each check takes an empty store and its clock; `state_checks!` names one test for each.

use nextedge_core::source::SourceFault;
use nextedge_core::store::{
    AfterDead, Committed, DeliveredEnd, JobKind, LedgerQuery, LedgerRow, NextPage, PageCommit,
    ProcessedOutcome, Scope, Store, SyncState, ThreadChange, Unit, Work,
};
use nextedge_core::{
    Category, DeadReason, ErrorKind, ManualClock, MessageUid, Outcome, OutcomeKind, ParkReason,
    PartyKey, Plan, ReviewDecision, ReviewId, ReviewState, Slot, ThreadId, ThreadKey,
};

use crate::build::{
    SOURCE, address, connection_id, effect, fingerprint, mailbox_id, moment, plan, processed,
    report, review_item, sink, stub, thread, thread_id,
};
use crate::flow::{Bench, crm, delivered, messages, plan_of};

/// Makes one test of each check; `$with` runs a check on a fresh store.
#[macro_export]
macro_rules! state_checks {
    ($with:ident) => {
        $crate::state_checks!($with:
            same_mail_is_a_duplicate, a_link_chosen_from_other_threads_is_stale, changed_thread_is_stale, decided_item_is_stale,
            answer_is_kept_over_a_retry, worst_sink_is_the_outcome, effects_survive_failures,
            no_sink_parks, approval_delivers_in_order, rejection_parks, correction_replaces_plans,
            review_of_a_delivery, decision_needs_the_present_version, replay_rules,
            errors_are_capped, pages_count, lookup_is_bounded, ledger_pages);
    };
    ($with:ident: $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            $with!(states::$check);
        })*
    };
}

fn help(message: MessageUid, sink: &str) -> Plan {
    plan(message, thread_id("t"), sink, "ada@acme.com")
}

fn parked(reason: ParkReason) -> Outcome {
    Outcome::Parked { reason }
}

pub async fn a_link_chosen_from_other_threads_is_stale(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn same_mail_is_a_duplicate(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let first = bench.arrive(&bench.a, "m1", "h", 0).await;
    let second = bench.arrive(&bench.a, "m2", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let unit = |uid| {
        let change = ThreadChange {
            absent: Vec::new(),
            seen: Vec::new(),
            expected: 0,
            thread: thread(thread_id("of a duplicate"), bench.at(0)),
            keys: Vec::new(),
        };
        let change = (uid == second).then_some(change);
        let outcome = ProcessedOutcome::Deliver(vec![help(uid, "crm")]);
        let mut unit = processed(uid, change, outcome, bench.at(0));
        unit.fingerprint = fingerprint("same");
        Unit::Processed(Box::new(unit))
    };
    let answers = bench.commit(&claim, vec![unit(first), unit(second)]).await;
    assert_eq!(answers, [Committed::Accepted, Committed::Duplicate(first)]);
    assert_eq!(
        bench.outcome(&bench.a, second).await,
        parked(ParkReason::DuplicateOf(first))
    );
    assert_eq!(store.plans(&bench.a, second).await.unwrap(), []);
    assert_eq!(
        store
            .thread(&bench.a, thread_id("of a duplicate"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.requeue(&bench.a, &[second]).await.unwrap(), 0);
}

pub async fn changed_thread_is_stale(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

async fn held(bench: &Bench<'_>, name: &str, seconds: u64) -> (MessageUid, ReviewId) {
    let uid = bench.arrive(&bench.a, name, "h", seconds).await;
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            let item = review_item(uid, thread_id("t"), vec![help(uid, "crm")], bench.at(0));
            ProcessedOutcome::Review(item)
        })
        .await;
    (uid, ReviewId::opened_by(uid))
}

async fn joined(bench: &Bench<'_>, name: &str, seconds: u64, item: ReviewId) -> MessageUid {
    let uid = bench.arrive(&bench.a, name, "h", seconds).await;
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            let plans = vec![help(uid, "crm")];
            ProcessedOutcome::Join { item, plans }
        })
        .await;
    uid
}

pub async fn decided_item_is_stale(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn answer_is_kept_over_a_retry(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let weights = nextedge_core::Distribution::new([0.25, 0.5, 0.25, 0.0, 0.0]).unwrap();
    let urgency = nextedge_core::Urgency::High;
    let answer = nextedge_core::classify::Classification::new("test/1", weights, urgency);
    for keep in [Some(answer.clone()), None] {
        let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
        let retry = Unit::Retry {
            message: uid,
            at: bench.at(0),
            error: report("x"),
            keep,
        };
        bench.commit(&claim, vec![retry]).await;
        bench.release(&claim).await;
    }
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let Work::Process { kept, .. } = &claim.items[0].work else {
        panic!("not a decision");
    };
    assert_eq!(kept.as_ref(), Some(&answer));
}

pub async fn worst_sink_is_the_outcome(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    store.put_connection(&bench.a, sink("crm2")).await.unwrap();
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            ProcessedOutcome::Deliver(vec![help(uid, "crm2"), help(uid, "crm")])
        })
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(
        claim.connection,
        Some(crm()),
        "ties go to the first connection"
    );
    bench.deliver(&claim, |_| DeliveredEnd::Done).await;
    assert_eq!(bench.outcome(&bench.a, uid).await, Outcome::Pending);
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let (error, after) = (report("refused"), AfterDead::Continue);
    bench
        .deliver(&claim, |_| DeliveredEnd::Dead {
            error: error.clone(),
            after,
        })
        .await;
    let reason = DeadReason::Deliver("refused".to_owned());
    assert_eq!(bench.outcome(&bench.a, uid).await, Outcome::Dead { reason });
    let row = store.message(&bench.a, uid).await.unwrap().unwrap();
    let sinks: Vec<_> = row
        .sinks
        .iter()
        .map(|s| (s.connection.clone(), s.outcome))
        .collect();
    let expected = [
        (crm(), OutcomeKind::Delivered),
        (connection_id("crm2"), OutcomeKind::Dead),
    ];
    assert_eq!(sinks, expected);
    assert_eq!(store.requeue(&bench.a, &[uid]).await.unwrap(), 1);
    bench.release(&claim).await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(
        claim.connection,
        Some(connection_id("crm2")),
        "only the dead one is replayed"
    );
}

pub async fn effects_survive_failures(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let steps = [
        (Slot::Record, "r1"),
        (Slot::Contact, "c1"),
        (Slot::Record, "r2"),
    ];
    for (slot, id) in steps {
        let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
        let end = DeliveredEnd::Retry {
            at: bench.at(0),
            error: report("x"),
        };
        let mut unit = delivered(uid, plan_of(&claim.items[0].work), end);
        if let Unit::Delivered(unit) = &mut unit {
            unit.effects = vec![effect(slot, id)];
        }
        bench.commit(&claim, vec![unit]).await;
        bench.release(&claim).await;
    }
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let Work::Deliver { done, .. } = &claim.items[0].work else {
        panic!("not a delivery");
    };
    assert_eq!(
        *done,
        [effect(Slot::Contact, "c1"), effect(Slot::Record, "r2")]
    );
}

pub async fn no_sink_parks(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let none = |_| ProcessedOutcome::Deliver(Vec::new());
    bench.process(&bench.a, thread_id("t"), none).await;
    assert_eq!(
        bench.outcome(&bench.a, uid).await,
        parked(ParkReason::NoSink)
    );
}

pub async fn approval_delivers_in_order(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn rejection_parks(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn correction_replaces_plans(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn review_of_a_delivery(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn decision_needs_the_present_version(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn replay_rules(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let reasons = [
        (ParkReason::NotRelevant, true),
        (ParkReason::Machine("list".to_owned()), true),
        (ParkReason::Outbound, true),
        (ParkReason::Gone, false),
        (ParkReason::Quarantined("depth".to_owned()), false),
        (ParkReason::Erased, false),
    ];
    for (index, (reason, replayed)) in reasons.into_iter().enumerate() {
        let uid = bench
            .arrive(&bench.a, &format!("m{index}"), "h", index as u64)
            .await;
        let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
        let units = vec![Unit::Park {
            message: uid,
            reason: reason.clone(),
        }];
        bench.commit(&claim, units).await;
        bench.release(&claim).await;
        let count = store.requeue(&bench.a, &[uid, uid]).await.unwrap();
        assert_eq!(count, u64::from(replayed), "{reason:?}");
        if let Some(claim) = bench.claim(JobKind::Process, &bench.a).await {
            assert_eq!(messages(Some(&claim)), [uid]);
            bench
                .commit(
                    &claim,
                    vec![Unit::Park {
                        message: uid,
                        reason: ParkReason::Gone,
                    }],
                )
                .await;
            bench.release(&claim).await;
        }
    }
}

pub async fn errors_are_capped(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    for attempt in 0..15 {
        let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
        let error = report(&format!("e{attempt}"));
        let retry = Unit::Retry {
            message: uid,
            at: bench.at(0),
            error,
            keep: None,
        };
        bench.commit(&claim, vec![retry]).await;
        bench.release(&claim).await;
    }
    let row = store.message(&bench.a, uid).await.unwrap().unwrap();
    assert_eq!(row.errors.len(), LedgerRow::MAX_ERRORS);
    assert_eq!(row.errors[0].text, "e0");
    assert_eq!(row.errors[1].text, "e6");
    assert_eq!(row.errors[9].text, "e14");
}

pub async fn pages_count(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let (id, scope) = (mailbox_id("in"), Scope::Tenant(bench.a.clone()));
    let lease = std::time::Duration::from_secs(60);
    let claim = store
        .claim_mailbox(&scope, SOURCE, lease)
        .await
        .unwrap()
        .unwrap();
    let mut draft = stub("m3", None, None);
    draft.draft = true;
    let stubs = vec![stub("m1", None, None), stub("m1", None, None), draft];
    let mut sync = SyncState::default();
    let fault = SourceFault {
        item: "a".to_owned(),
        fault: "b".to_owned(),
    };
    (sync.run.faults, sync.run.fault_count) = (vec![fault; 150], 150);
    let page = PageCommit {
        stubs,
        sync,
        next: NextPage::Keep,
    };
    let done = store
        .commit_page(&bench.a, &id, claim.lease, page)
        .await
        .unwrap();
    assert_eq!((done.new, done.seen), (2, 1));
    let run = store
        .mailbox(&bench.a, &id)
        .await
        .unwrap()
        .unwrap()
        .sync
        .run;
    assert_eq!((run.pages, run.listed, run.new), (1, 3, 2));
    assert_eq!((run.faults.len(), run.fault_count), (100, 150));
    let outcome = bench.outcome(&bench.a, bench.uid(&bench.a, "m3")).await;
    assert_eq!(outcome, parked(ParkReason::Draft));
    let counts = store.counts(&bench.a, Some(&id)).await.unwrap();
    assert_eq!((counts.pending, counts.parked, counts.total()), (1, 1, 2));
}

pub async fn lookup_is_bounded(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
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

pub async fn ledger_pages(store: &dyn Store, clock: &ManualClock) {
    let bench = Bench::new(store, clock).await;
    let times = [3, 1, 2, 1, 3];
    let stubs = times
        .iter()
        .enumerate()
        .map(|(index, at)| stub(&format!("m{index}"), None, Some(moment(bench.start, *at))));
    bench.list(&bench.a, stubs.collect()).await;
    let mut query = LedgerQuery {
        limit: 2,
        ..LedgerQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let rows = store.messages(&bench.a, &query).await.unwrap();
        let Some(last) = rows.last() else { break };
        query.after = last.received_at.map(|at| (at, last.message));
        seen.extend(rows.iter().map(|row| (row.received_at, row.message)));
    }
    assert_eq!(seen.len(), times.len());
    assert!(seen.is_sorted(), "by received time, then message");
}
