//! Mail that lies in files: mbox, Maildir, folders of `.eml`, one `.eml`, and gzip of mbox and `.eml`.
//!
//! Content decides what a file is; its name only says whether a file without mail in it deserves a
//! report. Provider ids are the hash of the raw bytes, so they are the same in every run and after
//! a file was moved; the second identical mail of a box ends in `.2`, the third in `.3`.
//!
//! In an mbox, lines of `>`s before `From ` lose one `>` (the mboxrd rule, which also reads mboxo
//! right but for texts that quoted the escape itself); nothing else is changed.

mod collect;
mod fetch;
mod gzip;
mod input;
mod lines;
mod listing;
mod locator;
mod maildir;
mod mbox;
mod walk;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::fetch::Readers;
use self::listing::Listing;
use crate::context::CallContext;
use crate::domain::{ConnectionId, TenantId};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{
    Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, SourceCapabilities,
};

/// Limits of a [`FileSource`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileOptions {
    /// Bytes of one mail that are handed on; of a larger mail its start, one byte more than this,
    /// so that the guard sees it is too large. Default 50 MiB.
    pub mail_bytes: usize,
    /// Header bytes looked at for dates and threads while listing. Default 256 KiB.
    pub header_bytes: usize,
    /// Files visited below one path. Default 2,000,000.
    pub files: usize,
    /// Folders inside each other. Default 32.
    pub depth: usize,
    /// How much larger than its gzip file a content may become, beyond the first 16 MiB. Default 200.
    pub gzip_ratio: u64,
    /// Largest content of one gzip file. Default 64 GiB.
    pub gzip_bytes: u64,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            mail_bytes: 50 << 20,
            header_bytes: 256 << 10,
            files: 2_000_000,
            depth: 32,
            gzip_ratio: 200,
            gzip_bytes: 64 << 30,
        }
    }
}

impl FileOptions {
    /// Sets how much of one mail is handed on. Default 50 MiB.
    #[must_use]
    pub fn with_mail_bytes(mut self, bytes: usize) -> Self {
        self.mail_bytes = bytes;
        self
    }

    /// Sets how many files are visited. Default 2,000,000.
    #[must_use]
    pub fn with_files(mut self, files: usize) -> Self {
        self.files = files;
        self
    }

    /// Sets how far gzip may expand. Default 200 times.
    #[must_use]
    pub fn with_gzip_ratio(mut self, ratio: u64) -> Self {
        self.gzip_ratio = ratio;
        self
    }
}

/// Reads mail from files; the setting `path` of a connection names a file or a folder.
///
/// The listing streams: memory does not grow with the files, but for 16 bytes a mail that tell
/// identical mails apart. A page goes on where the last one ended; after a restart the box is read
/// from its start and what was shown is skipped. Reading one mail inside a gzip file means reading
/// all before it, so open readers are kept and a batch in file order costs one pass.
///
/// What cannot be read (a broken mbox line, a truncated gzip, a locked file) is named in
/// [`Page::faults`] with file and byte; the rest goes on.
///
/// ```
/// use nextedge_core::mail::FileSource;
/// use nextedge_core::source::MailSource;
///
/// assert!(FileSource::default().capabilities().finite);
/// ```
#[derive(Clone, Default)]
pub struct FileSource {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    options: FileOptions,
    /// Listings in progress and where each stands.
    listings: Mutex<Vec<(ListingKey, String, Listing)>>,
    readers: Mutex<Readers>,
}

#[derive(Clone, PartialEq, Eq)]
struct ListingKey {
    tenant: TenantId,
    connection: ConnectionId,
    root: PathBuf,
}

impl FileSource {
    /// Starts a source with limits of its own.
    pub fn new(options: FileOptions) -> Self {
        let shared = Shared {
            options,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Runs file work off the async workers.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared))
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Unexpected, "reading files broke off").with_source(error)
            })
    }
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MailSource for FileSource {
    fn name(&self) -> &str {
        "file"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities::default().with_finite()
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        let root = root_of(cx)?;
        self.blocking(move |_| walk::check_root(&root)).await?
    }

    async fn baseline(&self, _cx: &CallContext) -> Result<Cursor> {
        Ok(Cursor("files".to_owned()))
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let key = ListingKey {
            tenant: cx.tenant().clone(),
            connection: cx.connection().id.clone(),
            root: root_of(cx)?,
        };
        let request = request.clone();
        self.blocking(move |shared| shared.list(key, &request))
            .await?
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        let root = root_of(cx)?;
        let batch = batch.to_vec();
        self.blocking(move |shared| shared.fetch(&root, &batch))
            .await
    }
}

impl Shared {
    fn list(&self, key: ListingKey, request: &ListRequest) -> Result<Page> {
        walk::check_root(&key.root)?;
        let token = request.page.as_ref().map(|page| page.0.clone());
        let known = token
            .as_ref()
            .and_then(|token| self.take_listing(&key, token));
        let mut listing = known.unwrap_or_else(|| Listing::start(&key.root, self.options));
        if let Some(token) = &token {
            listing.skip_to(token)?;
        }
        let page = listing.page(request.limit.max(1), request.since);
        if let Some(next) = &page.next {
            let mut listings = lock(&self.listings);
            listings.retain(|(held, _, _)| held != &key);
            if listings.len() >= MAX_OPEN {
                listings.remove(0);
            }
            listings.push((key, next.0.clone(), listing));
        }
        Ok(page)
    }

    fn take_listing(&self, key: &ListingKey, token: &str) -> Option<Listing> {
        let mut listings = lock(&self.listings);
        let at = listings
            .iter()
            .position(|(held, at, _)| held == key && at == token)?;
        Some(listings.remove(at).2)
    }
}

fn root_of(cx: &CallContext) -> Result<PathBuf> {
    let path = cx.connection().settings.get("path");
    let path = path.and_then(serde_json::Value::as_str).unwrap_or_default();
    if path.is_empty() {
        return Err(Error::new(ErrorKind::Config, "setting is missing")
            .with_operation("file.settings")
            .with_context("field", "path")
            .with_action("name an mbox, a Maildir, an .eml file or a folder"));
    }
    Ok(PathBuf::from(path))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listings and readers kept open between calls.
const MAX_OPEN: usize = 16;

#[cfg(test)]
mod tests;
