//! Single records: create, read, change, archive, list, merge, erase.

use std::sync::Arc;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::account::Account;
use super::call::{Answer, Call, Reply};
use super::error::ApiError;
use super::kinds::ObjectType;
use super::read::{Shown, associations, find, parse_id, render, require};
use super::store::{Record, Values};
use super::write::{self, Claims, LinkInput, Sent, missing};
use super::{associations as links, batch, search};

/// Answers a path below `/crm/objects/{version}/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    let (get, post) = (call.method == Method::GET, call.method == Method::POST);
    match path {
        [object] if get => list(hub, call, object),
        [object] if post => create(hub, call, object),
        [object, "batch", verb] if post => batch::route(hub, call, object, verb),
        [object, "search"] if post => search::search(hub, call, object),
        [object, "merge"] if post => merge(hub, call, object),
        [object, "gdpr-delete"] if post => erase(hub, call, object),
        [object, id, "associations", rest @ ..] => links::of_record(hub, call, (object, id), rest),
        [_] | [_, "search" | "merge" | "gdpr-delete"] => Err(ApiError::method_not_allowed()),
        [object, id] => match call.method {
            Method::GET => read(hub, call, object, id),
            Method::PATCH => update(hub, call, object, id),
            Method::DELETE => archive(hub, object, id),
            _ => Err(ApiError::method_not_allowed()),
        },
        [_, "batch", _] => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

/// The body of a create, single or in a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateInput {
    pub(crate) properties: Sent,
    #[serde(default)]
    pub(crate) associations: Vec<LinkInput>,
    #[serde(default)]
    pub(crate) object_write_trace_id: Option<String>,
}

fn create(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let input: CreateInput = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let mut claims = Claims::new();
    let CreateInput {
        properties,
        associations,
        ..
    } = &input;
    let draft = write::check_create(
        &account,
        object,
        call.version,
        properties,
        associations,
        &mut claims,
    )?;
    let id = write::insert(&mut account, object, draft);
    let table = account.table(object)?;
    let record = table.records.get(&id).ok_or_else(ApiError::unknown_path)?;
    Ok(Reply::json(
        201,
        render(&account, table, record, Shown::Set),
    ))
}

fn read(hub: &Hubspot, call: &Call, object: &str, key: &str) -> Answer {
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    let record = if call.archived() {
        table.archived.get(&parse_id(key)?)
    } else {
        let id = require(table, call.query("idProperty"), key)?;
        table.records.get(&id)
    };
    let record = record.ok_or_else(|| missing(table, key))?;
    let names = call.query_list("properties");
    let mut body = render(&account, table, record, Shown::of(&names));
    let linked = call.query_list("associations");
    if !linked.is_empty() {
        body["associations"] = associations(&account, table, record, &linked)?;
    }
    Ok(Reply::json(200, body))
}

#[derive(Deserialize)]
struct UpdateBody {
    properties: Sent,
}

fn update(hub: &Hubspot, call: &Call, object: &str, key: &str) -> Answer {
    let body: UpdateBody = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let id = require(account.table(object)?, call.query("idProperty"), key)?;
    let mut claims = Claims::new();
    let values = write::check_update(
        &account,
        object,
        call.version,
        id,
        &body.properties,
        &mut claims,
    )?;
    let names: Vec<String> = values.keys().map(ToString::to_string).collect();
    write::change(&mut account, object, id, values);
    let table = account.table(object)?;
    let record = table.records.get(&id).ok_or_else(|| missing(table, id))?;
    let shown = Shown::Named(&names);
    Ok(Reply::json(200, render(&account, table, record, shown)))
}

fn archive(hub: &Hubspot, object: &str, key: &str) -> Answer {
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let id = parse_id(key)?;
    if !account.archive(object, id) && !account.table(object)?.archived.contains_key(&id) {
        return Err(missing(account.table(object)?, id));
    }
    Ok(Reply::no_content())
}

fn list(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let limit = call.limit(10, 100)?;
    let after = call.query("after").map(parse_id).transpose()?.unwrap_or(0);
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    let records = if call.archived() {
        &table.archived
    } else {
        &table.records
    };
    let names = call.query_list("properties");
    let linked = call.query_list("associations");
    let mut page = records.range(after.saturating_add(1)..);
    let results = page
        .by_ref()
        .take(limit)
        .map(|(_, record)| {
            let mut body = render(&account, table, record, Shown::of(&names));
            if !linked.is_empty() {
                body["associations"] = associations(&account, table, record, &linked)?;
            }
            Ok(body)
        })
        .collect::<Result<Vec<Value>, ApiError>>()?;
    let mut body = json!({"results": results});
    if page.next().is_some() {
        let last = body["results"][limit - 1]["id"].clone();
        body["paging"] = json!({"next": {"after": last, "link": call.base}});
    }
    Ok(Reply::json(200, body))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MergeBody {
    primary_object_id: String,
    object_id_to_merge: String,
}

fn merge(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: MergeBody = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let table = account.table(object)?;
    let kept = require(table, None, &body.primary_object_id)?;
    let gone = require(table, None, &body.object_id_to_merge)?;
    if kept == gone {
        return Err(ApiError::invalid("A record cannot be merged with itself."));
    }
    merge_records(&mut account, object, kept, gone);
    let table = account.table(object)?;
    let record = table
        .records
        .get(&kept)
        .ok_or_else(|| missing(table, kept))?;
    Ok(Reply::json(
        200,
        render(&account, table, record, Shown::Default),
    ))
}

fn merge_records(account: &mut Account, object: ObjectType, kept: u64, gone: u64) {
    let Some(other) = account.record(object, gone).cloned() else {
        return;
    };
    for (to, types) in &other.links {
        if *to != (object, kept) {
            account.link((object, kept), *to, types);
        }
    }
    account.archive(object, gone);
    let Some(table) = account.tables.get_mut(&object) else {
        return;
    };
    for target in table.merged.values_mut().filter(|id| **id == gone) {
        *target = kept;
    }
    table.merged.insert(gone, kept);
    let Some(record) = table.records.get(&kept) else {
        return;
    };
    let values = merged_values(record, &other);
    table.change(kept, values, super::time::now_ms());
}

/// The survivor keeps its values; what it lacked comes from the other, addresses join.
fn merged_values(kept: &Record, gone: &Record) -> Values {
    let mut values: Values = gone
        .values
        .iter()
        .filter(|(name, _)| !kept.values.contains_key(*name))
        .map(|(name, value)| (Arc::clone(name), value.clone()))
        .collect();
    let join = |name: &str, more: Vec<&str>| {
        let old = [kept, gone].map(|one| one.values.get(name).map(String::as_str));
        let all: Vec<&str> = old.into_iter().flatten().chain(more).collect();
        all.join(";")
    };
    values.insert(
        "hs_merged_object_ids".into(),
        join("hs_merged_object_ids", vec![&gone.id.to_string()]),
    );
    if let (Some(_), Some(second)) = (kept.values.get("email"), gone.values.get("email")) {
        values.insert(
            "hs_additional_emails".into(),
            join("hs_additional_emails", vec![second]),
        );
    }
    values
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EraseBody {
    object_id: String,
    #[serde(default)]
    id_property: Option<String>,
}

fn erase(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: EraseBody = call.json()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let table = account.table_mut(object)?;
    let id = find(table, body.id_property.as_deref(), &body.object_id)?;
    let Some(id) = id else {
        return Err(missing(table, &body.object_id));
    };
    let email = table
        .records
        .get(&id)
        .and_then(|one| one.values.get("email").cloned());
    account.archive(object, id);
    account.table_mut(object)?.archived.remove(&id);
    account.erased.extend(email);
    Ok(Reply::no_content())
}
