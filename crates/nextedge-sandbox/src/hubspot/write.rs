//! Creating and changing records: everything is checked first, so that applying cannot fail.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::account::{Account, LEAD_ANCHORS};
use super::call::Version;
use super::error::{ApiError, DUPLICATE_IDS, Detail};
use super::kinds::{Class, ObjectType};
use super::links::TypeRef;
use super::read::RecordId;
use super::store::{Links, Record, Table, Values};
use super::time::now_ms;
use super::validate::check;

/// Properties as callers send them: strings only.
pub(crate) type Sent = BTreeMap<String, String>;

/// A link asked for in a create.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LinkInput {
    pub(crate) to: RecordId,
    pub(crate) types: Vec<TypeRef>,
}

/// A checked create.
#[derive(Debug)]
pub(crate) struct Draft {
    values: Values,
    links: Vec<NewLink>,
}

/// A link to make: the other record, and the types seen from the new one.
type NewLink = ((ObjectType, u64), Vec<u32>);

/// Unique values that earlier inputs of one batch already took.
pub(crate) type Claims = HashSet<(Arc<str>, String)>;

/// Checks a create against the object type, the account and the rest of its batch.
pub(crate) fn check_create(
    account: &Account,
    object: ObjectType,
    version: Version,
    sent: &Sent,
    links: &[LinkInput],
    claims: &mut Claims,
) -> Result<Draft, ApiError> {
    let table = account.table(object)?;
    let mut values = check_values(account, table, sent, Purpose::Create)?;
    values.retain(|_, value| !value.is_empty());
    check_required(table, &values)?;
    check_stage(account, table, None, &mut values)?;
    if version.enforces_account_rules() {
        check_rules(account, object, None, &values)?;
    }
    check_unique(account, table, None, &values, claims)?;
    let links = check_links(account, object, links)?;
    derive(table, &mut values);
    Ok(Draft { values, links })
}

/// Checks a change of a live record and answers the values to set.
pub(crate) fn check_update(
    account: &Account,
    object: ObjectType,
    version: Version,
    id: u64,
    sent: &Sent,
    claims: &mut Claims,
) -> Result<Values, ApiError> {
    let table = account.table(object)?;
    let record = table.records.get(&id).ok_or_else(|| missing(table, id))?;
    let mut values = check_values(account, table, sent, Purpose::Update)?;
    keep_stage_moving_forward(table, record, &mut values);
    check_stage(account, table, Some(record), &mut values)?;
    if version.enforces_account_rules() {
        check_rules(account, object, Some(record), &values)?;
    }
    check_unique(account, table, Some(id), &values, claims)?;
    derive(table, &mut values);
    Ok(values)
}

/// Stores a checked create and answers its id.
pub(crate) fn insert(account: &mut Account, object: ObjectType, draft: Draft) -> u64 {
    let id = account.take_id();
    let now = now_ms();
    let mut values = draft.values;
    shorten(account, object, &mut values);
    if let Some(table) = account.tables.get_mut(&object) {
        table.insert(Record {
            id,
            values,
            links: Links::new(),
            created_ms: now,
            updated_ms: now,
            archived_ms: None,
            before: None,
        });
    }
    for (to, types) in draft.links {
        account.link((object, id), to, &types);
    }
    id
}

/// Stores checked values.
pub(crate) fn change(account: &mut Account, object: ObjectType, id: u64, mut values: Values) {
    shorten(account, object, &mut values);
    if let Some(table) = account.tables.get_mut(&object) {
        table.change(id, values, now_ms());
    }
}

/// The refusal for a record that is not there.
pub(crate) fn missing(table: &Table, id: impl std::fmt::Display) -> ApiError {
    ApiError::not_found(&format!("{}={id} does not exist.", table.kind.shout()))
        .with_context("id", vec![id.to_string()])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Create,
    Update,
}

fn check_values(
    account: &Account,
    table: &Table,
    sent: &Sent,
    purpose: Purpose,
) -> Result<Values, ApiError> {
    let mut values = Values::new();
    let mut wrong = Vec::new();
    let lenient = table.kind.class == Class::Engagement && purpose == Purpose::Update;
    for (name, value) in sent {
        match table.property(name) {
            None | Some(_) if lenient && table.property(name).is_none_or(|p| p.read_only) => {}
            None => wrong.push(Detail {
                code: "PROPERTY_DOESNT_EXIST",
                property: name.clone(),
                message: format!("Property \"{name}\" does not exist"),
            }),
            Some(property) if property.read_only => wrong.push(Detail {
                code: "READ_ONLY_VALUE",
                property: name.clone(),
                message: format!("\"{name}\" is a read only property; its value cannot be set."),
            }),
            Some(property) => match check(account, property, value) {
                Ok(value) => {
                    values.insert(Arc::clone(&property.name), value);
                }
                Err(detail) => wrong.push(detail),
            },
        }
    }
    if wrong.is_empty() {
        Ok(values)
    } else {
        Err(ApiError::values(wrong))
    }
}

fn check_required(table: &Table, values: &Values) -> Result<(), ApiError> {
    let unset: Vec<String> = table
        .kind
        .required
        .iter()
        .filter(|group| !group.iter().any(|name| values.contains_key(name.as_str())))
        .filter_map(|group| group.first().cloned())
        .collect();
    if unset.is_empty() {
        return Ok(());
    }
    Err(ApiError::required(
        "MISSING_REQUIRED_PROPERTY",
        &table.kind.shout(),
        &unset,
    ))
}

fn check_rules(
    account: &Account,
    object: ObjectType,
    old: Option<&Record>,
    new: &Values,
) -> Result<(), ApiError> {
    let rules = &account.rules;
    let shout = account.table(object)?.kind.shout();
    let is_set = |name: &String| match new.get(name.as_str()) {
        Some(value) => !value.is_empty(),
        None => old.is_some_and(|one| one.values.contains_key(name.as_str())),
    };
    let unset = |names: &[String]| -> Vec<String> {
        names.iter().filter(|name| !is_set(name)).cloned().collect()
    };
    let required = rules.required.get(&object).map_or(&[][..], Vec::as_slice);
    let gone = match old {
        None => unset(required),
        // An update may leave a required property alone, but not clear it.
        Some(_) => unset(required)
            .into_iter()
            .filter(|name| new.contains_key(name.as_str()))
            .collect(),
    };
    if !gone.is_empty() {
        return Err(ApiError::required(
            "MISSING_REQUIRED_PROPERTY",
            &shout,
            &gone,
        ));
    }
    for rule in rules.conditional.iter().filter(|one| one.object == object) {
        let applies = new.get(rule.when.0.as_str()) == Some(&rule.when.1);
        let gone = unset(&rule.require);
        if applies && !gone.is_empty() {
            return Err(ApiError::required(
                "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
                &shout,
                &gone,
            ));
        }
    }
    Ok(())
}

/// Checks pipeline and stage together, and fills in the first pipeline on create.
fn check_stage(
    account: &Account,
    table: &Table,
    old: Option<&Record>,
    values: &mut Values,
) -> Result<(), ApiError> {
    let Some((pipeline, stage)) = table.kind.stages() else {
        return Ok(());
    };
    if old.is_some() && !values.contains_key(pipeline) && !values.contains_key(stage) {
        return Ok(());
    }
    let known = account
        .pipelines
        .get(&table.kind.id)
        .map_or(&[][..], Vec::as_slice);
    let current = |name: &str| values.get(name).or_else(|| old?.values.get(name)).cloned();
    let chosen = match current(pipeline) {
        Some(id) => known.iter().find(|one| one.id == id && !one.archived),
        None => known.first(),
    };
    let Some(chosen) = chosen else {
        return Err(ApiError::values(vec![not_an_option(pipeline)]));
    };
    let stage_id = match current(stage) {
        Some(id) => id,
        None => chosen
            .stages
            .first()
            .map(|one| one.id.clone())
            .unwrap_or_default(),
    };
    if !chosen
        .stages
        .iter()
        .any(|one| one.id == stage_id && !one.archived)
    {
        return Err(ApiError::values(vec![not_an_option(stage)]));
    }
    values.insert(pipeline.into(), chosen.id.clone());
    values.insert(stage.into(), stage_id);
    Ok(())
}

fn not_an_option(property: &str) -> Detail {
    Detail {
        code: "INVALID_OPTION",
        property: property.to_owned(),
        message: format!("{property} was not one of the allowed options."),
    }
}

fn check_unique(
    account: &Account,
    table: &Table,
    own: Option<u64>,
    values: &Values,
    claims: &mut Claims,
) -> Result<(), ApiError> {
    for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        let is_email = &**name == "email" && table.kind.id == ObjectType::CONTACTS;
        if is_email && account.erased.contains(value) {
            return Err(ApiError::invalid(
                "The address was deleted on request and cannot be used again.",
            ));
        }
        let unique = table.property(name).is_some_and(|one| one.unique);
        if !is_email && !unique {
            continue;
        }
        let holder = match is_email {
            true => table.by_address(value),
            false => table.ids_by(name, value).first().copied(),
        };
        if let Some(other) = holder.filter(|id| Some(*id) != own) {
            return Err(match is_email {
                true => ApiError::conflict(format!("Contact already exists. Existing ID: {other}")),
                false => taken(name),
            });
        }
        if !claims.insert((Arc::clone(name), value.to_lowercase())) {
            return Err(duplicate_ids());
        }
    }
    Ok(())
}

fn taken(name: &str) -> ApiError {
    ApiError::values(vec![Detail {
        code: "CONFLICTING_UNIQUE_VALUE",
        property: name.to_owned(),
        message: format!("Another record already has this value of the unique property {name}."),
    }])
}

/// The refusal of a batch that names a record twice. Trace ids do not help.
pub(crate) fn duplicate_ids() -> ApiError {
    ApiError::invalid("Duplicate IDs found in batch input").with_sub_category(DUPLICATE_IDS)
}

fn check_links(
    account: &Account,
    object: ObjectType,
    links: &[LinkInput],
) -> Result<Vec<NewLink>, ApiError> {
    let mut checked = Vec::with_capacity(links.len());
    for link in links {
        let id = link.to.parse()?;
        let first = link
            .types
            .first()
            .ok_or_else(|| ApiError::invalid("An association needs a type."))?;
        let target = account
            .link_types
            .target(object, first.association_type_id)
            .ok_or_else(|| super::links::wrong_type(object, object, first.association_type_id))?;
        let types = link
            .types
            .iter()
            .map(|one| account.link_types.check(object, target, *one))
            .collect::<Result<Vec<_>, _>>()?;
        if account.record(target, id).is_none() {
            return Err(missing(account.table(target)?, id));
        }
        checked.push(((target, id), types));
    }
    let anchored = checked
        .iter()
        .flat_map(|(_, ids)| ids)
        .any(|id| LEAD_ANCHORS.contains(id));
    if object == ObjectType::LEADS && !anchored {
        return Err(ApiError::invalid(
            "A lead must be associated with a primary contact or a primary company.",
        )
        .with_code(
            "MISSING_REQUIRED_ASSOCIATION",
            "No primary contact or company.",
        ));
    }
    Ok(checked)
}

/// A lifecycle stage moves only forward unless it is cleared first: an earlier one is ignored.
fn keep_stage_moving_forward(table: &Table, record: &Record, values: &mut Values) {
    const NAME: &str = "lifecyclestage";
    let rank = |value: &String| {
        let choices = table.property(NAME).map(|one| one.choices.as_slice());
        choices?.iter().position(|one| one.value == *value)
    };
    let old = record.values.get(NAME).and_then(rank);
    let new = values.get(NAME).and_then(rank);
    if let (Some(old), Some(new)) = (old, new)
        && new < old
    {
        values.remove(NAME);
    }
}

/// Fills the read-only properties that follow from written ones.
fn derive(table: &Table, values: &mut Values) {
    if let Some(email) = values.get("email")
        && table.properties.contains_key("hs_email_domain")
    {
        let domain = email.rsplit('@').next().unwrap_or_default().to_owned();
        values.insert("hs_email_domain".into(), domain);
    }
    if let Some(headers) = values.get("hs_email_headers")
        && let Ok(Value::Object(headers)) = serde_json::from_str(headers)
    {
        for (role, person) in &headers {
            derive_person(table, values, role, person);
        }
    }
}

fn derive_person(table: &Table, values: &mut Values, role: &str, person: &Value) {
    let people = match person {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for (field, suffix) in [
        ("email", "email"),
        ("firstName", "firstname"),
        ("lastName", "lastname"),
    ] {
        let found: Vec<&str> = people
            .iter()
            .filter_map(|one| one.get(field)?.as_str())
            .collect();
        let name = format!("hs_email_{role}_{suffix}");
        if let Some((name, _)) = table.properties.get_key_value(name.as_str())
            && !found.is_empty()
        {
            values.insert(Arc::clone(name), found.join(";"));
        }
    }
}

/// Cuts long values when the account was told to keep only their beginning.
fn shorten(account: &Account, object: ObjectType, values: &mut Values) {
    let Some(keep) = account.settings.keep_value_bytes else {
        return;
    };
    let Some(table) = account.tables.get(&object) else {
        return;
    };
    for (name, value) in values.iter_mut() {
        if value.len() > keep && !table.has_index(name) {
            let cut = value.floor_char_boundary(keep);
            *value = format!("{}…[{} bytes]", &value[..cut], value.len());
        }
    }
}
