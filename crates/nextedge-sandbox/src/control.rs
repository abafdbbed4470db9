//! The control surface under `/_sandbox`: state, journal, faults, reset, seed, and the page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::page;
use crate::server::Shared;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/state", get(state))
        .route("/counts", get(counts))
        .route("/journal", get(journal))
        .route("/counters", get(counters))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/reset", post(reset))
        .route("/seed", post(seed))
        .merge(page::router())
}

#[derive(Deserialize)]
struct StateQuery {
    /// Object types, joined with commas. All without it.
    #[serde(default)]
    types: String,
}

async fn state(State(shared): State<Arc<Shared>>, Query(query): Query<StateQuery>) -> Json<Value> {
    let kinds = query
        .types
        .split(',')
        .filter(|one| !one.is_empty())
        .map(str::to_owned);
    let kinds: Vec<String> = kinds.collect();
    Json(json!({"hubspot": shared.hubspot.state(&kinds)}))
}

async fn counts(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"hubspot": shared.hubspot.counts()}))
}

#[derive(Deserialize)]
struct JournalQuery {
    #[serde(default)]
    since: u64,
}

async fn journal(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<JournalQuery>,
) -> Json<Value> {
    Json(shared.journal.list(query.since))
}

async fn counters(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.journal.counters())
}

async fn faults(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.faults.list())
}

async fn add_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|value| shared.faults.add(value)))
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

async fn reset(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.reset();
    StatusCode::NO_CONTENT
}

async fn seed(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|value| apply_seed(&shared, value)))
}

/// Applies a seed, one part per vendor.
pub(crate) fn apply_seed(shared: &Shared, value: Value) -> Result<Value, String> {
    let Value::Object(vendors) = value else {
        return Err("a seed is an object with one part per vendor".to_owned());
    };
    let mut out = Map::new();
    for (vendor, part) in vendors {
        let done = match vendor.as_str() {
            "hubspot" => shared.hubspot.seed(part)?,
            other => return Err(format!("no vendor is named {other:?}")),
        };
        out.insert(vendor, done);
    }
    Ok(Value::Object(out))
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn answer(result: Result<Value, String>) -> Response {
    match result {
        Ok(value) => (StatusCode::OK, Json(value)).into_response(),
        Err(error) => {
            let body = json!({ "error": error }).to_string();
            (
                StatusCode::BAD_REQUEST,
                [(header::CONTENT_TYPE, "application/json")],
                body,
            )
                .into_response()
        }
    }
}
