//! What HubSpot refuses, delays, loses and applies behind our back.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use nextedge_core::sink::{CrmSink, ItemEnd, ItemOutcome, PartyWrite};
use nextedge_core::{EffectVerb, ErrorKind, Guarantee, Reach, RecordKind, Slot};
use serde_json::{Value, json};
use support::{
    World, again, builder, draft, effect_of, file, is_done, linked, mail, reply, ticket,
    with_record,
};

fn done(outcomes: &[ItemOutcome]) -> usize {
    outcomes.iter().filter(|outcome| is_done(outcome)).count()
}

fn not_attempted(outcome: &ItemOutcome) -> bool {
    matches!(outcome.end, ItemEnd::NotAttempted)
}

/// One of each object, after everything that a lost answer can do.
fn assert_one_of_each(world: &World, case: &str) {
    for kind in ["contacts", "companies", "tickets", "emails"] {
        assert_eq!(world.count(kind), 1, "{case}: {kind}");
    }
    let mail = &world.records("emails")[0];
    assert_eq!(linked(mail, "tickets").len(), 1, "{case}");
}

const WRITES: [&str; 4] = ["contacts", "companies", "tickets", "emails"];

#[tokio::test]
async fn with_the_key_a_lost_answer_of_any_write_leaves_one_record() {
    for object in WRITES {
        let world = World::keyed().await;
        let path = format!("/{object}/batch/create");
        let fault = json!({"path_contains": path, "drop": "after_apply", "times": 1});
        world.sandbox.fault(fault).unwrap();
        let mut outcomes = world.deliver(&[ticket(1)]).await;
        if !is_done(&outcomes[0]) {
            outcomes = world.deliver_all(&[again(&ticket(1))]).await;
        }
        assert_one_of_each(&world, object);
        let effect = effect_of(&outcomes[0], &Slot::Activity);
        assert_eq!(effect.guarantee, Guarantee::Keyed);
    }
}

#[tokio::test]
async fn with_the_key_every_answer_lost_still_leaves_one_record() {
    for object in WRITES {
        let world = World::keyed().await;
        let path = format!("/{object}/batch/create");
        let fault = json!({"path_contains": path, "drop": "after_apply", "times": "always"});
        world.sandbox.fault(fault).unwrap();
        let outcomes = world.deliver(&[ticket(1)]).await;
        assert!(
            matches!(outcomes[0].end, ItemEnd::Unknown(_)),
            "{object}: {:?}",
            outcomes[0].end
        );
        world.sandbox.clear_faults();
        world.deliver_all(&[again(&ticket(1))]).await;
        assert_one_of_each(&world, object);
    }
}

#[tokio::test]
async fn without_the_key_a_lost_answer_is_looked_up() {
    for object in WRITES {
        let world = World::plain().await;
        let path = format!("/{object}/batch/create");
        let fault = json!({"path_contains": path, "drop": "after_apply", "times": "always"});
        world.sandbox.fault(fault).unwrap();
        let outcomes = world.deliver(&[ticket(1)]).await;
        assert!(
            matches!(outcomes[0].end, ItemEnd::Unknown(_)),
            "{object}: {:?}",
            outcomes[0].end
        );
        world.sandbox.clear_faults();
        let outcomes = world.deliver_all(&[again(&ticket(1))]).await;
        assert_one_of_each(&world, object);
        let effect = effect_of(&outcomes[0], &Slot::Activity);
        assert_eq!(effect.guarantee, Guarantee::LookedUp);
    }
}

#[tokio::test]
async fn effects_of_an_earlier_attempt_are_not_repeated() {
    let world = World::plain().await;
    let fault = json!({"path_contains": "/emails/batch/create", "status": 400, "times": 1,
        "body": {"status": "error", "category": "VALIDATION_ERROR", "message": "no"}});
    world.sandbox.fault(fault).unwrap();
    let outcomes = world.deliver(&[ticket(1)]).await;
    assert!(matches!(outcomes[0].end, ItemEnd::Failed(_)));
    let mut second = ticket(1);
    second.done = outcomes.into_iter().next().unwrap().effects;
    assert_eq!(second.done.len(), 3);
    world.deliver_all(&[second]).await;
    assert_one_of_each(&world, "resumed");
}

#[tokio::test]
async fn a_429_concerns_the_connection_and_burns_no_item() {
    let world = World::keyed().await;
    world.sink.describe(&world.cx()).await.unwrap();
    let fault = json!({"name": "rate_limit", "retry_after": 10, "times": "always"});
    world.sandbox.fault(fault).unwrap();
    let outcomes = world.deliver(&[ticket(1), ticket(2), ticket(3)]).await;
    let ItemEnd::Failed(error) = &outcomes[0].end else {
        panic!("{:?}", outcomes[0].end);
    };
    assert_eq!(
        (error.kind(), error.reach()),
        (ErrorKind::RateLimited, Reach::Connection)
    );
    assert_eq!(
        error.retry(),
        nextedge_core::Retry::After(Duration::from_secs(10))
    );
    assert!(outcomes[0].effects.is_empty());
    assert!(outcomes[1..].iter().all(not_attempted));
}

#[tokio::test]
async fn a_429_half_way_keeps_what_was_achieved() {
    let mut world = World::keyed().await;
    world.sink.describe(&world.cx()).await.unwrap();
    let fault = json!({"name": "rate_limit", "retry_after": 10, "times": "always",
        "path_contains": "/emails/batch/create"});
    world.sandbox.fault(fault).unwrap();
    let outcomes = world.deliver(&[ticket(1), ticket(2)]).await;
    assert!(outcomes.iter().all(|outcome| outcome.effects.len() == 3));
    let blamed = outcomes
        .iter()
        .filter(|outcome| !not_attempted(outcome))
        .count();
    assert_eq!(blamed, 1);
    world.sandbox.clear_faults();
    world.sink = support::sink(&world.sandbox);
    let mut retry = [ticket(1), ticket(2)];
    for (delivery, outcome) in retry.iter_mut().zip(outcomes) {
        delivery.done = outcome.effects;
    }
    world.deliver_all(&retry).await;
    assert_eq!((world.count("tickets"), world.count("emails")), (2, 2));
}

#[tokio::test]
async fn one_poisoned_record_of_a_hundred_costs_no_call_and_no_other_mail() {
    let world = World::keyed().await;
    let batch: Vec<_> = (0..100).map(ticket).collect();
    let (_, clean) = World::keyed().await.count_calls(&batch).await;
    let fault = json!({"name": "partial_batch", "index": 41, "property": "hs_ticket_priority",
        "path_contains": "/tickets/batch/create"});
    world.sandbox.fault(fault).unwrap();
    let (outcomes, calls) = world.count_calls(&batch).await;
    assert_eq!(done(&outcomes), 99);
    let ItemEnd::Failed(error) = &outcomes[41].end else {
        panic!("{:?}", outcomes[41].end);
    };
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(error.context("field"), Some("hs_ticket_priority"));
    assert_eq!(world.count("emails"), 99);
    assert!(calls <= clean + 3, "{calls} after {clean}");
}

#[tokio::test]
async fn after_the_first_unfinished_mail_of_a_run_nothing_is_attempted() {
    let world = World::keyed().await;
    let first = ticket(1);
    let batch = [
        first.clone(),
        reply(2, &first, 0),
        reply(3, &first, 0),
        ticket(4),
    ];
    let fault = json!({"name": "partial_batch", "index": 0, "property": "hs_email_subject",
        "path_contains": "/emails/batch/create"});
    world.sandbox.fault(fault).unwrap();
    let outcomes = world.deliver(&batch).await;
    assert!(
        matches!(outcomes[0].end, ItemEnd::Failed(_)),
        "{:?}",
        outcomes[0].end
    );
    assert!(not_attempted(&outcomes[1]) && not_attempted(&outcomes[2]));
    assert!(is_done(&outcomes[3]));
    let subjects: Vec<_> = world
        .records("emails")
        .iter()
        .map(|mail| mail["properties"]["hs_email_subject"].clone())
        .collect();
    assert_eq!(subjects, ["Subject 4"]);
}

#[tokio::test]
async fn a_run_is_written_in_order_on_one_record() {
    let world = World::keyed().await;
    let first = ticket(1);
    let batch = [first.clone(), reply(2, &first, 0), reply(3, &first, 0)];
    world.deliver_all(&batch).await;
    for (kind, count) in [
        ("contacts", 1),
        ("companies", 1),
        ("tickets", 1),
        ("emails", 3),
    ] {
        assert_eq!(world.count(kind), count, "{kind}");
    }
    assert_eq!(linked(&world.records("tickets")[0], "emails").len(), 3);
}

#[tokio::test]
async fn a_contact_that_appeared_after_find_is_adopted() {
    let world = World::keyed().await;
    let seed = json!({"hubspot": {"records": {"contacts": [
        {"properties": {"email": "old@firm2.example", "hs_additional_emails": "ada2@firm2.example"}},
        {"properties": {"email": "ada1@firm1.example"}},
    ]}}});
    world.sandbox.seed(seed).unwrap();
    let outcomes = world.deliver_all(&[ticket(1), ticket(2), ticket(3)]).await;
    assert_eq!(world.count("contacts"), 3);
    let verbs = outcomes.iter().map(|o| effect_of(o, &Slot::Contact).verb);
    let adopted = verbs.filter(|verb| *verb == EffectVerb::Adopted).count();
    assert_eq!(adopted, 2);
}

#[tokio::test]
async fn drift_is_named_and_the_account_is_read_anew() {
    let world = World::keyed().await;
    let mut delivery = ticket(1);
    let wrong = draft(
        RecordKind::Case,
        &[
            ("subject", "x"),
            ("hs_pipeline_stage", "1"),
            ("colour", "red"),
        ],
    );
    delivery = with_record(delivery, wrong);
    let outcomes = world.deliver(&[delivery, ticket(2)]).await;
    let ItemEnd::Failed(error) = &outcomes[0].end else {
        panic!("{:?}", outcomes[0].end);
    };
    assert_eq!(
        (error.kind(), error.context("field")),
        (ErrorKind::Rejected, Some("colour"))
    );
    assert!(is_done(&outcomes[1]));
    let (_, calls) = world.calls(world.sink.describe(&world.cx())).await;
    assert!(
        calls.iter().any(|call| call.contains("/crm/properties/")),
        "{calls:?}"
    );
    let (_, calls) = world.calls(world.sink.describe(&world.cx())).await;
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test]
async fn a_file_that_is_refused_is_noted_and_the_mail_is_written() {
    let world = World::keyed().await;
    let fault = json!({"path_prefix": "/files/", "status": 413, "times": "always",
        "body": {"status": "error", "message": "too large"}});
    world.sandbox.fault(fault).unwrap();
    let mut delivery = mail(1);
    delivery.attachments = vec![file("quote.pdf", b"abc")];
    let outcomes = world.deliver_all(&[delivery]).await;
    let notes = effect_of(&outcomes[0], &Slot::Activity).notes;
    assert_eq!(notes, ["quote.pdf not stored: HubSpot refused it with 413"]);
}

#[tokio::test]
async fn a_mail_that_something_else_logged_is_adopted_only_if_it_agrees() {
    for (subject, adopted) in [("Subject 1", true), ("Other", false)] {
        let mut world = World::plain().await;
        world.settings = json!({"lookups": "always"});
        world.deliver_all(&[mail(1)]).await;
        let contact = support::reference(RecordKind::Contact, &world.records("contacts")[0]["id"]);
        let mut other = mail(1);
        other.key = "ne-other".to_owned();
        other.company = None;
        other.contact = PartyWrite::Known {
            record: contact,
            fill: Default::default(),
        };
        other.activity.draft.subject = subject.to_owned();
        let outcomes = world.deliver_all(&[other]).await;
        let effect = effect_of(&outcomes[0], &Slot::Activity);
        assert_eq!(effect.verb == EffectVerb::Adopted, adopted, "{subject}");
        assert_eq!(world.count("emails"), if adopted { 1 } else { 2 });
        assert_eq!(effect.notes.is_empty(), adopted, "{:?}", effect.notes);
    }
}

#[tokio::test]
async fn a_missing_scope_for_one_object_fails_only_its_mails() {
    let world = World::keyed().await;
    world.sink.describe(&world.cx()).await.unwrap();
    let fault = json!({"name": "missing_scopes", "path_contains": "/tickets/", "times": "always"});
    world.sandbox.fault(fault).unwrap();
    let outcomes = world.deliver(&[ticket(1), mail(2)]).await;
    let ItemEnd::Failed(error) = &outcomes[0].end else {
        panic!("{:?}", outcomes[0].end);
    };
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(is_done(&outcomes[1]));
}

#[tokio::test]
async fn a_rejected_token_stops_before_anything_is_written() {
    let world = World::start(builder(), Value::Null).await;
    world
        .sandbox
        .fault(json!({"name": "revoke_tokens", "times": "always"}))
        .unwrap();
    let error = world.sink.check(&world.cx()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reach()),
        (ErrorKind::Unauthorized, Reach::Connection)
    );
    let error = world
        .sink
        .deliver(&world.cx(), &[mail(1)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

impl World {
    async fn count_calls(
        &self,
        batch: &[nextedge_core::sink::Delivery],
    ) -> (Vec<ItemOutcome>, usize) {
        self.sink.describe(&self.cx()).await.unwrap();
        let (outcomes, calls) = self.calls(self.deliver(batch)).await;
        (outcomes, calls.len())
    }
}
