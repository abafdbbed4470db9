//! `kill -9` at chosen moments, then `--resume`: nothing lost, nothing twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;

use crate::support::{Crm, Relay, Run, assert_same, sample_inbox, triage};

type Picture = BTreeMap<&'static str, Vec<String>>;

/// What the account shows after a run that nothing disturbed.
fn undisturbed() -> (Picture, Run) {
    let (crm, folder) = (Crm::start(), tempfile::tempdir().unwrap());
    let db = folder.path().join("run.db");
    let run = triage(["--db", db.to_str().unwrap(), "--sandbox", &crm.url()]);
    (crm.picture(), run)
}

/// Starts the program and kills it as soon as `moment` has come.
fn run_until(db: &Path, url: &str, moment: impl FnOnce() -> bool) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_triage"))
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

fn resume(db: &Path, crm: &Crm) -> Run {
    let db = db.to_str().unwrap();
    triage(["--resume", "--db", db, "--sandbox", &crm.url(), "--patience", "20"])
}

/// The same mails with the same fates, whatever thread ids and records they got.
fn fates(run: &Run) -> BTreeMap<String, (String, bool)> {
    let fate = |row: &serde_json::Value| {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let records = row["records"].as_array().unwrap();
        (text("id"), (text("outcome"), records.is_empty()))
    };
    run.rows.iter().map(fate).collect()
}

/// Applied by the CRM, the answer never seen: the worst moment for each kind of write.
fn killed_after(write: &'static str, count: usize) {
    let (crm, folder) = (Arc::new(Crm::start()), tempfile::tempdir().unwrap());
    let db = folder.path().join("run.db");
    let seen = Arc::clone(&crm);
    let relay = Relay::start(crm.address(), move || {
        let writes = seen.writes();
        let paths = writes.iter().map(|one| one["path"].as_str().unwrap());
        paths.filter(|path| path.ends_with(write)).count() >= count
    });
    run_until(&db, &relay.url(), || relay.wait());
    let why = format!("killed after {write} {count}");
    let run = resume(&db, &crm);
    let (picture, whole) = undisturbed();
    assert_eq!(run.stderr, "", "{why}");
    assert_same(&crm.picture(), &picture, &why);
    assert_eq!(fates(&run), fates(&whole), "{why}");
}

#[test]
fn killed_after_the_account_was_prepared() {
    killed_after("/emails", 1);
}

#[test]
fn killed_after_companies_were_created() {
    killed_after("/companies/batch/create", 1);
}

#[test]
fn killed_after_contacts_were_created() {
    killed_after("/contacts/batch/create", 1);
}

#[test]
fn killed_after_tickets_were_created() {
    killed_after("/tickets/batch/create", 1);
}

#[test]
fn killed_after_leads_were_created() {
    killed_after("/leads/batch/create", 1);
}

#[test]
fn killed_after_a_file_was_uploaded() {
    killed_after("/files", 2);
}

#[test]
fn killed_after_the_first_activities_were_written() {
    killed_after("/emails/batch/create", 1);
}

#[test]
fn killed_after_later_activities_were_written() {
    killed_after("/emails/batch/create", 3);
}

#[test]
fn killed_before_the_request_was_applied() {
    let (crm, folder) = (Crm::start(), tempfile::tempdir().unwrap());
    let db = folder.path().join("run.db");
    crm.fault(json!({"path_contains": "tickets/batch/create", "delay_ms": 60_000}));
    run_until(&db, &crm.url(), || crm.wait(|crm| crm.faults_met() > 0));
    crm.clear_faults();
    let run = resume(&db, &crm);
    let (picture, whole) = undisturbed();
    assert_same(&crm.picture(), &picture, "killed before tickets were created");
    assert_eq!(fates(&run), fates(&whole));
}

#[test]
fn killed_while_mail_was_read() {
    let (crm, folder) = (Crm::start(), tempfile::tempdir().unwrap());
    let db = folder.path().join("run.db");
    run_until(&db, &crm.url(), || crm.wait(|crm| !crm.journal().is_empty()));
    // the box may not have been listed to its end: name it again
    let inbox = sample_inbox();
    let again = [db.to_str().unwrap(), inbox.to_str().unwrap()];
    let run = triage(["--resume", "--sandbox", &crm.url(), "--db", again[0], again[1]]);
    assert_eq!(run.rows.len(), undisturbed().1.rows.len());
    assert_eq!((run.count("pending"), run.count("dead")), (0, 0));
}
