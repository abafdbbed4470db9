//! The fuzz targets as plain functions: each takes bytes and panics if something does not hold.
//!
//! `fuzz/` hands them to `cargo fuzz`; the test `targets` runs seeds and mutations on stable.
#![allow(clippy::panic)] // a fuzz target says by a panic what does not hold

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use nextedge_core::mail::{
    FileSource, HtmlLimits, Mail, ParseOptions, fingerprint, html_to_text, normalise_subject,
    open_mail, sanitise_html,
};
use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty, Policy, Template};
use nextedge_core::source::{FetchItem, Fetched, ListRequest, MailSource, Stub};
use nextedge_core::stage::map::CompiledMap;
use nextedge_core::{
    CallContext, Category, Connection, ConnectionId, ConnectionRole, Error, FieldName, FieldValue,
    RecordKind, TenantId,
};
use sha2::{Digest, Sha256};

use crate::stages::{person, planned, stages};
use crate::way;

/// A fuzz target: its name, and the function.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Target {
    /// The name, as in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes; panics if something does not hold.
    pub run: fn(&[u8]),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "raw_mail",
        run: raw_mail,
    },
    Target {
        name: "html",
        run: html,
    },
    Target {
        name: "mbox",
        run: mbox,
    },
    Target {
        name: "policy",
        run: policy,
    },
    Target {
        name: "template",
        run: template,
    },
    Target {
        name: "hubspot_json",
        run: hubspot_json,
    },
];

/// A raw mail: read, opened again, screened, fingerprinted, classified, decided, mapped.
pub fn raw_mail(data: &[u8]) {
    let mail = match way::read(data) {
        Ok(Some(mail)) => mail,
        Ok(None) => return,
        Err(fault) => panic!("{fault}"),
    };
    let opened = open_mail(data, &[0, 1, u32::MAX], &ParseOptions::default());
    let opened = opened.unwrap_or_else(|fault| panic!("read once, not twice: {fault}"));
    assert_eq!(opened.text, mail.body.text, "two readings differ");
    let tenant = tenant();
    assert_eq!(
        fingerprint(&tenant, &mail),
        fingerprint(&tenant, &mail.clone())
    );
    let subject = normalise_subject(&mail.subject);
    assert_eq!(
        normalise_subject(&subject),
        subject,
        "a normal subject has a normal form"
    );
    stages(&mail);
}

/// HTML: rendered and sanitised; both stay bounded, nothing active survives.
pub fn html(data: &[u8]) {
    let html = String::from_utf8_lossy(data);
    let limits = HtmlLimits::default();
    let seen = html_to_text(&html, &limits);
    // an entity of eight bytes may become one letter, a list item's number may become seven
    assert!(
        seen.text.len() <= html.len() * 12 + 100,
        "{} of {}",
        seen.text.len(),
        html.len()
    );
    assert!(seen.hidden_chars <= html.chars().count() + 1);
    let clean = sanitise_html(&html, &limits);
    let lower = clean.to_ascii_lowercase();
    for banned in ["<script", "<img", "<iframe", "<style", "<form", "<svg"] {
        assert!(!lower.contains(banned), "{banned} survived");
    }
}

/// A file as an mbox: every mail that is listed can be fetched, whole, and the listing ends.
pub fn mbox(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("box.mbox");
    std::fs::write(&path, data).unwrap_or_else(|error| panic!("{error}"));
    let cx = context(serde_json::json!({ "path": path }));
    let source = FileSource::default();
    let stubs = list_all(&source, &cx, data.len());
    let items: Vec<FetchItem> = stubs
        .iter()
        .map(|stub| FetchItem {
            provider_id: stub.provider_id.clone(),
            locator: stub.locator.clone(),
        })
        .collect();
    let fetched = block_on(source.fetch(&cx, &items)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fetched.len(), items.len());
    let mut total = 0;
    for (stub, answer) in stubs.iter().zip(fetched) {
        let raw = match answer {
            Ok(Fetched::Raw { bytes, .. }) => bytes,
            other => panic!("a listed mail cannot be fetched: {other:?}"),
        };
        total += raw.len();
        let id = stub.provider_id.as_str();
        assert!(
            id.starts_with(&mail_id(&raw)),
            "the id is not the hash of the bytes"
        );
        assert_eq!(stub.bytes, Some(raw.len() as u64));
    }
    assert!(
        total <= data.len(),
        "{total} bytes of mail in {} bytes",
        data.len()
    );
}

fn list_all(source: &FileSource, cx: &CallContext, bytes: usize) -> Vec<Stub> {
    let mut request = ListRequest {
        limit: 3,
        ..ListRequest::default()
    };
    let mut stubs = Vec::new();
    for _ in 0..bytes + 2 {
        let page = block_on(source.list(cx, &request)).unwrap_or_else(|error| panic!("{error}"));
        stubs.extend(page.stubs);
        if page.next.is_none() {
            return stubs;
        }
        request.page = page.next;
    }
    panic!("the listing does not end");
}

/// A policy in TOML: refused with a code and a next step, or kept whole by a round trip.
pub fn policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Policy::from_toml(&text) {
        Ok(policy) => {
            let again = policy
                .to_toml()
                .unwrap_or_else(|error| panic!("cannot be written: {error}"));
            let back = Policy::from_toml(&again)
                .unwrap_or_else(|error| panic!("cannot be read again: {error}"));
            assert_eq!(back, policy, "a round trip changed the policy");
        }
        Err(error) => check_error(&error, &text),
    }
    if let Ok(map) = FieldMap::from_toml(&text) {
        let again = map
            .to_toml()
            .unwrap_or_else(|error| panic!("cannot be written: {error}"));
        let back = FieldMap::from_toml(&again)
            .unwrap_or_else(|error| panic!("cannot be read again: {error}"));
        assert_eq!(back, map, "a round trip changed the field map");
        if let Err(error) = CompiledMap::new(&map) {
            check_error(&error, &text);
        }
    }
}

/// A template: refused when it is compiled, or rendered within its bounds for every mail.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let map = match CompiledMap::new(&one_template(&text)) {
        Ok(map) => map,
        Err(error) => return check_error(&error, &text),
    };
    for mail in MAILS.iter() {
        let Some(person) = person(mail) else { continue };
        match planned(mail, &person, &map, None) {
            Ok(Some(plan)) => {
                let fields = plan.contact.fields.values();
                let lengths = fields.map(|value| match value {
                    FieldValue::Text(text) => text.len(),
                    _ => 0,
                });
                let most = lengths.max().unwrap_or_default();
                assert!(most <= 1 << 20, "a field grew beyond its bound");
            }
            Ok(None) => (),
            Err(error) => check_error(&error, &text),
        }
    }
}

/// An answer of HubSpot: read as every kind of answer; errors carry no text of it but codes.
pub fn hubspot_json(data: &[u8]) {
    for error in nextedge_hubspot::fuzzing::read_answer(data) {
        assert_eq!(
            error.to_string().lines().count(),
            1,
            "an error of several lines"
        );
        assert!(
            error.to_string().len() <= 2_000,
            "an error that grows with the answer"
        );
        assert!(!error.code().is_empty());
    }
}

/// Every refusal has a code, one line, and says what to do; it repeats nothing long of its input.
fn check_error(error: &Error, input: &str) {
    assert!(error.code().starts_with("NE-"));
    let shown = error.to_string();
    assert!(
        shown.lines().count() <= 1,
        "an error of several lines: {shown}"
    );
    assert!(error.action().is_some(), "no next step: {shown}");
    assert!(
        shown.len() <= 2_500,
        "an error of {} bytes for {} bytes",
        shown.len(),
        input.len()
    );
}

pub(crate) fn one_template(text: &str) -> FieldMap {
    let fields = BTreeMap::from([(FieldName::new("name"), Template::from(text))]);
    FieldMap {
        contact: fields,
        categories: Category::ALL
            .into_iter()
            .filter(|category| *category != Category::None)
            .map(|category| (category, contact_only()))
            .collect(),
        ..FieldMap::default()
    }
}

fn contact_only() -> CategoryMap {
    CategoryMap {
        fields: BTreeMap::new(),
        contact: BTreeMap::new(),
        on_reply: BTreeMap::new(),
        kind: RecordKind::Contact,
        known_party: KnownParty::Same,
    }
}

fn mail_id(raw: &[u8]) -> String {
    let hash = Sha256::digest(raw);
    hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("fuzz").unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn id(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn context(settings: serde_json::Value) -> CallContext {
    let connection = Connection::new(id("files"), "file", ConnectionRole::Source);
    let connection = Arc::new(connection.with_settings(settings));
    CallContext::new(tenant(), connection, Duration::from_secs(60))
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build();
        runtime.unwrap_or_else(|error| panic!("{error}"))
    });
    RUNTIME.block_on(work)
}

/// Mails that templates are rendered with.
static MAILS: LazyLock<Vec<Mail>> = LazyLock::new(|| {
    let raws = [crate::seeds::mail(), crate::seeds::odd_mail()];
    raws.iter()
        .filter_map(|raw| way::read(raw).ok().flatten())
        .collect()
});
