//! What is left when a process is lost: everything that was committed, and what is known of the rest.

use std::time::Duration;

use nextedge_core::store::{DeliveredEnd, JobKind, LedgerQuery, LedgerRow, Unit};
use nextedge_core::{ErrorKind, Outcome, RecordKind, Slot};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, delivered, plan_of};
use crate::store::values::{effect, record, thread_id};

/// Whatever was answered as committed is there after the process is lost.
pub async fn committed_results_outlive_a_restart(harness: &dyn StoreHarness) {
    let mut bench = Bench::fresh(harness).await;
    let thread = thread_id("t");
    bench
        .planned(&bench.a, "m1", thread, "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let (uid, plan) = (claim.items[0].message, plan_of(&claim.items[0].work));
    let mut unit = delivered(uid, plan, DeliveredEnd::Done);
    if let Unit::Delivered(unit) = &mut unit {
        unit.record = Some(record(RecordKind::Case, "case-1"));
        unit.effects = vec![effect(Slot::Record, "case-1")];
    }
    bench.commit(&claim, vec![unit]).await;
    bench.arrive(&bench.a, "m2", "h", 1).await;
    let before = everything(&bench).await;
    bench.restart().await;
    assert_eq!(everything(&bench).await, before);
    let linked = bench.store().thread(&bench.a, thread).await.unwrap();
    assert_eq!(linked.unwrap().records.len(), 1);
    assert_eq!(bench.outcome(&bench.a, uid).await, Outcome::Delivered);
}

async fn everything(bench: &Bench) -> (Vec<LedgerRow>, usize, usize) {
    let (store, tenant) = (bench.store(), &bench.a);
    let rows = store.messages(tenant, &LedgerQuery::default()).await;
    let connections = store.connections(tenant).await.unwrap();
    let mailboxes = store.mailboxes(tenant, None, 10).await.unwrap();
    (rows.unwrap(), connections.len(), mailboxes.len())
}

/// A lease of a dead process is worth nothing at once; its item is unknown and comes after the
/// settle time, not after the lease.
pub async fn restart_ends_leases(harness: &dyn StoreHarness) {
    let mut bench = Bench::fresh(harness).await;
    bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let lost = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let mailbox = bench.claim_mailbox(&bench.b).await.unwrap();
    bench.restart().await;
    let minute = Duration::from_secs(60);
    let refused = bench.store().extend(&bench.a, lost.lease, minute).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Fenced);
    let again = bench.claim_mailbox(&bench.b).await.unwrap();
    assert_ne!(again.lease, mailbox.lease, "a mailbox is free as well");
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    bench.clock.advance(2 * minute);
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert!(claim.items[0].outcome_unknown);
}

/// A lease outlives the loss of a process that does not hold it.
pub async fn restart_keeps_leases(harness: &dyn StoreHarness) {
    let mut bench = Bench::fresh(harness).await;
    bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    bench.restart().await;
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    bench.deliver(&claim, |_| DeliveredEnd::Done).await;
}
