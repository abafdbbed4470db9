//! Pages of a listing and the mailbox they belong to.

use std::time::Duration;

use nextedge_core::ParkReason;
use nextedge_core::source::SourceFault;
use nextedge_core::store::{NextPage, PageCommit, Scope, SyncState};

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

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
