//! What an operator sees: the watch view, the status, the replay of what was given up.

use serde_json::{Value, json};

use crate::support::{Bench, ORDERS, orders, try_triage};

/// Runs without `--json`; what it printed.
fn watched(bench: &Bench) -> String {
    let text = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let (inbox, policy, db, url) = (
        text("inbox"),
        text("policy.toml"),
        text("db"),
        bench.crm.url(),
    );
    let args = [
        inbox.as_str(),
        "--policy",
        &policy,
        "--db",
        &db,
        "--sandbox",
        &url,
        "--watch",
        "--patience",
        "0",
    ];
    let output = try_triage(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn status(bench: &Bench) -> Value {
    serde_json::from_str(&bench.says(&["status", "--json"])).unwrap()
}

#[test]
fn the_watch_view_prints_plain_lines_and_the_status_shows_the_same_afterwards() {
    let bench = Bench::of(&orders(5), ORDERS);
    let shown = watched(&bench);
    let line = |start: &str| {
        let found = shown.lines().rfind(|line| line.contains(start));
        found
            .unwrap_or_else(|| panic!("no {start}: {shown}"))
            .to_owned()
    };
    assert!(!shown.contains('\u{1b}'), "no escapes without a terminal");
    let mailbox = line("  mailbox ");
    assert!(
        mailbox.contains("100 % (5/5)") && mailbox.contains("fresh "),
        "{mailbox}"
    );
    let sink = line("  sink ");
    assert!(
        sink.contains("hubspot") && sink.contains("100 % (5/5)"),
        "{sink}"
    );
    assert!(
        sink.contains("0 waiting, 0 delayed, 0 held, 0 in review, 0 parked"),
        "{sink}"
    );
    let run = line("  run ");
    assert!(
        run.contains("success") && run.contains("5 listed, 5 new"),
        "{run}"
    );
    assert!(!shown.contains("ALERT"), "{shown}");

    let text = bench.says(&["status"]);
    assert!(text.contains("100 % (5/5)"), "{text}");
    let all = status(&bench);
    assert_eq!(all["status"]["counts"]["delivered"], 5);
    assert_eq!(all["status"]["sinks"][0]["progress"]["percent"], 100);
    assert_eq!(all["runs"][0]["run"]["listed"], 5);
    assert_eq!(all["alerts"], json!([]));
}

#[test]
fn the_status_of_a_paused_sink_says_until_when_and_why() {
    let bench = Bench::of(&orders(5), ORDERS);
    bench.crm.fault(json!({
        "name": "rate_limit", "retry_after": 600, "times": "always", "path_contains": "batch/create",
    }));
    let shown = watched(&bench);
    assert!(shown.contains("paused until"), "{shown}");
    let all = status(&bench);
    let sink = &all["status"]["sinks"][0];
    assert_eq!(
        (&sink["progress"]["pending"], &sink["lanes"]["waiting"]),
        (&json!(5), &json!(5))
    );
    assert_eq!(sink["paused"][1]["kind"], "rate_limited");
    assert_eq!(
        sink["progress"]["remaining_seconds"],
        Value::Null,
        "nothing moves"
    );
}

#[test]
fn dead_letters_raise_an_alert_and_a_confirmed_replay_delivers_them() {
    let bench = Bench::of(&orders(12), ORDERS);
    // refused without a field to ask a person about
    bench.crm.fault(json!({
        "path_contains": "tickets/batch/create", "times": "always", "status": 400,
        "body": {"status": "error", "category": "VALIDATION_ERROR", "message": "no"},
    }));
    bench.run(&["--patience", "5"]);
    let all = status(&bench);
    let dead = all["status"]["counts"]["dead"].as_u64().unwrap();
    assert!(dead > 10, "{all}");
    let rules: Vec<&str> = all["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| alert["rule"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["dead_letters", "lane_parked"]);
    let text = bench.says(&["status"]);
    assert!(
        text.contains("ALERT   dead_letters") && text.contains("error   "),
        "{text}"
    );

    let shown = bench.says(&["replay"]);
    assert!(shown.contains(&format!("--confirm {dead}")), "{shown}");
    assert_eq!(
        status(&bench)["status"]["counts"]["dead"],
        dead,
        "nothing changed"
    );
    let refused = bench.command(&["replay", "--confirm", "3"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another number"));

    bench.crm.clear_faults();
    let done = bench.says(&["replay", "--confirm", &dead.to_string()]);
    assert!(
        done.contains(&format!("{dead} messages are pending again")),
        "{done}"
    );
    bench.resume(&["--patience", "10"]).assert_all_delivered(12);
    assert_eq!(bench.crm.count("tickets"), 12);
    assert_eq!(status(&bench)["alerts"], json!([]));
}
