//! What a claim hands out, and what it must not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use nextedge_core::store::*;
use nextedge_core::*;
use support::*;

/// Brings messages `1..=n` of a tenant to delivery, with these senders and threads.
async fn deliverable(f: &Fixture, t: &TenantId, mails: &[(&str, &str)]) {
    let stubs = (0_i64..).zip(mails);
    let stubs = stubs.map(|(n, _)| stub(&format!("{}", n + 1), "", n + 1));
    f.list(t, stubs.collect()).await;
    f.fetch_all(t).await;
    let claim = f.claim(t, JobKind::Process).await.unwrap();
    let mut units = Vec::new();
    for (item, (sender, thread)) in claim.items.iter().zip(mails) {
        let thread = ThreadId::derive(&[thread.as_bytes()]);
        let plan = plan(item.message, thread, "crm", sender);
        let outcome = ProcessedOutcome::Deliver(vec![plan]);
        units.push(Unit::Processed(Box::new(processed(item, outcome))));
    }
    f.all_accepted(t, claim.lease, units).await;
    f.store.release(t, claim.lease).await.unwrap();
}

async fn small_claim(f: &Fixture, t: &TenantId, kind: JobKind, items: usize) -> Option<Claim> {
    let mut request = request(kind, Scope::Tenant(t.clone()));
    request.max_items = items;
    f.store.claim(&request).await.unwrap()
}

#[tokio::test]
async fn a_lane_with_an_unfetched_stub_waits() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "a", 1)]).await;
    f.fetch_all(&t).await;
    f.list(&t, vec![stub("2", "a", 2), stub("3", "b", 3)]).await;
    assert!(f.claim(&t, JobKind::Process).await.is_none());
    f.fetch_all(&t).await;
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    assert_eq!(uids(&claim), ["1", "2", "3"].map(|id| uid(&t, id)));
    assert_eq!(claim.items[0].lane, claim.items[1].lane);
    assert_ne!(claim.items[1].lane, claim.items[2].lane);
}

#[tokio::test]
async fn live_mail_comes_before_backfill() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "", 1), stub("2", "", 2)]).await;
    let scope = Scope::Tenant(t.clone());
    f.store.mark_dirty(&t, &mailbox_id("me")).await.unwrap();
    let lease = f.store.claim_mailbox(&scope, "files", LEASE).await;
    let lease = lease.unwrap().unwrap().lease;
    for stubs in [Vec::new(), vec![stub("3", "", 3)]] {
        let mut page = PageCommit {
            stubs,
            ..PageCommit::default()
        };
        page.sync.phase = Phase::Live;
        let done = f
            .store
            .commit_page(&t, &mailbox_id("me"), lease, page)
            .await;
        done.unwrap();
    }
    let claim = f.claim(&t, JobKind::Fetch).await.unwrap();
    assert_eq!(uids(&claim), ["3", "1", "2"].map(|id| uid(&t, id)));
}

#[tokio::test]
async fn a_retry_moves_the_lane_and_never_the_order() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(
        &t,
        vec![stub("1", "a", 1), stub("2", "a", 2), stub("3", "b", 3)],
    )
    .await;
    f.fetch_all(&t).await;
    let claim = small_claim(&f, &t, JobKind::Process, 1).await.unwrap();
    let unit = Unit::Retry {
        message: uid(&t, "1"),
        at: at(600),
        error: error("down"),
        keep: None,
    };
    f.all_accepted(&t, claim.lease, vec![unit]).await;
    f.store.release(&t, claim.lease).await.unwrap();
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    assert_eq!(uids(&claim), [uid(&t, "3")]);
    let scope = Scope::Tenant(t.clone());
    let other = f.store.next_due(&scope).await.unwrap().unwrap();
    assert_eq!(other, at(60), "the lease of the other lane ends first");
    f.store.release(&t, claim.lease).await.unwrap();
    f.advance(600);
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    assert_eq!(uids(&claim), ["1", "2", "3"].map(|id| uid(&t, id)));
    assert_eq!(claim.items[0].attempt, 2);
}

#[tokio::test]
async fn a_listing_that_goes_on_holds_its_mailbox_back() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let mut files = f
        .store
        .mailbox(&t, &mailbox_id("me"))
        .await
        .unwrap()
        .unwrap();
    files.list_first = true;
    f.store.put_mailbox(&t, files).await.unwrap();
    let scope = Scope::Tenant(t.clone());
    let lease = f.store.claim_mailbox(&scope, "files", LEASE).await;
    let lease = lease.unwrap().unwrap().lease;
    let mut page = PageCommit {
        stubs: vec![stub("1", "a", 1)],
        ..PageCommit::default()
    };
    let me = mailbox_id("me");
    f.store
        .commit_page(&t, &me, lease, page.clone())
        .await
        .unwrap();
    f.fetch_all(&t).await;
    assert!(f.claim(&t, JobKind::Process).await.is_none());
    page.stubs = vec![stub("0", "a", 0)];
    page.sync.complete_at = Some(at(0));
    f.store.commit_page(&t, &me, lease, page).await.unwrap();
    f.fetch_all(&t).await;
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    assert_eq!(uids(&claim), [uid(&t, "0"), uid(&t, "1")]);
}

#[tokio::test]
async fn a_party_is_created_by_one_claim_at_a_time() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let mails = [
        ("a@x.example", "1"),
        ("b@x.example", "2"),
        ("a@x.example", "3"),
    ];
    deliverable(&f, &t, &mails).await;
    let first = small_claim(&f, &t, JobKind::Deliver, 1).await.unwrap();
    assert_eq!(uids(&first), [uid(&t, "1")]);
    let second = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&second), [uid(&t, "2")], "3 needs the party of 1");

    let contact = record(RecordKind::Contact, "c1");
    let party = PartyKey::Address(EmailAddress::parse("a@x.example").unwrap());
    let Unit::Delivered(mut unit) = delivered(&first.items[0], DeliveredEnd::Done) else {
        panic!("a delivery");
    };
    unit.parties = vec![KnownRecord {
        party: party.clone(),
        record: contact.clone(),
    }];
    f.all_accepted(&t, first.lease, vec![Unit::Delivered(unit)])
        .await;
    let third = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&third), [uid(&t, "3")]);
    let Work::Deliver { parties, .. } = &third.items[0].work else {
        panic!("a delivery");
    };
    assert_eq!(parties[0].record, contact);
    let lookup = f.store.lookup(&t, &[], std::slice::from_ref(&party)).await;
    assert_eq!(lookup.unwrap().known, [party]);
}

#[tokio::test]
async fn a_closed_gate_stops_a_connection_and_one_item_probes_it() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    deliverable(&f, &t, &[("a@x.example", "1"), ("b@x.example", "2")]).await;
    let gate = Gate {
        connection: connection("crm"),
        until: at(30),
        error: error("429"),
    };
    f.store.set_gate(&t, gate).await.unwrap();
    assert!(f.claim(&t, JobKind::Deliver).await.is_none());
    f.advance(30);
    let probe = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(probe.items.len(), 1);
    assert!(
        f.claim(&t, JobKind::Deliver).await.is_none(),
        "one at a time"
    );
    let done = delivered(&probe.items[0], DeliveredEnd::Done);
    f.all_accepted(&t, probe.lease, vec![done]).await;
    assert!(f.store.gates(&t).await.unwrap().is_empty());
    assert!(f.claim(&t, JobKind::Deliver).await.is_some());
}

#[tokio::test]
async fn the_third_crash_alone_is_the_last() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    deliverable(&f, &t, &[("a@x.example", "1"), ("b@x.example", "1")]).await;
    let mut f = f;
    for crash in 0..4 {
        let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
        let expected = if crash == 0 { 2 } else { 1 };
        assert_eq!(claim.items.len(), expected, "crash {crash}");
        f = f.reopened();
        f.advance(120);
    }
    let reason = DeadReason::Crash;
    assert_eq!(f.outcome(&t, uid(&t, "1")).await, Outcome::Dead { reason });
    assert!(
        f.claim(&t, JobKind::Deliver).await.is_none(),
        "the thread has no record: its lane waits for a person"
    );
    assert_eq!(f.store.requeue(&t, &[uid(&t, "1")]).await.unwrap(), 1);
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert!(claim.items[0].outcome_unknown, "replay forgets nothing");
}

#[tokio::test]
async fn tenants_take_turns_and_see_nothing_of_each_other() {
    let f = Fixture::new().connected("a").await.connected("b").await;
    let (a, b) = (tenant("a"), tenant("b"));
    for t in [&a, &b] {
        f.list(t, (0..4).map(|n| stub(&n.to_string(), "", n)).collect())
            .await;
        f.fetch_all(t).await;
    }
    let mut request = request(JobKind::Process, Scope::All);
    request.max_items = 1;
    let mut served = Vec::new();
    while let Some(claim) = f.store.claim(&request).await.unwrap() {
        served.push(claim.tenant.as_str().to_owned());
        let units = claim.items.iter();
        let units = units
            .map(|item| park(item, ParkReason::NotRelevant))
            .collect();
        f.all_accepted(&claim.tenant, claim.lease, units).await;
        f.store.release(&claim.tenant, claim.lease).await.unwrap();
    }
    assert_eq!(served, ["a", "b", "a", "b", "a", "b", "a", "b"]);
    let row = f.store.message(&a, uid(&b, "1")).await.unwrap();
    assert!(row.is_none());
    assert_eq!(f.store.raw(&a, uid(&b, "1")).await.unwrap(), None);
    assert_eq!(f.store.requeue(&a, &[uid(&b, "1")]).await.unwrap(), 0);
    let all = f.store.messages(&a, &LedgerQuery::default()).await.unwrap();
    assert!(
        all.iter()
            .all(|row| row.outcome.kind() == OutcomeKind::Parked)
    );
    assert_eq!(
        (all.len(), f.store.counts(&a, None).await.unwrap().parked),
        (4, 4)
    );
}

#[tokio::test]
async fn the_same_mail_twice_is_one_duplicate() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "", 1), stub("2", "", 2)]).await;
    f.fetch_all(&t).await;
    let claim = f.claim(&t, JobKind::Process).await.unwrap();
    let mut answers = Vec::new();
    for item in &claim.items {
        let Unit::Processed(mut unit) = deliver_to(item, own_thread(item), "crm") else {
            panic!("a decision");
        };
        unit.fingerprint = Fingerprint::derive(&[b"same"]);
        answers.push(f.one(&t, claim.lease, Unit::Processed(unit)).await.unwrap());
    }
    let original = uid(&t, "1");
    assert_eq!(
        answers,
        [Committed::Accepted, Committed::Duplicate(original)]
    );
    let reason = ParkReason::DuplicateOf(original);
    assert_eq!(
        f.outcome(&t, uid(&t, "2")).await,
        Outcome::Parked { reason }
    );
}

#[tokio::test]
async fn a_claim_looks_at_the_items_it_takes_only() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, (0..500).map(|n| stub(&n.to_string(), "", n)).collect())
        .await;
    f.fetch_all(&t).await;
    let mut request = request(JobKind::Process, Scope::All);
    request.max_bytes = 1;
    let first = f.store.claim(&request).await.unwrap().unwrap();
    assert_eq!(first.items.len(), 1, "the first whatever its size");
    request.max_items = 7;
    request.max_bytes = 1 << 20;
    let next = f.store.claim(&request).await.unwrap().unwrap();
    assert_eq!(next.items.len(), 7);
    request.max_in_flight = 2;
    assert!(f.store.claim(&request).await.unwrap().is_none(), "the cap");
}
