//! Single records and batches, as a client sees them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use support::{codes, world, world_of};

const CONTACTS: &str = "/crm/objects/2026-09/contacts";

#[tokio::test]
async fn a_contact_lives_under_every_path_style() {
    let world = world().await;
    let (status, made) = world
        .post(
            "/crm/v3/objects/contacts",
            json!({"properties": {"email": "Ada@Example.com", "firstname": "Ada"}}),
        )
        .await;
    assert_eq!(status, 201);
    assert_eq!(made["properties"]["email"], "ada@example.com");
    let id = made["id"].as_str().unwrap();
    assert!(id.parse::<u32>().is_err(), "ids do not fit 32 bits");
    for path in [
        "/crm/objects/2026-03/contacts",
        "/crm/objects/2026-09/0-1",
        "/crm/objects/v3/contact",
    ] {
        let (status, read) = world
            .get(&format!("{path}/{id}?properties=firstname,phone,nonsense"))
            .await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(read["properties"]["firstname"], "Ada");
        assert_eq!(read["properties"]["phone"], Value::Null);
        assert!(read["properties"].get("nonsense").is_none());
    }
    let (status, _) = world
        .get(&format!("{CONTACTS}/ADA@example.com?idProperty=email"))
        .await;
    assert_eq!(status, 200);
    world.sandbox.finish().await.unwrap();
}

#[tokio::test]
async fn wrong_values_are_refused_by_property() {
    let world = world().await;
    for (object, properties, wanted) in [
        (
            "contacts",
            json!({"email": "x@example.com", "nope": "1"}),
            ("PROPERTY_DOESNT_EXIST", "nope"),
        ),
        (
            "contacts",
            json!({"email": "x@example.com", "lifecyclestage": "boss"}),
            ("INVALID_OPTION", "lifecyclestage"),
        ),
        (
            "contacts",
            json!({"email": "not an address"}),
            ("INVALID_EMAIL", "email"),
        ),
        (
            "contacts",
            json!({"email": "x@example.com", "createdate": "2026-01-01"}),
            ("READ_ONLY_VALUE", "createdate"),
        ),
        (
            "contacts",
            json!({"phone": "1"}),
            ("MISSING_REQUIRED_PROPERTY", "email"),
        ),
        (
            "companies",
            json!({"phone": "1"}),
            ("MISSING_REQUIRED_PROPERTY", "name"),
        ),
        (
            "deals",
            json!({"dealname": "x", "pipeline": "default"}),
            ("MISSING_REQUIRED_PROPERTY", "dealstage"),
        ),
        (
            "deals",
            json!({"dealname": "x", "pipeline": "default", "dealstage": "1"}),
            ("INVALID_OPTION", "dealstage"),
        ),
        (
            "deals",
            json!({"dealname": "x", "pipeline": "p", "dealstage": "1"}),
            ("INVALID_OPTION", "pipeline"),
        ),
        (
            "tickets",
            json!({"subject": "x"}),
            ("MISSING_REQUIRED_PROPERTY", "hs_pipeline_stage"),
        ),
        (
            "tickets",
            json!({"subject": "x", "hs_pipeline_stage": "9"}),
            ("INVALID_OPTION", "hs_pipeline_stage"),
        ),
        (
            "emails",
            json!({"hs_timestamp": "2026-11-21T10:00:00Z"}),
            ("MISSING_REQUIRED_PROPERTY", "hs_email_direction"),
        ),
        (
            "emails",
            json!({"hs_timestamp": "noon", "hs_email_direction": "EMAIL"}),
            ("INVALID_DATE", "hs_timestamp"),
        ),
        (
            "notes",
            json!({"hs_note_body": "x"}),
            ("MISSING_REQUIRED_PROPERTY", "hs_timestamp"),
        ),
    ] {
        let path = format!("/crm/objects/2026-09/{object}");
        let (status, body) = world.post(&path, json!({"properties": properties})).await;
        assert_eq!(status, 400, "{properties}: {body}");
        assert_eq!(body["category"], "VALIDATION_ERROR");
        assert!(body["correlationId"].is_string());
        let wanted = (wanted.0.to_owned(), wanted.1.to_owned());
        assert_eq!(codes(&body), [wanted], "{properties}: {body}");
    }
    world.sandbox.finish().await.unwrap();
}

#[tokio::test]
async fn values_travel_as_strings_only() {
    let world = world().await;
    for properties in [
        json!({"email": 7}),
        json!({"email": null}),
        json!({"email": true}),
    ] {
        let (status, body) = world
            .post(CONTACTS, json!({"properties": properties}))
            .await;
        assert_eq!(status, 400);
        assert_eq!(codes(&body)[0].0, "INVALID_JSON");
    }
}

#[tokio::test]
async fn an_existing_address_is_a_conflict_that_names_the_contact() {
    let world = world().await;
    let id = world
        .create("contacts", json!({"email": "ada@example.com"}))
        .await;
    let (status, body) = world
        .post(
            CONTACTS,
            json!({"properties": {"email": "ADA@example.com"}}),
        )
        .await;
    assert_eq!(status, 409);
    assert_eq!(
        body["message"],
        format!("Contact already exists. Existing ID: {id}")
    );
    assert_eq!(body["category"], "CONFLICT");
    let inputs = json!([{"properties": {"email": "new@example.com"}, "objectWriteTraceId": "a"},
                        {"properties": {"email": "ada@example.com"}, "objectWriteTraceId": "b"}]);
    let (status, _) = world
        .post(
            &format!("{CONTACTS}/batch/create"),
            json!({"inputs": inputs}),
        )
        .await;
    assert_eq!(status, 409);
    assert_eq!(world.sandbox.records("contacts").len(), 1);
}

#[tokio::test]
async fn one_bad_record_spoils_a_batch_unless_each_input_has_a_trace_id() {
    let world = world().await;
    let path = format!("{CONTACTS}/batch/create");
    let good = |n: usize| json!({"properties": {"email": format!("p{n}@example.com")}});
    let bad = json!({"properties": {"email": "p9@example.com", "lifecyclestage": "boss"}});
    let (status, body) = world
        .post(&path, json!({"inputs": [good(1), bad, good(2)]}))
        .await;
    assert_eq!(
        (status, codes(&body)[0].1.as_str()),
        (400, "lifecyclestage")
    );
    assert!(world.sandbox.records("contacts").is_empty());

    let traced = |mut one: Value, trace: &str| {
        one["objectWriteTraceId"] = trace.into();
        one
    };
    let inputs = [
        traced(good(1), "t1"),
        traced(bad, "t2"),
        traced(good(2), "t3"),
    ];
    let (status, body) = world.post(&path, json!({ "inputs": inputs })).await;
    assert_eq!(status, 207);
    assert_eq!(body["numErrors"], 1);
    assert_eq!(
        body["errors"][0]["context"]["objectWriteTraceId"],
        json!(["t2"])
    );
    assert_eq!(
        body["errors"][0]["errors"][0]["context"]["propertyName"],
        json!(["lifecyclestage"])
    );
    let order: Vec<&Value> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["objectWriteTraceId"])
        .collect();
    assert_eq!(order, ["t3", "t1"], "results do not come in input order");

    let repeated = [
        traced(good(3), "same"),
        traced(good(4), "same"),
        json!({"properties": {"x": "y"}}),
    ];
    let (status, _) = world.post(&path, json!({ "inputs": repeated })).await;
    assert_eq!(status, 400, "trace ids must be unique to count");
}

#[tokio::test]
async fn a_batch_has_at_most_100_inputs_and_no_duplicates() {
    let world = world().await;
    let make = |n: usize| json!({"properties": {"email": format!("p{n}@example.com")}, "objectWriteTraceId": n.to_string()});
    let many: Vec<Value> = (0..101).map(make).collect();
    let path = format!("{CONTACTS}/batch/create");
    assert_eq!(world.post(&path, json!({"inputs": many})).await.0, 400);
    assert_eq!(
        world.post(&path, json!({"inputs": many[..100]})).await.0,
        201
    );

    let twice = json!([{"properties": {"email": "q@example.com"}, "objectWriteTraceId": "1"},
                       {"properties": {"email": "Q@example.com"}, "objectWriteTraceId": "2"}]);
    let (status, body) = world.post(&path, json!({"inputs": twice})).await;
    assert_eq!(
        (status, &body["message"]),
        (400, &json!("Duplicate IDs found in batch input"))
    );
    let twice = json!([{"id": "q@example.com", "idProperty": "email", "properties": {}, "objectWriteTraceId": "1"},
                       {"id": "Q@example.com", "idProperty": "email", "properties": {}, "objectWriteTraceId": "2"}]);
    let (status, body) = world
        .post(
            &format!("{CONTACTS}/batch/upsert"),
            json!({"inputs": twice}),
        )
        .await;
    assert_eq!(
        (status, &body["message"]),
        (400, &json!("Duplicate IDs found in batch input"))
    );
}

#[tokio::test]
async fn upsert_by_a_unique_property_creates_then_updates() {
    let world = world().await;
    let key = json!({"name": "nextedge_key", "label": "Key", "type": "string", "fieldType": "text",
                     "groupName": "ticketinformation", "hasUniqueValue": true});
    assert_eq!(
        world.post("/crm/properties/2026-09/tickets", key).await.0,
        201
    );
    let path = "/crm/objects/2026-09/tickets/batch/upsert";
    let input = |subject: &str| {
        json!({"inputs": [{"id": "k-1", "idProperty": "nextedge_key", "objectWriteTraceId": "t",
                           "properties": {"subject": subject, "hs_pipeline_stage": "1"}}]})
    };
    let (status, body) = world.post(path, input("first")).await;
    assert_eq!((status, &body["results"][0]["new"]), (200, &json!(true)));
    let (status, again) = world.post(path, input("second")).await;
    assert_eq!((status, &again["results"][0]["new"]), (200, &json!(false)));
    assert_eq!(again["results"][0]["id"], body["results"][0]["id"]);
    let tickets = world.sandbox.records("tickets");
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["properties"]["subject"], "second");
    assert_eq!(tickets[0]["properties"]["nextedge_key"], "k-1");
    assert_eq!(tickets[0]["properties"]["hs_pipeline"], "0");

    for bad in [
        json!({"id": "x", "idProperty": "subject", "properties": {}}),
        json!({"id": "k-2", "idProperty": "nextedge_key", "properties": {}, "associations": []}),
    ] {
        let (status, body) = world.post(path, json!({"inputs": [bad]})).await;
        assert_eq!(status, 400, "{body}");
    }
}

#[tokio::test]
async fn upsert_by_address_has_no_partial_success() {
    let world = world().await;
    let inputs = json!([{"id": "a@example.com", "idProperty": "email", "properties": {}, "objectWriteTraceId": "1"},
                        {"id": "b@example.com", "idProperty": "email", "properties": {"x": "y"}, "objectWriteTraceId": "2"}]);
    let (status, _) = world
        .post(
            &format!("{CONTACTS}/batch/upsert"),
            json!({"inputs": inputs}),
        )
        .await;
    assert_eq!(status, 400);
    assert!(world.sandbox.records("contacts").is_empty());
}

#[tokio::test]
async fn batch_read_answers_what_is_there_and_names_the_rest() {
    let world = world().await;
    let seed =
        json!({"email": "ada@example.com", "hs_additional_emails": "ada@work.example;a@x.example"});
    let id = world.create("contacts", seed).await;
    let body = json!({"properties": ["email"], "idProperty": "email",
                      "inputs": [{"id": "ADA@work.example"}, {"id": "gone@example.com"}]});
    let (status, read) = world.post(&format!("{CONTACTS}/batch/read"), body).await;
    assert_eq!(status, 207);
    assert_eq!(read["results"][0]["id"], id.as_str());
    assert_eq!(
        read["errors"][0]["context"]["ids"],
        json!(["gone@example.com"])
    );
    assert_eq!(read["errors"][0]["category"], "OBJECT_NOT_FOUND");
    let body = json!({"properties": [], "idProperty": "firstname", "inputs": [{"id": "Ada"}]});
    assert_eq!(
        world.post(&format!("{CONTACTS}/batch/read"), body).await.0,
        400
    );
}

#[tokio::test]
async fn archived_records_are_gone_but_emails_are_gone_for_good() {
    let world = world().await;
    let id = world
        .create("contacts", json!({"email": "ada@example.com"}))
        .await;
    let path = format!("{CONTACTS}/{id}");
    assert_eq!(world.call(Method::DELETE, &path, Value::Null).await.0, 204);
    let (status, body) = world.get(&path).await;
    assert_eq!(
        (status, &body["category"]),
        (404, &json!("OBJECT_NOT_FOUND"))
    );
    let (status, body) = world.get(&format!("{path}?archived=true")).await;
    assert_eq!((status, &body["archived"]), (200, &json!(true)));
    world
        .create("contacts", json!({"email": "ada@example.com"}))
        .await;

    let mail = json!({"hs_timestamp": "1795255200000", "hs_email_direction": "INCOMING_EMAIL"});
    let id = world.create("emails", mail).await;
    let path = format!("/crm/objects/2026-09/emails/{id}");
    assert_eq!(world.call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(world.get(&format!("{path}?archived=true")).await.0, 404);
}

#[tokio::test]
async fn an_update_sets_clears_and_keeps_the_stage_moving_forward() {
    let world = world().await;
    let id = world
        .create(
            "contacts",
            json!({"email": "a@example.com", "lifecyclestage": "customer", "phone": "1"}),
        )
        .await;
    let path = format!("{CONTACTS}/{id}");
    let change = json!({"properties": {"lifecyclestage": "lead", "phone": "", "city": "Ulm"}});
    assert_eq!(world.patch(&path, change).await.0, 200);
    let contact = &world.sandbox.records("contacts")[0]["properties"];
    assert_eq!(contact["lifecyclestage"], "customer");
    assert_eq!(contact["city"], "Ulm");
    assert!(contact.get("phone").is_none());
    assert_eq!(
        world
            .patch(&path, json!({"properties": {"lifecyclestage": ""}}))
            .await
            .0,
        200
    );
    assert_eq!(
        world
            .patch(&path, json!({"properties": {"lifecyclestage": "lead"}}))
            .await
            .0,
        200
    );
    assert_eq!(
        world.sandbox.records("contacts")[0]["properties"]["lifecyclestage"],
        "lead"
    );
    let body =
        json!({"inputs": [{"id": "a@example.com", "idProperty": "email", "properties": {}}]});
    assert_eq!(
        world
            .post(&format!("{CONTACTS}/batch/update"), body)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn mail_headers_fill_the_read_only_fields() {
    let world = world().await;
    let headers = json!({"from": {"email": "ada@example.com", "firstName": "Ada"},
                         "to": [{"email": "me@x.example"}, {"email": "you@x.example"}]});
    let mail = json!({"hs_timestamp": "2026-11-21T10:00:00.000Z", "hs_email_direction": "INCOMING_EMAIL",
                      "hs_email_headers": headers.to_string()});
    let id = world.create("emails", mail).await;
    let properties = &world.sandbox.records("emails")[0]["properties"];
    assert_eq!(properties["hs_email_from_email"], "ada@example.com");
    assert_eq!(properties["hs_email_from_firstname"], "Ada");
    assert_eq!(
        properties["hs_email_to_email"],
        "me@x.example;you@x.example"
    );
    let change = json!({"properties": {"hs_email_from_email": "x", "unknown": "y", "hs_email_subject": "s"}});
    let (status, _) = world
        .patch(&format!("/crm/objects/2026-09/emails/{id}"), change)
        .await;
    assert_eq!(
        status, 200,
        "read-only and unknown properties of engagements are ignored on update"
    );
}

#[tokio::test]
async fn a_lead_needs_a_primary_and_dies_with_it() {
    let world = world().await;
    let contact = world
        .create("contacts", json!({"email": "a@example.com"}))
        .await;
    let lead = |types: Value| json!({"properties": {"hs_lead_name": "Ada"}, "associations": types});
    let path = "/crm/objects/2026-09/leads";
    assert_eq!(world.post(path, lead(json!([]))).await.0, 400);
    let link = |id: &str, kind: u32| json!([{"to": {"id": id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind}]}]);
    assert_eq!(world.post(path, lead(link(&contact, 608))).await.0, 400);
    assert_eq!(world.post(path, lead(link("1", 578))).await.0, 404);
    let (status, body) = world.post(path, lead(link(&contact, 578))).await;
    assert_eq!(status, 201, "{body}");
    world
        .call(
            Method::DELETE,
            &format!("{CONTACTS}/{contact}"),
            Value::Null,
        )
        .await;
    assert!(world.sandbox.records("leads").is_empty());

    let without = world_of(support::quick().without_leads()).await;
    let (status, body) = without.get("/crm/properties/2026-09/leads").await;
    assert_eq!((status, &body["category"]), (403, &json!("MISSING_SCOPES")));
}

#[tokio::test]
async fn the_accounts_own_rules_bind_from_2026_09() {
    let world = world().await;
    let seed = json!({"hubspot": {"required": {"tickets": ["source_type"]}, "conditional": [
        {"object": "deals", "property": "dealstage", "value": "closedlost", "require": ["closed_lost_reason"]}]}});
    world.sandbox.seed(seed).unwrap();
    let ticket = json!({"properties": {"subject": "x", "hs_pipeline_stage": "1"}});
    assert_eq!(
        world
            .post("/crm/objects/2026-03/tickets", ticket.clone())
            .await
            .0,
        201
    );
    let (status, body) = world.post("/crm/objects/2026-09/tickets", ticket).await;
    assert_eq!(status, 400);
    assert_eq!(
        codes(&body),
        [(
            "MISSING_REQUIRED_PROPERTY".to_owned(),
            "source_type".to_owned()
        )]
    );
    let deal =
        json!({"properties": {"dealname": "x", "pipeline": "default", "dealstage": "closedlost"}});
    let (status, body) = world.post("/crm/objects/2026-09/deals", deal).await;
    assert_eq!(
        (status, codes(&body)[0].0.as_str()),
        (400, "MISSING_CONDITIONAL_REQUIRED_PROPERTY")
    );
}

#[tokio::test]
async fn a_merged_id_works_singly_but_not_in_a_batch() {
    let world = world().await;
    let kept = world
        .create("contacts", json!({"email": "a@example.com"}))
        .await;
    let gone = world
        .create("contacts", json!({"email": "b@example.com", "city": "Ulm"}))
        .await;
    let body = json!({"primaryObjectId": kept, "objectIdToMerge": gone});
    assert_eq!(world.post(&format!("{CONTACTS}/merge"), body).await.0, 200);
    let (status, read) = world
        .get(&format!(
            "{CONTACTS}/{gone}?properties=city,hs_merged_object_ids"
        ))
        .await;
    assert_eq!((status, &read["id"]), (200, &json!(kept)));
    assert_eq!(read["properties"]["city"], "Ulm");
    assert_eq!(read["properties"]["hs_merged_object_ids"], gone.as_str());
    assert_eq!(
        world
            .get(&format!("{CONTACTS}/b@example.com?idProperty=email"))
            .await
            .1["id"],
        json!(kept)
    );
    let batch = json!({"inputs": [{"id": gone, "properties": {"city": "Bonn"}, "objectWriteTraceId": "1"}]});
    assert_eq!(
        world
            .post(&format!("{CONTACTS}/batch/update"), batch)
            .await
            .0,
        207
    );
}

#[tokio::test]
async fn an_erased_address_is_not_created_again() {
    let world = world().await;
    world
        .create("contacts", json!({"email": "a@example.com"}))
        .await;
    let body = json!({"objectId": "a@example.com", "idProperty": "email"});
    assert_eq!(
        world.post(&format!("{CONTACTS}/gdpr-delete"), body).await.0,
        204
    );
    let (status, _) = world
        .post(CONTACTS, json!({"properties": {"email": "a@example.com"}}))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn lists_page_by_id() {
    let world = world().await;
    for n in 0..5 {
        world
            .create("companies", json!({"name": format!("c{n}")}))
            .await;
    }
    let (mut seen, mut after) = (0, String::new());
    loop {
        let (_, page) = world
            .get(&format!("/crm/objects/2026-09/companies?limit=2{after}"))
            .await;
        seen += page["results"].as_array().unwrap().len();
        let Some(next) = page["paging"]["next"]["after"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(seen, 5);
    assert_eq!(
        world
            .get("/crm/objects/2026-09/companies?limit=101")
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_stranger_gets_401_and_a_wrong_type_400() {
    let world = world().await;
    let url = format!("{}{CONTACTS}", world.sandbox.hubspot_url());
    let answer = world
        .client
        .get(&url)
        .bearer_auth("wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["category"], "INVALID_AUTHENTICATION");
    assert_eq!(world.get("/crm/objects/2026-09/unicorns").await.0, 400);
    assert_eq!(world.get("/crm/objects/2027-03/contacts").await.0, 404);
    assert_eq!(world.call(Method::PUT, CONTACTS, json!({})).await.0, 405);
    let answer = world
        .client
        .post(&url)
        .bearer_auth("sandbox-token")
        .body("x=1")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 415);
    assert_eq!(world.sandbox.journal().last().unwrap()["status"], 415);
    for path in [
        format!("{CONTACTS}?after={}", u64::MAX),
        format!("/crm/owners/2026-09?after={}", usize::MAX),
    ] {
        assert_eq!(world.get(&path).await.1["results"], json!([]), "{path}");
    }
}
