//! Every request body this crate sends; a changed snapshot is a decision.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::DateTime;
use nextedge_core::sink::ActivityWrite;
use nextedge_core::{ActivityDraft, Direction, EmailAddress, Mailer};
use serde::Serialize;

use super::associations::{AssociateDefault, Association, AssociationType, ReadAssociations};
use super::definitions::key_property;
use super::email::{Engagement, MessageIdProperty};
use super::files::Upload;
use super::objects::{
    BatchCreate, BatchRead, BatchUpdate, CreateInput, Filter, Id, Properties, Search, UpdateInput,
};
use super::{MAX_TEXT, ObjectType};

fn body(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn set(pairs: &[(&str, &str)]) -> Properties {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn link(from: &ObjectType, to: &ObjectType, id: &str) -> Association {
    Association::new(id, AssociationType::known(from, to).unwrap())
}

fn mailer(address: &str, name: &str) -> Mailer {
    Mailer {
        address: EmailAddress::parse(address).unwrap(),
        name: name.to_owned(),
    }
}

pub(crate) fn activity(text: &str, html: Option<&str>) -> ActivityWrite {
    ActivityWrite {
        draft: ActivityDraft {
            direction: Direction::Incoming,
            sent_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
            utc_offset_minutes: 60,
            subject: "Printer is on fire".to_owned(),
            message_id: Some("a1@mail.example".to_owned()),
            from: mailer("ada@mail.example", "Ada King Lovelace"),
            to: vec![mailer("help@shop.example", "")],
            cc: vec![mailer("bob@mail.example", "Bob")],
            fields: BTreeMap::new(),
            bytes: text.len() as u64,
        },
        text: text.to_owned(),
        html: html.map(str::to_owned),
        original: Bytes::from_static(b"raw"),
    }
}

fn create(object: &ObjectType, properties: &Properties, to: &[(ObjectType, &str)]) -> String {
    let associations: Vec<_> = to.iter().map(|(to, id)| link(object, to, id)).collect();
    body(&BatchCreate {
        inputs: vec![CreateInput {
            object_write_trace_id: "i0".to_owned(),
            properties,
            associations: &associations,
        }],
    })
}

#[test]
fn batch_create_of_each_object() {
    use ObjectType::{Company, Contact, Custom, Deal, Email, Lead, Note, Ticket};
    let key = ("nextedge_key", "ne-1");
    let both = [(Contact, "11"), (Company, "12")];
    let domain = ("domain", "mail.example");
    insta::assert_snapshot!(
        "create_company",
        create(
            &Company,
            &set(&[domain, ("nextedge_key", "mail.example")]),
            &[]
        )
    );
    let contact = set(&[("email", "ada@mail.example"), ("firstname", "Ada")]);
    insta::assert_snapshot!(
        "create_contact",
        create(&Contact, &contact, &[(Company, "12")])
    );
    let ticket = set(&[
        ("subject", "Printer"),
        ("hs_pipeline", "0"),
        ("hs_pipeline_stage", "1"),
        key,
    ]);
    insta::assert_snapshot!("create_ticket", create(&Ticket, &ticket, &both));
    let deal = set(&[
        ("dealname", "Printers"),
        ("pipeline", "default"),
        ("dealstage", "new"),
        key,
    ]);
    insta::assert_snapshot!("create_deal", create(&Deal, &deal, &both));
    let lead = set(&[("hs_lead_name", "Ada Lovelace"), key]);
    insta::assert_snapshot!("create_lead", create(&Lead, &lead, &both));
    let note = set(&[
        ("hs_timestamp", "2026-01-01T00:00:00.000Z"),
        ("hs_note_body", "Call back"),
    ]);
    insta::assert_snapshot!("create_note", create(&Note, &note, &both));
    insta::assert_snapshot!(
        "create_custom",
        create(&Custom("2-77".into()), &set(&[("title", "x")]), &[])
    );
    let mail = Engagement::of(
        &activity("Please help.", Some("<p>Please help.</p>")),
        MessageIdProperty::Writable,
    );
    let targets = [(Contact, "11"), (Company, "12"), (Ticket, "13")];
    insta::assert_snapshot!("create_email", create(&Email, &mail.properties, &targets));
}

#[test]
fn reads_and_updates() {
    let addresses = ["ada@mail.example".to_owned(), "bob@mail.example".to_owned()];
    let wanted = ["email", "hs_additional_emails"];
    insta::assert_snapshot!(
        "read_by_email",
        body(&BatchRead::by_property("email", &wanted, &addresses))
    );
    insta::assert_snapshot!(
        "read_by_id",
        body(&BatchRead::by_id(
            &["hs_pipeline_stage"],
            &["13".to_owned()]
        ))
    );
    let phone = set(&[("phone", "+49 30 1234")]);
    let update = BatchUpdate {
        inputs: vec![UpdateInput {
            object_write_trace_id: "i0".to_owned(),
            id: "11",
            properties: &phone,
        }],
    };
    insta::assert_snapshot!("update", body(&update));
    let domains = ["mail.example".to_owned()];
    insta::assert_snapshot!(
        "search_domain",
        body(&Search::any_of("domain", &domains, &["domain"]))
    );
    let filters = vec![
        Filter::equal("associations.contact", "11"),
        Filter::equal("subject", "Printer"),
    ];
    insta::assert_snapshot!(
        "search_record",
        body(&Search::all(filters, &["subject", "content"]))
    );
}

#[test]
fn links_files_and_definitions() {
    let pairs = [("11".to_owned(), "12".to_owned())];
    insta::assert_snapshot!("associate_default", body(&AssociateDefault::new(&pairs)));
    insta::assert_snapshot!(
        "read_associations",
        body(&ReadAssociations {
            inputs: vec![Id { id: "11" }]
        })
    );
    insta::assert_snapshot!(
        "create_key_property",
        body(&key_property("ticketinformation"))
    );
    let upload = Upload {
        name: "quote.pdf",
        media_type: "application/pdf",
        folder: "/nextedge",
        bytes: &Bytes::from_static(b"abc"),
        sha256: "ba78",
    };
    insta::assert_snapshot!("upload_options", upload.options());
}

#[test]
fn a_body_that_does_not_fit_is_cut_and_says_so() {
    let long = "x".repeat(300_000);
    let mail = activity(&long, Some("<p>short</p>"));
    let properties = Engagement::of(&mail, MessageIdProperty::ReadOnly).properties;
    assert_eq!(properties["hs_email_text"].len(), MAX_TEXT);
    assert!(!properties.contains_key("hs_email_message_id"));
    assert_eq!(
        Engagement::cuts_of(&mail),
        ["text body cut at 65536 characters, original attached"]
    );
    assert!(Engagement::cuts_of(&activity("short", None)).is_empty());
}

#[test]
fn headers_stay_within_one_property_whatever_the_mail_says() {
    let mut mail = activity("x", None);
    let many = |n: usize| {
        mailer(
            &format!("{}{n}@mail.example", "a".repeat(200)),
            &"n ".repeat(400),
        )
    };
    mail.draft.to = (0..5_000).map(many).collect();
    mail.draft.cc = (0..5_000).map(many).collect();
    let properties = Engagement::of(&mail, MessageIdProperty::ReadOnly).properties;
    assert!(properties["hs_email_headers"].chars().count() < MAX_TEXT);
}
