//! Random steps over the whole store surface, on the in-memory model and on another store.
//!
//! `NEXTEDGE_MODEL_STEPS` sets the steps of each run, `NEXTEDGE_MODEL_SEED` the first seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    unreachable_pub
)]

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

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use nextedge_core::ManualClock;
use nextedge_core::memory::MemoryStore;
use nextedge_core::store::Store;

use drive::{Driver, Subject};

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn run(
    seed: u64,
    steps: u64,
    clock: Arc<ManualClock>,
    other: Box<dyn Subject>,
) -> BTreeMap<&'static str, u64> {
    let mut driver = Driver::new(seed, clock, other).await;
    for step in 0..steps {
        driver.step().await;
        if step % COMPARE_EVERY == 0 {
            driver.compare_all().await;
        }
    }
    driver.compare_all().await;
    driver.seen
}

const COMPARE_EVERY: u64 = 40;

const WORTH_TESTING: [&str; 19] = [
    "accepted",
    "approve",
    "correct",
    "expire",
    "joined",
    "reject",
    "dead",
    "dead of crashes",
    "deliver",
    "delivered",
    "duplicate",
    "fenced",
    "fetch",
    "outcome unknown",
    "parked",
    "pending",
    "process",
    "review",
    "stale",
];

struct Memory(MemoryStore);

#[async_trait]
impl Subject for Memory {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    async fn crash(&mut self) {
        self.0.simulate_crash();
    }
}

#[tokio::test]
async fn memory_keeps_its_promises_over_random_steps() {
    let steps = number("NEXTEDGE_MODEL_STEPS", 1500);
    let first = number("NEXTEDGE_MODEL_SEED", 1);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first..first + 4 {
        let clock = Arc::new(ManualClock::default());
        let other = Memory(MemoryStore::with_clock(clock.clone()));
        for (what, count) in run(seed, steps, clock, Box::new(other)).await {
            *seen.entry(what).or_default() += count;
        }
    }
    println!("{seen:?}");
    for what in WORTH_TESTING {
        assert!(seen.contains_key(what), "the steps never led to: {what}");
    }
}
