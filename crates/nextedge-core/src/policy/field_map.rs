//! How a decision becomes CRM fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Category, FieldName, Priority, RecordKind};

/// How decisions become fields of one sink connection.
///
/// The TOML form has the same names. A connector ships a default; a tenant may put its own, which
/// is checked against the account's metadata before the first mail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally by connectors
pub struct FieldMap {
    /// Fields of the contact; an existing contact only gets those that are empty there.
    #[serde(default)]
    pub contact: BTreeMap<FieldName, Template>,
    /// Fields of the company.
    #[serde(default)]
    pub company: BTreeMap<FieldName, Template>,
    /// Fields of the activity beside those the connector sets itself.
    #[serde(default)]
    pub activity: BTreeMap<FieldName, Template>,
    /// What each category creates.
    #[serde(default)]
    pub categories: BTreeMap<Category, CategoryMap>,
    /// The CRM's word for each priority, used as `{{ priority }}` in templates.
    #[serde(default)]
    pub priorities: BTreeMap<Priority, String>,
    /// Longest text of a field in characters, as `kind.field`; filled by the preflight.
    #[serde(default)]
    pub lengths: BTreeMap<String, usize>,
}

/// What one category creates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)] // see FieldMap
pub struct CategoryMap {
    /// The kind of record; `contact` creates no record beside the contact.
    pub kind: RecordKind,
    /// Its fields.
    #[serde(default)]
    pub fields: BTreeMap<FieldName, Template>,
    /// What to do instead if the CRM already knows the sender.
    #[serde(default)]
    pub known_party: KnownParty,
    /// Fields set on a contact that is created or enriched for this category.
    #[serde(default)]
    pub contact: BTreeMap<FieldName, Template>,
    /// Fields set on the linked record when a later mail of the thread joins, such as a reopen status.
    #[serde(default)]
    pub on_reply: BTreeMap<FieldName, Template>,
}

/// What to do if the CRM already knows the sender.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KnownParty {
    /// The same as for an unknown sender.
    #[default]
    Same,
    /// Another record, such as a deal instead of a lead.
    Instead(Box<CategoryMap>),
    /// Only the mail on the contact's timeline.
    ActivityOnly,
    /// Ask a person.
    Review,
}

/// A text with `{{ … }}` placeholders, evaluated with bounded fuel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
