//! `real-mail`: takes a folder of real mail through the real program and checks every mail of it.
//!
//! Counts the files itself, runs `triage` on them (SQLite, offline classifier, HubSpot connector
//! into the sandbox), then opens the database: every file must be in it once, in one final state,
//! with the bytes of the file. Writes a table per folder.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command-line program talks to its user

mod files;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use nextedge_core::store::{Archive, Ledger, LedgerQuery, LedgerRow};
use nextedge_core::{OutcomeKind, TenantId};
use nextedge_sqlite::{SqliteOptions, SqliteStore};

use files::{Mail, digest, read_folder};
use report::{Ended, Table, report};

/// Takes real mail through the real program and checks every mail of it.
#[derive(Debug, Parser)]
#[command(name = "real-mail", version)]
struct Cli {
    /// A folder whose folders hold one mail a file
    corpus: PathBuf,
    /// A file that names mails of the training data, one `folder/file` a line
    #[arg(long)]
    trained: PathBuf,
    /// Folders whose mail should create no record: spam and newsletters
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "spam-1,spam-2,hard-ham-1"
    )]
    unwanted: Vec<String>,
    /// Where the report is written
    #[arg(long)]
    report: Option<PathBuf>,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    match check(Cli::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(faults) => {
            eprintln!("real-mail: {faults} promises do not hold");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("real-mail: {error}");
            ExitCode::from(2)
        }
    }
}

async fn check(cli: Cli) -> Outcome<usize> {
    let mails = read_folder(&cli.corpus, &std::fs::read_to_string(&cli.trained)?)?;
    let work = tempfile::tempdir()?;
    let database = work.path().join("real.db");
    let summary = triage(&cli.corpus, &mails, &database)?;
    let rows = rows(&database).await?;
    let mut table = Table::of(&mails, &cli.unwanted);
    let mut by_digest: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in &mails {
        by_digest.entry(&mail.digest).or_default().push(mail);
    }
    for (row, raw) in &rows {
        // two identical files are two mails with one digest: each row takes one of them
        match by_digest.get_mut(raw.as_str()).and_then(Vec::pop) {
            Some(mail) => table.add(mail, ended(row)),
            None => table.foreign += 1,
        }
    }
    table.missing = by_digest.values().map(Vec::len).sum();
    let (text, faults) = report(&table, &summary);
    println!("{text}");
    if let Some(path) = &cli.report {
        std::fs::write(path, text)?;
    }
    Ok(faults.len())
}

/// Runs the real program on every folder; answers its summary line.
fn triage(corpus: &Path, mails: &[Mail], database: &Path) -> Outcome<serde_json::Value> {
    let program = std::env::current_exe()?.with_file_name("triage");
    let mut folders: Vec<&str> = mails.iter().map(|mail| mail.folder.as_str()).collect();
    folders.dedup();
    let output = Command::new(&program)
        .arg("--json")
        .arg("--db")
        .arg(database)
        .args(folders.iter().map(|folder| corpus.join(folder)))
        .env_remove("NEXTEDGE_HUBSPOT_TOKEN")
        .output()
        .map_err(|error| format!("{}: {error}; build it first", program.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || stderr.contains("panicked") {
        return Err(format!("triage ended with {}: {stderr}", output.status).into());
    }
    let stdout = String::from_utf8(output.stdout)?;
    let last = stdout.lines().last().unwrap_or_default();
    Ok(serde_json::from_str(last)?)
}

/// Every row of the database with the digest of the raw bytes that it keeps.
async fn rows(database: &Path) -> Outcome<Vec<(LedgerRow, String)>> {
    let store = SqliteStore::open(database, SqliteOptions::default())?;
    let tenant = TenantId::new("local")?;
    let mut query = LedgerQuery {
        limit: PAGE,
        ..LedgerQuery::default()
    };
    let mut all = Vec::new();
    loop {
        let page = store.messages(&tenant, &query).await?;
        let full = page.len() == PAGE;
        for row in page {
            query.after = Some((row.received_at.unwrap_or_default(), row.message));
            let raw = store.raw(&tenant, row.message).await?.unwrap_or_default();
            all.push((row, digest(&raw)));
        }
        if !full {
            return Ok(all);
        }
    }
}

fn ended(row: &LedgerRow) -> Ended {
    let records = row.sinks.iter().flat_map(|sink| &sink.records);
    let reason = row.outcome.reason();
    Ended {
        kind: row.outcome.kind(),
        wrote: row.outcome.kind() == OutcomeKind::Delivered || records.count() > 0,
        refused: reason.starts_with("quarantined"),
    }
}

const PAGE: usize = 500;
