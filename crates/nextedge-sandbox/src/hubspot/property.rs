//! Property definitions: the defaults of an account and what may be added.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds::{Class, Kind};
use super::time::rfc3339;

/// The data type of a property.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PropertyType {
    String,
    Number,
    Enumeration,
    Bool,
    Date,
    Datetime,
    PhoneNumber,
}

impl PropertyType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Enumeration => "enumeration",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::PhoneNumber => "phone_number",
        }
    }
}

/// One value an enumeration takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Choice {
    pub(crate) label: String,
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) hidden: bool,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) display_order: Option<i64>,
}

/// A property of an object type.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    pub(crate) label: String,
    pub(crate) description: String,
    pub(crate) kind: PropertyType,
    pub(crate) field_type: String,
    pub(crate) group: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) unique: bool,
    pub(crate) read_only: bool,
    pub(crate) external: bool,
    pub(crate) hidden: bool,
    pub(crate) archived: bool,
    pub(crate) built_in: bool,
    pub(crate) created_ms: i64,
}

impl Property {
    /// Whether several choices may be joined with `;`.
    pub(crate) fn takes_many(&self) -> bool {
        self.field_type == "checkbox"
    }

    pub(crate) fn json(&self) -> Value {
        let at = rfc3339(self.created_ms);
        let options: Vec<Value> = self
            .choices
            .iter()
            .enumerate()
            .map(|(n, one)| {
                json!({"label": one.label, "value": one.value, "hidden": one.hidden,
                       "description": one.description,
                       "displayOrder": one.display_order.unwrap_or(n as i64)})
            })
            .collect();
        json!({
            "name": &*self.name, "label": self.label, "description": self.description,
            "type": self.kind.as_str(), "fieldType": self.field_type, "groupName": self.group,
            "options": options, "displayOrder": -1, "hidden": self.hidden, "formField": false,
            "calculated": false, "externalOptions": self.external,
            "hasUniqueValue": self.unique, "hubspotDefined": self.built_in,
            "dataSensitivity": "non_sensitive", "archived": self.archived,
            "createdAt": at, "updatedAt": at,
            "referencedObjectType": (&*self.name == "hubspot_owner_id").then_some("OWNER"),
            "modificationMetadata": {
                "readOnlyValue": self.read_only, "readOnlyDefinition": self.built_in,
                "readOnlyOptions": self.built_in, "archivable": !self.built_in,
            },
        })
    }
}

/// What a caller sends to create a property.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewProperty {
    pub(crate) name: String,
    pub(crate) label: String,
    #[serde(rename = "type")]
    pub(crate) kind: PropertyType,
    pub(crate) field_type: String,
    #[serde(default)]
    pub(crate) group_name: Option<String>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) options: Vec<Choice>,
    #[serde(default)]
    pub(crate) has_unique_value: bool,
    #[serde(default)]
    pub(crate) hidden: bool,
    #[serde(default)]
    pub(crate) external_options: bool,
}

impl NewProperty {
    pub(crate) fn define(self, group: &str, now_ms: i64) -> Property {
        Property {
            name: self.name.into(),
            label: self.label,
            description: self.description,
            kind: self.kind,
            field_type: self.field_type,
            group: self.group_name.unwrap_or_else(|| group.to_owned()),
            choices: self.options,
            unique: self.has_unique_value,
            read_only: false,
            external: self.external_options,
            hidden: self.hidden,
            archived: false,
            built_in: false,
            created_ms: now_ms,
        }
    }
}

/// The group that properties of this kind belong to by default.
pub(crate) fn default_group(kind: &Kind) -> String {
    match kind.class {
        Class::Engagement => "engagement".to_owned(),
        Class::Custom => format!("{}_information", kind.name),
        Class::Record => format!("{}information", kind.singular),
    }
}

/// Lists the properties that every account has for this kind.
pub(crate) fn defaults(kind: &Kind) -> Vec<Property> {
    let object = match kind.class {
        Class::Custom => "custom",
        Class::Record | Class::Engagement => kind.name.as_str(),
    };
    let group = default_group(kind);
    TABLE
        .lines()
        .filter_map(|line| line.strip_prefix(object)?.strip_prefix('|'))
        .filter_map(|line| row(line, &group))
        .collect()
}

fn row(line: &str, group: &str) -> Option<Property> {
    let mut columns = line.split('|');
    let name = columns.next()?;
    let label = columns.next()?;
    let kind = parse_type(columns.next()?)?;
    let field_type = columns.next()?;
    let flags = columns.next()?;
    let choices = columns.next()?;
    Some(Property {
        name: name.into(),
        label: label.to_owned(),
        description: String::new(),
        kind,
        field_type: field_type.to_owned(),
        group: group.to_owned(),
        choices: choices.split(';').filter_map(choice).collect(),
        unique: flags.contains('u'),
        read_only: flags.contains('r'),
        external: flags.contains('x'),
        hidden: flags.contains('h'),
        archived: false,
        built_in: true,
        created_ms: 0,
    })
}

fn parse_type(text: &str) -> Option<PropertyType> {
    serde_json::from_value(text.into()).ok()
}

fn choice(text: &str) -> Option<Choice> {
    let (value, label) = text.split_once('=')?;
    Some(Choice {
        label: label.to_owned(),
        value: value.to_owned(),
        hidden: false,
        description: String::new(),
        display_order: None,
    })
}

const TABLE: &str = include_str!("data/properties.txt");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::hubspot::kinds;

    #[test]
    fn every_row_of_the_table_becomes_a_property() {
        let rows = TABLE
            .lines()
            .filter(|line| line.contains('|') && !line.starts_with('#'))
            .filter(|line| !line.starts_with("custom|"))
            .count();
        let parsed: usize = kinds::standard().iter().map(|k| defaults(k).len()).sum();
        assert_eq!(parsed, rows);
    }

    #[test]
    fn required_and_shown_properties_exist() {
        for kind in kinds::standard() {
            let properties = defaults(&kind);
            for name in kind.required.iter().flatten().chain(&kind.shown) {
                assert!(properties.iter().any(|one| *one.name == **name), "{name}");
            }
        }
    }
}
