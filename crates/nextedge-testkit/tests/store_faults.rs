//! Each check of the store suite fails on a store that is broken on purpose, and passes on a sound one.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Arc;

use async_trait::async_trait;
use nextedge_core::ManualClock;
use nextedge_testkit::store::broken::{BrokenHarness, Fault, Method};
use nextedge_testkit::store::{CHECKS, Check, MemoryHarness, Need, StoreHarness, Subject};

/// The in-memory store with a fault, restarted as the check needs it.
fn harness(check: &Check, fault: Fault) -> BrokenHarness {
    let sound = match check.needs {
        Need::KeepsLeases | Need::Processes => MemoryHarness::shared(),
        _ => MemoryHarness::default(),
    };
    BrokenHarness::new(sound, fault)
}

fn passes(check: &Check, fault: Fault) -> bool {
    let harness = harness(check, fault);
    assert_eq!(check.skipped(&harness), None, "{}", check.name);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let run = || runtime.unwrap().block_on(check.run(&harness));
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

/// Runs without the noise of panics that are expected.
fn quietly(run: impl FnOnce()) {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(run));
    set_hook(hook);
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().cloned();
        panic!("{}", text.unwrap_or_default());
    }
}

/// One test, since the hook for panics is one a process.
#[test]
fn each_check_fails_on_its_fault_and_each_method_needs_its_tenant() {
    quietly(|| {
        each_check_fails_on_its_fault();
        each_method_needs_its_tenant();
    });
}

fn each_check_fails_on_its_fault() {
    let mut wrong = Vec::new();
    for check in CHECKS {
        println!("{:<50} {:?}", check.name, check.fails_on);
        if !passes(check, Fault::None) {
            wrong.push(format!("{} fails on a sound store", check.name));
        }
        if check.fails_on == Fault::None || passes(check, check.fails_on) {
            wrong.push(format!("{} passes with {:?}", check.name, check.fails_on));
        }
    }
    for fault in Fault::ALL {
        if !CHECKS.iter().any(|check| check.fails_on == *fault) {
            wrong.push(format!("no check names {fault:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A store that drops the tenant in any one method fails in a check about tenants.
fn each_method_needs_its_tenant() {
    // the tasks that hop are left out: they take long to fail, and the others are exact
    let about_tenants = |check: &&Check| {
        let name = check.name;
        let slow = name == "tasks_hop_between_tenants";
        !slow && (name.contains("tenant") || name.ends_with("in_scope"))
    };
    let mut caught: BTreeMap<Method, BTreeSet<&str>> = BTreeMap::new();
    for check in CHECKS.iter().filter(about_tenants) {
        for method in Method::ALL {
            if !passes(check, Fault::DropsTenant(*method)) {
                caught.entry(*method).or_default().insert(check.name);
            }
        }
    }
    for (method, checks) in &caught {
        println!("{:<22} {checks:?}", method.as_str());
    }
    for method in Method::ALL {
        let name = method.as_str();
        assert!(
            caught.contains_key(method),
            "nobody saw that {name} dropped the tenant"
        );
    }
}

#[test]
fn a_check_that_needs_more_than_the_harness_declares_is_skipped() {
    let reason = |name: &str, harness| Check::named(name).unwrap().skipped(harness);
    let (one, many) = (MemoryHarness::default(), MemoryHarness::shared());
    assert_eq!(reason("restart_ends_leases", &one), None);
    assert!(reason("restart_keeps_leases", &one).is_some());
    assert!(reason("restart_ends_leases", &many).is_some());
    assert_eq!(reason("restart_keeps_leases", &many), None);
    assert!(reason("processes_share_the_work", &one).is_some());
    assert_eq!(reason("processes_share_the_work", &many), None);
    let none = Unrestarted(one);
    assert!(reason("committed_results_outlive_a_restart", &none).is_some());
    assert_eq!(reason("retry_moves_the_lane", &none), None);
}

#[derive(Debug)]
struct Unrestarted(MemoryHarness);

#[async_trait]
impl StoreHarness for Unrestarted {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Box<dyn Subject> {
        self.0.fresh(clock).await
    }
}

/// The list of methods, from which the faults and the doc tests about tenants follow, is complete.
#[test]
fn every_method_of_every_store_trait_is_listed() {
    let traits = concat!(env!("CARGO_MANIFEST_DIR"), "/../nextedge-core/src/store");
    let mut declared = BTreeSet::new();
    for file in std::fs::read_dir(traits).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let methods = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("async fn "));
        declared.extend(methods.map(|line| line.split('(').next().unwrap_or(line).to_owned()));
    }
    let listed: BTreeSet<_> = Method::ALL.iter().map(|m| m.as_str().to_owned()).collect();
    assert_eq!(listed, declared);
    let doc_tests = include_str!("../src/store/needs_tenant.rs");
    for name in declared.iter().filter(|name| *name != "claim") {
        assert!(
            [" ", "."]
                .iter()
                .any(|before| doc_tests.contains(&format!("{before}{name}("))),
            "no doc test for {name}"
        );
    }
}
