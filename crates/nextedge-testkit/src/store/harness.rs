//! What the suite needs of a store under test: a fresh one, and a way to lose its process.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use nextedge_core::ManualClock;
use nextedge_core::memory::MemoryStore;
use nextedge_core::store::Store;

/// Makes stores to check, all of one kind.
///
/// ```
/// use std::sync::Arc;
/// use nextedge_core::ManualClock;
/// use nextedge_core::memory::MemoryStore;
/// use nextedge_core::store::Store;
/// use nextedge_testkit::store::{StoreHarness, Subject};
///
/// #[derive(Debug)]
/// struct Mine;
///
/// #[derive(Debug)]
/// struct MineOnce(MemoryStore);
///
/// #[async_trait::async_trait]
/// impl StoreHarness for Mine {
///     async fn fresh(&self, clock: Arc<ManualClock>) -> Box<dyn Subject> {
///         Box::new(MineOnce(MemoryStore::with_clock(clock)))
///     }
/// }
///
/// impl Subject for MineOnce {
///     fn store(&self) -> &dyn Store {
///         &self.0
///     }
/// }
///
/// nextedge_testkit::store::run(&Mine, "retry_moves_the_lane");
/// ```
#[async_trait]
pub trait StoreHarness: fmt::Debug + Send + Sync {
    /// What the subjects can do; nothing by default. Checks that need more are skipped, and say so.
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default()
    }

    /// Makes an empty store that takes time from `clock` and shares nothing with any other.
    ///
    /// Panics are failures of the check that asked.
    async fn fresh(&self, clock: Arc<ManualClock>) -> Box<dyn Subject>;
}

/// One store under test.
#[async_trait]
pub trait Subject: fmt::Debug + Send + Sync + 'static {
    /// Returns the store as its present process sees it.
    fn store(&self) -> &dyn Store;

    /// Loses the process without a word and opens what is left with a new one.
    ///
    /// Called only if [`StoreCapabilities::restart`] is not [`Restart::Unsupported`].
    async fn restart(&mut self) {}

    /// Opens the same store as another process does, beside this one.
    ///
    /// Called only if [`StoreCapabilities::processes`] is [`Processes::Many`].
    async fn another(&self) -> Option<Box<dyn Subject>> {
        None
    }
}

/// What a store under test can do beyond the traits. Supports nothing by default.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StoreCapabilities {
    /// What a restart does.
    pub restart: Restart,
    /// How many processes open one store at a time.
    pub processes: Processes,
}

impl StoreCapabilities {
    /// Declares what [`Subject::restart`] does; unsupported by default.
    #[must_use]
    pub fn with_restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Declares how many processes open one store at a time; one by default.
    #[must_use]
    pub fn with_processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }
}

/// How many processes open one store at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // alone or not
pub enum Processes {
    /// A second process is refused, or the harness cannot open one.
    #[default]
    One,
    /// Any number; the harness opens them with [`Subject::another`].
    Many,
}

/// What becomes of leases when a process is lost and another one opens the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a store of one process, of many, or none that lasts
pub enum Restart {
    /// The store does not outlive its process, or the harness cannot restart it.
    #[default]
    Unsupported,
    /// Only one process at a time opens the store, so a new one ends every lease at once.
    EndsLeases,
    /// Other processes may hold leases, so they last until they run out.
    KeepsLeases,
}

/// The in-memory model as a subject of its own suite.
///
/// A restart ends its leases, as opening a store of one process does. [`MemoryHarness::shared`] keeps
/// them, and lets others beside it, as a store of many processes does.
#[derive(Clone, Copy, Debug)]
pub struct MemoryHarness {
    restart: Restart,
}

impl MemoryHarness {
    /// A model whose restart keeps the leases, beside which others can be opened.
    pub fn shared() -> Self {
        let restart = Restart::KeepsLeases;
        Self { restart }
    }
}

impl Default for MemoryHarness {
    /// A model whose restart ends the leases.
    fn default() -> Self {
        let restart = Restart::EndsLeases;
        Self { restart }
    }
}

#[async_trait]
impl StoreHarness for MemoryHarness {
    fn capabilities(&self) -> StoreCapabilities {
        let processes = match self.restart {
            Restart::KeepsLeases => Processes::Many,
            Restart::EndsLeases | Restart::Unsupported => Processes::One,
        };
        StoreCapabilities::default()
            .with_restart(self.restart)
            .with_processes(processes)
    }

    async fn fresh(&self, clock: Arc<ManualClock>) -> Box<dyn Subject> {
        let store = Arc::new(MemoryStore::with_clock(clock));
        let restart = self.restart;
        Box::new(Memory { restart, store })
    }
}

#[derive(Clone, Debug)]
struct Memory {
    restart: Restart,
    store: Arc<MemoryStore>,
}

#[async_trait]
impl Subject for Memory {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    async fn restart(&mut self) {
        if self.restart == Restart::EndsLeases {
            self.store.simulate_crash();
        }
    }

    async fn another(&self) -> Option<Box<dyn Subject>> {
        Some(Box::new(self.clone()))
    }
}
