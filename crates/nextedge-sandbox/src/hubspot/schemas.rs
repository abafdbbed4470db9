//! Custom objects: schemas that give an account more kinds of record.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::account::Account;
use super::call::{Answer, Call, Reply};
use super::error::ApiError;
use super::kinds::{Kind, ObjectType};
use super::properties::define;
use super::property::{NewProperty, Property};
use super::time::rfc3339;

/// What a caller sends to create a schema.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schema {
    pub(crate) name: String,
    labels: Labels,
    #[serde(default)]
    description: String,
    #[serde(default)]
    required_properties: Vec<String>,
    #[serde(default)]
    searchable_properties: Vec<String>,
    #[serde(default)]
    primary_display_property: Option<String>,
    #[serde(default)]
    secondary_display_properties: Vec<String>,
    properties: Vec<NewProperty>,
    #[serde(default)]
    associated_objects: Vec<String>,
    #[serde(default)]
    allows_sensitive_properties: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Labels {
    singular: Option<String>,
    plural: Option<String>,
}

/// Answers a path below `/crm-object-schemas/{version}/schemas/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    match (path, call.method.as_str()) {
        ([], "GET") => {
            let account = hub.account();
            let results = account
                .schemas
                .keys()
                .map(|id| json(&account, *id))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Reply::json(200, json!({ "results": results })))
        }
        ([], "POST") => {
            let schema: Schema = call.json()?;
            let mut account = hub.account();
            let id = add(&mut account, schema)?;
            Ok(Reply::json(201, json(&account, id)?))
        }
        ([name], "GET") => {
            let account = hub.account();
            let id = account.object_type(name)?;
            Ok(Reply::json(200, json(&account, id)?))
        }
        ([name], "DELETE") => remove(hub, name),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

/// Adds a kind of record to the account and answers its id.
pub(crate) fn add(account: &mut Account, schema: Schema) -> Result<ObjectType, ApiError> {
    check(account, &schema)?;
    let id = account
        .schemas
        .keys()
        .next_back()
        .map_or(ObjectType::custom(FIRST_NUMBER), |last| last.next());
    let title = schema
        .primary_display_property
        .clone()
        .or_else(|| schema.properties.first().map(|one| one.name.clone()))
        .unwrap_or_default();
    let others = schema
        .associated_objects
        .iter()
        .map(|name| account.object_type(name))
        .collect::<Result<Vec<_>, _>>()?;
    account.add_kind(Kind::custom(
        id,
        &schema.name,
        &schema.required_properties,
        &title,
    ));
    account.add_name(
        &format!("p{}_{}", account.settings.portal_id, schema.name),
        id,
    );
    let table = account.table_mut(id)?;
    for mut property in schema.properties.clone() {
        property.group_name = None;
        define(table, property)?;
    }
    for other in others.into_iter().chain(ENGAGEMENTS) {
        account.link_types.connect(id, other);
    }
    account.schemas.insert(id, schema);
    Ok(id)
}

fn check(account: &Account, schema: &Schema) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if schema.name.is_empty() || !schema.name.chars().all(plain) {
        return Err(ApiError::invalid(
            "A schema name takes letters, digits and underscores.",
        ));
    }
    if account.object_type(&schema.name).is_ok() {
        let message = format!("An object type named {} already exists.", schema.name);
        return Err(ApiError::new(409, "OBJECT_ALREADY_EXISTS", message));
    }
    let known = |name: &String| schema.properties.iter().any(|one| one.name == *name);
    let named = schema
        .required_properties
        .iter()
        .chain(&schema.primary_display_property);
    match named.into_iter().find(|name| !known(name)) {
        Some(name) => Err(ApiError::invalid(format!(
            "The schema names {name} but does not define it."
        ))),
        None => Ok(()),
    }
}

fn remove(hub: &Hubspot, name: &str) -> Answer {
    let mut account = hub.account();
    let id = account.object_type(name)?;
    if !account.table(id)?.records.is_empty() {
        return Err(ApiError::invalid(
            "Records of this object type must be deleted first.",
        ));
    }
    if account.schemas.remove(&id).is_none() {
        return Err(ApiError::not_found("There is no such schema."));
    }
    account.remove_kind(id);
    Ok(Reply::no_content())
}

fn json(account: &Account, id: ObjectType) -> Result<Value, ApiError> {
    let schema = account.schemas.get(&id);
    let schema = schema.ok_or_else(|| ApiError::not_found("There is no such schema."))?;
    let properties: Vec<Value> = account
        .table(id)?
        .properties
        .values()
        .map(Property::json)
        .collect();
    let mut associations = Vec::new();
    for (to, table) in &account.tables {
        for one in account.link_types.between(id, *to) {
            associations.push(json!({
                "id": one.id.to_string(), "fromObjectTypeId": id.to_string(),
                "toObjectTypeId": to.to_string(), "createdAt": rfc3339(0), "updatedAt": rfc3339(0),
                "name": format!("{}_to_{}", schema.name, table.kind.singular),
            }));
        }
    }
    Ok(json!({
        "id": id.to_string(), "objectTypeId": id.to_string(), "name": schema.name,
        "fullyQualifiedName": format!("p{}_{}", account.settings.portal_id, schema.name),
        "description": schema.description, "archived": false,
        "allowsSensitiveProperties": schema.allows_sensitive_properties,
        "labels": {"singular": schema.labels.singular, "plural": schema.labels.plural},
        "requiredProperties": schema.required_properties,
        "searchableProperties": schema.searchable_properties,
        "primaryDisplayProperty": schema.primary_display_property,
        "secondaryDisplayProperties": schema.secondary_display_properties,
        "properties": properties, "associations": associations,
        "createdAt": rfc3339(0), "updatedAt": rfc3339(0),
    }))
}

const FIRST_NUMBER: u32 = 41_000_001;

/// What every custom object can be linked with.
const ENGAGEMENTS: [ObjectType; 3] = [ObjectType::EMAILS, ObjectType::NOTES, ObjectType::TASKS];
