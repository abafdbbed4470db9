//! The sound fakes pass every check for sources, and every check fails on a broken one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nextedge_testkit::source::CHECKS;
use nextedge_testkit::source::fake::{Defect, FakeHarness};
use nextedge_testkit::{Stop, run_all};

mod sound {
    use super::FakeHarness;
    nextedge_testkit::source_conformance!(FakeHarness::sound());
}

#[tokio::test]
async fn the_sound_fakes_skip_only_what_they_do_not_declare() {
    let report = run_all(CHECKS, &FakeHarness::sound()).await;
    let why = "the source declares a change feed";
    assert_eq!(
        report.skipped(),
        [("undeclared_changes_are_unsupported", why)]
    );
    assert!(report.failed().is_empty(), "{report}");
    let report = run_all(CHECKS, &FakeHarness::sound_without_feed()).await;
    assert_eq!(report.skipped().len(), 3, "{report}");
    assert!(report.failed().is_empty(), "{report}");
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
