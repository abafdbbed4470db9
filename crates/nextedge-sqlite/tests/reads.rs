//! The read sides and the decisions of persons.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use nextedge_core::store::*;
use nextedge_core::*;
use support::*;

fn review_item(message: MessageUid, thread: ThreadId, plans: Vec<Plan>) -> ReviewItem {
    ReviewItem {
        id: ReviewId::opened_by(message),
        version: 0,
        message,
        thread,
        waiting: Vec::new(),
        reason: ReviewReason::LowConfidence,
        explanation: "0.76 is below 0.80".to_owned(),
        subject: "hello".to_owned(),
        category: Category::Lead,
        confidence: Confidence::new(0.76).unwrap(),
        plans,
        state: ReviewState::Open,
        opened_at: at(5),
        expires_at: at(100),
    }
}

/// Two mails of one thread: the first opens an item, the second joins it.
async fn reviewed(f: &Fixture, t: &TenantId) -> ReviewId {
    f.list(t, vec![stub("1", "a", 1), stub("2", "a", 2)]).await;
    f.fetch_all(t).await;
    let claim = f.claim(t, JobKind::Process).await.unwrap();
    let thread = own_thread(&claim.items[0]);
    let plans: Vec<Plan> = claim
        .items
        .iter()
        .map(|item| plan(item.message, thread, "crm", "ada@x.example"))
        .collect();
    let item = review_item(uid(t, "1"), thread, vec![plans[0].clone()]);
    let id = item.id;
    let opened = processed(&claim.items[0], ProcessedOutcome::Review(item));
    let joined = ProcessedOutcome::Join {
        item: id,
        plans: vec![plans[1].clone()],
    };
    let joined = processed(&claim.items[1], joined);
    let units = [opened, joined].map(|unit| Unit::Processed(Box::new(unit)));
    f.all_accepted(t, claim.lease, units.to_vec()).await;
    f.store.release(t, claim.lease).await.unwrap();
    id
}

#[tokio::test]
async fn an_approval_releases_what_waits_in_order() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let id = reviewed(&f, &t).await;
    let item = f.store.review(&t, id).await.unwrap().unwrap();
    assert_eq!((item.version, item.waiting.len()), (2, 2));
    assert_eq!(f.store.counts(&t, None).await.unwrap().review, 2);
    assert!(f.claim(&t, JobKind::Deliver).await.is_none());

    let old = f.store.decide(&t, id, 1, ReviewDecision::Approve).await;
    assert_eq!(old.unwrap_err().kind(), ErrorKind::Conflict);
    let decided = f.store.decide(&t, id, 2, ReviewDecision::Approve).await;
    assert_eq!(decided.unwrap().state, ReviewState::Approved);
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&claim), [uid(&t, "1"), uid(&t, "2")]);
    let again = f.store.decide(&t, id, 3, ReviewDecision::Reject).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_rejection_parks_and_a_requeue_processes_again() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let id = reviewed(&f, &t).await;
    let due = ReviewQuery {
        expires_by: Some(at(99)),
        ..ReviewQuery::default()
    };
    assert!(f.store.reviews(&t, &due).await.unwrap().is_empty());
    let open = f.store.reviews(&t, &ReviewQuery::default()).await.unwrap();
    assert_eq!(open.len(), 1);
    f.store
        .decide(&t, id, 2, ReviewDecision::Reject)
        .await
        .unwrap();
    assert!(
        f.store
            .reviews(&t, &ReviewQuery::default())
            .await
            .unwrap()
            .is_empty()
    );
    let reason = ParkReason::Rejected;
    assert_eq!(
        f.outcome(&t, uid(&t, "2")).await,
        Outcome::Parked { reason }
    );
    let both = [uid(&t, "1"), uid(&t, "2")];
    assert_eq!(f.store.requeue(&t, &both).await.unwrap(), 2);
    assert_eq!(f.store.requeue(&t, &both).await.unwrap(), 0);
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    assert_eq!(uids(&claim), both);
}

#[tokio::test]
async fn a_correction_delivers_the_new_plans_only() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let id = reviewed(&f, &t).await;
    let item = f.store.review(&t, id).await.unwrap().unwrap();
    let mut corrected = plan(uid(&t, "1"), item.thread, "crm", "ada@x.example");
    corrected.category = Category::Case;
    let decision = ReviewDecision::Correct {
        category: Category::Case,
        plans: vec![corrected.clone()],
    };
    let stranger = ReviewDecision::Correct {
        category: Category::Case,
        plans: vec![plan(uid(&t, "9"), item.thread, "crm", "ada@x.example")],
    };
    let refused = f.store.decide(&t, id, 2, stranger).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    f.store.decide(&t, id, 2, decision).await.unwrap();
    assert_eq!(f.store.plans(&t, uid(&t, "1")).await.unwrap(), [corrected]);
    let reason = ParkReason::NotRelevant;
    assert_eq!(
        f.outcome(&t, uid(&t, "2")).await,
        Outcome::Parked { reason }
    );
}

#[tokio::test]
async fn a_thread_is_found_by_key_and_guarded_by_its_version() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "", 1), stub("2", "", 2)]).await;
    f.fetch_all(&t).await;
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    let id = own_thread(&claim.items[0]);
    let key = ThreadKey::message_id("<a@b>");
    let thread = Thread {
        id,
        version: 0,
        subject: "hello".to_owned(),
        participants: vec![EmailAddress::parse("ada@x.example").unwrap()],
        mails: 1,
        last_received_at: at(1),
        category: Some(Category::Lead),
        review: None,
        records: Vec::new(),
    };
    let change = ThreadChange {
        expected: 0,
        thread,
        keys: vec![key.clone()],
        absent: Vec::new(),
        seen: Vec::new(),
    };
    let mut answers = Vec::new();
    for item in &claim.items {
        let plan = plan(item.message, id, "crm", "ada@x.example");
        let mut unit = processed(item, ProcessedOutcome::Deliver(vec![plan]));
        unit.thread = Some(change.clone());
        let unit = Unit::Processed(Box::new(unit));
        answers.push(f.one(&t, claim.lease, unit).await.unwrap());
    }
    assert_eq!(answers, [Committed::Accepted, Committed::Stale]);
    let found = f.store.lookup(&t, &[key.clone(), key.clone()], &[]).await;
    let found = found.unwrap();
    assert_eq!(found.found, [(key, id)]);
    assert_eq!(found.threads[0].version, 1);

    let deliver = f.claim(&t, JobKind::Deliver).await.unwrap();
    let Unit::Delivered(mut unit) = delivered(&deliver.items[0], DeliveredEnd::Done) else {
        panic!("a delivery");
    };
    unit.record = Some(record(RecordKind::Lead, "l1"));
    unit.effects = vec![effect(Slot::Record, "l1"), effect(Slot::Contact, "c1")];
    f.all_accepted(&t, deliver.lease, vec![Unit::Delivered(unit)])
        .await;
    let linked = f.store.thread(&t, id).await.unwrap().unwrap();
    assert_eq!(linked.version, 1, "a link is no new version");
    assert_eq!(
        linked.record(&connection("crm")),
        Some(&record(RecordKind::Lead, "l1"))
    );
    let row = f.store.message(&t, uid(&t, "1")).await.unwrap().unwrap();
    let ids: Vec<&str> = row.sinks[0].records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["c1", "l1"], "in slot order");
}

#[tokio::test]
async fn the_ledger_is_read_page_by_page() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let mut stubs: Vec<_> = (0..5).map(|n| stub(&n.to_string(), "", n / 2)).collect();
    stubs[4].draft = true;
    f.list(&t, stubs).await;
    let mut query = LedgerQuery {
        limit: 2,
        ..LedgerQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = f.store.messages(&t, &query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some((last.received_at.unwrap(), last.message));
        seen.extend(
            page.iter()
                .map(|row| (row.received_at.unwrap(), row.message)),
        );
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
    query.after = None;
    query.outcome = Some(OutcomeKind::Parked);
    let parked = f.store.messages(&t, &query).await.unwrap();
    let reason = ParkReason::Draft;
    assert_eq!(parked[0].outcome, Outcome::Parked { reason });
    query.mailbox = Some(mailbox_id("other"));
    assert!(f.store.messages(&t, &query).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_first_and_the_latest_errors_are_kept() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "", 1)]).await;
    for attempt in 0..14 {
        let claim = f.claim(&t, JobKind::Fetch).await.unwrap();
        assert_eq!(claim.items[0].attempt, attempt + 1);
        let unit = Unit::Retry {
            message: uid(&t, "1"),
            at: f.clock.now(),
            error: error(&attempt.to_string()),
            keep: None,
        };
        f.all_accepted(&t, claim.lease, vec![unit]).await;
        f.store.release(&t, claim.lease).await.unwrap();
    }
    let row = f.store.message(&t, uid(&t, "1")).await.unwrap().unwrap();
    assert_eq!(row.errors.len(), LedgerRow::MAX_ERRORS);
    assert_eq!(row.errors[0].text, "NE-UNAVAILABLE: 0");
    assert_eq!(row.errors[9].text, "NE-UNAVAILABLE: 13");
}

#[tokio::test]
async fn pending_deliveries_count_for_their_owner() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "", 1), stub("2", "", 2)]).await;
    f.fetch_all(&t).await;
    f.process_all(&t).await;
    let open = f.store.open_by_owner(&t).await.unwrap();
    assert_eq!(open, [("owner-1".to_owned(), 2)]);
}

#[tokio::test]
async fn calls_are_found_by_what_they_were() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let calls = [
        ("crm.find", Some(200)),
        ("crm.deliver", Some(429)),
        ("crm.find", None),
    ];
    let calls = (0..)
        .zip(calls)
        .map(|(second, (operation, status))| CallRecord {
            at: at(second),
            operation: operation.to_owned(),
            verb: "POST".to_owned(),
            path: "/x".to_owned(),
            status,
            duration: std::time::Duration::from_millis(5),
            writes: true,
            messages: vec![uid(&t, &second.to_string())],
            records: Vec::new(),
            request: serde_json::Value::Null,
            response: serde_json::Value::Null,
        });
    let calls = calls.collect();
    f.store
        .append_calls(&t, &connection("crm"), calls)
        .await
        .unwrap();
    let all = AuditQuery::default();
    let cases = [
        (all.clone(), vec![1, 2, 3]),
        (
            AuditQuery {
                after: 1,
                ..all.clone()
            },
            vec![2, 3],
        ),
        (
            AuditQuery {
                since: Some(at(2)),
                ..all.clone()
            },
            vec![3],
        ),
        (
            AuditQuery {
                operation: Some("find".into()),
                ..all.clone()
            },
            vec![1, 3],
        ),
        (
            AuditQuery {
                operation: Some("FIND".into()),
                ..all.clone()
            },
            vec![],
        ),
        (
            AuditQuery {
                operation: Some("%".into()),
                ..all.clone()
            },
            vec![],
        ),
        (
            AuditQuery {
                status: Some(0),
                ..all.clone()
            },
            vec![3],
        ),
        (
            AuditQuery {
                message: Some(uid(&t, "1")),
                ..all.clone()
            },
            vec![2],
        ),
        (AuditQuery { limit: 1, ..all }, vec![1]),
    ];
    for (query, expected) in cases {
        let rows = f.store.audit(&t, &query).await.unwrap();
        let found: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(found, expected, "{query:?}");
    }
    let other = f
        .store
        .audit(&tenant("other"), &AuditQuery::default())
        .await;
    assert!(other.unwrap().is_empty());
}

#[tokio::test]
async fn turns_are_never_given_twice() {
    let t = tenant("acme");
    let f = Fixture::new();
    assert_eq!(f.store.take_turns(&t, "rr", 3).await.unwrap(), 0);
    let f = f.reopened();
    assert_eq!(f.store.take_turns(&t, "rr", 1).await.unwrap(), 3);
    assert_eq!(f.store.take_turns(&t, "other", 1).await.unwrap(), 0);
    assert_eq!(f.store.take_turns(&tenant("b"), "rr", 1).await.unwrap(), 0);
}
