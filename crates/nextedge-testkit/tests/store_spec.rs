//! The specification of stores names every check, and no check that does not exist.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use nextedge_testkit::store::CHECKS;

#[test]
fn each_check_stands_in_the_specification() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/store-spec.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().skip_while(|line| *line != "## Order");
    let quoted = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    let quoted: BTreeSet<&str> = quoted.collect();
    let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
    let missing: Vec<_> = names.difference(&quoted).collect();
    assert!(missing.is_empty(), "not in the specification: {missing:?}");
    // names of checks are longer than other words with underscores
    let looks_like_a_check = |word: &&&str| word.matches('_').count() > 1;
    let unknown = quoted.difference(&names).filter(looks_like_a_check);
    let unknown: Vec<_> = unknown.collect();
    assert!(unknown.is_empty(), "no such checks: {unknown:?}");
}
