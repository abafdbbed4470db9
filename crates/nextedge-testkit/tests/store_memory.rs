//! The in-memory store passes every check: it is the model of all others.

use std::collections::BTreeMap;

use nextedge_testkit::store::MemoryHarness;
use nextedge_testkit::store::random::{RandomSteps, same_as_the_model};

nextedge_testkit::store_conformance!(MemoryHarness::default());

mod of_many_processes {
    use nextedge_testkit::store::MemoryHarness;

    nextedge_testkit::store_conformance!(MemoryHarness::shared());
}

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

/// Two models take the same steps; what is tested is the bookkeeping beside them.
#[tokio::test]
async fn memory_keeps_its_promises_over_random_steps() {
    let options = RandomSteps::default().with_steps(1500);
    let options = options.with_compare_every(40).from_environment();
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in options.seed..options.seed + 4 {
        let run = options.clone().with_seed(seed);
        for (what, count) in same_as_the_model(&MemoryHarness::default(), &run).await {
            *seen.entry(what).or_default() += count;
        }
    }
    for what in WORTH_TESTING {
        assert!(seen.contains_key(what), "the steps never led to: {what}");
    }
}
