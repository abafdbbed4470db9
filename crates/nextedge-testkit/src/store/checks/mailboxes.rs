//! Pages of a listing and the mailbox they belong to.

use std::time::Duration;

use nextedge_core::source::{Cursor, SourceFault};
use nextedge_core::store::{NextPage, PageCommit, Phase, Scope, SyncState};
use nextedge_core::{ErrorKind, ParkReason};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, parked};
use crate::store::values::{SOURCE, mailbox_id, stub};

/// A mailbox marked dirty while it is leased is due when it is freed.
pub async fn dirty_while_leased(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (id, scope) = (mailbox_id("in"), Scope::Tenant(bench.a.clone()));
    let claim = store
        .claim_mailbox(&scope, SOURCE, seconds(60))
        .await
        .unwrap()
        .unwrap();
    store.mark_dirty(&bench.a, &id).await.unwrap();
    let free = |due| PageCommit {
        next: NextPage::Free { due: Some(due) },
        ..PageCommit::default()
    };
    let page = free(bench.at(600));
    store
        .commit_page(&bench.a, &id, claim.lease, page)
        .await
        .unwrap();
    // the push came after the page was read, so the mailbox is read again
    let claim = store
        .claim_mailbox(&scope, SOURCE, seconds(60))
        .await
        .unwrap()
        .unwrap();
    let page = free(bench.at(600));
    store
        .commit_page(&bench.a, &id, claim.lease, page)
        .await
        .unwrap();
    assert!(
        store
            .claim_mailbox(&scope, SOURCE, seconds(60))
            .await
            .unwrap()
            .is_none()
    );
}

/// A page counts what it showed, keeps a bounded number of faults and parks drafts.
pub async fn pages_count(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let (id, scope) = (mailbox_id("in"), Scope::Tenant(bench.a.clone()));
    let lease = std::time::Duration::from_secs(60);
    let claim = store
        .claim_mailbox(&scope, SOURCE, lease)
        .await
        .unwrap()
        .unwrap();
    let mut draft = stub("m3", None, None);
    draft.draft = true;
    let stubs = vec![stub("m1", None, None), stub("m1", None, None), draft];
    let mut sync = SyncState::default();
    let fault = SourceFault {
        item: "a".to_owned(),
        fault: "b".to_owned(),
    };
    (sync.run.faults, sync.run.fault_count) = (vec![fault; 150], 150);
    let page = PageCommit {
        stubs,
        sync,
        next: NextPage::Keep,
    };
    let done = store
        .commit_page(&bench.a, &id, claim.lease, page)
        .await
        .unwrap();
    assert_eq!((done.new, done.seen), (2, 1));
    let run = store
        .mailbox(&bench.a, &id)
        .await
        .unwrap()
        .unwrap()
        .sync
        .run;
    assert_eq!((run.pages, run.listed, run.new), (1, 3, 2));
    assert_eq!((run.faults.len(), run.fault_count), (100, 150));
    let outcome = bench.outcome(&bench.a, bench.uid(&bench.a, "m3")).await;
    assert_eq!(outcome, parked(ParkReason::Draft));
    let counts = store.counts(&bench.a, Some(&id)).await.unwrap();
    assert_eq!((counts.pending, counts.parked, counts.total()), (1, 1, 2));
}

/// A page under a lost lease records no stub and moves nothing; one that is taken does both.
pub async fn page_is_all_or_nothing(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, id) = (bench.store(), mailbox_id("in"));
    let page = PageCommit {
        stubs: vec![stub("m1", None, None), stub("m2", None, None)],
        sync: SyncState {
            cursor: Some(Cursor("after the page".to_owned())),
            ..SyncState::default()
        },
        ..PageCommit::default()
    };
    let lost = bench.claim_mailbox(&bench.a).await.unwrap();
    bench.clock.advance(seconds(60));
    let commit = async |lease| {
        let page = page.clone();
        store.commit_page(&bench.a, &id, lease, page).await
    };
    let seen = async || {
        let mailbox = store.mailbox(&bench.a, &id).await.unwrap().unwrap();
        let counts = store.counts(&bench.a, Some(&id)).await.unwrap();
        (mailbox.sync.cursor, counts.total())
    };
    // whether or not somebody else holds the mailbox
    let refused = commit(lost.lease).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);
    let claim = bench.claim_mailbox(&bench.a).await.unwrap();
    let refused = commit(lost.lease).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);
    assert_eq!(seen().await, (None, 0));
    commit(claim.lease).await.unwrap();
    assert_eq!(seen().await, (page.sync.cursor.clone(), 2));
}

/// A mailbox is read by one worker at a time; after its lease ran out another one may.
pub async fn mailbox_has_one_reader(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let first = bench.claim_mailbox(&bench.a).await.unwrap();
    assert!(bench.claim_mailbox(&bench.a).await.is_none());
    bench.clock.advance(seconds(60));
    let next = bench.claim_mailbox(&bench.a).await.unwrap();
    assert_ne!(first.lease, next.lease);
    assert!(bench.claim_mailbox(&bench.a).await.is_none());
}

/// New settings of a mailbox leave its sync state as it was.
pub async fn settings_keep_the_sync_state(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, id) = (bench.store(), mailbox_id("in"));
    bench.list(&bench.a, vec![stub("m", None, None)]).await;
    let before = store.mailbox(&bench.a, &id).await.unwrap().unwrap();
    assert_eq!(before.sync.phase, Phase::Live);
    let mut changed = before.clone();
    changed.paused = true;
    changed.sync = SyncState::default();
    store.put_mailbox(&bench.a, changed).await.unwrap();
    let after = store.mailbox(&bench.a, &id).await.unwrap().unwrap();
    assert!(after.paused);
    assert_eq!((after.version, after.sync), (2, before.sync));
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
