//! What a commit leaves behind for one message.

use nextedge_core::classify::Classification;
use nextedge_core::store::{
    AfterDead, Committed, Counts, DeliveredEnd, JobKind, LedgerQuery, LedgerRow, ProcessedOutcome,
    ThreadChange, Unit, Work,
};
use nextedge_core::{DeadReason, Distribution, Outcome, OutcomeKind, ParkReason, Slot, Urgency};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, crm, delivered, help, messages, park, parked, plan_of};
use crate::store::values::{
    connection_id, effect, fingerprint, mailbox, mailbox_id, processed, raw, report, sink, stub,
    thread, thread_id,
};

/// The second mail with one fingerprint is parked as duplicate and leaves no thread and no plan.
pub async fn same_mail_is_a_duplicate(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// A model answer given with a retry is handed out with the next attempt, and kept by later ones.
pub async fn answer_is_kept_over_a_retry(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let weights = Distribution::new([0.25, 0.5, 0.25, 0.0, 0.0]).unwrap();
    let urgency = Urgency::High;
    let answer = Classification::new("test/1", weights, urgency);
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

/// With several sinks the worst is the outcome, and only what died is replayed.
pub async fn worst_sink_is_the_outcome(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// Effects of failed attempts are handed out with the next, the latest of each slot.
pub async fn effects_survive_failures(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
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

/// A mail without a plan is parked as `no_sink`.
pub async fn no_sink_parks(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let none = |_| ProcessedOutcome::Deliver(Vec::new());
    bench.process(&bench.a, thread_id("t"), none).await;
    assert_eq!(
        bench.outcome(&bench.a, uid).await,
        parked(ParkReason::NoSink)
    );
}

/// A replay takes up what may be replayed, once, and leaves the rest.
pub async fn replay_rules(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// The first error and the latest nine of a message are kept.
pub async fn errors_are_capped(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
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

/// Different mails with one Message-ID are all kept; only the same content is a duplicate.
pub async fn reused_message_id_hides_nothing(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let first = bench.arrive(&bench.a, "m1", "h", 0).await;
    let second = bench.arrive(&bench.a, "m2", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let unit = |uid| {
        let outcome = ProcessedOutcome::Deliver(vec![help(uid, "crm")]);
        let mut unit = processed(uid, None, outcome, bench.at(0));
        unit.decision.message_id = Some("chosen by the sender".to_owned());
        Unit::Processed(Box::new(unit))
    };
    let answers = bench.commit(&claim, vec![unit(first), unit(second)]).await;
    assert_eq!(answers, [Committed::Accepted, Committed::Accepted]);
    for uid in [first, second] {
        assert_eq!(bench.outcome(&bench.a, uid).await, Outcome::Pending);
        let plans = bench.store().plans(&bench.a, uid).await.unwrap();
        assert_eq!(plans.len(), 1);
    }
}

/// The raw mail comes back as it was fetched: to process, to deliver, and from the archive.
pub async fn mail_is_handed_out_whole(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let fetched = raw(uid, 200);
    let archived = bench.store().raw(&bench.a, uid).await.unwrap();
    assert_eq!(archived.as_ref(), Some(&fetched));
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let Work::Process { raw, .. } = &claim.items[0].work else {
        panic!("not a decision");
    };
    assert_eq!(*raw, fetched);
    bench.release(&claim).await;
    bench
        .process(&bench.a, thread_id("t"), |uid| {
            ProcessedOutcome::Deliver(vec![help(uid, "crm")])
        })
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let Work::Deliver { raw, .. } = &claim.items[0].work else {
        panic!("not a delivery");
    };
    assert_eq!(*raw, fetched);
}

/// The counts of a mailbox and of the tenant are those of the ledger: each message once.
pub async fn counts_are_the_ledger(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let other = mailbox_id("other");
    store
        .put_mailbox(&bench.a, mailbox("other", "src"))
        .await
        .unwrap();
    bench
        .planned(&bench.a, "m1", thread_id("t"), "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    bench.deliver(&claim, |_| DeliveredEnd::Done).await;
    bench.release(&claim).await;
    bench.arrive(&bench.a, "m2", "h", 1).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let units = vec![park(claim.items[0].message, &bench)];
    bench.commit(&claim, units).await;
    bench.release(&claim).await;
    bench.list(&bench.a, vec![stub("m3", None, None)]).await;
    let counts = |mailbox| store.counts(&bench.a, mailbox);
    let expected = Counts {
        pending: 1,
        delivered: 1,
        parked: 1,
        ..Counts::default()
    };
    let here = mailbox_id("in");
    assert_eq!(counts(None).await.unwrap(), expected);
    assert_eq!(counts(Some(&here)).await.unwrap(), expected);
    assert_eq!(counts(Some(&other)).await.unwrap(), Counts::default());
    let rows = store.messages(&bench.a, &LedgerQuery::default()).await;
    assert_eq!(rows.unwrap().len() as u64, expected.total());
}
