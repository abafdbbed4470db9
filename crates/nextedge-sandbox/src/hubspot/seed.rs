//! Filling an account from outside: settings, rules, definitions, records.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::account::{Account, Conditional};
use super::call::Version;
use super::error::ApiError;
use super::objects::CreateInput;
use super::owners::Owner;
use super::pipelines::Pipeline;
use super::properties::define;
use super::property::NewProperty;
use super::schemas::{Schema, add};
use super::write::{self, Claims};

/// The vendor's part of a seed. Applied in the order of the fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Seed {
    account: Settings,
    owners: Vec<Owner>,
    schemas: Vec<Schema>,
    properties: BTreeMap<String, Vec<NewProperty>>,
    pipelines: BTreeMap<String, Vec<Pipeline>>,
    read_only: BTreeMap<String, Vec<String>>,
    required: BTreeMap<String, Vec<String>>,
    conditional: Vec<ConditionalSeed>,
    records: BTreeMap<String, Vec<CreateInput>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    leads: Option<bool>,
    search_lag_ms: Option<i64>,
    rate_limit: Option<String>,
    time_zone: Option<String>,
    currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionalSeed {
    object: String,
    property: String,
    value: String,
    require: Vec<String>,
}

/// Applies a seed and answers the ids of its records, by object type and in order.
pub(crate) fn seed(hub: &Hubspot, seed: Value) -> Result<Value, String> {
    let seed: Seed = serde_json::from_value(seed).map_err(|error| error.to_string())?;
    if let Some(limit) = &seed.account.rate_limit {
        hub.limiter.reset(limit.parse()?);
    }
    let mut account = hub.account();
    apply(&mut account, seed).map_err(|error| error.body("").to_string())
}

fn apply(account: &mut Account, seed: Seed) -> Result<Value, ApiError> {
    settings(account, seed.account);
    account.owners.extend(seed.owners);
    for schema in seed.schemas {
        add(account, schema)?;
    }
    for (object, properties) in seed.properties {
        let object = account.object_type(&object)?;
        for property in properties {
            define(account.table_mut(object)?, property)?;
        }
    }
    for (object, pipelines) in seed.pipelines {
        let object = account.object_type(&object)?;
        account
            .pipelines
            .entry(object)
            .or_default()
            .extend(pipelines);
    }
    rules(account, seed.read_only, seed.required, seed.conditional)?;
    let mut ids = BTreeMap::new();
    for (name, inputs) in seed.records {
        ids.insert(name.clone(), records(account, &name, &inputs)?);
    }
    Ok(json!({ "records": ids }))
}

fn settings(account: &mut Account, new: Settings) {
    let old = &mut account.settings;
    old.leads = new.leads.unwrap_or(old.leads);
    old.search_lag_ms = new.search_lag_ms.unwrap_or(old.search_lag_ms);
    old.time_zone = new.time_zone.unwrap_or_else(|| old.time_zone.clone());
    old.currency = new.currency.unwrap_or_else(|| old.currency.clone());
}

fn rules(
    account: &mut Account,
    read_only: BTreeMap<String, Vec<String>>,
    required: BTreeMap<String, Vec<String>>,
    conditional: Vec<ConditionalSeed>,
) -> Result<(), ApiError> {
    for (object, names) in read_only {
        let object = account.object_type(&object)?;
        let table = account.table_mut(object)?;
        for name in names {
            if let Some(property) = table.properties.get_mut(name.as_str()) {
                property.read_only = true;
            }
        }
    }
    for (object, names) in required {
        let object = account.object_type(&object)?;
        account
            .rules
            .required
            .entry(object)
            .or_default()
            .extend(names);
    }
    for one in conditional {
        let object = account.object_type(&one.object)?;
        account.rules.conditional.push(Conditional {
            object,
            when: (one.property, one.value),
            require: one.require,
        });
    }
    Ok(())
}

fn records(
    account: &mut Account,
    object: &str,
    inputs: &[CreateInput],
) -> Result<Vec<String>, ApiError> {
    let object = account.object_type(object)?;
    let mut ids = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (sent, links) = (&input.properties, &input.associations);
        let mut claims = Claims::new();
        let draft = write::check_create(account, object, Version::V3, sent, links, &mut claims)?;
        ids.push(write::insert(account, object, draft).to_string());
    }
    Ok(ids)
}
