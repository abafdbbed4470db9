//! Repetition: only where it cannot write twice, only for short waits, only within the budget.

use std::sync::Arc;
use std::time::Duration;

use nextedge_core::{Error, ErrorKind, Reach, Retry};
use nextedge_http::{Applied, Idempotency, Request, Response, RetryOptions};

use crate::support::{Act, TestClock, Vendor, answer, answer_with, client, context};

#[tokio::test]
async fn only_what_cannot_write_twice_is_repeated_after_a_server_failure() {
    let cases = [
        (Idempotency::Safe, 3, Applied::No),
        (Idempotency::Keyed, 3, Applied::Maybe),
        (Idempotency::Unkeyed, 1, Applied::Maybe),
    ];
    for (idempotency, attempts, applied) in cases {
        for act in [answer(500), Act::Cut, Act::CutBody] {
            let vendor = Vendor::start(vec![act.clone(); 3]).await;
            let api = client(&vendor.url).build().unwrap();
            let cx = context("t1", &Arc::default());
            let request = Request::post("t.call", "/x").idempotency(idempotency);
            let failure = api.send(&cx, request).await.unwrap_err();
            assert_eq!(vendor.seen().len(), attempts, "{idempotency:?} {act:?}");
            assert_eq!(cx.take_calls().len(), attempts, "{idempotency:?} {act:?}");
            assert_eq!(failure.applied(), applied, "{idempotency:?} {act:?}");
            assert_eq!(failure.kind(), ErrorKind::Unavailable);
        }
    }
}

#[tokio::test]
async fn a_repetition_that_succeeds_is_a_success() {
    let vendor = Vendor::start([answer(503), Act::Cut]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    assert!(
        api.send(&cx, Request::post("t.call", "/x").keyed())
            .await
            .is_ok()
    );
    let statuses: Vec<_> = cx.take_calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [Some(503), None, Some(200)]);
}

#[tokio::test]
async fn a_lost_answer_stays_unknown_even_if_the_repetition_is_refused() {
    let vendor = Vendor::start([Act::Cut, answer(409)]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    let failure = api
        .send(&cx, Request::post("t.call", "/x").keyed())
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Conflict);
    assert_eq!(failure.applied(), Applied::Maybe);
}

#[tokio::test]
async fn a_refusal_is_final_and_nothing_was_applied() {
    for (status, kind) in [
        (400, ErrorKind::Rejected),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
    ] {
        let vendor = Vendor::start([answer(status)]).await;
        let api = client(&vendor.url).build().unwrap();
        let cx = context("t1", &Arc::default());
        let failure = api
            .send(&cx, Request::post("t.call", "/x").keyed())
            .await
            .unwrap_err();
        assert_eq!((failure.kind(), failure.applied()), (kind, Applied::No));
        assert_eq!(failure.answer().map(|a| a.status().as_u16()), Some(status));
        assert_eq!(vendor.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_short_retry_after_is_obeyed_in_place_also_for_an_unkeyed_write() {
    for status in [429, 503] {
        let vendor = Vendor::start([answer_with(status, "retry-after: 2\r\n")]).await;
        let api = client(&vendor.url).build().unwrap();
        let clock: Arc<TestClock> = Arc::default();
        assert!(
            api.send(&context("t1", &clock), Request::post("t.call", "/x"))
                .await
                .is_ok()
        );
        assert_eq!(clock.slept(), [Duration::from_secs(2)]);
    }
}

#[tokio::test]
async fn a_long_retry_after_goes_back_as_a_gate_and_holds_the_connection() {
    let vendor = Vendor::start([answer_with(429, "retry-after: 600\r\n")]).await;
    let api = client(&vendor.url).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    for expected in 1..=2 {
        let failure = api
            .send(&cx, Request::post("t.call", "/x"))
            .await
            .unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::RateLimited);
        assert_eq!(
            failure.error().retry(),
            Retry::After(Duration::from_secs(600)),
            "call {expected}"
        );
        assert_eq!(failure.error().reach(), Reach::Connection);
        assert_eq!(failure.applied(), Applied::No);
        assert_eq!(vendor.seen().len(), 1, "the second call is not sent");
    }
    assert!(
        api.send(&context("t2", &clock), Request::get("t.call", "/x"))
            .await
            .is_ok()
    );
    clock.advance(Duration::from_secs(600));
    assert!(api.send(&cx, Request::post("t.call", "/x")).await.is_ok());
}

#[tokio::test]
async fn a_429_without_a_delay_is_repeated_and_then_reaches_the_connection() {
    let vendor = Vendor::start(vec![answer(429); 3]).await;
    let api = client(&vendor.url).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let failure = api
        .send(&context("t1", &clock), Request::post("t.call", "/x"))
        .await
        .unwrap_err();
    assert_eq!(vendor.seen().len(), 3);
    assert_eq!(failure.error().retry(), Retry::Backoff);
    assert_eq!(failure.error().reach(), Reach::Connection);
    assert!(
        clock
            .slept()
            .iter()
            .all(|slept| *slept <= Duration::from_millis(400))
    );
}

#[tokio::test]
async fn repetitions_stop_when_the_budget_of_the_connection_is_spent() {
    let vendor = Vendor::start(vec![answer(429); 50]).await;
    let options = RetryOptions::default().with_budget(3);
    let api = client(&vendor.url).retry(options).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    for _ in 0..5 {
        let cx = context("t1", &clock);
        assert!(api.send(&cx, Request::get("t.call", "/x")).await.is_err());
    }
    assert_eq!(vendor.seen().len(), 5 + 3);
}

#[tokio::test]
async fn a_mapper_reads_the_vendors_codes_before_the_common_table() {
    let mapper = |answer: &Response| match answer.header("x-code") {
        Some("LOCKED") => Some(
            Error::new(ErrorKind::Conflict, "record is locked")
                .with_provider_code("LOCKED")
                .with_retry(Retry::After(Duration::from_secs(1))),
        ),
        Some("DEAD") => Some(Error::new(ErrorKind::Rejected, "never works")),
        _ => None,
    };
    let locked = || answer_with(400, "x-code: LOCKED\r\nx-trace: id-7\r\n");
    let script = [
        locked(),
        locked(),
        locked(),
        answer_with(500, "x-code: DEAD\r\n"),
    ];
    let vendor = Vendor::start(script).await;
    let api = client(&vendor.url)
        .error_mapper(mapper)
        .request_id_header(http::HeaderName::from_static("x-trace"))
        .build()
        .unwrap();
    let cx = context("t1", &Arc::default());
    let failure = api
        .send(&cx, Request::post("t.call", "/x"))
        .await
        .unwrap_err();
    assert_eq!(vendor.seen().len(), 3);
    assert_eq!(failure.error().provider_code(), Some("LOCKED"));
    assert_eq!(failure.error().request_id(), Some("id-7"));
    assert_eq!(failure.error().operation(), "t.call");
    let failure = api
        .send(&cx, Request::post("t.call", "/x").keyed())
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Rejected);
    assert_eq!(vendor.seen().len(), 4);
}
