//! No call of one tenant sees or moves another's rows in the in-memory store.

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
#[path = "../../nextedge-sqlite/tests/model/tenants.rs"]
mod tenants;

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

tenant_checks!(on_memory);
