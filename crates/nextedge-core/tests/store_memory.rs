//! The in-memory store hands out, keeps and frees work as the store traits say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[path = "../../nextedge-sqlite/tests/model/build.rs"]
mod build;
#[path = "../../nextedge-sqlite/tests/model/flow.rs"]
mod flow;
#[path = "../../nextedge-sqlite/tests/model/lanes.rs"]
mod lanes;
#[path = "../../nextedge-sqlite/tests/model/states.rs"]
mod states;

use std::sync::Arc;

use nextedge_core::ManualClock;
use nextedge_core::memory::MemoryStore;

macro_rules! on_memory {
    ($check:path) => {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::with_clock(clock.clone());
        $check(&store, &clock).await;
    };
}

lane_checks!(on_memory);
state_checks!(on_memory);
