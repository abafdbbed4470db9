//! Tansy, an invented small CRM: a server on a port of its own, with troubles on demand.
//!
//! | Call | Does |
//! |---|---|
//! | `GET /account`, `GET /fields` | names the account; lists the fields of each kind |
//! | `POST /search` | finds records by key or id |
//! | `PUT /{kind}/{key}` | makes a record, file or activity; 200 instead of 201 if the key has one |
//! | `PATCH /{kind}/{id}` | sets fields of a record and answers what they held before |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The kinds of records with their fields.
pub const FIELDS: &[(&str, &[&str])] = &[
    ("contact", &["name", "phone", "owner"]),
    ("company", &["name", "owner"]),
    ("lead", &["title", "text", "stage", "owner"]),
    ("case", &["title", "text", "stage", "owner"]),
    ("opportunity", &["title", "text", "stage", "owner"]),
];

/// Something that an account holds.
#[derive(Clone, Debug)]
pub struct Thing {
    /// Its kind: one of [`FIELDS`], `file` or `activity`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The key it was made under.
    pub key: String,
    /// The fields of a record, or the whole of an activity.
    pub fields: Value,
    /// The content of a file.
    pub content: Bytes,
}

/// What goes wrong until it is lifted. A `path` meets every call whose path starts so.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Trouble {
    /// Calls are applied and their answers lost.
    LoseAnswers { paths: Vec<String>, once: bool },
    /// The connection is cut before calls are applied.
    Cut { paths: Vec<String> },
    /// Calls wait until lifted.
    Hold { paths: Vec<String> },
    /// Calls are answered with this status, and `Retry-After` in seconds.
    Refuse {
        paths: Vec<String>,
        status: u16,
        after: u64,
    },
    /// Whatever is made under this key is refused because of a field, in these words.
    BadField {
        key: String,
        field: String,
        words: String,
    },
    /// This field no longer exists.
    NoField { field: String },
}

/// A running Tansy; it stops with its runtime.
#[derive(Clone)]
pub struct Tansy {
    shared: Arc<Shared>,
    url: String,
}

#[derive(Default)]
struct Shared {
    held: Mutex<Held>,
    lifted: Notify,
}

#[derive(Default)]
struct Held {
    /// By token, oldest first.
    accounts: BTreeMap<String, Vec<Thing>>,
    trouble: Option<Trouble>,
    calls: usize,
    holding: bool,
}

impl Tansy {
    /// Starts a server with one account for each token.
    ///
    /// # Errors
    ///
    /// If no port can be taken.
    pub async fn start(tokens: &[&str]) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let accounts = tokens.iter().map(|token| ((*token).to_owned(), Vec::new()));
        shared.held().accounts = accounts.collect();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, service).await });
        Ok(Self { shared, url })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What an account holds, oldest first.
    pub fn things(&self, token: &str) -> Vec<Thing> {
        self.shared
            .held()
            .accounts
            .get(token)
            .cloned()
            .unwrap_or_default()
    }

    /// Lets somebody else create a record.
    pub fn create(&self, token: &str, kind: &str, key: &str) {
        // an empty record is never refused
        let _ = self.shared.held().make(token, kind, key, b"{}");
    }

    /// How many calls came in.
    pub fn calls(&self) -> usize {
        self.shared.held().calls
    }

    /// Whether a call waits to be let go.
    pub fn is_holding(&self) -> bool {
        self.shared.held().holding
    }

    /// Puts a trouble in force, or lifts it.
    pub fn set(&self, trouble: Option<Trouble>) {
        {
            let mut held = self.shared.held();
            held.holding = false;
            held.trouble = trouble;
        }
        self.shared.lifted.notify_waiters();
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every call: counted, held, and then met by the trouble in force or applied.
async fn answer(
    State(shared): State<Arc<Shared>>,
    method: axum::http::Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let meets = |paths: &[String]| paths.iter().any(|start| path.starts_with(start.as_str()));
    let lifted = shared.lifted.notified();
    let waits = {
        let mut held = shared.held();
        held.calls += 1;
        let waits = matches!(&held.trouble, Some(Trouble::Hold { paths }) if meets(paths));
        held.holding |= waits;
        waits
    };
    if waits {
        lifted.await;
    }
    let mut held = shared.held();
    let mut lost = false;
    match held.trouble.clone() {
        Some(Trouble::Refuse {
            paths,
            status,
            after,
        }) if meets(&paths) => {
            let wait = [("retry-after", after.to_string())];
            return (wait, say(status, json!({"error": "refused"}))).into_response();
        }
        Some(Trouble::Cut { paths }) if meets(&paths) => return cut(),
        Some(Trouble::LoseAnswers { paths, once }) if meets(&paths) => {
            lost = true;
            held.trouble = held.trouble.take().filter(|_| !once);
        }
        _ => {}
    }
    let token = bearer(&headers).filter(|token| held.accounts.contains_key(token));
    let Some(token) = token else {
        return say(401, json!({"error": "token"}));
    };
    let response = held.apply(&token, method.as_str(), &path, &body);
    if lost { cut() } else { response }
}

fn say(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// Breaks the connection off in the middle of an answer.
fn cut() -> Response {
    let broken = std::io::Error::other("cut on demand");
    Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(broken) })).into_response()
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    header.strip_prefix("Bearer ").map(str::to_owned)
}

impl Held {
    fn apply(&mut self, token: &str, method: &str, path: &str, body: &[u8]) -> Response {
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let kind = parts.next().unwrap_or_default();
        let key = parts.next().unwrap_or_default().replace("%40", "@");
        match (method, kind) {
            ("GET", "account") => say(200, json!(format!("Tansy of {} letters", token.len()))),
            ("GET", "fields") => {
                let kinds = FIELDS
                    .iter()
                    .map(|(kind, fields)| ((*kind).to_owned(), json!(fields)));
                say(200, Value::Object(kinds.collect()))
            }
            ("POST", "search") => say(200, self.search(token, body)),
            ("PUT", _) => match self.make(token, kind, &key, body) {
                Ok((status, id)) => say(status, id.into()),
                Err(refusal) => say(422, refusal),
            },
            _ => match self.change(token, &key, body) {
                Ok(before) => say(200, Value::Object(before)),
                Err(refusal) => say(422, refusal),
            },
        }
    }

    fn search(&self, token: &str, body: &[u8]) -> Value {
        let wanted: Vec<String> = serde_json::from_slice(body).unwrap_or_default();
        let things = self.accounts.get(token).into_iter().flatten();
        let fits = |thing: &&Thing| {
            let is_record = FIELDS.iter().any(|(kind, _)| *kind == thing.kind);
            is_record && (wanted.contains(&thing.key) || wanted.contains(&thing.id))
        };
        let row = |thing: &Thing| {
            let closed = thing.fields["stage"]["text"] == "closed";
            json!({"kind": thing.kind, "id": thing.id, "key": thing.key,
                   "fields": thing.fields, "closed": closed})
        };
        things.filter(fits).map(row).collect()
    }

    /// Makes something once for each kind and key; answers the status and its id.
    fn make(
        &mut self,
        token: &str,
        kind: &str,
        key: &str,
        body: &[u8],
    ) -> Result<(u16, String), Value> {
        if let Some(Trouble::BadField {
            key: bad,
            field,
            words,
        }) = &self.trouble
            && bad == key
        {
            return Err(json!({ "field": field, "message": words }));
        }
        let number: usize = self.accounts.values().map(Vec::len).sum();
        let known = self.accounts.get(token).into_iter().flatten();
        let mut known = known.filter(|thing| thing.kind == kind);
        if let Some(thing) = known.find(|thing| thing.key == key) {
            return Ok((200, thing.id.clone()));
        }
        let is_file = kind == "file";
        let fields: Value = if is_file {
            Value::Null
        } else {
            serde_json::from_slice(body).unwrap_or_default()
        };
        self.check(kind, &fields)?;
        let thing = Thing {
            kind: kind.to_owned(),
            id: format!("{kind}-{number}"),
            key: key.to_owned(),
            fields,
            content: if is_file {
                Bytes::copy_from_slice(body)
            } else {
                Bytes::new()
            },
        };
        let id = thing.id.clone();
        self.accounts
            .entry(token.to_owned())
            .or_default()
            .push(thing);
        Ok((201, id))
    }

    fn change(&mut self, token: &str, id: &str, body: &[u8]) -> Result<Map<String, Value>, Value> {
        let fields: Value = serde_json::from_slice(body).unwrap_or_default();
        self.check(id.split('-').next().unwrap_or_default(), &fields)?;
        let things = self.accounts.entry(token.to_owned()).or_default();
        let thing = things.iter_mut().find(|thing| thing.id == id);
        let thing = thing.ok_or_else(|| json!({"field": "id", "message": "no such record"}))?;
        let mut before = Map::new();
        for (name, value) in fields.as_object().into_iter().flatten() {
            let old = std::mem::replace(&mut thing.fields[name], value.clone());
            before.insert(
                name.clone(),
                if old.is_null() {
                    json!({"text": ""})
                } else {
                    old
                },
            );
        }
        Ok(before)
    }

    fn check(&self, kind: &str, fields: &Value) -> Result<(), Value> {
        if kind == "activity"
            && fields["text"]
                .as_str()
                .is_none_or(|text| text.chars().count() > MAX_TEXT)
        {
            return Err(json!({"field": "text", "message": "missing or too long"}));
        }
        let Some((_, known)) = FIELDS.iter().find(|(name, _)| *name == kind) else {
            return Ok(());
        };
        let gone =
            |name: &str| matches!(&self.trouble, Some(Trouble::NoField { field }) if field == name);
        let mut names = fields
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name);
        match names.find(|name| gone(name) || !known.contains(&name.as_str())) {
            Some(name) => Err(json!({"field": name, "message": "no such field"})),
            None => Ok(()),
        }
    }
}

/// The longest text of an activity, in characters.
const MAX_TEXT: usize = 100_000;
