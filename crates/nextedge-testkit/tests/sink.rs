//! The sound fake passes every check for sinks, and every check fails on a broken one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use nextedge_testkit::sink::fake::{Defect, FakeHarness};
use nextedge_testkit::sink::{CHECKS, FaultKind, SinkHarness, SinkWorld};
use nextedge_testkit::{Stop, run_all};

mod sound {
    use super::FakeHarness;
    nextedge_testkit::sink_conformance!(FakeHarness::sound());
}

#[tokio::test]
async fn the_sound_fake_skips_nothing() {
    let report = run_all(CHECKS, &FakeHarness::sound()).await;
    assert!(
        report.skipped().is_empty() && report.failed().is_empty(),
        "{report}"
    );
    assert_eq!(report.rows().len(), CHECKS.len());
}

/// Which checks fail on each broken fake.
async fn caught() -> Vec<(Defect, Vec<&'static str>)> {
    let mut caught = Vec::new();
    for defect in Defect::ALL {
        let mut failed = Vec::new();
        for check in CHECKS {
            let verdict = check.run(&FakeHarness::broken(*defect)).await;
            if matches!(verdict, Err(Stop::Failed(_))) {
                failed.push(check.name());
            }
        }
        caught.push((*defect, failed));
    }
    caught
}

#[tokio::test]
async fn every_check_fails_on_a_broken_fake_and_every_broken_fake_is_caught() {
    let caught = caught().await;
    for check in CHECKS {
        let fakes = caught
            .iter()
            .filter(|(_, failed)| failed.contains(&check.name()));
        assert!(fakes.count() > 0, "no fake fails {}", check.name());
    }
    for (defect, failed) in &caught {
        assert!(!failed.is_empty(), "no check catches {defect:?}");
    }
}

/// A harness that cannot produce some faults.
struct Lacking(Vec<(FaultKind, &'static str)>);

#[async_trait]
impl SinkHarness for Lacking {
    async fn start(&self) -> Box<dyn SinkWorld> {
        FakeHarness::sound().start().await
    }

    fn missing(&self) -> Vec<(FaultKind, &'static str)> {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_missing_fault_is_skipped_with_its_reason() {
    let harness = Lacking(vec![(FaultKind::Lock, "the vendor has no locks")]);
    let report = run_all(CHECKS, &harness).await;
    let why = "the harness cannot produce Lock: the vendor has no locks";
    assert_eq!(report.skipped(), [("locked_record_is_tried_again", why)]);
    assert!(report.failed().is_empty(), "{report}");
}

#[tokio::test]
async fn a_fault_that_a_capability_needs_may_not_be_missing() {
    for kind in [
        FaultKind::LoseResponse,
        FaultKind::Refuse,
        FaultKind::Duplicate,
    ] {
        let report = run_all(CHECKS, &Lacking(vec![(kind, "too much work")])).await;
        assert!(
            !report.failed().is_empty(),
            "{kind:?} may be missing:\n{report}"
        );
        assert!(
            report.skipped().is_empty(),
            "{kind:?} is skipped:\n{report}"
        );
    }
}
