//! The journal of requests: the latest in full, all of them counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::hubspot::{now_ms, rfc3339};

/// How much of the past a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalLimits {
    pub(crate) requests: usize,
    /// Bytes of bodies in all; older bodies go first.
    pub(crate) bytes: usize,
}

/// One answered (or cut) request.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) vendor: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// 0 where the connection was cut.
    pub(crate) status: u16,
    pub(crate) cause: Option<String>,
    pub(crate) request: Recorded,
    pub(crate) response: Recorded,
}

/// A body as the journal holds it.
#[derive(Clone, Debug)]
pub(crate) enum Recorded {
    Empty,
    Bytes(Bytes),
    /// A description in place of a body that is no JSON.
    Described(Value),
    Discarded,
}

impl Recorded {
    pub(crate) fn body(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Bytes(bytes)
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Empty | Self::Described(_) | Self::Discarded => 0,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Discarded => json!({"discarded": true}),
            Self::Described(value) => value.clone(),
            Self::Bytes(bytes) => match serde_json::from_slice(bytes) {
                Ok(mut value) => {
                    redact(&mut value);
                    value
                }
                Err(_) => String::from_utf8_lossy(bytes).into_owned().into(),
            },
        }
    }
}

/// Remembers requests within its limits, and counts all of them.
#[derive(Debug)]
pub(crate) struct Journal {
    limits: JournalLimits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Stored>,
    next: u64,
    bytes: usize,
    /// The first entry that may still hold bodies.
    first_body: u64,
    counters: BTreeMap<(&'static str, String), BTreeMap<u16, u64>>,
}

#[derive(Debug)]
struct Stored {
    at: String,
    entry: Entry,
}

impl Journal {
    pub(crate) fn new(limits: JournalLimits) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
        }
    }

    /// Appends an entry, counted under `counter` (its path without ids).
    pub(crate) fn append(&self, entry: Entry, counter: &str) {
        let at = rfc3339(now_ms());
        let mut inner = self.lock();
        let counter = (entry.vendor, format!("{} {counter}", entry.method));
        *inner
            .counters
            .entry(counter)
            .or_default()
            .entry(entry.status)
            .or_default() += 1;
        inner.bytes += entry.request.len() + entry.response.len();
        inner.next += 1;
        inner.entries.push_back(Stored { at, entry });
        inner.enforce(self.limits);
    }

    /// Answers the entries numbered `since` and later, as far as they are still held.
    pub(crate) fn list(&self, since: u64) -> Value {
        let inner = self.lock();
        let first = inner.first();
        let skip = usize::try_from(since.saturating_sub(first)).unwrap_or(usize::MAX);
        let numbered = inner.entries.iter().zip(first..).skip(skip);
        numbered.map(|(stored, n)| stored.json(n)).collect()
    }

    /// Answers how often each call was made and how it ended. Never forgets.
    pub(crate) fn counters(&self) -> Value {
        let inner = self.lock();
        let mut out = json!({"total": inner.next});
        for ((vendor, call), statuses) in &inner.counters {
            let statuses: BTreeMap<String, u64> = statuses
                .iter()
                .map(|(status, n)| (status.to_string(), *n))
                .collect();
            out[*vendor][call] = json!(statuses);
        }
        out
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn first(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    fn enforce(&mut self, limits: JournalLimits) {
        while self.entries.len() > limits.requests {
            if let Some(gone) = self.entries.pop_front() {
                self.bytes -= gone.entry.request.len() + gone.entry.response.len();
            }
        }
        while self.bytes > limits.bytes && self.first_body < self.next {
            let first = self.first();
            let n = self.first_body.max(first);
            if let Some(stored) = self.entries.get_mut((n - first) as usize) {
                let entry = &mut stored.entry;
                self.bytes -= entry.request.len() + entry.response.len();
                for body in [&mut entry.request, &mut entry.response] {
                    if body.len() > 0 {
                        *body = Recorded::Discarded;
                    }
                }
            }
            self.first_body = n + 1;
        }
    }
}

impl Stored {
    fn json(&self, n: u64) -> Value {
        let entry = &self.entry;
        json!({"n": n, "at": self.at, "vendor": entry.vendor, "method": entry.method,
               "path": entry.path, "query": entry.query, "status": entry.status,
               "cause": entry.cause, "request": entry.request.json(),
               "response": entry.response.json()})
    }
}

/// Hides what would let a reader act in a caller's name.
fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret(name) && value.is_string() {
                    *value = "[redacted]".into();
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// Hides secrets in a query string.
pub(crate) fn redact_query(query: &str) -> String {
    let parts = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=[redacted]"),
        _ => pair.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

fn is_secret(name: &str) -> bool {
    const SECRET: [&str; 7] = [
        "access_token",
        "refresh_token",
        "id_token",
        "client_secret",
        "code",
        "code_verifier",
        "signature",
    ];
    SECRET.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: &str) -> Entry {
        Entry {
            vendor: "hubspot",
            method: "POST".to_owned(),
            path: "/x".to_owned(),
            query: String::new(),
            status: 200,
            cause: None,
            request: Recorded::body(Bytes::copy_from_slice(body.as_bytes())),
            response: Recorded::Empty,
        }
    }

    #[test]
    fn old_requests_and_bodies_go_but_counters_stay() {
        let journal = Journal::new(JournalLimits {
            requests: 3,
            bytes: 6,
        });
        for body in ["[10]", "[2]", "[3]", "[4]"] {
            journal.append(entry(body), "/x");
        }
        let list = journal.list(0);
        let bodies: Vec<String> = (0..3).map(|n| list[n]["request"].to_string()).collect();
        assert_eq!(bodies, [r#"{"discarded":true}"#, "[3]", "[4]"]);
        assert_eq!(list[0]["n"], 1);
        assert_eq!(journal.list(3).as_array().map(Vec::len), Some(1));
        assert_eq!(journal.counters()["hubspot"]["POST /x"]["200"], 4);
    }

    #[test]
    fn secrets_are_hidden() {
        let journal = Journal::new(JournalLimits {
            requests: 9,
            bytes: 999,
        });
        journal.append(entry(r#"{"a":[{"refresh_token":"r-1","x":"y"}]}"#), "");
        let text = journal.list(0).to_string();
        assert!(!text.contains("r-1") && text.contains("[redacted]") && text.contains("\"y\""));
        assert_eq!(
            redact_query("a=1&signature=abc"),
            "a=1&signature=[redacted]"
        );
    }
}
