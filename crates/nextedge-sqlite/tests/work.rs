//! The way of a mail through the store: listed, fetched, processed, delivered, counted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use nextedge_core::store::*;
use support::*;

#[tokio::test]
async fn a_mail_goes_from_stub_to_delivered() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let page = f.list(&t, vec![stub("1", "a", 1), stub("2", "a", 2)]).await;
    assert_eq!((page.new, page.seen), (2, 0));
    let again = f.list(&t, vec![stub("1", "a", 1)]).await;
    assert_eq!((again.new, again.seen), (0, 1));
    assert_eq!(f.store.counts(&t, None).await.unwrap().pending, 2);

    f.fetch_all(&t).await;
    assert_eq!(
        f.store.raw(&t, uid(&t, "1")).await.unwrap(),
        Some(raw_of(uid(&t, "1")))
    );
    f.process_all(&t).await;
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&claim), [uid(&t, "1"), uid(&t, "2")]);
    let Work::Deliver { raw, .. } = &claim.items[0].work else {
        panic!("a delivery");
    };
    assert_eq!(*raw, raw_of(uid(&t, "1")));
    let units = claim.items.iter();
    let units = units
        .map(|item| delivered(item, DeliveredEnd::Done))
        .collect();
    f.all_accepted(&t, claim.lease, units).await;
    f.store.release(&t, claim.lease).await.unwrap();

    let counts = f.store.counts(&t, Some(&mailbox_id("me"))).await.unwrap();
    assert_eq!((counts.delivered, counts.total()), (2, 2));
    assert!(f.claim(&t, JobKind::Deliver).await.is_none());
    assert_eq!(f.store.next_due(&Scope::All).await.unwrap(), None);
}
