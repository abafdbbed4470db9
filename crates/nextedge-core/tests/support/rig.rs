//! An engine over a source that fails as told, on a clock that is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::engine::{Engine, EngineBuilder, EngineOptions};
use nextedge_core::memory::MemoryStore;
use nextedge_core::source::*;
use nextedge_core::store::{Mailbox, MailboxStore, RunQuery, RunRow, SyncRun};
use nextedge_core::*;

use super::{ListSource, WordClassifier, mail, tenant};

/// Ten mails in pages of four; some calls fail.
#[derive(Clone, Debug)]
pub struct Faulty {
    pub mails: ListSource,
    pub calls: Arc<AtomicU32>,
    pub fails: &'static [u32],
    /// Whether mails are refused.
    pub broken: Arc<AtomicBool>,
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
        if self.broken.load(Ordering::Relaxed) {
            let refused = |_| Err(Error::new(ErrorKind::Rejected, "the mail is refused"));
            return Ok(batch.iter().map(refused).collect());
        }
        self.mails.fetch(cx, batch).await
    }
}

pub struct Rig {
    pub clock: Arc<ManualClock>,
    pub store: Arc<MemoryStore>,
    pub engine: Engine,
    pub broken: Arc<AtomicBool>,
}

impl Rig {
    pub async fn with(fails: &'static [u32], options: EngineOptions) -> Self {
        Self::build(fails, options, |builder| builder).await
    }

    pub async fn build(
        fails: &'static [u32],
        options: EngineOptions,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Self {
        let broken = Arc::<AtomicBool>::default();
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
            broken: broken.clone(),
        };
        let builder = Engine::builder()
            .shared_store(store.clone())
            .source(source)
            .classifier(WordClassifier)
            .clock(clock.clone())
            .options(options);
        let engine = more(builder).build().unwrap();
        let id = ConnectionId::new("in").unwrap();
        let connection = Connection::new(id.clone(), "list", ConnectionRole::Source);
        engine.connect_source(&tenant(), connection).await.unwrap();
        let mailbox = Mailbox::new(MailboxId::new("me").unwrap(), id);
        engine.add_mailbox(&tenant(), mailbox).await.unwrap();
        Self {
            clock,
            store,
            engine,
            broken,
        }
    }

    /// Lets the engine work until `until` holds, moving the clock by 5 s at a time.
    pub async fn run_until(&self, until: impl AsyncFnMut(&Self) -> bool) {
        self.run_by(Duration::from_secs(5), until).await;
    }

    pub async fn run_by(&self, step: Duration, mut until: impl AsyncFnMut(&Self) -> bool) {
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

    pub async fn runs(&self) -> Vec<RunRow> {
        let query = RunQuery {
            limit: 1000,
            ..RunQuery::default()
        };
        self.store.runs(&tenant(), &query).await.unwrap()
    }

    pub async fn ended(&self) -> Vec<SyncRun> {
        let rows = self.runs().await.into_iter();
        rows.map(|row| row.run)
            .filter(|run| run.ended_at.is_some())
            .collect()
    }
}
