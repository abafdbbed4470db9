//! What is known about an account and its parties, and what that costs in calls.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use nextedge_core::policy::preflight;
use nextedge_core::sink::{
    CrmSink, FieldKind, FindRequest, Found, PartyQuery, PartyWrite, RecordState, RecordWrite,
};
use nextedge_core::{Category, Domain, ErrorKind, FieldName, RecordKind};
use nextedge_hubspot::Installed;
use serde_json::{Value, json};
use support::{World, address, builder, fields, id, mail, reference, reply, ticket};

fn query(addresses: &[&str], company: Option<&str>) -> PartyQuery {
    PartyQuery {
        addresses: addresses.iter().map(|text| address(text)).collect(),
        company: company.map(|text| Domain::parse(text).unwrap()),
        fields: vec![FieldName::new("phone"), FieldName::new("firstname")],
    }
}

async fn find(world: &World, parties: Vec<PartyQuery>) -> Found {
    let request = FindRequest {
        parties,
        records: Vec::new(),
    };
    world.sink.find(&world.cx(), &request).await.unwrap()
}

#[tokio::test]
async fn check_names_the_portal_and_refuses_another() {
    let mut world = World::plain().await;
    let portal = world.sink.check(&world.cx()).await.unwrap();
    assert!(portal.bytes().all(|b| b.is_ascii_digit()));
    world.settings = json!({ "account": portal });
    assert_eq!(world.sink.check(&world.cx()).await.unwrap(), portal);
    world.settings = json!({ "account": "1" });
    let error = world.sink.check(&world.cx()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.context("setting")),
        (ErrorKind::Config, Some("account"))
    );
}

#[tokio::test]
async fn check_refuses_leads_where_there_are_none() {
    let settings = json!({"leads": "object"});
    let world = World::start(builder().without_leads(), settings).await;
    let error = world.sink.check(&world.cx()).await.unwrap_err();
    assert_eq!(error.context("setting"), Some("leads"));
}

#[tokio::test]
async fn the_default_map_passes_the_preflight_of_its_own_account() {
    for (builder, lead) in [
        (builder(), RecordKind::Lead),
        (builder().without_leads(), RecordKind::Contact),
    ] {
        let world = World::start(builder, Value::Null).await;
        let account = world.sink.describe(&world.cx()).await.unwrap();
        let map = preflight(&account.default_map, &account).unwrap();
        let kinds = map
            .categories
            .iter()
            .map(|(category, map)| (*category, map.kind.clone()));
        let expected = [
            (Category::Lead, lead),
            (Category::Case, RecordKind::Case),
            (Category::Contact, RecordKind::Contact),
            (Category::Opportunity, RecordKind::Opportunity),
        ];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        let text = serde_json::to_string_pretty(&account.default_map).unwrap();
        let leads = map.categories[&Category::Lead].kind == RecordKind::Lead;
        insta::assert_snapshot!(
            if leads {
                "map_with_leads"
            } else {
                "map_without_leads"
            },
            text
        );
    }
}

#[tokio::test]
async fn description_tells_choices_required_and_read_only_fields() {
    let world = World::keyed().await;
    let account = world.sink.describe(&world.cx()).await.unwrap();
    let field = |kind: &RecordKind, name: &str| {
        let object = account
            .objects
            .iter()
            .find(|object| object.kind == *kind)
            .unwrap();
        object
            .fields
            .iter()
            .find(|field| field.name.as_str() == name)
            .cloned()
    };
    let stage = field(&RecordKind::Case, "hs_pipeline_stage").unwrap();
    assert!(
        stage.required
            && matches!(&stage.kind, FieldKind::Choice { values } if values.contains(&"1".to_owned()))
    );
    let owner = field(&RecordKind::Case, "hubspot_owner_id").unwrap();
    assert!(matches!(&owner.kind, FieldKind::Choice { values } if !values.is_empty()));
    assert!(
        !field(&RecordKind::Activity, "hs_email_from_email")
            .unwrap()
            .writable
    );
    let subject = field(&RecordKind::Case, "subject").unwrap();
    assert_eq!(subject.kind, FieldKind::Text { max_chars: 65_536 });
    assert_eq!(field(&RecordKind::Case, "nextedge_key"), None);
}

#[tokio::test]
async fn the_key_property_needs_consent_and_is_installed_once() {
    let mut world = World::plain().await;
    let error = world.sink.install(&world.cx()).await.unwrap_err();
    assert_eq!(error.context("setting"), Some("key_property"));
    world.settings = json!({"key_property": "install"});
    let installed: Installed = world.sink.install(&world.cx()).await.unwrap();
    assert!(installed.refused.is_empty(), "{installed:?}");
    for kind in [
        RecordKind::Case,
        RecordKind::Opportunity,
        RecordKind::Lead,
        RecordKind::Company,
        RecordKind::Activity,
    ] {
        assert!(installed.keyed.contains(&kind), "{kind}");
    }
    let (again, calls) = world.calls(world.sink.install(&world.cx())).await;
    assert_eq!(again.unwrap(), installed);
    assert!(
        !calls.iter().any(|call| call.starts_with("POST")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_contact_is_found_by_any_of_its_addresses_in_any_case() {
    let world = World::plain().await;
    let seed = json!({"hubspot": {"records": {"contacts": [
        {"properties": {"email": "ada@firm.example", "phone": "1", "hs_additional_emails": "a@home.example"}},
        {"properties": {"email": "bob@firm.example"}},
    ]}}});
    world.sandbox.seed(seed).unwrap();
    let found = find(
        &world,
        vec![
            query(&["ADA@firm.example"], None),
            query(&["a@home.example", "ada@firm.example"], None),
            query(&["ada@firm.example", "bob@firm.example"], None),
            query(&["eve@firm.example"], None),
        ],
    )
    .await;
    let counts: Vec<_> = found
        .parties
        .iter()
        .map(|party| party.contacts.len())
        .collect();
    assert_eq!(counts, [1, 1, 2, 0]);
    let contact = &found.parties[1].contacts[0];
    assert_eq!(
        contact
            .fields
            .keys()
            .map(FieldName::as_str)
            .collect::<Vec<_>>(),
        ["phone"]
    );
}

#[tokio::test]
async fn companies_are_found_by_domain_and_ambiguity_is_shown() {
    let world = World::plain().await;
    let seed = json!({"hubspot": {"records": {"companies": [
        {"properties": {"name": "One", "domain": "one.example"}},
        {"properties": {"name": "Two", "domain": "two.example"}},
        {"properties": {"name": "Two again", "domain": "two.example"}},
    ]}}});
    world.sandbox.seed(seed).unwrap();
    let parties = ["one.example", "two.example", "three.example"];
    let parties = parties.map(|domain| query(&[&format!("x@{domain}")], Some(domain)));
    let (found, calls) = world.calls(find(&world, parties.into())).await;
    let counts: Vec<_> = found
        .parties
        .iter()
        .map(|party| party.companies.len())
        .collect();
    assert_eq!(counts, [1, 2, 0]);
    assert_eq!(calls.len(), 2, "{calls:?}");
}

#[tokio::test]
async fn a_company_just_written_is_found_before_search_shows_it_and_only_by_its_tenant() {
    let world = World::start(builder().search_lag(Duration::from_secs(3600)), Value::Null).await;
    world.deliver_all(&[mail(1)]).await;
    let request = FindRequest {
        parties: vec![query(&["bob@firm1.example"], Some("firm1.example"))],
        records: Vec::new(),
    };
    let own = world.sink.find(&world.cx(), &request).await.unwrap();
    assert_eq!(
        own.parties[0].companies[0].id.as_str(),
        id(&world.records("companies")[0])
    );
    let other = world
        .sink
        .find(&world.cx_of("other"), &request)
        .await
        .unwrap();
    assert!(other.parties[0].companies.is_empty());
}

#[tokio::test]
async fn two_batches_of_one_new_company_make_one_company_even_unseen_by_search() {
    let mut world = World::start(
        builder().search_lag(Duration::from_secs(3600)),
        json!({"key_property": "install"}),
    )
    .await;
    world.sink.install(&world.cx()).await.unwrap();
    world.deliver_all(&[mail(1)]).await;
    // It neither remembers the company nor sees it in the search.
    world.sink = support::sink(&world.sandbox);
    let mut second = mail(2);
    second.company = mail(1).company;
    world.deliver_all(&[second]).await;
    assert_eq!(world.count("companies"), 1);
}

#[tokio::test]
async fn states_tell_open_closed_merged_and_gone() {
    let world = World::keyed().await;
    world.deliver_all(&[ticket(1), ticket(2)]).await;
    let tickets = world.records("tickets");
    let close = RecordWrite::Known {
        record: reference(RecordKind::Case, &tickets[1]["id"]),
        fields: fields(&[("hs_pipeline_stage", "4")]),
    };
    let mut closing = mail(3);
    closing.record = close;
    world.deliver_all(&[closing]).await;
    let contacts = world.records("contacts");
    world
        .merge_contacts(&id(&contacts[0]), &id(&contacts[1]))
        .await;
    let records = vec![
        reference(RecordKind::Case, &tickets[0]["id"]),
        reference(RecordKind::Case, &tickets[1]["id"]),
        reference(RecordKind::Case, &json!("999999")),
        reference(RecordKind::Contact, &contacts[1]["id"]),
    ];
    let request = FindRequest {
        parties: Vec::new(),
        records,
    };
    let found = world.sink.find(&world.cx(), &request).await.unwrap();
    assert_eq!(
        found.records[..3],
        [RecordState::Open, RecordState::Closed, RecordState::Gone]
    );
    assert!(
        matches!(found.records[3], RecordState::MergedInto(_)),
        "{:?}",
        found.records[3]
    );
}

#[tokio::test]
async fn one_new_mail_costs_four_to_six_calls_and_a_known_thread_one() {
    let world = World::keyed().await;
    world.sink.describe(&world.cx()).await.unwrap();
    let asked = |n: usize, company: Option<&str>| FindRequest {
        parties: vec![query(&[&format!("ada{n}@firm{n}.example")], company)],
        records: Vec::new(),
    };
    let cost = async |request: FindRequest, delivery| {
        let work = async {
            world.sink.find(&world.cx(), &request).await.unwrap();
            world.deliver_all(&[delivery]).await
        };
        world.calls(work).await.1.len()
    };
    let mut free_mail = ticket(1);
    free_mail.company = None;
    assert_eq!(cost(asked(1, None), free_mail).await, 4);
    assert_eq!(cost(asked(2, Some("firm2.example")), ticket(2)).await, 6);
    let mut known_company = ticket(3);
    known_company.company = Some(PartyWrite::Known {
        record: reference(RecordKind::Company, &world.records("companies")[0]["id"]),
        fill: fields(&[]),
    });
    assert_eq!(
        cost(asked(3, Some("firm3.example")), known_company).await,
        5
    );
    let mut known_thread = mail(4);
    known_thread.company = None;
    known_thread.contact = PartyWrite::Known {
        record: reference(RecordKind::Contact, &world.records("contacts")[0]["id"]),
        fill: fields(&[]),
    };
    known_thread.record = RecordWrite::Known {
        record: reference(RecordKind::Case, &world.records("tickets")[0]["id"]),
        fields: fields(&[]),
    };
    let (_, calls) = world.calls(world.deliver_all(&[known_thread])).await;
    assert_eq!(calls.len(), 1, "{calls:?}");
}

#[tokio::test]
async fn a_backfill_costs_at_most_six_calls_for_a_hundred_mails() {
    for mails in [300, 500] {
        let world = World::keyed().await;
        world.sink.describe(&world.cx()).await.unwrap();
        let mut batch = Vec::new();
        for n in 0.. {
            if batch.len() >= mails {
                break;
            }
            let first = match n % 4 {
                0 => mail(n),
                1 => support::with_record(
                    mail(n),
                    support::draft(
                        RecordKind::Opportunity,
                        &[
                            ("dealname", "x"),
                            ("pipeline", "default"),
                            ("dealstage", "appointmentscheduled"),
                        ],
                    ),
                ),
                2 => support::with_record(
                    mail(n),
                    support::draft(RecordKind::Lead, &[("hs_lead_name", "x")]),
                ),
                _ => ticket(n),
            };
            let place = batch.len();
            batch.push(first.clone());
            // 30 % replies: some threads have several.
            for extra in 0..[1, 0, 0, 0, 2, 0, 0][n % 7] {
                batch.push(reply(10_000 + n * 10 + extra, &first, place));
            }
        }
        batch.truncate(mails);
        let parties = batch
            .iter()
            .filter(|d| !matches!(d.record, RecordWrite::Earlier { .. }));
        let parties: Vec<_> = parties
            .map(|delivery| {
                let (PartyWrite::Create { key, .. }, Some(PartyWrite::Create { key: domain, .. })) =
                    (&delivery.contact, &delivery.company)
                else {
                    unreachable!()
                };
                query(&[key], Some(domain))
            })
            .collect();
        let replies = batch.len() - parties.len();
        assert!(replies * 100 / mails >= 28, "{replies}");
        let work = async {
            find(&world, parties).await;
            world.deliver_all(&batch).await
        };
        let (_, calls) = world.calls(work).await;
        let distinct: BTreeSet<_> = calls.iter().collect();
        let per_mail = calls.len() as f64 / mails as f64;
        assert!(per_mail <= 0.06, "{per_mail} {} {distinct:?}", calls.len());
    }
}
