//! Where mail comes from: the [`MailSource`] trait and its words.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::context::CallContext;
use crate::domain::{Labels, ProviderId};
use crate::error::{Error, ErrorKind, Result};

/// Reads one kind of mailbox, for every tenant that has connected one.
///
/// The engine takes a `baseline`, lists the mailbox page by page, then follows `changes` from the
/// baseline. A page's stubs and the sync state are committed together, so a crash repeats a page
/// and never skips one. A source must not retry, sleep or cache tokens.
///
/// File sources in [`mail`](crate::mail) show a complete implementation.
#[async_trait]
pub trait MailSource: fmt::Debug + Send + Sync + 'static {
    /// Returns the constant name that connections refer to, such as `gmail`.
    fn name(&self) -> &str;

    /// What this source can do. Constant for the life of the value.
    fn capabilities(&self) -> SourceCapabilities;

    /// Validates the connection and its settings by one cheap call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the setting, [`ErrorKind::Unauthorized`], [`ErrorKind::Forbidden`].
    async fn check(&self, cx: &CallContext) -> Result<()>;

    /// Takes the cursor from which `changes` will later follow; called before a listing starts.
    async fn baseline(&self, cx: &CallContext) -> Result<Cursor>;

    /// Lists one page of what is in the mailbox now.
    ///
    /// Pages may overlap and shift while mail arrives: they are united, never treated as a
    /// partition. `page.faults` names what could not be read; the rest goes on.
    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page>;

    /// Lists one page of what changed since a cursor.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CursorExpired`] if the cursor is too old: the engine starts a reconcile.
    /// [`ErrorKind::Unsupported`] without the capability `changes`.
    async fn changes(&self, _cx: &CallContext, _request: &ChangesRequest) -> Result<Page> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this source has no change feed",
        ))
    }

    /// Reads raw messages; answers in input order, one for each.
    ///
    /// # Errors
    ///
    /// The outer error only if nothing could be asked; single messages fail in their own answer.
    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>>;
}

/// What a source can do; the default can do nothing but list and fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceCapabilities {
    /// It has a change feed; without one, the engine lists again at each round.
    pub changes: bool,
    /// Its listing ends and does not grow while it is read, as with files: the engine then lists
    /// to the end before it processes, so that threads come in order whatever the file's order.
    pub finite: bool,
}

impl SourceCapabilities {
    /// Declares a change feed.
    #[must_use]
    pub fn with_changes(mut self) -> Self {
        self.changes = true;
        self
    }

    /// Declares a finite listing.
    #[must_use]
    pub fn with_finite(mut self) -> Self {
        self.finite = true;
        self
    }
}

/// An opaque position in a source's change feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// An opaque position between two pages of one listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(pub String);

/// Asks for one page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sources
pub struct ListRequest {
    /// Where the last page ended; none for the first.
    pub page: Option<PageToken>,
    /// Most stubs wanted.
    pub limit: usize,
    /// Only mail received at or after this moment.
    pub since: Option<Timestamp>,
}

/// Asks for one page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sources
pub struct ChangesRequest {
    /// The committed cursor; the same for all pages of one listing.
    pub since: Cursor,
    /// Where the last page ended; none for the first.
    pub page: Option<PageToken>,
    /// Most stubs wanted.
    pub limit: usize,
}

/// One page of a listing or of changes.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sources, read by the engine
pub struct Page {
    /// The messages shown.
    pub stubs: Vec<Stub>,
    /// Where the next page starts; none on the last.
    pub next: Option<PageToken>,
    /// The cursor to follow from, given with the last page of a change feed.
    pub cursor: Option<Cursor>,
    /// What could not be read, such as one broken file; reported, never fatal.
    pub faults: Vec<SourceFault>,
}

/// One message as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // built by sources, read by stores
pub struct Stub {
    /// The source's id, stable over runs.
    pub provider_id: ProviderId,
    /// Which mails belong together, as far as the source can tell without reading them: they are
    /// processed in the order of reception. The source's own thread id holds in one mailbox; a
    /// [`shared_hint`] holds in all mailboxes of the tenant.
    pub thread_hint: Option<String>,
    /// When the source received it, if the listing tells.
    pub received_at: Option<Timestamp>,
    /// Size in bytes, if the listing tells.
    pub bytes: Option<u64>,
    /// Where to find it again, for the source alone, such as a file offset.
    pub locator: Option<String>,
    /// The source shows it as an unsent draft.
    pub draft: bool,
    /// The source's own labels or folders, if the listing tells.
    #[serde(default)]
    pub labels: Labels,
}

impl Stub {
    /// Starts a stub that tells only its id.
    pub fn new(provider_id: ProviderId) -> Self {
        Self {
            provider_id,
            thread_hint: None,
            received_at: None,
            bytes: None,
            locator: None,
            draft: false,
            labels: Labels::default(),
        }
    }
}

/// Makes the thread hint that means the same conversation in every mailbox of a tenant, from the
/// Message-ID that started it; for sources without thread ids of their own.
///
/// ```
/// use nextedge_core::source::{is_shared_hint, shared_hint};
///
/// assert_eq!(shared_hint("1@acme.example"), "<1@acme.example>");
/// assert!(is_shared_hint(&shared_hint("1@acme.example")) && !is_shared_hint("18c2a7"));
/// ```
pub fn shared_hint(message_id: &str) -> String {
    format!("<{message_id}>")
}

/// Tells whether a thread hint holds in all mailboxes of a tenant.
pub fn is_shared_hint(hint: &str) -> bool {
    hint.len() > 2 && hint.starts_with('<') && hint.ends_with('>')
}

/// Something a source could not read while it listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct SourceFault {
    /// Which item, such as `inbox.mbox, byte 10432`.
    pub item: String,
    /// What is wrong and what was done about it.
    pub fault: String,
}

/// Asks for the raw bytes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sources
pub struct FetchItem {
    /// The source's id.
    pub provider_id: ProviderId,
    /// The locator of its stub.
    pub locator: Option<String>,
}

/// The answer for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fetched {
    /// The raw RFC 5322 bytes, exactly as the source has them.
    Raw {
        /// The bytes.
        bytes: Bytes,
        /// When the source received it, if the listing did not tell.
        received_at: Option<Timestamp>,
        /// The source's thread id, if the listing did not tell.
        thread_hint: Option<String>,
        /// The source's own labels or folders, if the listing did not tell.
        labels: Labels,
    },
    /// It is no longer there.
    Gone,
}

impl Fetched {
    /// The raw bytes alone, where the listing told the rest.
    pub fn raw(bytes: Bytes) -> Self {
        Self::Raw {
            bytes,
            received_at: None,
            thread_hint: None,
            labels: Labels::default(),
        }
    }
}

/// Whether a mailbox receives mail from strangers, or holds files that somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // policies decide for each
pub enum Origin {
    /// Strangers can write to it.
    #[default]
    Live,
    /// A person handed the files over.
    File,
}
