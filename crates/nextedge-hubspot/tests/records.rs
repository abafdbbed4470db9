//! Each kind of record, end to end: what the CRM holds after a delivery.
#![allow(clippy::unwrap_used)]

mod support;

use nextedge_core::sink::{CrmSink, ItemEnd, PartyWrite, RecordWrite};
use nextedge_core::{
    Category, EffectVerb, ErrorKind, FieldName, FieldValue, Guarantee, RecordKind, Retry, Slot,
};
use serde_json::{Value, json};
use support::{
    World, builder, draft, effect_of, fields, file, id, linked, mail, reference, ticket,
    with_record,
};

#[tokio::test]
async fn case_becomes_a_ticket_of_contact_and_company_with_the_mail_on_all_three() {
    let world = World::keyed().await;
    let outcomes = world.deliver_all(&[ticket(1)]).await;

    let (contact, company) = (
        &world.records("contacts")[0],
        &world.records("companies")[0],
    );
    assert_eq!(contact["properties"]["email"], "ada1@firm1.example");
    assert_eq!(contact["properties"]["firstname"], "Ada");
    assert_eq!(linked(contact, "companies"), [id(company)]);
    assert_eq!(company["properties"]["domain"], "firm1.example");
    assert_eq!(company["properties"]["nextedge_key"], "firm1.example");

    let ticket = &world.records("tickets")[0];
    assert_eq!(ticket["properties"]["subject"], "Subject 1");
    assert_eq!(ticket["properties"]["hs_pipeline_stage"], "1");
    assert_eq!(ticket["properties"]["hs_ticket_priority"], "HIGH");
    assert_eq!(ticket["properties"]["nextedge_key"], "ne-1-r");
    assert_eq!(linked(ticket, "contacts"), [id(contact)]);
    assert_eq!(linked(ticket, "companies"), [id(company)]);

    let mail = &world.records("emails")[0];
    for (name, value) in [
        ("hs_timestamp", "2026-01-01T00:00:01.000Z"),
        ("hs_email_direction", "INCOMING_EMAIL"),
        ("hs_email_subject", "Subject 1"),
        ("hs_email_text", "Text 1"),
        ("hs_email_html", "<p>Text 1</p>"),
        ("hs_email_from_email", "ada1@firm1.example"),
        ("hs_email_to_email", "help@shop.example"),
        ("hs_email_message_id", "m1@mail.example"),
        ("nextedge_key", "ne-1"),
    ] {
        assert_eq!(mail["properties"][name], value, "{name}");
    }
    assert_eq!(linked(mail, "contacts"), [id(contact)]);
    assert_eq!(linked(mail, "companies"), [id(company)]);
    assert_eq!(linked(mail, "tickets"), [id(ticket)]);

    for slot in [Slot::Company, Slot::Contact, Slot::Record, Slot::Activity] {
        let effect = effect_of(&outcomes[0], &slot);
        assert_eq!(
            (effect.verb, effect.guarantee),
            (EffectVerb::Created, Guarantee::Keyed)
        );
    }
}

#[tokio::test]
async fn opportunity_becomes_a_deal() {
    let world = World::keyed().await;
    let deal = draft(
        RecordKind::Opportunity,
        &[
            ("dealname", "40 seats"),
            ("pipeline", "default"),
            ("dealstage", "appointmentscheduled"),
        ],
    );
    world.deliver_all(&[with_record(mail(1), deal)]).await;
    let deal = &world.records("deals")[0];
    assert_eq!(deal["properties"]["dealname"], "40 seats");
    assert_eq!(
        linked(deal, "contacts"),
        [id(&world.records("contacts")[0])]
    );
    assert_eq!(
        linked(deal, "companies"),
        [id(&world.records("companies")[0])]
    );
    assert_eq!(linked(&world.records("emails")[0], "deals"), [id(deal)]);
}

#[tokio::test]
async fn lead_has_its_contact_as_primary_and_the_mail_on_its_timeline() {
    let world = World::keyed().await;
    let lead = draft(
        RecordKind::Lead,
        &[("hs_lead_name", "Ada Lovelace"), ("hs_lead_label", "HOT")],
    );
    world.deliver_all(&[with_record(mail(1), lead)]).await;
    let lead = &world.records("leads")[0];
    assert_eq!(lead["properties"]["hs_lead_label"], "HOT");
    assert_eq!(
        linked(lead, "contacts"),
        [id(&world.records("contacts")[0])]
    );
    let primary = json!(578);
    let links = lead["associations"].as_array().unwrap();
    assert!(
        links
            .iter()
            .any(|link| link["type"] == primary || link["type_id"] == primary),
        "{links:?}"
    );
    assert_eq!(linked(&world.records("emails")[0], "leads"), [id(lead)]);
}

#[tokio::test]
async fn contact_alone_is_filled_where_it_was_empty() {
    let world = World::keyed().await;
    let seed = json!({"hubspot": {"records": {"contacts": [{"properties": {"email": "ada1@firm1.example"}}]}}});
    world.sandbox.seed(seed).unwrap();
    let known = reference(RecordKind::Contact, &world.records("contacts")[0]["id"]);
    let mut delivery = mail(1);
    delivery.company = None;
    delivery.contact = PartyWrite::Known {
        record: known,
        fill: fields(&[("phone", "+49 30 1"), ("jobtitle", "CTO")]),
    };
    let outcomes = world.deliver_all(&[delivery]).await;
    let contact = &world.records("contacts")[0];
    assert_eq!(contact["properties"]["phone"], "+49 30 1");
    assert_eq!(contact["properties"]["jobtitle"], "CTO");
    let effect = effect_of(&outcomes[0], &Slot::Contact);
    assert_eq!(effect.verb, EffectVerb::Updated);
    assert_eq!(
        effect.previous[&FieldName::new("phone")],
        FieldValue::Text(String::new())
    );
    assert_eq!(world.count("emails"), 1);
}

#[tokio::test]
async fn known_record_is_updated_and_its_old_values_are_kept_for_undo() {
    let world = World::keyed().await;
    world.deliver_all(&[ticket(1)]).await;
    let mut second = mail(2);
    second.record = RecordWrite::Known {
        record: reference(RecordKind::Case, &world.records("tickets")[0]["id"]),
        fields: fields(&[("hs_ticket_priority", "LOW")]),
    };
    let outcomes = world.deliver_all(&[second]).await;
    assert_eq!(
        world.records("tickets")[0]["properties"]["hs_ticket_priority"],
        "LOW"
    );
    let effect = effect_of(&outcomes[0], &Slot::Record);
    assert_eq!(effect.verb, EffectVerb::Updated);
    let old = &effect.previous[&FieldName::new("hs_ticket_priority")];
    assert_eq!(*old, FieldValue::Text("HIGH".into()));
    assert_eq!(linked(&world.records("tickets")[0], "emails").len(), 2);
}

#[tokio::test]
async fn note_takes_the_date_of_the_mail() {
    let world = World::keyed().await;
    let note = draft(RecordKind::Note, &[("hs_note_body", "Call back")]);
    world.deliver_all(&[with_record(mail(1), note)]).await;
    let note = &world.records("notes")[0];
    assert_eq!(note["properties"]["hs_note_body"], "Call back");
    assert_eq!(
        note["properties"]["hs_timestamp"],
        "2026-01-01T00:00:01.000Z"
    );
    assert_eq!(
        linked(note, "contacts"),
        [id(&world.records("contacts")[0])]
    );
}

#[tokio::test]
async fn custom_object_is_described_created_and_linked() {
    let sandbox = builder();
    let mut world = World::start(sandbox, Value::Null).await;
    let schema = json!({
        "name": "machine",
        "labels": {"singular": "Machine", "plural": "Machines"},
        "requiredProperties": ["serial"],
        "primaryDisplayProperty": "serial",
        "properties": [{"name": "serial", "label": "Serial", "type": "string", "fieldType": "text"}],
        "associatedObjects": ["CONTACT", "COMPANY", "EMAIL", "NOTE"],
    });
    world
        .sandbox
        .seed(json!({"hubspot": {"schemas": [schema]}}))
        .unwrap();
    let name = "2-41000001".to_owned(); // the first custom object of a sandbox
    world.settings = json!({"key_property": "install", "custom_objects": [name]});
    world.sink.install(&world.cx()).await.unwrap();

    let kind = RecordKind::Custom(name.clone());
    let described = world.sink.describe(&world.cx()).await.unwrap();
    let object = described
        .objects
        .iter()
        .find(|object| object.kind == kind)
        .unwrap();
    let serial = object
        .fields
        .iter()
        .find(|field| field.name.as_str() == "serial")
        .unwrap();
    assert!(serial.required && serial.writable);

    let machine = draft(kind, &[("serial", "S-1")]);
    world.deliver_all(&[with_record(mail(1), machine)]).await;
    let machine = &world.records("machine")[0];
    assert_eq!(machine["properties"]["serial"], "S-1");
    assert_eq!(machine["properties"]["nextedge_key"], "ne-1-r");
    assert_eq!(
        linked(machine, "contacts"),
        [id(&world.records("contacts")[0])]
    );
    assert_eq!(
        linked(&world.records("emails")[0], "machine"),
        [id(machine)]
    );
}

#[tokio::test]
async fn attachments_are_private_and_stored_once_for_each_content() {
    let world = World::keyed().await;
    let mut first = mail(1);
    first.attachments = vec![file("quote.pdf", b"same"), file("other.pdf", b"different")];
    let mut second = mail(2);
    second.attachments = vec![file("copy.pdf", b"same")];
    let (outcomes, calls) = world.calls(world.deliver_all(&[first, second])).await;
    let uploads = calls.iter().filter(|call| call.contains("/files/")).count();
    assert_eq!(uploads, 2, "{calls:?}");
    let files = world.records("files");
    assert_eq!(files.len(), 2);
    assert!(
        files
            .iter()
            .all(|file| file.to_string().contains("PRIVATE")),
        "{files:?}"
    );
    let attached = |n: usize| {
        let ids = world.records("emails")[n]["properties"]["hs_attachment_ids"].clone();
        ids.as_str()
            .unwrap()
            .split(';')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(attached(0).len(), 2);
    assert_eq!(attached(1).len(), 1);
    assert!(attached(0).contains(&attached(1)[0]));
    let shared = effect_of(&outcomes[1], &Slot::Attachment(0));
    assert_eq!(shared.verb, EffectVerb::Adopted);
}

#[tokio::test]
async fn a_body_of_300_000_characters_is_attached_whole_as_original_eml() {
    let world = World::keyed().await;
    let mut long = mail(1);
    long.activity.text = "x".repeat(300_000);
    let outcomes = world.deliver_all(&[long]).await;
    let mail = &world.records("emails")[0];
    assert_eq!(
        mail["properties"]["hs_email_text"].as_str().unwrap().len(),
        65_536
    );
    let file = &world.records("files")[0];
    assert_eq!(mail["properties"]["hs_attachment_ids"], file["id"]);
    assert!(file.to_string().contains("original"), "{file}");
    let effect = effect_of(&outcomes[0], &Slot::Activity);
    assert_eq!(
        effect.notes,
        ["text body cut at 65536 characters, original attached"]
    );
}

#[tokio::test]
async fn a_contact_that_existed_is_linked_to_the_company_that_is_created() {
    let world = World::keyed().await;
    let seed = json!({"hubspot": {"records": {"contacts": [{"properties": {"email": "ada1@firm1.example"}}]}}});
    world.sandbox.seed(seed).unwrap();
    let mut delivery = mail(1);
    delivery.contact = PartyWrite::Known {
        record: reference(RecordKind::Contact, &world.records("contacts")[0]["id"]),
        fill: fields(&[]),
    };
    world.deliver_all(&[delivery]).await;
    let company = id(&world.records("companies")[0]);
    assert_eq!(
        linked(&world.records("contacts")[0], "companies"),
        [company]
    );
}

#[tokio::test]
async fn a_contact_that_was_merged_is_followed() {
    let world = World::keyed().await;
    world.deliver_all(&[mail(1), mail(2)]).await;
    let contacts = world.records("contacts");
    world
        .merge_contacts(&id(&contacts[0]), &id(&contacts[1]))
        .await;
    let mut delivery = mail(3);
    delivery.company = None;
    delivery.contact = PartyWrite::Known {
        record: reference(RecordKind::Contact, &contacts[1]["id"]),
        fill: fields(&[]),
    };
    world.deliver_all(&[delivery]).await;
    let kept = id(&world.records("contacts")[0]);
    assert_eq!(linked(&world.records("emails")[2], "contacts"), [kept]);
}

#[tokio::test]
async fn a_record_that_is_gone_fails_its_mail_for_a_later_attempt() {
    let world = World::keyed().await;
    let mut delivery = mail(1);
    delivery.record = RecordWrite::Known {
        record: reference(RecordKind::Case, &json!("999999")),
        fields: fields(&[]),
    };
    let outcomes = world.deliver(&[delivery, mail(2)]).await;
    let ItemEnd::Failed(error) = &outcomes[0].end else {
        panic!("{:?}", outcomes[0].end);
    };
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::NotFound, Retry::Backoff)
    );
    assert!(support::is_done(&outcomes[1]));
}

#[tokio::test]
async fn a_lead_without_lead_records_is_a_contact_with_a_status() {
    let world = World::start(builder().without_leads(), Value::Null).await;
    let map = world.sink.describe(&world.cx()).await.unwrap().default_map;
    let lead = &map.categories[&Category::Lead];
    assert_eq!(lead.kind, RecordKind::Contact);
    let mut delivery = mail(1);
    let set: Vec<_> = lead
        .contact
        .iter()
        .map(|(name, t)| (name.as_str(), t.0.as_str()))
        .collect();
    delivery.contact = PartyWrite::Create {
        key: "ada1@firm1.example".to_owned(),
        draft: draft(RecordKind::Contact, &set),
    };
    world.deliver_all(&[delivery]).await;
    let contact = &world.records("contacts")[0];
    assert_eq!(contact["properties"]["hs_lead_status"], "NEW");
    assert_eq!(linked(contact, "emails"), [id(&world.records("emails")[0])]);
}
