//! One check's mailboxes, its clock, and the mails that arrive.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use nextedge_core::source::{
    ChangesRequest, Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken,
    SourceCapabilities, SourceFault, Stub,
};
use nextedge_core::{
    CallContext, Clock, Connection, ConnectionId, ConnectionRole, ManualClock, Result as Answer,
    TenantId, Timestamp,
};

use super::harness::{RawMail, SourceFaultKind, SourceHarness, SourceWorld};
use crate::account::Account;
use crate::verdict::{Stop, ensure, own_input};

pub(super) struct Bench {
    pub(super) world: Box<dyn SourceWorld>,
    pub(super) source: Arc<dyn MailSource>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) capabilities: SourceCapabilities,
}

/// Everything that a listing or a change feed showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) stubs: Vec<Stub>,
    pub(super) faults: Vec<SourceFault>,
    pub(super) cursor: Option<Cursor>,
}

impl Shown {
    /// The ids, sorted, each once.
    pub(super) fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self
            .stubs
            .iter()
            .map(|stub| stub.provider_id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Bench {
    pub(super) async fn open(
        harness: &dyn SourceHarness,
        needs: &[SourceFaultKind],
    ) -> Result<Self, Stop> {
        let world = harness.start().await;
        let source = world.source();
        let capabilities = source.capabilities();
        for kind in needs {
            let missing = harness.missing();
            if let Some((_, why)) = missing.iter().find(|(missing, _)| missing == kind) {
                return Err(lacking(*kind, why, capabilities));
            }
        }
        Ok(Self {
            world,
            source,
            clock: Arc::new(ManualClock::default()),
            capabilities,
        })
    }

    pub(super) fn need_changes(&self) -> Result<(), Stop> {
        match self.capabilities.changes {
            true => Ok(()),
            false => Err(Stop::skipped("the source declares no change feed")),
        }
    }

    pub(super) fn restart(&mut self) {
        self.source = self.world.source();
    }

    pub(super) fn cx(&self, account: Account) -> Result<CallContext, Stop> {
        let id = ConnectionId::new(account.connection()).map_err(own_input)?;
        let connection = Connection::new(id, self.source.name(), ConnectionRole::Source)
            .with_settings(self.world.settings(account));
        let tenant = TenantId::new(account.tenant()).map_err(own_input)?;
        let clock: Arc<dyn Clock> = self.clock.clone();
        Ok(CallContext::with_clock(
            tenant,
            Arc::new(connection),
            BUDGET,
            clock,
        ))
    }

    pub(super) async fn put(&self, mails: &[RawMail]) {
        self.world.put(Account::First, mails).await;
    }

    pub(super) async fn within<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        let answer = tokio::time::timeout(self.world.patience(), work).await;
        answer.map_err(|_| {
            Stop::failed(format!(
                "{what} gave no answer: a source must not wait by itself, and must end with its deadline"
            ))
        })
    }

    pub(super) async fn baseline(&self) -> Result<Cursor, Stop> {
        let cx = self.cx(Account::First)?;
        let cursor = self.within("baseline", self.source.baseline(&cx)).await?;
        cursor.map_err(|error| Stop::failed(format!("baseline failed: {error}")))
    }

    pub(super) async fn list(&self, request: &ListRequest) -> Result<Answer<Page>, Stop> {
        self.list_of(Account::First, request).await
    }

    pub(super) async fn list_of(
        &self,
        account: Account,
        request: &ListRequest,
    ) -> Result<Answer<Page>, Stop> {
        let cx = self.cx(account)?;
        self.within("list", self.source.list(&cx, request)).await
    }

    /// Lists to the end in pages of `limit`, from a page token on.
    pub(super) async fn list_from(
        &self,
        page: Option<PageToken>,
        limit: usize,
    ) -> Result<Shown, Stop> {
        let mut request = ListRequest {
            page,
            limit,
            since: None,
        };
        let mut shown = Shown::default();
        for _ in 0..MAX_PAGES {
            let page = self.list(&request).await?;
            let page = page.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
            request.page = shown.take(page, limit)?;
            if request.page.is_none() {
                return Ok(shown);
            }
        }
        Err(Stop::failed(format!(
            "the listing did not end after {MAX_PAGES} pages"
        )))
    }

    pub(super) async fn list_all(&self, limit: usize) -> Result<Shown, Stop> {
        self.list_from(None, limit).await
    }

    pub(super) async fn changes(&self, request: &ChangesRequest) -> Result<Answer<Page>, Stop> {
        let cx = self.cx(Account::First)?;
        self.within("changes", self.source.changes(&cx, request))
            .await
    }

    /// Follows the change feed from a cursor to its end.
    pub(super) async fn changes_since(&self, since: &Cursor, limit: usize) -> Result<Shown, Stop> {
        let mut request = ChangesRequest {
            since: since.clone(),
            page: None,
            limit,
        };
        let mut shown = Shown::default();
        for _ in 0..MAX_PAGES {
            let page = self.changes(&request).await?;
            let page = page.map_err(|error| Stop::failed(format!("changes failed: {error}")))?;
            request.page = shown.take(page, limit)?;
            if request.page.is_none() {
                ensure!(
                    shown.cursor.is_some(),
                    "the last page of changes gave no cursor"
                );
                return Ok(shown);
            }
        }
        Err(Stop::failed(format!(
            "the changes did not end after {MAX_PAGES} pages"
        )))
    }

    /// Fetches in one batch; a whole error fails the check.
    pub(super) async fn fetch(&self, stubs: &[&Stub]) -> Result<Vec<Answer<Fetched>>, Stop> {
        self.fetch_of(Account::First, stubs).await
    }

    pub(super) async fn fetch_of(
        &self,
        account: Account,
        stubs: &[&Stub],
    ) -> Result<Vec<Answer<Fetched>>, Stop> {
        let cx = self.cx(account)?;
        let items = items(stubs);
        let answers = self.within("fetch", self.source.fetch(&cx, &items)).await?;
        let answers =
            answers.map_err(|error| Stop::failed(format!("fetch failed as a whole: {error}")))?;
        ensure!(
            answers.len() == stubs.len(),
            "{} mails were asked for, {} answered",
            stubs.len(),
            answers.len()
        );
        Ok(answers)
    }
}

impl Shown {
    fn take(&mut self, page: Page, limit: usize) -> Result<Option<PageToken>, Stop> {
        let count = page.stubs.len();
        ensure!(
            count <= limit,
            "a page shows {count} mails, the limit is {limit}"
        );
        ensure!(
            page.next.is_none() || page.cursor.is_none(),
            "a page that is not the last gives a cursor"
        );
        self.stubs.extend(page.stubs);
        self.faults.extend(page.faults);
        self.cursor = page.cursor;
        Ok(page.next)
    }
}

pub(super) fn items(stubs: &[&Stub]) -> Vec<FetchItem> {
    let item = |stub: &&Stub| FetchItem {
        provider_id: stub.provider_id.clone(),
        locator: stub.locator.clone(),
    };
    stubs.iter().map(item).collect()
}

/// The raw bytes of an answer.
pub(super) fn raw(answer: &Answer<Fetched>) -> Result<&Bytes, Stop> {
    match answer {
        Ok(Fetched::Raw { bytes, .. }) => Ok(bytes),
        Ok(_) => Err(Stop::failed("a mail that is there was answered as gone")),
        Err(error) => Err(Stop::failed(format!(
            "a mail that is there was not read: {error}"
        ))),
    }
}

/// The moment at which mail `n` arrives.
pub(super) fn arrival(n: usize) -> Timestamp {
    ManualClock::default().now() - TimeDelta::days(1) + TimeDelta::minutes(n as i64)
}

/// Mail `n`.
pub(super) fn mail(n: usize) -> RawMail {
    with_body(n, format!("This is the body of mail {n}.\r\n").as_bytes())
}

pub(super) fn with_body(n: usize, body: &[u8]) -> RawMail {
    let date = arrival(n).to_rfc2822();
    let mut raw = format!(
        "Received: from mx.kit.example by mail.kit.example; {date}\r\n\
         From: Ada Kit <ada{n}@firm{n}.example>\r\nTo: help@kit.example\r\nSubject: Mail {n}\r\n\
         Date: {date}\r\nMessage-ID: <m{n}@firm{n}.example>\r\n\r\n"
    )
    .into_bytes();
    raw.extend_from_slice(body);
    RawMail {
        raw: Bytes::from(raw),
        received_at: arrival(n),
    }
}

pub(super) fn mails(numbers: std::ops::Range<usize>) -> Vec<RawMail> {
    numbers.map(mail).collect()
}

fn lacking(kind: SourceFaultKind, why: &str, capabilities: SourceCapabilities) -> Stop {
    let needed_by = match kind {
        SourceFaultKind::BadAccount => Some("every source"),
        SourceFaultKind::ExpireCursors if capabilities.changes => Some("the capability changes"),
        _ => None,
    };
    match needed_by {
        Some(by) => Stop::failed(format!(
            "the harness cannot produce {kind:?} ({why}), which is needed by {by}"
        )),
        None => Stop::skipped(format!("the harness cannot produce {kind:?}: {why}")),
    }
}

/// Time for one call of the engine.
const BUDGET: Duration = Duration::from_secs(60);
/// Pages after which a listing of some dozens of mails is called endless.
const MAX_PAGES: usize = 200;
