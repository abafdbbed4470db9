//! The fake source.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::source::{
    ChangesRequest, Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken,
    SourceCapabilities, SourceFault, Stub,
};
use nextedge_core::{CallContext, Error, ErrorKind, ProviderId, Reach, Result, Retry, Timestamp};

use super::super::harness::{RawMail, SourceTrouble};
use super::Defect;
use super::world::{Server, State};
use crate::account::Account;

/// Reads the fake mailboxes.
#[derive(Debug)]
pub(super) struct FakeSource {
    pub(super) server: Arc<Server>,
    pub(super) defect: Option<Defect>,
    pub(super) feed: bool,
    /// Where the last listing stands; only a broken source relies on it.
    pub(super) listing: Mutex<Option<usize>>,
}

impl FakeSource {
    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn account(&self, cx: &CallContext) -> Account {
        let tenant = match self.has(Defect::SharesBoxes) {
            true => Account::First.tenant(),
            false => cx.tenant().as_str(),
        };
        Account::of(tenant, cx.connection().id.as_str()).unwrap_or_default()
    }

    /// Passes a call on to the server, which may refuse or hold it.
    async fn call(&self, cx: &CallContext) -> Result<()> {
        match self.server.trouble() {
            Some(SourceTrouble::BadAccount) => Err(Error::new(
                ErrorKind::Unauthorized,
                "the account is refused",
            )
            .with_reach(Reach::Connection)),
            Some(SourceTrouble::Throttle { .. }) if self.has(Defect::ThrottleUntyped) => {
                Err(Error::new(ErrorKind::Unavailable, "the vendor failed"))
            }
            Some(SourceTrouble::Throttle { after }) => {
                Err(Error::new(ErrorKind::RateLimited, "fewer calls wanted")
                    .with_retry(Retry::After(after))
                    .with_reach(Reach::Connection))
            }
            Some(SourceTrouble::Stall) => self.held(cx).await,
            _ => Ok(()),
        }
    }

    async fn held(&self, cx: &CallContext) -> Result<()> {
        let lifted = self.server.lifted.notified();
        self.server.state().stalled = true;
        if self.has(Defect::IgnoresDeadline) {
            lifted.await;
            return Ok(());
        }
        tokio::select! {
            () = lifted => Ok(()),
            () = cx.clock().sleep(cx.remaining()) => Err(Error::new(ErrorKind::Timeout, "no answer came")),
        }
    }

    fn page(&self, cx: &CallContext, from: usize, limit: usize, since: Option<Timestamp>) -> Page {
        let mut state = self.server.state();
        let broken = state.trouble == Some(SourceTrouble::BrokenItem);
        let mailbox = state.boxes.entry(self.account(cx)).or_default();
        let mut page = Page::default();
        let limit = limit + usize::from(self.has(Defect::ExceedsLimit));
        let skip = usize::from(self.has(Defect::SkipsBetweenPages) && from > 0);
        let mut at = from.saturating_add(skip);
        while at < mailbox.mails.len() && page.stubs.len() < limit {
            if let Some((id, mail)) = &mailbox.mails[at] {
                let old = since.is_some_and(|since| mail.received_at < since);
                if !old || self.has(Defect::IgnoresSince) {
                    page.stubs
                        .extend(self.stub(*id, mailbox.mails.len() - at, mail));
                }
            }
            at += 1;
        }
        if at < mailbox.mails.len() {
            page.next = Some(PageToken(at.to_string()));
        }
        if broken && !self.has(Defect::HidesFaults) {
            page.faults.push(SourceFault {
                item: "a damaged item".to_owned(),
                fault: "it cannot be read and was left out".to_owned(),
            });
        }
        page
    }

    fn stub(&self, id: u64, place: usize, mail: &RawMail) -> Option<Stub> {
        let id = match self.has(Defect::NumbersByPlace) {
            true => place as u64 + 1000,
            false => id,
        };
        let wrong = u64::from(self.has(Defect::TellsWrongSize));
        let mut stub = Stub::new(ProviderId::new(id.to_string()).ok()?);
        stub.bytes = Some(mail.raw.len() as u64 + wrong);
        stub.received_at = Some(mail.received_at);
        Some(stub)
    }

    fn fetch_one(&self, state: &State, account: Account, item: &FetchItem) -> Result<Fetched> {
        let failing = matches!(&state.trouble, Some(SourceTrouble::FailFetch { id }) if *id == item.provider_id);
        if failing {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "this mail cannot be read now",
            ));
        }
        let places = state
            .boxes
            .get(&account)
            .into_iter()
            .flat_map(|mailbox| &mailbox.mails);
        let wanted = item.provider_id.as_str();
        let found = places.flatten().find(|(id, _)| id.to_string() == wanted);
        match found {
            Some((_, mail)) => Ok(Fetched::raw(self.bytes(&mail.raw))),
            None if self.has(Defect::GoneIsError) => {
                Err(Error::new(ErrorKind::NotFound, "no such mail"))
            }
            None => Ok(Fetched::Gone),
        }
    }

    fn bytes(&self, raw: &Bytes) -> Bytes {
        if !self.has(Defect::MendsLineEnds) {
            return raw.clone();
        }
        let mut mended = Vec::with_capacity(raw.len());
        for (at, byte) in raw.iter().enumerate() {
            if *byte == b'\n' && (at == 0 || raw[at - 1] != b'\r') {
                mended.push(b'\r');
            }
            mended.push(*byte);
        }
        Bytes::from(mended)
    }
}

#[async_trait]
impl MailSource for FakeSource {
    fn name(&self) -> &str {
        "fake"
    }

    fn capabilities(&self) -> SourceCapabilities {
        match self.feed {
            true => SourceCapabilities::default().with_changes(),
            false => SourceCapabilities::default(),
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        match self.has(Defect::CheckSaysYes) {
            true => Ok(()),
            false => self.call(cx).await,
        }
    }

    async fn baseline(&self, cx: &CallContext) -> Result<Cursor> {
        self.call(cx).await?;
        let mut state = self.server.state();
        let mailbox = state.boxes.entry(self.account(cx)).or_default();
        let late = usize::from(self.has(Defect::LateBaseline));
        Ok(Cursor((mailbox.mails.len() + late).to_string()))
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        match self.call(cx).await {
            Err(error) if error.kind() == ErrorKind::Unauthorized => {
                return match self.has(Defect::EmptyOnBadAccount) {
                    true => Ok(Page::default()),
                    false => Err(error),
                };
            }
            answer => answer?,
        }
        let page = request.page.as_ref();
        let mut from = page.map_or(Ok(0), |page| position(&page.0))?;
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has(Defect::ForgetsPages) && from > 0 {
            // a place that only the lost memory knew: nothing more is shown
            from = listing.unwrap_or(usize::MAX);
        }
        let page = self.page(cx, from, request.limit, request.since);
        let next = page.next.as_ref();
        *listing = next.map(|next| position(&next.0)).transpose()?;
        match page.stubs.is_empty() && self.has(Defect::FailsOnEmpty) {
            true => Err(Error::new(ErrorKind::NotFound, "no mail")),
            false => Ok(page),
        }
    }

    async fn changes(&self, cx: &CallContext, request: &ChangesRequest) -> Result<Page> {
        self.call(cx).await?;
        if !self.feed {
            return match self.has(Defect::EmptyWithoutFeed) {
                true => Ok(Page {
                    cursor: Some(request.since.clone()),
                    ..Page::default()
                }),
                false => Err(Error::new(ErrorKind::Unsupported, "no change feed")),
            };
        }
        let since = position(&request.since.0)?;
        let (end, oldest, shown) = {
            let mut state = self.server.state();
            let mailbox = state.boxes.entry(self.account(cx)).or_default();
            (mailbox.mails.len(), mailbox.oldest_cursor, mailbox.shown)
        };
        if since < oldest {
            return match self.has(Defect::EmptyOnExpired) {
                true => Ok(Page {
                    cursor: Some(Cursor(end.to_string())),
                    ..Page::default()
                }),
                false => Err(Error::new(
                    ErrorKind::CursorExpired,
                    "the cursor is too old",
                )),
            };
        }
        let mut from = request
            .page
            .as_ref()
            .map_or(Ok(since), |page| position(&page.0))?;
        if self.has(Defect::ShowsChangesOnce) {
            from = from.max(shown);
        }
        let mut page = self.page(cx, from, request.limit, None);
        if page.next.is_none() {
            let ahead = usize::from(self.has(Defect::CursorAhead));
            page.cursor = Some(Cursor((end + ahead).to_string()));
            let mut state = self.server.state();
            state.boxes.entry(self.account(cx)).or_default().shown = end;
        }
        Ok(page)
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        self.call(cx).await?;
        let state = self.server.state();
        let mut batch: Vec<&FetchItem> = batch.iter().collect();
        if self.has(Defect::SortsBatches) {
            batch.sort_by(|a, b| a.provider_id.cmp(&b.provider_id));
        }
        let account = self.account(cx);
        let answers = batch
            .iter()
            .map(|item| self.fetch_one(&state, account, item));
        let answers: Vec<Result<Fetched>> = answers.collect();
        if self.has(Defect::FailsWholeBatch) && answers.iter().any(Result::is_err) {
            return Err(Error::new(ErrorKind::Unavailable, "the batch failed"));
        }
        Ok(answers)
    }
}

fn position(text: &str) -> Result<usize> {
    let wrong = |_| Error::new(ErrorKind::Invalid, "this position is not of this source");
    text.parse().map_err(wrong)
}
