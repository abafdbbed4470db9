//! Pages, ids, stubs.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use nextedge_core::ProviderId;
use nextedge_core::source::{ListRequest, Stub};

use super::super::bench::{Bench, arrival, mail, mails, raw};
use super::super::harness::{SourceFaultKind, SourceHarness, SourceTrouble};
use crate::verdict::{Stop, Verdict, ensure};

/// The pages of a listing, united, show every mail.
pub async fn pages_unite_to_the_whole(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..MANY)).await;
    let shown = bench.list_all(7).await?;
    let count = shown.ids().len();
    ensure!(
        count == MANY,
        "{MANY} mails are in the mailbox, the pages show {count}"
    );
    Ok(())
}

/// No page shows more than the limit, also for a limit of one.
pub async fn pages_keep_the_limit(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..5)).await;
    for limit in [1, 3] {
        let shown = bench.list_all(limit).await?;
        ensure!(
            shown.ids().len() == 5,
            "pages of {limit} show {} of 5 mails",
            shown.ids().len()
        );
    }
    Ok(())
}

/// An empty mailbox is an empty listing, and an empty batch an empty answer.
pub async fn empty_mailbox_is_no_error(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.baseline().await?;
    let shown = bench.list_all(10).await?;
    ensure!(
        shown.stubs.is_empty(),
        "an empty mailbox shows {} mails",
        shown.stubs.len()
    );
    bench.fetch(&[]).await?;
    Ok(())
}

/// A mail has the same id in every listing, also after a restart.
pub async fn ids_are_stable(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..6)).await;
    let before = ids_by_content(&bench).await?;
    bench.restart();
    bench.put(&[mail(6)]).await;
    let after = ids_by_content(&bench).await?;
    ensure!(after.len() == 7, "of 7 mails {} have ids", after.len());
    for (content, id) in &before {
        ensure!(
            after.get(content) == Some(id),
            "a mail has another id in the next listing"
        );
    }
    Ok(())
}

/// Which mail has which id.
async fn ids_by_content(bench: &Bench) -> Result<BTreeMap<Bytes, ProviderId>, Stop> {
    let shown = bench.list_all(100).await?;
    let stubs: Vec<&Stub> = shown.stubs.iter().collect();
    let mut ids = BTreeMap::new();
    for (stub, answer) in stubs.iter().zip(bench.fetch(&stubs).await?) {
        ids.insert(raw(&answer)?.clone(), stub.provider_id.clone());
    }
    Ok(ids)
}

/// A listing goes on from its page token in another process.
pub async fn page_token_survives_a_restart(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..9)).await;
    let whole = bench.list_all(100).await?;
    let request = ListRequest {
        limit: 4,
        ..ListRequest::default()
    };
    let first = bench.list(&request).await?;
    let first = first.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
    let next = first.next.clone();
    let next = next.ok_or_else(|| Stop::failed("9 mails in pages of 4 need a second page"))?;
    bench.restart();
    let rest = bench.list_from(Some(next), 4).await?;
    let ids = first
        .stubs
        .iter()
        .chain(&rest.stubs)
        .map(|stub| stub.provider_id.as_str());
    let ids: BTreeSet<&str> = ids.collect();
    let all: BTreeSet<&str> = whole.ids().into_iter().collect();
    ensure!(
        ids == all,
        "after a restart the pages show {} of {} mails",
        ids.len(),
        all.len()
    );
    Ok(())
}

/// What a stub tells is true: size and time of reception.
pub async fn stubs_tell_the_truth(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let sent = mails(0..3);
    bench.put(&sent).await;
    let shown = bench.list_all(100).await?;
    let stubs: Vec<&Stub> = shown.stubs.iter().collect();
    for (stub, answer) in stubs.iter().zip(bench.fetch(&stubs).await?) {
        let bytes = raw(&answer)?;
        let size = bytes.len() as u64;
        ensure!(
            stub.bytes.is_none_or(|told| told == size),
            "a stub tells {:?} bytes of {size}",
            stub.bytes
        );
        let own = sent.iter().find(|mail| mail.raw == *bytes);
        let arrived = own.map(|mail| mail.received_at);
        ensure!(
            stub.received_at.is_none() || stub.received_at == arrived,
            "a mail received at {arrived:?} is shown as received at {:?}",
            stub.received_at
        );
    }
    Ok(())
}

/// With `since`, mail received before is left out and mail received at or after it is shown.
pub async fn since_leaves_out_older_mail(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..6)).await;
    let request = ListRequest {
        page: None,
        limit: 100,
        since: Some(arrival(3)),
    };
    let page = bench.list(&request).await?;
    let page = page.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
    let count = page.stubs.len();
    ensure!(count == 3, "3 of 6 mails are not older, {count} are shown");
    Ok(())
}

/// What cannot be read while listing is reported with the page, and the rest is shown.
pub async fn broken_item_spares_the_listing(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::BrokenItem]).await?;
    bench.put(&mails(0..4)).await;
    bench.world.inject(&SourceTrouble::BrokenItem).await;
    let shown = bench.list_all(2).await?;
    let count = shown.ids().len();
    ensure!(
        count >= 4,
        "beside a broken item {count} of 4 mails are shown"
    );
    ensure!(
        !shown.faults.is_empty(),
        "what could not be read is not reported"
    );
    Ok(())
}

/// More mails than a page of the checks holds.
const MANY: usize = 25;
