//! Faults, journal, reset, the page, the program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nextedge_sandbox::{RateLimit, Sandbox};
use serde_json::{Value, json};
use support::{World, quick, world, world_of};

const CONTACTS: &str = "/crm/objects/2026-09/contacts";

fn ada() -> Value {
    json!({"properties": {"email": "ada@example.com"}})
}

async fn control(world: &World, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/{path}", world.sandbox.control_url());
    let answer = world
        .client
        .request(method, url)
        .json(&body)
        .send()
        .await
        .unwrap();
    (
        answer.status().as_u16(),
        answer.json().await.unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn a_cut_connection_loses_the_answer_before_or_after_the_write() {
    let world = world().await;
    let url = format!("{}{CONTACTS}", world.sandbox.hubspot_url());
    for (when, records) in [("before_apply", 0), ("after_apply", 1)] {
        world
            .sandbox
            .fault(json!({"vendor": "hubspot", "method": "POST", "drop": when}))
            .unwrap();
        let sent = world
            .client
            .post(&url)
            .bearer_auth("sandbox-token")
            .json(&ada())
            .send()
            .await;
        assert!(sent.is_err(), "{when}");
        assert_eq!(world.sandbox.records("contacts").len(), records, "{when}");
    }
    let statuses: Vec<Value> = world
        .sandbox
        .journal()
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(statuses, [0, 0]);
    assert_eq!(
        world.get(CONTACTS).await.0,
        200,
        "the next connection works"
    );
}

#[tokio::test]
async fn named_faults_answer_as_the_vendor_does() {
    let world = world().await;
    for (fault, status, pointer, wanted) in [
        (
            json!({"name": "expire_tokens"}),
            401,
            "/category",
            json!("EXPIRED_AUTHENTICATION"),
        ),
        (
            json!({"name": "missing_scopes"}),
            403,
            "/category",
            json!("MISSING_SCOPES"),
        ),
        (
            json!({"name": "rate_limit", "retry_after": 3}),
            429,
            "/policyName",
            json!("TEN_SECONDLY_ROLLING"),
        ),
        (
            json!({"name": "daily_limit"}),
            429,
            "/policyName",
            json!("DAILY"),
        ),
        (
            json!({"name": "account_moving", "retry_after": 60}),
            477,
            "/status",
            json!("error"),
        ),
        (
            json!({"name": "server_error"}),
            500,
            "/status",
            json!("error"),
        ),
        (
            json!({"status": 503, "body": {"x": 1}, "headers": {"retry-after": "2"}}),
            503,
            "/x",
            json!(1),
        ),
    ] {
        world.sandbox.fault(fault.clone()).unwrap();
        let answer = world
            .send(reqwest::Method::GET, CONTACTS, Value::Null)
            .await;
        assert_eq!(answer.status(), status, "{fault}");
        let retry = answer
            .headers()
            .get("retry-after")
            .map(|one| one.to_str().unwrap().to_owned());
        let expected = fault["retry_after"].as_u64().map(|n| n.to_string());
        if status != 503 {
            assert_eq!(retry, expected, "{fault}");
        }
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body.pointer(pointer), Some(&wanted), "{fault}");
    }
    world.sandbox.fault(json!({"name": "bad_gateway"})).unwrap();
    let answer = world
        .send(reqwest::Method::GET, CONTACTS, Value::Null)
        .await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (502, &"text/html".parse().unwrap())
    );
}

#[tokio::test]
async fn a_partial_batch_and_a_locked_record() {
    let world = world().await;
    world
        .sandbox
        .fault(json!({"name": "partial_batch", "index": 1, "property": "city"}))
        .unwrap();
    let inputs: Vec<Value> = (0..3)
        .map(|n| json!({"objectWriteTraceId": n.to_string(), "properties": {"email": format!("p{n}@example.com")}}))
        .collect();
    let (status, body) = world
        .post(
            &format!("{CONTACTS}/batch/create"),
            json!({"inputs": inputs}),
        )
        .await;
    assert_eq!(status, 207);
    assert_eq!(
        body["errors"][0]["context"]["objectWriteTraceId"],
        json!(["1"])
    );
    let id = body["results"][0]["id"].as_str().unwrap();
    world
        .sandbox
        .fault(json!({"name": "lock_record", "id": id}))
        .unwrap();
    let change = json!({"properties": {"city": "Ulm"}});
    assert_eq!(
        world
            .patch(&format!("{CONTACTS}/{id}"), change.clone())
            .await
            .0,
        423
    );
    assert_eq!(
        world.patch(&format!("{CONTACTS}/{id}"), change).await.0,
        200
    );
}

#[tokio::test]
async fn the_control_surface_shows_and_resets_everything() {
    let world = world().await;
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    let (status, seeded) = control(
        &world,
        post.clone(),
        "seed",
        json!({"hubspot": {"records": {"contacts": [ada()]}}}),
    )
    .await;
    assert_eq!(status, 200, "{seeded}");
    let id = &seeded["hubspot"]["records"]["contacts"][0];
    let (_, state) = control(&world, get.clone(), "state", Value::Null).await;
    assert_eq!(&state["hubspot"]["contacts"][0]["id"], id);
    for bad in [
        json!({"salesforce": {}}),
        json!({"hubspot": {"recodrs": {}}}),
        json!({"hubspot": {"records": {"contacts": [{"properties": {"x": "y"}}]}}}),
    ] {
        assert_eq!(
            control(&world, post.clone(), "seed", bad.clone()).await.0,
            400,
            "{bad}"
        );
    }
    let url = format!("{}{CONTACTS}?limit=5", world.sandbox.hubspot_url());
    let request = world
        .client
        .get(url)
        .bearer_auth("sandbox-token")
        .header("x-nextedge-cause", "delivery");
    request.send().await.unwrap();
    world
        .post(
            CONTACTS,
            json!({"properties": {"email": "bob@example.com"}}),
        )
        .await;
    let (_, journal) = control(&world, get.clone(), "journal?since=1", Value::Null).await;
    assert_eq!(journal.as_array().unwrap().len(), 1);
    let (_, journal) = control(&world, get.clone(), "journal", Value::Null).await;
    assert_eq!(
        (&journal[0]["cause"], &journal[0]["query"]),
        (&json!("delivery"), &json!("limit=5"))
    );
    assert_eq!(
        journal[1]["request"]["properties"]["email"],
        "bob@example.com"
    );
    assert_eq!(
        journal[1]["response"]["properties"]["email"],
        "bob@example.com"
    );
    assert!(!journal.to_string().contains("sandbox-token"));
    let (_, counters) = control(&world, get.clone(), "counters", Value::Null).await;
    assert_eq!(counters["hubspot"][format!("POST {CONTACTS}")]["201"], 1);
    assert_eq!(
        control(
            &world,
            post.clone(),
            "faults",
            json!({"name": "server_error"})
        )
        .await
        .0,
        200
    );
    let (_, faults) = control(&world, get.clone(), "faults", Value::Null).await;
    assert_eq!(
        (&faults[0]["name"], &faults[0]["met"]),
        (&json!("server_error"), &json!(0))
    );
    assert_eq!(control(&world, post, "reset", Value::Null).await.0, 204);
    let (_, state) = control(&world, get.clone(), "state?types=contacts", Value::Null).await;
    assert_eq!(state, json!({"hubspot": {"contacts": []}}));
    assert_eq!(
        control(&world, get.clone(), "journal", Value::Null).await.1,
        json!([])
    );
    assert_eq!(
        control(&world, get, "faults", Value::Null).await.1,
        json!([])
    );
}

#[tokio::test]
async fn the_limit_of_the_account_is_kept() {
    let world = world_of(quick().rate_limit(RateLimit::Free)).await;
    let first = world
        .send(reqwest::Method::GET, CONTACTS, Value::Null)
        .await;
    assert_eq!(first.headers()["x-hubspot-ratelimit-max"], "100");
    for _ in 1..100 {
        assert_eq!(world.get(CONTACTS).await.0, 200);
    }
    let (status, body) = world.get(CONTACTS).await;
    assert_eq!(
        (status, &body["errorType"], &body["policyName"]),
        (429, &json!("RATE_LIMIT"), &json!("TEN_SECONDLY_ROLLING"))
    );
    let search = world
        .send(
            reqwest::Method::POST,
            &format!("{CONTACTS}/search"),
            json!({}),
        )
        .await;
    assert_eq!(search.status(), 200);
    assert!(search.headers().get("x-hubspot-ratelimit-max").is_none());
}

#[tokio::test]
async fn a_panic_of_the_sandbox_is_not_hidden() {
    let world = world().await;
    world.sandbox.fault(json!({"name": "panic"})).unwrap();
    assert_eq!(world.get(CONTACTS).await.0, 500);
    let World { sandbox, .. } = world;
    assert_eq!(sandbox.panics().len(), 1);
    assert!(sandbox.finish().await.is_err());
}

#[tokio::test]
#[should_panic(expected = "sandbox handlers panicked")]
async fn a_panic_fails_the_test_that_drops_the_sandbox() {
    let world = world().await;
    world.sandbox.fault(json!({"name": "panic"})).unwrap();
    world.get(CONTACTS).await;
}

#[tokio::test]
async fn a_script_in_a_mail_reaches_nobody() {
    let world = world().await;
    let contact = world
        .create(
            "contacts",
            json!({"email": "eve@example.com", "firstname": "<script>alert(1)</script>"}),
        )
        .await;
    let hostile = "\"></iframe><script>alert(2)</script><img src=https://tracker.example/p.gif onerror=alert(3)><b>bold</b>";
    let mail = json!({"properties": {"hs_timestamp": "1795255200000", "hs_email_direction": "INCOMING_EMAIL",
            "hs_email_subject": "<script>alert(4)</script>", "hs_email_text": "</pre><script>alert(5)</script>", "hs_email_html": hostile},
        "associations": [{"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 198}]}]});
    assert_eq!(world.post("/crm/objects/2026-09/emails", mail).await.0, 201);
    let url = format!("{}/hubspot/contacts/{contact}", world.sandbox.control_url());
    let answer = world.client.get(url).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none'")
            && !policy.contains("script")
            && !policy.contains("img")
    );
    let page = answer.text().await.unwrap();
    assert!(
        !page.contains("<script") && !page.contains("tracker.example") && !page.contains("<img")
    );
    assert!(
        page.contains("&lt;script&gt;alert(4)"),
        "the subject is shown as text"
    );
    assert!(page.contains("<iframe sandbox srcdoc=\"") && page.contains("&lt;b&gt;bold&lt;/b&gt;"));
    assert_eq!(page.matches("</iframe>").count(), 1);
}

#[tokio::test]
async fn the_page_answers_with_and_without_records() {
    let world = world().await;
    let url = format!("{}/", world.sandbox.control_url());
    let empty = world.client.get(&url).send().await.unwrap();
    assert_eq!(empty.status(), 200);
    world
        .create("companies", json!({"name": "Example & Sons"}))
        .await;
    let page = world
        .client
        .get(&url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("Example &amp; Sons"));
    let gone = world
        .client
        .get(format!("{url}hubspot/companies/1"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test]
async fn it_stops_when_dropped() {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let address = sandbox.address();
    drop(sandbox);
    tokio::task::yield_now().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[test]
fn the_program_prints_one_line_and_ends_cleanly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nextedge-sandbox"))
        .args(["--listen", "127.0.0.1:0", "--rate-limit", "none"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        ready["control"],
        format!("{}/_sandbox", ready["hubspot"].as_str().unwrap())
    );
    let ended = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(ended.success());
    assert!(child.wait().unwrap().success());
    line.clear();
    assert_eq!(
        out.read_line(&mut line).unwrap(),
        0,
        "nothing but the one line"
    );
}
