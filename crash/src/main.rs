//! `crash run --seeds N --state FOLDER`: kills real workers and checks what is left.
#![allow(clippy::print_stdout, clippy::print_stderr)] // its output is its purpose

mod progress;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use futures::StreamExt;
use nextedge_crash::{Failure, Harness, Report, work};

use crate::progress::Progress;

/// Proves what a kill leaves behind.
#[derive(Debug, Parser)]
#[command(name = "crash")]
struct Options {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Runs seeds until that many are done; goes on where an earlier run ended.
    Run {
        /// How many seeds in all, from 1 on.
        #[arg(long)]
        seeds: u64,
        /// Where the done seeds are noted.
        #[arg(long)]
        state: PathBuf,
        /// Seeds at a time.
        #[arg(long, default_value_t = 1)]
        jobs: usize,
        /// Where the folders of seeds are made; a folder in memory is faster.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Runs one seed and tells what happened.
    Replay {
        /// Which.
        seed: u64,
        /// Where its folder is made.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Without its kills: to see whether they matter.
        #[arg(long)]
        undisturbed: bool,
    },
    /// The process that is killed; started by the other two.
    #[command(hide = true)]
    Worker {
        /// What it does.
        spec: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    match Options::parse().part {
        Part::Worker { spec } => work(&spec).await.map(|()| ExitCode::SUCCESS),
        Part::Replay {
            seed,
            dir,
            undisturbed,
        } => replay(&harness(dir)?, seed, undisturbed).await,
        Part::Run {
            seeds,
            state,
            jobs,
            dir,
        } => run(&harness(dir)?, seeds, &mut Progress::open(&state)?, jobs).await,
    }
}

fn harness(dir: Option<PathBuf>) -> Result<Harness, Failure> {
    Ok(Harness {
        program: std::env::current_exe()?,
        folder: dir.unwrap_or_else(std::env::temp_dir),
    })
}

async fn replay(harness: &Harness, seed: u64, undisturbed: bool) -> Result<ExitCode, Failure> {
    let report = if undisturbed {
        harness.run_with(seed, &[]).await?
    } else {
        harness.run(seed).await?
    };
    println!("{report:#?}");
    Ok(code(report.faults.is_empty()))
}

async fn run(
    harness: &Harness,
    seeds: u64,
    progress: &mut Progress,
    jobs: usize,
) -> Result<ExitCode, Failure> {
    let open: Vec<u64> = (1..=seeds)
        .filter(|seed| !progress.is_done(*seed))
        .collect();
    println!("{} seeds are done, {} to go", progress.done(), open.len());
    let runs = open.into_iter().map(|seed| harness.run(seed));
    let mut reports = futures::stream::iter(runs).buffer_unordered(jobs.max(1));
    while let Some(report) = reports.next().await {
        let report = report?;
        progress.note(&report)?;
        if !report.faults.is_empty() {
            tell(&report);
        } else if progress.done().is_multiple_of(100) {
            println!("{progress}");
        }
    }
    println!("{progress}");
    Ok(code(progress.failed() == 0))
}

fn tell(report: &Report) {
    let kills: Vec<String> = report.kills.iter().map(ToString::to_string).collect();
    eprintln!(
        "seed {} FAILED, killed at [{}]",
        report.seed,
        kills.join(", ")
    );
    for fault in &report.faults {
        eprintln!("    {fault}");
    }
    if let Some(kept) = &report.kept {
        eprintln!("    kept: {}", kept.display());
    }
    eprintln!("    again: scripts/crash --replay {}", report.seed);
}

fn code(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
