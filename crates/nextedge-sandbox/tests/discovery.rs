//! Search, properties, pipelines, owners, schemas, account details.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use support::{quick, world, world_of};

fn filter(name: &str, operator: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    let field = if value.is_array() { "values" } else { "value" };
    json!({"filterGroups": [{"filters": [{"propertyName": name, "operator": operator, field: value}]}]})
}

#[tokio::test]
async fn search_filters_by_type_of_property() {
    let world = world().await;
    for (name, amount, stage) in [
        ("Alpha one", "5", "contractsent"),
        ("beta", "40", "closedwon"),
        ("gamma", "300", "contractsent"),
    ] {
        world.create("deals", json!({"dealname": name, "amount": amount, "pipeline": "default", "dealstage": stage})).await;
    }
    for (body, wanted) in [
        (filter("dealname", "EQ", json!("ALPHA ONE")), 1),
        (filter("dealname", "CONTAINS_TOKEN", json!("alpha")), 1),
        (filter("dealname", "CONTAINS_TOKEN", json!("al")), 0),
        (filter("dealname", "CONTAINS_TOKEN", json!("al*")), 1),
        (filter("amount", "GT", json!("39")), 2),
        (filter("dealstage", "EQ", json!("contractsent")), 2),
        (filter("dealstage", "IN", json!(["CLOSEDWON"])), 0),
        (filter("dealstage", "NOT_IN", json!(["closedwon"])), 2),
        (filter("closedate", "NOT_HAS_PROPERTY", json!("")), 3),
        (json!({"query": "gam"}), 1),
        (json!({}), 3),
    ] {
        let (status, answer) = world
            .post("/crm/objects/2026-09/deals/search", body.clone())
            .await;
        assert_eq!((status, &answer["total"]), (200, &json!(wanted)), "{body}");
    }
    let sorted = json!({"sorts": [{"propertyName": "amount", "direction": "DESCENDING"}], "limit": 2, "properties": ["amount"]});
    let (_, answer) = world
        .post("/crm/objects/2026-09/deals/search", sorted)
        .await;
    assert_eq!(answer["results"][0]["properties"]["amount"], "300");
    assert_eq!(answer["paging"]["next"]["after"], "2");
}

#[tokio::test]
async fn search_keeps_its_limits() {
    let world = world().await;
    let one = json!({"propertyName": "email", "operator": "EQ", "value": "x"});
    let group = |n: usize| json!({"filters": vec![one.clone(); n]});
    for body in [
        json!({"filterGroups": vec![group(1); 6]}),
        json!({"filterGroups": [group(7)]}),
        json!({"filterGroups": vec![group(5); 4]}),
        json!({"limit": 201}),
        json!({"limit": 200, "after": "9900"}),
        json!({"sorts": ["email", "phone"]}),
        json!({"query": "x".repeat(3_000)}),
        filter("nope", "EQ", json!("x")),
        filter("email", "SOUNDS_LIKE", json!("x")),
    ] {
        let (status, _) = world
            .post("/crm/objects/2026-09/contacts/search", body.clone())
            .await;
        assert_eq!(status, 400, "{body}");
    }
}

#[tokio::test]
async fn search_lags_behind_writes() {
    let world = world_of(quick().search_lag(Duration::from_secs(3_600))).await;
    let path = "/crm/objects/2026-09/contacts/search";
    let search = || world.post(path, filter("email", "EQ", json!("a@example.com")));
    world
        .create("contacts", json!({"email": "a@example.com", "city": "Ulm"}))
        .await;
    assert_eq!(search().await.1["total"], 0);
    let read =
        json!({"idProperty": "email", "properties": [], "inputs": [{"id": "a@example.com"}]});
    assert_eq!(
        world
            .post("/crm/objects/2026-09/contacts/batch/read", read)
            .await
            .0,
        200,
        "reads do not lag"
    );
    world
        .sandbox
        .seed(json!({"hubspot": {"account": {"search_lag_ms": 0}}}))
        .unwrap();
    assert_eq!(search().await.1["total"], 1);
}

#[tokio::test]
async fn properties_are_listed_made_archived_and_restored() {
    let world = world().await;
    let path = "/crm/properties/2026-09/contacts";
    let (_, list) = world.get(path).await;
    let email = list["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "email")
        .unwrap();
    assert_eq!(email["modificationMetadata"]["readOnlyDefinition"], true);
    let new = json!({"name": "nextedge_key", "label": "Key", "type": "string", "fieldType": "text",
                     "groupName": "contactinformation", "hasUniqueValue": true});
    let (status, made) = world.post(path, new.clone()).await;
    assert_eq!((status, &made["hasUniqueValue"]), (201, &json!(true)));
    let (status, body) = world.post(path, new.clone()).await;
    assert_eq!(
        (status, &body["category"]),
        (409, &json!("OBJECT_ALREADY_EXISTS"))
    );
    let one = format!("{path}/nextedge_key");
    assert_eq!(world.call(Method::DELETE, &one, Value::Null).await.0, 204);
    assert_eq!(world.get(&one).await.0, 404);
    assert_eq!(
        world.get(&format!("{path}?archived=true")).await.1["results"][0]["name"],
        "nextedge_key"
    );
    assert_eq!(world.post(path, new).await.0, 201);
    assert_eq!(world.get(&one).await.0, 200);
    for bad in [
        json!({"name": "Bad Name", "label": "x", "type": "string", "fieldType": "text"}),
        json!({"name": "x", "label": "x", "type": "colour", "fieldType": "text"}),
        json!({"name": "x", "label": "x", "type": "enumeration", "fieldType": "select"}),
        json!({"name": "x", "label": "x", "type": "string", "fieldType": "text", "groupName": "nowhere"}),
    ] {
        assert_eq!(world.post(path, bad.clone()).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_unique_value_belongs_to_one_record() {
    let world = world().await;
    let new = json!({"name": "key", "label": "Key", "type": "string", "fieldType": "text", "hasUniqueValue": true});
    world.post("/crm/properties/2026-09/companies", new).await;
    let id = world
        .create("companies", json!({"name": "a", "key": "K"}))
        .await;
    let (status, body) = world
        .post(
            "/crm/objects/2026-09/companies",
            json!({"properties": {"name": "b", "key": "k"}}),
        )
        .await;
    assert_eq!(status, 400);
    assert_eq!(body["errors"][0]["code"], "CONFLICTING_UNIQUE_VALUE");
    let (_, read) = world
        .get("/crm/objects/2026-09/companies/K?idProperty=key")
        .await;
    assert_eq!(read["id"], id.as_str());
}

#[tokio::test]
async fn pipelines_owners_and_details_are_discoverable() {
    let world = world().await;
    let (_, body) = world.get("/crm/pipelines/2026-09/tickets").await;
    assert_eq!(body["results"][0]["id"], "0");
    assert_eq!(
        body["results"][0]["stages"][3]["metadata"]["ticketState"],
        "CLOSED"
    );
    let (_, body) = world.get("/crm/v3/pipelines/deals/default/stages").await;
    assert_eq!(body["results"][5]["metadata"]["probability"], "1.0");
    assert_eq!(world.get("/crm/pipelines/2026-09/contacts").await.0, 400);
    let (_, body) = world
        .get("/crm/owners/2026-09?limit=100&email=OWNER@nextedge-sandbox.test")
        .await;
    assert_ne!(body["results"][0]["id"], body["results"][0]["userId"]);
    assert_eq!(
        world
            .get("/crm/v3/owners/?email=nobody@example.com")
            .await
            .1["results"],
        json!([])
    );
    let (_, body) = world.get("/account-info/2026-09/details").await;
    assert_eq!(body["portalId"], 20_260_901);
}

#[tokio::test]
async fn a_schema_makes_a_new_kind_of_record() {
    let world = world().await;
    let schema = json!({"name": "mandate", "labels": {"singular": "Mandate", "plural": "Mandates"},
        "requiredProperties": ["title"], "primaryDisplayProperty": "title", "associatedObjects": ["CONTACT"],
        "properties": [{"name": "title", "label": "Title", "type": "string", "fieldType": "text"}]});
    let (status, made) = world
        .post("/crm-object-schemas/2026-09/schemas", schema.clone())
        .await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(world.post("/crm/v3/schemas", schema).await.0, 409);
    let object = made["objectTypeId"].as_str().unwrap();
    let (status, body) = world
        .post(
            &format!("/crm/objects/2026-09/{object}"),
            json!({"properties": {}}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("MISSING_REQUIRED_PROPERTY"))
    );
    let id = world.create(object, json!({"title": "x"})).await;
    let contact = world
        .create("contacts", json!({"email": "a@example.com"}))
        .await;
    let (_, labels) = world
        .get(&format!(
            "/crm/associations/2026-09/{object}/contacts/labels"
        ))
        .await;
    let kind = &labels["results"][0];
    let path = format!("/crm/objects/2026-09/{object}/{id}/associations/contacts/{contact}");
    let types =
        json!([{"associationCategory": kind["category"], "associationTypeId": kind["typeId"]}]);
    assert_eq!(world.call(Method::PUT, &path, types).await.0, 201);
    assert_eq!(
        world.sandbox.records("mandate")[0]["associations"][0]["to_id"],
        contact.as_str()
    );
}
