//! Links between records.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use support::{World, world};

const V: &str = "2026-09";

fn kind(id: u32) -> Value {
    json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id})
}

async fn contact(world: &World, name: &str) -> String {
    world
        .create("contacts", json!({"email": format!("{name}@example.com")}))
        .await
}

/// The association types a contact shows towards one kind, by id of the other record.
async fn links(world: &World, contact: &str, to: &str) -> Vec<(String, Vec<u64>)> {
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/{to}");
    let (status, body) = world.get(&path).await;
    assert_eq!(status, 200, "{body}");
    let ids = |one: &Value| {
        one["associationTypes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["typeId"].as_u64().unwrap())
            .collect()
    };
    let results = body["results"].as_array().unwrap().iter();
    results
        .map(|one| (one["toObjectId"].as_str().unwrap().to_owned(), ids(one)))
        .collect()
}

#[tokio::test]
async fn a_default_link_is_idempotent_and_shows_on_both_sides() {
    let world = world().await;
    let ada = contact(&world, "ada").await;
    let company = world
        .create("companies", json!({"domain": "Example.com"}))
        .await;
    let path = format!("/crm/v4/objects/contacts/{ada}/associations/default/companies/{company}");
    for _ in 0..2 {
        let (status, body) = world.call(Method::PUT, &path, Value::Null).await;
        assert_eq!(status, 200);
        assert_eq!(
            body["results"][0]["associationSpec"]["associationTypeId"],
            279
        );
    }
    assert_eq!(
        links(&world, &ada, "companies").await,
        [(company.clone(), vec![279])]
    );
    let state = world.sandbox.records("companies");
    assert_eq!(
        state[0]["associations"],
        json!([{"to_type": "contacts", "to_id": ada, "type": 280}])
    );
    let (_, read) = world
        .get(&format!(
            "/crm/objects/{V}/contacts/{ada}?associations=companies"
        ))
        .await;
    assert_eq!(
        read["associations"]["companies"]["results"][0]["id"],
        company.as_str()
    );
}

#[tokio::test]
async fn labels_are_replaced_and_a_primary_moves() {
    let world = world().await;
    let ada = contact(&world, "ada").await;
    let first = world.create("companies", json!({"name": "one"})).await;
    let second = world.create("companies", json!({"name": "two"})).await;
    for company in [&first, &second] {
        let path = format!("/crm/objects/{V}/contacts/{ada}/associations/companies/{company}");
        let (status, body) = world.call(Method::PUT, &path, json!([kind(1)])).await;
        assert_eq!((status, &body["labels"]), (201, &json!(["Primary"])));
    }
    let both = links(&world, &ada, "companies").await;
    assert_eq!(
        both,
        [(first.clone(), vec![279]), (second.clone(), vec![1, 279])].map(
            |(id, mut types): (String, Vec<u64>)| {
                types.sort_unstable();
                (id, types)
            }
        )
    );

    let path = format!("/crm/associations/{V}/contacts/companies/batch/labels/archive");
    let body =
        json!({"inputs": [{"from": {"id": ada}, "to": {"id": second}, "types": [kind(279)]}]});
    assert_eq!(world.post(&path, body).await.0, 204);
    assert_eq!(
        links(&world, &ada, "companies").await,
        [(first, vec![279])],
        "without its default the pair is unlinked"
    );
}

#[tokio::test]
async fn a_type_of_the_wrong_direction_is_refused() {
    let world = world().await;
    let ada = contact(&world, "ada").await;
    let mail = |types: Value| {
        json!({"properties": {"hs_timestamp": "1795255200000", "hs_email_direction": "INCOMING_EMAIL"},
               "associations": [{"to": {"id": ada}, "types": types}]})
    };
    let path = format!("/crm/objects/{V}/emails");
    assert_eq!(world.post(&path, mail(json!([kind(197)]))).await.0, 400);
    let (status, made) = world.post(&path, mail(json!([kind(198)]))).await;
    assert_eq!(status, 201);
    let mail = made["id"].as_str().unwrap();
    let path = format!("/crm/objects/{V}/contacts/{ada}/associations/emails/{mail}");
    assert_eq!(
        world.call(Method::PUT, &path, json!([kind(198)])).await.0,
        400
    );
    assert_eq!(
        world.call(Method::PUT, &path, json!([kind(197)])).await.0,
        201
    );
}

#[tokio::test]
async fn batches_link_what_exists_and_name_the_rest() {
    let world = world().await;
    let (ada, bob) = (contact(&world, "ada").await, contact(&world, "bob").await);
    let deal = world
        .create(
            "deals",
            json!({"dealname": "d", "pipeline": "default", "dealstage": "contractsent"}),
        )
        .await;
    let inputs = json!([{"from": {"id": deal}, "to": {"id": ada}, "types": [kind(3)]},
                        {"from": {"id": deal}, "to": {"id": "1"}, "types": [kind(3)]}]);
    let (status, body) = world
        .post(
            &format!("/crm/associations/{V}/deals/contacts/batch/create"),
            json!({"inputs": inputs}),
        )
        .await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(1)));
    assert_eq!(body["errors"][0]["context"]["toObjectId"], json!(["1"]));
    let inputs = json!([{"from": {"id": deal}, "to": {"id": bob}}]);
    let path = "/crm/v4/associations/deals/contacts/batch/associate/default";
    assert_eq!(world.post(path, json!({"inputs": inputs})).await.0, 200);

    let read = json!({"inputs": [{"id": deal}, {"id": "1"}]});
    let (status, body) = world
        .post(
            &format!("/crm/associations/{V}/deals/contacts/batch/read"),
            read,
        )
        .await;
    assert_eq!(status, 207);
    assert_eq!(body["results"][0]["to"].as_array().unwrap().len(), 2);
    assert_eq!(
        body["errors"][0]["subCategory"],
        "crm.associations.NO_ASSOCIATIONS_FOUND"
    );

    let gone = json!({"inputs": [{"from": {"id": deal}, "to": [{"id": ada}, {"id": bob}]}]});
    assert_eq!(
        world
            .post(
                &format!("/crm/associations/{V}/deals/contacts/batch/archive"),
                gone
            )
            .await
            .0,
        204
    );
    assert!(links(&world, &ada, "deals").await.is_empty());
    let many: Vec<Value> = (0..101).map(|n| json!({"id": n.to_string()})).collect();
    let path = format!("/crm/associations/{V}/deals/contacts/batch/read");
    assert_eq!(world.post(&path, json!({"inputs": many})).await.0, 400);
}

#[tokio::test]
async fn labels_are_listed_made_and_removed() {
    let world = world().await;
    let path = format!("/crm/associations/{V}/contacts/companies/labels");
    let (_, body) = world.get(&path).await;
    let ids: Vec<u64> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["typeId"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [279, 1]);
    let (status, body) = world
        .post(
            &path,
            json!({"label": "Buyer", "name": "buyer", "inverseLabel": "Buys from"}),
        )
        .await;
    assert_eq!(
        (status, &body["results"][0]["category"]),
        (200, &json!("USER_DEFINED"))
    );
    let id = &body["results"][0]["typeId"];
    assert_eq!(
        world
            .call(Method::DELETE, &format!("{path}/{id}"), Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(
        world
            .call(Method::DELETE, &format!("{path}/{id}"), Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(
        world
            .call(Method::DELETE, &format!("{path}/279"), Value::Null)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn archiving_a_record_removes_its_links() {
    let world = world().await;
    let (ada, bob) = (contact(&world, "ada").await, contact(&world, "bob").await);
    let path = format!("/crm/objects/{V}/contacts/{ada}/associations/default/contacts/{bob}");
    assert_eq!(world.call(Method::PUT, &path, Value::Null).await.0, 200);
    world
        .call(
            Method::DELETE,
            &format!("/crm/objects/{V}/contacts/{bob}"),
            Value::Null,
        )
        .await;
    assert!(links(&world, &ada, "contacts").await.is_empty());
}
