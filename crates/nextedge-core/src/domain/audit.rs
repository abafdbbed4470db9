//! What was asked of a CRM and what it answered: append-only.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{ConnectionId, MessageUid, RecordId};
use crate::clock::Timestamp;

/// One call to a vendor, as the HTTP layer saw it; redacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// When it was sent.
    pub at: Timestamp,
    /// The call's name, such as `hubspot.contacts.batch_upsert`.
    pub operation: String,
    /// The HTTP verb.
    pub verb: String,
    /// The path without query.
    pub path: String,
    /// The status, or none if no answer came.
    pub status: Option<u16>,
    /// How long it took.
    pub duration: Duration,
    /// Whether it can change something at the vendor.
    pub writes: bool,
    /// Which messages it concerned.
    #[serde(default)]
    pub messages: Vec<MessageUid>,
    /// Which records the answer named.
    #[serde(default)]
    pub records: Vec<RecordId>,
    /// The request without values of mail content: field names and lengths.
    pub request: serde_json::Value,
    /// The answer without values of mail content: ids, codes and counts.
    pub response: serde_json::Value,
}

impl CallRecord {
    /// The operation of [`interrupted`](Self::interrupted) records.
    pub const INTERRUPTED: &'static str = "attempt.interrupted";

    /// Says that an attempt at these messages ended without telling which calls it had made.
    ///
    /// It is no call: it stands for those that nobody can name any more.
    pub fn interrupted(at: Timestamp, mut messages: Vec<MessageUid>) -> Self {
        messages.sort_unstable();
        let note = "its worker ended before it told its calls; they may have changed something";
        Self {
            at,
            operation: Self::INTERRUPTED.to_owned(),
            verb: String::new(),
            path: String::new(),
            status: None,
            duration: Duration::ZERO,
            writes: true,
            messages,
            records: Vec::new(),
            request: serde_json::Value::Null,
            response: serde_json::json!({ "note": note }),
        }
    }

    /// Tells whether this stands for calls that nobody can name any more.
    pub fn is_interrupted(&self) -> bool {
        self.operation == Self::INTERRUPTED
    }
}

/// A [`CallRecord`] as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Grows with each row of a tenant.
    pub seq: u64,
    /// The connection that was called.
    pub connection: ConnectionId,
    /// The call.
    #[serde(flatten)]
    pub call: CallRecord,
}
