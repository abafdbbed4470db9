//! Random steps on the in-memory model and on this store: both show the same states.
//!
//! `NEXTEDGE_MODEL_STEPS` sets the steps of each run, `NEXTEDGE_MODEL_SEED` the first seed.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, dead_code)]

#[path = "model/build.rs"]
mod build;
#[path = "model/check.rs"]
mod check;
#[path = "model/drive.rs"]
mod drive;
#[path = "model/rng.rs"]
mod rng;
#[path = "model/work.rs"]
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use nextedge_core::store::Store;
use nextedge_core::{Clock, ManualClock};
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use drive::{Driver, Subject};

/// A file that is closed without releasing anything and opened again on a crash.
struct Sqlite {
    store: Option<SqliteStore>,
    clock: Arc<ManualClock>,
    directory: TempDir,
}

impl Sqlite {
    fn new(clock: Arc<ManualClock>) -> Self {
        let mut subject = Self {
            store: None,
            clock,
            directory: tempfile::tempdir().unwrap(),
        };
        subject.open();
        subject
    }

    fn open(&mut self) {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let options = SqliteOptions::default().with_clock(clock);
        let path = self.directory.path().join("model.db");
        self.store = Some(SqliteStore::open(path, options).unwrap());
    }
}

#[async_trait]
impl Subject for Sqlite {
    fn store(&self) -> &dyn Store {
        self.store.as_ref().unwrap()
    }

    async fn crash(&mut self) {
        self.store = None;
        self.open();
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn sqlite_shows_the_same_states_over_random_steps() {
    let steps = number("NEXTEDGE_MODEL_STEPS", 1000);
    let first = number("NEXTEDGE_MODEL_SEED", 1);
    for seed in first..first + 4 {
        let clock = Arc::new(ManualClock::default());
        let other = Sqlite::new(clock.clone());
        let mut driver = Driver::new(seed, clock, Box::new(other)).await;
        for step in 0..steps {
            driver.step().await;
            if step % COMPARE_EVERY == 0 {
                driver.compare_all().await;
            }
        }
        driver.compare_all().await;
    }
}

const COMPARE_EVERY: u64 = 20;
