//! The `evaluate` program answers every readable row and names the others.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

const ROWS: &str = concat!(
    r#"{"id":"1","from":"Ann <ann@a.example>","subject":"Pump broken","body":"Since yesterday the pump does not start, error E4. Please send a technician or refund us.","label":"Case","urgency":"high"}"#,
    "\n\n",
    r#"{"id":"2","from":"news@n.example","subject":"Newsletter","body":"Top stories of the week. Read more online. Unsubscribe.","label":"None"}"#,
    "\n",
    r#"{"id":"3","subject":"no label","body":"We look for a supplier of pumps. What do they cost?"}"#,
    "\n",
);

fn evaluate(folder: &Path, rows: &str, more: &[&str]) -> (std::process::Output, Vec<Value>) {
    let (input, output) = (folder.join("rows.jsonl"), folder.join("out.jsonl"));
    fs::write(&input, rows).unwrap();
    let mut command = Command::cargo_bin("evaluate").unwrap();
    command
        .arg(&input)
        .arg("--classifier")
        .arg("offline")
        .arg("--predictions")
        .arg(&output);
    let done = command.args(more).output().unwrap();
    let lines = fs::read_to_string(&output).unwrap();
    (
        done,
        lines
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect(),
    )
}

#[test]
fn every_row_gets_one_line_and_the_summary_counts_labelled_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (done, predictions) = evaluate(folder.path(), ROWS, &["--json"]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let ids: Vec<&str> = predictions
        .iter()
        .map(|p| p["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["1", "2", "3"]);
    for prediction in &predictions {
        let shares = prediction["probabilities"].as_object().unwrap();
        let mut names: Vec<&str> = shares.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["Case", "Contact", "Lead", "None", "Opportunity"]);
        let sum: f64 = shares.values().map(|v| v.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-9);
        let category = prediction["category"].as_str().unwrap();
        assert_eq!(prediction["confidence"], shares[category]);
        assert!(prediction["urgency"].is_string());
    }
    let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (summary["rows"].as_u64(), summary["labelled"].as_u64()),
        (Some(3), Some(2))
    );
}

#[test]
fn bad_rows_are_named_by_line_and_the_others_answered() {
    let folder = tempfile::tempdir().unwrap();
    let rows = format!("not json\n{ROWS}{{\"id\":\"x\",\"label\":\"Sale\"}}\n");
    let (done, predictions) = evaluate(folder.path(), &rows, &[]);
    assert_eq!((done.status.code(), predictions.len()), (Some(1), 3));
    let errors = String::from_utf8(done.stderr).unwrap();
    assert!(
        errors.contains("line=1") && errors.contains("line=6"),
        "{errors}"
    );
    assert!(errors.contains("2 of 5 rows refused"), "{errors}");
    let summary = String::from_utf8(done.stdout).unwrap();
    for name in [
        "macro-F1",
        "ECE (15 bins)",
        "coverage at 0.80",
        "precision at 0.80",
    ] {
        assert!(summary.contains(name), "{summary}");
    }
}

#[test]
fn the_same_file_gives_the_same_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (
        evaluate(folder.path(), ROWS, &[]),
        evaluate(folder.path(), ROWS, &[]),
    );
    assert_eq!(first.1, second.1);
}

#[test]
fn a_missing_file_is_named() {
    let done = Command::cargo_bin("evaluate")
        .unwrap()
        .arg("nowhere.jsonl")
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(
        String::from_utf8(done.stderr)
            .unwrap()
            .contains("nowhere.jsonl")
    );
}
