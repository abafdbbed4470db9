//! Links between records, one by one and in batches, and the labels they may carry.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::account::Account;
use super::batch::answer;
use super::call::{Answer, Call, Reply, Version};
use super::error::ApiError;
use super::kinds::ObjectType;
use super::links::{LinkType, TypeRef};
use super::read::{RecordId, parse_id, require};
use super::write::missing;

/// One end of a link.
type End = (ObjectType, u64);

/// Answers a path below `/crm/objects/{version}/{type}/{id}/associations/`.
pub(crate) fn of_record(hub: &Hubspot, call: &Call, from: (&str, &str), path: &[&str]) -> Answer {
    match path {
        [to] if call.method == Method::GET => list(hub, call, from, to),
        ["default", to, id] if call.method == Method::PUT => {
            let mut account = hub.account();
            let (from, to) = (live(&account, from)?, live(&account, (to, id))?);
            let results = link_default(&mut account, from, to)?;
            Ok(answer(200, results, Vec::new()))
        }
        [to, id] if call.method == Method::PUT => put_labels(hub, call, from, (to, id)),
        [to, id] if call.method == Method::DELETE => {
            let mut account = hub.account();
            let (from, to) = (live(&account, from)?, live(&account, (to, id))?);
            account.unlink(from, to);
            Ok(Reply::no_content())
        }
        [_] | [_, _] | ["default", _, _] => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

/// Answers a path below `/crm/associations/{version}/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    let post = call.method == Method::POST;
    match path {
        [from, to, "labels", rest @ ..] => labels(hub, call, (from, to), rest),
        [from, to, "batch", verb @ ..] if post => batch(hub, call, (from, to), verb),
        [_, _, "batch", ..] => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

fn batch(hub: &Hubspot, call: &Call, pair: (&str, &str), verb: &[&str]) -> Answer {
    match verb {
        ["read"] => batch_read(hub, call, pair),
        ["create"] => batch_create(hub, call, pair),
        ["associate", "default"] => batch_default(hub, call, pair),
        ["archive"] => batch_archive(hub, call, pair),
        ["labels", "archive"] => batch_archive_labels(hub, call, pair),
        _ => Err(ApiError::unknown_path()),
    }
}

fn live(account: &Account, (object, id): (&str, &str)) -> Result<End, ApiError> {
    let object = account.object_type(object)?;
    Ok((object, require(account.table(object)?, None, id)?))
}

fn list(hub: &Hubspot, call: &Call, from: (&str, &str), to: &str) -> Answer {
    let limit = call.limit(PAGE, PAGE)?;
    let after = call.query("after").map(parse_id).transpose()?.unwrap_or(0);
    let account = hub.account();
    let from = live(&account, from)?;
    let to = account.object_type(to)?;
    let (results, next) = page(&account, from, to, after, limit);
    let mut body = json!({ "results": results });
    if let Some(next) = next {
        body["paging"] = json!({"next": {"after": next, "link": call.base}});
    }
    Ok(Reply::json(200, body))
}

/// Renders one page of a record's links and the `after` of the next one.
fn page(
    account: &Account,
    from: End,
    to: ObjectType,
    after: u64,
    limit: usize,
) -> (Vec<Value>, Option<String>) {
    let Some(record) = account.record(from.0, from.1) else {
        return (Vec::new(), None);
    };
    let mut links = record
        .links
        .range((to, after.saturating_add(1))..=(to, u64::MAX));
    let mut last = after;
    let results = links
        .by_ref()
        .take(limit)
        .map(|((_, id), types)| {
            last = *id;
            let types: Vec<Value> = types
                .iter()
                .filter_map(|one| account.link_types.get(from.0, to, *one))
                .map(LinkType::json)
                .collect();
            json!({"toObjectId": id.to_string(), "associationTypes": types})
        })
        .collect();
    let next = links.next().map(|_| last.to_string());
    (results, next)
}

fn link_default(account: &mut Account, from: End, to: End) -> Result<Vec<Value>, ApiError> {
    let found = account.link_types.default_of(from.0, to.0).cloned();
    let default = found.ok_or_else(|| {
        ApiError::invalid(format!("{} and {} cannot be associated.", from.0, to.0))
    })?;
    account.link(from, to, &[default.id]);
    let spec = |id: u32| json!({"associationCategory": default.category, "associationTypeId": id});
    let ends = |a: End, b: End, id| {
        json!({"from": {"id": a.1.to_string()}, "to": {"id": b.1.to_string()},
               "associationSpec": spec(id)})
    };
    let back = default.inverse.map(|id| ends(to, from, id));
    Ok([Some(ends(from, to, default.id)), back]
        .into_iter()
        .flatten()
        .collect())
}

fn put_labels(hub: &Hubspot, call: &Call, from: (&str, &str), to: (&str, &str)) -> Answer {
    let types: Vec<TypeRef> = call.json()?;
    let mut account = hub.account();
    let (from, to) = (live(&account, from)?, live(&account, to)?);
    let ids = check_types(&account, from.0, to.0, &types)?;
    // The list replaces the labels of the pair.
    account.unlink_labels(from, to);
    account.link(from, to, &ids);
    Ok(Reply::json(201, labels_between(&account, from, to, &ids)))
}

fn check_types(
    account: &Account,
    from: ObjectType,
    to: ObjectType,
    types: &[TypeRef],
) -> Result<Vec<u32>, ApiError> {
    if types.is_empty() {
        return Err(ApiError::invalid(
            "At least one association type is required.",
        ));
    }
    types
        .iter()
        .map(|one| account.link_types.check(from, to, *one))
        .collect()
}

fn labels_between(account: &Account, from: End, to: End, ids: &[u32]) -> Value {
    let labels: Vec<&str> = ids
        .iter()
        .filter_map(|id| account.link_types.get(from.0, to.0, *id)?.label.as_deref())
        .collect();
    json!({"fromObjectTypeId": from.0.to_string(), "fromObjectId": from.1.to_string(),
           "toObjectTypeId": to.0.to_string(), "toObjectId": to.1.to_string(), "labels": labels})
}

#[derive(Deserialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

impl<T> Inputs<T> {
    fn read(call: &Call, max: usize) -> Result<Vec<T>, ApiError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let body: Self = call.json()?;
        if body.inputs.len() > max {
            return Err(ApiError::invalid(format!(
                "Batch size is {}: the maximum is {max}.",
                body.inputs.len()
            )));
        }
        Ok(body.inputs)
    }
}

#[derive(Deserialize)]
struct PageInput {
    id: String,
    #[serde(default)]
    after: Option<String>,
}

fn batch_read(hub: &Hubspot, call: &Call, pair: (&str, &str)) -> Answer {
    let inputs = Inputs::<PageInput>::read(call, MAX_READ)?;
    let account = hub.account();
    let (from, to) = (account.object_type(pair.0)?, account.object_type(pair.1)?);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let id = parse_id(&input.id)?;
        let after = input
            .after
            .as_deref()
            .map(parse_id)
            .transpose()?
            .unwrap_or(0);
        let (links, next) = page(&account, (from, id), to, after, PAGE);
        if links.is_empty() {
            let message = format!("No {to} is associated with {from} {id}.");
            let error = ApiError::new(404, "OBJECT_NOT_FOUND", message)
                .with_sub_category("crm.associations.NO_ASSOCIATIONS_FOUND")
                .with_context("fromObjectId", vec![id.to_string()]);
            errors.push(error.item(None));
            continue;
        }
        let mut result = json!({"from": {"id": id.to_string()}, "to": links});
        if let Some(next) = next {
            result["paging"] = json!({"next": {"after": next}});
        }
        results.push(result);
    }
    Ok(answer(200, results, errors))
}

#[derive(Deserialize)]
struct TypedInput {
    from: RecordId,
    to: RecordId,
    types: Vec<TypeRef>,
}

#[derive(Deserialize)]
struct PairInput {
    from: RecordId,
    to: RecordId,
}

fn batch_create(hub: &Hubspot, call: &Call, pair: (&str, &str)) -> Answer {
    let inputs = Inputs::<TypedInput>::read(call, MAX_CREATE)?;
    let mut account = hub.account();
    let (from, to) = (account.object_type(pair.0)?, account.object_type(pair.1)?);
    let types = inputs
        .iter()
        .map(|one| check_types(&account, from, to, &one.types))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for (input, types) in inputs.iter().zip(types) {
        match ends(&account, (from, &input.from), (to, &input.to)) {
            Ok((from, to)) => {
                account.link(from, to, &types);
                results.push(labels_between(&account, from, to, &types));
            }
            Err(error) => errors.push(of_pair(error, &input.from, &input.to)),
        }
    }
    Ok(answer(201, results, errors))
}

fn batch_default(hub: &Hubspot, call: &Call, pair: (&str, &str)) -> Answer {
    let inputs = Inputs::<PairInput>::read(call, MAX_CREATE)?;
    let mut account = hub.account();
    let (from, to) = (account.object_type(pair.0)?, account.object_type(pair.1)?);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &inputs {
        match ends(&account, (from, &input.from), (to, &input.to)) {
            Ok((from, to)) => results.extend(link_default(&mut account, from, to)?),
            Err(error) => errors.push(of_pair(error, &input.from, &input.to)),
        }
    }
    Ok(answer(200, results, errors))
}

#[derive(Deserialize)]
struct ArchiveInput {
    from: RecordId,
    to: Vec<RecordId>,
}

fn batch_archive(hub: &Hubspot, call: &Call, pair: (&str, &str)) -> Answer {
    let inputs = Inputs::<ArchiveInput>::read(call, MAX_CREATE)?;
    let mut account = hub.account();
    let (from, to) = (account.object_type(pair.0)?, account.object_type(pair.1)?);
    for input in &inputs {
        for other in &input.to {
            account.unlink((from, input.from.parse()?), (to, other.parse()?));
        }
    }
    Ok(Reply::no_content())
}

fn batch_archive_labels(hub: &Hubspot, call: &Call, pair: (&str, &str)) -> Answer {
    let inputs = Inputs::<TypedInput>::read(call, MAX_CREATE)?;
    let mut account = hub.account();
    let (from, to) = (account.object_type(pair.0)?, account.object_type(pair.1)?);
    for input in &inputs {
        let types = check_types(&account, from, to, &input.types)?;
        account.unlink_types((from, input.from.parse()?), (to, input.to.parse()?), &types);
    }
    Ok(Reply::no_content())
}

fn ends(
    account: &Account,
    from: (ObjectType, &RecordId),
    to: (ObjectType, &RecordId),
) -> Result<(End, End), ApiError> {
    let end = |(object, id): (ObjectType, &RecordId)| {
        let id = id.parse()?;
        match account.record(object, id) {
            Some(_) => Ok((object, id)),
            None => Err(missing(account.table(object)?, id)),
        }
    };
    Ok((end(from)?, end(to)?))
}

fn of_pair(error: ApiError, from: &RecordId, to: &RecordId) -> Value {
    error
        .with_context("fromObjectId", vec![from.id.clone()])
        .with_context("toObjectId", vec![to.id.clone()])
        .item(None)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewLabel {
    label: String,
    name: String,
    #[serde(default)]
    inverse_label: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenamedLabel {
    label: String,
    association_type_id: u32,
}

fn labels(hub: &Hubspot, call: &Call, pair: (&str, &str), rest: &[&str]) -> Answer {
    let mut account = hub.account();
    let (from, to) = (account.object_type(pair.0)?, account.object_type(pair.1)?);
    let listed = |types: &[LinkType]| -> Vec<Value> { types.iter().map(LinkType::json).collect() };
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let results = listed(account.link_types.between(from, to));
            Ok(Reply::json(200, json!({ "results": results })))
        }
        ("POST", []) if call.version != Version::V3 => {
            let body: NewLabel = call.json()?;
            if body.name.is_empty() || account.link_types.default_of(from, to).is_none() {
                return Err(ApiError::invalid(
                    "A label needs a name and kinds that can be associated.",
                ));
            }
            let inverse = body.inverse_label.as_deref().unwrap_or(&body.label);
            let ids = account.link_types.add_label(from, to, &body.label, inverse);
            let both = [
                account.link_types.get(from, to, ids[0]),
                account.link_types.get(to, from, ids[1]),
            ];
            let results: Vec<Value> = both.into_iter().flatten().map(LinkType::json).collect();
            Ok(Reply::json(200, json!({ "results": results })))
        }
        ("PUT", []) => {
            let body: RenamedLabel = call.json()?;
            found(
                account
                    .link_types
                    .rename_label(from, to, body.association_type_id, &body.label),
            )
        }
        ("DELETE", [id]) => {
            let id = parse_id(id)?;
            found(
                account
                    .link_types
                    .remove_label(from, to, u32::try_from(id).unwrap_or(0)),
            )
        }
        (_, [] | [_]) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

fn found(was_there: bool) -> Answer {
    if was_there {
        Ok(Reply::no_content())
    } else {
        Err(ApiError::not_found("There is no such label."))
    }
}

/// Links per page and per record of a batch read.
const PAGE: usize = 500;
/// The lower of two limits the vendor has named for batch reads.
const MAX_READ: usize = 100;
const MAX_CREATE: usize = 2_000;
