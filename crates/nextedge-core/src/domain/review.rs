//! Items that a person decides.

use serde::{Deserialize, Serialize};

use super::category::{Category, Confidence};
use super::id::{MessageUid, ReviewId, ThreadId};
use super::plan::Plan;
use crate::clock::Timestamp;

/// One question to a person, with the plan that an approval delivers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// Its id.
    pub id: ReviewId,
    /// Grows by one with each change; a decision on an older version is refused.
    pub version: u64,
    /// The message that opened it.
    pub message: MessageUid,
    /// Its thread; later mails of a thread without a record join the item.
    pub thread: ThreadId,
    /// Messages that wait for it, the opener first, in thread order.
    pub waiting: Vec<MessageUid>,
    /// Why a person is asked.
    pub reason: ReviewReason,
    /// The reason in words.
    pub explanation: String,
    /// The decoded subject, for the list.
    pub subject: String,
    /// The proposed category.
    pub category: Category,
    /// How sure the classifier was.
    pub confidence: Confidence,
    /// What an approval delivers, one plan a sink.
    pub plans: Vec<Plan>,
    /// Open or decided.
    pub state: ReviewState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it parks itself as expired.
    pub expires_at: Timestamp,
}

/// Why a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", content = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReviewReason {
    /// The confidence is below the category's threshold.
    LowConfidence,
    /// More than one thread fits.
    AmbiguousThread,
    /// More than one contact or company fits.
    AmbiguousParty,
    /// The sender could not be verified.
    Unverified,
    /// Classifiers disagree, or the text addresses an assistant.
    Suspicious,
    /// No classifier answered.
    NoAnswer,
    /// A named rule of the tenant asks for it.
    Rule(String),
    /// A hook of the embedder asks for it.
    Hook(String),
    /// The CRM refused the content; the text names the field.
    Refused(String),
    /// The thread's record was deleted in the CRM.
    RecordGone,
    /// The sender is already a contact and the policy asks.
    KnownParty,
    /// The contents of a field map and the CRM's schema drifted apart; the text names the field.
    Drift(String),
}

/// Whether an item waits or was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the life of an item
pub enum ReviewState {
    /// It waits.
    Open,
    /// A person approved it.
    Approved,
    /// A person rejected it.
    Rejected,
    /// A person corrected the category; new plans were made.
    Corrected,
    /// Nobody decided in time.
    Expired,
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // stores must carry out each
pub enum ReviewDecision {
    /// Deliver exactly the plans shown, and the waiting mails after them.
    Approve,
    /// Park the waiting mails as rejected.
    Reject,
    /// Deliver these plans instead; made by the engine from the corrected category.
    Correct {
        /// The category the person gave.
        category: Category,
        /// The new plans: for each waiting message those of every sink, in order.
        plans: Vec<Plan>,
    },
    /// The time to decide ran out.
    Expire,
}
