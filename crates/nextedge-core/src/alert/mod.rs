//! Alerts: rules as data over the [`Status`](crate::engine::Status) of a tenant, and who is told.
//!
//! A rule is evaluated by a pure function, so the same rules serve the engine, a program that shows
//! a status, and a test. The engine tells each [`Notifier`] once when an alert is raised and once
//! when it is cleared.
//!
//! ```
//! use nextedge_core::alert::AlertRules;
//!
//! let rules = AlertRules::from_toml(r#"
//! [[rule]]
//! name = "dead_letters"
//! when = "dead_letters"
//! more_than = 5
//! next_step = "look at them, then replay"
//! "#)?;
//! assert_eq!(rules.iter().len(), 1);
//! assert!(AlertRules::default().iter().any(|rule| rule.name == "no_completed_sync"));
//! # Ok::<(), nextedge_core::Error>(())
//! ```

mod evaluate;
mod notify;
mod rule;

pub use notify::{Change, Notice, Notifier};
pub use rule::{AlertCondition, AlertRule, AlertRules};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::domain::{ConnectionId, MailboxId, TenantId};

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Alert {
    /// The name of the rule.
    pub rule: String,
    /// Whose.
    pub tenant: TenantId,
    /// What it is about.
    pub subject: Subject,
    /// Since when, as far as it is known; else when it was first seen.
    pub since: Timestamp,
    /// What was found, in words, with the numbers; never a body, a token or an address.
    pub facts: String,
    /// What a person does next.
    pub next_step: String,
}

impl Alert {
    /// Tells whether two alerts are one: the same rule about the same subject.
    pub fn is_same(&self, other: &Self) -> bool {
        self.rule == other.rule && self.tenant == other.tenant && self.subject == other.subject
    }
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
#[non_exhaustive]
pub enum Subject {
    /// A mailbox.
    Mailbox(MailboxId),
    /// A connection.
    Connection(ConnectionId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(id) => write!(f, "mailbox {id}"),
            Self::Connection(id) => write!(f, "connection {id}"),
        }
    }
}
