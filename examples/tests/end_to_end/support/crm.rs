//! A sandbox that tests without a runtime of their own can look into.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use nextedge_sandbox::{RateLimit, Sandbox};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A running CRM. A panic of one of its handlers fails the test that holds it.
pub(crate) struct Crm {
    sandbox: Option<Sandbox>,
    runtime: Runtime,
}

impl Crm {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let start = Sandbox::builder().rate_limit(RateLimit::None).start();
        let sandbox = Some(runtime.block_on(start).unwrap());
        Self { sandbox, runtime }
    }

    pub(crate) fn url(&self) -> String {
        self.inner().hubspot_url()
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.inner().address()
    }

    pub(crate) fn fault(&self, fault: Value) {
        self.inner().fault(fault).unwrap();
    }

    pub(crate) fn clear_faults(&self) {
        self.inner().clear_faults();
    }

    /// How many requests met a fault.
    pub(crate) fn faults_met(&self) -> u64 {
        let faults = self.inner().faults();
        let list = faults.as_array().unwrap();
        list.iter()
            .map(|fault| fault["met"].as_u64().unwrap())
            .sum()
    }

    pub(crate) fn seed(&self, seed: Value) {
        self.inner().seed(seed).unwrap();
    }

    pub(crate) fn journal(&self) -> Vec<Value> {
        self.inner().journal()
    }

    /// The journalled requests that change something, refused and lost ones too.
    pub(crate) fn writes(&self) -> Vec<Value> {
        let journal = self.journal().into_iter();
        journal.filter(is_write).collect()
    }

    /// The writes to records, without those that prepare the account.
    pub(crate) fn record_writes(&self) -> Vec<Value> {
        let writes = self.writes().into_iter();
        writes
            .filter(|one| !path(one).contains("/properties/"))
            .collect()
    }

    pub(crate) fn records(&self, object: &str) -> Vec<Value> {
        self.inner().records(object)
    }

    pub(crate) fn count(&self, object: &str) -> usize {
        self.records(object).len()
    }

    /// One property of every record of a type, sorted.
    pub(crate) fn values(&self, object: &str, property: &str) -> Vec<String> {
        let records = self.records(object);
        let values = records.iter().map(|one| {
            let value = &one["properties"][property];
            value.as_str().unwrap_or_default().to_owned()
        });
        let mut values: Vec<String> = values.collect();
        values.sort();
        values
    }

    /// Waits until something holds of the account; `false` if it does not within 20 s.
    pub(crate) fn wait(&self, holds: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            if Instant::now() > until {
                return false;
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        true
    }

    /// All records as one text, to look for what must be nowhere.
    pub(crate) fn everything(&self) -> String {
        self.inner().state().to_string()
    }

    /// What a person would see in the CRM, without ids and times: to compare two accounts.
    pub(crate) fn picture(&self) -> BTreeMap<&'static str, Vec<String>> {
        const SHOWN: [(&str, &str); 6] = [
            ("companies", "domain"),
            ("contacts", "email"),
            ("leads", "hs_lead_name"),
            ("deals", "dealname"),
            ("tickets", "subject"),
            ("emails", "hs_email_message_id"),
        ];
        let rows = SHOWN.map(|(object, property)| {
            let records = self.records(object);
            let mut rows: Vec<String> = records.iter().map(|one| row(one, property)).collect();
            rows.sort();
            (object, rows)
        });
        rows.into_iter().collect()
    }

    fn inner(&self) -> &Sandbox {
        self.sandbox.as_ref().unwrap()
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        let _guard = self.runtime.enter();
        drop(self.sandbox.take());
    }
}

/// Panics with the differences unless two accounts show a person the same.
pub(crate) fn assert_same(
    is: &BTreeMap<&'static str, Vec<String>>,
    should: &BTreeMap<&'static str, Vec<String>>,
    why: &str,
) {
    let mut wrong = Vec::new();
    for (object, rows) in should {
        let (more, fewer) = (minus(&is[object], rows), minus(rows, &is[object]));
        wrong.extend(more.iter().map(|row| format!("{object} too many: {row}")));
        wrong.extend(fewer.iter().map(|row| format!("{object} missing: {row}")));
    }
    assert!(wrong.is_empty(), "{why}: {wrong:#?}");
}

/// The rows of `left` that `right` does not have, each as often as it is missing.
fn minus(left: &[String], right: &[String]) -> Vec<String> {
    let mut rest = right.to_vec();
    let mut out = Vec::new();
    for row in left {
        match rest.iter().position(|one| one == row) {
            Some(at) => drop(rest.swap_remove(at)),
            None => out.push(row.clone()),
        }
    }
    out
}

/// Whether a journalled request changes something: reads also travel as POST.
pub(crate) fn is_write(entry: &Value) -> bool {
    let reads = path(entry).ends_with("/batch/read") || path(entry).ends_with("/search");
    entry["method"] != "GET" && !reads
}

fn path(entry: &Value) -> &str {
    entry["path"].as_str().unwrap()
}

fn row(record: &Value, property: &str) -> String {
    let mut linked: BTreeMap<&str, usize> = BTreeMap::new();
    for one in record["associations"].as_array().unwrap() {
        *linked.entry(one["to_type"].as_str().unwrap()).or_default() += 1;
    }
    let shown = record["properties"][property].as_str().unwrap_or_default();
    format!("{shown} -> {linked:?}")
}
