//! The checks that every store passes, on one SQLite file each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[path = "model/build.rs"]
mod build;
#[path = "model/flow.rs"]
mod flow;
#[path = "model/lanes.rs"]
mod lanes;
#[path = "model/states.rs"]
mod states;
#[path = "model/tenants.rs"]
mod tenants;

use std::sync::Arc;

use nextedge_core::{Clock, ManualClock};
use nextedge_sqlite::{SqliteOptions, SqliteStore};

macro_rules! on_sqlite {
    ($check:path) => {
        let clock = Arc::new(ManualClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::default().with_clock(shared);
        let store = SqliteStore::open(directory.path().join("store.db"), options).unwrap();
        $check(&store, &clock).await;
    };
}

lane_checks!(on_sqlite);
state_checks!(on_sqlite);
tenant_checks!(on_sqlite);
