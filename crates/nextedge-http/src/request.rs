//! One call to a vendor, as a connector describes it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use nextedge_core::{Error, ErrorKind, MessageUid, Result};
use serde_json::Value;
use url::Url;

use crate::response::{Response, ResponseSummary};

/// What a repetition of a request would do at the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // the retry rule must decide each
pub enum Idempotency {
    /// It changes nothing: repeated freely, and its failure never leaves an unknown outcome.
    Safe,
    /// It writes, and the vendor makes a repetition harmless (a unique key, or the same final
    /// state): repeated.
    Keyed,
    /// It writes, and a repetition could write twice: repeated only if it certainly did not arrive.
    Unkeyed,
}

/// One call to a vendor: what to send, whether it may be repeated, and what the audit may keep.
///
/// By default GET is [`Safe`](Idempotency::Safe), PUT and DELETE are
/// [`Keyed`](Idempotency::Keyed) (the same final state), POST and PATCH are
/// [`Unkeyed`](Idempotency::Unkeyed). Faults in its parts (a bad header, a body that does not
/// serialise) are reported by [`ApiClient::send`](crate::ApiClient::send), before anything is sent.
#[derive(Clone)]
pub struct Request {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) base: Option<Url>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) idempotency: Idempotency,
    pub(crate) auth: Auth,
    pub(crate) rate_class: Option<&'static str>,
    pub(crate) cost: u32,
    pub(crate) messages: Vec<MessageUid>,
    pub(crate) audit_path: Option<String>,
    pub(crate) audit_summary: Value,
    pub(crate) summarise: Option<Summarise>,
    pub(crate) fault: Option<&'static str>,
}

type Summarise = Arc<dyn Fn(&Response) -> ResponseSummary + Send + Sync>;

/// Whether a request bears the connection's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    Token,
    None,
}

/// What a request carries; cloning never copies content.
#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Bytes(HeaderValue, Bytes),
    Multipart(Vec<Part>),
}

impl Body {
    /// Returns the content's size, without the multipart framing.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Bytes(_, bytes) => bytes.len(),
            Self::Multipart(parts) => parts.iter().map(|part| part.bytes.len()).sum(),
        }
    }
}

impl Request {
    /// Starts a read. `operation` names the call in errors, audit and counts, such as
    /// `hubspot.contacts.get`; `path` begins with `/` and has no query.
    pub fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::GET, operation, path, Idempotency::Safe)
    }

    /// Starts a write (or, with [`safe`](Self::safe), a search).
    pub fn post(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::POST, operation, path, Idempotency::Unkeyed)
    }

    /// Starts a partial update.
    pub fn patch(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, operation, path, Idempotency::Unkeyed)
    }

    /// Starts a replacement.
    pub fn put(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::PUT, operation, path, Idempotency::Keyed)
    }

    /// Starts a removal.
    pub fn delete(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, operation, path, Idempotency::Keyed)
    }

    fn new(
        method: Method,
        operation: &'static str,
        path: impl Into<String>,
        idempotency: Idempotency,
    ) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            base: None,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            idempotency,
            auth: Auth::Token,
            rate_class: None,
            cost: 1,
            messages: Vec::new(),
            audit_path: None,
            audit_summary: Value::Null,
            summarise: None,
            fault: None,
        }
    }

    /// Calls this base URL instead of the client's; its host must be pinned.
    #[must_use]
    pub fn base(mut self, url: Url) -> Self {
        self.base = Some(url);
        self
    }

    /// Adds one query pair; it is encoded, and never part of errors or audit.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Sets a header; `authorization` belongs to the token provider and is refused.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).ok();
        match (name, HeaderValue::try_from(value)) {
            (Some(name), _) if name == http::header::AUTHORIZATION => {
                self.fault = Some("authorization header set by hand");
            }
            (Some(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => self.fault = Some("header is not valid"),
        }
        self
    }

    /// Carries a value as JSON.
    #[must_use]
    pub fn json<T: serde::Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(text) => self.json_bytes(text),
            Err(_) => {
                self.fault = Some("body does not serialise");
                self
            }
        }
    }

    /// Carries JSON that is already serialised; not copied, also over repetitions.
    #[must_use]
    pub fn json_bytes(self, json: impl Into<Bytes>) -> Self {
        self.bytes("application/json", json)
    }

    /// Carries bytes of any media type; not copied, also over repetitions.
    #[must_use]
    pub fn bytes(mut self, media_type: &str, bytes: impl Into<Bytes>) -> Self {
        match HeaderValue::try_from(media_type) {
            Ok(media_type) => self.body = Body::Bytes(media_type, bytes.into()),
            Err(_) => self.fault = Some("media type is not valid"),
        }
        self
    }

    /// Carries name and value pairs as a web form.
    #[must_use]
    pub fn form<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.bytes("application/x-www-form-urlencoded", text)
    }

    /// Carries parts as `multipart/form-data`; their bytes are streamed, not copied.
    #[must_use]
    pub fn multipart(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.body = Body::Multipart(parts.into_iter().collect());
        self
    }

    /// Declares what a repetition would do.
    #[must_use]
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// Declares that the vendor makes a repetition harmless.
    #[must_use]
    pub fn keyed(self) -> Self {
        self.idempotency(Idempotency::Keyed)
    }

    /// Declares that it changes nothing, such as a search sent by POST.
    #[must_use]
    pub fn safe(self) -> Self {
        self.idempotency(Idempotency::Safe)
    }

    /// Sends no token, for public endpoints and for the token endpoint itself.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.auth = Auth::None;
        self
    }

    /// Counts it against the buckets of this class too, such as `search`.
    #[must_use]
    pub fn rate_class(mut self, class: &'static str) -> Self {
        self.rate_class = Some(class);
        self
    }

    /// Sets how many calls of the quota it costs. Default: 1.
    #[must_use]
    pub fn cost(mut self, calls: u32) -> Self {
        self.cost = calls;
        self
    }

    /// Names the messages it concerns, for the audit.
    #[must_use]
    pub fn messages(mut self, messages: Vec<MessageUid>) -> Self {
        self.messages = messages;
        self
    }

    /// Sets what the audit keeps as path. Default: the path; set it where a path holds an address.
    #[must_use]
    pub fn audit_path(mut self, path: impl Into<String>) -> Self {
        self.audit_path = Some(path.into());
        self
    }

    /// Sets what the audit keeps of the request: field names and lengths, no values of a mail.
    /// Default: null.
    #[must_use]
    pub fn audit_summary(mut self, summary: Value) -> Self {
        self.audit_summary = summary;
        self
    }

    /// Sets how the audit sums up a successful answer: ids and counts, no values of a mail.
    /// Default: its length. Failures are summed up by their error codes.
    #[must_use]
    pub fn summarise_response(
        mut self,
        summarise: impl Fn(&Response) -> ResponseSummary + Send + Sync + 'static,
    ) -> Self {
        self.summarise = Some(Arc::new(summarise));
        self
    }

    /// Tells whether it can change something at the vendor.
    pub fn writes(&self) -> bool {
        self.idempotency != Idempotency::Safe
    }

    /// Refuses a request that cannot be sent as described.
    pub(crate) fn check(&self, max_body: usize) -> Result<()> {
        if let Some(fault) = self.fault {
            return Err(Error::new(ErrorKind::Invalid, fault).with_operation(self.operation));
        }
        if self.body.len() > max_body {
            return Err(Error::new(ErrorKind::LimitExceeded, "request is too large")
                .with_operation(self.operation)
                .with_context("bytes", self.body.len())
                .with_context("max_request_bytes", max_body));
        }
        Ok(())
    }
}

impl fmt::Debug for Request {
    /// Shows neither body, query, path nor header values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("idempotency", &self.idempotency)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// One part of a multipart form.
#[derive(Clone)]
pub struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) media_type: Option<String>,
    pub(crate) bytes: Bytes,
}

impl Part {
    /// Makes a plain text field.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            file_name: None,
            media_type: None,
            bytes: Bytes::from(text.into()),
        }
    }

    /// Makes a file; the bytes are shared, not copied.
    pub fn file(
        name: impl Into<String>,
        file_name: impl Into<String>,
        media_type: impl Into<String>,
        bytes: impl Into<Bytes>,
    ) -> Self {
        Self {
            name: name.into(),
            file_name: Some(file_name.into()),
            media_type: Some(media_type.into()),
            bytes: bytes.into(),
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Encodes an id or address as one path segment, so that it can never reach another endpoint.
///
/// ```
/// assert_eq!(nextedge_http::path_segment("a/b?c"), "a%2Fb%3Fc");
/// assert_eq!(nextedge_http::path_segment(".."), "%252E%252E");
/// ```
pub fn path_segment(text: &str) -> String {
    // "." and ".." are dot segments even when encoded once, so they are encoded twice: no vendor
    // has such an id, and the call then fails as unknown instead of reaching another path.
    if text == "." || text == ".." {
        return text.replace('.', "%252E");
    }
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                segment.push(char::from(byte));
            }
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}
