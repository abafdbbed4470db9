//! Lost answers: what may have been applied is said so, and every attempt is on record.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use nextedge_core::sink::ItemEnd;
use nextedge_core::{CallContext, Clock, ErrorKind, MessageUid, Reach, RecordId};
use nextedge_http::{Applied, Part, Request, ResponseSummary, RetryOptions};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Act, TestClock, Vendor, answer, client, context};

#[tokio::test]
async fn a_time_out_after_the_write_was_sent_leaves_its_outcome_unknown() {
    let vendor = Vendor::start([Act::Hang]).await;
    let api = client(&vendor.url).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    let call = api.send(&cx, Request::post("t.write", "/x"));
    let time_out = async {
        vendor.arrived().await;
        clock.advance(Duration::from_secs(30));
    };
    let (outcome, ()) = tokio::join!(call, time_out);
    let failure = outcome.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.applied()),
        (ErrorKind::Timeout, Applied::Maybe)
    );
    assert!(matches!(failure.into_end(), ItemEnd::Unknown(_)));
    let calls = cx.take_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].status, calls[0].duration),
        (None, Duration::from_secs(30))
    );
}

/// The pool below must not repeat on its own what may have been applied.
#[tokio::test]
async fn a_write_cut_on_a_kept_connection_is_sent_once() {
    for _ in 0..20 {
        let vendor = Vendor::start([answer(200), Act::Cut]).await;
        let api = client(&vendor.url).build().unwrap();
        let cx = context("t1", &Arc::default());
        api.send(&cx, Request::get("t.read", "/x")).await.unwrap();
        let failure = api
            .send(&cx, Request::post("t.write", "/x"))
            .await
            .unwrap_err();
        assert_eq!(failure.applied(), Applied::Maybe);
        assert_eq!((vendor.seen().len(), vendor.connections()), (2, 1));
        assert_eq!(cx.take_calls().len(), 2);
    }
}

#[tokio::test]
async fn a_refused_connection_applied_nothing_and_is_repeated_even_unkeyed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = client(&url).build().unwrap();
    let cx = context("t1", &Arc::default());
    let failure = api
        .send(&cx, Request::post("t.write", "/x"))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind(), failure.applied()),
        (ErrorKind::Unavailable, Applied::No)
    );
    assert_eq!(failure.error().reach(), Reach::Connection);
    assert_eq!(cx.take_calls().len(), 3);
    assert!(matches!(failure.into_end(), ItemEnd::Failed(_)));
}

#[tokio::test]
async fn a_passed_deadline_sends_nothing() {
    let vendor = Vendor::start([]).await;
    let api = client(&vendor.url).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    clock.advance(Duration::from_secs(3600));
    let failure = api
        .send(&cx, Request::post("t.write", "/x"))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind(), failure.applied()),
        (ErrorKind::Timeout, Applied::No)
    );
    assert!(vendor.seen().is_empty() && cx.take_calls().is_empty());
}

#[tokio::test]
async fn a_dropped_call_is_on_record() {
    let vendor = Vendor::start([Act::Hang]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    tokio::select! {
        _ = api.send(&cx, Request::post("t.write", "/x")) => panic!("it hangs"),
        () = vendor.arrived() => {}
    }
    let calls = cx.take_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].response, json!({ "error": "cancelled" }));
}

#[tokio::test]
async fn a_record_holds_what_the_connector_chose_and_nothing_else() {
    let body = br#"{"id":"77","email":"ann@example.org"}"#.to_vec();
    let vendor = Vendor::start([Act::Answer(201, "", body)]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    let message = MessageUid::from_bytes([7; 16]);
    let request = Request::put("t.write", "/contacts/ann@example.org")
        .query("email", "ann@example.org")
        .json(&json!({ "email": "ann@example.org" }))
        .messages(vec![message])
        .audit_path("/contacts/{email}")
        .audit_summary(json!({ "fields": ["email"] }))
        .summarise_response(|answer| {
            let body: serde_json::Value = answer.json().unwrap_or_default();
            let records = body["id"].as_str().and_then(|id| RecordId::new(id).ok());
            ResponseSummary {
                value: json!({ "created": 1 }),
                records: records.into_iter().collect(),
            }
        });
    api.send(&cx, request).await.unwrap();
    let calls = cx.take_calls();
    let call = &calls[0];
    assert_eq!(
        (call.verb.as_str(), call.path.as_str()),
        ("PUT", "/contacts/{email}")
    );
    assert_eq!((call.status, call.writes), (Some(201), true));
    assert_eq!(call.messages, [message]);
    assert_eq!(call.records, [RecordId::new("77").unwrap()]);
    assert!(!serde_json::to_string(&calls).unwrap().contains("ann@"));
    assert!(vendor.seen()[0].starts_with("PUT /contacts/ann@example.org?email=ann%40example.org "));
}

#[tokio::test]
async fn a_multipart_form_arrives_whole_and_can_be_repeated() {
    let vendor = Vendor::start([answer(500)]).await;
    let api = client(&vendor.url).build().unwrap();
    let parts = [
        Part::text("options", r#"{"access":"PRIVATE"}"#),
        Part::file("file", "a.pdf", "application/pdf", &b"%PDF-bytes"[..]),
    ];
    let request = Request::post("t.upload", "/files").multipart(parts).keyed();
    api.send(&context("t1", &Arc::default()), request)
        .await
        .unwrap();
    let seen = vendor.seen();
    assert_eq!(seen.len(), 2);
    for request in seen {
        assert!(request.contains("content-type: multipart/form-data; boundary="));
        assert!(request.contains(r#"name="file"; filename="a.pdf""#));
        assert!(request.contains("%PDF-bytes") && request.contains("PRIVATE"));
    }
}

/// A deadline that is shorter than any attempt says nothing about the vendor.
#[tokio::test]
async fn our_own_deadline_does_not_count_against_the_vendor() {
    let vendor = Vendor::start(vec![Act::Hang; 6]).await;
    let api = client(&vendor.url)
        .retry(RetryOptions::never())
        .build()
        .unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let whole = context("t1", &clock);
    for _ in 0..6 {
        let cx = CallContext::with_clock(
            whole.tenant().clone(),
            Arc::new(whole.connection().clone()),
            Duration::from_secs(25),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let mut call = Box::pin(api.send(&cx, Request::get("t.read", "/x")));
        assert!(call.as_mut().now_or_never().is_none());
        tokio::select! {
            _ = &mut call => panic!("it hangs"),
            () = vendor.arrived() => {}
        }
        clock.advance(Duration::from_secs(25));
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert_eq!(vendor.seen().len(), 6);
}
