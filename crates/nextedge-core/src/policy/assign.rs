//! Who gets new records.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An owner of records, in the CRM's own spelling; it comes from the policy, never from a mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// Wraps the CRM's id of an owner.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How new records get an owner; existing ones are never reassigned.
///
/// In TOML: `[assignment.round_robin]` with `owners = ["17", "23"]`, or `assignment = "nobody"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Assignment {
    /// Nobody; the CRM's own rules apply.
    #[default]
    Nobody,
    /// Always the same owner.
    Fixed(Owner),
    /// Each in turn; the turn is a counter in the store.
    RoundRobin {
        /// The owners in order.
        owners: Vec<Owner>,
    },
    /// Who has the fewest deliveries of ours that are still open; the first of them wins a tie.
    LeastBusy {
        /// The owners in order.
        owners: Vec<Owner>,
    },
    /// By domain, country or language of the sender.
    Territory {
        /// The territories; the first that fits wins.
        territories: Vec<Territory>,
        /// Who gets the rest; nobody if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<Owner>,
    },
}

/// One territory; every list that is not empty must have an entry that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct Territory {
    /// Who gets it.
    pub owner: Owner,
    /// Sender domains, or domains above them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Countries as top-level domains, such as `de` or `uk`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// ISO 639-1 languages of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
}
