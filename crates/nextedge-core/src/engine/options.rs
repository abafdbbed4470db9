//! The engine's limits, each with its default.

use std::time::Duration;

use crate::store::Scope;

/// Every limit of the engine; the defaults suit one process with two cores.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Whose work is done; default all tenants of the store.
    pub scope: Scope,
    /// Stubs a page; default 500.
    pub page_size: usize,
    /// Messages a fetch; default 100.
    pub fetch_batch: usize,
    /// Messages a decision batch; default 100.
    pub process_batch: usize,
    /// Deliveries a CRM batch, at most what the sink takes; default 256.
    pub deliver_batch: usize,
    /// Raw bytes a batch; a larger single mail goes alone; default 8 MiB: memory stays small
    /// because a batch holds its mails raw, decoded and as request bodies.
    pub batch_bytes: u64,
    /// Decision batches at a time; default 2.
    pub process_workers: usize,
    /// CRM batches at a time, for all tenants; default 2.
    pub deliver_workers: usize,
    /// CRM batches at a time for one connection; default 2.
    pub deliver_in_flight: usize,
    /// How long a CRM batch waits to fill up while plans of the same tenants are being made;
    /// default 1 s. Mail that comes alone never waits.
    pub fill: Duration,
    /// How long a claim is held without renewal; default 60 s. Renewed at a third.
    pub lease: Duration,
    /// Time for one call of a source or sink, always below the lease; default 45 s.
    pub call_budget: Duration,
    /// How often a live mailbox is asked for changes; default 60 s.
    pub poll: Duration,
    /// How long an idle worker waits before it looks again; default 1 s.
    pub idle: Duration,
    /// Waits between the attempts of one item; after the last it is dead. Default 1 min, 5 min,
    /// 15 min, 1 h, 2 h, each with up to a quarter of jitter on top.
    pub backoff: Vec<Duration>,
    /// How long a closed gate lasts when the vendor names no time; default 10 s.
    pub gate: Duration,
    /// Overrides every sink's settle time, for tests and local CRMs; default none.
    pub settle: Option<Duration>,
    /// Time for one classification; default 40 s.
    pub classify_budget: Duration,
    /// How often the engine looks for alerts: at tenants with news and at one more; default 10 s.
    pub alert_look: Duration,
    /// How long a sync run stays as a row; default 30 days.
    pub keep_runs: Duration,
    /// Events kept for a slow subscriber; the oldest are dropped and counted. Default 1,024.
    pub event_buffer: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            scope: Scope::All,
            page_size: 500,
            fetch_batch: 100,
            process_batch: 100,
            deliver_batch: 256,
            batch_bytes: 8 << 20,
            process_workers: 2,
            deliver_workers: 2,
            deliver_in_flight: 2,
            fill: Duration::from_secs(1),
            lease: Duration::from_secs(60),
            call_budget: Duration::from_secs(45),
            poll: Duration::from_secs(60),
            idle: Duration::from_secs(1),
            backoff: [60, 300, 900, 3600, 7200].map(Duration::from_secs).to_vec(),
            gate: Duration::from_secs(10),
            settle: None,
            classify_budget: Duration::from_secs(40),
            alert_look: Duration::from_secs(10),
            keep_runs: Duration::from_secs(30 * 24 * 60 * 60),
            event_buffer: 1024,
        }
    }
}

impl EngineOptions {
    /// Does the work of one tenant only.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets the largest CRM batch.
    #[must_use]
    pub fn with_deliver_batch(mut self, items: usize) -> Self {
        self.deliver_batch = items;
        self
    }

    /// Sets the largest decision batch.
    #[must_use]
    pub fn with_process_batch(mut self, items: usize) -> Self {
        self.process_batch = items;
        self
    }

    /// Sets how many decision batches and CRM batches run at a time.
    #[must_use]
    pub fn with_workers(mut self, process: usize, deliver: usize) -> Self {
        self.process_workers = process;
        self.deliver_workers = deliver;
        self
    }

    /// Sets how long a claim is held; a call's budget is cut to three quarters of it.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self.call_budget = self.call_budget.min(lease * 3 / 4);
        self
    }

    /// Sets the waits between attempts.
    #[must_use]
    pub fn with_backoff(mut self, waits: Vec<Duration>) -> Self {
        self.backoff = waits;
        self
    }

    /// Sets how long a closed gate lasts when the vendor names no time.
    #[must_use]
    pub fn with_gate(mut self, gate: Duration) -> Self {
        self.gate = gate;
        self
    }

    /// Overrides every sink's settle time.
    #[must_use]
    pub fn with_settle(mut self, settle: Duration) -> Self {
        self.settle = Some(settle);
        self
    }

    /// Sets how often the engine looks for alerts.
    #[must_use]
    pub fn with_alert_look(mut self, every: Duration) -> Self {
        self.alert_look = every;
        self
    }

    /// Sets how long a sync run stays as a row.
    #[must_use]
    pub fn with_keep_runs(mut self, keep: Duration) -> Self {
        self.keep_runs = keep;
        self
    }

    /// Sets how often a live mailbox is asked for changes.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }
}
