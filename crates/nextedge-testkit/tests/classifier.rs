//! The sound fake passes every check for classifiers, and every check fails on a broken one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nextedge_testkit::classifier::CHECKS;
use nextedge_testkit::classifier::fake::{Defect, FakeHarness};
use nextedge_testkit::{Stop, run_all};

mod sound {
    use super::FakeHarness;
    nextedge_testkit::classifier_conformance!(FakeHarness::sound());
}

#[tokio::test]
async fn the_sound_fake_skips_nothing() {
    let report = run_all(CHECKS, &FakeHarness::sound()).await;
    assert!(
        report.skipped().is_empty() && report.failed().is_empty(),
        "{report}"
    );
}

#[tokio::test]
async fn every_check_fails_on_a_broken_fake_and_every_broken_fake_is_caught() {
    let mut caught = Vec::new();
    for defect in Defect::ALL {
        for check in CHECKS {
            let verdict = check.run(&FakeHarness::broken(*defect)).await;
            if matches!(verdict, Err(Stop::Failed(_))) {
                caught.push((*defect, check.name()));
            }
        }
    }
    for check in CHECKS {
        let fails = caught.iter().any(|(_, name)| *name == check.name());
        assert!(fails, "no fake fails {}", check.name());
    }
    for defect in Defect::ALL {
        let found = caught.iter().any(|(found, _)| found == defect);
        assert!(found, "no check catches {defect:?}");
    }
}
