//! Boxes of a `MemorySource`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use nextedge_core::mail::{MemoryMail, MemorySource};
use nextedge_core::source::{
    ChangesRequest, Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, SourceCapabilities,
};
use nextedge_core::{CallContext, ErrorKind, ProviderId, Result};
use nextedge_testkit::source::{
    Account, RawMail, SourceFaultKind, SourceHarness, SourceTrouble, SourceWorld,
};
use serde_json::{Value, json};

pub(crate) struct Harness {
    pub(crate) finite: bool,
}

struct World {
    source: Arc<MemorySource>,
    next: AtomicUsize,
}

/// The source is its own far system, so all handles share it.
#[derive(Debug)]
struct Shared(Arc<MemorySource>);

#[async_trait]
impl MailSource for Shared {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> SourceCapabilities {
        self.0.capabilities()
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.0.check(cx).await
    }

    async fn baseline(&self, cx: &CallContext) -> Result<Cursor> {
        self.0.baseline(cx).await
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        self.0.list(cx, request).await
    }

    async fn changes(&self, cx: &CallContext, request: &ChangesRequest) -> Result<Page> {
        self.0.changes(cx, request).await
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        self.0.fetch(cx, batch).await
    }
}

#[async_trait]
impl SourceHarness for Harness {
    async fn start(&self) -> Box<dyn SourceWorld> {
        let source = match self.finite {
            true => MemorySource::finite(),
            false => MemorySource::default(),
        };
        Box::new(World {
            source: Arc::new(source),
            next: AtomicUsize::default(),
        })
    }

    fn missing(&self) -> Vec<(SourceFaultKind, &'static str)> {
        let why = "nothing lies between the source and its mails";
        vec![
            (SourceFaultKind::BrokenItem, why),
            (SourceFaultKind::Throttle, why),
            (SourceFaultKind::Stall, why),
        ]
    }
}

fn box_of(account: Account) -> String {
    format!("{account:?}")
}

#[async_trait]
impl SourceWorld for World {
    fn source(&self) -> Arc<dyn MailSource> {
        Arc::new(Shared(Arc::clone(&self.source)))
    }

    fn settings(&self, account: Account) -> Value {
        json!({ "box": box_of(account) })
    }

    async fn put(&self, account: Account, mails: &[RawMail]) {
        for mail in mails {
            let id = format!("id-{}", self.next.fetch_add(1, Ordering::Relaxed));
            let stored = MemoryMail::new(ProviderId::new(id).unwrap(), mail.raw.clone());
            self.source
                .push(&box_of(account), stored.received_at(mail.received_at));
        }
    }

    async fn remove(&self, account: Account, id: &ProviderId) {
        self.source.remove(&box_of(account), id);
    }

    async fn inject(&self, fault: &SourceTrouble) {
        let first = box_of(Account::First);
        match fault {
            SourceTrouble::ExpireCursors => self.source.expire_cursors(&first),
            SourceTrouble::BadAccount => {
                self.source
                    .fail_calls(&first, Some(ErrorKind::Unauthorized));
            }
            SourceTrouble::FailFetch { id } => {
                self.source
                    .fail_fetches(&first, id.clone(), 1, ErrorKind::Unavailable);
            }
            SourceTrouble::BrokenItem | SourceTrouble::Throttle { .. } | SourceTrouble::Stall => {
                unreachable!("declared missing")
            }
        }
    }

    async fn lift(&self) {
        self.source.fail_calls(&box_of(Account::First), None);
    }

    async fn stalled(&self) -> bool {
        false
    }
}
