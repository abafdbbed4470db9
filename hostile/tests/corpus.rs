//! The corpus of hostile mail goes the whole way in a process of 512 MiB, and nothing breaks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use nextedge_hostile::shapes::{Expect, shapes};

#[test]
fn the_corpus_has_over_two_hundred_shapes_that_differ() {
    let corpus = shapes();
    assert!(corpus.len() >= 200, "{} shapes", corpus.len());
    let mut names = BTreeSet::new();
    let mut by_length: BTreeMap<usize, Vec<(&str, Vec<u8>)>> = BTreeMap::new();
    for shape in &corpus {
        let (name, raw) = (shape.name(), shape.raw());
        assert!(names.insert(name), "{name} twice");
        assert!(
            raw.len() > 64 << 10 || raw == shape.raw(),
            "{name} is not the same twice"
        );
        let same_length = by_length.entry(raw.len()).or_default();
        if let Some((other, _)) = same_length.iter().find(|(_, other)| *other == raw) {
            panic!("{name} and {other} are the same mail");
        }
        same_length.push((name, raw));
    }
    let reasons: BTreeSet<&str> = corpus
        .iter()
        .filter_map(|shape| match shape.expect() {
            Expect::Refused(reason) => Some(reason),
            Expect::Read => None,
        })
        .collect();
    assert!(
        reasons.len() >= 8,
        "every limit of the guard is met: {reasons:?}"
    );
}

/// Every mail ends delivered, parked, reviewed or quarantined as the corpus says, its raw bytes
/// kept, in less than 128 MiB, within the watchdog's 30 s; the process has 512 MiB in all.
#[test]
fn every_shape_comes_to_its_end_within_its_bounds() {
    let limited = format!("ulimit -v {}; exec \"$0\" --no-cpu-limit", 512 << 10);
    let output = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_hostile")])
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
    let counted = format!("{} shapes, 0 faults", shapes().len());
    assert!(stdout.contains(&counted), "{stdout}");
}
