//! What a vendor answered.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use nextedge_core::{Error, ErrorKind, RecordId, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A complete answer: status, headers, body within the cap.
#[derive(Clone)]
pub struct Response {
    operation: &'static str,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Response {
    /// Builds an answer, for tests of mappers and summaries.
    pub fn new(
        operation: &'static str,
        status: StatusCode,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            operation,
            status,
            headers,
            body: body.into(),
        }
    }

    /// Returns the call it answers.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns a header's text, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the body, decoded.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Takes the body.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unexpected`] with line and column, never with content. After a write this
    /// means: applied, but the answer was not understood.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|fault| {
            Error::new(ErrorKind::Unexpected, "answer is not the expected json")
                .with_operation(self.operation)
                .with_context("status", self.status.as_u16())
                .with_context("line", fault.line())
                .with_context("column", fault.column())
        })
    }
}

impl fmt::Debug for Response {
    /// Shows neither headers nor body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("operation", &self.operation)
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What the audit keeps of a successful answer.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by connectors
pub struct ResponseSummary {
    /// Ids, codes and counts; no values of a mail.
    pub value: Value,
    /// The records that the answer named.
    pub records: Vec<RecordId>,
}
