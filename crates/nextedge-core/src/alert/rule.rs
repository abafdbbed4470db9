//! Rules as data: what is watched, from which number on, and what a person does then.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The rules of an engine; the default ones suit most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRules {
    #[serde(rename = "rule")]
    rules: Vec<AlertRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // configuration
pub struct AlertRule {
    /// Its name, unique among the rules; it stands in alerts and metrics.
    pub name: String,
    /// What it watches.
    #[serde(flatten)]
    pub condition: AlertCondition,
    /// What a person does when it fires.
    pub next_step: String,
}

/// What a rule watches, with its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "when", deny_unknown_fields)]
#[non_exhaustive]
pub enum AlertCondition {
    /// A mailbox that is followed was not proven complete for so long; default 60 minutes.
    NoCompletedSync {
        /// From so many minutes on.
        minutes: u32,
    },
    /// No mailbox of a source connection ended a run well since more than so many failed ones, all
    /// its mailboxes counted together; default 2.
    FailedInARow {
        /// From one more than this on.
        more_than: u64,
    },
    /// More than so many runs of one mailbox failed in a row; default 3.
    MailboxFailing {
        /// From one more than this on.
        more_than: u64,
    },
    /// The last complete listing of a mailbox showed more than so many per cent fewer messages than
    /// the one before; default 10.
    TotalFell {
        /// From more than so many per cent on.
        percent: u8,
    },
    /// A mailbox has more than so many dead letters; default 0.
    DeadLetters {
        /// From one more than this on.
        more_than: u64,
    },
    /// More than so many delivery lanes of a sink are stopped by a dead letter; default 0.
    LaneParked {
        /// From one more than this on.
        more_than: u64,
    },
    /// The grant of a connection is gone.
    TokenRevoked,
}

impl AlertRules {
    /// Most rules.
    pub const MAX: usize = 100;

    /// Takes rules.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the rule: a name that is empty or used twice, a threshold that
    /// can never or always be passed, or more than [`AlertRules::MAX`] rules.
    pub fn new(rules: Vec<AlertRule>) -> Result<Self> {
        if rules.len() > Self::MAX {
            return Err(refused("too many alert rules", "").with_context("most", Self::MAX));
        }
        for (index, rule) in rules.iter().enumerate() {
            if rule.name.trim().is_empty() {
                return Err(refused("an alert rule has no name", ""));
            }
            if rules[..index].iter().any(|other| other.name == rule.name) {
                return Err(refused("two alert rules have the same name", &rule.name));
            }
            match rule.condition {
                AlertCondition::NoCompletedSync { minutes: 0 } => {
                    return Err(refused("minutes must be at least 1", &rule.name));
                }
                AlertCondition::TotalFell { percent: 100.. } => {
                    return Err(refused("percent must be below 100", &rule.name));
                }
                _ => {}
            }
        }
        Ok(Self { rules })
    }

    /// No rules: nothing is watched.
    pub fn none() -> Self {
        Self { rules: Vec::new() }
    }

    /// Reads rules in TOML, a `[[rule]]` each.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with the place of a fault, and those of [`AlertRules::new`].
    pub fn from_toml(text: &str) -> Result<Self> {
        let read: Self = toml::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Config, "alert rules refused")
                .with_operation("alert.rules")
                .with_context("fault", error.message())
                .with_action("see the table of alert rules in docs/guide/operations.md")
        })?;
        Self::new(read.rules)
    }

    /// Writes the rules in TOML.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unexpected`] if a name cannot be written.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "alert rules cannot be written").with_source(error)
        })
    }

    /// Yields the rules in order.
    pub fn iter(&self) -> std::slice::Iter<'_, AlertRule> {
        self.rules.iter()
    }
}

impl Default for AlertRules {
    /// One rule of each condition, each with its default threshold.
    fn default() -> Self {
        let rule = |name: &str, condition, next_step: &str| AlertRule {
            name: name.to_owned(),
            condition,
            next_step: next_step.to_owned(),
        };
        Self {
            rules: vec![
                rule(
                    "no_completed_sync",
                    AlertCondition::NoCompletedSync { minutes: 60 },
                    "see the last runs and errors of the mailbox; check that an engine runs",
                ),
                rule(
                    "failed_in_a_row",
                    AlertCondition::FailedInARow { more_than: 2 },
                    "read the error of the last run; check the account and the source's own status",
                ),
                rule(
                    "mailbox_failing",
                    AlertCondition::MailboxFailing { more_than: 3 },
                    "read the error of the last run; check that the mailbox still exists",
                ),
                rule(
                    "total_fell",
                    AlertCondition::TotalFell { percent: 10 },
                    "check whether mail was deleted or moved, or the account sees fewer folders",
                ),
                rule(
                    "dead_letters",
                    AlertCondition::DeadLetters { more_than: 0 },
                    "read why they were given up, mend it, then replay them",
                ),
                rule(
                    "lane_parked",
                    AlertCondition::LaneParked { more_than: 0 },
                    "replay or park the dead letter: later mail of its thread waits for it",
                ),
                rule(
                    "token_revoked",
                    AlertCondition::TokenRevoked,
                    "authorise the connection again; its mailboxes and maps are kept",
                ),
            ],
        }
    }
}

fn refused(message: &'static str, rule: &str) -> Error {
    Error::new(ErrorKind::Config, message)
        .with_operation("alert.rules")
        .with_context("rule", rule)
        .with_action("correct the rule; see docs/guide/operations.md")
}
