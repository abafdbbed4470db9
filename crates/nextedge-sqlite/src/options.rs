//! What an embedder may set, with the defaults.

use std::sync::Arc;
use std::time::Duration;

use nextedge_core::{Clock, SystemClock};

/// How a [`SqliteStore`](crate::SqliteStore) uses its file, memory and threads.
///
/// ```
/// use std::time::Duration;
/// use nextedge_sqlite::SqliteOptions;
///
/// let options = SqliteOptions::default().with_group_wait(Duration::from_millis(2));
/// assert_eq!(options.group_wait, Duration::from_millis(2));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// See [`with_clock`](Self::with_clock).
    pub clock: Arc<dyn Clock>,
    /// See [`with_busy_timeout`](Self::with_busy_timeout).
    pub busy_timeout: Duration,
    /// See [`with_group_requests`](Self::with_group_requests).
    pub group_requests: usize,
    /// See [`with_group_wait`](Self::with_group_wait).
    pub group_wait: Duration,
    /// See [`with_max_queue`](Self::with_max_queue).
    pub max_queue: usize,
    /// See [`with_readers`](Self::with_readers).
    pub readers: usize,
    /// See [`with_checkpoint_pages`](Self::with_checkpoint_pages).
    pub checkpoint_pages: u32,
    /// See [`with_cache_kib`](Self::with_cache_kib).
    pub cache_kib: u32,
    /// See [`with_max_pages`](Self::with_max_pages).
    pub max_pages: Option<u32>,
    /// See [`with_raw_cache_bytes`](Self::with_raw_cache_bytes).
    pub raw_cache_bytes: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            busy_timeout: Duration::from_secs(5),
            group_requests: 256,
            group_wait: Duration::ZERO,
            max_queue: 1024,
            readers: 2,
            checkpoint_pages: 4096,
            cache_kib: 8 * 1024,
            max_pages: None,
            raw_cache_bytes: 4 * 1024 * 1024,
        }
    }
}

impl SqliteOptions {
    /// Sets where the store takes time from. Default: the system's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long to wait for a lock that another program, such as a backup, holds on the file.
    /// Default: 5 s.
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets the most write requests that share one transaction. Default: 256; at least 1.
    #[must_use]
    pub fn with_group_requests(mut self, requests: usize) -> Self {
        self.group_requests = requests.max(1);
        self
    }

    /// Sets how long an open transaction waits for one more request before it commits.
    ///
    /// Default: 0: it takes what waits already, and what comes while the disk writes shares the
    /// next transaction. A few milliseconds save disk flushes at the cost of latency.
    #[must_use]
    pub fn with_group_wait(mut self, wait: Duration) -> Self {
        self.group_wait = wait;
        self
    }

    /// Sets how many write requests may wait; further callers wait for room. Default: 1,024; at
    /// least 1.
    #[must_use]
    pub fn with_max_queue(mut self, requests: usize) -> Self {
        self.max_queue = requests.max(1);
        self
    }

    /// Sets the number of read connections, so of reads at a time. Default: 2; at least 1.
    #[must_use]
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Sets after how many pages of 4 KiB the write-ahead log is moved into the file. Default: 4,096
    /// (16 MiB).
    #[must_use]
    pub fn with_checkpoint_pages(mut self, pages: u32) -> Self {
        self.checkpoint_pages = pages;
        self
    }

    /// Sets the page cache of the write connection in KiB; each reader has a quarter of it. Default:
    /// 8 MiB.
    #[must_use]
    pub fn with_cache_kib(mut self, kib: u32) -> Self {
        self.cache_kib = kib;
        self
    }

    /// Sets the largest file in pages of 4 KiB; beyond it writes are refused with `StoreFull`.
    /// Default: none, the disk is the limit.
    #[must_use]
    pub fn with_max_pages(mut self, pages: Option<u32>) -> Self {
        self.max_pages = pages;
        self
    }

    /// Sets how many bytes of recently committed raw mail are kept in memory, so that claims need
    /// not read them back. Default: 4 MiB; 0 keeps none.
    #[must_use]
    pub fn with_raw_cache_bytes(mut self, bytes: usize) -> Self {
        self.raw_cache_bytes = bytes;
        self
    }
}
