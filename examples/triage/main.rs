//! `triage`: mail in, CRM records out, and a line for every mail that says what became of it.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command-line program talks to its user

mod args;
mod audit;
mod limited;
mod operate;
mod report;
mod review;
mod run;
mod say;
mod setup;
mod view;

use std::process::ExitCode;

use clap::Parser;
use nextedge_core::Error;

use args::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let result = match cli.command {
        Some(Command::Review(review)) => review::review(review).await,
        Some(Command::Audit(audit)) => audit::audit(audit).await,
        Some(Command::Status(status)) => operate::status(status).await,
        Some(Command::Replay(replay)) => operate::replay(replay).await,
        None => run::run(cli.run).await,
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            explain(&error);
            ExitCode::from(2)
        }
    }
}

/// Prints an error with its causes and what to do about it.
fn explain(error: &Error) {
    eprintln!("triage: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
    if let Some(action) = error.action() {
        eprintln!("  what to do: {action}");
    }
}
