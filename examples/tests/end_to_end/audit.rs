//! The audit says of every call to the CRM, once, what was asked and how it ended.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Bench, ORDERS, is_write, orders};

type Calls = BTreeMap<(String, String, Option<u64>), usize>;

fn audited(bench: &Bench, filters: &[&str]) -> Vec<Value> {
    let words = ["audit", "--json", "--limit", "10000"];
    let words: Vec<&str> = words.iter().chain(filters).copied().collect();
    let rows = bench.says(&words);
    rows.lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}

/// Counts calls by verb, path and status; a call without an answer has none.
fn tally<'a>(calls: impl Iterator<Item = &'a Value>, verb: &str) -> Calls {
    let mut tally = Calls::new();
    for call in calls {
        let text = |field: &str| call[field].as_str().unwrap().to_owned();
        let status = call["status"].as_u64().filter(|status| *status != 0);
        *tally.entry((text(verb), text("path"), status)).or_default() += 1;
    }
    tally
}

#[test]
fn each_call_in_the_journal_has_exactly_one_audit_row() {
    let bench = Bench::of(&orders(20), ORDERS);
    for fault in [
        json!({"name": "rate_limit", "retry_after": 1, "path_contains": "companies/batch/create"}),
        json!({"status": 502, "path_contains": "contacts/batch/read"}),
        json!({"name": "lose_response", "path_contains": "tickets/batch/create"}),
    ] {
        bench.crm.fault(fault);
    }
    bench.run(&["--patience", "10"]).assert_all_delivered(20);
    assert_eq!(bench.crm.faults_met(), 3);
    let (journal, rows) = (bench.crm.journal(), audited(&bench, &[]));
    assert_eq!(tally(rows.iter(), "verb"), tally(journal.iter(), "method"));
    let wrote = rows.iter().filter(|row| row["writes"] == true);
    let writes = journal.iter().filter(|entry| is_write(entry));
    assert_eq!(tally(wrote, "verb"), tally(writes, "method"));
}

#[test]
fn each_written_record_names_the_mails_it_was_written_for() {
    let bench = Bench::of(&orders(20), ORDERS);
    bench.run(&[]).assert_all_delivered(20);
    let rows = audited(&bench, &["--type", "tickets.batch_create"]);
    let messages = rows
        .iter()
        .map(|row| row["messages"].as_array().unwrap().len());
    let records = rows
        .iter()
        .map(|row| row["records"].as_array().unwrap().len());
    assert_eq!((messages.sum::<usize>(), records.sum::<usize>()), (20, 20));
}

#[test]
fn the_audit_is_searched_by_type_status_and_time() {
    let bench = Bench::of(&orders(3), ORDERS);
    bench
        .crm
        .fault(json!({"status": 502, "path_contains": "contacts/batch/read"}));
    bench.run(&[]).assert_all_delivered(3);
    let all = audited(&bench, &[]);
    let failed = audited(&bench, &["--status", "502"]);
    assert_eq!(failed.len(), 1, "{failed:#?}");
    let companies = audited(&bench, &["--type", "companies"]);
    assert!(!companies.is_empty());
    let named = |row: &Value| row["operation"].as_str().unwrap().contains("companies");
    assert!(companies.iter().all(named));
    let middle = all[all.len() / 2]["at"].as_str().unwrap();
    let later = audited(&bench, &["--since", middle]);
    let expected = all.iter().filter(|row| row["at"].as_str() >= Some(middle));
    assert_eq!(later.len(), expected.count());
    assert!(audited(&bench, &["--since", "2100-01-01T00:00:00Z"]).is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = Bench::of(&orders(1), ORDERS);
    bench.run(&[]).assert_all_delivered(1);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_triage"))
        .args(["audit", "--json", "--db"])
        .arg(bench.path("db"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.is_empty(), "{text}");
}
