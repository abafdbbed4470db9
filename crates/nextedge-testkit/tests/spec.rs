//! The specification and the suites name the same checks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

const SPEC: &str = include_str!("../../../docs/connector-spec.md");

/// The names in the last column of the rows of one part, without the prefix of the part.
fn named(part: &str) -> Vec<String> {
    let title = format!("\n## {part}\n");
    let start = SPEC.find(&title).expect("the part exists") + title.len();
    let rest = &SPEC[start..];
    let text = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| MUST") || line.starts_with("| SHOULD"));
    let name = |row: &str| {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let name = cell
            .strip_prefix('`')
            .and_then(|cell| cell.strip_suffix('`'));
        let name = name.unwrap_or_else(|| panic!("no check is named in {row}"));
        name.rsplit("::").next().unwrap().to_owned()
    };
    rows.map(name).collect()
}

fn compare(part: &str, checks: Vec<&'static str>) {
    let rows = named(part);
    let names: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
    assert_eq!(names.len(), rows.len(), "{part}: a check is named twice");
    let checks: BTreeSet<&str> = checks.into_iter().collect();
    let unnamed: Vec<_> = checks.difference(&names).collect();
    let unknown: Vec<_> = names.difference(&checks).collect();
    assert!(
        unnamed.is_empty(),
        "{part}: the specification does not name {unnamed:?}"
    );
    assert!(unknown.is_empty(), "{part}: there is no check {unknown:?}");
}

#[test]
fn every_check_has_a_rule_and_every_rule_a_check() {
    use nextedge_testkit::{classifier, sink, source};
    compare(
        "Sinks",
        sink::CHECKS
            .iter()
            .map(nextedge_testkit::Check::name)
            .collect(),
    );
    compare(
        "Sources",
        source::CHECKS
            .iter()
            .map(nextedge_testkit::Check::name)
            .collect(),
    );
    compare(
        "Classifiers",
        classifier::CHECKS
            .iter()
            .map(nextedge_testkit::Check::name)
            .collect(),
    );
}

#[test]
fn every_line_of_a_table_is_a_must_or_a_should() {
    for line in SPEC.lines().filter(|line| line.starts_with('|')) {
        let head = line.starts_with("| | Rule") || line.starts_with("|---");
        let rule = line.starts_with("| MUST | ") || line.starts_with("| SHOULD | ");
        assert!(head || rule, "{line}");
    }
}
