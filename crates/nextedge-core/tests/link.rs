//! Which mail joins which thread.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nextedge_core::mail::{Body, Mail, Role, Segment};
use nextedge_core::stage::link::{
    Candidate, EvidenceKind, LinkContext, LinkTrust, Linked, keys_of, link, link_keys,
    normalised_subject,
};
use nextedge_core::stage::token::{TokenKey, issue};
use nextedge_core::{
    Category, EmailAddress, MailboxId, Mailer, TenantId, Thread, ThreadId, ThreadKey, Timestamp,
};
use proptest::prelude::*;

/// A store of threads and keys, as the engine uses one.
struct World {
    tenant: TenantId,
    mailbox: MailboxId,
    key: TokenKey,
    threads: Vec<(Thread, Vec<ThreadKey>)>,
}

/// A mail in the words of these tests.
#[derive(Clone, Debug, Default)]
struct Case {
    id: &'static str,
    answers: Vec<String>,
    from: &'static str,
    subject: &'static str,
    text: String,
    to: Vec<String>,
    provider: Option<&'static str>,
    unverified: bool,
    day: u64,
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn at(day: u64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start + chrono::TimeDelta::days(i64::try_from(day).unwrap())
}

impl Case {
    fn mail(&self) -> Mail {
        let person = |text: &str| Mailer {
            address: address(text),
            name: String::new(),
        };
        Mail {
            message_id: (!self.id.is_empty()).then(|| self.id.to_owned()),
            in_reply_to: self.answers.last().cloned().into_iter().collect(),
            references: self.answers.clone(),
            from: Some(person(self.from)),
            to: self.to.iter().map(|to| person(to)).collect(),
            subject: self.subject.to_owned(),
            body: Body {
                segments: vec![Segment {
                    range: 0..self.text.len(),
                    role: Role::New,
                }],
                text: self.text.clone(),
                ..Body::default()
            },
            ..Mail::default()
        }
    }
}

impl World {
    fn new() -> Self {
        Self {
            tenant: TenantId::new("t").unwrap(),
            mailbox: MailboxId::new("m").unwrap(),
            key: TokenKey::new([3; 32]),
            threads: Vec::new(),
        }
    }

    fn token(&self, thread: ThreadId) -> String {
        issue(&self.key, &self.tenant, thread)
    }

    /// Links a mail and stores what came of it.
    fn see(&mut self, case: &Case) -> (Linked, ThreadId) {
        let mail = case.mail();
        let correspondents = [address(case.from)];
        let cx = LinkContext {
            tenant: &self.tenant,
            mailbox: &self.mailbox,
            provider_thread: case.provider,
            token_key: Some(&self.key),
            correspondents: &correspondents,
            received_at: at(case.day),
            trust: if case.unverified {
                LinkTrust::Unverified
            } else {
                LinkTrust::Verified
            },
        };
        let wanted = link_keys(&mail, &cx);
        let candidates: Vec<Candidate> = self
            .threads
            .iter()
            .map(|(thread, keys)| Candidate {
                thread: thread.clone(),
                matched: keys
                    .iter()
                    .filter(|key| wanted.contains(key))
                    .cloned()
                    .collect(),
            })
            .filter(|candidate| !candidate.matched.is_empty())
            .collect();
        let linked = link(&mail, &candidates, &cx);
        let id = linked
            .thread()
            .unwrap_or_else(|| ThreadId::derive(&[&self.threads.len().to_be_bytes()]));
        let keys = keys_of(&mail, id, &cx);
        match self.threads.iter_mut().find(|(thread, _)| thread.id == id) {
            Some((thread, known)) => {
                thread.participants.push(address(case.from));
                known.extend(keys);
            }
            None => self.threads.push((new_thread(id, case), keys)),
        }
        (linked, id)
    }
}

fn new_thread(id: ThreadId, case: &Case) -> Thread {
    Thread {
        id,
        version: 1,
        subject: normalised_subject(case.subject),
        participants: vec![address(case.from)],
        mails: 1,
        last_received_at: at(case.day),
        category: Some(Category::Case),
        review: None,
        records: Vec::new(),
    }
}

fn first() -> Case {
    Case {
        id: "1@acme.example",
        from: "ada@acme.example",
        subject: "Invoice 4711",
        ..Case::default()
    }
}

fn answer() -> Case {
    Case {
        id: "2@acme.example",
        answers: vec!["1@acme.example".to_owned()],
        subject: "Re: Invoice 4711",
        day: 1,
        ..first()
    }
}

#[derive(Debug, PartialEq)]
enum Way {
    Joins,
    New,
    Ambiguous,
}

fn way(linked: &Linked) -> Way {
    match linked {
        Linked::Joins { .. } => Way::Joins,
        Linked::New { .. } => Way::New,
        Linked::Ambiguous { .. } => Way::Ambiguous,
    }
}

#[test]
fn evidence_decides() {
    let none = Vec::new;
    for (name, case, expected) in [
        ("an answer", answer(), Way::Joins),
        (
            "another subject",
            Case {
                subject: "Something else",
                ..answer()
            },
            Way::Joins,
        ),
        (
            "a colleague of hers",
            Case {
                from: "bob@mail.acme.example",
                ..answer()
            },
            Way::Joins,
        ),
        (
            "a stranger who was forwarded it",
            Case {
                from: "eve@law.example",
                ..answer()
            },
            Way::Joins,
        ),
        (
            "a stranger with another subject",
            Case {
                from: "eve@law.example",
                subject: "Hi",
                ..answer()
            },
            Way::Ambiguous,
        ),
        (
            "after two years with another subject",
            Case {
                subject: "New",
                day: 800,
                ..answer()
            },
            Way::Ambiguous,
        ),
        (
            "the same subject only",
            Case {
                answers: none(),
                ..answer()
            },
            Way::New,
        ),
        (
            "the same number of another company",
            Case {
                answers: none(),
                from: "p@w.example",
                subject: "Re: invoice 4711",
                ..answer()
            },
            Way::New,
        ),
        (
            "a reused id",
            Case {
                answers: none(),
                id: "1@acme.example",
                from: "p@w.example",
                subject: "Hi",
                ..answer()
            },
            Way::New,
        ),
        (
            "a reused id and subject",
            Case {
                answers: none(),
                id: "1@acme.example",
                from: "p@w.example",
                ..answer()
            },
            Way::New,
        ),
        (
            "an id that its own sender uses again",
            Case {
                answers: none(),
                id: "1@acme.example",
                subject: "Another thing",
                ..answer()
            },
            Way::New,
        ),
        (
            "the same mail again",
            Case { day: 1, ..first() },
            Way::Joins,
        ),
        (
            "an unknown reference",
            Case {
                answers: vec!["9@acme.example".to_owned()],
                ..answer()
            },
            Way::New,
        ),
        (
            "not verified",
            Case {
                unverified: true,
                ..answer()
            },
            Way::New,
        ),
    ] {
        let mut world = World::new();
        world.see(&first());
        assert_eq!(way(&world.see(&case).0), expected, "{name}");
    }
}

#[test]
fn the_sources_own_thread_links_with_the_same_people() {
    for (from, expected) in [
        ("ada@acme.example", Way::Joins),
        ("eve@law.example", Way::Ambiguous),
    ] {
        let mut world = World::new();
        world.see(&Case {
            provider: Some("77"),
            ..first()
        });
        let (linked, _) = world.see(&Case {
            provider: Some("77"),
            answers: Vec::new(),
            from,
            ..answer()
        });
        assert_eq!(way(&linked), expected, "{from}");
    }
}

#[test]
fn our_token_links_from_a_header_an_address_and_the_text() {
    let mut world = World::new();
    let (_, thread) = world.see(&first());
    let token = world.token(thread);
    let base = Case {
        answers: Vec::new(),
        subject: "Quite another subject",
        ..answer()
    };
    for case in [
        Case {
            answers: vec![format!("{token}@us.example")],
            from: "eve@law.example",
            ..base.clone()
        },
        Case {
            to: vec![format!("sales+{token}@us.example")],
            from: "eve@law.example",
            ..base.clone()
        },
        Case {
            text: format!("see below\n> ref: [{token}]"),
            ..base.clone()
        },
    ] {
        let (linked, joined) = world.see(&case);
        assert_eq!((way(&linked), joined), (Way::Joins, thread), "{case:?}");
    }
    let text_of_a_stranger = Case {
        text: token.clone(),
        from: "zed@far.example",
        ..base.clone()
    };
    assert_eq!(way(&world.see(&text_of_a_stranger).0), Way::Ambiguous);
    let forged = token.replace(&token[40..], "00000");
    let case = Case {
        id: "7@acme.example",
        answers: vec![format!("{forged}@us.example")],
        ..base
    };
    assert_eq!(way(&world.see(&case).0), Way::New);
}

#[test]
fn an_ancestor_that_arrives_late_joins_its_answers() {
    let mut world = World::new();
    let (_, thread) = world.see(&answer());
    let (linked, joined) = world.see(&first());
    assert_eq!(joined, thread);
    let Linked::Joins { evidence, .. } = linked else {
        panic!("joins");
    };
    assert!(
        evidence
            .iter()
            .any(|fact| fact.kind == EvidenceKind::ReferencedByThread)
    );
}

#[test]
fn two_threads_that_fit_alike_are_a_question_for_a_person() {
    let mut world = World::new();
    let (_, one) = world.see(&first());
    let (_, two) = world.see(&Case {
        id: "5@acme.example",
        subject: "Other",
        ..first()
    });
    assert_ne!(one, two);
    let both = vec!["1@acme.example".to_owned(), "5@acme.example".to_owned()];
    let (linked, _) = world.see(&Case {
        answers: both,
        subject: "Both",
        ..answer()
    });
    let Linked::Ambiguous { candidates } = linked else {
        panic!("ambiguous");
    };
    assert_eq!(candidates.len(), 2);
}

#[test]
fn a_forged_mail_leaves_nothing_that_leads_others_astray() {
    let mut world = World::new();
    let (_, thread) = world.see(&first());
    let forged = Case {
        unverified: true,
        id: "3@acme.example",
        ..answer()
    };
    let (linked, own) = world.see(&forged);
    assert_eq!(
        linked,
        Linked::New {
            refused: Some(thread)
        }
    );
    assert_ne!(own, thread);
    let (linked, joined) = world.see(&answer());
    assert_eq!((way(&linked), joined), (Way::Joins, thread));
}

#[test]
fn subjects_lose_the_marks_of_answers() {
    for (subject, expected) in [
        ("Re: AW: Fwd: Pumps", "pumps"),
        ("RE[3]: Pumps", "pumps"),
        ("SV: VS: Pumps   and  Motors", "pumps and motors"),
        ("回复：泵", "泵"),
        ("Refund: Pumps", "refund: pumps"),
        ("Re:", ""),
        ("", ""),
        ("Order: 12:30", "order: 12:30"),
    ] {
        assert_eq!(normalised_subject(subject), expected, "{subject}");
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 :\\[\\]]{0,40}",
        Just("Re: Invoice 4711".to_owned()),
        "\\PC{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn subject_and_numbers_alone_never_link(subject in texts(), text in texts(), same_sender: bool) {
        let mut world = World::new();
        let subject: &'static str = Box::leak(subject.into_boxed_str());
        world.see(&Case { subject, text: text.clone(), ..first() });
        let from = if same_sender { "ada@acme.example" } else { "eve@law.example" };
        let (linked, _) = world.see(&Case { id: "2@acme.example", subject, text, from, day: 1, ..Case::default() });
        prop_assert_eq!(way(&linked), Way::New);
    }

    #[test]
    fn unverified_mail_joins_nothing(subject in texts(), text in texts(), answers in 0usize..3) {
        let mut world = World::new();
        let (_, thread) = world.see(&first());
        let token = world.token(thread);
        let ids = vec!["1@acme.example".to_owned(), format!("{token}@us.example")];
        let subject: &'static str = Box::leak(subject.into_boxed_str());
        let (linked, _) = world.see(&Case {
            unverified: true,
            answers: ids.into_iter().take(answers).collect(),
            text: format!("{text} {token}"),
            subject,
            ..answer()
        });
        prop_assert_eq!(linked.thread(), None);
    }

    #[test]
    fn the_order_of_candidates_does_not_matter(flip: bool, answers in prop::collection::vec(0usize..4, 0..4)) {
        let ids = ["1@a.example", "2@a.example", "3@a.example", "4@a.example"];
        let mut world = World::new();
        for id in ids {
            world.see(&Case { id, subject: id, ..first() });
        }
        if flip {
            world.threads.reverse();
        }
        let answers: Vec<String> = answers.into_iter().map(|index| ids[index].to_owned()).collect();
        let distinct: std::collections::BTreeSet<_> = answers.iter().collect();
        let (linked, _) = world.see(&Case { id: "9@a.example", answers: answers.clone(), ..answer() });
        let expected = match distinct.len() {
            0 => Way::New,
            1 => Way::Joins,
            _ => Way::Ambiguous,
        };
        prop_assert_eq!(way(&linked), expected);
    }

    #[test]
    fn keys_stay_few_and_short(ids in prop::collection::vec("\\PC{0,9}", 0..60), long in "\\PC{0,900}") {
        let references = ids.into_iter().chain([long.clone()]).collect();
        let mail = Mail { references, subject: long, ..Mail::default() };
        let (tenant, mailbox) = (TenantId::new("t").unwrap(), MailboxId::new("m").unwrap());
        let cx = LinkContext {
            tenant: &tenant,
            mailbox: &mailbox,
            provider_thread: None,
            token_key: None,
            correspondents: &[],
            received_at: at(0),
            trust: LinkTrust::Verified,
        };
        let keys = keys_of(&mail, ThreadId::derive(&[]), &cx);
        prop_assert!(keys.len() <= 80);
        prop_assert!(keys.iter().all(|key| key.as_str().len() <= 1100));
    }
}
