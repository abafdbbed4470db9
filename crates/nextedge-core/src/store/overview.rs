//! What stands where, for people: counts of each job, lanes, and the last errors, in one reading.

use serde::{Deserialize, Serialize};

use super::ledger::Counts;
use crate::clock::Timestamp;
use crate::domain::{ConnectionId, MailboxId, MessageUid};
use crate::error::ErrorReport;

/// The answer of [`Ledger::overview`](super::Ledger::overview).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Overview {
    /// Each mailbox that was put, in id order, at most as many as asked.
    pub mailboxes: Vec<MailboxWork>,
    /// Each sink that a message was planned for, in id order.
    pub sinks: Vec<SinkWork>,
}

/// What stands in one mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct MailboxWork {
    /// Which.
    pub mailbox: MailboxId,
    /// Its messages by outcome.
    pub counts: Counts,
    /// Messages whose raw bytes are wanted.
    pub fetch: u64,
    /// Messages that wait for a decision.
    pub process: u64,
    /// The latest error of one of its messages, whatever became of the message.
    pub last_error: Option<MessageError>,
    /// Runs that failed since the last one that ended well, counted up to
    /// [`MailboxWork::MAX_FAILED_RUNS`].
    pub failed_runs: u64,
    /// When the first of these failed runs started.
    pub failing_since: Option<Timestamp>,
    /// What the last two complete listings showed.
    pub listed: Option<Listed>,
}

impl MailboxWork {
    /// Failed runs in a row are counted up to this many.
    pub const MAX_FAILED_RUNS: u32 = 100;
}

/// What the last two listings from start to end showed; both ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Listed {
    /// Stubs of the last one.
    pub last: u64,
    /// Stubs of the one before.
    pub before: u64,
    /// When the last one started.
    pub at: Timestamp,
}

/// An error of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct MessageError {
    /// The message.
    pub message: MessageUid,
    /// When it was kept.
    pub at: Timestamp,
    /// What went wrong.
    pub error: ErrorReport,
}

/// What stands at one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct SinkWork {
    /// Which.
    pub connection: ConnectionId,
    /// Its deliveries by outcome.
    pub counts: Counts,
    /// Its delivery lanes.
    pub lanes: LaneCounts,
}

/// Delivery lanes by what they wait for; a lane without open work is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct LaneCounts {
    /// Could be claimed, if the connection's gate and the caps allow.
    pub waiting: u64,
    /// Wait for their next attempt.
    pub delayed: u64,
    /// Held by a claim.
    pub held: u64,
    /// Wait for a person to decide a review item.
    pub review: u64,
    /// Stopped by a dead letter that a later mail depends on, until it is replayed or parked.
    pub parked: u64,
}
