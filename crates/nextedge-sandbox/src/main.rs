//! Runs the sandbox as a process of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use nextedge_sandbox::{RateLimit, Sandbox};

/// Local imitation of CRM vendors for tests and demos.
///
/// Prints one JSON line with its base URLs when it is ready. The page of records is at
/// the control URL followed by a slash.
#[derive(Debug, Parser)]
#[command(name = "nextedge-sandbox", version)]
struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Rate limit of the account: none, free, pro or oauth.
    #[arg(long, default_value_t = RateLimit::Pro)]
    rate_limit: RateLimit,
    /// Milliseconds by which search lags behind writes.
    #[arg(long, default_value_t = 1_500)]
    search_lag_ms: u64,
    /// Requests the journal holds; counters cover all.
    #[arg(long, default_value_t = 10_000)]
    journal_requests: usize,
    /// Bytes of bodies the journal holds.
    #[arg(long, default_value_t = 64 << 20)]
    journal_bytes: usize,
    /// Keep no bodies: none in the journal, values cut to 64 bytes, no contents of files.
    #[arg(long)]
    discard_bodies: bool,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let mut builder = Sandbox::builder()
        .listen(options.listen)
        .rate_limit(options.rate_limit)
        .search_lag(Duration::from_millis(options.search_lag_ms))
        .journal_requests(options.journal_requests)
        .journal_bytes(options.journal_bytes);
    if options.discard_bodies {
        builder = builder.discard_bodies();
    }
    let sandbox = builder.start().await?;
    let ready =
        serde_json::json!({"hubspot": sandbox.hubspot_url(), "control": sandbox.control_url()});
    writeln!(io::stdout(), "{ready}")?;
    io::stdout().flush()?;
    stop_asked().await?;
    sandbox.finish().await
}

/// Waits for Ctrl-C, or for the signal that asks a process to end.
async fn stop_asked() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
