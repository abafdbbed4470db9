//! The process that is killed: the real engine on a SQLite file, writing to HubSpot.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nextedge_core::engine::{Engine, EngineOptions};
use nextedge_core::failpoint::on_reach;
use nextedge_core::mail::FileSource;
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::store::{Mailbox, ReviewQuery, Store};
use nextedge_core::{
    CallContext, Connection, ConnectionId, ConnectionRole, EmailAddress, Error, ErrorKind,
    MailboxId, TenantId,
};
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use rustix::process::{Signal, getpid, kill_process};
use serde_json::json;

use crate::judge::Judge;
use crate::letter::AUTHSERV;
use crate::picture::picture;
use crate::routed::RoutedSink;
use crate::source::{FolderSource, VENDOR};
use crate::spec::{BoxSpec, KillAt, Line, Spec, TenantSpec};
use crate::world::BoxKind;
use crate::{Failure, LEASE};

/// Does what the file `spec` says; may end by its own `kill -9` on the way.
///
/// # Errors
///
/// Anything that keeps the work from being done; a kill is no error.
pub async fn work(spec: &Path) -> Result<(), Failure> {
    let spec: Spec = serde_json::from_slice(&std::fs::read(spec)?)?;
    let reached = arm(spec.kill.clone());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&spec.db, SqliteOptions::default())?);
    tell(&Line::Opened(picture(&*store, &spec).await?))?;
    let engine = engine(Arc::clone(&store), &spec)?;
    for tenant in &spec.tenants {
        set_up_at_last(&engine, &spec, tenant).await?;
    }
    drain(&engine).await?;
    while decide_all(&engine, &spec).await? > 0 {
        drain(&engine).await?;
    }
    tell(&Line::Ended(picture(&*store, &spec).await?))?;
    let reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
    tell(&Line::Reached(reached.clone()))
}

/// Counts the named places, and ends this process at the chosen one.
fn arm(kill: Option<KillAt>) -> Arc<Mutex<BTreeMap<String, u32>>> {
    let counts: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let seen = Arc::clone(&counts);
    on_reach(move |place| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(place.to_owned()).or_default();
        *count += 1;
        let here = |kill: &KillAt| kill.point == place && kill.hit == *count;
        if kill.as_ref().is_some_and(here) {
            // no way back from this signal; if it cannot be sent, the run is told to be whole
            let _ = kill_process(getpid(), Signal::KILL);
        }
    });
    counts
}

fn tell(line: &Line) -> Result<(), Failure> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}

fn engine(store: Arc<dyn Store>, spec: &Spec) -> Result<Engine, Failure> {
    let tuning = &spec.tuning;
    let mut options = EngineOptions::default()
        .with_lease(LEASE)
        .with_settle(Duration::from_millis(tuning.settle_ms))
        .with_gate(Duration::from_millis(50))
        .with_poll(Duration::from_secs(3600))
        .with_backoff(vec![Duration::from_millis(40); 12])
        .with_process_batch(tuning.process)
        .with_deliver_batch(tuning.deliver);
    options.page_size = tuning.page;
    options.fetch_batch = tuning.fetch;
    options.idle = Duration::from_millis(20);
    Ok(Engine::builder()
        .shared_store(store)
        .source(FolderSource)
        .source(FileSource::default())
        .sink(RoutedSink::new(&spec.tenants)?)
        .classifier(Judge)
        .options(options)
        .build()?)
}

/// Connects a tenant, again while a busy machine lets calls run out of their time.
async fn set_up_at_last(engine: &Engine, spec: &Spec, tenant: &TenantSpec) -> Result<(), Failure> {
    let mut left = SET_UPS;
    loop {
        left -= 1;
        let Err(failure) = set_up(engine, spec, tenant).await else {
            return Ok(());
        };
        let error = failure.downcast_ref::<Error>();
        let passes = error.is_some_and(|error| error.kind() == ErrorKind::Timeout);
        if left == 0 || !passes {
            return Err(failure);
        }
    }
}

/// Connects a tenant; what is there already is left alone.
async fn set_up(engine: &Engine, spec: &Spec, tenant: &TenantSpec) -> Result<(), Failure> {
    let id = TenantId::new(&tenant.name)?;
    let sink = Connection::new(sink_id()?, "hubspot", ConnectionRole::Sink)
        .with_settings(json!({"key_property": "install"}));
    if engine.store().connection(&id, &sink.id).await?.is_none() {
        let cx = CallContext::new(id.clone(), Arc::new(sink.clone()), Duration::from_secs(30));
        RoutedSink::new(&spec.tenants)?.install(&cx).await?;
        engine.connect_sink(&id, sink, None).await?;
    }
    let mut policy = Policy::default();
    let trusted = &mut policy.authenticity.trusted;
    trusted.insert("*".to_owned(), vec![AUTHSERV.to_owned()]);
    engine.put_policy(&id, policy).await?;
    for one in &tenant.boxes {
        add_box(engine, &id, one).await?;
    }
    Ok(())
}

async fn add_box(engine: &Engine, tenant: &TenantId, one: &BoxSpec) -> Result<(), Failure> {
    let (vendor, origin) = match one.kind {
        BoxKind::Files => ("file", Origin::File),
        BoxKind::OldestFirst | BoxKind::NewestFirst => (VENDOR, Origin::Live),
    };
    let settings = match one.kind {
        BoxKind::Files => json!({"path": one.path}),
        kind => json!({"path": one.path, "newest_first": kind == BoxKind::NewestFirst}),
    };
    let connection = Connection::new(ConnectionId::new(&one.id)?, vendor, ConnectionRole::Source)
        .with_settings(settings);
    let id = MailboxId::new(&one.id)?;
    if engine.store().mailbox(tenant, &id).await?.is_some() {
        // new mail may have arrived meanwhile
        engine.store().mark_dirty(tenant, &id).await?;
        return Ok(());
    }
    let connection = engine.connect_source(tenant, connection).await?;
    let row = Mailbox {
        address: Some(EmailAddress::parse(&one.address)?),
        origin,
        ..Mailbox::new(id, connection.id)
    };
    engine.add_mailbox(tenant, row).await?;
    Ok(())
}

async fn drain(engine: &Engine) -> Result<(), Failure> {
    Ok(engine.drain(PATIENCE, std::future::pending()).await?)
}

/// Decides every open item as its subject says; returns how many.
async fn decide_all(engine: &Engine, spec: &Spec) -> Result<usize, Failure> {
    let mut decided = 0;
    for tenant in &spec.tenants {
        let id = TenantId::new(&tenant.name)?;
        for item in engine.store().reviews(&id, &ReviewQuery::default()).await? {
            let done = if item.subject.contains("reject") {
                engine.reject(&id, item.id, item.version).await
            } else if item.subject.contains("approve") {
                engine.approve(&id, item.id, item.version).await
            } else {
                // nobody should have been asked: the checks will tell
                continue;
            };
            match done {
                Ok(_) => decided += 1,
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(decided)
}

/// The sink connection of every tenant.
pub(crate) fn sink_id() -> Result<ConnectionId, Failure> {
    Ok(ConnectionId::new("crm")?)
}

/// Times a tenant is connected before it is given up.
const SET_UPS: u32 = 20;
/// How far ahead a drain waits for what becomes due.
const PATIENCE: Duration = Duration::from_secs(3);
