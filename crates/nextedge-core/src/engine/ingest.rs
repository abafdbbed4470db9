//! `ingest`: one mailbox, page by page; each page's stubs and the sync state are one commit.

use super::deps::{Deps, panic_safe};
use super::event::EngineEvent;
use crate::clock::{Timestamp, later};
use crate::context::CallContext;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::reached;
use crate::source::{ChangesRequest, ListRequest, MailSource, Page, SourceCapabilities};
use crate::store::{MailboxClaim, NextPage, PageCommit, Phase, SyncRun, SyncState};

/// Reads a claimed mailbox until its listing or its changes come to an end.
///
/// The cursor becomes the new one only with the last page, in the transaction that records its
/// stubs, so a crash repeats pages and never skips one.
pub(crate) async fn ingest(deps: &Deps, claim: &MailboxClaim) -> Result<()> {
    reached("ingest.claimed");
    let mut sync = claim.mailbox.sync.clone();
    loop {
        let read = match read_page(deps, claim, &mut sync).await {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::CursorExpired => {
                sync = SyncState {
                    run: sync.run,
                    complete_at: sync.complete_at,
                    ..reconcile()
                };
                continue;
            }
            Err(error) => return fail_run(deps, claim, sync, error).await,
        };
        let ReadPage { page, capabilities } = read;
        reached("ingest.page_read");
        let last = page.next.is_none();
        let faults = page.faults.len() as u64;
        let now = deps.clock.now();
        sync = advance(sync, &page, now);
        let next = match (last, capabilities.finite) {
            (false, _) => NextPage::Keep,
            (true, true) => NextPage::Free { due: None },
            (true, false) => NextPage::Free {
                due: Some(later(now, deps.options.poll)),
            },
        };
        let commit = PageCommit {
            stubs: page.stubs,
            sync: sync.clone(),
            next,
        };
        let mailbox = &claim.mailbox.id;
        let done = deps
            .store
            .commit_page(&claim.tenant, mailbox, claim.lease, commit)
            .await?;
        reached("ingest.page_committed");
        sync.run.pages += 1;
        sync.run.listed += done.new + done.seen;
        sync.run.new += done.new;
        deps.events.emit(EngineEvent::PageCommitted {
            tenant: claim.tenant.clone(),
            mailbox: mailbox.clone(),
            new: done.new,
            seen: done.seen,
            faults,
            complete: last,
        });
        deps.wake();
        if last || deps.stopping() {
            return Ok(());
        }
    }
}

struct ReadPage {
    page: Page,
    capabilities: SourceCapabilities,
}

async fn read_page(deps: &Deps, claim: &MailboxClaim, sync: &mut SyncState) -> Result<ReadPage> {
    let connection = deps
        .connection(&claim.tenant, &claim.mailbox.connection)
        .await?;
    let source = deps.source(&connection.vendor)?;
    let capabilities = source.capabilities();
    let cx = deps.call_context(&claim.tenant, connection);
    if sync.page.is_none() || sync.run.ended_at.is_some() {
        sync.run = SyncRun {
            started_at: Some(deps.clock.now()),
            ..SyncRun::default()
        };
    }
    let page = panic_safe(
        source.name(),
        ask(&*source, &cx, deps, claim, capabilities, sync),
    )
    .await?;
    Ok(ReadPage { page, capabilities })
}

async fn ask(
    source: &dyn MailSource,
    cx: &CallContext,
    deps: &Deps,
    claim: &MailboxClaim,
    capabilities: SourceCapabilities,
    sync: &mut SyncState,
) -> Result<Page> {
    let limit = deps.options.page_size;
    if let (Phase::Live, true, Some(since)) = (sync.phase, capabilities.changes, &sync.cursor) {
        let request = ChangesRequest {
            since: since.clone(),
            page: sync.page.clone(),
            limit,
        };
        return source.changes(cx, &request).await;
    }
    if sync.candidate.is_none() {
        // taken before the listing: what arrives while it is read is seen by `changes` later
        sync.candidate = Some(source.baseline(cx).await?);
    }
    sync.run.full |= sync.page.is_none();
    let request = ListRequest {
        page: sync.page.clone(),
        limit,
        since: claim.mailbox.since,
    };
    source.list(cx, &request).await
}

/// Moves the sync state past a page; pure.
pub(crate) fn advance(mut sync: SyncState, page: &Page, now: Timestamp) -> SyncState {
    let run = &mut sync.run;
    run.fault_count += page.faults.len() as u64;
    let room = SyncRun::MAX_FAULTS.saturating_sub(run.faults.len());
    run.faults.extend(page.faults.iter().take(room).cloned());
    sync.page = page.next.clone();
    if page.next.is_some() {
        return sync;
    }
    if let Some(cursor) = page.cursor.clone().or_else(|| sync.candidate.take()) {
        sync.cursor = Some(cursor);
    }
    sync.candidate = None;
    sync.phase = Phase::Live;
    sync.complete_at = Some(now);
    sync.run.ended_at = Some(now);
    sync
}

fn reconcile() -> SyncState {
    SyncState {
        phase: Phase::Reconcile,
        ..SyncState::default()
    }
}

async fn fail_run(
    deps: &Deps,
    claim: &MailboxClaim,
    mut sync: SyncState,
    error: Error,
) -> Result<()> {
    let now = deps.clock.now();
    let report = error.report();
    sync.run.error = Some(report.clone());
    sync.run.ended_at = Some(now);
    let due = Some(later(now, deps.options.poll));
    let commit = PageCommit {
        stubs: Vec::new(),
        sync,
        next: NextPage::Free { due },
    };
    deps.store
        .commit_page(&claim.tenant, &claim.mailbox.id, claim.lease, commit)
        .await?;
    deps.events.emit(EngineEvent::SyncFailed {
        tenant: claim.tenant.clone(),
        mailbox: claim.mailbox.id.clone(),
        error: report,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::source::{Cursor, PageToken};

    fn state(candidate: &str) -> SyncState {
        SyncState {
            candidate: Some(Cursor(candidate.into())),
            ..SyncState::default()
        }
    }

    #[test]
    fn cursor_moves_only_with_the_last_page() {
        let page = Page {
            next: Some(PageToken("2".into())),
            ..Page::default()
        };
        let sync = advance(state("c1"), &page, Timestamp::default());
        assert_eq!(sync.cursor, None);
        assert_eq!(sync.phase, Phase::Backfill);
        let sync = advance(sync, &Page::default(), Timestamp::default());
        assert_eq!(sync.cursor, Some(Cursor("c1".into())));
        assert_eq!(
            (sync.candidate, sync.page, sync.phase),
            (None, None, Phase::Live)
        );
    }

    #[test]
    fn a_change_feeds_own_cursor_wins() {
        let page = Page {
            cursor: Some(Cursor("c9".into())),
            ..Page::default()
        };
        assert_eq!(
            advance(state("c1"), &page, Timestamp::default()).cursor,
            Some(Cursor("c9".into()))
        );
    }

    #[test]
    fn faults_are_capped_but_counted() {
        let fault = crate::source::SourceFault {
            item: "a".into(),
            fault: "b".into(),
        };
        let page = Page {
            faults: vec![fault; 250],
            ..Page::default()
        };
        let sync = advance(state("c"), &page, Timestamp::default());
        assert_eq!((sync.run.faults.len(), sync.run.fault_count), (100, 250));
    }
}
