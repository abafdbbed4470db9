//! What waits for a person, and that exactly the person's decision is carried out.

use crate::support::{Bench, mail};

/// Asks a person about every order.
const ASK: &str = r#"
[[rules]]
name = "ask"
when = [{ subject_contains = ["order"] }]
then = [{ set_category = "Case" }, "review"]
"#;

fn bench() -> Bench {
    let mails: Vec<String> = ["yes", "no", "other", "open"]
        .into_iter()
        .zip(0..)
        .map(|(name, n)| {
            let from = format!("{name}@{name}.example");
            mail(
                &format!("{name}@{name}.example"),
                n,
                &from,
                &format!("Order {name}"),
            )
        })
        .collect();
    Bench::of(&mails, ASK)
}

/// The id of the open item about an order.
fn item(bench: &Bench, name: &str) -> String {
    let list = bench.says(&["review", "list"]);
    let line = list
        .lines()
        .find(|line| line.contains(&format!("Order {name}")));
    let line = line.unwrap_or_else(|| panic!("no item for {name}: {list}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn decisions_are_carried_out_by_the_next_run() {
    let bench = bench();
    let run = bench.run(&[]);
    assert_eq!(
        (run.count("review"), bench.crm.record_writes().len()),
        (4, 0)
    );
    let (yes, no, other) = (
        item(&bench, "yes"),
        item(&bench, "no"),
        item(&bench, "other"),
    );
    let shown = bench.says(&["review", "show", &yes]);
    assert!(
        shown.contains("Order yes") && shown.contains("why:"),
        "{shown}"
    );
    bench.says(&["review", "approve", &yes[..12]]);
    bench.says(&["review", "reject", &no]);
    bench.says(&["review", "correct", &other, "Opportunity"]);
    assert!(bench.says(&["review", "list"]).contains("1 open item"));
    let run = bench.resume(&[]);
    let outcome = |name: &str| {
        let id = format!("{name}@{name}.example");
        let row = run.rows.iter().find(|row| row["message_id"] == id.as_str());
        let row = row.unwrap();
        (
            row["outcome"].as_str().unwrap(),
            row["reason"].as_str().unwrap(),
        )
    };
    assert_eq!(outcome("yes").0, "delivered");
    assert_eq!(outcome("other").0, "delivered");
    assert_eq!(outcome("open").0, "review");
    let (parked, reason) = outcome("no");
    assert_eq!(parked, "parked", "{reason}");
    assert_eq!(bench.crm.values("tickets", "subject").len(), 1);
    assert_eq!(bench.crm.values("deals", "dealname").len(), 1);
    let senders = bench.crm.values("contacts", "email");
    assert_eq!(senders, ["other@other.example", "yes@yes.example"]);
}

#[test]
fn a_decision_is_taken_once() {
    let bench = bench();
    bench.run(&[]);
    let yes = item(&bench, "yes");
    bench.says(&["review", "approve", &yes]);
    for second in [["review", "approve", &yes], ["review", "reject", &yes]] {
        let output = bench.command(&second);
        assert_eq!(output.status.code(), Some(2), "{second:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!text.is_empty() && !text.contains("panicked"), "{text}");
    }
    bench.resume(&[]);
    bench.resume(&[]);
    assert_eq!(bench.crm.count("tickets"), 1);
}

#[test]
fn an_unknown_item_is_named() {
    let bench = bench();
    bench.run(&[]);
    let output = bench.command(&["review", "approve", "zzzz"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.contains("zzzz") && text.contains("review list"),
        "{text}"
    );
}
