//! Tokens: one refresh after a 401, once for all, and never seen anywhere.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use http::{HeaderName, StatusCode};
use nextedge_core::{CallContext, Error, ErrorKind, Reach, Result, Secret};
use nextedge_http::{ApiClient, Applied, AuthScheme, Cause, Request, StaticToken, TokenProvider};
use serde_json::json;

use crate::support::{Act, TOKEN, TestClock, Vendor, answer, client, context};

/// Gives `token-0`, and after each refresh the next number.
#[derive(Debug, Clone, Default)]
struct Numbered {
    present: Arc<Mutex<u32>>,
    refreshes: Arc<AtomicU32>,
}

#[async_trait]
impl TokenProvider for Numbered {
    async fn token(&self, _: &CallContext) -> Result<Secret> {
        Ok(Secret::new(format!(
            "token-{}",
            self.present.lock().unwrap()
        )))
    }

    async fn refresh(&self, _: &CallContext, _: &Secret) -> Result<Secret> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        *self.present.lock().unwrap() += 1;
        Ok(Secret::new(format!(
            "token-{}",
            self.present.lock().unwrap()
        )))
    }
}

/// Has a token, but the grant behind it is gone.
#[derive(Debug, Clone, Default)]
struct Revoked {
    refreshes: Arc<AtomicU32>,
}

#[async_trait]
impl TokenProvider for Revoked {
    async fn token(&self, _: &CallContext) -> Result<Secret> {
        Ok(Secret::new(TOKEN))
    }

    async fn refresh(&self, _: &CallContext, _: &Secret) -> Result<Secret> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(ErrorKind::Unauthorized, "the grant is gone"))
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_also_for_an_unkeyed_write() {
    let vendor = Vendor::start([answer(401), answer(201)]).await;
    let tokens = Numbered::default();
    let api = ApiClient::builder()
        .base_url(&vendor.url)
        .tokens(tokens.clone())
        .build()
        .unwrap();
    let cx = context("t1", &Arc::default());
    let response = api
        .send(&cx, Request::post("t.write", "/x").json(&json!({})))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(tokens.refreshes.load(Ordering::SeqCst), 1);
    let seen = vendor.seen();
    assert!(seen[0].contains("authorization: Bearer token-0\r\n"));
    assert!(seen[1].contains("authorization: Bearer token-1\r\n"));
    let causes: Vec<_> = api
        .call_counts()
        .iter()
        .map(|row| (row.cause, row.calls, row.failed))
        .collect();
    assert_eq!(causes, [(Cause::Asked, 1, 1), (Cause::Refreshed, 1, 0)]);
}

#[tokio::test]
async fn a_second_401_ends_the_call_and_concerns_the_connection() {
    let vendor = Vendor::start([answer(401), answer(401)]).await;
    let api = ApiClient::builder()
        .base_url(&vendor.url)
        .tokens(Numbered::default())
        .build()
        .unwrap();
    let cx = context("t1", &Arc::default());
    let failure = api
        .send(&cx, Request::put("t.write", "/x"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unauthorized);
    assert_eq!(failure.error().reach(), Reach::Connection);
    assert_eq!(failure.applied(), Applied::No);
    assert_eq!(vendor.seen().len(), 2);
}

#[tokio::test]
async fn a_static_token_reports_the_vendors_own_401() {
    let refusal = Act::Answer(401, "x-request-id: r-1\r\n", Vec::new());
    let vendor = Vendor::start([refusal]).await;
    let api = client(&vendor.url).build().unwrap();
    let failure = api
        .send(
            &context("t1", &Arc::default()),
            Request::get("t.read", "/x"),
        )
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unauthorized);
    assert_eq!(failure.error().request_id(), Some("r-1"));
    assert_eq!(vendor.seen().len(), 1);
}

#[tokio::test]
async fn a_failed_refresh_ends_the_call_with_its_own_error() {
    let vendor = Vendor::start([answer(401)]).await;
    let api = ApiClient::builder()
        .base_url(&vendor.url)
        .tokens(Revoked::default())
        .build()
        .unwrap();
    let failure = api
        .send(
            &context("t1", &Arc::default()),
            Request::get("t.read", "/x"),
        )
        .await
        .unwrap_err();
    assert_eq!(failure.error().message(), "the grant is gone");
    assert_eq!(failure.error().operation(), "t.read");
}

#[tokio::test]
async fn a_grant_that_is_gone_is_asked_for_once_by_calls_in_a_row() {
    let vendor = Vendor::start(vec![answer(401); 30]).await;
    let tokens = Revoked::default();
    let api = ApiClient::builder()
        .base_url(&vendor.url)
        .tokens(tokens.clone())
        .build()
        .unwrap();
    let clock: Arc<TestClock> = Arc::default();
    let cx = context("t1", &clock);
    let calls = || join_all((0..8).map(|_| api.send(&cx, Request::get("t.read", "/x"))));
    for outcome in calls().await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorized);
    }
    assert_eq!(tokens.refreshes.load(Ordering::SeqCst), 1);
    clock.advance(std::time::Duration::from_secs(10));
    calls().await;
    assert_eq!(
        tokens.refreshes.load(Ordering::SeqCst),
        2,
        "later it is worth a try"
    );
}

#[tokio::test]
async fn concurrent_refusals_renew_the_token_once() {
    let mut vendor = mockito::Server::new_async().await;
    let old = vendor
        .mock("GET", "/x")
        .match_header("authorization", "Bearer token-0")
        .with_status(401)
        .expect_at_least(1)
        .create_async()
        .await;
    let new = vendor
        .mock("GET", "/x")
        .match_header("authorization", "Bearer token-1")
        .expect(8)
        .create_async()
        .await;
    let tokens = Numbered::default();
    let api = ApiClient::builder()
        .base_url(vendor.url())
        .tokens(tokens.clone())
        .build()
        .unwrap();
    let cx = context("t1", &Arc::default());
    let calls = (0..8).map(|_| api.send(&cx, Request::get("t.read", "/x")));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(tokens.refreshes.load(Ordering::SeqCst), 1);
    old.assert_async().await;
    new.assert_async().await;
}

#[tokio::test]
async fn each_connection_sends_its_own_token() {
    let vendor = Vendor::start([]).await;
    let tokens = StaticToken::by_connection(|cx| match cx.tenant().as_str() {
        "t3" => None,
        tenant => Some(Secret::new(format!("of-{tenant}"))),
    });
    let api = ApiClient::builder()
        .base_url(&vendor.url)
        .tokens(tokens)
        .build()
        .unwrap();
    let clock: Arc<TestClock> = Arc::default();
    for tenant in ["t1", "t2"] {
        api.send(&context(tenant, &clock), Request::get("t.read", "/x"))
            .await
            .unwrap();
    }
    let failure = api
        .send(&context("t3", &clock), Request::get("t.read", "/x"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unauthorized);
    let seen = vendor.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].contains("Bearer of-t1") && seen[1].contains("Bearer of-t2"));
}

#[tokio::test]
async fn a_token_goes_where_the_scheme_says_and_nowhere_when_anonymous() {
    let vendor = Vendor::start([]).await;
    let scheme = AuthScheme::Header(HeaderName::from_static("x-api-key"));
    let api = client(&vendor.url).auth(scheme).build().unwrap();
    let cx = context("t1", &Arc::default());
    api.send(&cx, Request::get("t.read", "/x")).await.unwrap();
    api.send(&cx, Request::get("t.read", "/x").anonymous())
        .await
        .unwrap();
    let seen = vendor.seen();
    assert!(seen[0].contains(&format!("x-api-key: {TOKEN}\r\n")));
    assert!(!seen[0].contains("authorization") && !seen[1].contains(TOKEN));
}

#[tokio::test]
async fn nothing_shows_the_token() {
    let echo = Act::Answer(400, "x-echo: very-secret-token\r\n", TOKEN.into());
    let vendor = Vendor::start([echo, Act::Cut]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    let write = || {
        Request::post("t.write", "/x")
            .query("q", TOKEN)
            .json(&json!({ "body": TOKEN }))
    };
    let mut shown = format!("{api:?} {:?}", write());
    for _ in 0..2 {
        let failure = api.send(&cx, write()).await.unwrap_err();
        shown += &format!("{failure} {failure:?} {:?}", failure.answer());
        let mut source: Option<&dyn std::error::Error> = std::error::Error::source(&failure);
        while let Some(cause) = source {
            shown += &format!("{cause} {cause:?}");
            source = cause.source();
        }
    }
    shown += &serde_json::to_string(&cx.take_calls()).unwrap();
    assert!(!shown.contains(TOKEN), "{shown}");
}
