//! A mailbox that makes its mails when they are fetched and keeps none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::source::{
    ChangesRequest, Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken,
    SourceCapabilities, Stub,
};
use nextedge_core::{CallContext, Error, ErrorKind, ProviderId, Result};

use nextedge_benches::clock::thread_cpu;
use nextedge_benches::mix::Draft;

/// The name that connections refer to.
pub(crate) const VENDOR: &str = "mix";

/// Shows the first mails of the mix as a mailbox that strangers write to.
#[derive(Debug)]
pub(crate) struct MixSource {
    shown: Arc<AtomicU64>,
    live: bool,
    size: usize,
    spent: Arc<AtomicU64>,
}

impl MixSource {
    /// Holds so many mails from the start and gets no more.
    pub(crate) fn new(mails: u64, size: usize) -> Self {
        Self {
            shown: Arc::new(AtomicU64::new(mails)),
            live: false,
            size,
            spent: Arc::default(),
        }
    }

    /// Starts empty; its change feed shows what arrives by [`Arrivals`].
    pub(crate) fn live(size: usize) -> Self {
        Self {
            live: true,
            ..Self::new(0, size)
        }
    }

    /// Lets mails arrive in a live mailbox.
    pub(crate) fn arrivals(&self) -> Arrivals {
        Arrivals(Arc::clone(&self.shown))
    }

    /// Counts the CPU time that making mails took; it is part of every figure.
    pub(crate) fn spent(&self) -> Spent {
        Spent(Arc::clone(&self.spent))
    }
}

/// Puts the next mails of the mix into a live mailbox, in their order.
#[derive(Debug)]
pub(crate) struct Arrivals(Arc<AtomicU64>);

impl Arrivals {
    /// Lets one mail arrive.
    pub(crate) fn next(&self) {
        self.0.fetch_add(1, Ordering::Release);
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

impl MixSource {
    fn page(&self, from: u64, limit: usize) -> Result<Page> {
        let shown = self.shown.load(Ordering::Acquire);
        let to = (from + limit as u64).min(shown);
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
            next: (to < shown).then(|| PageToken(to.to_string())),
            cursor: (to >= shown).then(|| Cursor(to.to_string())),
            ..Page::default()
        })
    }
}

#[async_trait]
impl MailSource for MixSource {
    fn name(&self) -> &str {
        VENDOR
    }

    fn capabilities(&self) -> SourceCapabilities {
        match self.live {
            true => SourceCapabilities::default().with_changes(),
            false => SourceCapabilities::default(),
        }
    }

    async fn check(&self, _cx: &CallContext) -> Result<()> {
        Ok(())
    }

    async fn baseline(&self, _cx: &CallContext) -> Result<Cursor> {
        Ok(Cursor(self.shown.load(Ordering::Acquire).to_string()))
    }

    async fn list(&self, _cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let from = request
            .page
            .as_ref()
            .map_or(Ok(0), |page| number(&page.0))?;
        Ok(Page {
            cursor: None,
            ..self.page(from, request.limit)?
        })
    }

    async fn changes(&self, _cx: &CallContext, request: &ChangesRequest) -> Result<Page> {
        let from = request
            .page
            .as_ref()
            .map_or(&request.since.0, |page| &page.0);
        self.page(number(from)?, request.limit)
    }

    async fn fetch(&self, _cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        let before = thread_cpu();
        let make = |item: &FetchItem| {
            let number = number(item.provider_id.as_str())?;
            Ok(Fetched::raw(Draft::of(number).raw(self.size)))
        };
        let answers = batch.iter().map(make).collect();
        let nanos = u64::try_from((thread_cpu() - before).as_nanos()).unwrap_or_default();
        self.spent.fetch_add(nanos, Ordering::Relaxed);
        Ok(answers)
    }
}

fn number(text: &str) -> Result<u64> {
    text.parse()
        .map_err(|_| Error::new(ErrorKind::Invalid, "this id is not of the mix"))
}
