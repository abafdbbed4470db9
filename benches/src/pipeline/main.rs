//! Measures the whole way of a mail, from a generating mailbox to a sink in a second process.
//!
//! `pipeline --mails 10000 --size 20k --store sqlite --sink hubspot --json` prints one JSON line;
//! the mix, the outcomes and the calls by path go to standard error. `--parts` sets the CPU time
//! against that of its parts, `--soak` samples memory over very many mails, `--latency N` takes single
//! mails through an idle engine.
#![allow(clippy::print_stdout, clippy::print_stderr)] // its output is its purpose

mod chart;
mod latency;
mod parts;
mod peer;
mod proc;
mod report;
mod run;
mod soak;
mod source;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use nextedge_core::engine::EngineOptions;
use serde::Serialize;

use crate::report::Report;
use crate::soak::Curve;
use nextedge_benches::Failure;
use nextedge_benches::mix::Census;

/// Runs a fixed mix of mails through an engine and measures it.
#[derive(Debug, Parser)]
#[command(name = "pipeline")]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// How many mails; default 10,000, with --soak 1,000,000.
    #[arg(long)]
    mails: Option<u64>,
    /// Bytes of one raw mail; default 20k, with --soak 2k.
    #[arg(long, value_enum)]
    size: Option<Size>,
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
    /// busy thread: faster, and more memory. The bench starts itself anew to set it.
    #[arg(long, default_value_t = 0)]
    arenas: u32,
    /// Measures each part alone after the run: `sum_of_parts_us` and `cpu_over_parts`.
    #[arg(long)]
    parts: bool,
    /// Samples memory and file size while the mails stream through.
    #[arg(long)]
    soak: bool,
    /// Writes the samples of --soak to this CSV file; `pipeline curve` draws it.
    #[arg(long, requires = "soak")]
    curve: Option<PathBuf>,
    /// Mails between two samples; default a hundredth of all.
    #[arg(long, requires = "soak")]
    every: Option<u64>,
    /// Takes so many single mails through an idle engine instead, and times each.
    #[arg(long, value_name = "MAILS", conflicts_with_all = ["soak", "parts", "mails"])]
    latency: Option<u64>,
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

    fn mails(&self) -> u64 {
        let usual = if self.soak { 1_000_000 } else { 10_000 };
        self.mails.unwrap_or(usual)
    }

    /// Bytes of one raw mail.
    fn size(&self) -> usize {
        let usual = if self.soak { Size::Small } else { Size::Usual };
        self.size.unwrap_or(usual).bytes()
    }

    /// Mails between two samples.
    fn every(&self) -> u64 {
        self.every.unwrap_or(self.mails() / 100).max(1)
    }

    /// A run that takes longer than this is stopped and reported as incomplete.
    fn limit(&self) -> Duration {
        Duration::from_secs(60 + self.mails() / 20)
    }
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The other side; the bench starts it itself.
    #[command(hide = true)]
    Peer { sink: SinkChoice },
    /// Draws the samples of a soak as an SVG.
    Curve { from: PathBuf, to: PathBuf },
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
    match &options.part {
        Some(Part::Peer { sink }) => return peer::serve(*sink).await,
        Some(Part::Curve { from, to }) => {
            return Ok(std::fs::write(to, chart::svg(&Curve::read(from)?))?);
        }
        None => {}
    }
    if let Some(mails) = options.latency {
        return print(&options, &latency::measure(&options, mails).await?);
    }
    eprintln!("mix: {}", Census::of(options.mails()));
    let figures = run::run(&options).await?;
    let parts = match options.parts {
        true => Some(parts::measure(&options).await?),
        false => None,
    };
    let report = Report::of(&figures, parts.as_ref());
    report.explain(&options, &figures, parts.as_ref());
    print(&options, &report)
}

fn print(options: &Options, report: &(impl Serialize + std::fmt::Debug)) -> Result<(), Failure> {
    if options.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        println!("{report:#?}");
    }
    Ok(())
}
