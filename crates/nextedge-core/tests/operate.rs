//! What an operator sees and does: sync runs, status, replay; on the in-memory store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use nextedge_core::engine::{Confirm, EngineOptions, ReplayRequest, Replayed, StatusStream};
use nextedge_core::store::{Ledger, MailboxStore, RunState};
use nextedge_core::*;

use support::rig::Rig;
use support::tenant;

#[tokio::test]
async fn a_run_that_broke_off_is_one_row_and_the_run_that_went_on_another() {
    let rig = Rig::with(&[2], EngineOptions::default()).await;
    rig.run_until(async |rig| rig.ended().await.len() == 3)
        .await;
    let mut runs = rig.ended().await;
    runs.reverse();
    let seen: Vec<_> = runs
        .iter()
        .map(|run| (run.state(), run.pages, run.listed, run.new, run.full))
        .collect();
    assert_eq!(
        seen,
        [
            (RunState::Failed, 1, 4, 4, true),
            // goes on behind the page that was committed, so it is no whole listing
            (RunState::Success, 2, 6, 6, false),
            (RunState::Success, 3, 10, 0, true),
        ]
    );
    let mailbox = MailboxId::new("me").unwrap();
    let row = rig
        .store
        .mailbox(&tenant(), &mailbox)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.sync.run.error, None, "the failure is over");
}

#[tokio::test]
async fn runs_are_kept_for_the_time_set_and_no_longer() {
    let keep = Duration::from_secs(2 * 60 * 60);
    let rig = Rig::with(&[], EngineOptions::default().with_keep_runs(keep)).await;
    let first = async |rig: &Rig| {
        rig.runs()
            .await
            .last()
            .map(|row| row.run.started_at.unwrap())
    };
    rig.run_until(async |rig| first(rig).await.is_some()).await;
    let start = first(&rig).await.unwrap();
    let hours = |hours: u64| later(start, Duration::from_secs(hours * 60 * 60));
    rig.run_until(async |rig| first(rig).await.unwrap() > start)
        .await;
    assert!(rig.clock.now() > hours(2), "not before its time");
    assert!(rig.clock.now() < hours(4), "one sweep an hour");
}

#[tokio::test]
async fn the_status_tells_how_far_each_mailbox_is_how_fast_and_how_fresh() {
    let rig = Rig::with(&[], EngineOptions::default()).await;
    let status = rig.engine.status(&tenant()).await.unwrap();
    let before = &status.mailboxes[0];
    assert_eq!((before.progress.percent, before.fresh_seconds), (100, None));
    assert_eq!(before.progress.remaining_seconds, Some(0));

    // mails are read on threads of their own, which the clock must not outrun by a minute
    let all = async |rig: &Rig| rig.engine.status(&tenant()).await.unwrap().counts.review == 10;
    rig.run_by(Duration::from_millis(5), all).await;
    let status = rig.engine.status(&tenant()).await.unwrap();
    let mailbox = &status.mailboxes[0];
    let progress = mailbox.progress;
    assert_eq!(
        (progress.total, progress.done, progress.pending),
        (10, 10, 0)
    );
    assert!(progress.rate > 0.0, "{progress:?}");
    for job in &mailbox.jobs {
        assert_eq!((job.progress.done, job.progress.pending), (10, 0));
        assert!(job.progress.rate > 0.0, "{job:?}");
    }
    let fresh = mailbox.fresh_seconds.unwrap();
    rig.clock.advance(Duration::from_secs(90));
    let later = rig.engine.status(&tenant()).await.unwrap();
    let mailbox = &later.mailboxes[0];
    assert_eq!(mailbox.fresh_seconds, Some(fresh + 90));
    assert_eq!(mailbox.progress.rate, 0.0, "nothing moved for a minute");
    assert_eq!(later.tenant, tenant());
}

#[tokio::test]
async fn the_status_estimates_the_rest_and_names_the_last_error() {
    let rig = Rig::with(&[2], EngineOptions::default()).await;
    rig.run_until(async |rig| !rig.ended().await.is_empty())
        .await;
    let status = rig.engine.status(&tenant()).await.unwrap();
    let mailbox = &status.mailboxes[0];
    assert_eq!(mailbox.failed_runs, 1);
    assert_eq!(mailbox.failing_since, mailbox.run.started_at);
    let error = mailbox.last_error.as_ref().unwrap();
    assert_eq!((error.at, error.message), (mailbox.run.ended_at, None));
    assert!(error.error.text.contains("the source is away"));
    if mailbox.progress.pending > 0 && mailbox.progress.rate == 0.0 {
        assert_eq!(
            mailbox.progress.remaining_seconds, None,
            "nothing pretended"
        );
    }
}

#[tokio::test]
async fn a_status_stream_looks_at_once_and_then_never_faster_than_its_bound() {
    let rig = Rig::with(&[], EngineOptions::default()).await;
    let mut stream = rig.engine.status_stream(&tenant(), Duration::ZERO);
    assert_eq!(stream.next().await.unwrap().at, rig.clock.now());
    let next = tokio::spawn(async move {
        let status = stream.next().await;
        (status.unwrap().at, stream)
    });
    let almost = StatusStream::MIN_EVERY - Duration::from_millis(1);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    rig.clock.advance(almost);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!next.is_finished());
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(next.await.unwrap().0, rig.clock.now());
}

#[tokio::test]
async fn a_replay_is_shown_first_and_done_when_its_number_is_confirmed() {
    let rig = Rig::with(&[], EngineOptions::default()).await;
    rig.broken.store(true, Ordering::Relaxed);
    let counts = async |rig: &Rig| rig.store.counts(&tenant(), None).await.unwrap();
    rig.run_until(async |rig| counts(rig).await.dead == 10)
        .await;

    let (t, all) = (tenant(), ReplayRequest::default());
    let shown = rig.engine.replay(&t, &all, None).await.unwrap();
    assert_eq!((shown.messages.len(), shown.done), (10, None));
    assert_eq!(counts(&rig).await.dead, 10, "a dry run changes nothing");
    let wrong = rig
        .engine
        .replay(&t, &all, Some(Confirm(9)))
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Conflict);
    assert_eq!(
        (wrong.context("confirmed"), wrong.context("found")),
        (Some("9"), Some("10"))
    );
    assert_eq!(counts(&rig).await.dead, 10);
    let parked = ReplayRequest::default().with_what(Replayed::Parked);
    assert!(
        rig.engine
            .replay(&t, &parked, None)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    let other = MailboxId::new("other").unwrap();
    let other = ReplayRequest::default().with_mailbox(other);
    assert!(
        rig.engine
            .replay(&t, &other, None)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    for limit in [0, ReplayRequest::MAX + 1] {
        let bad = ReplayRequest::default().with_limit(limit);
        let error = rig.engine.replay(&t, &bad, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    let three = ReplayRequest::default().with_limit(3);
    let done = rig
        .engine
        .replay(&t, &three, Some(Confirm(3)))
        .await
        .unwrap();
    assert_eq!((done.messages.len(), done.done), (3, Some(3)));
    let now = counts(&rig).await;
    assert_eq!((now.dead, now.pending), (7, 3));
    rig.engine.replay(&t, &all, Some(Confirm(7))).await.unwrap();
    rig.broken.store(false, Ordering::Relaxed);
    rig.run_until(async |rig| counts(rig).await.review == 10)
        .await;
}

const GUIDE: &str = include_str!("../../../docs/guide/operations.md");

/// The first cells of the guide's table rows below a heading.
fn table(heading: &str) -> Vec<&str> {
    let part = GUIDE.split(heading).nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

#[test]
fn the_guide_names_every_metric_and_no_other() {
    let source = include_str!("../src/engine/event.rs");
    let mut emitted: Vec<&str> = source
        .split('"')
        .filter(|text| text.starts_with("nextedge_"))
        .collect();
    emitted.sort_unstable();
    emitted.dedup();
    let mut told = table("## Metrics and log lines");
    told.sort_unstable();
    assert_eq!(told, emitted);
}

#[test]
fn the_guide_names_every_default_rule_with_its_threshold() {
    let rules = alert::AlertRules::default();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(table("## Alerts"), names);
    for rule in rules.iter() {
        let json = serde_json::to_value(rule).unwrap();
        let line = GUIDE
            .lines()
            .find(|line| line.starts_with(&format!("| `{}`", rule.name)));
        let line = line.unwrap();
        assert!(
            line.contains(&format!("| {} |", json["when"]).replace('"', "`")),
            "{line}"
        );
        for name in ["minutes", "more_than", "percent"] {
            if let Some(number) = json.get(name) {
                assert!(line.contains(&format!("`{name}` = {number}")), "{line}");
            }
        }
    }
}
