//! Which mail is a person's, a machine's, private or our own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nextedge_core::mail::{Body, DeliveryReport, Header, Mail, Role, Segment};
use nextedge_core::policy::{Policy, Treatment};
use nextedge_core::source::Origin;
use nextedge_core::stage::authenticity::Verdict;
use nextedge_core::stage::screen::{MachineKind, ScreenContext, Screened, Via, screen};
use nextedge_core::stage::token::{TokenKey, issue};
use nextedge_core::{EmailAddress, Mailer, TenantId, ThreadId};

const MAILBOX: &str = "sales@us.example";

fn mailer(text: &str) -> Mailer {
    let (name, address) = text.split_once('<').unwrap_or(("", text));
    Mailer {
        address: EmailAddress::parse(address.trim_end_matches('>')).unwrap(),
        name: name.trim().to_owned(),
    }
}

/// A mail from header lines; `From`, `Reply-To` and `Subject` also fill the typed fields.
fn mail(lines: &[&str]) -> Mail {
    let mut mail = Mail {
        from: Some(mailer("Ada <ada@acme.example>")),
        to: vec![mailer(MAILBOX)],
        subject: "Pumps".to_owned(),
        ..Mail::default()
    };
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let (name, value) = (name.to_lowercase(), value.trim().to_owned());
        match name.as_str() {
            "from" => mail.from = Some(mailer(&value)),
            "reply-to" => mail.reply_to = vec![mailer(&value)],
            "to" => mail.to = vec![mailer(&value)],
            "subject" => mail.subject = value.clone(),
            "in-reply-to" => mail.in_reply_to = vec![value.clone()],
            "message-id" => mail.message_id = Some(value.clone()),
            _ => {}
        }
        mail.headers.push(Header { name, value });
    }
    with_text(mail, &[(Role::New, "Hello, do you sell pumps?")])
}

fn with_text(mut mail: Mail, parts: &[(Role, &str)]) -> Mail {
    mail.body = Body::default();
    for (role, text) in parts {
        let start = mail.body.text.len();
        mail.body.text.push_str(text);
        mail.body.segments.push(Segment {
            range: start..mail.body.text.len(),
            role: *role,
        });
    }
    mail
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.screen.colleagues = vec![EmailAddress::parse("tom@us.example").unwrap()];
    policy.screen.agents = vec![EmailAddress::parse("anna@us.example").unwrap()];
    policy.authenticity.trusted = [(MAILBOX.to_owned(), vec!["mx.us.example".to_owned()])].into();
    policy
}

fn run(mail: &Mail, policy: &Policy, labels: &[&str], origin: Origin) -> Screened {
    let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
    let key = TokenKey::new([1; 32]);
    screen(
        mail,
        &ScreenContext {
            tenant: &TenantId::new("t").unwrap(),
            mailbox: Some(&EmailAddress::parse(MAILBOX).unwrap()),
            policy,
            labels: &labels,
            origin,
            token_key: Some(&key),
            written_by_us: false,
        },
    )
}

fn in_words(screened: &Screened) -> String {
    match screened {
        Screened::Person(person) => format!("person {}", person.sender.address),
        Screened::Machine(machine) => {
            assert!(!machine.evidence.is_empty());
            machine.kind.as_str().to_owned()
        }
        Screened::Filtered(filtered) => format!("filtered {}", filtered.filter),
        Screened::Outbound(_) => "outbound".to_owned(),
    }
}

#[test]
fn headers_tell_machines_from_people() {
    let ada = "person ada@acme.example";
    let table: &[(&[&str], &str)] = &[
        (&[], ada),
        (&["Auto-Submitted: no"], ada),
        (
            &[
                "Auto-Submitted: auto-replied (vacation)",
                "Precedence: bulk",
            ],
            "auto_reply",
        ),
        (&["Auto-Submitted: auto-generated"], "auto_reply"),
        (
            &[
                "Auto-Submitted: auto-generated",
                "From: f <form@host.example>",
                "Reply-To: eve@x.example",
            ],
            "person form@host.example",
        ),
        (&["X-Autoreply: yes"], "auto_reply"),
        (&["X-Auto-Response-Suppress: All"], ada),
        (
            &[
                "X-Auto-Response-Suppress: All",
                "Subject: Out of office: Your quote",
            ],
            "auto_reply",
        ),
        (&["Precedence: bulk", "In-Reply-To: x@y"], "auto_reply"),
        (
            &["Precedence: list", "List-Post: <mailto:l@lists.example>"],
            "list",
        ),
        (
            &[
                "List-Id: News <n.news.example>",
                "List-Unsubscribe: <https://x>",
            ],
            "newsletter",
        ),
        (&["Precedence: bulk"], "newsletter"),
        (&["Feedback-ID: 1:2:3"], ada),
        (
            &[
                "List-Id: Sales <sales.us.example>",
                "Precedence: list",
                "List-Post: <mailto:sales@us.example>",
            ],
            ada,
        ),
        (
            &["List-Id: x <us.example.evil.example>", "Precedence: list"],
            "list",
        ),
        (&["X-Failed-Recipients: a@b.example"], "bounce"),
        (
            &["Content-Type: multipart/report; report-type=delivery-status"],
            "bounce",
        ),
        (
            &["Content-Type: multipart/report; report-type=disposition-notification"],
            "auto_reply",
        ),
        (&["From: MAILER-DAEMON@acme.example"], "bounce"),
        (
            &["From: postmaster@acme.example"],
            "person postmaster@acme.example",
        ),
        (
            &["From: postmaster@acme.example", "Return-Path: <>"],
            "bounce",
        ),
        (&["Content-Type: text/calendar; method=REQUEST"], "calendar"),
        (&["X-NextEdge-Loop: someone"], "loop"),
        (&["X-Loop: sales@us.example"], "loop"),
        (&["X-Loop: other@acme.example"], ada),
        (&["From: Cloud <no-reply@cloud.example>"], "no_reply"),
        (&["From: Cloud <noreply-billing@cloud.example>"], "no_reply"),
        (
            &[
                "From: Web <no-reply@forms.example>",
                "Reply-To: Eve <eve@x.example>",
            ],
            "person eve@x.example",
        ),
        (
            &[
                "From: Web <no-reply@forms.example>",
                "Reply-To: no-reply@forms.example",
            ],
            "no_reply",
        ),
        (
            &[
                "From: Web <no-reply@forms.example>",
                "Reply-To: sales@us.example",
            ],
            "no_reply",
        ),
        (
            &["From: Norepla <noreplacement@cloud.example>"],
            "person noreplacement@cloud.example",
        ),
    ];
    for (lines, expected) in table {
        let screened = run(&mail(lines), &policy(), &[], Origin::File);
        assert_eq!(in_words(&screened), *expected, "{lines:?}");
    }
}

#[test]
fn automatic_subjects_are_known_in_eight_languages_and_talk_about_them_is_not() {
    for (subject, automatic) in [
        ("Out of office: Your quote", true),
        ("Automatic reply: pumps", true),
        ("Automatische Antwort: Pumpen", true),
        ("Abwesenheitsnotiz", true),
        ("Réponse automatique : Facture 4711", true),
        ("Respuesta automática: bombas", true),
        ("Risposta automatica: pompe", true),
        ("Resposta automática: bombas", true),
        ("Automatisch antwoord: pompen", true),
        ("自動返信：見積", true),
        ("Out of office furniture needed", false),
        ("Re: Out of office: Your quote", false),
        ("Our automatic reply system is broken", false),
        ("Abwesenheit der Pumpe", false),
        ("OOO trainers wanted", false),
    ] {
        let screened = run(
            &mail(&[&format!("Subject: {subject}")]),
            &policy(),
            &[],
            Origin::File,
        );
        assert_eq!(
            matches!(screened, Screened::Machine(_)),
            automatic,
            "{subject}"
        );
    }
}

#[test]
fn reports_calendars_and_long_ways_are_machines() {
    let mut bounce = mail(&[]);
    bounce.report = Some(DeliveryReport::default());
    let mut invitation = mail(&[]);
    invitation.calendar_method = Some("REQUEST".to_owned());
    let hops = vec!["Received: from a by b"; 31];
    for (mail, kind) in [
        (bounce, MachineKind::Bounce),
        (invitation, MachineKind::Calendar),
        (mail(&hops), MachineKind::Loop),
    ] {
        let Screened::Machine(machine) = run(&mail, &policy(), &[], Origin::File) else {
            panic!("a machine wrote it");
        };
        assert_eq!(machine.kind, kind);
    }
    let ordinary = mail(&hops[..30]);
    assert!(matches!(
        run(&ordinary, &policy(), &[], Origin::File),
        Screened::Person(_)
    ));
}

#[test]
fn a_mail_with_our_token_as_its_own_id_is_an_echo_and_an_answer_to_it_is_not() {
    let token = issue(
        &TokenKey::new([1; 32]),
        &TenantId::new("t").unwrap(),
        ThreadId::derive(&[b"x"]),
    );
    let echo = mail(&[&format!("Message-ID: {token}@us.example")]);
    let answer = mail(&[&format!("In-Reply-To: {token}@us.example")]);
    assert_eq!(
        in_words(&run(&echo, &policy(), &[], Origin::File)),
        "own_echo"
    );
    assert_eq!(
        in_words(&run(&answer, &policy(), &[], Origin::File)),
        "person ada@acme.example"
    );
}

#[test]
fn the_privacy_filter_keeps_mail_out_by_label_word_domain_address_and_mark() {
    let mut policy = policy();
    policy.screen.private_labels = vec!["Personal".to_owned()];
    policy.screen.private_keywords = vec!["works council".to_owned()];
    policy.screen.private_domains = vec!["clinic.example".parse_domain()];
    policy.screen.private_addresses = vec![EmailAddress::parse("mum@home.example").unwrap()];
    for (lines, labels, expected) in [
        (&[][..], &["PERSONAL"][..], "filtered label"),
        (
            &["Subject: About the Works  Council"],
            &[],
            "filtered keyword",
        ),
        (
            &["Subject: works councillor"],
            &[],
            "person ada@acme.example",
        ),
        (&["From: x@north.clinic.example"], &[], "filtered domain"),
        (
            &["From: x@notclinic.example"],
            &[],
            "person x@notclinic.example",
        ),
        (&["From: mum@home.example"], &[], "filtered address"),
        (&["To: mum@home.example"], &[], "filtered address"),
        (&["Sensitivity: Private"], &[], "filtered personal"),
        (&["Subject: [personal] lunch"], &[], "filtered personal"),
        (
            &["Subject: Personal computers"],
            &[],
            "person ada@acme.example",
        ),
    ] {
        let screened = run(&mail(lines), &policy, labels, Origin::File);
        assert_eq!(in_words(&screened), expected, "{lines:?} {labels:?}");
    }
}

trait ParseDomain {
    fn parse_domain(&self) -> nextedge_core::Domain;
}

impl ParseDomain for str {
    fn parse_domain(&self) -> nextedge_core::Domain {
        nextedge_core::Domain::parse(self).unwrap()
    }
}

const PASS: &str = "Authentication-Results: mx.us.example; dmarc=pass header.from=us.example";
const FAIL: &str = "Authentication-Results: mx.us.example; dmarc=fail header.from=us.example";

#[test]
fn our_own_side_is_outbound_unless_its_address_may_be_forged() {
    for (lines, labels, origin, expected) in [
        (
            &["From: sales@us.example"][..],
            &[][..],
            Origin::File,
            "outbound",
        ),
        (&["From: tom@us.example"], &[], Origin::File, "outbound"),
        (
            &["From: tom@us.example", PASS],
            &[],
            Origin::Live,
            "outbound",
        ),
        (
            &["From: tom@us.example", FAIL],
            &[],
            Origin::File,
            "person tom@us.example",
        ),
        (
            &["From: tom@us.example"],
            &[],
            Origin::Live,
            "person tom@us.example",
        ),
        (
            &["From: tom@us.example"],
            &["SENT"],
            Origin::Live,
            "outbound",
        ),
        (
            &["From: it-helpdesk@us.example"],
            &[],
            Origin::File,
            "person it-helpdesk@us.example",
        ),
    ] {
        let screened = run(&mail(lines), &policy(), labels, origin);
        assert_eq!(in_words(&screened), expected, "{lines:?} {origin:?}");
        if let Screened::Person(person) = &screened
            && lines.contains(&FAIL)
        {
            assert_eq!(person.authenticity.verdict, Verdict::Fail);
            assert_eq!(person.authenticity.treatment, Treatment::Review);
            assert!(!person.may_join());
        }
    }
}

#[test]
fn only_a_configured_agents_forward_is_unwrapped() {
    let block = "---------- Forwarded message ---------\nFrom: Priya Nair <priya@kestrel.example>\n\
                 Date: Wed, Nov 11, 2026\nSubject: Pumps for our line\nTo: Anna <anna@us.example>\n\n\
                 Hi Anna,\nplease send an offer.\n";
    let forward = |from: &str| {
        with_text(
            mail(&[&format!("From: {from}"), "Subject: Fwd: Pumps for our line"]),
            &[
                (Role::New, "Please take this one.\n\n"),
                (Role::Forwarded, block),
            ],
        )
    };
    let Screened::Person(person) = run(&forward("anna@us.example"), &policy(), &[], Origin::File)
    else {
        panic!("an agent's forward is a person's mail");
    };
    assert_eq!(person.sender, mailer("Priya Nair <priya@kestrel.example>"));
    assert_eq!(person.subject, "Pumps for our line");
    assert_eq!(person.text, "Hi Anna,\nplease send an offer.\n");
    assert!(matches!(person.via, Via::Forward(_)));
    let colleague = run(&forward("tom@us.example"), &policy(), &[], Origin::File);
    assert_eq!(in_words(&colleague), "outbound");
    let stranger = run(&forward("ada@acme.example"), &policy(), &[], Origin::File);
    assert_eq!(in_words(&stranger), "person ada@acme.example");
}

#[test]
fn forwards_are_unwrapped_in_other_languages_and_shapes() {
    for block in [
        "-----Ursprüngliche Nachricht-----\nVon: Priya Nair <priya@kestrel.example>\nGesendet: Montag, 9. November 2026 09:14\nAn: Anna Berg\nBetreff: X\n\nText",
        "*From:* Priya Nair <priya@kestrel.example>\n*Sent:* Monday, November 9, 2026 9:14 AM\n*To:* Anna Berg\n*Subject:* X\n\nText",
        "De : Priya Nair [mailto:priya@kestrel.example]\nEnvoyé : lundi 9 novembre 2026 09:14\nÀ : Anna Berg\nObjet : X\n\nText",
        "> From: Priya Nair <priya@kestrel.example>\n> Date: 9 November 2026\n> To: Anna Berg\n> Subject: X\n>\n> Text",
        "差出人: Priya Nair <priya@kestrel.example>\n送信日時: 2026年11月9日 9:14\n宛先: Anna Berg\n件名: X\n\nText",
    ] {
        let mail = with_text(
            mail(&["From: anna@us.example"]),
            &[(Role::Forwarded, block)],
        );
        let Screened::Person(person) = run(&mail, &policy(), &[], Origin::File) else {
            panic!("unwrapped: {block}");
        };
        assert_eq!(
            person.sender,
            mailer("Priya Nair <priya@kestrel.example>"),
            "{block}"
        );
        assert_eq!(person.subject, "X");
        assert!(
            person.text.contains("Text") && !person.text.contains("priya"),
            "{block}"
        );
    }
}

#[test]
fn a_reply_address_from_a_form_founds_threads_but_joins_none() {
    let form = mail(&["From: no-reply@forms.example", "Reply-To: eve@x.example"]);
    let Screened::Person(person) = run(&form, &policy(), &[], Origin::File) else {
        panic!("a form is a person's mail");
    };
    assert_eq!(person.authenticity.treatment, Treatment::Trust);
    assert!(!person.may_join());
}

#[test]
fn mail_without_a_readable_sender_is_kept_with_its_reason() {
    let mut mail = mail(&[]);
    mail.from = None;
    assert_eq!(
        in_words(&run(&mail, &policy(), &[], Origin::File)),
        "no_reply"
    );
    mail.reply_to = vec![mailer("eve@x.example")];
    let Screened::Person(person) = run(&mail, &policy(), &[], Origin::File) else {
        panic!("somebody can be answered");
    };
    assert_eq!(person.authenticity.treatment, Treatment::Review);
}
