//! What a plan becomes when the CRM has answered.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use nextedge_core::policy::{ClosedRecord, LatePolicy, RecordGone, SecondThread, ThreadPolicy};
use nextedge_core::sink::{FoundContact, FoundParty, PartyWrite, RecordState, RecordWrite};
use nextedge_core::stage::resolve::{ResolveInput, Resolved, resolve};
use nextedge_core::{
    ActivityDraft, Alternative, Basis, Category, Confidence, ConnectionId, Direction, Draft,
    EmailAddress, FieldName, FieldValue, Mailer, MessageUid, Plan, Priority, RecordId, RecordKind,
    RecordRef, ReviewReason, ThreadId, Timing, Urgency, When, Write,
};

fn fields(list: &[(&str, &str)]) -> BTreeMap<FieldName, FieldValue> {
    list.iter()
        .map(|(name, text)| (FieldName::new(name), FieldValue::Text((*text).to_owned())))
        .collect()
}

fn draft(kind: RecordKind) -> Draft {
    Draft {
        fields: fields(&[("name", "x")]),
        kind,
        notes: Vec::new(),
    }
}

fn record(kind: RecordKind, id: &str) -> RecordRef {
    RecordRef {
        kind,
        id: RecordId::new(id).unwrap(),
    }
}

fn plan(address: &str, timing: Timing) -> Plan {
    let message = MessageUid::derive(&[b"m"]);
    let sender = Mailer {
        address: EmailAddress::parse(address).unwrap(),
        name: String::new(),
    };
    let way = |when, write| Alternative { when, write };
    let reply = fields(&[("status", "open")]);
    Plan {
        connection: ConnectionId::new("crm").unwrap(),
        message,
        thread: ThreadId::founded_by(message),
        category: Category::Lead,
        confidence: Confidence::CERTAIN,
        urgency: Urgency::Normal,
        priority: Priority::Medium,
        reason: String::new(),
        contact: Draft {
            fields: fields(&[("phone", "+44"), ("title", "CEO")]),
            ..draft(RecordKind::Contact)
        },
        company: Some(draft(RecordKind::Company)),
        alternatives: vec![
            way(When::ThreadLinked, Write::Join { fields: reply }),
            way(When::PartyKnown, Write::Review(ReviewReason::KnownParty)),
            way(When::PartyUnknown, Write::Create(draft(RecordKind::Lead))),
        ],
        activity: ActivityDraft {
            direction: Direction::Incoming,
            sent_at: chrono::DateTime::default(),
            utc_offset_minutes: 0,
            subject: String::new(),
            message_id: None,
            from: sender.clone(),
            to: Vec::new(),
            cc: Vec::new(),
            fields: BTreeMap::new(),
            bytes: 0,
        },
        sender,
        attachments: Vec::new(),
        owner: None,
        accepted: Vec::new(),
        notes: Vec::new(),
        timing,
        basis: Basis::default(),
    }
}

fn known(list: &[(&str, &str)]) -> FoundContact {
    FoundContact {
        record: record(RecordKind::Contact, "c1"),
        company: None,
        fields: fields(list),
    }
}

fn party(contacts: Vec<FoundContact>, companies: &[&str]) -> FoundParty {
    FoundParty {
        contacts,
        companies: companies
            .iter()
            .map(|id| record(RecordKind::Company, id))
            .collect(),
    }
}

/// The parts of an input that tests vary.
#[derive(Default)]
struct Answer {
    party: FoundParty,
    linked: Option<(RecordRef, RecordState)>,
    earlier: Option<usize>,
    sibling: Option<RecordRef>,
    own_contact: bool,
    threads: ThreadPolicy,
}

impl Answer {
    fn resolve(&self, plan: &Plan) -> Resolved {
        resolve(
            plan,
            &ResolveInput {
                party: &self.party,
                linked: self.linked.as_ref().map(|(record, state)| (record, state)),
                earlier: self.earlier,
                sibling: self.sibling.as_ref(),
                own_contact: self.own_contact,
                record_key: "key",
                threads: &self.threads,
            },
        )
    }

    fn linked(state: RecordState) -> Self {
        Self {
            linked: Some((record(RecordKind::Lead, "l1"), state)),
            ..Self::default()
        }
    }
}

fn in_words(resolved: &Resolved) -> String {
    let Resolved::Write { record, .. } = resolved else {
        return format!("{resolved:?}");
    };
    match record {
        RecordWrite::ContactOnly => "contact only".to_owned(),
        RecordWrite::Known { record, fields } => {
            format!("join {} with {}", record.id, fields.len())
        }
        RecordWrite::Create { key, draft } => format!("create {} {key}", draft.kind),
        RecordWrite::Earlier { item } => format!("earlier {item}"),
    }
}

fn contact_of(resolved: &Resolved) -> &PartyWrite {
    match resolved {
        Resolved::Write { contact, .. } => contact,
        Resolved::Review(reason) => panic!("review {reason:?}"),
    }
}

#[test]
fn a_contact_that_an_earlier_attempt_made_leaves_the_sender_unknown() {
    let answer = Answer {
        party: party(vec![known(&[])], &[]),
        own_contact: true,
        ..Answer::default()
    };
    let Resolved::Write {
        contact, record, ..
    } = answer.resolve(&plan("a@acme.example", Timing::InOrder))
    else {
        panic!("a person was asked");
    };
    assert!(matches!(contact, PartyWrite::Known { .. }));
    assert!(matches!(record, RecordWrite::Create { draft, .. } if draft.kind == RecordKind::Lead));
}

#[test]
fn the_state_of_the_linked_record_decides() {
    let merged = RecordState::MergedInto(record(RecordKind::Lead, "l2"));
    let gone = |record_gone| ThreadPolicy {
        record_gone,
        ..ThreadPolicy::default()
    };
    let closed = |closed_record| ThreadPolicy {
        closed_record,
        ..ThreadPolicy::default()
    };
    for (state, threads, timing, expected) in [
        (
            RecordState::Open,
            ThreadPolicy::default(),
            Timing::InOrder,
            "join l1 with 1",
        ),
        (
            RecordState::Open,
            ThreadPolicy::default(),
            Timing::Late,
            "join l1 with 0",
        ),
        (
            merged,
            ThreadPolicy::default(),
            Timing::InOrder,
            "join l2 with 1",
        ),
        (
            RecordState::Gone,
            gone(RecordGone::Review),
            Timing::InOrder,
            "Review(RecordGone)",
        ),
        (
            RecordState::Gone,
            gone(RecordGone::NewRecord),
            Timing::InOrder,
            "create lead key",
        ),
        (
            RecordState::Gone,
            gone(RecordGone::NewRecord),
            Timing::Late,
            "Review(RecordGone)",
        ),
        (
            RecordState::Closed,
            closed(ClosedRecord::Join),
            Timing::InOrder,
            "join l1 with 1",
        ),
        (
            RecordState::Closed,
            closed(ClosedRecord::JoinQuietly),
            Timing::InOrder,
            "join l1 with 0",
        ),
        (
            RecordState::Closed,
            closed(ClosedRecord::NewRecord),
            Timing::InOrder,
            "create lead key",
        ),
        (
            RecordState::Closed,
            closed(ClosedRecord::NewRecord),
            Timing::Late,
            "join l1 with 0",
        ),
    ] {
        let answer = Answer {
            threads,
            ..Answer::linked(state.clone())
        };
        let resolved = answer.resolve(&plan("ada@acme.example", timing));
        assert_eq!(
            in_words(&resolved),
            expected,
            "{state:?} {threads:?} {timing:?}"
        );
    }
}

#[test]
fn late_mail_is_a_question_where_the_policy_says_so() {
    let answer = Answer {
        threads: ThreadPolicy {
            late: LatePolicy::Review,
            ..ThreadPolicy::default()
        },
        ..Answer::linked(RecordState::Open)
    };
    let mut plan = plan("ada@acme.example", Timing::Late);
    let Resolved::Review(reason) = answer.resolve(&plan) else {
        panic!("asked");
    };
    plan.accepted = vec![reason];
    assert_eq!(in_words(&answer.resolve(&plan)), "join l1 with 0");
}

#[test]
fn a_contact_that_is_the_record_stays_the_record() {
    let answer = Answer {
        linked: Some((record(RecordKind::Contact, "c1"), RecordState::Open)),
        ..Answer::default()
    };
    assert_eq!(
        in_words(&answer.resolve(&plan("ada@acme.example", Timing::InOrder))),
        "contact only"
    );
}

#[test]
fn only_empty_fields_of_a_known_contact_are_filled() {
    for (present, timing, filled) in [
        (&[][..], Timing::InOrder, &["phone", "title"][..]),
        (&[("phone", "+1")], Timing::InOrder, &["title"]),
        (&[("phone", " ")], Timing::InOrder, &["phone", "title"]),
        (&[("phone", "+1"), ("title", "CTO")], Timing::InOrder, &[]),
        (&[], Timing::Late, &[]),
    ] {
        let answer = Answer {
            party: party(vec![known(present)], &[]),
            ..Answer::linked(RecordState::Open)
        };
        let resolved = answer.resolve(&plan("ada@acme.example", timing));
        let PartyWrite::Known { fill, .. } = contact_of(&resolved) else {
            panic!("known");
        };
        let names: Vec<&str> = fill.keys().map(FieldName::as_str).collect();
        assert_eq!(names, filled, "{present:?} {timing:?}");
    }
}

#[test]
fn ambiguity_is_a_question_until_a_person_accepts_it() {
    let twice = party(vec![known(&[]), known(&[])], &[]);
    let companies = party(Vec::new(), &["o1", "o2"]);
    let once = party(vec![known(&[])], &[]);
    for (party, reason, accepted) in [
        (twice, ReviewReason::AmbiguousParty, "create lead key"),
        (companies, ReviewReason::AmbiguousParty, "create lead key"),
        (once, ReviewReason::KnownParty, "create lead key"),
    ] {
        let answer = Answer {
            party,
            ..Answer::default()
        };
        let mut plan = plan("ada@acme.example", Timing::InOrder);
        assert_eq!(answer.resolve(&plan), Resolved::Review(reason.clone()));
        plan.accepted = vec![reason, ReviewReason::KnownParty];
        assert_eq!(in_words(&answer.resolve(&plan)), accepted);
    }
    let answer = Answer::linked(RecordState::Gone);
    let mut plan = plan("ada@acme.example", Timing::InOrder);
    plan.accepted = vec![ReviewReason::RecordGone];
    assert_eq!(in_words(&answer.resolve(&plan)), "create lead key");
}

#[test]
fn unknown_senders_make_one_contact_and_one_company_by_key() {
    let resolved = Answer::default().resolve(&plan("ada@mail.acme.co.uk", Timing::InOrder));
    let Resolved::Write {
        company, contact, ..
    } = resolved
    else {
        panic!("written");
    };
    let key = |party: &PartyWrite| match party {
        PartyWrite::Create { key, .. } => key.clone(),
        PartyWrite::Known { record, .. } => record.id.to_string(),
    };
    assert_eq!(key(&contact), "ada@mail.acme.co.uk");
    assert_eq!(company.as_ref().map(key).as_deref(), Some("acme.co.uk"));
}

#[test]
fn companies_are_found_kept_and_never_made_of_free_mail() {
    let mut with_company = known(&[]);
    with_company.company = Some(record(RecordKind::Company, "own"));
    for (address, party, expected) in [
        ("ada@acme.example", party(Vec::new(), &["o1"]), Some("o1")),
        (
            "ada@acme.example",
            party(vec![with_company], &["o1", "o2"]),
            Some("own"),
        ),
        ("ada@gmail.com", party(Vec::new(), &[]), None),
    ] {
        let answer = Answer {
            party,
            ..Answer::linked(RecordState::Open)
        };
        let resolved = answer.resolve(&plan(address, Timing::InOrder));
        let Resolved::Write { company, .. } = resolved else {
            panic!("written");
        };
        let id = company.map(|company| match company {
            PartyWrite::Known { record, fill } => {
                assert!(fill.is_empty());
                record.id.to_string()
            }
            PartyWrite::Create { key, .. } => key,
        });
        assert_eq!(id.as_deref(), expected, "{address}");
    }
}

#[test]
fn earlier_items_and_open_leads_of_the_sender_take_the_mail() {
    let plan = plan("ada@acme.example", Timing::InOrder);
    let earlier = Answer {
        earlier: Some(3),
        ..Answer::default()
    };
    assert_eq!(in_words(&earlier.resolve(&plan)), "earlier 3");
    for (kind, second_thread, expected) in [
        (RecordKind::Lead, SecondThread::Activity, "join s1 with 0"),
        (RecordKind::Lead, SecondThread::NewRecord, "create lead key"),
        (RecordKind::Case, SecondThread::Activity, "create lead key"),
    ] {
        let answer = Answer {
            sibling: Some(record(kind.clone(), "s1")),
            threads: ThreadPolicy {
                second_thread,
                ..ThreadPolicy::default()
            },
            ..Answer::default()
        };
        assert_eq!(
            in_words(&answer.resolve(&plan)),
            expected,
            "{kind} {second_thread:?}"
        );
    }
}

#[test]
fn our_own_mail_without_its_record_is_a_question() {
    let mut plan = plan("ada@acme.example", Timing::InOrder);
    plan.alternatives.truncate(1);
    let answer = Answer {
        threads: ThreadPolicy {
            record_gone: RecordGone::NewRecord,
            ..ThreadPolicy::default()
        },
        ..Answer::linked(RecordState::Gone)
    };
    assert_eq!(
        answer.resolve(&plan),
        Resolved::Review(ReviewReason::RecordGone)
    );
}
