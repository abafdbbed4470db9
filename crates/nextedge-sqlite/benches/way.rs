//! The way of a mail through the store alone: mails a second and transactions a mail.
//!
//! `cargo bench -p nextedge-sqlite -- MAILS BYTES`; defaults 20,000 mails of 20 KiB.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
#![allow(clippy::wildcard_imports)] // it walks over the whole surface

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use nextedge_core::store::*;
use nextedge_core::*;
use support::*;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let mails: usize = numbers.next().unwrap_or(20_000);
    let bytes: usize = numbers.next().unwrap_or(20 * 1024);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(way(mails, bytes));
}

async fn way(mails: usize, bytes: usize) {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    let start = Instant::now();
    let mut told = start;
    let mut phase = |name: &str| {
        let spent = told.elapsed().as_secs_f64();
        told = Instant::now();
        println!("{name:8} {:6.1} us a mail", spent * 1e6 / mails as f64);
    };
    let numbers: Vec<usize> = (0..mails).collect();
    for page in numbers.chunks(500) {
        let stubs = page.iter().map(|n| {
            let hint = format!("thread {}", n * 7 / 10);
            stub(&n.to_string(), &hint, i64::try_from(*n).unwrap())
        });
        f.list(&t, stubs.collect()).await;
    }
    phase("list");
    let body = bytes::Bytes::from(vec![b'x'; bytes]);
    each(&f, &t, JobKind::Fetch, |item| Unit::Fetched {
        message: item.message,
        raw: body.clone(),
        received_at: item.received_at,
        thread_hint: None,
        labels: Labels::default(),
    })
    .await;
    phase("fetch");
    each(&f, &t, JobKind::Process, |item| {
        let Work::Process { thread_hint, .. } = &item.work else {
            panic!("a decision is asked for");
        };
        let thread = ThreadId::derive(&[thread_hint.as_ref().unwrap().as_bytes()]);
        let Unit::Processed(mut unit) = deliver_to(item, thread, "crm") else {
            panic!("a decision");
        };
        unit.thread = Some(founded(thread, item));
        Unit::Processed(unit)
    })
    .await;
    phase("process");
    each(&f, &t, JobKind::Deliver, |item| {
        let Unit::Delivered(mut unit) = delivered(item, DeliveredEnd::Done) else {
            panic!("a delivery");
        };
        let id = item.message.to_string();
        unit.effects = vec![effect(Slot::Contact, &id), effect(Slot::Activity, &id)];
        unit.record = Some(record(RecordKind::Lead, &id));
        let address = EmailAddress::parse(&sender_of(item.message)).unwrap();
        unit.parties = vec![KnownRecord {
            party: PartyKey::Address(address),
            record: record(RecordKind::Contact, &id),
        }];
        Unit::Delivered(unit)
    })
    .await;
    phase("deliver");
    let delivered = f.store.counts(&t, None).await.unwrap().delivered;
    println!(
        "{:.0} mails a second, {:.4} transactions a mail, {delivered} delivered",
        mails as f64 / start.elapsed().as_secs_f64(),
        f.store.commits() as f64 / mails as f64,
    );
}

fn founded(id: ThreadId, item: &ClaimedItem) -> ThreadChange {
    let expected = u64::from(VERSIONS.with_borrow_mut(|known| !known.insert(id)));
    ThreadChange {
        expected,
        thread: Thread {
            id,
            version: 0,
            subject: "hello".to_owned(),
            participants: vec![EmailAddress::parse(&sender_of(item.message)).unwrap()],
            mails: 1,
            last_received_at: item.received_at,
            category: Some(Category::Lead),
            review: None,
            records: Vec::new(),
        },
        keys: vec![
            ThreadKey::message_id(&item.message.to_string()),
            ThreadKey::provider_thread(&mailbox_id("me"), &id.to_string()),
        ],
        absent: Vec::new(),
        seen: Vec::new(),
    }
}

thread_local! {
    static VERSIONS: std::cell::RefCell<std::collections::HashSet<ThreadId>> =
        std::cell::RefCell::default();
}

async fn each(f: &Fixture, t: &TenantId, kind: JobKind, unit: impl Fn(&ClaimedItem) -> Unit) {
    while let Some(claim) = f.claim(t, kind).await {
        let units = claim.items.iter().map(&unit).collect();
        for answer in f.store.commit(t, claim.lease, units).await.unwrap() {
            answer.unwrap();
        }
        f.store.release(t, claim.lease).await.unwrap();
    }
}
