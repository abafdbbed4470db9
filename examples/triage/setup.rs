//! Puts store, connectors and policy together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nextedge_ai::{ChainOptions, ClassifierChain, OfflineClassifier, RulesClassifier};
use nextedge_core::engine::{Engine, EngineOptions};
use nextedge_core::mail::FileSource;
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::store::{Mailbox, Store};
use nextedge_core::{
    CallContext, Connection, ConnectionId, ConnectionRole, EmailAddress, Error, ErrorKind,
    MailboxId, Result, Secret, TenantId,
};
use nextedge_hubspot::{HubSpotSink, RatePreset};
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use serde_json::json;
use url::Url;

use crate::limited::LimitedSource;

/// The one tenant of this program.
pub(crate) fn tenant() -> Result<TenantId> {
    TenantId::new("local")
}

/// Opens the database of a run.
pub(crate) fn open_store(path: &Path) -> Result<SqliteStore> {
    SqliteStore::open(path, SqliteOptions::default())
}

/// An engine that decides review items and neither reads nor writes.
pub(crate) fn offline_engine(store: SqliteStore) -> Result<Engine> {
    Engine::builder()
        .store(store)
        .classifier(classifier()?)
        .build()
}

/// An engine that reads files and writes to HubSpot at `base`.
pub(crate) async fn engine(
    store: Arc<dyn Store>,
    base: &Url,
    work: Work,
    limit: Option<u64>,
) -> Result<Engine> {
    let sink = HubSpotSink::builder()
        .base_url(base.as_str().trim_end_matches('/'))
        .token(Secret::new(token()))
        .rate(RatePreset::Professional)
        .build()?;
    let mut options = EngineOptions::default()
        // a local imitation shows its writes at once
        .with_settle(Duration::from_secs(1))
        .with_gate(Duration::from_secs(1))
        .with_lease(Duration::from_secs(30));
    if matches!(work, Work::PlanOnly) {
        let process = options.process_workers;
        options = options.with_workers(process, 0);
    } else {
        install_key(&*store, &sink, base).await?;
    }
    Engine::builder()
        .shared_store(store)
        .source(LimitedSource {
            files: FileSource::default(),
            limit,
        })
        .sink(sink)
        .classifier(classifier()?)
        .options(options)
        .build()
}

/// Creates our unique key property at the CRM, so that a lost answer never doubles a record.
async fn install_key(store: &dyn Store, sink: &HubSpotSink, base: &Url) -> Result<()> {
    let connection = sink_connection()?;
    let id = connection.id.clone();
    let cx = CallContext::new(tenant()?, Arc::new(connection), Duration::from_secs(30));
    let installed = sink.install(&cx).await;
    store.append_calls(&tenant()?, &id, cx.take_calls()).await?;
    installed.map(|_| ()).map_err(|error| {
        let error = error.with_context("url", base);
        match error.kind() {
            ErrorKind::Unavailable => error.with_action(
                "start the CRM, or name a running one with --sandbox; nothing was read yet, so run again",
            ),
            _ => error,
        }
    })
}

fn sink_connection() -> Result<Connection> {
    let id = ConnectionId::new("hubspot")?;
    // the person who runs this program consents to our key property
    let settings = json!({"key_property": "install"});
    Ok(Connection::new(id, "hubspot", ConnectionRole::Sink).with_settings(settings))
}

/// How far a run goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Plans, and writes to the CRM.
    Write,
    /// Plans only.
    PlanOnly,
}

fn classifier() -> Result<ClassifierChain> {
    let chain = ClassifierChain::new(ChainOptions::default());
    Ok(chain
        .then(OfflineClassifier::embedded()?)
        .then(RulesClassifier::new()))
}

/// The sandbox's fixed token, or the one a person gives for another server.
fn token() -> String {
    std::env::var("NEXTEDGE_HUBSPOT_TOKEN").unwrap_or_else(|_| "sandbox-token".to_owned())
}

/// Connects the sink; its settings consent to our unique key property.
pub(crate) async fn connect_sink(engine: &Engine) -> Result<()> {
    let tenant = tenant()?;
    let connection = sink_connection()?;
    engine
        .connect_sink(&tenant, connection, None)
        .await
        .map(|_| ())
}

/// Connects one path as a mailbox of its own.
pub(crate) async fn connect_path(
    engine: &Engine,
    path: &Path,
    address: Option<&EmailAddress>,
) -> Result<()> {
    let tenant = tenant()?;
    let path = absolute(path)?;
    let name = path.to_string_lossy().into_owned();
    let short: String = name
        .chars()
        .rev()
        .take(200)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let id = ConnectionId::new(format!("file:{short}"))?;
    let connection = Connection::new(id.clone(), "file", ConnectionRole::Source)
        .with_settings(json!({"path": name}));
    engine.connect_source(&tenant, connection).await?;
    let mailbox = MailboxId::new(format!("file:{short}"))?;
    let row = Mailbox {
        address: address.cloned(),
        origin: Origin::File,
        ..Mailbox::new(mailbox, id)
    };
    engine.add_mailbox(&tenant, row).await.map(|_| ())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|error| {
        Error::new(ErrorKind::NotFound, "cannot open the mail to read")
            .with_context("path", path.display())
            .with_source(error)
            .with_action("name an mbox, a Maildir, a folder of .eml files or one .eml")
    })
}

/// Reads a policy file; an error names its field, its line and what to write instead.
pub(crate) fn read_policy(path: &Path) -> Result<Policy> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::NotFound, "cannot read the policy file")
            .with_context("path", path.display())
            .with_source(error)
    })?;
    Policy::from_toml(&text).map_err(|error| {
        let action = error.action().unwrap_or_default().to_owned();
        Error::new(ErrorKind::Config, "policy refused")
            .with_context("file", path.display())
            .with_context("fault", &error)
            .with_action(action)
    })
}
