//! Two processes on one store: they share the work and fence each other.

use std::collections::BTreeSet;
use std::time::Duration;

use nextedge_core::policy::Policy;
use nextedge_core::store::{ClaimRequest, Committed, JobKind, Scope};
use nextedge_core::{ErrorKind, MessageUid};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, park};
use crate::store::values::{request, stub};

/// Claims of two processes made at the same time hand out each item once; each reads what the other
/// committed.
pub async fn processes_share_the_work(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let other = bench.another().await;
    let stubs = (0..10).map(|n| stub(&format!("m{n}"), Some(&format!("h{n}")), None));
    bench.list(&bench.a, stubs.collect()).await;
    bench.fetch(&bench.a).await;
    let some = ClaimRequest {
        max_items: 2,
        max_in_flight: 100,
        ..request(JobKind::Process, Scope::Tenant(bench.a.clone()))
    };
    let stores = [bench.store(), other.store()];
    let claims = (0..6).map(|n| stores[n % 2].claim(&some));
    let claims = futures::future::join_all(claims).await;
    let claims: Vec<_> = claims.into_iter().filter_map(Result::unwrap).collect();
    let items = claims.iter().flat_map(|claim| &claim.items);
    let items: Vec<MessageUid> = items.map(|item| item.message).collect();
    assert_eq!(items.len(), 10, "every item is handed out");
    assert_eq!(BTreeSet::from_iter(&items).len(), 10, "and once");
    for (n, claim) in claims.iter().enumerate() {
        let units = claim.items.iter().map(|item| park(item.message, &bench));
        let store = stores[n % 2];
        let answers = store.commit(&bench.a, claim.lease, units.collect()).await;
        assert!(answers.unwrap().iter().all(Result::is_ok));
    }
    for store in stores {
        assert_eq!(store.counts(&bench.a, None).await.unwrap().parked, 10);
    }
}

/// A lease that ran out is taken over by another process, and its first holder writes nothing.
pub async fn lease_lost_to_another_process_is_fenced(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let other = bench.another().await;
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let mut ask = request(JobKind::Process, Scope::Tenant(bench.a.clone()));
    ask.settle = Duration::ZERO;
    let lost = bench.store().claim(&ask).await.unwrap().unwrap();
    assert!(other.store().claim(&ask).await.unwrap().is_none());
    bench.clock.advance(ask.lease);
    let claim = other.store().claim(&ask).await.unwrap().unwrap();
    assert!(claim.items[0].outcome_unknown);
    let answers = bench.try_commit(&lost, vec![park(uid, &bench)]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Fenced);
    let units = vec![park(uid, &bench)];
    let answers = other.store().commit(&bench.a, claim.lease, units).await;
    assert_eq!(*answers.unwrap()[0].as_ref().unwrap(), Committed::Accepted);
}

/// Of two processes that change one version of a setting one is refused, and both see the same.
pub async fn settings_are_swapped_once_over_processes(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let other = bench.another().await;
    let stores = [bench.store(), other.store()];
    let puts = stores.map(|store| store.put_policy(&bench.a, 0, Policy::default()));
    let puts = futures::future::join_all(puts).await;
    let refused: Vec<_> = puts.iter().filter_map(|put| put.as_ref().err()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].kind(), ErrorKind::Conflict);
    for store in stores {
        assert_eq!(store.policy(&bench.a).await.unwrap().version, 1);
    }
}
