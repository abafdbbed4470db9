//! CRM records in the library's own words.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::RecordId;

/// What kind of thing a CRM record is; each sink maps it to its own object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordKind {
    /// A person.
    Contact,
    /// A company.
    Company,
    /// Interest without a deal.
    Lead,
    /// A request for help.
    Case,
    /// A deal.
    Opportunity,
    /// A mail on the timeline.
    Activity,
    /// A note on the timeline.
    Note,
    /// An attached file.
    File,
    /// An object of the account's own; the text is the vendor's object name.
    Custom(String),
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Lead => "lead",
            Self::Case => "case",
            Self::Opportunity => "opportunity",
            Self::Activity => "activity",
            Self::Note => "note",
            Self::File => "file",
            Self::Custom(name) => name,
        })
    }
}

/// A record that exists in a CRM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// Its kind.
    pub kind: RecordKind,
    /// The id the CRM gave it.
    pub id: RecordId,
}

/// The name of a field in the CRM's own spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldName(Arc<str>);

impl FieldName {
    /// Wraps a name.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value for a CRM field; sinks turn it into the vendor's spelling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FieldValue {
    /// Text, already cut to the field's length.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// A moment, UTC.
    Time(crate::clock::Timestamp),
}
