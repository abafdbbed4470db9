//! Breaker, quota and slots belong to one (tenant, connection) each.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use nextedge_core::{ErrorKind, Reach, Retry};
use nextedge_http::{BreakerState, RateLimit, RateLimits, Request, RetryOptions};

use crate::support::{Act, TestClock, Vendor, answer, client, context};

fn read() -> Request {
    Request::get("t.read", "/x")
}

#[tokio::test]
async fn the_breaker_opens_for_one_tenant_only_and_closes_by_a_probe() {
    let vendor = Vendor::start(vec![answer(500); 5]).await;
    let api = client(&vendor.url)
        .retry(RetryOptions::never())
        .build()
        .unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let (sick, well) = (context("t1", &clock), context("t2", &clock));
    for _ in 0..5 {
        assert!(api.send(&sick, read()).await.is_err());
    }
    let failure = api.send(&sick, read()).await.unwrap_err();
    assert_eq!(
        failure.error().retry(),
        Retry::After(Duration::from_secs(60))
    );
    assert_eq!(failure.error().reach(), Reach::Connection);
    assert_eq!(vendor.seen().len(), 5, "an open breaker sends nothing");
    assert!(matches!(
        api.breaker_state(&sick),
        BreakerState::Open { .. }
    ));
    assert!(api.send(&well, read()).await.is_ok());

    clock.advance(Duration::from_secs(60));
    assert!(api.send(&sick, read()).await.is_ok());
    assert_eq!(api.breaker_state(&sick), BreakerState::Closed);
}

#[tokio::test]
async fn a_failed_probe_opens_the_breaker_for_longer() {
    let vendor = Vendor::start(vec![Act::Cut; 6]).await;
    let api = client(&vendor.url)
        .retry(RetryOptions::never())
        .build()
        .unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    for _ in 0..5 {
        assert!(api.send(&cx, read()).await.is_err());
    }
    clock.advance(Duration::from_secs(60));
    assert!(api.send(&cx, read()).await.is_err());
    let failure = api.send(&cx, read()).await.unwrap_err();
    assert_eq!(
        failure.error().retry(),
        Retry::After(Duration::from_secs(120))
    );
    assert_eq!(vendor.seen().len(), 6);
}

#[tokio::test]
async fn refusals_never_open_the_breaker() {
    let vendor = Vendor::start(vec![answer(400); 20]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    for _ in 0..20 {
        assert_eq!(
            api.send(&cx, read()).await.unwrap_err().kind(),
            ErrorKind::Rejected
        );
    }
}

#[tokio::test]
async fn calls_wait_for_their_quota_and_long_waits_go_back() {
    let vendor = Vendor::start([]).await;
    let limits = RateLimits::none()
        .with(RateLimit::new(2, Duration::from_secs(10)))
        .with_class("daily", RateLimit::new(1, Duration::from_secs(86_400)));
    let api = client(&vendor.url).rate_limits(limits).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    for _ in 0..2 {
        api.send(&cx, read()).await.unwrap();
    }
    assert!(clock.slept().is_empty());
    api.send(&context("t2", &clock), read()).await.unwrap();
    assert!(clock.slept().is_empty(), "another tenant has its own quota");
    api.send(&cx, read().rate_class("daily")).await.unwrap();
    let slept: Duration = clock.slept().iter().sum();
    assert!(
        slept > Duration::from_secs(9) && slept < Duration::from_secs(11),
        "{slept:?}"
    );

    let failure = api.send(&cx, read().rate_class("daily")).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.error().reach()),
        (ErrorKind::RateLimited, Reach::Connection)
    );
    assert!(
        matches!(failure.error().retry(), Retry::After(wait) if wait > Duration::from_secs(80_000))
    );
}

#[tokio::test]
async fn no_more_attempts_than_slots_are_on_their_way() {
    let vendor = Vendor::start(vec![Act::Hang; 10]).await;
    let api = client(&vendor.url).in_flight(3).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    let calls = join_all((0..10).map(|_| api.send(&cx, read())));
    let three = async {
        while vendor.seen().len() < 3 {
            vendor.arrived().await;
        }
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = calls => panic!("they hang"),
        () = three => {}
    }
    assert_eq!(vendor.seen().len(), 3);
}
