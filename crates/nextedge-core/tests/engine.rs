//! The engine end to end on the in-memory store, against a small CRM that fails on demand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use nextedge_core::engine::EngineOptions;
use nextedge_core::store::ReviewQuery;
use nextedge_core::*;

use support::crm::Fault;
use support::{Bench, Mail, mail, sink_id, tenant};

const ANN: &str = "Ann Lee <ann@acme.example>";

async fn open_reviews(bench: &Bench) -> Vec<ReviewItem> {
    bench
        .store
        .reviews(&tenant(), &ReviewQuery::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_mail_becomes_party_record_and_activity() {
    let bench = Bench::start().await;
    bench
        .mailbox("box", &[mail("m1@x", 1, ANN, "a case", &[])])
        .await;
    bench.drain().await;
    let row = bench.row("m1@x").await;
    assert_eq!(row.outcome, Outcome::Delivered, "{row:?}");
    let kinds: Vec<String> = row.sinks[0]
        .records
        .iter()
        .map(|r| r.kind.to_string())
        .collect();
    assert_eq!(kinds, ["company", "contact", "case", "activity"]);
    let state = bench.crm.state();
    assert_eq!((state.contacts.len(), state.companies.len()), (1, 1));
    assert_eq!((state.records.len(), state.timeline.len()), (1, 1));
}

#[tokio::test]
async fn reading_the_same_box_again_writes_nothing() {
    let bench = Bench::start().await;
    let mails: Vec<Mail> = (0..20)
        .map(|n| mail(&format!("m{n}@x"), n, ANN, "a case", &[]))
        .collect();
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let calls = bench.crm.state().delivers;
    let id = MailboxId::new("box").unwrap();
    bench.engine.notify(&tenant(), &id).await.unwrap();
    bench.drain().await;
    assert_eq!(bench.crm.state().delivers, calls);
    assert_eq!(bench.rows().await.len(), 20);
}

#[tokio::test]
async fn replies_join_the_record_in_order_of_reception_whatever_the_order_of_the_box() {
    let bench = Bench::start().await;
    let mut mails = vec![mail("a@x", 1, ANN, "a case", &[])];
    for n in 2..9 {
        mails.push(mail(&format!("r{n}@x"), n, ANN, "Re: a case", &["a@x"]));
    }
    mails.reverse();
    mails.swap(1, 5);
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let state = bench.crm.state();
    assert_eq!(state.records.len(), 1, "{:?}", state.records);
    let order: Vec<&str> = state.timeline.iter().map(|(.., id)| id.as_str()).collect();
    assert_eq!(
        order,
        [
            "a@x", "r2@x", "r3@x", "r4@x", "r5@x", "r6@x", "r7@x", "r8@x"
        ]
    );
}

#[tokio::test]
async fn one_thread_in_two_mailboxes_is_written_once_and_in_order() {
    let bench = Bench::start().await;
    let all: Vec<Mail> = (0..6)
        .map(|n| match n {
            0 => mail("a@x", 0, ANN, "a case", &[]),
            n => mail(&format!("r{n}@x"), n, ANN, "Re: a case", &["a@x"]),
        })
        .collect();
    bench
        .mailbox("one", &[all[0].clone(), all[3].clone(), all[4].clone()])
        .await;
    bench
        .mailbox(
            "two",
            &[
                all[5].clone(),
                all[2].clone(),
                all[1].clone(),
                all[0].clone(),
            ],
        )
        .await;
    bench.drain().await;
    let rows = bench.rows().await;
    assert_eq!(rows.len(), 7);
    let mut duplicates = rows
        .iter()
        .filter(|row| row.outcome.reason().starts_with("duplicate_of:"));
    let known = duplicates.next().and_then(|row| row.decision.as_ref());
    let id = known.and_then(|decision| decision.message_id.as_deref());
    assert_eq!(id, Some("a@x.mail.example"));
    assert_eq!(duplicates.next(), None);
    let state = bench.crm.state();
    assert_eq!((state.records.len(), state.timeline.len()), (1, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_threads_of_one_new_sender_make_one_contact_and_one_company() {
    let options = EngineOptions::default()
        .with_workers(4, 8)
        .with_deliver_batch(3);
    let bench = Bench::with(options).await;
    let mails: Vec<Mail> = (0..50)
        .map(|n| mail(&format!("m{n}@x"), n, ANN, "a case", &[]))
        .collect();
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let state = bench.crm.state();
    assert_eq!((state.contacts.len(), state.companies.len()), (1, 1));
    assert_eq!((state.records.len(), state.timeline.len()), (50, 50));
    assert_eq!(state.doubles, Vec::<String>::new());
}

#[tokio::test]
async fn a_second_lead_thread_of_a_sender_joins_the_first_lead() {
    let bench = Bench::start().await;
    bench
        .mailbox("one", &[mail("a@x", 1, ANN, "a lead", &[])])
        .await;
    bench.drain().await;
    bench
        .mailbox("two", &[mail("b@x", 2, ANN, "another lead", &[])])
        .await;
    bench.drain().await;
    let state = bench.crm.state();
    let kinds: Vec<&RecordKind> = state.records.iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [&RecordKind::Lead]);
    assert_eq!(state.timeline.len(), 2);
}

#[tokio::test]
async fn two_lead_threads_of_a_new_sender_in_one_batch_make_one_lead() {
    let bench = Bench::start().await;
    let mails = [
        mail("a@x", 1, ANN, "a lead", &[]),
        mail("b@x", 2, ANN, "another lead", &[]),
        mail("r@x", 3, ANN, "Re: another lead", &["b@x"]),
    ];
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let state = bench.crm.state();
    let kinds: Vec<&RecordKind> = state.records.iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [&RecordKind::Lead]);
    let records: BTreeSet<&str> = state
        .timeline
        .iter()
        .map(|(_, id, _)| id.as_str())
        .collect();
    assert_eq!((state.timeline.len(), records.len()), (3, 1));
}

#[tokio::test]
async fn our_answer_joins_a_thread_whose_record_is_a_contact_known_before() {
    let bench = Bench::with(EngineOptions::default().with_deliver_batch(1)).await;
    let first = mail("a@x", 1, ANN, "a contact", &[]);
    bench.mailbox("one", &[first]).await;
    bench.drain().await;
    let mut answer = mail("r@x", 3, "desk@us.example", "Re: a contact", &["b@x"]);
    answer.raw = answer
        .raw
        .replace("To: desk@us.example", &format!("To: {ANN}"));
    let second = mail("b@x", 2, ANN, "another contact", &[]);
    bench.mailbox("two", &[second, answer]).await;
    bench.drain().await;
    assert_eq!(bench.row("r@x").await.outcome, Outcome::Delivered);
    let state = bench.crm.state();
    assert_eq!((state.contacts.len(), state.records.len()), (1, 0));
    assert_eq!(state.timeline.len(), 3);
}

#[tokio::test]
async fn the_first_record_of_a_thread_has_one_key_whichever_mail_makes_it() {
    // a second key would make a second record of an earlier mail that arrives while an answer is lost
    let reply = mail("r@x", 2, ANN, "Re: a case", &["a@x"]);
    let bench = Bench::start().await;
    bench.mailbox("box", &[reply]).await;
    bench.drain().await;
    let decision = bench.row("r@x").await.decision.unwrap();
    let key = format!("nr-{}", decision.thread.unwrap());
    assert_eq!(bench.crm.state().records, [(key, RecordKind::Case)]);
}

#[tokio::test]
async fn an_answer_in_the_batch_of_the_first_mail_leaves_the_thread_its_record() {
    let bench = Bench::with(EngineOptions::default().with_deliver_batch(2)).await;
    let mut mails = vec![mail("a@x", 1, ANN, "a case", &[])];
    for n in 2..5 {
        mails.push(mail(&format!("r{n}@x"), n, ANN, "Re: a case", &["a@x"]));
    }
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let state = bench.crm.state();
    let records: BTreeSet<&str> = state
        .timeline
        .iter()
        .map(|(_, id, _)| id.as_str())
        .collect();
    assert_eq!((state.timeline.len(), records.len()), (4, 1), "{records:?}");
}

#[tokio::test]
async fn a_lost_answer_leaves_one_record_and_one_activity() {
    let bench = Bench::start().await;
    bench.crm.fault(Fault::LoseAnswer);
    let mails: Vec<Mail> = (0..5)
        .map(|n| {
            mail(
                &format!("m{n}@x"),
                n,
                &format!("p{n}@f{n}.example"),
                "a case",
                &[],
            )
        })
        .collect();
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let rows = bench.rows().await;
    assert!(
        rows.iter().all(|row| row.outcome == Outcome::Delivered),
        "{rows:?}"
    );
    let state = bench.crm.state();
    assert_eq!((state.records.len(), state.timeline.len()), (5, 5));
    assert_eq!(state.doubles, Vec::<String>::new());
}

#[tokio::test]
async fn a_throttled_connection_becomes_a_gate_and_burns_no_attempt() {
    let bench = Bench::start().await;
    for _ in 0..6 {
        bench.crm.fault(Fault::Throttle);
    }
    bench
        .mailbox("box", &[mail("m1@x", 1, ANN, "a case", &[])])
        .await;
    let mut events = bench.engine.events();
    bench.drain().await;
    // more refusals than attempts: only a spared attempt survives them
    assert_eq!(bench.row("m1@x").await.outcome, Outcome::Delivered);
    let mut gates = 0;
    while let Ok(Some(event)) =
        tokio::time::timeout(std::time::Duration::from_millis(5), events.next()).await
    {
        gates += usize::from(matches!(event, engine::EngineEvent::GateClosed { .. }));
    }
    assert_eq!(gates, 6);
}

#[tokio::test]
async fn a_refused_field_asks_a_person_and_leaves_the_others_alone() {
    let bench = Bench::start().await;
    bench.crm.fault(Fault::Refuse("poison".into()));
    let mut mails: Vec<Mail> = (0..9)
        .map(|n| {
            mail(
                &format!("m{n}@x"),
                n,
                &format!("p{n}@f{n}.example"),
                "a case",
                &[],
            )
        })
        .collect();
    mails.push(mail("bad@x", 10, "q@g.example", "poison case", &[]));
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let items = open_reviews(&bench).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].reason, ReviewReason::Refused("title".into()));
    assert_eq!(bench.crm.state().timeline.len(), 9);
    let item = &items[0];
    bench
        .engine
        .approve(&tenant(), item.id, item.version)
        .await
        .unwrap();
    bench.drain().await;
    assert_eq!(bench.row("bad@x").await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_panicking_sink_is_not_the_end() {
    let bench = Bench::start().await;
    bench.crm.fault(Fault::Panic);
    bench
        .mailbox("box", &[mail("m1@x", 1, ANN, "a case", &[])])
        .await;
    bench.drain().await;
    assert_eq!(bench.row("m1@x").await.outcome, Outcome::Delivered);
    assert_eq!(bench.crm.state().records.len(), 1);
}

#[tokio::test]
async fn no_answer_of_the_classifier_is_a_review_never_none() {
    let bench = Bench::start().await;
    bench
        .mailbox("box", &[mail("m1@x", 1, ANN, "hello", &[])])
        .await;
    bench.drain().await;
    let items = open_reviews(&bench).await;
    assert_eq!(items[0].reason, ReviewReason::NoAnswer);
    assert_eq!(bench.row("m1@x").await.outcome.kind(), OutcomeKind::Review);
    assert_eq!(bench.crm.state().timeline.len(), 0);
}

#[tokio::test]
async fn later_mails_wait_for_the_item_and_follow_the_decision() {
    let bench = Bench::start().await;
    let mails = [
        mail("a@x", 1, ANN, "hello", &[]),
        mail("b@x", 2, ANN, "Re: hello", &["a@x"]),
        mail("c@x", 3, ANN, "Re: hello", &["a@x", "b@x"]),
    ];
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let items = open_reviews(&bench).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].waiting.len(), 3);
    let (id, version) = (items[0].id, items[0].version);
    let stale = bench
        .engine
        .approve(&tenant(), id, version + 1)
        .await
        .unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);
    bench
        .engine
        .correct(&tenant(), id, version, Category::Case)
        .await
        .unwrap();
    bench.drain().await;
    let state = bench.crm.state();
    assert_eq!(state.records.len(), 1, "{:?}", state.records);
    assert_eq!(state.records[0].1, RecordKind::Case);
    let order: Vec<&str> = state.timeline.iter().map(|(.., id)| id.as_str()).collect();
    assert_eq!(order, ["a@x", "b@x", "c@x"]);
}

#[tokio::test]
async fn two_enquiries_of_a_new_sender_that_a_person_accepts_make_one_lead() {
    let bench = Bench::start().await;
    let mails = [
        mail("a@x", 1, ANN, "hello", &[]),
        mail("b@x", 2, ANN, "hello again", &[]),
    ];
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    for item in open_reviews(&bench).await {
        bench
            .engine
            .correct(&tenant(), item.id, item.version, Category::Lead)
            .await
            .unwrap();
        bench.drain().await;
    }
    let state = bench.crm.state();
    let kinds: Vec<&RecordKind> = state.records.iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [&RecordKind::Lead]);
    assert_eq!(state.timeline.len(), 2);
}

#[tokio::test]
async fn a_rejected_item_parks_its_mails() {
    let bench = Bench::start().await;
    bench
        .mailbox("box", &[mail("a@x", 1, ANN, "hello", &[])])
        .await;
    bench.drain().await;
    let item = open_reviews(&bench).await.remove(0);
    bench
        .engine
        .reject(&tenant(), item.id, item.version)
        .await
        .unwrap();
    bench.drain().await;
    let parked = Outcome::Parked {
        reason: ParkReason::Rejected,
    };
    assert_eq!(bench.row("a@x").await.outcome, parked);
    assert_eq!(bench.crm.state().timeline.len(), 0);
}

#[tokio::test]
async fn a_late_mail_joins_the_timeline_and_makes_no_second_record() {
    let bench = Bench::start().await;
    bench
        .mailbox("one", &[mail("b@x", 9, ANN, "Re: a case", &["a@x"])])
        .await;
    bench.drain().await;
    bench
        .mailbox("two", &[mail("a@x", 1, ANN, "a case", &[])])
        .await;
    bench.drain().await;
    {
        let state = bench.crm.state();
        assert_eq!((state.records.len(), state.timeline.len()), (1, 2));
    }
    let row = bench.row("a@x").await;
    let plans = bench.store.plans(&tenant(), row.message).await.unwrap();
    assert_eq!(plans[0].timing, Timing::Late);
}

#[tokio::test]
async fn a_reused_message_id_never_hides_a_mail() {
    let bench = Bench::start().await;
    let mut other = mail("m1@x", 2, "Bob <bob@other.example>", "another case", &[]);
    other.id = "second".into();
    bench
        .mailbox("box", &[mail("m1@x", 1, ANN, "a case", &[]), other])
        .await;
    bench.drain().await;
    assert_eq!(
        bench.row("second").await.outcome.kind(),
        OutcomeKind::Delivered
    );
    let state = bench.crm.state();
    assert_eq!((state.records.len(), state.timeline.len()), (2, 2));
}

#[tokio::test]
async fn a_mail_over_the_limits_is_quarantined_and_its_bytes_are_kept() {
    let bench = Bench::start().await;
    let mut huge = mail("huge@x", 1, ANN, "a case", &[]);
    huge.raw = format!("X-Pad: {}\r\n{}", "y".repeat(300 * 1024), huge.raw);
    bench
        .mailbox("box", &[huge.clone(), mail("m2@x", 2, ANN, "a case", &[])])
        .await;
    bench.drain().await;
    let row = bench.row("huge@x").await;
    assert!(
        row.outcome.reason().starts_with("quarantined:"),
        "{:?}",
        row.outcome
    );
    let raw = bench
        .store
        .raw(&tenant(), row.message)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(raw.as_ref(), huge.raw.as_bytes());
    assert_eq!(bench.row("m2@x").await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn the_accounting_holds() {
    let bench = Bench::start().await;
    let mails: Vec<Mail> = ["case", "lead", "deal", "contact", "none", "what"]
        .iter()
        .cycle()
        .take(60)
        .enumerate()
        .map(|(n, word)| {
            mail(
                &format!("m{n}@x"),
                n as i64,
                &format!("p{n}@f{n}.example"),
                word,
                &[],
            )
        })
        .collect();
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let counts = bench.store.counts(&tenant(), None).await.unwrap();
    assert_eq!(counts.total(), 60);
    assert_eq!(
        (counts.delivered, counts.parked, counts.review),
        (40, 10, 10)
    );
    assert_eq!(counts.pending + counts.dead, 0);
}

#[tokio::test]
async fn a_drain_without_workers_for_what_is_due_ends_and_keeps_the_plans() {
    let options = EngineOptions::default().with_workers(1, 0);
    let bench = Bench::with(options).await;
    bench
        .mailbox("box", &[mail("m1@x", 1, ANN, "a case", &[])])
        .await;
    bench.drain().await;
    let row = bench.row("m1@x").await;
    assert_eq!(row.outcome, Outcome::Pending);
    assert_eq!(
        bench
            .store
            .plans(&tenant(), row.message)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(bench.crm.state().delivers, 0);
}

/// A map whose title fails for a long subject, which no trial run finds.
async fn brittle_title(bench: &Bench) {
    let store = &bench.store;
    let known = store.field_map(&tenant(), &sink_id()).await.unwrap();
    let mut known = known.unwrap();
    let case = known.value.categories.get_mut(&Category::Case).unwrap();
    let text = "{% if subject | length > 100 %}{{ 1 // (subject | length * 0) }}{% endif %}x";
    case.fields.insert(FieldName::new("title"), text.into());
    store
        .put_field_map(&tenant(), &sink_id(), known.version, known.value)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_mail_that_cannot_be_planned_dies_alone_and_its_batch_goes_on() {
    let bench = Bench::start().await;
    brittle_title(&bench).await;
    let long = format!("a case {}", "y".repeat(300));
    let mut mails = vec![mail("bad@x", 2, "Bob <bob@b.example>", &long, &[])];
    for n in [1, 3, 4] {
        let from = format!("p{n}@f{n}.example");
        mails.push(mail(&format!("m{n}@x"), n, &from, "a case", &[]));
    }
    mails.push(mail(
        "reply@x",
        5,
        "Bob <bob@b.example>",
        "Re: a case",
        &["bad@x"],
    ));
    bench.mailbox("box", &mails).await;
    bench.drain().await;
    let row = bench.row("bad@x").await;
    let reason = row.outcome.reason();
    assert!(reason.starts_with("process:"), "{reason}");
    for id in ["m1@x", "m3@x", "m4@x", "reply@x"] {
        assert_eq!(bench.row(id).await.outcome, Outcome::Delivered, "{id}");
    }
    assert_eq!(bench.crm.state().records.len(), 4);
}
