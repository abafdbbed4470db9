//! How a decision becomes CRM fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::import;
use crate::domain::{Category, FieldName, Priority, RecordKind};
use crate::error::Result;

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

impl FieldMap {
    /// Reads the TOML form; [`CompiledMap`](crate::stage::map::CompiledMap) checks its templates.
    ///
    /// # Errors
    ///
    /// Kind `Config`; the context names `field` and `line`, the action what to write instead.
    pub fn from_toml(text: &str) -> Result<Self> {
        import::read("field map", text)
    }

    /// Writes the TOML form, which [`FieldMap::from_toml`] reads back to the same value.
    ///
    /// # Errors
    ///
    /// Kind `Unexpected` if a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        import::write(self)
    }
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

/// A text with placeholders, evaluated with bounded fuel; an empty result leaves the field out.
///
/// | Placeholder | Value |
/// |---|---|
/// | `subject`, `text`, `body` | decoded subject, new text, whole text |
/// | `description` | insights, then as much of the original as fits, under headings |
/// | `category`, `confidence`, `urgency`, `priority`, `reason`, `model`, `language` | the decision; `confidence` as `0.91`, `priority` in the CRM's word |
/// | `owner` | the assigned owner's id; empty in `on_reply` |
/// | `sender.email`, `.name`, `.first_name`, `.last_name`, `.display`, `.domain` | the correspondent; `display` is the name, else the address |
/// | `contact.name`, `.first_name`, `.last_name`, `.phone`, `.title`, `.company` | extracted from the mail, else from the sender's header |
/// | `company.name`, `company.domain` | extracted name, else the domain; empty for free mail |
/// | `score.points`, `score.band`, `score.factors` | the lead score; empty for other categories |
/// | `summary` | the machine-written summary, labelled as such |
/// | `sent_at`, `received_at` | RFC 3339, UTC |
/// | `message_id`, `mailbox` | the header Message-ID; the mailbox it came to |
///
/// Beside placeholders there are `{% if … %}` and the filters `upper`, `lower`, `trim`, `title`,
/// `capitalize`, `length`, `default`, `first`, `last` and `truncate(n)`. Other tags are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
