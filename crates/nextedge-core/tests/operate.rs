//! What an operator sees and does: sync runs, status, alerts, replay; on the in-memory store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::engine::{Engine, EngineOptions, StatusStream};
use nextedge_core::memory::MemoryStore;
use nextedge_core::source::*;
use nextedge_core::store::{Mailbox, MailboxStore, RunQuery, RunRow, RunState, SyncRun};
use nextedge_core::*;

use support::{ListSource, WordClassifier, mail, tenant};

/// Ten mails in pages of four; some calls fail.
#[derive(Clone, Debug)]
struct Faulty {
    mails: ListSource,
    calls: Arc<AtomicU32>,
    fails: &'static [u32],
}

#[async_trait]
impl MailSource for Faulty {
    fn name(&self) -> &str {
        "list"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities::default()
    }

    async fn check(&self, _cx: &CallContext) -> Result<()> {
        Ok(())
    }

    async fn baseline(&self, cx: &CallContext) -> Result<Cursor> {
        self.mails.baseline(cx).await
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fails.contains(&call) {
            return Err(Error::new(ErrorKind::Unavailable, "the source is away"));
        }
        let limit = request.limit.min(4);
        let request = ListRequest {
            limit,
            ..request.clone()
        };
        self.mails.list(cx, &request).await
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        self.mails.fetch(cx, batch).await
    }
}

struct Rig {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    engine: Engine,
}

impl Rig {
    async fn with(fails: &'static [u32], options: EngineOptions) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let mails = ListSource::default();
        for n in 0..10 {
            let from = "Ann Lee <ann@acme.example>";
            mails.push("in", mail(&format!("m{n}@x"), n, from, "no word", &[]));
        }
        let source = Faulty {
            mails,
            calls: Arc::default(),
            fails,
        };
        let engine = Engine::builder()
            .shared_store(store.clone())
            .source(source)
            .classifier(WordClassifier)
            .clock(clock.clone())
            .options(options)
            .build()
            .unwrap();
        let id = ConnectionId::new("in").unwrap();
        let connection = Connection::new(id.clone(), "list", ConnectionRole::Source);
        engine.connect_source(&tenant(), connection).await.unwrap();
        let mailbox = Mailbox::new(MailboxId::new("me").unwrap(), id);
        engine.add_mailbox(&tenant(), mailbox).await.unwrap();
        Self {
            clock,
            store,
            engine,
        }
    }

    /// Lets the engine work until `until` holds, moving the clock by 5 s at a time.
    async fn run_until(&self, until: impl AsyncFnMut(&Self) -> bool) {
        self.run_by(Duration::from_secs(5), until).await;
    }

    async fn run_by(&self, step: Duration, mut until: impl AsyncFnMut(&Self) -> bool) {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let engine = self.engine.clone();
        let running = tokio::spawn(async move {
            engine.run(async { drop(stopped.await) }).await.unwrap();
        });
        for _ in 0..5000 {
            if until(self).await {
                drop(stop);
                // whoever waits for a moment sees the stop at once
                running.await.unwrap();
                return;
            }
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            self.clock.advance(step);
        }
        panic!("it never came so far");
    }

    async fn runs(&self) -> Vec<RunRow> {
        let query = RunQuery {
            limit: 1000,
            ..RunQuery::default()
        };
        self.store.runs(&tenant(), &query).await.unwrap()
    }

    async fn ended(&self) -> Vec<SyncRun> {
        let rows = self.runs().await.into_iter();
        rows.map(|row| row.run)
            .filter(|run| run.ended_at.is_some())
            .collect()
    }
}

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
