//! What protects a CRM: parties are created once, and a gate stops a connection.

use std::time::Duration;

use nextedge_core::store::{ClaimRequest, DeliveredEnd, JobKind, KnownRecord, Scope, Unit, Work};
use nextedge_core::{PartyKey, RecordKind};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, delivered, plan_of};
use crate::store::values::{address, gate, record, report, request, thread_id};

/// A new party is in one claim at a time; once it has a record nobody waits for it.
pub async fn new_party_is_created_once(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for name in ["m1", "m2", "m3"] {
        bench
            .planned(&bench.a, name, thread_id(name), "ada@acme.com", 0)
            .await;
    }
    let one = ClaimRequest {
        max_items: 1,
        ..request(JobKind::Deliver, Scope::All)
    };
    let first = store.claim(&one).await.unwrap().unwrap();
    assert!(
        store.claim(&one).await.unwrap().is_none(),
        "the others need the same new party"
    );
    let mut unit = delivered(
        first.items[0].message,
        plan_of(&first.items[0].work),
        DeliveredEnd::Done,
    );
    let known: Vec<KnownRecord> = PartyKey::of(&address("ada@acme.com"))
        .into_iter()
        .map(|party| KnownRecord {
            record: record(RecordKind::Contact, &party.as_key()),
            party,
        })
        .collect();
    if let Unit::Delivered(unit) = &mut unit {
        unit.parties = known.clone();
    }
    bench.commit(&first, vec![unit]).await;
    // known parties need no reservation, so both go on while the first claim still runs
    for _ in 0..2 {
        let claim = store.claim(&one).await.unwrap().unwrap();
        let Work::Deliver { parties, .. } = &claim.items[0].work else {
            panic!("not a delivery");
        };
        assert_eq!(*parties, known);
    }
}

/// A company is reserved only by a plan that has one.
pub async fn company_is_reserved_only_if_planned(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    // a company at acme.com is planned, none at other.com
    let senders = [
        "ada@acme.com",
        "bob@acme.com",
        "ada@other.com",
        "bob@other.com",
    ];
    for sender in senders {
        bench
            .planned(&bench.a, sender, thread_id(sender), sender, 0)
            .await;
    }
    let one = ClaimRequest {
        max_items: 1,
        ..request(JobKind::Deliver, Scope::All)
    };
    let claims = bench.claims_of(&one).await;
    let senders = claims.iter().map(|claim| plan_of(&claim.items[0].work));
    let domains = senders.map(|plan| plan.sender.address.domain().to_string());
    let mut claimed: Vec<String> = domains.collect();
    claimed.sort();
    assert_eq!(claimed, ["acme.com", "other.com", "other.com"]);
}

/// A closed gate stops a connection until its latest moment; then one item probes it and opens it.
pub async fn gate_is_probed_once(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
    for name in ["m1", "m2", "m3"] {
        bench
            .planned(
                &bench.a,
                name,
                thread_id(name),
                &format!("{name}@gmail.com"),
                0,
            )
            .await;
    }
    store
        .set_gate(&bench.a, gate("crm", bench.at(30)))
        .await
        .unwrap();
    store
        .set_gate(&bench.a, gate("crm", bench.at(10)))
        .await
        .unwrap();
    clock.advance(seconds(29));
    assert!(
        bench.claim(JobKind::Deliver, &bench.a).await.is_none(),
        "the later moment holds"
    );
    clock.advance(seconds(1));
    let probe = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(probe.items.len(), 1);
    assert!(
        bench.claim(JobKind::Deliver, &bench.a).await.is_none(),
        "one probe at a time"
    );
    bench.deliver(&probe, |_| DeliveredEnd::Done).await;
    assert_eq!(store.gates(&bench.a).await.unwrap(), []);
    let claim = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    assert_eq!(claim.items.len(), 2);
}

/// A gate that was closed again during its probe stays closed.
pub async fn gate_closed_anew_stays(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, clock) = (bench.store(), &bench.clock);
    bench
        .planned(&bench.a, "m1", thread_id("t"), "ada@acme.com", 0)
        .await;
    store
        .set_gate(&bench.a, gate("crm", bench.at(10)))
        .await
        .unwrap();
    clock.advance(seconds(10));
    let probe = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    store
        .set_gate(&bench.a, gate("crm", bench.at(40)))
        .await
        .unwrap();
    let (at, error) = (bench.at(10), report("429"));
    bench
        .deliver(&probe, |_| DeliveredEnd::Retry {
            at,
            error: error.clone(),
        })
        .await;
    bench.release(&probe).await;
    assert_eq!(
        store.gates(&bench.a).await.unwrap(),
        [gate("crm", bench.at(40))]
    );
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
