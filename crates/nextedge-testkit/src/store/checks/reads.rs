//! Settings that are compared before they are changed, and reads by filter and page.

use nextedge_core::policy::{FieldMap, Policy};
use nextedge_core::store::{AuditQuery, LedgerQuery, Mailbox, ProcessedOutcome, ReviewQuery};
use nextedge_core::{Error, ErrorKind, OutcomeKind, ReviewDecision, ReviewId, ReviewState};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, crm, help};
use crate::store::values::{call, mailbox, mailbox_id, moment, review_item, sink, stub, thread_id};

/// The ledger is read page by page in its order, each message once.
pub async fn ledger_pages(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let times = [3, 1, 2, 1, 3];
    let stubs = times
        .iter()
        .enumerate()
        .map(|(index, at)| stub(&format!("m{index}"), None, Some(moment(bench.start, *at))));
    bench.list(&bench.a, stubs.collect()).await;
    let mut query = LedgerQuery {
        limit: 2,
        ..LedgerQuery::default()
    };
    let mut seen = Vec::new();
    for _ in 0..=times.len() {
        let rows = store.messages(&bench.a, &query).await.unwrap();
        let Some(last) = rows.last() else { break };
        query.after = last.received_at.map(|at| (at, last.message));
        seen.extend(rows.iter().map(|row| (row.received_at, row.message)));
    }
    assert_eq!(seen.len(), times.len());
    assert!(seen.is_sorted(), "by received time, then message");
}

/// The mailboxes of a tenant are read page by page in the order of their ids.
pub async fn mailbox_pages(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for name in ["z", "b"] {
        let put = store.put_mailbox(&bench.a, mailbox(name, "src")).await;
        put.unwrap();
    }
    let page = |after| store.mailboxes(&bench.a, after, 2);
    let names = |page: Vec<Mailbox>| page.into_iter().map(|m| m.id).collect::<Vec<_>>();
    let first = names(page(None).await.unwrap());
    assert_eq!(first, ["b", "in"].map(mailbox_id));
    let rest = names(page(first.last()).await.unwrap());
    assert_eq!(rest, [mailbox_id("z")]);
}

/// Settings are changed only by whoever read the present version; it grows by one.
pub async fn settings_are_compared_and_swapped(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (store, tenant, crm) = (bench.store(), &bench.a, crm());
    let conflict = |error: Error| assert_eq!(error.kind(), ErrorKind::Conflict);
    conflict(store.put_connection(tenant, sink("crm")).await.unwrap_err());
    let stored = store.connection(tenant, &crm).await.unwrap().unwrap();
    let put = store.put_connection(tenant, stored).await.unwrap();
    assert_eq!(put.version, 2);
    let old = mailbox("in", "src");
    conflict(store.put_mailbox(tenant, old).await.unwrap_err());
    for expected in 0..2 {
        let put = store.put_policy(tenant, expected, Policy::default()).await;
        assert_eq!(put.unwrap(), expected + 1);
        let map = FieldMap::default();
        let put = store.put_field_map(tenant, &crm, expected, map).await;
        assert_eq!(put.unwrap(), expected + 1);
    }
    let policy = Policy::default();
    conflict(store.put_policy(tenant, 1, policy).await.unwrap_err());
    let map = FieldMap::default();
    let put = store.put_field_map(tenant, &crm, 1, map).await;
    conflict(put.unwrap_err());
    assert_eq!(store.policy(tenant).await.unwrap().version, 2);
}

/// No turn of a round robin is given twice; rules of other names count for themselves.
pub async fn turns_are_given_once(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let take = |rule, count| bench.store().take_turns(&bench.a, rule, count);
    assert_eq!(take("sales", 2).await.unwrap(), 0);
    assert_eq!(take("sales", 1).await.unwrap(), 2);
    assert_eq!(take("help", 1).await.unwrap(), 0);
    assert_eq!(take("sales", 1).await.unwrap(), 3);
}

/// The ledger shows the mailbox and the outcome that were asked for.
pub async fn ledger_is_filtered(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let mut draft = stub("m2", None, None);
    draft.draft = true;
    let stubs = vec![stub("m1", None, None), draft];
    bench.list(&bench.a, stubs).await;
    let found = async |mailbox: &str, outcome| {
        let query = LedgerQuery {
            mailbox: Some(mailbox_id(mailbox)),
            outcome: Some(outcome),
            ..LedgerQuery::default()
        };
        let rows = bench.store().messages(&bench.a, &query).await.unwrap();
        rows.iter().map(|row| row.message).collect::<Vec<_>>()
    };
    let parked = bench.uid(&bench.a, "m2");
    assert_eq!(found("in", OutcomeKind::Parked).await, [parked]);
    assert_eq!(found("in", OutcomeKind::Dead).await, []);
    assert_eq!(found("other", OutcomeKind::Parked).await, []);
}

/// Audit rows are found by number, moment, operation, status and message, and come in order.
pub async fn audit_is_filtered(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let uid = bench.uid(&bench.a, "m");
    let mut calls = vec![
        call(bench.at(0), "crm.check", Vec::new()),
        call(bench.at(1), "crm.upsert", vec![uid]),
        call(bench.at(2), "box.list", Vec::new()),
    ];
    calls[2].status = None;
    let store = bench.store();
    store.append_calls(&bench.a, &crm(), calls).await.unwrap();
    let all = AuditQuery::default;
    let operation = Some("crm.".to_owned());
    let cases = [
        (all(), &[1, 2, 3][..]),
        (AuditQuery { after: 1, ..all() }, &[2, 3]),
        (AuditQuery { limit: 2, ..all() }, &[1, 2]),
        (
            AuditQuery {
                since: Some(bench.at(1)),
                ..all()
            },
            &[2, 3],
        ),
        (AuditQuery { operation, ..all() }, &[1, 2]),
        (
            AuditQuery {
                status: Some(0),
                ..all()
            },
            &[3],
        ),
        (
            AuditQuery {
                status: Some(200),
                ..all()
            },
            &[1, 2],
        ),
        (
            AuditQuery {
                message: Some(uid),
                ..all()
            },
            &[2],
        ),
    ];
    for (query, expected) in cases {
        let rows = store.audit(&bench.a, &query).await.unwrap();
        let numbers: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(numbers, expected, "{query:?}");
    }
}

/// Review items are found by state and by the moment they expire, oldest first.
pub async fn reviews_are_filtered(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let mut ids = Vec::new();
    for (name, opened) in [("m1", 0), ("m2", 100)] {
        let uid = bench.arrive(&bench.a, name, name, 0).await;
        let thread = thread_id(name);
        bench
            .process(&bench.a, thread, |uid| {
                let plans = vec![help(uid, "crm")];
                ProcessedOutcome::Review(review_item(uid, thread, plans, bench.at(opened)))
            })
            .await;
        ids.push(ReviewId::opened_by(uid));
    }
    let found = async |state, expires_by| {
        let query = ReviewQuery {
            state,
            expires_by,
            limit: 10,
        };
        let items = store.reviews(&bench.a, &query).await.unwrap();
        items.iter().map(|item| item.id).collect::<Vec<_>>()
    };
    let open = Some(ReviewState::Open);
    assert_eq!(found(open.clone(), None).await, ids);
    assert_eq!(found(open.clone(), Some(bench.at(3600))).await, ids[..1]);
    let reject = ReviewDecision::Reject;
    store.decide(&bench.a, ids[0], 1, reject).await.unwrap();
    assert_eq!(found(open, None).await, ids[1..]);
    assert_eq!(found(Some(ReviewState::Rejected), None).await, ids[..1]);
    assert_eq!(found(None, None).await, ids);
}
