//! The corpus of hostile mail goes the whole way in a process of 512 MiB, and nothing breaks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use nextedge_hostile::shapes::{Expect, shapes};
use sha2::{Digest, Sha256};

#[test]
fn the_corpus_has_over_two_hundred_shapes_that_differ() {
    let corpus = shapes();
    assert!(corpus.len() >= 200, "{} shapes", corpus.len());
    let mut names = BTreeSet::new();
    let mut bytes: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for shape in &corpus {
        assert!(
            names.insert(shape.name().to_owned()),
            "{} twice",
            shape.name()
        );
        let hash = Sha256::digest(shape.raw()).to_vec();
        assert_eq!(
            hash,
            Sha256::digest(shape.raw()).to_vec(),
            "{} is not the same twice",
            shape.name()
        );
        if let Some(other) = bytes.insert(hash, shape.name().to_owned()) {
            panic!("{} and {other} are the same mail", shape.name());
        }
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
