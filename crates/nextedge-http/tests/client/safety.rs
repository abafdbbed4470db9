//! What must never happen: leaving the pinned host, following a redirect, growing without bound.

use std::io::Write;
use std::sync::Arc;

use flate2::{Compression, write::GzEncoder};
use nextedge_core::ErrorKind;
use nextedge_http::{ApiClient, Applied, Request};

use crate::support::{Act, TestClock, Vendor, client, context};

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut other = mockito::Server::new_async().await;
    let trap = other.mock("GET", "/x").expect(0).create_async().await;
    let mut vendor = mockito::Server::new_async().await;
    let location = format!("{}/x", other.url());
    vendor
        .mock("GET", "/x")
        .with_status(302)
        .with_header("location", &location)
        .create_async()
        .await;
    let api = client(&vendor.url()).build().unwrap();
    let cx = context("t1", &Arc::default());
    let failure = api
        .send(&cx, Request::get("t.read", "/x"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Config);
    trap.assert_async().await;
}

#[tokio::test]
async fn credentials_leave_only_to_pinned_hosts() {
    let (home, away) = (Vendor::start([]).await, Vendor::start([]).await);
    let api = client(&home.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    let request = || Request::get("t.read", "/x").base(away.url.parse().unwrap());
    let failure = api.send(&cx, request()).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.applied()),
        (ErrorKind::Config, Applied::No)
    );
    assert!(away.seen().is_empty());

    let api = client(&home.url)
        .allowed_hosts(["127.0.0.1"])
        .build()
        .unwrap();
    assert!(api.send(&cx, request()).await.is_ok());
    assert_eq!(away.seen().len(), 1);
}

#[test]
fn an_unsafe_base_is_refused_when_the_client_is_built() {
    for base in [
        "http://api.example.com",
        "https://u:p@api.example.com",
        "ftp://x",
        "no url",
        "https://x.org?a=b",
    ] {
        let refused = ApiClient::builder().base_url(base).build();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config, "{base}");
    }
}

#[tokio::test]
async fn an_answer_over_the_cap_is_refused_as_soon_as_it_is_known() {
    let bomb = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 4 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    assert!(bomb.len() < 1 << 16);
    let script = [
        Act::Announce(1 << 40),
        Act::Answer(200, "content-encoding: gzip\r\n", bomb),
        Act::Answer(200, "", vec![b' '; 1 << 20]),
    ];
    let vendor = Vendor::start(script).await;
    let api = client(&vendor.url)
        .max_response_bytes(1 << 20)
        .build()
        .unwrap();
    let cx = context("t1", &Arc::default());
    for _ in 0..2 {
        let failure = api
            .send(&cx, Request::post("t.write", "/x").keyed())
            .await
            .unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::LimitExceeded);
        assert_eq!(
            failure.error().context("max_response_bytes"),
            Some("1048576")
        );
        assert_eq!(failure.applied(), Applied::Maybe, "the vendor did answer");
    }
    let whole = api.send(&cx, Request::get("t.read", "/x")).await.unwrap();
    assert_eq!(whole.body().len(), 1 << 20);
}

#[tokio::test]
async fn a_compressed_answer_is_decoded() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"id":"1"}"#).unwrap();
    let body = encoder.finish().unwrap();
    let vendor = Vendor::start([Act::Answer(200, "content-encoding: gzip\r\n", body)]).await;
    let api = client(&vendor.url).build().unwrap();
    let cx = context("t1", &Arc::default());
    let answer = api.send(&cx, Request::get("t.read", "/x")).await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["id"], "1");
}

#[tokio::test]
async fn faulty_requests_are_refused_unsent() {
    let vendor = Vendor::start([]).await;
    let api = client(&vendor.url).max_request_bytes(10).build().unwrap();
    let cx = context("t1", &Arc::default());
    let post = || Request::post("t.write", "/x");
    let cases = [
        (post().header("authorization", "x"), ErrorKind::Invalid),
        (post().header("bad name", "x"), ErrorKind::Invalid),
        (post().header("x", "a\r\nb: c"), ErrorKind::Invalid),
        (
            post().json_bytes("[1,2,3,4,5,6,7]"),
            ErrorKind::LimitExceeded,
        ),
        (Request::get("t.read", "/a/../b"), ErrorKind::Invalid),
        (Request::get("t.read", "a"), ErrorKind::Invalid),
    ];
    for (request, kind) in cases {
        let failure = api.send(&cx, request).await.unwrap_err();
        assert_eq!((failure.kind(), failure.applied()), (kind, Applied::No));
    }
    assert!(vendor.seen().is_empty() && cx.take_calls().is_empty());
}

#[tokio::test]
async fn calls_of_all_tenants_share_kept_connections() {
    let vendor = Vendor::start([]).await;
    let api = client(&vendor.url).build().unwrap();
    let clock: Arc<TestClock> = Arc::default();
    for tenant in ["t1", "t2", "t1", "t3"] {
        let cx = context(tenant, &clock);
        let body = vec![b' '; 1 << 20];
        api.send(&cx, Request::post("t.write", "/x").json_bytes(body))
            .await
            .unwrap();
    }
    assert_eq!((vendor.seen().len(), vendor.connections()), (4, 1));
}
