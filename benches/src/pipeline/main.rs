//! Measures the whole way of a mail, from a generating mailbox to a sink in a second process.
//!
//! `pipeline --mails 10000 --size 20k --store sqlite --sink hubspot --json` prints one JSON line;
//! the mix, the outcomes and the calls by path go to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)] // its output is its purpose

mod peer;
mod proc;
mod run;
mod source;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use nextedge_core::engine::EngineOptions;
use nextedge_hubspot::RatePreset;
use serde::Serialize;

use crate::run::Figures;
use nextedge_benches::Failure;
use nextedge_benches::mix::Census;

/// Runs a fixed mix of mails through an engine and measures it.
#[derive(Debug, Parser)]
#[command(name = "pipeline")]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// How many mails.
    #[arg(long, default_value_t = 10_000)]
    mails: u64,
    /// Bytes of one raw mail.
    #[arg(long, value_enum, default_value_t = Size::Usual)]
    size: Size,
    /// Where the engine keeps its work.
    #[arg(long, value_enum, default_value_t = StoreChoice::Sqlite)]
    store: StoreChoice,
    /// Where the mails go.
    #[arg(long, value_enum, default_value_t = SinkChoice::Receiver)]
    sink: SinkChoice,
    /// Folder for the database; give one on the disk that matters. Default: the temporary folder.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Messages a decision batch, instead of the engine's default.
    #[arg(long)]
    process_batch: Option<usize>,
    /// Deliveries a CRM batch, instead of the engine's default.
    #[arg(long)]
    deliver_batch: Option<usize>,
    /// Memory arenas of the C library's allocator; 0 leaves it alone, which keeps one for each
    /// busy thread and a third more memory. The bench starts itself anew to set it.
    #[arg(long, default_value_t = 1)]
    arenas: u32,
    /// Prints one JSON line instead of a table.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// The engine's defaults, but for the batches that the command line names.
    fn engine(&self) -> EngineOptions {
        let mut options = EngineOptions::default();
        if let Some(items) = self.process_batch {
            options = options.with_process_batch(items);
        }
        if let Some(items) = self.deliver_batch {
            options = options.with_deliver_batch(items);
        }
        options
    }

    /// A run that takes longer than this is stopped and reported as incomplete.
    fn limit(&self) -> Duration {
        Duration::from_secs(60 + self.mails / 20)
    }
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The other side; the bench starts it itself.
    #[command(hide = true)]
    Peer { sink: SinkChoice },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Size {
    #[value(name = "2k")]
    Small,
    #[value(name = "20k")]
    Usual,
    #[value(name = "200k")]
    Large,
}

impl Size {
    fn bytes(self) -> usize {
        match self {
            Self::Small => 2 << 10,
            Self::Usual => 20 << 10,
            Self::Large => 200 << 10,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StoreChoice {
    Memory,
    Sqlite,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SinkChoice {
    Receiver,
    Hubspot,
}

impl SinkChoice {
    fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Hubspot => "hubspot",
        }
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    mails_per_second: f64,
    cpu_us_per_mail: f64,
    peak_rss_mib: f64,
    commits_per_mail: Option<f64>,
    crm_calls_per_mail: f64,
}

impl Report {
    /// Rates and calls count delivered mails only.
    fn of(figures: &Figures) -> Self {
        let delivered = figures.counts.delivered.max(1) as f64;
        Self {
            mails_per_second: round(delivered / figures.elapsed.as_secs_f64(), 1),
            cpu_us_per_mail: round(figures.cpu.as_micros() as f64 / delivered, 1),
            peak_rss_mib: round(figures.peak_rss_mib, 1),
            commits_per_mail: figures
                .commits
                .map(|commits| round(commits as f64 / delivered, 5)),
            crm_calls_per_mail: round(figures.total_calls() as f64 / delivered, 5),
        }
    }
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    if options.part.is_none() && options.arenas > 0 {
        with_arenas(options.arenas)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(bench(options))
}

/// Replaces this process by one with so many arenas: the C library reads the number at its start.
fn with_arenas(arenas: u32) -> Result<(), Failure> {
    const NAME: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(NAME).is_some() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    again
        .args(std::env::args_os().skip(1))
        .env(NAME, arenas.to_string());
    Err(again.exec().into())
}

async fn bench(options: Options) -> Result<(), Failure> {
    if let Some(Part::Peer { sink }) = options.part {
        return peer::serve(sink).await;
    }
    eprintln!("mix: {}", Census::of(options.mails));
    let figures = run::run(&options).await?;
    let report = Report::of(&figures);
    explain(&options, &figures, &report);
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report:#?}");
    }
    Ok(())
}

fn explain(options: &Options, figures: &Figures, report: &Report) {
    let counts = &figures.counts;
    eprintln!(
        "outcomes: {} delivered, {} parked, {} in review, {} dead, {} pending; {:.2} s",
        counts.delivered,
        counts.parked,
        counts.review,
        counts.dead,
        counts.pending,
        figures.elapsed.as_secs_f64()
    );
    let delivered = counts.delivered.max(1) as f64;
    eprintln!(
        "making the mails is part of the CPU time: {:.1} us a mail",
        figures.making.as_micros() as f64 / delivered
    );
    for (call, count) in &figures.calls {
        eprintln!("{count:>8} {call}");
    }
    if matches!(options.sink, SinkChoice::Hubspot) {
        let other = figures.total_calls() - figures.uploads();
        eprintln!(
            "without the uploads of attachments: {:.4} calls a mail",
            other as f64 / delivered
        );
        let calls = f64::from(RatePreset::Professional.calls().unwrap_or_default());
        let per_second = calls / RatePreset::WINDOW.as_secs_f64();
        eprintln!(
            "HubSpot's limit is lifted; at {calls} calls in 10 s this mix would go at {:.1} mails/s",
            per_second / report.crm_calls_per_mail.max(f64::EPSILON)
        );
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
