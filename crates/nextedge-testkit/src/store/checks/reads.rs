//! Reads that come in pages.

use nextedge_core::store::LedgerQuery;

use crate::store::StoreHarness;
use crate::store::bench::Bench;
use crate::store::values::{moment, stub};

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
    loop {
        let rows = store.messages(&bench.a, &query).await.unwrap();
        let Some(last) = rows.last() else { break };
        query.after = last.received_at.map(|at| (at, last.message));
        seen.extend(rows.iter().map(|row| (row.received_at, row.message)));
    }
    assert_eq!(seen.len(), times.len());
    assert!(seen.is_sorted(), "by received time, then message");
}
