//! The pure stages behind the reader, without an engine: screen, classify, decide, map.
#![allow(clippy::panic)] // part of a fuzz target

use std::collections::BTreeMap;
use std::sync::LazyLock;

use nextedge_ai::OfflineClassifier;
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::mail::Mail;
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::stage::assign::AssignInputs;
use nextedge_core::stage::decide::{DecideInput, Decision, ThreadState, decide};
use nextedge_core::stage::map::{CompiledMap, PlanContext, plan};
use nextedge_core::stage::screen::{Person, ScreenContext, Screened, screen};
use nextedge_core::{
    Basis, Category, Direction, FieldValue, MessageUid, Plan, Result, ThreadId, Timestamp, Versions,
};

use crate::targets::{block_on, context, id, one_template, tenant};

/// Takes a read mail through the stages; panics if something does not hold.
pub(crate) fn stages(mail: &Mail) {
    let Some(person) = person(mail) else {
        return;
    };
    let request = ClassifyRequest::new(person.subject.clone(), person.text.clone());
    let cx = context(serde_json::Value::Null);
    let answer = block_on(MODEL.classify(&cx, &request));
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    let all = Category::ALL.iter();
    let total: f64 = all.map(|one| answer.distribution.of(*one)).sum();
    assert!(
        (total - 1.0).abs() < 1e-6,
        "the distribution sums to {total}"
    );
    match planned(mail, &person, &MAP, Some(&answer)) {
        Ok(Some(plan)) => check_drafts(&plan),
        Ok(None) => (),
        Err(error) => panic!("a mail broke the field map: {error}"),
    }
}

/// Returns who speaks in a mail, if it is a person.
pub(crate) fn person(mail: &Mail) -> Option<Person> {
    let (tenant, policy) = (tenant(), Policy::default());
    let cx = ScreenContext {
        tenant: &tenant,
        mailbox: None,
        policy: &policy,
        labels: &[],
        origin: Origin::File,
        token_key: None,
        written_by_us: false,
    };
    match screen(mail, &cx) {
        Screened::Person(person) => Some(person),
        Screened::Machine(_) | Screened::Filtered(_) | Screened::Outbound(_) => None,
    }
}

/// Decides about a mail and renders its plan; none if it is parked.
pub(crate) fn planned(
    mail: &Mail,
    person: &Person,
    map: &CompiledMap,
    answer: Option<&Classification>,
) -> Result<Option<Plan>> {
    let policy = Policy::default();
    let received_at = Timestamp::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    let decision = decide(&DecideInput {
        policy: &policy,
        mail,
        sender: &person.sender,
        subject: &person.subject,
        text: &person.text,
        direction: Direction::Incoming,
        authenticity: person.authenticity,
        thread: ThreadState::Unlinked,
        classification: answer,
        labels: &[],
        received_at,
        assign: AssignInputs::default(),
    });
    let (Decision::Write(intent) | Decision::Review { intent, .. }) = decision else {
        return Ok(None);
    };
    let cx = PlanContext {
        connection: &id("crm"),
        message: MessageUid::derive(&[b"fuzz"]),
        thread: ThreadId::derive(&[b"fuzz"]),
        mail,
        mailbox: None,
        received_at,
        policy: &policy,
        basis: Basis {
            thread_version: 0,
            versions: Versions {
                policy: 0,
                field_map: 0,
            },
        },
    };
    plan(&intent, map, &cx)
}

/// Fields keep the lengths of the map and hold no control characters.
fn check_drafts(plan: &Plan) {
    for (name, value) in &plan.contact.fields {
        let FieldValue::Text(text) = value else {
            continue;
        };
        let name = name.as_str();
        assert!(text.chars().count() <= MOST_CHARS, "{name} is too long");
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        assert!(!text.contains(bad), "{name} holds a control character");
    }
}

static MODEL: LazyLock<OfflineClassifier> =
    LazyLock::new(|| OfflineClassifier::embedded().unwrap_or_else(|error| panic!("{error}")));

static MAP: LazyLock<CompiledMap> = LazyLock::new(|| {
    let mut map = one_template("{{ sender.name }}");
    map.lengths = BTreeMap::from([("contact.name".to_owned(), MOST_CHARS)]);
    CompiledMap::new(&map).unwrap_or_else(|error| panic!("{error}"))
});

/// Longest name that the map above lets through.
const MOST_CHARS: usize = 100;
