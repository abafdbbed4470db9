//! Faults on demand: which requests they meet, and how often.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::hubspot::{ApiError, Named, Poison, named};

/// A fault as it is asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    /// A fault of the vendor's own, such as `lock_record`.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_prefix: Option<String>,
    /// Like `path_prefix`, for calls that exist under several path styles.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_contains: Option<String>,
    /// Only requests that name this record id, in the path or in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    times: Times,
    /// Matching requests that pass before the fault begins.
    after: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<DropWhen>,
    /// Applies the request before the `status` is answered.
    apply: bool,
    /// `Retry-After` of a named fault, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// Which input `partial_batch` fails, on which property, and what the refusal says.
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(untagged)]
enum Times {
    Count(u64),
    Word(Always),
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Always {
    Always,
}

impl Default for Times {
    fn default() -> Self {
        Self::Count(1)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum DropWhen {
    BeforeApply,
    AfterApply,
}

/// What a request meets.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) delay: Option<Duration>,
    pub(crate) end: End,
    pub(crate) poison: Option<Poison>,
}

/// How a request ends.
#[derive(Debug, Default)]
pub(crate) enum End {
    /// As the vendor answers.
    #[default]
    Normal,
    /// With this, whether or not the request is applied first.
    Scripted {
        status: u16,
        headers: BTreeMap<String, String>,
        body: Scripted,
        apply: bool,
    },
    /// Without an answer.
    Cut { apply: bool },
    /// With a panic in the sandbox.
    Panic,
}

/// The body of a scripted answer.
#[derive(Clone, Debug)]
pub(crate) enum Scripted {
    Error(ApiError),
    Json(Value),
    Text(String),
}

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Mutex<Vec<Fault>>,
}

#[derive(Clone, Debug)]
struct Fault {
    id: u64,
    spec: Spec,
    seen: u64,
    met: u64,
}

impl Faults {
    /// Adds a fault and answers it with its number.
    pub(crate) fn add(&self, value: Value) -> Result<Value, String> {
        let spec: Spec = serde_json::from_value(value).map_err(|error| error.to_string())?;
        check(&spec)?;
        let mut list = self.lock();
        let id = list.last().map_or(1, |one| one.id + 1);
        let fault = Fault {
            id,
            spec,
            seen: 0,
            met: 0,
        };
        let body = fault.json();
        list.push(fault);
        Ok(body)
    }

    pub(crate) fn list(&self) -> Value {
        self.lock().iter().map(Fault::json).collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Counts the request against every fault and answers what it meets: the first one in force.
    pub(crate) fn meet(&self, vendor: &str, method: &Method, path: &str, body: &[u8]) -> Effect {
        let mut list = self.lock();
        let mut effect = Effect::default();
        for fault in list.iter_mut() {
            if !fault.spec.matches(vendor, method, path, body) {
                continue;
            }
            fault.seen += 1;
            if fault.seen <= fault.spec.after || fault.is_spent() {
                continue;
            }
            fault.met += 1;
            effect = fault.spec.effect();
            break;
        }
        effect
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn is_spent(&self) -> bool {
        matches!(self.spec.times, Times::Count(times) if self.met >= times)
    }

    fn json(&self) -> Value {
        let mut body = serde_json::to_value(&self.spec).unwrap_or_default();
        body["fault"] = self.id.into();
        body["met"] = self.met.into();
        body["spent"] = self.is_spent().into();
        body
    }
}

impl Spec {
    fn matches(&self, vendor: &str, method: &Method, path: &str, body: &[u8]) -> bool {
        let writes_only = self.name.as_deref().is_some_and(Named::writes_only);
        self.vendor.as_deref().is_none_or(|one| one == vendor)
            && self
                .method
                .as_deref()
                .is_none_or(|one| one.eq_ignore_ascii_case(method.as_str()))
            && self
                .path_prefix
                .as_deref()
                .is_none_or(|one| path.starts_with(one))
            && self
                .path_contains
                .as_deref()
                .is_none_or(|one| path.contains(one))
            && self
                .id
                .as_deref()
                .is_none_or(|id| names_record(id, path, body))
            && (!writes_only || is_write(method, path))
    }

    fn effect(&self) -> Effect {
        let mut effect = Effect {
            delay: self.delay_ms.map(Duration::from_millis),
            end: self.plain_end(),
            poison: None,
        };
        let named = self
            .name
            .as_deref()
            .and_then(|name| named(name, self.retry_after));
        match named {
            Some(Named::Answer(error)) => {
                effect.end = self.scripted(error.status(), Scripted::Error(error));
            }
            Some(Named::Html(status)) => {
                let page = "<html><head><title>Error</title></head><body>Error</body></html>";
                effect.end = self.scripted(status, Scripted::Text(page.to_owned()));
            }
            Some(Named::LoseResponse) => effect.end = End::Cut { apply: true },
            Some(Named::Panic) => effect.end = End::Panic,
            Some(Named::PoisonInput) => {
                effect.poison = Some(Poison {
                    index: self.index,
                    property: self.property.clone().unwrap_or_else(|| "email".to_owned()),
                    message: self.message.clone(),
                });
            }
            None => {}
        }
        effect
    }

    fn plain_end(&self) -> End {
        match (self.drop, self.status) {
            (Some(when), _) => End::Cut {
                apply: when == DropWhen::AfterApply,
            },
            (None, Some(status)) => {
                let body = match &self.body {
                    Some(Value::String(text)) => Scripted::Text(text.clone()),
                    Some(other) => Scripted::Json(other.clone()),
                    None => {
                        Scripted::Json(json!({"status": "error", "message": "fault on demand"}))
                    }
                };
                self.scripted(status, body)
            }
            (None, None) => End::Normal,
        }
    }

    fn scripted(&self, status: u16, body: Scripted) -> End {
        End::Scripted {
            status: self.status.unwrap_or(status),
            headers: self.headers.clone(),
            body,
            apply: self.apply,
        }
    }
}

fn check(spec: &Spec) -> Result<(), String> {
    if let Some(name) = &spec.name
        && named(name, None).is_none()
    {
        return Err(format!(
            "no fault is named {name:?}: there are {}",
            Named::names()
        ));
    }
    if spec.vendor.as_deref().is_some_and(|one| one != "hubspot") {
        return Err(format!("no vendor is named {:?}", spec.vendor));
    }
    if spec
        .status
        .is_some_and(|status| !(200..=599).contains(&status))
    {
        return Err("status must be from 200 to 599".to_owned());
    }
    let does = spec.name.is_some()
        || spec.status.is_some()
        || spec.drop.is_some()
        || spec.delay_ms.is_some();
    if does {
        Ok(())
    } else {
        Err("a fault needs a name, a status, a drop or a delay_ms".to_owned())
    }
}

fn names_record(id: &str, path: &str, body: &[u8]) -> bool {
    let quoted = format!("\"{id}\"");
    path.split('/').any(|part| part == id)
        || body
            .windows(quoted.len())
            .any(|window| window == quoted.as_bytes())
}

/// Whether a request would change something: reads also travel as POST.
pub(crate) fn is_write(method: &Method, path: &str) -> bool {
    let reads = path.ends_with("/batch/read") || path.ends_with("/search");
    method != Method::GET && !reads
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn meets(faults: &Faults, method: &Method, path: &str, body: &str) -> bool {
        !matches!(
            faults.meet("hubspot", method, path, body.as_bytes()).end,
            End::Normal
        )
    }

    #[test]
    fn after_and_times_bound_a_fault() {
        let faults = Faults::default();
        faults
            .add(json!({"status": 503, "after": 1, "times": 2}))
            .unwrap();
        let met: Vec<bool> = (0..5)
            .map(|_| meets(&faults, &Method::GET, "/x", ""))
            .collect();
        assert_eq!(met, [false, true, true, false, false]);
    }

    #[test]
    fn a_lock_meets_only_writes_that_name_the_record() {
        let faults = Faults::default();
        faults
            .add(json!({"name": "lock_record", "id": "7", "times": "always"}))
            .unwrap();
        let post = Method::POST;
        assert!(meets(
            &faults,
            &Method::PATCH,
            "/crm/v3/objects/contacts/7",
            ""
        ));
        assert!(meets(
            &faults,
            &post,
            "/crm/v3/objects/contacts/batch/update",
            r#"{"id":"7"}"#
        ));
        assert!(!meets(
            &faults,
            &post,
            "/crm/v3/objects/contacts/batch/update",
            r#"{"id":"77"}"#
        ));
        assert!(!meets(
            &faults,
            &post,
            "/crm/v3/objects/contacts/batch/read",
            r#"{"id":"7"}"#
        ));
        assert!(!meets(
            &faults,
            &Method::GET,
            "/crm/v3/objects/contacts/7",
            ""
        ));
    }

    #[test]
    fn a_fault_that_does_nothing_or_is_misspelt_is_refused() {
        let faults = Faults::default();
        for bad in [
            json!({}),
            json!({"name": "lock"}),
            json!({"statu": 500}),
            json!({"status": 99}),
        ] {
            assert!(faults.add(bad.clone()).is_err(), "{bad}");
        }
    }
}
