//! The example's sink passes every check with nothing skipped, and its program shows records.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::sink::CrmSink;
use nextedge_core::{
    CallContext, Draft, FieldName, FieldValue, RecordId, RecordKind, RecordRef, Secret,
};
use nextedge_examples::custom_crm::crm::{FIELDS, Tansy, Thing, Trouble};
use nextedge_examples::custom_crm::sink::TansySink;
use nextedge_http::{ApiClient, RetryOptions, StaticToken};
use nextedge_testkit::run_all;
use nextedge_testkit::sink::{
    Account, CHECKS, Fault, Part, SeenActivity, SeenCrm, SeenFile, SeenRecord, SinkHarness,
    SinkWorld, Times,
};

struct Harness;

struct World(Tansy);

mod conformance {
    nextedge_testkit::sink_conformance!(super::Harness);
}

#[async_trait]
impl SinkHarness for Harness {
    async fn start(&self) -> Box<dyn SinkWorld> {
        let tokens = Account::ALL.map(token);
        Box::new(World(Tansy::start(&tokens).await.unwrap()))
    }
}

fn token(account: Account) -> &'static str {
    match account {
        Account::First => "token-first",
        Account::OtherTenant => "token-other-tenant",
        Account::OtherConnection => "token-other-connection",
    }
}

#[async_trait]
impl SinkWorld for World {
    fn sink(&self) -> Arc<dyn CrmSink> {
        let token_of = |cx: &CallContext| {
            let account = Account::of(cx.tenant().as_str(), cx.connection().id.as_str());
            account.map(|account| Secret::new(token(account)))
        };
        let at_once = RetryOptions::default()
            .with_backoff(Duration::ZERO, Duration::ZERO)
            .with_obeyed_wait(Duration::ZERO);
        let client = ApiClient::builder()
            .base_url(self.0.url())
            .tokens(StaticToken::by_connection(token_of))
            .retry(at_once);
        Arc::new(TansySink::new(client).unwrap())
    }

    fn draft(&self, kind: &RecordKind, title: &str) -> Draft {
        let name = kind.to_string();
        let (_, known) = FIELDS.iter().find(|(kind, _)| *kind == name).unwrap();
        let values = known.iter().map(|field| match *field {
            "name" | "title" => (FieldName::new(field), FieldValue::Text(title.to_owned())),
            other => (
                FieldName::new(other),
                FieldValue::Text(format!("a {other}")),
            ),
        });
        Draft {
            kind: kind.clone(),
            fields: values.collect(),
            notes: Vec::new(),
        }
    }

    async fn inject(&self, fault: &Fault) {
        self.0.set(Some(match fault.clone() {
            Fault::LoseResponse { part, times } => Trouble::LoseAnswers {
                paths: paths(part),
                once: times == Times::Once,
            },
            Fault::Throttle { part, after } => Trouble::Refuse {
                paths: part.map_or_else(|| vec!["/".to_owned()], paths),
                status: 429,
                after: after.as_secs(),
            },
            Fault::ExpireToken { part } => Trouble::Refuse {
                paths: part.map_or_else(|| vec!["/".to_owned()], paths),
                status: 401,
                after: 0,
            },
            Fault::Refuse {
                key, field, words, ..
            } => Trouble::BadField { key, field, words },
            Fault::Lock { record } => Trouble::Refuse {
                paths: vec![format!("/{}/{}", record.kind, record.id)],
                status: 423,
                after: 5,
            },
            Fault::Duplicate { address } => {
                return self.0.create(token(Account::First), "contact", &address);
            }
            Fault::Drift { field, .. } => Trouble::NoField { field },
            Fault::Stall { part } => Trouble::Hold { paths: paths(part) },
            Fault::Cut { part } => Trouble::Cut { paths: paths(part) },
        }));
    }

    async fn lift(&self) {
        self.0.set(None);
    }

    async fn seen(&self, account: Account) -> SeenCrm {
        let mut seen = SeenCrm::default();
        for thing in self.0.things(token(account)) {
            match thing.kind.as_str() {
                "file" => seen.files.push(SeenFile {
                    bytes: thing.content.len() as u64,
                    name: thing.key,
                    id: thing.id,
                }),
                "activity" => seen.activities.push(activity(&thing)),
                _ => seen.records.push(record(&thing)),
            }
        }
        seen
    }

    async fn holds(&self, account: Account, file: &SeenFile, bytes: &[u8]) -> bool {
        let things = self.0.things(token(account));
        things
            .iter()
            .any(|thing| thing.id == file.id && thing.content == bytes)
    }

    async fn calls(&self) -> usize {
        self.0.calls()
    }

    async fn stalled(&self) -> bool {
        self.0.is_holding()
    }

    fn secrets(&self) -> Vec<String> {
        Account::ALL
            .map(|account| token(account).to_owned())
            .to_vec()
    }
}

/// The paths of Tansy's writes of one part.
fn paths(part: Part) -> Vec<String> {
    let kinds: &[&str] = match part {
        Part::Company => &["company"],
        Part::Contact => &["contact"],
        Part::Record => &["lead", "case", "opportunity"],
        Part::File => &["file"],
        Part::Activity => &["activity"],
    };
    kinds.iter().map(|kind| format!("/{kind}/")).collect()
}

fn reference(id: &str) -> RecordRef {
    let kind = id.split('-').next().unwrap();
    RecordRef {
        kind: serde_json::from_value(kind.into()).unwrap(),
        id: RecordId::new(id).unwrap(),
    }
}

fn record(thing: &Thing) -> SeenRecord {
    let fields = thing.fields.as_object().unwrap().iter();
    let text = |(name, value): (&String, &serde_json::Value)| {
        (name.clone(), value["text"].as_str().unwrap().to_owned())
    };
    SeenRecord {
        record: reference(&thing.id),
        fields: fields.map(text).collect::<BTreeMap<_, _>>(),
    }
}

fn activity(thing: &Thing) -> SeenActivity {
    let text = |name: &str| thing.fields[name].as_str().unwrap().to_owned();
    let ids =
        |name: &str| -> Vec<String> { serde_json::from_value(thing.fields[name].clone()).unwrap() };
    SeenActivity {
        id: thing.id.clone(),
        subject: text("subject"),
        text: text("text"),
        sent_at: text("sent_at").parse().unwrap(),
        on: ids("on").iter().map(|id| reference(id)).collect(),
        files: ids("files"),
    }
}

#[tokio::test]
async fn nothing_is_skipped() {
    let report = run_all(CHECKS, &Harness).await;
    assert!(
        report.skipped().is_empty() && report.failed().is_empty(),
        "{report}"
    );
}

#[test]
fn the_sink_is_short_enough_for_a_tutorial() {
    let lines = include_str!("../custom_crm/sink.rs").lines().count();
    assert!(lines < 300, "{lines} lines");
}

#[test]
fn the_program_turns_mails_into_records() {
    let mut program = assert_cmd::Command::cargo_bin("custom_crm").unwrap();
    let run = program.assert().success();
    let shown = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    for wanted in [
        "Ann Lee",
        "Press does not start, error E14",
        "Purchase order 4711",
    ] {
        assert!(shown.contains(wanted), "{shown}");
    }
    let cases = shown
        .lines()
        .filter(|line| line.starts_with("case-"))
        .count();
    let mails = shown
        .lines()
        .filter(|line| line.starts_with("activity-"))
        .count();
    assert_eq!((cases, mails), (1, 3), "{shown}");
}

#[test]
fn the_guide_shows_code_of_the_example() {
    let guide = include_str!("../../docs/guide/connector.md");
    let plain = |text: &str| -> String {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| format!("{line}\n")).collect()
    };
    let sources = [
        plain(include_str!("../custom_crm/sink.rs")),
        plain(include_str!("custom_crm.rs")),
    ];
    let blocks: Vec<&str> = guide.split("```rust,ignore\n").skip(1).collect();
    assert!(blocks.len() > 10, "{} blocks of code", blocks.len());
    for block in blocks {
        let code = plain(block.split("```").next().unwrap());
        let found = sources.iter().any(|source| source.contains(&code));
        assert!(found, "the example has no such code:\n{code}");
    }
}
