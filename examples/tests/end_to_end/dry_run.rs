//! `--dry-run` and `--limit`: looking without writing, and reading only so much.

use crate::support::{Bench, ORDERS, is_write, orders};

#[test]
fn a_dry_run_makes_plans_and_writes_nothing() {
    let bench = Bench::of(&orders(5), ORDERS);
    let run = bench.run(&["--dry-run"]);
    assert_eq!((run.code, run.rows.len()), (0, 5), "{}", run.stderr);
    assert!(run.rows.iter().all(|row| row["category"] == "Case"));
    let writes: Vec<_> = bench.crm.journal().into_iter().filter(is_write).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    assert!(!bench.path("db").exists(), "a dry run keeps nothing");
}

#[test]
fn a_limit_lists_so_many_mails_and_a_later_run_reads_the_rest() {
    let bench = Bench::of(&orders(12), ORDERS);
    let run = bench.run(&["--limit", "5"]);
    assert_eq!(run.summary["listed"], 5);
    run.assert_all_delivered(5);
    bench.run(&[]).assert_all_delivered(12);
    assert_eq!(bench.crm.count("emails"), 12);
}
