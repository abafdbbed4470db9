//! What arrives while or after a mailbox is listed.

use std::collections::BTreeSet;

use nextedge_core::ErrorKind;
use nextedge_core::source::{ChangesRequest, ListRequest, Stub};

use super::super::bench::{Bench, mail, mails, raw};
use super::super::harness::{SourceFaultKind, SourceHarness, SourceTrouble};
use crate::verdict::{Stop, Verdict, ensure};

/// Mail that arrives while a mailbox is listed is seen by the changes since the baseline that was
/// taken before, or by the next listing where there is no change feed.
pub async fn mail_during_a_listing_is_seen(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..6)).await;
    let baseline = bench.baseline().await?;
    let request = ListRequest {
        limit: 4,
        ..ListRequest::default()
    };
    let first = bench.list(&request).await?;
    let first = first.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
    bench.put(&[mail(6)]).await;
    let mut ids: BTreeSet<String> = BTreeSet::new();
    ids.extend(first.stubs.iter().map(|stub| stub.provider_id.to_string()));
    let rest = bench.list_from(first.next, 4).await?;
    ids.extend(rest.ids().into_iter().map(str::to_owned));
    let later = match bench.capabilities.changes {
        true => bench.changes_since(&baseline, 4).await?,
        false => bench.list_all(4).await?,
    };
    ids.extend(later.ids().into_iter().map(str::to_owned));
    ensure!(
        ids.len() == 7,
        "7 mails, one of them new during the listing: {} were seen",
        ids.len()
    );
    Ok(())
}

/// The change feed shows everything that arrived after a cursor, and its last page alone gives the
/// cursor to follow from.
pub async fn changes_show_everything_since_the_cursor(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.need_changes()?;
    bench.put(&mails(0..3)).await;
    let mut cursor = bench.baseline().await?;
    for round in 1..4 {
        bench.put(&mails(round * 10..round * 10 + 5)).await;
        let shown = bench.changes_since(&cursor, 2).await?;
        let count = shown.ids().len();
        ensure!(
            count >= 5,
            "5 mails arrived since the cursor, the changes show {count}"
        );
        let stubs: Vec<&Stub> = shown.stubs.iter().collect();
        let mut subjects = BTreeSet::new();
        for answer in bench.fetch(&stubs).await? {
            subjects.insert(raw(&answer)?.clone());
        }
        let new = mails(round * 10..round * 10 + 5);
        ensure!(
            new.iter().all(|mail| subjects.contains(&mail.raw)),
            "the changes do not show every new mail"
        );
        cursor = shown.cursor.unwrap_or(cursor);
        bench.restart();
    }
    let shown = bench.changes_since(&cursor, 2).await?;
    ensure!(
        shown.stubs.is_empty(),
        "nothing arrived, the changes show {}",
        shown.stubs.len()
    );
    Ok(())
}

/// Following the same cursor again, as after a crash, shows the same mails.
pub async fn cursor_can_be_replayed(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.need_changes()?;
    let cursor = bench.baseline().await?;
    bench.put(&mails(0..5)).await;
    let first = bench.changes_since(&cursor, 3).await?;
    bench.restart();
    let second = bench.changes_since(&cursor, 3).await?;
    ensure!(
        first.ids() == second.ids() && first.ids().len() == 5,
        "one cursor showed {} mails, then {}",
        first.ids().len(),
        second.ids().len()
    );
    Ok(())
}

/// A cursor that is too old is the error `CursorExpired`, and a new baseline works.
pub async fn expired_cursor_is_typed(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.need_changes()?;
    let bench = Bench::open(harness, &[SourceFaultKind::ExpireCursors]).await?;
    bench.put(&mails(0..3)).await;
    let cursor = bench.baseline().await?;
    bench.world.inject(&SourceTrouble::ExpireCursors).await;
    let request = ChangesRequest {
        since: cursor,
        page: None,
        limit: 10,
    };
    match bench.changes(&request).await? {
        Ok(page) => {
            let count = page.stubs.len();
            return Err(Stop::failed(format!(
                "a cursor that is too old was answered with {count} mails"
            )));
        }
        Err(error) => ensure!(
            error.kind() == ErrorKind::CursorExpired,
            "a cursor that is too old became {error}"
        ),
    }
    let cursor = bench.baseline().await?;
    bench.put(&[mail(3)]).await;
    let shown = bench.changes_since(&cursor, 10).await?;
    ensure!(
        !shown.stubs.is_empty(),
        "a new baseline does not show what arrives after it"
    );
    Ok(())
}

/// Without the capability, `changes` is `Unsupported` and never an empty page.
pub async fn undeclared_changes_are_unsupported(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    if bench.capabilities.changes {
        return Err(Stop::skipped("the source declares a change feed"));
    }
    let request = ChangesRequest {
        since: bench.baseline().await?,
        page: None,
        limit: 10,
    };
    match bench.changes(&request).await? {
        Ok(_) => Err(Stop::failed(
            "a source without change feed answered changes",
        )),
        Err(error) => {
            ensure!(
                error.kind() == ErrorKind::Unsupported,
                "changes became {error}"
            );
            Ok(())
        }
    }
}
