//! Answers that the sandbox does not give: whole refusals, missing rows, failures half way.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use mockito::{Mock, Request, ServerGuard};
use nextedge_core::{
    CallContext, Connection, ConnectionId, ConnectionRole, MessageUid, Secret, TenantId,
};
use nextedge_http::{ApiClient, RetryOptions, StaticToken};
use serde_json::{Value, json};

use super::write::{Batch, Input, Made, MadeAll, Verb, write_all};
use crate::client::HubSpotClient;
use crate::config::ApiVersions;
use crate::sink::error_mapper;
use crate::wire::{KEY_PROPERTY, ObjectType};

const CREATE: &str = "/crm/objects/2026-09/tickets/batch/create";
const READ: &str = "/crm/objects/2026-09/tickets/batch/read";

fn inputs(subjects: &[&str]) -> Vec<Input> {
    let input = |(n, subject): (usize, &&str)| Input {
        properties: [
            ("subject".to_owned(), (*subject).to_owned()),
            (KEY_PROPERTY.to_owned(), format!("k{n}")),
        ]
        .into(),
        associations: Vec::new(),
        identity: Some(format!("k{n}")),
        message: MessageUid::derive(&[&n.to_be_bytes()]),
    };
    subjects.iter().enumerate().map(input).collect()
}

async fn create(server: &ServerGuard, verb: Verb, inputs: &[Input]) -> MadeAll {
    let api = ApiClient::builder()
        .base_url(server.url())
        .tokens(StaticToken::new(Secret::new("t")))
        .retry(RetryOptions::never())
        .error_mapper(error_mapper)
        .build()
        .unwrap();
    let client = HubSpotClient::new(api, ApiVersions::default());
    let id = ConnectionId::new("c").unwrap();
    let connection = Arc::new(Connection::new(id, "hubspot", ConnectionRole::Sink));
    let tenant = TenantId::new("t").unwrap();
    let cx = CallContext::new(tenant, connection, Duration::from_secs(30));
    let batch = Batch {
        object: &ObjectType::Ticket,
        verb,
        chunk: 100,
        splits: 3,
    };
    write_all(&client, &cx, &batch, inputs).await
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body().unwrap()).unwrap()
}

fn subjects(request: &Request) -> Vec<String> {
    let body = body(request);
    let inputs = body["inputs"].as_array().unwrap();
    let subject = |input: &Value| input["properties"]["subject"].as_str().map(str::to_owned);
    inputs.iter().filter_map(subject).collect()
}

/// Confirms every input, in reverse, without trace ids.
fn confirm(request: &Request) -> Vec<u8> {
    let body = body(request);
    let inputs = body["inputs"].as_array().unwrap();
    let row = |input: &Value| json!({"id": format!("9{}", &input["properties"][KEY_PROPERTY].as_str().unwrap()[1..]), "properties": input["properties"]});
    let rows: Vec<Value> = inputs.iter().rev().map(row).collect();
    serde_json::to_vec(&json!({ "status": "COMPLETE", "results": rows })).unwrap()
}

async fn good(server: &mut ServerGuard, bad: &'static str) -> Mock {
    let mock = server.mock("POST", CREATE).with_status(201);
    let fits = move |request: &Request| !subjects(request).iter().any(|s| s == bad);
    mock.match_request(fits)
        .with_body_from_request(confirm)
        .expect_at_least(0)
        .create_async()
        .await
}

fn count(all: &MadeAll, kind: fn(&Made) -> bool) -> usize {
    all.made.iter().filter(|made| kind(made)).count()
}

#[tokio::test]
async fn rows_are_matched_by_unique_value_when_no_trace_comes_back() {
    let mut server = mockito::Server::new_async().await;
    let _good = good(&mut server, "none").await;
    let all = create(
        &server,
        Verb::CreateUnique(KEY_PROPERTY),
        &inputs(&["a", "b", "c"]),
    )
    .await;
    for (n, made) in all.made.iter().enumerate() {
        assert!(
            matches!(made, Made::Written(id) if id.as_str() == format!("9{n}")),
            "{made:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_that_names_nobody_is_halved_three_times_and_the_rest_waits() {
    let mut server = mockito::Server::new_async().await;
    let good = good(&mut server, "bad").await;
    let bad = server.mock("POST", CREATE).with_status(400);
    let poisoned = |request: &Request| subjects(request).iter().any(|s| s == "bad");
    let bad = bad
        .match_request(poisoned)
        .with_body(r#"{"category":"VALIDATION_ERROR"}"#);
    let bad = bad.expect(4).create_async().await;
    let mut all = vec!["fine"; 100];
    all[41] = "bad";
    let all = create(&server, Verb::Create, &inputs(&all)).await;
    bad.assert_async().await;
    good.assert_async().await;
    let untried = count(&all, |made| matches!(made, Made::Untried));
    assert!((12..=13).contains(&untried), "{untried}");
    assert_eq!(
        count(&all, |made| matches!(made, Made::Written(_))),
        100 - untried
    );
    assert!(all.halt.is_none());
}

#[tokio::test]
async fn an_input_without_answer_is_unknown() {
    let mut server = mockito::Server::new_async().await;
    let rows = json!({"results": [{"id": "7", "objectWriteTraceId": "i1"}]});
    let mock = server
        .mock("POST", CREATE)
        .with_status(201)
        .with_body(rows.to_string());
    let _mock = mock.create_async().await;
    let all = create(&server, Verb::Create, &inputs(&["a", "b"])).await;
    assert!(matches!(all.made[0], Made::Unknown(_)));
    assert!(matches!(&all.made[1], Made::Written(id) if id.as_str() == "7"));
}

#[tokio::test]
async fn an_overload_leaves_the_sent_unknown_and_the_rest_untried() {
    let mut server = mockito::Server::new_async().await;
    let mock = server
        .mock("POST", CREATE)
        .with_status(503)
        .expect(1)
        .create_async()
        .await;
    let all = create(&server, Verb::Create, &inputs(&["x"; 150])).await;
    mock.assert_async().await;
    assert_eq!(count(&all, |made| matches!(made, Made::Unknown(_))), 100);
    assert_eq!(count(&all, |made| matches!(made, Made::Untried)), 50);
    assert!(all.halt.is_some());
}

#[tokio::test]
async fn a_conflict_of_the_whole_request_adopts_what_exists_and_sends_the_rest() {
    let mut server = mockito::Server::new_async().await;
    let _good = good(&mut server, "old").await;
    let conflict = r#"{"category":"CONFLICT","message":"exists. Existing ID: 5"}"#;
    let refuse = server
        .mock("POST", CREATE)
        .with_status(409)
        .with_body(conflict);
    let has_old = |request: &Request| subjects(request).iter().any(|s| s == "old");
    let refuse = refuse.match_request(has_old).expect(1).create_async().await;
    let rows = json!({"results": [{"id": "5", "properties": {KEY_PROPERTY: "K1"}}]});
    let read = server
        .mock("POST", READ)
        .with_body(rows.to_string())
        .expect(1)
        .create_async()
        .await;
    let all = create(
        &server,
        Verb::CreateUnique(KEY_PROPERTY),
        &inputs(&["a", "old", "b"]),
    )
    .await;
    refuse.assert_async().await;
    read.assert_async().await;
    assert!(matches!(&all.made[1], Made::Existed(id) if id.as_str() == "5"));
    assert_eq!(count(&all, |made| matches!(made, Made::Written(_))), 2);
}

#[tokio::test]
async fn no_free_place_is_nobodys_fault() {
    let mut server = mockito::Server::new_async().await;
    let mock = server.mock("POST", CREATE).with_status(429).expect(1);
    let mock = mock
        .with_body(r#"{"policyName":"TEN_SECONDLY_ROLLING"}"#)
        .create_async()
        .await;
    let all = create(&server, Verb::Create, &inputs(&["a", "b"])).await;
    mock.assert_async().await;
    assert_eq!(count(&all, |made| matches!(made, Made::Untried)), 2);
    assert!(all.halt.is_some());
}
