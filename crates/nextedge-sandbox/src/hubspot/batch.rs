//! Batches of up to 100 records, whole or in part.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::account::Account;
use super::call::{Answer, Call, Reply};
use super::error::{ApiError, Detail};
use super::kinds::ObjectType;
use super::objects::CreateInput;
use super::read::{RecordId, Shown, check_unique_property, find, render};
use super::store::Values;
use super::time::{now_ms, rfc3339};
use super::write::{self, Claims, Draft, Sent, duplicate_ids, missing};

/// Answers a path below `/crm/objects/{version}/{object}/batch/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, object: &str, verb: &str) -> Answer {
    match verb {
        "create" => create(hub, call, object),
        "read" => read(hub, call, object),
        "update" => update(hub, call, object),
        "upsert" => upsert(hub, call, object),
        "archive" => archive(hub, call, object),
        _ => Err(ApiError::unknown_path()),
    }
}

#[derive(Deserialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyedInput {
    id: String,
    #[serde(default)]
    id_property: Option<String>,
    properties: Sent,
    #[serde(default)]
    object_write_trace_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadBody {
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    id_property: Option<String>,
    inputs: Vec<RecordId>,
}

/// One checked input.
enum Step {
    Insert(Draft),
    Change(u64, Values),
}

/// A batch while it is checked: what passed, what did not, and whether a part may be applied.
struct Plan {
    partial: bool,
    steps: Vec<(Step, Option<String>)>,
    errors: Vec<Value>,
    claims: Claims,
}

impl Plan {
    fn new(traces: &[Option<&str>], partial: Partial) -> Self {
        let unique: HashSet<&str> = traces.iter().copied().flatten().collect();
        Self {
            partial: partial == Partial::WithTraceIds && unique.len() == traces.len(),
            steps: Vec::with_capacity(traces.len()),
            errors: Vec::new(),
            claims: Claims::new(),
        }
    }

    /// Takes the verdict on one input; without partial success the first refusal is the answer.
    fn take(
        &mut self,
        verdict: Result<Step, ApiError>,
        trace: Option<&str>,
    ) -> Result<(), ApiError> {
        match verdict {
            Ok(step) => self.steps.push((step, trace.map(str::to_owned))),
            Err(error) if self.partial && !is_whole(&error) => self.errors.push(error.item(trace)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Partial {
    WithTraceIds,
    Never,
}

/// Conflicts and duplicates refuse the whole batch, trace ids or not.
fn is_whole(error: &ApiError) -> bool {
    error.status() == 409 || error.is_duplicate()
}

fn create(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: Inputs<CreateInput> = call.json()?;
    check_size(body.inputs.len())?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let traces: Vec<_> = body
        .inputs
        .iter()
        .map(|one| one.object_write_trace_id.as_deref())
        .collect();
    let mut plan = Plan::new(&traces, Partial::WithTraceIds);
    for (n, input) in body.inputs.iter().enumerate() {
        let (sent, links) = (&input.properties, &input.associations);
        let verdict = poisoned(call, n).and_then(|()| {
            write::check_create(
                &account,
                object,
                call.version,
                sent,
                links,
                &mut plan.claims,
            )
        });
        plan.take(verdict.map(Step::Insert), traces[n])?;
    }
    apply(&mut account, object, plan, Verb::Create)
}

fn update(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: Inputs<KeyedInput> = call.json()?;
    check_keys(&body.inputs)?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    let mut plan = Plan::new(&traces(&body.inputs), Partial::WithTraceIds);
    for (n, input) in body.inputs.iter().enumerate() {
        if object == ObjectType::CONTACTS && input.id_property.as_deref() == Some("email") {
            return Err(ApiError::invalid(
                "email cannot be the idProperty of a batch update.",
            ));
        }
        let table = account.table(object)?;
        let verdict = poisoned(call, n)
            .and_then(|()| find(table, input.id_property.as_deref(), &input.id))
            .and_then(|id| id.ok_or_else(|| missing(table, &input.id)))
            .and_then(|id| {
                write::check_update(
                    &account,
                    object,
                    call.version,
                    id,
                    &input.properties,
                    &mut plan.claims,
                )
                .map(|values| Step::Change(id, values))
            });
        plan.take(verdict, input.object_write_trace_id.as_deref())?;
    }
    apply(&mut account, object, plan, Verb::Update)
}

fn upsert(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: Inputs<KeyedInput> = call.json()?;
    check_keys(&body.inputs)?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    // The vendor documents upsert by address as all or nothing.
    let by_email = body
        .inputs
        .iter()
        .any(|one| one.id_property.as_deref() == Some("email"));
    let partial = if by_email {
        Partial::Never
    } else {
        Partial::WithTraceIds
    };
    let mut plan = Plan::new(&traces(&body.inputs), partial);
    for (n, input) in body.inputs.iter().enumerate() {
        let verdict = poisoned(call, n)
            .and_then(|()| upsert_step(&account, object, call, input, &mut plan.claims));
        plan.take(verdict, input.object_write_trace_id.as_deref())?;
    }
    apply(&mut account, object, plan, Verb::Upsert)
}

fn upsert_step(
    account: &Account,
    object: ObjectType,
    call: &Call,
    input: &KeyedInput,
    claims: &mut Claims,
) -> Result<Step, ApiError> {
    let table = account.table(object)?;
    let Some(name) = input
        .id_property
        .as_deref()
        .filter(|name| *name != "hs_object_id")
    else {
        let id = find(table, None, &input.id)?.ok_or_else(|| missing(table, &input.id))?;
        let values =
            write::check_update(account, object, call.version, id, &input.properties, claims)?;
        return Ok(Step::Change(id, values));
    };
    check_unique_property(table, name)?;
    let mut sent = input.properties.clone();
    sent.entry(name.to_owned())
        .or_insert_with(|| input.id.clone());
    // Only a primary address matches here; a secondary one is a conflict below.
    match table.ids_by(name, &input.id).first().copied() {
        Some(id) => write::check_update(account, object, call.version, id, &sent, claims)
            .map(|values| Step::Change(id, values)),
        None => {
            write::check_create(account, object, call.version, &sent, &[], claims).map(Step::Insert)
        }
    }
}

fn read(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: ReadBody = call.json()?;
    check_size(body.inputs.len())?;
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    if let Some(name) = &body.id_property {
        check_unique_property(table, name)?;
    }
    let (mut results, mut gone, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for input in &body.inputs {
        let found = match call.archived() {
            true => input.parse().ok().and_then(|id| table.archived.get(&id)),
            false => find(table, body.id_property.as_deref(), &input.id)?
                .and_then(|id| table.records.get(&id)),
        };
        match found {
            Some(record) if seen.insert(record.id) => {
                results.push(render(&account, table, record, Shown::of(&body.properties)));
            }
            Some(_) => {}
            None => gone.push(input.id.clone()),
        }
    }
    let errors = match gone.is_empty() {
        true => Vec::new(),
        false => vec![not_read(&table.kind.shout(), gone)],
    };
    Ok(answer(200, results, errors))
}

fn not_read(shout: &str, ids: Vec<String>) -> Value {
    let message = format!(
        "Could not get some {shout} objects, they may be deleted or not exist. Check that ids are valid."
    );
    ApiError::new(404, "OBJECT_NOT_FOUND", message)
        .with_context("ids", ids)
        .item(None)
}

fn archive(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    let body: Inputs<RecordId> = call.json()?;
    check_size(body.inputs.len())?;
    let ids = body
        .inputs
        .iter()
        .map(RecordId::parse)
        .collect::<Result<Vec<_>, _>>()?;
    let mut account = hub.account();
    let object = account.object_type(object)?;
    for id in ids {
        account.archive(object, id);
    }
    Ok(Reply::no_content())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Upsert,
}

fn apply(account: &mut Account, object: ObjectType, plan: Plan, verb: Verb) -> Answer {
    let mut done = Vec::with_capacity(plan.steps.len());
    for (step, trace) in plan.steps {
        match step {
            Step::Insert(draft) => done.push((write::insert(account, object, draft), true, trace)),
            Step::Change(id, values) => {
                write::change(account, object, id, values);
                done.push((id, false, trace));
            }
        }
    }
    let table = account.table(object)?;
    // Not in input order, as with the vendor: callers must match, not zip.
    let results = done.into_iter().rev().filter_map(|(id, new, trace)| {
        let mut body = render(account, table, table.records.get(&id)?, Shown::Set);
        if let Some(trace) = trace {
            body["objectWriteTraceId"] = trace.into();
        }
        if verb == Verb::Upsert {
            body["new"] = new.into();
        }
        Some(body)
    });
    let status = if verb == Verb::Create { 201 } else { 200 };
    Ok(answer(status, results.collect(), plan.errors))
}

/// Builds a batch answer: 207 as soon as one input failed.
pub(crate) fn answer(status: u16, results: Vec<Value>, errors: Vec<Value>) -> Reply {
    let now = rfc3339(now_ms());
    let mut body = json!({"status": "COMPLETE", "requestedAt": now, "startedAt": now,
                          "completedAt": now});
    // Moved in, since the macro would copy every record.
    body["results"] = results.into();
    if errors.is_empty() {
        return Reply::json(status, body);
    }
    body["numErrors"] = errors.len().into();
    body["errors"] = errors.into();
    Reply::json(207, body)
}

fn traces(inputs: &[KeyedInput]) -> Vec<Option<&str>> {
    inputs
        .iter()
        .map(|one| one.object_write_trace_id.as_deref())
        .collect()
}

fn check_size(inputs: usize) -> Result<(), ApiError> {
    if inputs > MAX_INPUTS {
        return Err(ApiError::invalid(format!(
            "Batch size is {inputs}: the maximum is {MAX_INPUTS}."
        )));
    }
    Ok(())
}

fn check_keys(inputs: &[KeyedInput]) -> Result<(), ApiError> {
    check_size(inputs.len())?;
    let mut seen = HashSet::new();
    let unique = inputs
        .iter()
        .all(|one| seen.insert((one.id_property.as_deref(), one.id.to_lowercase())));
    if unique { Ok(()) } else { Err(duplicate_ids()) }
}

/// Fails the input that a fault chose.
fn poisoned(call: &Call, n: usize) -> Result<(), ApiError> {
    match &call.poison {
        Some(poison) if poison.index == n => Err(ApiError::values(vec![Detail {
            code: "INVALID_OPTION",
            property: poison.property.clone(),
            message: poison.message.clone().unwrap_or_else(|| {
                format!("{} was not one of the allowed options.", poison.property)
            }),
        }])),
        _ => Ok(()),
    }
}

const MAX_INPUTS: usize = 100;
