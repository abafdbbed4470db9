//! Alerts as signed JSON to a web address.

use std::fmt;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use nextedge_core::alert::{Notice, Notifier};
use nextedge_core::{CallContext, Error, ErrorKind, Result, Secret};
use serde::Serialize;
use serde_json::json;
use sha2::Sha256;
use url::Url;

use crate::{ApiClient, Request, RetryOptions};

/// Posts each [`Notice`] as JSON to one address.
///
/// The body is the notice and its `id`, which stays the same when a notice is told again, so that a
/// receiver can leave repetitions out. Two headers let the receiver check who sent it:
/// `x-nextedge-timestamp` (seconds since 1970) and `x-nextedge-signature`, `sha256=` and the
/// hexadecimal HMAC-SHA256 of `timestamp.body` under the shared secret. Only https is allowed, plain
/// http to the own machine only; redirects are not followed. Each post is tried up to three times
/// within the time the engine gives, and leaves a row in the audit without the address's path.
///
/// ```
/// use nextedge_core::Secret;
/// use nextedge_http::WebhookNotifier;
///
/// let secret = Secret::new("shared-with-the-receiver");
/// let notifier = WebhookNotifier::new("https://hooks.example.com/nextedge", secret)?;
/// # let _ = notifier;
/// # Ok::<(), nextedge_core::Error>(())
/// ```
pub struct WebhookNotifier {
    api: ApiClient,
    path: String,
    query: Vec<(String, String)>,
    secret: Secret,
}

impl WebhookNotifier {
    /// Takes the address, and the secret that the receiver knows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the address is not usable or the secret is shorter than
    /// [`WebhookNotifier::MIN_SECRET`] bytes.
    pub fn new(address: &str, secret: Secret) -> Result<Self> {
        Self::with_retry(address, secret, RetryOptions::default())
    }

    /// [`new`](Self::new) with other tries of one post than the default three.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_retry(address: &str, secret: Secret, retry: RetryOptions) -> Result<Self> {
        let refused = |message| Error::new(ErrorKind::Config, message).with_operation("webhook");
        if secret.expose().len() < Self::MIN_SECRET {
            return Err(refused("the secret of a webhook is too short")
                .with_context("least_bytes", Self::MIN_SECRET));
        }
        let mut url = Url::parse(address).map_err(|error| {
            refused("the address of a webhook cannot be read").with_source(error)
        })?;
        let path = url.path().to_owned();
        let pairs = url.query_pairs();
        let query = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        let query = query.collect();
        url.set_path("");
        url.set_query(None);
        let api = ApiClient::builder()
            .base_url(url.as_str().trim_end_matches('/'))
            .retry(retry)
            .max_response_bytes(MAX_ANSWER)
            .build()?;
        Ok(Self {
            api,
            path,
            query,
            secret,
        })
    }

    /// The shortest secret, in bytes.
    pub const MIN_SECRET: usize = 16;

    fn signature(&self, timestamp: i64, body: &[u8]) -> Result<String> {
        let key = self.secret.expose().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key)
            .map_err(|_| Error::new(ErrorKind::Unexpected, "no key for the signature"))?;
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        let digest = mac.finalize().into_bytes();
        Ok(digest.iter().fold("sha256=".to_owned(), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        }))
    }
}

impl fmt::Debug for WebhookNotifier {
    /// Leaves the path out, which is often the password of a webhook.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookNotifier")
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    id: String,
    #[serde(flatten)]
    notice: &'a Notice,
}

/// The same for the same change of the same alert.
fn id_of(notice: &Notice) -> String {
    let alert = &notice.alert;
    format!(
        "{}/{}/{}/{}/{}",
        alert.tenant,
        alert.rule,
        alert.subject,
        notice.change.as_str(),
        notice.at.timestamp_micros(),
    )
}

#[async_trait]
impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        "webhook"
    }

    async fn notify(&self, cx: &CallContext, notice: &Notice) -> Result<()> {
        let id = id_of(notice);
        let body = serde_json::to_vec(&Body { id, notice }).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "a notice cannot be written").with_source(error)
        })?;
        let timestamp = cx.now().timestamp();
        let mut request = Request::post("webhook.notice", self.path.as_str())
            .header("x-nextedge-timestamp", &timestamp.to_string())
            .header("x-nextedge-signature", &self.signature(timestamp, &body)?)
            .json_bytes(body)
            .anonymous()
            // the receiver leaves out what it knows by id
            .keyed()
            // the path of a webhook is often its password
            .audit_path("(webhook)")
            .audit_summary(json!({
                "rule": notice.alert.rule,
                "change": notice.change.as_str(),
            }));
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        self.api.send(cx, request).await?;
        Ok(())
    }
}

/// What is read of an answer.
const MAX_ANSWER: usize = 64 << 10;
