//! No path logs or reports a text, a token or an address of a mail.
//!
//! One test in a process of its own: the subscriber that catches everything is global. It also
//! catches what libraries write to `log`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use nextedge_ai::OfflineClassifier;
use nextedge_core::engine::{Engine, EngineOptions};
use nextedge_core::mail::{MemoryMail, MemorySource};
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::store::{AuditQuery, LedgerQuery, Mailbox};
use nextedge_core::{
    Connection, ConnectionId, ConnectionRole, MailboxId, OutcomeKind, ProviderId, Secret, TenantId,
};
use nextedge_hostile::MemorySink;
use nextedge_hostile::shapes::shapes;
use nextedge_hubspot::HubSpotSink;
use nextedge_sandbox::{RateLimit, Sandbox};
use nextedge_sqlite::{SqliteOptions, SqliteStore};

/// Stands in subject, body, HTML, name, address and file name of every marked mail.
const MARKS: [&str; 6] = [
    "subjmark4c1a",
    "bodymark9e2f",
    "htmlmark77b0",
    "namemark3d5c",
    "addrmark81fe",
    "filemark60ad",
];
const TOKEN: &str = "sandbox-token";

/// Everything that any subscriber could see.
#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<u8>>>);

impl Write for Caught {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Caught {
    fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.0.lock().unwrap())).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_mail_and_failing_crms_leave_no_text_token_or_address_in_logs_and_errors() {
    let caught = Caught::default();
    let writer = caught.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    tracing::error!("the subscriber hears");
    assert!(caught.take().contains("the subscriber hears"));

    let refusing = engine(MemorySink::refusing());
    let errors = run(&refusing, "memory").await;
    assert_silent("a sink that refuses", &caught.take(), &errors);

    for fault in FAULTS {
        let sandbox = Sandbox::builder()
            .rate_limit(RateLimit::None)
            .start()
            .await
            .unwrap();
        let sink = HubSpotSink::builder()
            .base_url(sandbox.hubspot_url())
            .token(Secret::new(TOKEN))
            .build()
            .unwrap();
        let engine = engine(sink);
        connect(&engine, "hubspot").await;
        if !fault.is_empty() {
            sandbox.fault(serde_json::from_str(fault).unwrap()).unwrap();
        }
        let errors = drain(&engine).await;
        let calls = sandbox.journal().len();
        assert!(calls > 3, "{calls} calls with {fault}");
        assert_silent(fault, &caught.take(), &errors);
        sandbox.finish().await.unwrap();
    }
}

/// What the CRM answers to every write, echoing what it was given as CRMs do; nothing: it works.
const FAULTS: &[&str] = &[
    "",
    r#"{"vendor":"hubspot","path_prefix":"/crm/","method":"POST","times":"always","status":400,"body":{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"addrmark81fe@acme.example bodymark9e2f was invalid\",\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]","correlationId":"c","category":"VALIDATION_ERROR"}}"#,
    r#"{"vendor":"hubspot","path_prefix":"/crm/","times":"always","status":500,"body":{"message":"subjmark4c1a"}}"#,
    r#"{"vendor":"hubspot","path_prefix":"/crm/","times":"always","status":401,"body":{"message":"token sandbox-token"}}"#,
    r#"{"vendor":"hubspot","path_prefix":"/crm/","times":"always","drop":"before_apply"}"#,
];

fn engine(sink: impl nextedge_core::sink::CrmSink) -> Engine {
    let source = MemorySource::finite();
    for (n, raw) in mails().iter().enumerate() {
        source.push(
            "",
            MemoryMail::new(ProviderId::new(n.to_string()).unwrap(), raw.clone()),
        );
    }
    let folder = tempfile::tempdir().unwrap().keep();
    let store = SqliteStore::open(folder.join("mail.db"), SqliteOptions::default()).unwrap();
    let options = EngineOptions::default()
        .with_settle(Duration::from_millis(1))
        .with_gate(Duration::from_secs(60))
        .with_backoff(vec![Duration::from_millis(1)]);
    Engine::builder()
        .store(store)
        .source(source)
        .sink(sink)
        .classifier(OfflineClassifier::embedded().unwrap())
        .options(options)
        .build()
        .unwrap()
}

fn tenant() -> TenantId {
    TenantId::new("quiet").unwrap()
}

async fn run(engine: &Engine, sink: &str) -> String {
    connect(engine, sink).await;
    drain(engine).await
}

async fn connect(engine: &Engine, sink: &str) {
    let rules = [true, false].map(|has| format!(
        "[[rules]]\nname = \"files {has}\"\nwhen = [{{ has_attachment = {has} }}]\nthen = [{{ set_category = \"Case\" }}]\nauto_write = true\n"
    ));
    engine
        .put_policy(&tenant(), Policy::from_toml(&rules.concat()).unwrap())
        .await
        .unwrap();
    let crm = Connection::new(
        ConnectionId::new("crm").unwrap(),
        sink,
        ConnectionRole::Sink,
    );
    engine.connect_sink(&tenant(), crm, None).await.unwrap();
    let id = ConnectionId::new("box").unwrap();
    let connection = Connection::new(id.clone(), "memory", ConnectionRole::Source);
    engine.connect_source(&tenant(), connection).await.unwrap();
    let mailbox = Mailbox {
        origin: Origin::File,
        ..Mailbox::new(MailboxId::new("box").unwrap(), id)
    };
    engine.add_mailbox(&tenant(), mailbox).await.unwrap();
}

/// Works, and returns every error and event that came of it, in every form an embedder can show.
async fn drain(engine: &Engine) -> String {
    let mut events = engine.events();
    engine
        .drain(Duration::from_millis(50), std::future::pending())
        .await
        .unwrap();
    let mut shown = String::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
        shown.push_str(&format!("{event:?}\n"));
    }
    let query = LedgerQuery {
        limit: 10_000,
        ..LedgerQuery::default()
    };
    let rows = engine.store().messages(&tenant(), &query).await.unwrap();
    assert_eq!(rows.len(), mails().len());
    for row in &rows {
        for error in &row.errors {
            shown.push_str(&format!("{error:?} {}\n", error.text));
        }
        if row.outcome.kind() == OutcomeKind::Dead {
            shown.push_str(&row.outcome.reason());
        }
    }
    let audit = engine
        .store()
        .audit(
            &tenant(),
            &AuditQuery {
                limit: 10_000,
                ..AuditQuery::default()
            },
        )
        .await
        .unwrap();
    shown.push_str(&format!(
        "{audit:?}\n{:?}\n",
        engine.status(&tenant()).await.unwrap()
    ));
    shown
}

/// Marked mails, plain and broken, and every small shape of the corpus.
fn mails() -> &'static [Bytes] {
    static MAILS: LazyLock<Vec<Bytes>> = LazyLock::new(make_mails);
    &MAILS
}

fn make_mails() -> Vec<Bytes> {
    let mut mails: Vec<Bytes> = (0..4).map(|n| Bytes::from(marked(n))).collect();
    mails.push(Bytes::from(marked(9).into_bytes()[..600].to_vec()));
    let small = shapes()
        .into_iter()
        .map(|shape| shape.raw())
        .filter(|raw| raw.len() < 4 << 10);
    mails.extend(small.map(Bytes::from));
    mails
}

fn marked(n: usize) -> String {
    let [subject, body, html, name, address, file] = MARKS;
    format!(
        "From: \"{name}\" <{address}@firm-{n}.example>\r\nTo: {address}.to@us.example\r\nSubject: Order {subject} {n}\r\n\
         Message-ID: <{address}.{n}@firm-{n}.example>\r\nDate: Mon, 9 Nov 2026 09:1{n}:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n\
         --i\r\nContent-Type: text/plain\r\n\r\nThe pump {body} does not start. Call +49 30 1234567.\r\n\
         --i\r\nContent-Type: text/html\r\n\r\n<p onclick=x>The pump <b>{html}</b> &amp; more.<script>x</script></p>\r\n--i--\r\n\
         --b\r\nContent-Type: application/pdf; name={file}.pdf\r\nContent-Disposition: attachment; filename={file}.pdf\r\n\r\nx\r\n--b--\r\n"
    )
}

fn assert_silent(case: &str, log: &str, errors: &str) {
    // silence counts only where there was something to tell
    assert!(
        log.contains("batch committed"),
        "{case}: nothing was logged"
    );
    assert!(
        case.is_empty() || errors.contains("NE-"),
        "{case}: no error came"
    );
    for (place, text) in [("log", log), ("errors", errors)] {
        for word in MARKS
            .iter()
            .chain([&TOKEN, &"firm-", &"acme.example", &"twelve pumps"])
        {
            let lines = text.lines().filter(|line| line.contains(word));
            let found: Vec<String> = lines
                .take(3)
                .map(|line| line.chars().take(400).collect())
                .collect();
            assert!(found.is_empty(), "{case}: {place} holds {word}: {found:#?}");
        }
    }
}
