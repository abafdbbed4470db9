//! `--limit N`: the first mails of each box only.

use async_trait::async_trait;
use nextedge_core::mail::FileSource;
use nextedge_core::source::{
    Cursor, FetchItem, Fetched, ListRequest, MailSource, Page, PageToken, SourceCapabilities,
};
use nextedge_core::{CallContext, Result};

/// Files, of each box at most a number of mails.
#[derive(Debug)]
pub(crate) struct LimitedSource {
    pub(crate) files: FileSource,
    pub(crate) limit: Option<u64>,
}

#[async_trait]
impl MailSource for LimitedSource {
    fn name(&self) -> &str {
        self.files.name()
    }

    fn capabilities(&self) -> SourceCapabilities {
        self.files.capabilities()
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.files.check(cx).await
    }

    async fn baseline(&self, cx: &CallContext) -> Result<Cursor> {
        self.files.baseline(cx).await
    }

    /// The page token carries how many mails were listed before, in front of the files' own token.
    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let Some(limit) = self.limit else {
            return self.files.list(cx, request).await;
        };
        let token = request
            .page
            .as_ref()
            .and_then(|page| page.0.split_once('|'));
        let before: u64 = token.and_then(|(count, _)| count.parse().ok()).unwrap_or(0);
        let inner = ListRequest {
            page: token.map(|(_, inner)| PageToken(inner.to_owned())),
            ..request.clone()
        };
        let mut page = self.files.list(cx, &inner).await?;
        let room = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX);
        page.stubs.truncate(room);
        let listed = before + page.stubs.len() as u64;
        let next = page.next.take().filter(|_| listed < limit);
        page.next = next.map(|next| PageToken(format!("{listed}|{}", next.0)));
        Ok(page)
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        self.files.fetch(cx, batch).await
    }
}
