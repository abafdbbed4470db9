//! What can be set before a sandbox starts.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::hubspot::{RateLimit, Settings};
use crate::journal::JournalLimits;
use crate::sandbox::Sandbox;

/// Configures a [`Sandbox`] before it starts.
///
/// Every setting has a default that suits a test: a free port, the vendor's
/// professional limits, a search index that lags 1.5 s.
#[derive(Clone, Debug)]
pub struct SandboxBuilder {
    pub(crate) listen: SocketAddr,
    pub(crate) rate_limit: RateLimit,
    pub(crate) settings: Settings,
    pub(crate) journal: JournalLimits,
}

impl Default for SandboxBuilder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            rate_limit: RateLimit::default(),
            settings: Settings::default(),
            journal: JournalLimits {
                requests: 10_000,
                bytes: 64 << 20,
            },
        }
    }
}

impl SandboxBuilder {
    /// Sets the address to listen on. Default `127.0.0.1:0`, a free port.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Sets the account's rate limit. Default [`RateLimit::Pro`].
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = limit;
        self
    }

    /// Sets how long search keeps showing the state before a write. Default 1.5 s.
    #[must_use]
    pub fn search_lag(mut self, lag: Duration) -> Self {
        self.settings.search_lag_ms = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Takes leads out of the account, as on plans without them. Default: leads are set up.
    #[must_use]
    pub fn without_leads(mut self) -> Self {
        self.settings.leads = false;
        self
    }

    /// Sets how many requests the journal holds, counters apart. Default 10,000.
    #[must_use]
    pub fn journal_requests(mut self, requests: usize) -> Self {
        self.journal.requests = requests;
        self
    }

    /// Sets how many bytes of bodies the journal holds. Default 64 MiB.
    #[must_use]
    pub fn journal_bytes(mut self, bytes: usize) -> Self {
        self.journal.bytes = bytes;
        self
    }

    /// Sets how much of a property value is stored, in bytes. Default: all of it.
    ///
    /// Longer values are checked in full, then cut and marked with their length. Values
    /// that records are looked up by are never cut.
    #[must_use]
    pub fn keep_value_bytes(mut self, bytes: usize) -> Self {
        self.settings.keep_value_bytes = Some(bytes);
        self
    }

    /// Sets how many bytes of file contents are kept in all. Default 1 GiB.
    ///
    /// Beyond it a file keeps its name, size and hash, and its download answers 410.
    #[must_use]
    pub fn keep_file_bytes(mut self, bytes: usize) -> Self {
        self.settings.keep_file_bytes = bytes;
        self
    }

    /// Keeps no bodies: for benches that write more than memory holds.
    ///
    /// The journal holds no bodies, values are cut to 64 bytes, contents of files go.
    #[must_use]
    pub fn discard_bodies(self) -> Self {
        self.journal_bytes(0)
            .keep_value_bytes(64)
            .keep_file_bytes(0)
    }

    /// Binds the port and starts to answer.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(self) -> io::Result<Sandbox> {
        Sandbox::start(self).await
    }
}
