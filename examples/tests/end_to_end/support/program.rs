//! Runs the real program.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// What a run of `triage --json` said.
pub(crate) struct Run {
    pub(crate) rows: Vec<Value>,
    pub(crate) summary: Value,
    pub(crate) code: i32,
    pub(crate) stderr: String,
}

impl Run {
    /// Reads the output of `--json`: a row a mail, the summary last.
    pub(crate) fn of(output: &Output) -> Self {
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        let lines = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let mut rows: Vec<Value> = lines.collect();
        let last = rows.pop().unwrap_or_else(|| panic!("no output: {stderr}"));
        Self {
            rows,
            summary: last["summary"].clone(),
            code: output.status.code().unwrap(),
            stderr,
        }
    }

    /// How many mails ended so, by the summary; it must agree with the rows.
    pub(crate) fn count(&self, outcome: &str) -> usize {
        let rows = self
            .rows
            .iter()
            .filter(|row| row["outcome"] == outcome)
            .count();
        assert_eq!(self.summary[outcome], rows, "summary and rows disagree");
        rows
    }

    /// Panics unless all of `count` mails were delivered.
    pub(crate) fn assert_all_delivered(&self, count: usize) {
        let others: Vec<&Value> = self
            .rows
            .iter()
            .filter(|row| row["outcome"] != "delivered")
            .collect();
        assert!(others.is_empty(), "{others:#?}\n{}", self.stderr);
        assert_eq!(self.count("delivered"), count, "{}", self.stderr);
    }
}

/// Runs the program and returns what it printed and how it ended.
pub(crate) fn try_triage<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    Command::cargo_bin("triage")
        .unwrap()
        .args(args)
        .env_remove("NEXTEDGE_HUBSPOT_TOKEN")
        .env_remove("RUST_LOG")
        .timeout(std::time::Duration::from_secs(60))
        .output()
        .unwrap()
}

/// Runs the program with `--json`.
pub(crate) fn triage<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Run {
    let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
    Run::of(&try_triage(args.chain(["--json".into()])))
}

pub(crate) fn sample_inbox() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/sample-inbox"))
}
