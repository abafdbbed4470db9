//! The engine: claims work, runs the four functions, tells what happens.
//!
//! `ingest`, `fetch`, `process` and `deliver` are the way of a mail; each ends in one
//! durable commit. Reading these four is reading the product.

mod admin;
mod alerts;
mod batch;
mod builder;
mod deliver;
mod deps;
mod ending;
mod event;
mod fetch;
mod fill;
mod ingest;
mod open;
mod options;
mod process;
mod rate;
mod read;
mod replay;
mod review;
mod status;
mod sweep;
mod tenant;
mod threads;
mod unit;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::task::JoinSet;

pub use admin::Confirm;
pub use builder::EngineBuilder;
pub use event::EngineEvent;
pub use options::EngineOptions;
pub use replay::{Replay, ReplayRequest, Replayed};
pub use status::{JobStatus, LastError, MailboxStatus, Progress, SinkStatus, Status, StatusStream};

use crate::error::Result;
use crate::store::Store;
use deps::Deps;
use workers::IdleBoard;

/// Turns mail into CRM records until it is told to stop.
///
/// Cheap to clone; all clones are one engine. See the crate's front page for a whole program.
#[derive(Clone, Debug)]
pub struct Engine {
    deps: Arc<Deps>,
}

impl Engine {
    /// Starts a builder.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Works until `shutdown` completes, then finishes the batches in hand.
    ///
    /// # Errors
    ///
    /// None while running: store and connector trouble is waited out and shown in the events.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let deps = self.started();
        let board = Arc::new(IdleBoard::new(workers::duties(&deps).len()));
        tokio::join!(all_workers(&deps, &board), stop_after(&deps, shutdown));
        Ok(())
    }

    /// Works until nothing is left to do and nothing becomes due within `patience`, or until
    /// `shutdown` completes.
    ///
    /// What waits for longer (a closed gate, a retry, a person) stays in the store.
    ///
    /// # Errors
    ///
    /// Those of the store when it cannot say what is due.
    pub async fn drain(
        &self,
        patience: Duration,
        shutdown: impl Future<Output = ()>,
    ) -> Result<()> {
        let deps = self.started();
        let board = Arc::new(IdleBoard::new(workers::duties(&deps).len()));
        let done = async {
            let result = tokio::select! {
                result = workers::drained(&deps, &board, patience) => result,
                () = shutdown => Ok(()),
            };
            deps.stop.cancel();
            result
        };
        tokio::join!(all_workers(&deps, &board), done).1
    }

    /// Subscribes to what happens from now on.
    pub fn events(&self) -> EventStream {
        EventStream {
            receiver: self.deps.events.subscribe(),
        }
    }

    /// Returns the store, for its read sides.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.deps.store
    }

    /// A run's own stop signal, so that an engine can run again after it was stopped.
    fn started(&self) -> Arc<Deps> {
        Arc::new(self.deps.with_fresh_stop())
    }
}

async fn all_workers(deps: &Arc<Deps>, board: &Arc<IdleBoard>) {
    let mut workers = JoinSet::new();
    for (index, duty) in workers::duties(deps).into_iter().enumerate() {
        let (deps, board) = (Arc::clone(deps), Arc::clone(board));
        workers.spawn(async move { workers::work(&deps, &duty, index, &board).await });
    }
    let sweeper = Arc::clone(deps);
    workers.spawn(async move { sweep::sweep(&sweeper).await });
    let watcher = Arc::clone(deps);
    workers.spawn(async move { alerts::watch(&watcher).await });
    // dropping the set aborts the workers, so a cancelled run leaves none behind
    while workers.join_next().await.is_some() {}
}

async fn stop_after(deps: &Deps, shutdown: impl Future<Output = ()>) {
    shutdown.await;
    deps.stop.cancel();
}

/// Events in order; a subscriber that is too slow loses the oldest.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<EngineEvent>,
}

impl EventStream {
    /// Waits for the next event; none when the engine is gone.
    pub async fn next(&mut self) -> Option<EngineEvent> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
