//! The short run of the crash proofs: every named place once, and some seeds as they come.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use futures::StreamExt;
use nextedge_crash::{Harness, Moment, POINTS, Report};

fn harness() -> (Harness, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let harness = Harness {
        program: PathBuf::from(env!("CARGO_BIN_EXE_crash")),
        folder: folder.path().to_owned(),
    };
    (harness, folder)
}

/// A seed whose world reaches every named place: it has every kind of mail, and an account throttles.
const FULL: u64 = 29;

async fn killed_at(harness: &Harness, point: &str) -> Report {
    let kills = [Moment::Point(point.to_owned(), 1)];
    harness.run_with(FULL, &kills).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_named_place_loses_and_doubles_nothing() {
    let (harness, _folder) = harness();
    let runs = POINTS.iter().map(|point| killed_at(&harness, point));
    let mut reports = futures::stream::iter(runs)
        .buffered(4)
        .zip(futures::stream::iter(POINTS));
    while let Some((report, point)) = reports.next().await {
        assert_eq!(report.kills.len(), 1, "{point} was never reached");
        assert!(report.faults.is_empty(), "{point}: {report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_the_first_seeds_lose_and_double_nothing() {
    let (harness, _folder) = harness();
    let mut reports = futures::stream::iter((1..=12).map(|seed| harness.run(seed))).buffered(2);
    let mut kills = 0;
    while let Some(report) = reports.next().await {
        let report = report.unwrap();
        kills += report.kills.len();
        assert!(report.faults.is_empty(), "{report:#?}");
    }
    assert!(kills > 0, "no worker was killed");
}

#[tokio::test]
async fn a_worker_that_is_not_killed_needs_none_of_this() {
    let (harness, _folder) = harness();
    let report = harness.run_with(FULL, &[]).await.unwrap();
    assert!(report.faults.is_empty(), "{report:#?}");
    assert_eq!((report.kills.len(), report.interrupted), (0, 0));
}
