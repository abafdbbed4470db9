//! Conversations, and which CRM record each belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::EmailAddress;
use super::category::Category;
use super::id::{ConnectionId, MailboxId, ReviewId, ThreadId};
use super::record::RecordRef;
use crate::clock::Timestamp;

/// A conversation as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Grows by one with each committed change; a commit made from an older version is refused.
    pub version: u64,
    /// The normalised subject of its first mail.
    pub subject: String,
    /// Everybody who took part, at most [`Thread::MAX_PARTICIPANTS`].
    pub participants: Vec<EmailAddress>,
    /// Number of mails that joined.
    pub mails: u64,
    /// When the newest of them was received.
    pub last_received_at: Timestamp,
    /// The category of the mail that opened its record.
    pub category: Option<Category>,
    /// An open review item that later mails join.
    pub review: Option<ReviewId>,
    /// Its record in each sink.
    pub records: Vec<LinkedRecord>,
}

impl Thread {
    /// Participants that are kept; more add nothing to linking.
    pub const MAX_PARTICIPANTS: usize = 50;

    /// Returns the record in one sink.
    pub fn record(&self, connection: &ConnectionId) -> Option<&RecordRef> {
        let mut records = self.records.iter();
        records
            .find(|link| &link.connection == connection)
            .map(|link| &link.record)
    }
}

/// A thread's record in one sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedRecord {
    /// The sink.
    pub connection: ConnectionId,
    /// The record.
    pub record: RecordRef,
}

/// A text under which threads are looked up; several threads may share one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThreadKey(String);

impl ThreadKey {
    /// The key of a header Message-ID, compared without case and brackets, cut at 500 bytes.
    pub fn message_id(id: &str) -> Self {
        Self(format!(
            "m:{}",
            clipped(id.trim_matches(['<', '>', ' ']).to_lowercase())
        ))
    }

    /// The key of the source's own thread id.
    pub fn provider_thread(mailbox: &MailboxId, thread: &str) -> Self {
        Self(format!("p:{mailbox}:{}", clipped(thread.to_owned())))
    }

    /// The key of a correspondent and a normalised subject: weak evidence, never enough alone.
    pub fn subject(correspondent: &EmailAddress, normalised: &str) -> Self {
        Self(format!(
            "s:{correspondent}:{}",
            clipped(normalised.to_owned())
        ))
    }

    /// Tells whether the key names a conversation, as ids do and subjects do not.
    pub fn is_strong(&self) -> bool {
        !self.0.starts_with("s:")
    }

    /// Wraps the text that a store kept.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the text for a store to keep.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ThreadKey {
    /// Shows the kind of key only: keys hold addresses and subjects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadKey({}…)", self.0.get(..2).unwrap_or_default())
    }
}

fn clipped(mut text: String) -> String {
    let mut end = text.len().min(500);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
