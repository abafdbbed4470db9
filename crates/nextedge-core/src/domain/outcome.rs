//! The one state a message is in, for the accounting.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{MessageUid, ReviewId};

/// The state of one sighting; every committed sighting has exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the accounting equation is over exactly these five
pub enum Outcome {
    /// Work remains.
    Pending,
    /// Every sink has it.
    Delivered,
    /// Kept here, not written, for a reason.
    Parked {
        /// Why.
        reason: ParkReason,
    },
    /// A person decides.
    Review {
        /// The item that waits.
        item: ReviewId,
    },
    /// Given up after every attempt; can be replayed.
    Dead {
        /// Why.
        reason: DeadReason,
    },
}

impl Outcome {
    /// Returns the state without its detail.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Pending => OutcomeKind::Pending,
            Self::Delivered => OutcomeKind::Delivered,
            Self::Parked { .. } => OutcomeKind::Parked,
            Self::Review { .. } => OutcomeKind::Review,
            Self::Dead { .. } => OutcomeKind::Dead,
        }
    }

    /// Returns the detail in words, or an empty text.
    pub fn reason(&self) -> String {
        match self {
            Self::Pending | Self::Delivered | Self::Review { .. } => String::new(),
            Self::Parked { reason } => reason.to_string(),
            Self::Dead { reason } => reason.to_string(),
        }
    }
}

/// An [`Outcome`] without its detail; `Ord` is from best to worst over several sinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // see Outcome
pub enum OutcomeKind {
    /// See [`Outcome::Parked`].
    Parked,
    /// See [`Outcome::Delivered`].
    Delivered,
    /// See [`Outcome::Review`].
    Review,
    /// See [`Outcome::Dead`].
    Dead,
    /// See [`Outcome::Pending`].
    Pending,
}

impl OutcomeKind {
    /// All five.
    pub const ALL: [OutcomeKind; 5] = [
        Self::Pending,
        Self::Delivered,
        Self::Parked,
        Self::Review,
        Self::Dead,
    ];

    /// Returns the name as written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Review => "review",
            Self::Dead => "dead",
        }
    }

    /// Tells whether a message may go from this state to another.
    ///
    /// The table of allowed transitions: a terminal state is left only by a release (parked), a
    /// replay (dead) or a person's decision (review: also to delivered, if other sinks have it);
    /// `delivered` is final.
    pub fn may_become(self, next: OutcomeKind) -> bool {
        use OutcomeKind::{Dead, Delivered, Parked, Pending, Review};
        match (self, next) {
            (Pending, _) | (Review, Pending | Parked | Dead | Delivered) => true,
            (Parked | Dead, Pending) | (Dead, Parked) => true,
            (Delivered | Parked | Dead | Review, _) => self == next,
        }
    }
}

/// Why a message is kept but not written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", content = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParkReason {
    /// It vanished at the source before we read it.
    Gone,
    /// The source says it is an unsent draft.
    Draft,
    /// It exceeds a safety limit; the raw bytes are kept. The text names the limit.
    Quarantined(String),
    /// The same mail was seen before, as this message.
    DuplicateOf(MessageUid),
    /// Machine mail; the text names the kind: `bounce`, `auto_reply`, `list`, `newsletter`,
    /// `calendar`, `loop`, `no_reply`, `own_echo`.
    Machine(String),
    /// The tenant's privacy filter keeps it out; the text names the filter.
    Filtered(String),
    /// Our own side wrote it and no linked record takes it.
    Outbound,
    /// Confidently nothing for a CRM.
    NotRelevant,
    /// A rule of the tenant parks it; the text names the rule.
    Rule(String),
    /// A hook of the embedder parks it; the text is the hook's own.
    Hook(String),
    /// A person rejected it.
    Rejected,
    /// A review item ran out of time.
    Expired,
    /// The person or tenant was erased.
    Erased,
    /// No sink is connected for this tenant.
    NoSink,
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("gone"),
            Self::Draft => f.write_str("draft"),
            Self::Quarantined(limit) => write!(f, "quarantined:{limit}"),
            Self::DuplicateOf(message) => write!(f, "duplicate_of:{message}"),
            Self::Machine(kind) => write!(f, "machine:{kind}"),
            Self::Filtered(filter) => write!(f, "filtered:{filter}"),
            Self::Outbound => f.write_str("outbound"),
            Self::NotRelevant => f.write_str("not_relevant"),
            Self::Rule(rule) => write!(f, "rule:{rule}"),
            Self::Hook(hook) => write!(f, "hook:{hook}"),
            Self::Rejected => f.write_str("rejected"),
            Self::Expired => f.write_str("expired"),
            Self::Erased => f.write_str("erased"),
            Self::NoSink => f.write_str("no_sink"),
        }
    }
}

/// Why a message was given up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", content = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeadReason {
    /// The source could not give it; the text is the last error.
    Fetch(String),
    /// Reading or planning it failed; the text is the last error.
    Process(String),
    /// The CRM refused it for good; the text is the last error.
    Deliver(String),
    /// It took the process down three times when handled alone.
    Crash,
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => write!(f, "fetch:{error}"),
            Self::Process(error) => write!(f, "process:{error}"),
            Self::Deliver(error) => write!(f, "deliver:{error}"),
            Self::Crash => f.write_str("crash"),
        }
    }
}
