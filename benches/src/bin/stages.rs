//! Runs one stage over mails of the mix so many times, for a counter of instructions.
//!
//! `scripts/instructions` runs it twice under valgrind, which counts inside [`counted_pass`] only; the
//! difference is the stage alone.
#![allow(clippy::print_stdout)] // its output is its purpose

use clap::Parser;
use nextedge_benches::Failure;
use nextedge_benches::stages::{Stage, Stages};

/// Runs one stage over the first mails of the mix.
#[derive(Debug, Parser)]
#[command(name = "stages")]
struct Options {
    /// Which stage; `all` prints the names.
    #[arg(long)]
    stage: String,
    /// How often it runs over all mails.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// How many mails.
    #[arg(long, default_value_t = 40)]
    mails: u64,
    /// Bytes of one raw mail.
    #[arg(long, default_value_t = 20 << 10)]
    size: usize,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    if options.stage == "all" {
        for stage in Stage::ALL {
            println!("{}", stage.as_str());
        }
        return Ok(());
    }
    let stage = Stage::named(&options.stage).ok_or("no such stage; `--stage all` names them")?;
    let stages = Stages::prepare(options.mails, options.size)?;
    for _ in 0..options.times {
        counted_pass(&stages, stage)?;
    }
    Ok(())
}

/// A function of its own, by whose name the counter tells the stage from what prepared it.
#[inline(never)]
fn counted_pass(stages: &Stages, stage: Stage) -> Result<(), Failure> {
    stages.run(stage)
}
