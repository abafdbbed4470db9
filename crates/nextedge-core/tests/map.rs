//! How an intent becomes the plan for one sink, and what the plan becomes when the CRM has answered.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use nextedge_core::classify::{Classification, ContactField, ExtractedField};
use nextedge_core::mail::{Attachment, Body, Mail, MailDate, Role, Segment};
use nextedge_core::policy::{
    Assignment, CategoryMap, FieldMap, KnownParty, KnownPartyPolicy, Owner, Policy, Template,
};
use nextedge_core::stage::assign::AssignInputs;
use nextedge_core::stage::authenticity::{Authenticity, Verdict};
use nextedge_core::stage::decide::{DecideInput, Intent, ThreadState, decide};
use nextedge_core::stage::map::{CompiledMap, PlanContext, plan};
use nextedge_core::{
    Basis, Category, ConnectionId, Direction, Distribution, EmailAddress, FieldName, FieldValue,
    Mailer, MessageUid, Plan, Priority, RecordKind, ThreadId, Urgency, Versions, When, Write,
};
use proptest::prelude::*;

fn mailer(address: &str, name: &str) -> Mailer {
    Mailer {
        address: EmailAddress::parse(address).unwrap(),
        name: name.to_owned(),
    }
}

fn fields(list: &[(&str, &str)]) -> BTreeMap<FieldName, Template> {
    list.iter()
        .map(|(name, text)| (FieldName::new(name), Template::from(*text)))
        .collect()
}

fn category(kind: RecordKind, list: &[(&str, &str)]) -> CategoryMap {
    CategoryMap {
        kind,
        fields: fields(list),
        known_party: KnownParty::Same,
        contact: BTreeMap::new(),
        on_reply: BTreeMap::new(),
    }
}

/// A field map with every feature.
fn map() -> FieldMap {
    let deal = category(RecordKind::Opportunity, &[("dealname", "{{ subject }}")]);
    let mut lead = category(
        RecordKind::Lead,
        &[
            ("name", "{{ sender.display }} – {{ subject }}"),
            (
                "label",
                "{% if score.band == 'hot' %}HOT{% else %}{{ score.band | upper }}{% endif %}",
            ),
            ("owner", "{{ owner }}"),
            ("priority", "{{ priority }}"),
            ("text", "{{ description }}"),
            ("nothing", "{{ summary }}"),
        ],
    );
    lead.known_party = KnownParty::Instead(Box::new(deal));
    lead.contact = fields(&[("stage", "lead")]);
    lead.on_reply = fields(&[
        ("status", "OPEN"),
        ("owner", "{{ owner }}"),
        ("priority", "{{ priority }}"),
    ]);
    FieldMap {
        contact: fields(&[
            ("email", "{{ sender.email }}"),
            ("first", "{{ contact.first_name }}"),
            ("last", "{{ contact.last_name }}"),
            ("phone", "{{ contact.phone }}"),
            ("title", "{{ contact.title }}"),
        ]),
        company: fields(&[
            ("domain", "{{ company.domain }}"),
            ("name", "{{ company.name }}"),
        ]),
        activity: fields(&[("confidence", "{{ confidence }}")]),
        categories: BTreeMap::from([
            (Category::Lead, lead),
            (
                Category::Case,
                category(RecordKind::Case, &[("subject", "{{ subject }}")]),
            ),
            (Category::Contact, category(RecordKind::Contact, &[])),
        ]),
        priorities: BTreeMap::from([(Priority::Medium, "MEDIUM".to_owned())]),
        lengths: BTreeMap::from([("lead.name".to_owned(), 20), ("lead.text".to_owned(), 900)]),
    }
}

fn mail() -> Mail {
    let text = "Hello,\n\nplease quote 40 pumps.\n\nKind regards,\nAda Lovelace\nHead of Purchasing\n\
                Analytical Engines Ltd\n+44 20 7946 0321\n";
    Mail {
        message_id: Some("1@acme.example".to_owned()),
        from: Some(mailer("ada@eu.acme.example", "Ada Lovelace")),
        to: vec![mailer("sales@us.example", "Sales")],
        subject: "Prices for NP-40".to_owned(),
        date: Some(MailDate {
            at: "2026-11-16T09:58:00Z".parse().unwrap(),
            utc_offset_minutes: 60,
        }),
        language: Some("en".to_owned()),
        body: body(text),
        attachments: vec![
            attachment(0, "plan.pdf", "application/pdf"),
            attachment(1, "setup.exe", "application/x-msdownload"),
        ],
        ..Mail::default()
    }
}

fn body(text: &str) -> Body {
    Body {
        segments: vec![Segment {
            range: 0..text.len(),
            role: Role::New,
        }],
        text: text.to_owned(),
        ..Body::default()
    }
}

fn attachment(index: u32, name: &str, media_type: &str) -> Attachment {
    Attachment {
        index,
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes: 1000,
        sha256: format!("{index:064}"),
        inline: false,
    }
}

fn intent_of(mail: &Mail, category: Category, thread: ThreadState, policy: &Policy) -> Intent {
    let weights = Category::ALL.map(|other| if other == category { 0.92 } else { 0.02 });
    let distribution = Distribution::new(weights).unwrap();
    let mut answer = Classification::new("test/1", distribution, Urgency::Normal);
    answer.summary = Some("Asks for a quote.".to_owned());
    let input = DecideInput {
        policy,
        mail,
        sender: mail.from.as_ref().unwrap(),
        subject: &mail.subject,
        text: &mail.body.new_text(),
        direction: Direction::Incoming,
        authenticity: Authenticity {
            verdict: Verdict::Pass,
            treatment: nextedge_core::policy::Treatment::Trust,
        },
        thread,
        classification: Some(&answer),
        labels: &[],
        received_at: "2026-11-16T10:00:00Z".parse().unwrap(),
        assign: AssignInputs::default(),
    };
    decide(&input).intent().unwrap().clone()
}

fn plan_of(mail: &Mail, intent: &Intent, map: &FieldMap, policy: &Policy) -> Option<Plan> {
    let compiled = CompiledMap::new(map).unwrap();
    let message = MessageUid::derive(&[b"m"]);
    plan(
        intent,
        &compiled,
        &PlanContext {
            connection: &ConnectionId::new("crm").unwrap(),
            message,
            thread: ThreadId::founded_by(message),
            mail,
            mailbox: Some(&EmailAddress::parse("sales@us.example").unwrap()),
            received_at: "2026-11-16T10:00:00Z".parse().unwrap(),
            policy,
            basis: Basis {
                thread_version: 3,
                versions: Versions {
                    policy: 1,
                    field_map: 2,
                },
            },
        },
    )
    .unwrap()
}

fn lead_plan(mail: &Mail) -> Plan {
    let policy = owned_policy();
    let intent = intent_of(mail, Category::Lead, ThreadState::Unlinked, &policy);
    plan_of(mail, &intent, &map(), &policy).unwrap()
}

fn owned_policy() -> Policy {
    let mut policy = Policy::default();
    policy.assignment = Assignment::Fixed(Owner::new("17"));
    policy
}

fn way(plan: &Plan, when: When) -> &Write {
    &plan
        .alternatives
        .iter()
        .find(|way| way.when == when)
        .unwrap()
        .write
}

fn text<'a>(fields: &'a BTreeMap<FieldName, FieldValue>, name: &str) -> Option<&'a str> {
    match fields.get(&FieldName::new(name)) {
        Some(FieldValue::Text(text)) => Some(text),
        Some(other) => panic!("{name} is {other:?}"),
        None => None,
    }
}

#[test]
fn a_whole_plan_looks_like_this() {
    insta::assert_json_snapshot!("plan_of_a_lead", lead_plan(&mail()));
}

#[test]
fn a_joining_mail_keeps_owner_and_priority_of_its_record() {
    let policy = owned_policy();
    let mail = mail();
    let intent = intent_of(
        &mail,
        Category::None,
        ThreadState::Linked(Category::Lead),
        &policy,
    );
    let plan = plan_of(&mail, &intent, &map(), &policy).unwrap();
    let Write::Join { fields } = way(&plan, When::ThreadLinked) else {
        panic!("joins");
    };
    assert_eq!(fields.len(), 1);
    assert_eq!(text(fields, "status"), Some("OPEN"));
}

#[test]
fn nothing_is_planned_for_what_the_map_does_not_create() {
    let policy = Policy::default();
    let mail = mail();
    let unlinked = intent_of(&mail, Category::Opportunity, ThreadState::Unlinked, &policy);
    assert_eq!(plan_of(&mail, &unlinked, &map(), &policy), None);
    let linked = intent_of(
        &mail,
        Category::None,
        ThreadState::Linked(Category::Opportunity),
        &policy,
    );
    let plan = plan_of(&mail, &linked, &map(), &policy).unwrap();
    assert_eq!(
        plan.alternatives.len(),
        1,
        "it joins its record and can do nothing else"
    );
}

#[test]
fn the_policy_overrides_what_happens_to_known_senders() {
    let mail = mail();
    for (known, expected) in [
        (KnownPartyPolicy::FieldMap, "create opportunity"),
        (KnownPartyPolicy::Same, "create lead"),
        (KnownPartyPolicy::ActivityOnly, "contact only"),
        (KnownPartyPolicy::Review, "review"),
    ] {
        let mut policy = Policy::default();
        policy.threads.known_party = known;
        let intent = intent_of(&mail, Category::Lead, ThreadState::Unlinked, &policy);
        let plan = plan_of(&mail, &intent, &map(), &policy).unwrap();
        let found = match way(&plan, When::PartyKnown) {
            Write::Create(draft) => format!("create {}", draft.kind),
            Write::ContactOnly => "contact only".to_owned(),
            Write::Review(_) => "review".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{known:?}");
    }
}

#[test]
fn free_mail_names_no_company() {
    let mut mail = mail();
    mail.from = Some(mailer("ada@gmail.com", "Ada Lovelace"));
    assert_eq!(lead_plan(&mail).company, None);
}

#[test]
fn wrong_templates_are_refused_with_the_place_and_the_remedy() {
    for (template, message, action) in [
        (
            "{{ sendr.email }}",
            "unknown placeholder",
            "write `sender.email` instead of `sendr.email`",
        ),
        ("{{ subject | uper }}", "trial run", "use only the filters"),
        ("{{ subject", "cannot be read", "placeholders look like"),
        (
            "{% for c in subject %}x{% endfor %}",
            "a tag that is not allowed",
            "use only `if`",
        ),
        (
            "{% set x = subject %}{{ x }}",
            "a tag that is not allowed",
            "use only `if`",
        ),
        (
            "{%- include 'contact.email' %}",
            "a tag that is not allowed",
            "use only `if`",
        ),
        ("{{ range(9) }}", "unknown placeholder", "use one of"),
    ] {
        let mut map = map();
        map.contact
            .insert(FieldName::new("x"), Template::from(template));
        let error = CompiledMap::new(&map).unwrap_err();
        assert_eq!(error.context("field"), Some("contact.x"), "{template}");
        assert!(error.message().contains(message), "{template}: {error}");
        assert!(
            error.action().unwrap_or_default().contains(action),
            "{template}: {:?}",
            error.action()
        );
    }
    let mut map = map();
    map.contact
        .insert(FieldName::new("x"), Template("y".repeat(5000)));
    assert!(CompiledMap::new(&map).is_err());
}

#[test]
fn hostile_values_are_text_and_never_run() {
    let mut mail = mail();
    mail.subject = "{{ owner }} {% for x in y %}".to_owned();
    mail.from = Some(mailer("ada@acme.example", "{{ 7 * 7 }}"));
    let plan = lead_plan(&mail);
    let Write::Create(draft) = way(&plan, When::PartyUnknown) else {
        panic!("creates");
    };
    assert_eq!(text(&draft.fields, "name"), Some("{{ 7 * 7 }} – {{ own"));
}

#[test]
fn a_template_that_makes_too_much_text_is_refused_and_named() {
    let mut map = map();
    map.contact.insert(
        FieldName::new("x"),
        Template(format!(
            "{{% if subject %}}{}{{% endif %}}",
            "{{ body * 9 }}".repeat(200)
        )),
    );
    let compiled = CompiledMap::new(&map).unwrap();
    let mut mail = mail();
    mail.body = body(&"long ".repeat(20_000));
    let policy = Policy::default();
    let intent = intent_of(&mail, Category::Lead, ThreadState::Unlinked, &policy);
    let message = MessageUid::derive(&[b"m"]);
    let error = plan(
        &intent,
        &compiled,
        &PlanContext {
            connection: &ConnectionId::new("crm").unwrap(),
            message,
            thread: ThreadId::founded_by(message),
            mail: &mail,
            mailbox: None,
            received_at: "2026-11-16T10:00:00Z".parse().unwrap(),
            policy: &policy,
            basis: Basis::default(),
        },
    )
    .unwrap_err();
    assert_eq!(error.context("field"), Some("contact.x"));
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_field_is_longer_than_its_limit_and_no_mail_breaks_a_plan(
        subject in "\\PC{0,80}",
        text_of in "(?s).{0,1500}",
        name in "\\PC{0,40}",
        name_length in 0usize..40,
        text_length in 0usize..1200,
        company in "\\PC{0,40}",
    ) {
        let mut mail = mail();
        mail.subject = subject;
        mail.body = body(&text_of);
        mail.from = Some(mailer("ada@acme.example", &name));
        let mut map = map();
        map.lengths = BTreeMap::from([
            ("lead.name".to_owned(), name_length),
            ("lead.text".to_owned(), text_length),
            ("contact.last".to_owned(), 5),
        ]);
        let policy = Policy::default();
        let mut intent = intent_of(&mail, Category::Lead, ThreadState::Unlinked, &policy);
        intent.fields.push(ExtractedField {
            field: ContactField::Company,
            value: company,
            span: None,
            confidence: 0.5,
        });
        let plan = plan_of(&mail, &intent, &map, &policy).unwrap();
        let Write::Create(draft) = way(&plan, When::PartyUnknown) else {
            panic!("creates");
        };
        prop_assert!(text(&draft.fields, "name").is_none_or(|name| chars(name) <= name_length));
        prop_assert!(text(&draft.fields, "text").is_none_or(|text| chars(text) <= text_length));
        prop_assert!(text(&plan.contact.fields, "last").is_none_or(|last| chars(last) <= 5));
        let all = draft.fields.values().chain(plan.contact.fields.values());
        for value in all {
            let FieldValue::Text(value) = value else { panic!("text") };
            prop_assert!(!value.trim().is_empty(), "empty values are left out");
        }
        let again = plan_of(&mail, &intent, &map, &policy).unwrap();
        prop_assert_eq!(&again, &plan, "the same mail makes the same plan");
        let stored = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
    }

    #[test]
    fn a_cut_is_noted_and_keeps_the_beginning(length in 1usize..30) {
        let mut map = map();
        map.lengths = BTreeMap::from([("lead.name".to_owned(), length)]);
        let mail = Mail { subject: "é😀ü".repeat(20), ..mail() };
        let policy = Policy::default();
        let intent = intent_of(&mail, Category::Lead, ThreadState::Unlinked, &policy);
        let plan = plan_of(&mail, &intent, &map, &policy).unwrap();
        let Write::Create(draft) = way(&plan, When::PartyUnknown) else {
            panic!("creates");
        };
        let whole = format!("Ada Lovelace – {}", mail.subject);
        prop_assert!(whole.starts_with(text(&draft.fields, "name").unwrap()));
        let note = format!("lead.name cut at {length} characters");
        prop_assert!(draft.notes.contains(&note) && plan.notes.contains(&note));
    }
}
