//! Wrong input is refused before the first mail, or named while everything else is processed.

use std::fs;
use std::io::Write as _;
use std::process::Output;

use serde_json::json;

use crate::support::{Bench, ORDERS, mail, orders, triage, try_triage};

fn stderr(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn a_wrong_policy_is_refused_before_the_first_mail_with_field_line_and_remedy() {
    let bench = Bench::of(&orders(1), "\n[categories.Lead]\ntreshold = 0.9\n");
    let output = bench.try_run(&[]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    for part in ["categories.Lead.treshold", "3", "write `threshold`"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(bench.crm.journal().is_empty(), "the CRM was asked");
}

#[test]
fn a_missing_path_is_named() {
    let bench = Bench::of(&orders(1), ORDERS);
    let missing = bench.path("nowhere.mbox");
    let output = bench.try_run(&[missing.to_str().unwrap()]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.contains("nowhere.mbox") && text.contains("what to do"),
        "{text}"
    );
}

#[test]
fn an_unknown_flag_gets_the_usage() {
    let output = try_triage(["--frobnicate"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Usage"));
    let output = try_triage(["--resume"]);
    assert!(stderr(&output).contains("--db"), "{}", stderr(&output));
}

#[test]
fn a_crm_that_is_down_is_named_and_nothing_is_lost() {
    let bench = Bench::of(&orders(3), ORDERS);
    let (inbox, db) = (bench.path("inbox"), bench.path("db"));
    let (inbox, db) = (inbox.to_str().unwrap(), db.to_str().unwrap());
    let output = try_triage([inbox, "--db", db, "--sandbox", "http://127.0.0.1:1"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in ["http://127.0.0.1:1", "what to do: start the CRM"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    bench.run(&[]).assert_all_delivered(3);
}

#[test]
fn a_second_program_on_one_database_is_refused() {
    let bench = Bench::of(&orders(1), ORDERS);
    bench
        .crm
        .fault(json!({"path_contains": "tickets/batch/create", "delay_ms": 60_000}));
    let mut first = bench.start();
    assert!(bench.crm.wait(|crm| crm.faults_met() > 0));
    let second = bench.command(&["review", "list"]);
    first.kill().unwrap();
    first.wait().unwrap();
    let text = stderr(&second);
    assert_eq!(second.status.code(), Some(2), "{text}");
    assert!(text.contains("what to do"), "{text}");
}

#[test]
fn a_truncated_gzip_is_named_and_the_other_mails_are_processed() {
    let bench = Bench::of(&orders(4), ORDERS);
    let whole = gzip(mail("zip@zip.example", 9, "zip@zip.example", "Order zip").as_bytes());
    fs::write(bench.path("inbox/cut.eml.gz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(bench.path("inbox/whole.eml.gz"), &whole).unwrap();
    let run = bench.run(&[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("cut.eml.gz"), "{}", run.stderr);
    assert!(
        run.stderr.contains("1 items could not be read"),
        "{}",
        run.stderr
    );
    run.assert_all_delivered(5);
}

#[test]
fn a_broken_mbox_is_named_and_its_mails_are_processed() {
    let bench = Bench::of(&orders(1), ORDERS);
    let mut mbox = String::from("this is no separator line\r\nnor this\r\n\r\n");
    for mail in orders(3) {
        mbox.push_str("From buyer@firm.example Mon Nov  9 06:00:00 2026\r\n");
        mbox.push_str(&mail);
        mbox.push_str("\r\n");
    }
    let path = bench.path("broken.mbox");
    fs::write(&path, mbox).unwrap();
    let (policy, db) = (bench.path("policy.toml"), bench.path("mbox-db"));
    let run = triage([
        path.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
        "--db",
        db.to_str().unwrap(),
        "--sandbox",
        &bench.crm.url(),
    ]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("could not be read"), "{}", run.stderr);
    assert_eq!(run.count("delivered"), 3, "{:#?}", run.rows);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
