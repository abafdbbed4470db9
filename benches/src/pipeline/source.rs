//! A mailbox that makes its mails when they are fetched and keeps none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nextedge_core::source::{
    Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken, SourceCapabilities, Stub,
};
use nextedge_core::{CallContext, Error, ErrorKind, ProviderId, Result};

use nextedge_benches::mix::Draft;

/// The name that connections refer to.
pub(crate) const VENDOR: &str = "mix";

/// Lists the first mails of the mix as a mailbox that strangers write to.
#[derive(Debug)]
pub(crate) struct MixSource {
    mails: u64,
    size: usize,
    spent: Arc<AtomicU64>,
}

impl MixSource {
    pub(crate) fn new(mails: u64, size: usize) -> Self {
        Self {
            mails,
            size,
            spent: Arc::default(),
        }
    }

    /// Counts the time that making mails took; it is part of every figure.
    pub(crate) fn spent(&self) -> Spent {
        Spent(Arc::clone(&self.spent))
    }
}

/// Time spent on making mails so far.
#[derive(Debug)]
pub(crate) struct Spent(Arc<AtomicU64>);

impl Spent {
    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl MailSource for MixSource {
    fn name(&self) -> &str {
        VENDOR
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities::default()
    }

    async fn check(&self, _cx: &CallContext) -> Result<()> {
        Ok(())
    }

    async fn baseline(&self, _cx: &CallContext) -> Result<Cursor> {
        Ok(Cursor(self.mails.to_string()))
    }

    async fn list(&self, _cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let from = request
            .page
            .as_ref()
            .map_or(Ok(0), |page| number(&page.0))?;
        let to = (from + request.limit as u64).min(self.mails);
        let stub = |number| {
            let draft = Draft::of(number);
            Ok(Stub {
                thread_hint: Some(draft.thread()),
                received_at: Some(draft.received_at()),
                bytes: Some(self.size as u64),
                ..Stub::new(ProviderId::new(number.to_string())?)
            })
        };
        Ok(Page {
            stubs: (from..to).map(stub).collect::<Result<_>>()?,
            next: (to < self.mails).then(|| PageToken(to.to_string())),
            ..Page::default()
        })
    }

    async fn fetch(&self, _cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        let started = Instant::now();
        let make = |item: &FetchItem| {
            let number = number(item.provider_id.as_str())?;
            Ok(Fetched::raw(Draft::of(number).raw(self.size)))
        };
        let answers = batch.iter().map(make).collect();
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or_default();
        self.spent.fetch_add(nanos, Ordering::Relaxed);
        Ok(answers)
    }
}

fn number(text: &str) -> Result<u64> {
    text.parse()
        .map_err(|_| Error::new(ErrorKind::Invalid, "this id is not of the mix"))
}
