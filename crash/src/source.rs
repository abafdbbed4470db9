//! A live mailbox in a folder, which writes down what it shows before it shows it.
//!
//! `index.json` lists the mails in the order of arrival, `arrived` tells how many are there yet, and
//! `shown` is the source's own journal: one line a page, with the ids of that page.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use nextedge_core::source::{
    ChangesRequest, Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken,
    SourceCapabilities, Stub,
};
use nextedge_core::{CallContext, Error, ErrorKind, ProviderId, Result, Timestamp};
use serde::{Deserialize, Serialize};

/// The name that connections refer to.
pub(crate) const VENDOR: &str = "folder";

/// One mail as the index lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) thread: String,
    pub(crate) at: i64,
}

/// Reads mailboxes in folders.
#[derive(Debug)]
pub(crate) struct FolderSource;

/// A mailbox as it is now.
struct Folder {
    path: PathBuf,
    newest_first: bool,
    index: Vec<Entry>,
    arrived: usize,
}

impl Folder {
    fn of(cx: &CallContext) -> Result<Self> {
        let settings = &cx.connection().settings;
        let path = PathBuf::from(settings["path"].as_str().unwrap_or_default());
        let index = fs::read(path.join("index.json")).map_err(broken)?;
        let arrived = fs::read_to_string(path.join("arrived")).map_err(broken)?;
        Ok(Self {
            newest_first: settings["newest_first"] == true,
            index: serde_json::from_slice(&index).map_err(broken)?,
            arrived: arrived.trim().parse().map_err(broken)?,
            path,
        })
    }

    /// Shows the mails at some places of the index, after they were written down.
    fn show(&self, places: impl Iterator<Item = usize>) -> Result<Vec<Stub>> {
        let entries: Vec<&Entry> = places.filter_map(|place| self.index.get(place)).collect();
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let line = format!("{}\n", ids.join(" "));
        let shown = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path.join("shown"));
        shown
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(broken)?;
        let stub = |entry: &Entry| {
            Ok(Stub {
                thread_hint: Some(entry.thread.clone()),
                received_at: Timestamp::from_timestamp(entry.at, 0),
                ..Stub::new(ProviderId::new(&entry.id)?)
            })
        };
        entries.into_iter().map(stub).collect()
    }
}

#[async_trait]
impl MailSource for FolderSource {
    fn name(&self) -> &str {
        VENDOR
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities::default().with_changes()
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        Folder::of(cx).map(|_| ())
    }

    async fn baseline(&self, cx: &CallContext) -> Result<Cursor> {
        Ok(Cursor(Folder::of(cx)?.arrived.to_string()))
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let folder = Folder::of(cx)?;
        let page = request.page.as_ref().map(|page| number(&page.0));
        if folder.newest_first {
            let to = page.transpose()?.unwrap_or(folder.arrived);
            let from = to.saturating_sub(request.limit);
            return Ok(Page {
                stubs: folder.show((from..to).rev())?,
                next: (from > 0).then(|| PageToken(from.to_string())),
                ..Page::default()
            });
        }
        let from = page.transpose()?.unwrap_or(0);
        let to = (from + request.limit).min(folder.arrived);
        Ok(Page {
            stubs: folder.show(from..to)?,
            next: (to < folder.arrived).then(|| PageToken(to.to_string())),
            ..Page::default()
        })
    }

    async fn changes(&self, cx: &CallContext, request: &ChangesRequest) -> Result<Page> {
        let folder = Folder::of(cx)?;
        let from = number(
            request
                .page
                .as_ref()
                .map_or(&request.since.0, |page| &page.0),
        )?;
        let to = (from + request.limit).min(folder.arrived);
        let last = to >= folder.arrived;
        Ok(Page {
            stubs: folder.show(from..to)?,
            next: (!last).then(|| PageToken(to.to_string())),
            cursor: last.then(|| Cursor(to.to_string())),
            ..Page::default()
        })
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        let folder = Folder::of(cx)?;
        let read = |item: &FetchItem| read_mail(&folder.path, item.provider_id.as_str());
        Ok(batch.iter().map(read).collect())
    }
}

fn read_mail(folder: &Path, id: &str) -> Result<Fetched> {
    let bytes = fs::read(folder.join(format!("{id}.eml"))).map_err(broken)?;
    Ok(Fetched::raw(bytes.into()))
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(broken)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unexpected, "the folder of a mailbox is broken").with_source(error)
}
