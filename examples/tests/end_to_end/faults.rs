//! What the CRM does to us: lost answers, throttling, refusals, many threads of one sender.

use serde_json::{Value, json};

use crate::support::{Bench, ORDERS, mail, orders};

/// The Message-IDs on the timeline, each as often as it stands there.
fn timeline(bench: &Bench) -> Vec<String> {
    bench.crm.values("emails", "hs_email_message_id")
}

fn message_ids(count: u32) -> Vec<String> {
    let mut ids: Vec<String> = (0..count)
        .map(|n| format!("order-{n}@firm-{n}.example"))
        .collect();
    ids.sort();
    ids
}

fn assert_one_of_each(bench: &Bench, count: u32) {
    assert_eq!(timeline(bench), message_ids(count));
    for object in ["companies", "contacts", "tickets"] {
        assert_eq!(bench.crm.count(object), count as usize, "{object}");
    }
}

#[test]
fn a_lost_answer_leaves_one_record_and_one_mail() {
    for lost in [
        "companies/batch/create",
        "contacts/batch/create",
        "tickets/batch/create",
        "emails/batch/create",
    ] {
        let bench = Bench::of(&orders(5), ORDERS);
        bench
            .crm
            .fault(json!({"name": "lose_response", "path_contains": lost}));
        let run = bench.run(&[]);
        assert_eq!(bench.crm.faults_met(), 1, "{lost}");
        run.assert_all_delivered(5);
        assert_one_of_each(&bench, 5);
    }
}

#[test]
fn an_enquiry_stays_a_lead_whatever_its_first_attempt_met() {
    let policy = ORDERS.replace("Case", "Lead");
    for fault in [
        json!({"name": "lose_response", "path_contains": "contacts/batch/create"}),
        json!({"name": "lose_response", "path_contains": "leads/batch/create"}),
        json!({"name": "rate_limit", "retry_after": 1, "path_contains": "leads/batch/create"}),
    ] {
        let bench = Bench::of(&orders(5), &policy);
        bench.crm.fault(fault.clone());
        bench.run(&["--patience", "10"]).assert_all_delivered(5);
        assert_eq!(bench.crm.faults_met(), 1, "{fault}");
        let counts = ["contacts", "leads", "deals"].map(|object| bench.crm.count(object));
        assert_eq!(counts, [5, 5, 0], "{fault}");
        assert_eq!(timeline(&bench), message_ids(5));
    }
}

#[test]
fn throttling_pauses_the_connection_and_the_run_still_completes() {
    let bench = Bench::of(&orders(5), ORDERS);
    bench.crm.fault(json!({
        "name": "rate_limit", "retry_after": 1, "times": 4, "path_contains": "batch/create",
    }));
    let run = bench.run(&["--patience", "10"]);
    assert!(bench.crm.faults_met() > 0);
    run.assert_all_delivered(5);
    assert_one_of_each(&bench, 5);
}

#[test]
fn mail_waits_while_the_crm_throttles_and_says_so() {
    let bench = Bench::of(&orders(5), ORDERS);
    bench.crm.fault(json!({
        "name": "rate_limit", "retry_after": 1, "times": "always", "path_contains": "batch/create",
    }));
    let waiting = bench.run(&["--patience", "0"]);
    assert_eq!((waiting.code, waiting.count("pending")), (0, 5));
    // one probe at a time: far fewer calls than mails times retries
    assert!(bench.crm.faults_met() <= 6, "{}", bench.crm.faults_met());
    bench.crm.clear_faults();
    bench.resume(&[]).assert_all_delivered(5);
    assert_one_of_each(&bench, 5);
}

#[test]
fn mail_waits_while_the_crm_is_down_and_the_status_says_why() {
    let bench = Bench::of(&orders(5), ORDERS);
    bench.crm.fault(json!({
        "drop": "before_apply", "times": "always", "path_contains": "batch/",
    }));
    let waiting = bench.run(&["--patience", "0"]);
    assert_eq!((waiting.code, waiting.count("pending")), (0, 5));
    assert_eq!(bench.crm.count("contacts"), 0);
    bench.crm.clear_faults();
    bench.resume(&["--patience", "10"]).assert_all_delivered(5);
    assert_one_of_each(&bench, 5);
}

#[test]
fn a_refused_record_asks_a_person_and_the_other_99_of_its_batch_are_delivered() {
    let bench = Bench::of(&orders(100), ORDERS);
    bench.crm.seed(json!({"hubspot": {"conditional": [{
        "object": "tickets", "property": "subject", "value": "Order 42",
        "require": ["hs_resolution"],
    }]}}));
    let run = bench.run(&[]);
    let others: Vec<&Value> = run
        .rows
        .iter()
        .filter(|row| row["outcome"] != "delivered")
        .collect();
    assert_eq!(others.len(), 1, "{others:#?}");
    let outcome = others[0]["outcome"].as_str().unwrap();
    assert!(["review", "dead"].contains(&outcome), "{}", others[0]);
    assert_eq!(others[0]["message_id"], "order-42@firm-42.example");
    let reason = others[0]["reason"].as_str().unwrap();
    let shown = bench.says(&["review", "list"]);
    assert!(
        reason.contains("hs_resolution") || shown.contains("hs_resolution"),
        "neither the reason nor the review item names the property: {reason}; {shown}"
    );
    assert_eq!(bench.crm.count("tickets"), 99);
    assert_eq!(timeline(&bench).len(), 99);
}

#[test]
fn fifty_threads_of_one_new_sender_make_one_contact_and_one_company() {
    let one = |n: u32| {
        let id = format!("thread-{n}@new.example");
        mail(&id, n, "ann.lee@new.example", &format!("Order {n}"))
    };
    let bench = Bench::of(&(0..50).map(one).collect::<Vec<_>>(), ORDERS);
    bench.run(&["--patience", "10"]).assert_all_delivered(50);
    assert_eq!(
        bench.crm.values("contacts", "email"),
        ["ann.lee@new.example"]
    );
    assert_eq!(bench.crm.values("companies", "domain"), ["new.example"]);
    assert_eq!(bench.crm.count("tickets"), 50);
    assert_eq!(timeline(&bench).len(), 50);
}
