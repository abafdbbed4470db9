//! What operators read: the overview and the sync runs, on the in-memory model and on this store.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, dead_code)]
#![allow(clippy::wildcard_imports)] // tests walk over the whole surface

mod support;

use std::sync::Arc;
use std::time::Duration;

use nextedge_core::memory::MemoryStore;
use nextedge_core::source::SourceFault;
use nextedge_core::store::*;
use nextedge_core::*;
use tempfile::TempDir;

use support::*;

/// Both stores on one clock; every check runs on each.
struct Both {
    clock: Arc<ManualClock>,
    stores: Vec<Arc<dyn Store>>,
    _directory: TempDir,
}

impl Both {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let directory = tempfile::tempdir().unwrap();
        let sqlite = open(&directory, &clock);
        let memory = MemoryStore::with_clock(clock.clone());
        let stores: Vec<Arc<dyn Store>> = vec![Arc::new(memory), Arc::new(sqlite)];
        for store in &stores {
            connect(&**store, &acme()).await;
        }
        Self {
            clock,
            stores,
            _directory: directory,
        }
    }
}

fn acme() -> TenantId {
    tenant("acme")
}

async fn connect(store: &dyn Store, tenant: &TenantId) {
    for (id, vendor, role) in [
        ("in", "files", ConnectionRole::Source),
        ("crm", "hubspot", ConnectionRole::Sink),
    ] {
        let row = Connection::new(connection(id), vendor, role);
        store.put_connection(tenant, row).await.unwrap();
    }
    for name in ["me", "other"] {
        store.put_mailbox(tenant, mailbox(name)).await.unwrap();
    }
}

/// Commits one page of a mailbox under its own lease.
async fn page(store: &dyn Store, name: &str, run: SyncRun, stubs: Vec<source::Stub>) {
    let (t, id) = (acme(), mailbox_id(name));
    store.mark_dirty(&t, &id).await.unwrap();
    loop {
        let scope = Scope::Tenant(t.clone());
        let claim = store.claim_mailbox(&scope, "files", LEASE).await.unwrap();
        let claim = claim.expect("the mailbox is due");
        let wanted = claim.mailbox.id == id;
        let commit = PageCommit {
            stubs: if wanted { stubs.clone() } else { Vec::new() },
            sync: SyncState {
                run: if wanted {
                    run.clone()
                } else {
                    claim.mailbox.sync.run.clone()
                },
                complete_at: Some(at(0)),
                ..claim.mailbox.sync.clone()
            },
            next: NextPage::Free { due: None },
        };
        let done = store.commit_page(&t, &claim.mailbox.id, claim.lease, commit);
        done.await.unwrap();
        if wanted {
            return;
        }
    }
}

fn run(start: i64, end: Option<i64>) -> SyncRun {
    SyncRun {
        started_at: Some(at(start)),
        ended_at: end.map(at),
        ..SyncRun::default()
    }
}

fn failed(start: i64) -> SyncRun {
    SyncRun {
        error: Some(error("the source is away")),
        ..run(start, Some(start + 1))
    }
}

fn whole(start: i64, listed: u64) -> SyncRun {
    SyncRun {
        full: true,
        listed,
        ..run(start, Some(start + 1))
    }
}

async fn shown(store: &dyn Store, query: RunQuery) -> Vec<(String, u64, RunState)> {
    let rows = store.runs(&acme(), &query).await.unwrap();
    let rows = rows.into_iter();
    rows.map(|row| (row.mailbox.to_string(), row.number, row.run.state()))
        .collect()
}

async fn work(store: &dyn Store) -> MailboxWork {
    let overview = store.overview(&acme(), 10).await.unwrap();
    overview.mailboxes.into_iter().next().expect("mailbox me")
}

#[tokio::test]
async fn each_run_is_a_row_that_its_pages_bring_up_to_date() {
    let both = Both::new().await;
    for store in &both.stores {
        let store = &**store;
        page(store, "me", run(10, None), vec![stub("1", "", 1)]).await;
        let me = RunQuery::default();
        let row = |number, state| ("me".to_owned(), number, state);
        assert_eq!(shown(store, me.clone()).await, [row(1, RunState::Running)]);

        let mut last = run(10, Some(12));
        last.pages = 1;
        page(store, "me", last, Vec::new()).await;
        let rows = store.runs(&acme(), &me).await.unwrap();
        assert_eq!(rows.len(), 1, "the same run");
        assert_eq!(rows[0].run.pages, 2);
        assert_eq!(rows[0].run.state(), RunState::Success);
        assert_eq!(rows[0].run.took(), Some(Duration::from_secs(2)));

        // the same start again is another run, because the one before ended
        page(store, "me", failed(10), Vec::new()).await;
        let mut partial = run(20, Some(21));
        partial.fault_count = 30;
        let (item, fault) = ("inbox.mbox, byte 7".to_owned(), "cut".to_owned());
        partial.faults = vec![SourceFault { item, fault }; 30];
        page(store, "me", partial, Vec::new()).await;
        page(store, "other", run(15, Some(16)), Vec::new()).await;
        let expected = [
            row(3, RunState::Partial),
            ("other".to_owned(), 1, RunState::Success),
            row(2, RunState::Failed),
            row(1, RunState::Success),
        ];
        assert_eq!(shown(store, me.clone()).await, expected);
        let rows = store.runs(&acme(), &me).await.unwrap();
        assert_eq!(rows[0].run.faults.len(), RunRow::MAX_FAULTS);
        assert_eq!(rows[0].run.fault_count, 30);
        assert_eq!(
            rows[2].run.error.as_ref().unwrap().kind,
            ErrorKind::Unavailable
        );
        let before = RunQuery {
            mailbox: Some(mailbox_id("me")),
            before: Some(at(20)),
            limit: 1,
        };
        assert_eq!(shown(store, before).await, [row(2, RunState::Failed)]);
        assert!(store.runs(&tenant("else"), &me).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn old_runs_are_forgotten_the_oldest_first_and_in_scope_only() {
    let both = Both::new().await;
    for store in &both.stores {
        let store = &**store;
        for start in [30, 10, 20] {
            page(store, "me", run(start, Some(start)), Vec::new()).await;
        }
        let other = Scope::Tenant(tenant("else"));
        assert_eq!(store.forget_runs(&other, at(25), 10).await.unwrap(), 0);
        assert_eq!(store.forget_runs(&Scope::All, at(25), 1).await.unwrap(), 1);
        let starts = |rows: Vec<RunRow>| rows.into_iter().map(|r| r.run.started_at.unwrap());
        let rows = store.runs(&acme(), &RunQuery::default()).await.unwrap();
        assert!(starts(rows).eq([at(30), at(20)]));
        assert_eq!(store.forget_runs(&Scope::All, at(25), 9).await.unwrap(), 1);
        assert_eq!(store.forget_runs(&Scope::All, at(25), 9).await.unwrap(), 0);
        // a run that goes on after its row was forgotten gets a row again
        page(store, "me", run(40, None), Vec::new()).await;
        store.forget_runs(&Scope::All, at(50), 9).await.unwrap();
        page(store, "me", run(40, Some(41)), Vec::new()).await;
        let rows = store.runs(&acme(), &RunQuery::default()).await.unwrap();
        assert!(starts(rows).eq([at(40)]));
    }
}

#[tokio::test]
async fn the_overview_counts_failed_runs_in_a_row_and_compares_whole_listings() {
    let both = Both::new().await;
    for store in &both.stores {
        let store = &**store;
        page(store, "me", failed(1), Vec::new()).await;
        page(store, "me", whole(10, 100), Vec::new()).await;
        assert_eq!(work(store).await.failed_runs, 0);
        assert_eq!(
            work(store).await.listed,
            None,
            "one listing is no comparison"
        );
        page(store, "me", failed(20), Vec::new()).await;
        page(store, "me", failed(30), Vec::new()).await;
        let seen = work(store).await;
        assert_eq!((seen.failed_runs, seen.failing_since), (2, Some(at(20))));
        // neither a run over changes nor a failed listing is compared
        page(store, "me", run(40, Some(41)), Vec::new()).await;
        page(
            store,
            "me",
            SyncRun {
                full: true,
                ..failed(45)
            },
            Vec::new(),
        )
        .await;
        page(store, "me", whole(50, 70), Vec::new()).await;
        let seen = work(store).await;
        let listed = Listed {
            last: 70,
            before: 100,
            at: at(50),
        };
        assert_eq!((seen.failed_runs, seen.listed), (0, Some(listed)));
    }
}

async fn claim(store: &dyn Store, kind: JobKind) -> Claim {
    let scope = Scope::Tenant(acme());
    let claim = store.claim(&request(kind, scope)).await.unwrap();
    claim.expect("there is work")
}

async fn commit(store: &dyn Store, claim: &Claim, units: Vec<Unit>) {
    for answer in store.commit(&acme(), claim.lease, units).await.unwrap() {
        answer.unwrap();
    }
    store.release(&acme(), claim.lease).await.unwrap();
}

#[tokio::test]
async fn the_overview_shows_each_kind_of_work_the_lanes_and_the_last_error() {
    let both = Both::new().await;
    let mut all = Vec::new();
    for store in &both.stores {
        let store = &**store;
        let stubs = (0..5).map(|n| stub(&n.to_string(), &format!("h{n}"), n));
        page(store, "me", run(1, Some(2)), stubs.collect()).await;
        assert_eq!((work(store).await.fetch, work(store).await.process), (5, 0));

        let fetch = claim(store, JobKind::Fetch).await;
        let units = fetch.items[1..].iter().map(fetched).collect();
        commit(store, &fetch, units).await;
        assert_eq!((work(store).await.fetch, work(store).await.process), (1, 4));

        let process = claim(store, JobKind::Process).await;
        let deliver = |item: &ClaimedItem| deliver_to(item, own_thread(item), "crm");
        let units = process.items.iter().map(deliver).collect();
        commit(store, &process, units).await;
        let sink = store.overview(&acme(), 10).await.unwrap().sinks.remove(0);
        assert_eq!((sink.counts.pending, sink.lanes.waiting), (4, 4));

        let deliver = claim(store, JobKind::Deliver).await;
        let sink = store.overview(&acme(), 10).await.unwrap().sinks.remove(0);
        assert_eq!((sink.lanes.waiting, sink.lanes.held), (0, 4));
        let ends = [
            DeliveredEnd::Done,
            DeliveredEnd::Retry {
                at: later(at(0), Duration::from_secs(600)),
                error: error("busy"),
            },
            DeliveredEnd::Dead {
                error: error("refused"),
                after: AfterDead::HoldLane,
            },
            DeliveredEnd::Dead {
                error: error("refused twice"),
                after: AfterDead::Continue,
            },
        ];
        let units = deliver.items.iter().zip(ends);
        let units = units.map(|(item, end)| delivered(item, end)).collect();
        commit(store, &deliver, units).await;
        let overview = store.overview(&acme(), 10).await.unwrap();
        let (seen, sink) = (&overview.mailboxes[0], &overview.sinks[0]);
        let counts = Counts {
            pending: 1,
            delivered: 1,
            dead: 2,
            ..Counts::default()
        };
        assert_eq!(sink.counts, counts);
        let lanes = LaneCounts {
            delayed: 1,
            parked: 1,
            ..LaneCounts::default()
        };
        assert_eq!(sink.lanes, lanes);
        assert_eq!(
            seen.counts,
            Counts {
                pending: 2,
                ..counts
            }
        );
        let last = seen.last_error.as_ref().unwrap();
        assert!(last.error.text.contains("refused") || last.error.text.contains("busy"));
        assert_eq!(last.at, both.clock.now());

        let dead = [uid(&acme(), "3"), uid(&acme(), "4")];
        assert_eq!(store.requeue(&acme(), &dead).await.unwrap(), 2);
        let again = store.overview(&acme(), 1).await.unwrap();
        assert_eq!(again.mailboxes.len(), 1, "no more than asked");
        assert_eq!(again.sinks[0].counts.pending, 3);
        assert_eq!(again.sinks[0].lanes.parked, 0);
        all.push((overview, again));
    }
    assert_eq!(all[0], all[1]);
    for store in &both.stores {
        let other = store.overview(&tenant("else"), 10).await.unwrap();
        assert_eq!(other, Overview::default());
    }
}

#[tokio::test]
async fn labels_of_the_listing_stand_and_those_of_the_fetch_fill_in() {
    let both = Both::new().await;
    for store in &both.stores {
        let store = &**store;
        let mut told = stub("1", "", 1);
        told.labels = Labels::new(["Sales", "VIP"]);
        page(
            store,
            "me",
            run(1, Some(2)),
            vec![told, stub("2", "", 2), stub("3", "", 3)],
        )
        .await;
        let fetch = claim(store, JobKind::Fetch).await;
        let units = fetch.items.iter().map(|item| {
            let Unit::Fetched {
                message,
                raw,
                received_at,
                thread_hint,
                ..
            } = fetched(item)
            else {
                panic!("raw bytes");
            };
            let late = (message != uid(&acme(), "3")).then_some("Late");
            let labels = Labels::new(late);
            Unit::Fetched {
                message,
                raw,
                received_at,
                thread_hint,
                labels,
            }
        });
        let units = units.collect();
        commit(store, &fetch, units).await;
        let process = claim(store, JobKind::Process).await;
        let expected: [&[&str]; 3] = [&["Sales", "VIP"], &["Late"], &[]];
        for (item, expected) in process.items.iter().zip(expected) {
            let Work::Process { labels, .. } = &item.work else {
                panic!("a decision");
            };
            assert_eq!(labels[..], *expected);
            let row = store.message(&acme(), item.message).await.unwrap().unwrap();
            assert_eq!(row.labels[..], *expected);
        }
        assert_eq!(process.items.len(), 3);
    }
}

#[tokio::test]
async fn tenants_with_a_mailbox_are_found_page_by_page_and_in_scope() {
    let both = Both::new().await;
    for store in &both.stores {
        let store = &**store;
        connect(store, &tenant("zeta")).await;
        let policy = policy::Policy::default();
        store.put_policy(&tenant("beta"), 0, policy).await.unwrap();
        let all = store.tenants(&Scope::All, None, 10).await.unwrap();
        assert_eq!(all, [acme(), tenant("zeta")], "beta has no mailbox");
        let first = store.tenants(&Scope::All, None, 1).await.unwrap();
        assert_eq!(first, [acme()]);
        let next = store.tenants(&Scope::All, Some(&acme()), 1).await.unwrap();
        assert_eq!(next, [tenant("zeta")]);
        let last = tenant("zeta");
        assert!(
            store
                .tenants(&Scope::All, Some(&last), 1)
                .await
                .unwrap()
                .is_empty()
        );
        let one = Scope::Tenant(tenant("zeta"));
        assert_eq!(
            store.tenants(&one, None, 10).await.unwrap(),
            [tenant("zeta")]
        );
        let none = Scope::Tenant(tenant("beta"));
        assert!(store.tenants(&none, None, 10).await.unwrap().is_empty());
    }
}
