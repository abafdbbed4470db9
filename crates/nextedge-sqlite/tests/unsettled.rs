//! What a dead owner leaves: its attempts are told in the audit log, and what may have been made of a
//! party holds back others that need the party.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use nextedge_core::store::*;
use nextedge_core::*;
use support::*;

const ANN: &str = "ann@acme.example";
const BOB: &str = "bob@acme.example";
const EVE: &str = "eve@other.example";

/// Mails of threads of their own, planned for the sink, one for each sender, in this order.
async fn planned(f: &Fixture, t: &TenantId, senders: &[&str]) {
    let names: Vec<String> = (0..senders.len()).map(|n| format!("m{n}")).collect();
    let stubs = names.iter().zip(1..).map(|(name, n)| stub(name, name, n));
    plan_for(f, t, stubs.collect(), senders, own_thread).await;
}

async fn plan_for(
    f: &Fixture,
    t: &TenantId,
    stubs: Vec<source::Stub>,
    senders: &[&str],
    thread: impl Fn(&ClaimedItem) -> ThreadId,
) {
    f.list(t, stubs).await;
    f.fetch_all(t).await;
    let claim = f.claim(t, JobKind::Process).await.unwrap();
    let units = claim.items.iter().zip(senders).map(|(item, sender)| {
        let mut plan = plan(item.message, thread(item), "crm", sender);
        plan.company = Some(Draft {
            kind: RecordKind::Company,
            ..plan.contact.clone()
        });
        let outcome = ProcessedOutcome::Deliver(vec![plan]);
        Unit::Processed(Box::new(processed(item, outcome)))
    });
    f.all_accepted(t, claim.lease, units.collect()).await;
    f.store.release(t, claim.lease).await.unwrap();
}

async fn first_only(f: &Fixture, t: &TenantId) -> Option<Claim> {
    let request = ClaimRequest {
        max_items: 1,
        settle: Duration::from_secs(120),
        ..request(JobKind::Deliver, Scope::Tenant(t.clone()))
    };
    f.store.claim(&request).await.unwrap()
}

#[tokio::test]
async fn a_delivery_waits_for_what_a_dead_owner_may_have_made_of_its_party() {
    let t = tenant("one");
    let f = Fixture::new().connected("one").await;
    planned(&f, &t, &[ANN, ANN, BOB, EVE]).await;
    let lost = first_only(&f, &t).await.unwrap();
    assert_eq!(uids(&lost), [uid(&t, "m0")]);
    let f = f.reopened();
    // Ann's other thread and her colleague wait with her; somebody else does not
    let free = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&free), [uid(&t, "m3")]);
    f.all_accepted(
        &t,
        free.lease,
        vec![delivered(&free.items[0], DeliveredEnd::Done)],
    )
    .await;
    f.store.release(&t, free.lease).await.unwrap();
    assert!(f.claim(&t, JobKind::Deliver).await.is_none());
    f.advance(121);
    let again = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&again), [uid(&t, "m0")]);
    assert!(again.items[0].outcome_unknown);
    f.all_accepted(
        &t,
        again.lease,
        vec![delivered(&again.items[0], DeliveredEnd::Done)],
    )
    .await;
    f.store.release(&t, again.lease).await.unwrap();
    let rest = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&rest), [uid(&t, "m1"), uid(&t, "m2")]);
}

#[tokio::test]
async fn an_attempt_of_a_dead_owner_is_told_in_the_audit_log_once() {
    let t = tenant("one");
    let f = Fixture::new().connected("one").await;
    planned(&f, &t, &[ANN, EVE]).await;
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    let done = delivered(&claim.items[1], DeliveredEnd::Done);
    f.all_accepted(&t, claim.lease, vec![done]).await;
    let f = f.reopened().reopened();
    let rows = f.store.audit(&t, &AuditQuery::default()).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.call.is_interrupted(), row.call.messages.as_slice()))
        .collect();
    // the one whose outcome was committed is not part of it
    assert_eq!(told, [(true, [claim.items[0].message].as_slice())]);
    assert_eq!((rows[0].call.status, rows[0].call.writes), (None, true));
}

#[tokio::test]
async fn a_worker_that_gives_its_claim_back_is_not_called_interrupted() {
    let t = tenant("one");
    let f = Fixture::new().connected("one").await;
    planned(&f, &t, &[ANN]).await;
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    f.store.release(&t, claim.lease).await.unwrap();
    let f = f.reopened();
    let rows = f.store.audit(&t, &AuditQuery::default()).await.unwrap();
    assert_eq!(rows, []);
    // and nobody waits
    assert!(f.claim(&t, JobKind::Deliver).await.is_some());
}
