//! Property definitions over the API: list, read, create, change, archive, groups.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::call::{Answer, Call, Reply};
use super::error::ApiError;
use super::property::{Choice, NewProperty, Property, PropertyType, default_group};
use super::store::Table;
use super::time::now_ms;

/// Answers a path below `/crm/properties/{version}/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    let (get, post) = (call.method == Method::GET, call.method == Method::POST);
    match path {
        [object] if get => list(hub, call, object),
        [object] if post => create(hub, call, object),
        [object, "groups"] if get => groups(hub, object),
        [object, "batch", "create"] if post => create_many(hub, call, object),
        [object, "batch", "read"] if post => read_many(hub, call, object),
        [object, name] => match call.method {
            Method::GET => read(hub, object, name),
            Method::PATCH => update(hub, call, object, name),
            Method::DELETE => archive(hub, object, name),
            _ => Err(ApiError::method_not_allowed()),
        },
        [_] => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

fn list(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    let wanted_sensitivity = call.query("dataSensitivity").unwrap_or("non_sensitive");
    let results: Vec<Value> = table
        .properties
        .values()
        .filter(|one| one.archived == call.archived() && wanted_sensitivity == "non_sensitive")
        .map(Property::json)
        .collect();
    Ok(Reply::json(200, json!({ "results": results })))
}

fn read(hub: &Hubspot, object: &str, name: &str) -> Answer {
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    Ok(Reply::json(200, require(table, name)?.json()))
}

fn require<'a>(table: &'a Table, name: &str) -> Result<&'a Property, ApiError> {
    let missing = || ApiError::not_found(&format!("The property {name} does not exist."));
    table.property(name).ok_or_else(missing)
}

fn create(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let new: NewProperty = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let body = define(account.table_mut(object)?, new)?;
    Ok(Reply::json(201, body))
}

/// Adds a property; an archived one of this name comes back instead.
pub(crate) fn define(table: &mut Table, new: NewProperty) -> Result<Value, ApiError> {
    check_new(table, &new)?;
    if let Some(old) = table.properties.get(new.name.as_str()) {
        if !old.archived {
            let message = format!("A property named '{}' already exists.", new.name);
            return Err(ApiError::new(409, "OBJECT_ALREADY_EXISTS", message)
                .with_sub_category("Properties.PROPERTY_EXISTS"));
        }
        let mut restored = old.clone();
        restored.archived = false;
        let body = restored.json();
        table.define(restored);
        return Ok(body);
    }
    let property = new.define(&default_group(&table.kind), now_ms());
    let body = property.json();
    table.define(property);
    Ok(body)
}

fn check_new(table: &Table, new: &NewProperty) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let named = new.name.starts_with(|c: char| c.is_ascii_lowercase());
    if !named || !new.name.chars().all(plain) || new.name.starts_with("hs_") {
        return Err(ApiError::invalid(format!(
            "Property name {:?} is not valid: use lower-case letters, digits and underscores.",
            new.name
        )));
    }
    if new.label.is_empty() || !FIELD_TYPES.contains(&new.field_type.as_str()) {
        return Err(ApiError::invalid(
            "A property needs a label and a known fieldType.",
        ));
    }
    if new.kind == PropertyType::Enumeration && new.options.is_empty() && !new.external_options {
        return Err(ApiError::invalid("An enumeration needs options."));
    }
    let group = default_group(&table.kind);
    if new.group_name.as_ref().is_some_and(|name| *name != group) {
        return Err(ApiError::invalid(format!(
            "The property group {:?} does not exist.",
            new.group_name
        )));
    }
    let unique = table
        .properties
        .values()
        .filter(|one| one.unique && !one.built_in);
    if new.has_unique_value && unique.count() >= MAX_UNIQUE {
        return Err(ApiError::invalid(
            "An object can have at most 10 unique properties.",
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

fn create_many(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: Inputs<NewProperty> = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let table = account.table_mut(object)?;
    let results = body
        .inputs
        .into_iter()
        .map(|new| define(table, new))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(super::batch::answer(201, results, Vec::new()))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn read_many(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: Inputs<Named> = call.json()?;
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    let results = body
        .inputs
        .iter()
        .map(|one| require(table, &one.name).map(Property::json))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(super::batch::answer(200, results, Vec::new()))
}

#[derive(Deserialize)]
struct Changes {
    label: Option<String>,
    description: Option<String>,
    options: Option<Vec<Choice>>,
    hidden: Option<bool>,
}

fn update(hub: &Hubspot, call: &Call, object: &str, name: &str) -> Answer {
    let changes: Changes = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let table = account.table_mut(object)?;
    let mut property = require(table, name)?.clone();
    if property.built_in {
        return Err(ApiError::invalid(format!(
            "{name} has a read only definition."
        )));
    }
    property.label = changes.label.unwrap_or(property.label);
    property.description = changes.description.unwrap_or(property.description);
    property.choices = changes.options.unwrap_or(property.choices);
    property.hidden = changes.hidden.unwrap_or(property.hidden);
    let body = property.json();
    table.define(property);
    Ok(Reply::json(200, body))
}

fn archive(hub: &Hubspot, object: &str, name: &str) -> Answer {
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let table = account.table_mut(object)?;
    let mut property = require(table, name)?.clone();
    if property.built_in {
        return Err(ApiError::invalid(format!("{name} cannot be archived.")));
    }
    property.archived = true;
    table.define(property);
    Ok(Reply::no_content())
}

fn groups(hub: &Hubspot, object: &str) -> Answer {
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    let name = default_group(&table.kind);
    let group = json!({"name": name, "label": name, "displayOrder": 0, "archived": false});
    Ok(Reply::json(200, json!({"results": [group]})))
}

const MAX_UNIQUE: usize = 10;

const FIELD_TYPES: &[&str] = &[
    "text",
    "textarea",
    "html",
    "number",
    "date",
    "select",
    "radio",
    "checkbox",
    "booleancheckbox",
    "file",
    "phonenumber",
];
