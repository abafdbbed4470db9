//! A mail source in memory, for tests and demos.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Timestamp;
use crate::context::CallContext;
use crate::domain::ProviderId;
use crate::error::{Error, ErrorKind, Reach, Result};
use crate::source::{
    ChangesRequest, Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken,
    SourceCapabilities, Stub,
};

/// One mail of a [`MemorySource`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryMail {
    /// What a listing shows.
    pub stub: Stub,
    /// The raw bytes.
    pub raw: Bytes,
}

impl MemoryMail {
    /// Starts a mail with its id and raw bytes.
    pub fn new(provider_id: ProviderId, raw: impl Into<Bytes>) -> Self {
        let raw = raw.into();
        let mut stub = Stub::new(provider_id);
        stub.bytes = Some(raw.len() as u64);
        Self { stub, raw }
    }

    /// Sets when the source received it.
    #[must_use]
    pub fn received_at(mut self, at: Timestamp) -> Self {
        self.stub.received_at = Some(at);
        self
    }

    /// Sets the source's thread id.
    #[must_use]
    pub fn in_thread(mut self, thread: impl Into<String>) -> Self {
        self.stub.thread_hint = Some(thread.into());
        self
    }

    /// Marks it as an unsent draft.
    #[must_use]
    pub fn draft(mut self) -> Self {
        self.stub.draft = true;
        self
    }
}

/// A mail source in memory, for tests and demos: mail can be pushed, removed, made unreadable, and
/// cursors can expire.
///
/// Several mailboxes live in one value: the setting `box` of a connection names its own, and a
/// connection without the setting reads the box with the empty name.
///
/// ```
/// use nextedge_core::ProviderId;
/// use nextedge_core::mail::{MemoryMail, MemorySource};
///
/// let source = MemorySource::default();
/// source.push("", MemoryMail::new(ProviderId::new("1")?, "Subject: hello\r\n\r\nworld"));
/// # Ok::<(), nextedge_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemorySource {
    boxes: Mutex<BTreeMap<String, Mailbox>>,
    finite: bool,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// In the order they were pushed; a removed mail leaves its place empty, so that positions hold.
    mails: Vec<Option<MemoryMail>>,
    /// Cursors below this position are too old.
    oldest_cursor: usize,
    faults: BTreeMap<ProviderId, (usize, ErrorKind)>,
    refused: Option<ErrorKind>,
}

impl MemorySource {
    /// Starts a source without change feed whose listing ends, as with files.
    pub fn finite() -> Self {
        Self {
            finite: true,
            ..Self::default()
        }
    }

    /// Adds a mail to a box; the change feed shows it.
    pub fn push(&self, mailbox: &str, mail: MemoryMail) {
        let mut boxes = self.lock();
        let mailbox = boxes.entry(mailbox.to_owned()).or_default();
        mailbox.mails.push(Some(mail));
    }

    /// Removes a mail: it is no longer listed, and fetching it finds it gone.
    pub fn remove(&self, mailbox: &str, provider_id: &ProviderId) {
        if let Some(mailbox) = self.lock().get_mut(mailbox) {
            let mut places = mailbox.mails.iter_mut();
            let place = places.find(|place| {
                let stub = place.as_ref().map(|mail| &mail.stub);
                stub.is_some_and(|stub| &stub.provider_id == provider_id)
            });
            if let Some(place) = place {
                *place = None;
            }
        }
    }

    /// Makes every cursor given so far too old.
    pub fn expire_cursors(&self, mailbox: &str) {
        let mut boxes = self.lock();
        let mailbox = boxes.entry(mailbox.to_owned()).or_default();
        mailbox.mails.push(None);
        mailbox.oldest_cursor = mailbox.mails.len();
    }

    /// Lets the next fetches of one mail fail this many times.
    pub fn fail_fetches(&self, mailbox: &str, id: ProviderId, times: usize, kind: ErrorKind) {
        let mut boxes = self.lock();
        let mailbox = boxes.entry(mailbox.to_owned()).or_default();
        mailbox.faults.insert(id, (times, kind));
    }

    /// Lets every call on a box fail with this kind, as when its account is refused; none lifts it.
    pub fn fail_calls(&self, mailbox: &str, kind: Option<ErrorKind>) {
        let mut boxes = self.lock();
        boxes.entry(mailbox.to_owned()).or_default().refused = kind;
    }

    /// Tells whether calls on the box of a context fail.
    fn admit(&self, cx: &CallContext) -> Result<()> {
        let boxes = self.lock();
        let refused = boxes.get(&box_of(cx)).and_then(|mailbox| mailbox.refused);
        match refused {
            None => Ok(()),
            Some(kind) => Err(Error::new(kind, "calls on this box were told to fail")
                .with_reach(Reach::Connection)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Mailbox>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self, cx: &CallContext, from: usize, limit: usize, since: Option<Timestamp>) -> Page {
        let mut boxes = self.lock();
        let mailbox = boxes.entry(box_of(cx)).or_default();
        let mut page = Page::default();
        let mut at = from;
        while at < mailbox.mails.len() && page.stubs.len() < limit.max(1) {
            if let Some(mail) = &mailbox.mails[at] {
                let old = since
                    .zip(mail.stub.received_at)
                    .is_some_and(|(since, at)| at < since);
                if !old {
                    page.stubs.push(mail.stub.clone());
                }
            }
            at += 1;
        }
        match at < mailbox.mails.len() {
            true => page.next = Some(PageToken(at.to_string())),
            false => page.cursor = Some(Cursor(at.to_string())),
        }
        page
    }
}

#[async_trait]
impl MailSource for MemorySource {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> SourceCapabilities {
        match self.finite {
            true => SourceCapabilities::default().with_finite(),
            false => SourceCapabilities::default().with_changes(),
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.admit(cx)
    }

    async fn baseline(&self, cx: &CallContext) -> Result<Cursor> {
        self.admit(cx)?;
        let boxes = self.lock();
        let end = boxes
            .get(&box_of(cx))
            .map_or(0, |mailbox| mailbox.mails.len());
        Ok(Cursor(end.to_string()))
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        self.admit(cx)?;
        let from = position(request.page.as_ref().map_or("0", |token| &token.0))?;
        let mut page = self.page(cx, from, request.limit, request.since);
        page.cursor = None;
        Ok(page)
    }

    async fn changes(&self, cx: &CallContext, request: &ChangesRequest) -> Result<Page> {
        if self.finite {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this source has no change feed",
            ));
        }
        self.admit(cx)?;
        let since = position(&request.since.0)?;
        let oldest = self
            .lock()
            .get(&box_of(cx))
            .map_or(0, |mailbox| mailbox.oldest_cursor);
        if since < oldest {
            return Err(Error::new(
                ErrorKind::CursorExpired,
                "the cursor is too old",
            ));
        }
        let from = request
            .page
            .as_ref()
            .map_or(Ok(since), |token| position(&token.0))?;
        Ok(self.page(cx, from, request.limit, None))
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        self.admit(cx)?;
        let mut boxes = self.lock();
        let mailbox = boxes.entry(box_of(cx)).or_default();
        Ok(batch.iter().map(|item| fetch_one(mailbox, item)).collect())
    }
}

fn fetch_one(mailbox: &mut Mailbox, item: &FetchItem) -> Result<Fetched> {
    if let Some((times, kind)) = mailbox.faults.get_mut(&item.provider_id)
        && *times > 0
    {
        *times -= 1;
        return Err(Error::new(*kind, "this fetch was told to fail"));
    }
    let mut mails = mailbox.mails.iter().flatten();
    let found = mails.find(|mail| mail.stub.provider_id == item.provider_id);
    Ok(found.map_or(Fetched::Gone, |mail| Fetched::Raw {
        bytes: mail.raw.clone(),
        received_at: mail.stub.received_at,
        thread_hint: mail.stub.thread_hint.clone(),
        labels: mail.stub.labels.clone(),
    }))
}

fn box_of(cx: &CallContext) -> String {
    let settings = &cx.connection().settings;
    let name = settings.get("box").and_then(serde_json::Value::as_str);
    name.unwrap_or_default().to_owned()
}

fn position(text: &str) -> Result<usize> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::Invalid,
            "this cursor or page is not of this source",
        )
    })
}
