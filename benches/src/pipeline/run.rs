//! One measured run: set up, drain, read the counters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nextedge_ai::OfflineClassifier;
use nextedge_benches::Failure;
use nextedge_benches::clock::cpu;
use nextedge_benches::mix::{AUTHSERV, MAILBOX};
use nextedge_benches::receiver::{self, ReceiverSink};
use nextedge_core::engine::{Engine, EngineBuilder};
use nextedge_core::memory::MemoryStore;
use nextedge_core::policy::Policy;
use nextedge_core::store::{Counts, Mailbox, Store};
use nextedge_core::{
    CallContext, Clock, Connection, ConnectionId, ConnectionRole, EmailAddress, MailboxId, Secret,
    SystemClock, TenantId,
};
use nextedge_hubspot::{HubSpotSink, RatePreset};
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peer::Peer;
use crate::soak::{Curve, Sampler};
use crate::source::{self, MixSource, Spent};
use crate::{Options, SinkChoice, StoreChoice, proc};

/// Everything a run yields.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Messages by outcome.
    pub(crate) counts: Counts,
    /// From the first claim until nothing was left.
    pub(crate) elapsed: Duration,
    /// Of this process, while the engine ran.
    pub(crate) cpu: Duration,
    /// Part of the CPU time that went into making the mails.
    pub(crate) making: Duration,
    /// Of this process.
    pub(crate) peak_rss_mib: f64,
    /// Transactions while the engine ran; none for a store without them.
    pub(crate) commits: Option<u64>,
    /// Calls that the peer saw while the engine ran, by method and path.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Mails that the peer holds.
    pub(crate) arrived: u64,
    /// Memory and file size while the engine ran, if they were sampled.
    pub(crate) curve: Option<Curve>,
}

impl Figures {
    /// Returns all calls.
    pub(crate) fn total_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Returns the calls that upload attachments.
    pub(crate) fn uploads(&self) -> u64 {
        let uploads = self
            .calls
            .iter()
            .filter(|(call, _)| call.contains("/files"));
        uploads.map(|(_, count)| count).sum()
    }
}

/// Runs the mix through an engine once.
pub(crate) async fn run(options: &Options) -> Result<Figures, Failure> {
    let peer = Peer::start(options.sink).await?;
    let opened = Opened::new(options.store, options.dir.clone())?;
    let source = MixSource::new(options.mails(), options.size());
    let making = source.spent();
    let builder = Engine::builder()
        .shared_store(Arc::clone(&opened.store))
        .options(options.engine())
        .source(source)
        .classifier(OfflineClassifier::embedded()?);
    let engine = match options.sink {
        SinkChoice::Receiver => with_receiver(builder, &peer).await?,
        SinkChoice::Hubspot => with_hubspot(builder, &peer).await?,
    };
    add_mailbox(&engine).await?;
    let figures = measure(&engine, &opened, &peer, &making, options).await?;
    check(&figures, options)?;
    Ok(figures)
}

async fn measure(
    engine: &Engine,
    opened: &Opened,
    peer: &Peer,
    making: &Spent,
    options: &Options,
) -> Result<Figures, Failure> {
    let calls_before = calls(&peer.counters().await?);
    let commits_before = opened.commits();
    let sampler = Sampler::start(engine, opened.file.clone(), options)?;
    let cpu_before = cpu();
    let started = Instant::now();
    let stop = SystemClock.sleep(options.limit());
    engine.drain(Duration::from_secs(5), stop).await?;
    let elapsed = started.elapsed();
    let cpu = cpu().saturating_sub(cpu_before);
    let curve = match sampler {
        Some(sampler) => Some(sampler.finish().await?),
        None => None,
    };
    let mut calls = calls(&peer.counters().await?);
    for (call, count) in &mut calls {
        *count -= calls_before.get(call).copied().unwrap_or_default();
    }
    calls.retain(|_, count| *count > 0);
    Ok(Figures {
        counts: engine.store().counts(&tenant()?, None).await?,
        elapsed,
        cpu,
        making: making.get(),
        peak_rss_mib: proc::peak_rss_mib().ok_or(NO_PROC)?,
        commits: opened.commits().zip(commits_before).map(|(a, b)| a - b),
        calls,
        arrived: peer.mails(options.sink).await?,
        curve,
    })
}

/// A run whose mails went astray measures nothing.
fn check(figures: &Figures, options: &Options) -> Result<(), Failure> {
    let counts = &figures.counts;
    if counts.total() != options.mails() || counts.pending + counts.dead > 0 {
        return Err(format!("not every mail came to its end: {counts:?}").into());
    }
    if figures.arrived != counts.delivered {
        let arrived = figures.arrived;
        return Err(format!("{arrived} mails arrived, {} delivered", counts.delivered).into());
    }
    if counts.delivered * 10 < options.mails() * 9 {
        return Err(format!("less than 90 % were delivered: {counts:?}").into());
    }
    Ok(())
}

/// A store, and what keeps its file.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// The database; none in memory.
    pub(crate) file: Option<PathBuf>,
    sqlite: Option<Arc<SqliteStore>>,
    _directory: Option<TempDir>,
}

impl Opened {
    pub(crate) fn new(choice: StoreChoice, parent: Option<PathBuf>) -> Result<Self, Failure> {
        if matches!(choice, StoreChoice::Memory) {
            return Ok(Self {
                store: Arc::new(MemoryStore::new()),
                file: None,
                sqlite: None,
                _directory: None,
            });
        }
        let directory = tempfile::tempdir_in(parent.unwrap_or_else(std::env::temp_dir))?;
        let path = directory.path().join("pipeline.db");
        let sqlite = Arc::new(SqliteStore::open(&path, SqliteOptions::default())?);
        let store: Arc<dyn Store> = sqlite.clone();
        Ok(Self {
            store,
            file: Some(path),
            sqlite: Some(sqlite),
            _directory: Some(directory),
        })
    }

    /// Transactions so far; none for a store without them.
    pub(crate) fn commits(&self) -> Option<u64> {
        self.sqlite.as_ref().map(|store| store.commits())
    }
}

pub(crate) async fn with_receiver(builder: EngineBuilder, peer: &Peer) -> Result<Engine, Failure> {
    let engine = builder.sink(ReceiverSink::new(&peer.url)?).build()?;
    let id = ConnectionId::new("receiver")?;
    let connection = Connection::new(id, receiver::VENDOR, ConnectionRole::Sink);
    engine.connect_sink(&tenant()?, connection, None).await?;
    Ok(engine)
}

async fn with_hubspot(builder: EngineBuilder, peer: &Peer) -> Result<Engine, Failure> {
    let sink = HubSpotSink::builder()
        .base_url(&peer.url)
        .token(Secret::new(nextedge_sandbox::STATIC_TOKEN))
        .rate(RatePreset::Lifted)
        .build()?;
    let connection = Connection::new(
        ConnectionId::new("hubspot")?,
        "hubspot",
        ConnectionRole::Sink,
    )
    .with_settings(json!({"key_property": "install"}));
    let shared = Arc::new(connection.clone());
    sink.install(&CallContext::new(
        tenant()?,
        shared,
        Duration::from_secs(30),
    ))
    .await?;
    let engine = builder.sink(sink).build()?;
    engine.connect_sink(&tenant()?, connection, None).await?;
    Ok(engine)
}

/// Puts the policy, the source and its mailbox; returns the row as it was asked for.
pub(crate) async fn add_mailbox(engine: &Engine) -> Result<Mailbox, Failure> {
    let tenant = tenant()?;
    let mut policy = Policy::default();
    let trusted = &mut policy.authenticity.trusted;
    trusted.insert("*".to_owned(), vec![AUTHSERV.to_owned()]);
    engine.put_policy(&tenant, policy).await?;
    let id = ConnectionId::new("mix")?;
    let connection = Connection::new(id.clone(), source::VENDOR, ConnectionRole::Source);
    engine.connect_source(&tenant, connection).await?;
    let row = Mailbox {
        address: Some(EmailAddress::parse(MAILBOX)?),
        ..Mailbox::new(MailboxId::new("mix")?, id)
    };
    engine.add_mailbox(&tenant, row.clone()).await?;
    Ok(row)
}

pub(crate) fn tenant() -> Result<TenantId, Failure> {
    Ok(TenantId::new("bench")?)
}

/// Flattens `{vendor: {call: {status: n}}}`.
fn calls(counters: &Value) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    let vendors = counters.as_object().into_iter().flatten();
    for (_, by_call) in vendors {
        for (call, statuses) in by_call.as_object().into_iter().flatten() {
            let counts = statuses.as_object().into_iter().flatten();
            let sum = counts.filter_map(|(_, count)| count.as_u64()).sum();
            calls.insert(call.clone(), sum);
        }
    }
    calls
}

const NO_PROC: &str = "this system has no /proc to read CPU time and memory from";
