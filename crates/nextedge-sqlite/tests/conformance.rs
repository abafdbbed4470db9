//! SQLite passes every check of the store suite, each on a file of its own, and shows the same
//! states as the in-memory model over random steps.
//!
//! `NEXTEDGE_MODEL_STEPS` sets the steps of each run, `NEXTEDGE_MODEL_SEED` the first seed.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use nextedge_core::store::Store;
use nextedge_core::{Clock, ManualClock};
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use nextedge_testkit::store::random::{RandomSteps, same_as_the_model};
use nextedge_testkit::store::{Restart, StoreCapabilities, StoreHarness, Subject};
use tempfile::TempDir;

nextedge_testkit::store_conformance!(Sqlite);

#[tokio::test]
async fn sqlite_shows_the_same_states_over_more_random_steps() {
    let options = RandomSteps::default().from_environment();
    for seed in options.seed + 1..options.seed + 4 {
        same_as_the_model(&Sqlite, &options.clone().with_seed(seed)).await;
    }
}

#[derive(Debug)]
struct Sqlite;

#[async_trait]
impl StoreHarness for Sqlite {
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default().with_restart(Restart::EndsLeases)
    }

    async fn fresh(&self, clock: Arc<ManualClock>) -> Box<dyn Subject> {
        let mut file = File {
            store: None,
            clock,
            directory: tempfile::tempdir().unwrap(),
        };
        file.open();
        Box::new(file)
    }
}

/// A file that is closed without releasing anything, and opened again.
#[derive(Debug)]
struct File {
    store: Option<SqliteStore>,
    clock: Arc<ManualClock>,
    directory: TempDir,
}

impl File {
    fn open(&mut self) {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let options = SqliteOptions::default().with_clock(clock);
        let path = self.directory.path().join("store.db");
        self.store = Some(SqliteStore::open(path, options).unwrap());
    }
}

#[async_trait]
impl Subject for File {
    fn store(&self) -> &dyn Store {
        self.store.as_ref().unwrap()
    }

    async fn restart(&mut self) {
        self.store = None;
        self.open();
    }
}
