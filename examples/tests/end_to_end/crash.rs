//! `kill -9` at chosen moments, then `--resume`: nothing lost, nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Bench, Crm, ORDERS, Relay, Run, assert_same, orders, sample_inbox, triage};

type Picture = BTreeMap<&'static str, Vec<String>>;

/// What is read: the sample mails that `wanted` chooses by their expectation, first mails first.
struct Inbox {
    folder: TempDir,
    policy: PathBuf,
}

impl Inbox {
    fn of(wanted: impl Fn(&Value) -> bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let expected = fs::read_to_string(sample_inbox().join("expected.jsonl")).unwrap();
        let mut chosen = BTreeSet::new();
        for line in expected.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let of = line["expect"]["thread_of"].as_str();
            if of.map_or_else(|| wanted(&line["expect"]), |of| chosen.contains(of)) {
                let file = line["file"].as_str().unwrap();
                fs::copy(sample_inbox().join(file), folder.path().join(file)).unwrap();
                chosen.insert(file.to_owned());
            }
        }
        let policy = sample_inbox().with_file_name("sample-policy.toml");
        Self { folder, policy }
    }

    /// Everything but enquiries of new customers.
    fn without_leads() -> Self {
        Self::of(|expect| expect["category"] != "Lead")
    }

    fn leads() -> Self {
        Self::of(|expect| expect["category"] == "Lead")
    }

    fn args(&self) -> [&OsStr; 3] {
        let (folder, policy) = (self.folder.path(), self.policy.as_path());
        [
            folder.as_os_str(),
            OsStr::new("--policy"),
            policy.as_os_str(),
        ]
    }

    /// What the account shows after a run that nothing disturbed.
    fn undisturbed(&self) -> (Picture, Run) {
        let (crm, folder) = (Crm::start(), tempfile::tempdir().unwrap());
        let (db, url) = (folder.path().join("run.db"), crm.url());
        let to = [
            OsStr::new("--sandbox"),
            OsStr::new(&url),
            OsStr::new("--db"),
            db.as_os_str(),
        ];
        let run = triage(self.args().into_iter().chain(to));
        (crm.picture(), run)
    }

    /// Starts the program and kills it as soon as `moment` has come.
    fn run_until(&self, db: &Path, url: &str, moment: impl FnOnce() -> bool) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_triage"))
            .args(self.args())
            .args(["--json", "--sandbox", url, "--db"])
            .arg(db)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let came = moment();
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(came, "the moment to kill the program never came");
        assert_eq!(status.code(), None, "the program was done before the kill");
    }

    /// Applied by the CRM, the answer never seen: the worst moment for each kind of write.
    fn killed_after(&self, write: &'static str, count: usize) {
        let (crm, folder) = (Arc::new(Crm::start()), tempfile::tempdir().unwrap());
        let db = folder.path().join("run.db");
        let seen = Arc::clone(&crm);
        let relay = Relay::start(crm.address(), move || {
            let writes = seen.writes();
            let paths = writes.iter().map(|one| one["path"].as_str().unwrap());
            paths.filter(|path| path.ends_with(write)).count() >= count
        });
        self.run_until(&db, &relay.url(), || relay.wait());
        self.check(&crm, &resume(&db, &crm), write);
    }

    /// The account and the ledger are as if nothing had disturbed the run.
    fn check(&self, crm: &Crm, run: &Run, why: &str) {
        let (picture, whole) = self.undisturbed();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{why}");
        assert_same(&crm.picture(), &picture, why);
        assert_eq!(fates(run), fates(&whole), "{why}");
    }
}

fn resume(db: &Path, crm: &Crm) -> Run {
    let url = crm.url();
    triage(["--resume", "--db", db.to_str().unwrap(), "--sandbox", &url])
}

/// The same mails with the same fates, whatever thread ids and records they got.
fn fates(run: &Run) -> BTreeMap<String, (String, bool)> {
    let fate = |row: &Value| {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let records = row["records"].as_array().unwrap();
        (text("id"), (text("outcome"), records.is_empty()))
    };
    run.rows.iter().map(fate).collect()
}

#[test]
fn killed_after_the_account_was_prepared() {
    // the box was not listed yet: a run that names it again goes on
    let (crm, folder) = (Arc::new(Crm::start()), tempfile::tempdir().unwrap());
    let (inbox, db) = (Inbox::of(|_| true), folder.path().join("run.db"));
    let seen = Arc::clone(&crm);
    let relay = Relay::start(crm.address(), move || !seen.writes().is_empty());
    inbox.run_until(&db, &relay.url(), || relay.wait());
    let url = crm.url();
    let to = [
        OsStr::new("--sandbox"),
        OsStr::new(&url),
        OsStr::new("--db"),
        db.as_os_str(),
    ];
    let run = triage(inbox.args().into_iter().chain(to));
    inbox.check(&crm, &run, "killed after the account was prepared");
}

#[test]
fn killed_after_companies_were_created() {
    Inbox::without_leads().killed_after("/companies/batch/create", 1);
}

#[test]
fn killed_after_contacts_were_created() {
    Inbox::without_leads().killed_after("/contacts/batch/create", 1);
}

#[test]
fn killed_after_tickets_were_created() {
    Inbox::without_leads().killed_after("/tickets/batch/create", 1);
}

#[test]
fn killed_after_a_file_was_uploaded() {
    Inbox::without_leads().killed_after("/files", 2);
}

#[test]
fn killed_after_the_first_activities_were_written() {
    Inbox::without_leads().killed_after("/emails/batch/create", 1);
}

#[test]
fn killed_after_later_activities_were_written() {
    Inbox::without_leads().killed_after("/emails/batch/create", 3);
}

#[test]
fn killed_after_contacts_of_leads_were_created() {
    Inbox::leads().killed_after("/contacts/batch/create", 1);
}

#[test]
fn killed_after_leads_were_created() {
    Inbox::leads().killed_after("/leads/batch/create", 1);
}

#[test]
fn killed_before_the_request_was_applied() {
    let (crm, folder) = (Crm::start(), tempfile::tempdir().unwrap());
    let (inbox, db) = (Inbox::without_leads(), folder.path().join("run.db"));
    crm.fault(json!({"path_contains": "tickets/batch/create", "delay_ms": 60_000}));
    inbox.run_until(&db, &crm.url(), || crm.wait(|crm| crm.faults_met() > 0));
    crm.clear_faults();
    inbox.check(
        &crm,
        &resume(&db, &crm),
        "killed before tickets were created",
    );
}

#[test]
fn killed_while_mail_is_read_and_judged() {
    let bench = Bench::of(&orders(300), ORDERS);
    let mut child = bench.start();
    let log = bench.path("db-wal");
    let grown = |_: &Crm| fs::metadata(&log).is_ok_and(|file| file.len() > 600_000);
    let came = bench.crm.wait(grown);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(came, "the database did not grow");
    assert!(
        bench.crm.record_writes().is_empty(),
        "the moment was too late"
    );
    // the box stays connected: no path is needed to read its rest
    bench.resume(&[]).assert_all_delivered(300);
    let mut once = bench.crm.values("emails", "hs_email_message_id");
    once.dedup();
    assert_eq!((once.len(), bench.crm.count("emails")), (300, 300));
}
