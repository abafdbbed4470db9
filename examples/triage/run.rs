//! `triage [PATH…]`: the main job from the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use nextedge_core::engine::{Engine, Status, StatusStream};
use nextedge_core::memory::MemoryStore;
use nextedge_core::policy::Policy;
use nextedge_core::store::{AuditQuery, Counts, Store};
use nextedge_core::{EmailAddress, Error, ErrorKind, Result, TenantId};
use nextedge_sandbox::Sandbox;
use url::Url;

use crate::args::RunArgs;
use crate::report::{Run, add_records, counts_text, each_row, row_json, row_text, summary_json};
use crate::say::say;
use crate::setup::{Work, connect_path, connect_sink, engine, open_store, read_policy, tenant};
use crate::view::{Screen, Shown};

pub(crate) async fn run(args: RunArgs) -> Result<ExitCode> {
    let started = Instant::now();
    let tenant = tenant()?;
    let job = Job::of(&args)?;
    let sandbox = Crm::start(&args).await?;
    let (store, place) = open(&args)?;
    let work = if args.dry_run {
        Work::PlanOnly
    } else {
        Work::Write
    };
    let engine = engine(Arc::clone(&store), &sandbox.hubspot, work, args.limit).await?;
    let before = store.counts(&tenant, None).await?;
    let calls_before = crm_calls(&*store, &tenant).await?;
    configure(&engine, &job).await?;
    drain(&engine, &tenant, &args).await?;
    let counts = store.counts(&tenant, None).await?;
    let run = Run {
        crm_calls: crm_calls(&*store, &tenant).await? - calls_before,
        elapsed: started.elapsed(),
        settled: settled(&counts).saturating_sub(settled(&before)),
    };
    let faults = faults(&engine, &tenant).await?;
    if args.json {
        print_json(&*store, &tenant, &counts, &run).await?;
    } else {
        print_table(&*store, &tenant, &counts, &run).await?;
        if args.dry_run {
            print_plans(&*store, &tenant).await?;
        }
        print_places(&args, &place, &sandbox);
    }
    faults
        .iter()
        .for_each(|fault| eprintln!("could not read: {fault}"));
    if args.keep_open {
        eprintln!("the sandbox stays open at {}/ until Ctrl-C", sandbox.page());
        // without a signal handler there is nothing to wait for
        let _ = tokio::signal::ctrl_c().await;
    }
    if faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "{} items could not be read; everything else was processed",
        faults.len()
    );
    Ok(ExitCode::from(1))
}

/// What is read and by which policy.
struct Job {
    paths: Vec<PathBuf>,
    policy: Option<Policy>,
    address: Option<EmailAddress>,
}

impl Job {
    fn of(args: &RunArgs) -> Result<Self> {
        let given = args.policy.as_deref().map(read_policy).transpose()?;
        if !args.paths.is_empty() || args.resume {
            return Ok(Self {
                paths: args.paths.clone(),
                policy: given,
                address: None,
            });
        }
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/sample-inbox"));
        let policy = match given {
            Some(policy) => policy,
            None => Policy::from_toml(include_str!("../sample-policy.toml"))?,
        };
        let address = Some(EmailAddress::parse(SAMPLE_ADDRESS)?);
        Ok(Self {
            paths: vec![folder],
            policy: Some(policy),
            address,
        })
    }
}

/// The CRM to write to: a running sandbox, or one of our own.
struct Crm {
    hubspot: Url,
    embedded: Option<Sandbox>,
}

impl Crm {
    async fn start(args: &RunArgs) -> Result<Self> {
        if let Some(url) = &args.sandbox {
            return Ok(Self {
                hubspot: url.clone(),
                embedded: None,
            });
        }
        let sandbox = Sandbox::builder().start().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the embedded sandbox did not start")
                .with_source(error)
        })?;
        let hubspot = sandbox
            .hubspot_url()
            .parse()
            .map_err(|error: url::ParseError| {
                Error::new(ErrorKind::Unexpected, "the sandbox has no usable address")
                    .with_source(error)
            })?;
        Ok(Self {
            hubspot,
            embedded: Some(sandbox),
        })
    }

    fn page(&self) -> String {
        match &self.embedded {
            Some(sandbox) => sandbox.control_url(),
            None => format!("{}/_sandbox", self.hubspot.as_str().trim_end_matches('/')),
        }
    }
}

fn open(args: &RunArgs) -> Result<(Arc<dyn Store>, String)> {
    if args.dry_run {
        return Ok((
            Arc::new(MemoryStore::new()),
            "(dry run: nothing is kept)".to_owned(),
        ));
    }
    let path = args.db.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("nextedge-triage-{}.db", std::process::id()))
    });
    let store = open_store(&path)?;
    Ok((Arc::new(store), path.display().to_string()))
}

async fn configure(engine: &Engine, job: &Job) -> Result<()> {
    if let Some(policy) = &job.policy {
        engine.put_policy(&tenant()?, policy.clone()).await?;
    }
    connect_sink(engine).await?;
    for path in &job.paths {
        connect_path(engine, path, job.address.as_ref()).await?;
    }
    Ok(())
}

/// Works until nothing is due, showing progress; Ctrl-C finishes the batches in hand.
async fn drain(engine: &Engine, tenant: &TenantId, args: &RunArgs) -> Result<()> {
    let mut progress = ShownProgress::of(args);
    let shutdown = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let work = engine.drain(Duration::from_secs(args.patience), shutdown);
    tokio::pin!(work);
    let mut stream = engine.status_stream(tenant, progress.every());
    loop {
        tokio::select! {
            result = &mut work => {
                let status = engine.status(tenant).await?;
                progress.show(engine, tenant, status).await?;
                progress.end();
                return result;
            }
            status = stream.next() => progress.show(engine, tenant, status?).await?,
        }
    }
}

/// How a run shows how far it is.
enum ShownProgress {
    Bar(ProgressBar),
    Screen(Screen),
}

impl ShownProgress {
    fn of(args: &RunArgs) -> Self {
        if args.watch {
            return Self::Screen(Screen::default());
        }
        let bar = if args.json {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} mails {msg}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn every(&self) -> Duration {
        match self {
            Self::Bar(_) => StatusStream::MIN_EVERY,
            Self::Screen(_) => StatusStream::EVERY,
        }
    }

    async fn show(&mut self, engine: &Engine, tenant: &TenantId, status: Status) -> Result<()> {
        match self {
            Self::Bar(bar) => {
                bar.set_length(status.counts.total());
                bar.set_position(settled(&status.counts));
                let paused = status.sinks.iter().find_map(|sink| sink.paused.as_ref());
                let why = paused.map_or_else(String::new, |(_, error)| error.text.clone());
                bar.set_message(why);
            }
            Self::Screen(screen) => screen.draw(&Shown::of(engine, tenant, status).await?),
        }
        Ok(())
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn settled(counts: &Counts) -> u64 {
    counts.total() - counts.pending
}

async fn crm_calls(store: &dyn Store, tenant: &TenantId) -> Result<u64> {
    let mut query = AuditQuery {
        limit: 1000,
        ..AuditQuery::default()
    };
    let mut calls = 0;
    loop {
        let rows = store.audit(tenant, &query).await?;
        let made = rows.iter().filter(|row| !row.call.is_interrupted());
        calls += made.count() as u64;
        match rows.last() {
            Some(last) if rows.len() == query.limit => query.after = last.seq,
            _ => return Ok(calls),
        }
    }
}

async fn faults(engine: &Engine, tenant: &TenantId) -> Result<Vec<String>> {
    let status = engine.status(tenant).await?;
    let mut faults = Vec::new();
    for mailbox in status.mailboxes {
        let run = mailbox.run;
        faults.extend(
            run.faults
                .iter()
                .map(|fault| format!("{}: {}", fault.item, fault.fault)),
        );
        faults.extend(
            run.error
                .map(|error| format!("{}: {}", mailbox.mailbox, error.text)),
        );
    }
    Ok(faults)
}

async fn print_json(
    store: &dyn Store,
    tenant: &TenantId,
    counts: &Counts,
    run: &Run,
) -> Result<()> {
    each_row(store, tenant, |row| say!("{}", row_json(row))).await?;
    say!("{}", summary_json(counts, run));
    Ok(())
}

async fn print_table(
    store: &dyn Store,
    tenant: &TenantId,
    counts: &Counts,
    run: &Run,
) -> Result<()> {
    let mut records: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    each_row(store, tenant, |row| {
        say!("{}", row_text(row));
        add_records(row, &mut records);
    })
    .await?;
    say!("\n{}", counts_text(counts, run));
    let kinds: Vec<String> = records
        .iter()
        .map(|(kind, ids)| format!("{} {kind}", ids.len()))
        .collect();
    say!(
        "CRM records: {}",
        if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.join(", ")
        }
    );
    Ok(())
}

async fn print_plans(store: &dyn Store, tenant: &TenantId) -> Result<()> {
    let mut messages = Vec::new();
    each_row(store, tenant, |row| messages.push(row.message)).await?;
    say!("\nplans:");
    for message in messages {
        for plan in store.plans(tenant, message).await? {
            say!("{}", serde_json::to_string(&plan).unwrap_or_default());
        }
    }
    Ok(())
}

fn print_places(args: &RunArgs, place: &str, sandbox: &Crm) {
    say!("database: {place}");
    if args.keep_open || args.sandbox.is_some() {
        say!("CRM page: {}/", sandbox.page());
    } else {
        say!("CRM page: run again with --keep-open to look at the records in a browser");
    }
    if !args.dry_run {
        say!("next: triage review list --db {place}; triage audit --db {place}");
    }
}

/// Whose mail the sample inbox is.
const SAMPLE_ADDRESS: &str = "sales@northwind-pumps.example";
