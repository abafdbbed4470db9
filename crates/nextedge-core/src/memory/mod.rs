//! Every store in memory: the model that the SQL stores are compared with, for tests and demos.
//!
//! One lock over plain maps, each tenant's rows in a map of its own; nothing is tuned, nothing is
//! durable. [`MemoryStore::simulate_crash`] ends every lease as a restart of a durable store does.

mod claim;
mod commit;
mod config;
mod jobs;
mod lanes;
mod mailbox;
mod overview;
mod read;
mod review;
mod runs;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::{Error, ErrorKind};
use state::State;

/// Keeps everything in memory.
///
/// ```
/// use std::sync::Arc;
/// use nextedge_core::ManualClock;
/// use nextedge_core::memory::MemoryStore;
/// use nextedge_core::store::Store;
///
/// let clock = Arc::new(ManualClock::default());
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::with_clock(clock));
/// # let _ = store;
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl MemoryStore {
    /// Starts an empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// Starts an empty store on a given clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Ends every lease as if the process had died: what a durable store does when it is opened.
    pub fn simulate_crash(&self) {
        let now = self.now();
        self.lock().tenants.values_mut().for_each(|tenant| {
            tenant.end_all(now);
        });
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    /// The same as [`MemoryStore::new`].
    fn default() -> Self {
        Self::new()
    }
}

fn fenced() -> Error {
    Error::new(ErrorKind::Fenced, "lease is not held for this item")
        .with_action("drop the work; whoever holds the lease does it")
}

fn conflict(item: &'static str, given: u64, present: u64) -> Error {
    Error::new(ErrorKind::Conflict, "another version is stored")
        .with_context("item", item)
        .with_context("given", given)
        .with_context("stored", present)
        .with_action("read it again, then decide")
}

fn not_found(item: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, "no such item in this tenant").with_context("item", item)
}
