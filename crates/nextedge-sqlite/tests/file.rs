//! The file itself: one process at a time, crashes, full disks, group commit, other versions.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures::future::join_all;
use nextedge_core::policy::Policy;
use nextedge_core::store::*;
use nextedge_core::*;
use nextedge_sqlite::{SqliteOptions, SqliteStore};
use rusqlite::Connection as File;
use support::*;

#[test]
fn a_second_store_of_one_process_is_refused() {
    let f = Fixture::new();
    let error = SqliteStore::open(f.path(), SqliteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyRunning);
    assert!(error.action().unwrap().contains("its own database file"));
    assert_eq!(
        error.context("pid"),
        Some(std::process::id().to_string().as_str())
    );
    drop(f.reopened());
}

#[cfg(unix)]
#[test]
fn another_name_of_the_file_is_the_same_file() {
    let f = Fixture::new();
    let link = f.directory.path().join("link.db");
    std::os::unix::fs::symlink(f.path(), &link).unwrap();
    let error = SqliteStore::open(link, SqliteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyRunning);
}

/// Not a test of its own: the second process of the test below.
#[tokio::test]
#[ignore = "started by a_killed_process_frees_the_file_and_its_leases"]
async fn child_process() {
    let path = std::env::var("NEXTEDGE_CHILD_DB").unwrap();
    let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
    let t = tenant("acme");
    let request = request(JobKind::Process, Scope::Tenant(t));
    assert!(store.claim(&request).await.unwrap().is_some());
    #[allow(clippy::print_stdout)] // the parent waits for this line
    {
        println!("child ready");
    }
    std::future::pending::<()>().await;
}

fn child(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--ignored", "--nocapture"])
        .env("NEXTEDGE_CHILD_DB", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("child ready")));
    child
}

#[tokio::test]
async fn a_killed_process_frees_the_file_and_its_leases() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "a", 1)]).await;
    f.fetch_all(&t).await;
    let path = f.path();
    let Fixture {
        store, directory, ..
    } = f;
    drop(store);

    let mut other = child(&path);
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyRunning);
    other.kill().unwrap();
    other.wait().unwrap();

    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let scope = Scope::Tenant(t.clone());
    let due = store.next_due(&scope).await.unwrap().unwrap();
    let settled = SystemClock.now() + chrono::TimeDelta::seconds(121);
    assert!(
        due < settled,
        "the lease is over, only the settle time is left"
    );
    assert_eq!(store.counts(&t, None).await.unwrap().pending, 1);
    drop((store, directory));
}

#[tokio::test]
async fn work_started_before_a_crash_is_handed_out_as_unknown() {
    let t = tenant("acme");
    let f = Fixture::new().connected("acme").await;
    f.list(&t, vec![stub("1", "", 1), stub("2", "", 2)]).await;
    f.fetch_all(&t).await;
    f.process_all(&t).await;
    let lost = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(lost.items.len(), 2);

    let f = f.reopened();
    assert!(f.claim(&t, JobKind::Deliver).await.is_none(), "settles");
    f.advance(120);
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(uids(&claim), [uid(&t, "1")], "alone");
    assert!(claim.items[0].outcome_unknown);
    assert_eq!(claim.items[0].attempt, 1, "a crash burns no attempt");
    let late = delivered(&lost.items[0], DeliveredEnd::Done);
    let refused = f.one(&t, lost.lease, late).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);
}

#[tokio::test]
async fn concurrent_writes_share_transactions() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().with_group_wait(std::time::Duration::from_millis(20));
    let store = SqliteStore::open(directory.path().join("mail.db"), options).unwrap();
    let tenants: Vec<TenantId> = (0..100).map(|n| tenant(&format!("t{n}"))).collect();
    let before = store.commits();
    let writes = tenants
        .iter()
        .map(|tenant| store.put_policy(tenant, 0, Policy::default()));
    for written in join_all(writes).await {
        assert_eq!(written.unwrap(), 1);
    }
    let commits = store.commits() - before;
    assert!((1..=5).contains(&commits), "{commits} transactions");
}

#[tokio::test]
async fn a_refused_request_takes_no_other_of_its_group_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().with_group_wait(std::time::Duration::from_millis(20));
    let store = SqliteStore::open(directory.path().join("mail.db"), options).unwrap();
    let t = tenant("acme");
    let (good, bad, other) = tokio::join!(
        store.put_policy(&t, 0, Policy::default()),
        store.put_policy(&t, 7, Policy::default()),
        store.take_turns(&t, "rr", 3),
    );
    assert_eq!(good.unwrap(), 1);
    assert_eq!(bad.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(other.unwrap(), 0);
    assert_eq!(store.policy(&t).await.unwrap().version, 1);
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let t = tenant("acme");
    let clock = Arc::new(ManualClock::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.db");
    let small = SqliteOptions::default()
        .with_clock(clock.clone())
        .with_max_pages(Some(120));
    let f = Fixture {
        store: SqliteStore::open(&path, small).unwrap(),
        clock,
        directory,
    };
    let f = f.connected("acme").await;
    f.list(&t, (0..40).map(|n| stub(&n.to_string(), "", n)).collect())
        .await;
    let claim = f.claim(&t, JobKind::Fetch).await.unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for item in &claim.items {
        let unit = Unit::Fetched {
            message: item.message,
            raw: vec![b'x'; 20_000].into(),
            received_at: item.received_at,
            thread_hint: None,
            labels: Labels::default(),
        };
        match f.store.commit(&t, claim.lease, vec![unit]).await {
            Ok(_) => accepted += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StoreFull);
                assert_eq!(error.retry(), Retry::Backoff);
                refused += 1;
            }
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} and {refused}");

    let f = f.reopened();
    let sound: String = File::open(f.path())
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    f.fetch_all(&t).await;
    f.process_all(&t).await;
    let claim = f.claim(&t, JobKind::Deliver).await.unwrap();
    assert_eq!(claim.items.len(), 40, "what was refused came again");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let f = Fixture::new();
    let path = f.path();
    drop(f.store);
    let file = File::open(&path).unwrap();
    file.execute(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (999, 'later', '2030-01-01T00:00:00Z', '1')",
        [],
    )
    .unwrap();
    drop(file);
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.context("schema"), Some("999"));
}

#[test]
fn the_file_of_another_program_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    let file = File::open(&path).unwrap();
    file.execute_batch("CREATE TABLE notes (text)").unwrap();
    drop(file);
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_missing_directory_is_named() {
    let error = SqliteStore::open("/nowhere/at/all/mail.db", SqliteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.context("path").unwrap().contains("/nowhere"));
}

#[tokio::test]
async fn a_store_in_memory_does_the_same_work() {
    let store = SqliteStore::open_in_memory(SqliteOptions::default()).unwrap();
    let f = Fixture {
        store,
        clock: Arc::default(),
        directory: tempfile::tempdir().unwrap(),
    };
    let t = tenant("acme");
    let f = f.connected("acme").await;
    f.list(&t, vec![stub("1", "", 1)]).await;
    f.fetch_all(&t).await;
    f.process_all(&t).await;
    assert!(f.claim(&t, JobKind::Deliver).await.is_some());
}
