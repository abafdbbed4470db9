//! Finding records and rendering them as answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::account::Account;
use super::error::ApiError;
use super::kinds::ObjectType;
use super::store::{Record, Table};
use super::time::rfc3339;
use super::write::missing;

/// A record id as callers send it: a string of digits.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
pub(crate) struct RecordId {
    pub(crate) id: String,
}

impl RecordId {
    pub(crate) fn parse(&self) -> Result<u64, ApiError> {
        parse_id(&self.id)
    }
}

pub(crate) fn parse_id(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        ApiError::invalid(format!("The id {text:?} is not valid: ids are numbers."))
            .with_code("INVALID_OBJECT_ID", "ids are numbers")
    })
}

/// Which properties an answer shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    /// The kind's own choice.
    Default,
    /// Everything that is set, as answers to writes do.
    Set,
    /// Those named; unknown names are left out, unset ones are null.
    Named(&'a [String]),
}

impl<'a> Shown<'a> {
    /// What a read shows that names these properties, or none.
    pub(crate) fn of(names: &'a [String]) -> Self {
        if names.is_empty() {
            Self::Default
        } else {
            Self::Named(names)
        }
    }
}

/// Finds the live record that an id or a unique property value names.
pub(crate) fn find(
    table: &Table,
    id_property: Option<&str>,
    key: &str,
) -> Result<Option<u64>, ApiError> {
    match id_property {
        None | Some("hs_object_id") => {
            Ok(Some(parse_id(key)?).filter(|id| table.records.contains_key(id)))
        }
        Some("email") if table.kind.id == ObjectType::CONTACTS => Ok(table.by_address(key)),
        Some(name) => {
            check_unique_property(table, name)?;
            Ok(table.ids_by(name, key).first().copied())
        }
    }
}

/// Refuses an `idProperty` that does not name one record.
pub(crate) fn check_unique_property(table: &Table, name: &str) -> Result<(), ApiError> {
    let is_email = name == "email" && table.kind.id == ObjectType::CONTACTS;
    let unique = table.property(name).is_some_and(|one| one.unique);
    if is_email || (unique && table.has_index(name)) || name == "hs_object_id" {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "{name} is not a unique property of {}: it cannot be used as idProperty.",
        table.kind.name
    ))
    .with_code("INVALID_UNIQUE_PROPERTY", "not a unique property"))
}

/// Finds the record of a single-record path; an id that was merged away still works here.
pub(crate) fn require(
    table: &Table,
    id_property: Option<&str>,
    key: &str,
) -> Result<u64, ApiError> {
    let survivor = match (id_property, key.parse::<u64>()) {
        (None | Some("hs_object_id"), Ok(id)) => table.survivor(id).to_string(),
        _ => key.to_owned(),
    };
    find(table, id_property, &survivor)?.ok_or_else(|| missing(table, key))
}

/// Answers a property's value, including those that follow from the record itself.
pub(crate) fn value(table: &Table, record: &Record, name: &str) -> Option<String> {
    if name == "hs_object_id" {
        return Some(record.id.to_string());
    }
    let (created, changed) = table.kind.dates;
    if name == created {
        return Some(rfc3339(record.created_ms));
    }
    if name == changed {
        return Some(rfc3339(record.updated_ms));
    }
    record.values.get(name).cloned()
}

/// Renders a record.
pub(crate) fn render(account: &Account, table: &Table, record: &Record, shown: Shown<'_>) -> Value {
    let mut body = json!({
        "id": record.id.to_string(),
        "createdAt": rfc3339(record.created_ms),
        "updatedAt": rfc3339(record.updated_ms),
        "archived": record.archived_ms.is_some(),
        "url": format!("https://app.hubspot.com/contacts/{}/record/{}/{}",
                       account.settings.portal_id, table.kind.id, record.id),
    });
    // Moved in, since the macro would copy every value.
    body["properties"] = properties(table, record, shown).into();
    if let Some(at) = record.archived_ms {
        body["archivedAt"] = rfc3339(at).into();
    }
    body
}

fn properties(table: &Table, record: &Record, shown: Shown<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    match shown {
        Shown::Default => {
            for name in &table.kind.shown {
                out.insert(
                    name.clone(),
                    record.values.get(name.as_str()).cloned().into(),
                );
            }
        }
        Shown::Set => {
            for (name, value) in &record.values {
                out.insert(name.to_string(), value.clone().into());
            }
        }
        Shown::Named(names) => {
            for name in names {
                if table.property(name).is_some() {
                    out.insert(name.clone(), value(table, record, name).into());
                }
            }
        }
    }
    for name in [table.kind.dates.0, table.kind.dates.1, "hs_object_id"] {
        out.insert(name.to_owned(), value(table, record, name).into());
    }
    out
}

/// Renders the `associations` of a single read, by plural name of the linked kind.
pub(crate) fn associations(
    account: &Account,
    table: &Table,
    record: &Record,
    wanted: &[String],
) -> Result<Value, ApiError> {
    let mut out = Map::new();
    for name in wanted {
        let to = account.object_type(name)?;
        let other = account.table(to)?;
        let kinds = format!("{}_to_{}", table.kind.singular, other.kind.singular);
        let results: Vec<Value> = record
            .links
            .range((to, 0)..=(to, u64::MAX))
            .map(|((_, id), _)| json!({"id": id.to_string(), "type": kinds}))
            .collect();
        if !results.is_empty() {
            out.insert(other.kind.name.clone(), json!({"results": results}));
        }
    }
    Ok(Value::Object(out))
}
