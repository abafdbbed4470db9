//! Alerts as signed JSON: what the receiver gets, and what a failure costs.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use mockito::{Matcher, Server};
use nextedge_core::alert::{Alert, Change, Notice, Notifier, Subject};
use nextedge_core::*;
use nextedge_http::{RetryOptions, WebhookNotifier};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "shared-with-the-receiver";

fn notice() -> Notice {
    Notice {
        change: Change::Raised,
        at: ManualClock::default().now(),
        alert: Alert {
            rule: "dead_letters".to_owned(),
            tenant: TenantId::new("acme").unwrap(),
            subject: Subject::Mailbox(MailboxId::new("sales").unwrap()),
            since: ManualClock::default().now(),
            facts: "3 messages were given up".to_owned(),
            next_step: "replay them".to_owned(),
        },
    }
}

fn cx() -> CallContext {
    let id = ConnectionId::new("notifier").unwrap();
    let connection = Connection::new(id, "notifier", ConnectionRole::Sink);
    let (tenant, budget) = (TenantId::new("acme").unwrap(), Duration::from_secs(30));
    let clock = Arc::new(ManualClock::default());
    CallContext::with_clock(tenant, Arc::new(connection), budget, clock)
}

fn signature(timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test]
async fn a_notice_arrives_as_signed_json_and_leaves_an_audit_row_without_its_path() {
    let mut server = Server::new_async().await;
    let hook = server
        .mock("POST", "/hooks/T0P-S3CRET")
        .match_query(Matcher::UrlEncoded("room".into(), "a b".into()))
        .match_request(|request| {
            let header = |name| request.header(name)[0].to_str().unwrap().to_owned();
            let body = request.body().unwrap();
            let sent: Value = serde_json::from_slice(body).unwrap();
            header("x-nextedge-signature") == signature(&header("x-nextedge-timestamp"), body)
                && header("x-nextedge-timestamp") == "1767225600"
                && sent["change"] == "raised"
                && sent["id"]
                    .as_str()
                    .unwrap()
                    .contains("acme/dead_letters/mailbox sales")
                && sent["alert"]["subject"] == json!({ "kind": "mailbox", "id": "sales" })
                && sent["alert"]["facts"] == "3 messages were given up"
        })
        .create_async()
        .await;
    let address = format!("{}/hooks/T0P-S3CRET?room=a%20b", server.url());
    let notifier = WebhookNotifier::new(&address, Secret::new(SECRET)).unwrap();
    let cx = cx();
    notifier.notify(&cx, &notice()).await.unwrap();
    hook.assert_async().await;
    let calls = cx.take_calls();
    assert_eq!((calls.len(), calls[0].status), (1, Some(200)));
    let shown = format!("{calls:?} {notifier:?}");
    assert!(
        !shown.contains("T0P-S3CRET") && !shown.contains(SECRET),
        "{shown}"
    );
}

#[tokio::test]
async fn a_refused_notice_is_an_error_without_the_address() {
    let mut server = Server::new_async().await;
    let hook = server
        .mock("POST", "/hooks/T0P-S3CRET")
        .with_status(500)
        .create_async()
        .await;
    let address = format!("{}/hooks/T0P-S3CRET", server.url());
    let secret = Secret::new(SECRET);
    let notifier = WebhookNotifier::with_retry(&address, secret, RetryOptions::never()).unwrap();
    let error = notifier.notify(&cx(), &notice()).await.unwrap_err();
    hook.assert_async().await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("T0P-S3CRET"), "{shown}");
}

#[test]
fn an_unsafe_webhook_is_refused() {
    let refused = |address: &str, secret: &str| {
        WebhookNotifier::new(address, Secret::new(secret))
            .unwrap_err()
            .kind()
    };
    assert_eq!(
        refused("http://hooks.example.com/x", SECRET),
        ErrorKind::Config
    );
    assert_eq!(refused("no address", SECRET), ErrorKind::Config);
    assert_eq!(
        refused("https://hooks.example.com/x", "short"),
        ErrorKind::Config
    );
}
