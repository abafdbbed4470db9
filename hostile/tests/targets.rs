//! The fuzz targets on stable: every seed, and a fixed number of mutations of each target.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nextedge_hostile::mutate::mutate;
use nextedge_hostile::seeds;
use nextedge_hostile::targets::{TARGETS, Target};

/// Runs a target; what breaks it is shown as text that a regression test can take over.
fn run(target: &Target) {
    let seeds = seeds::of(target);
    assert!(
        seeds.inputs.len() >= 4,
        "{} has {} seeds",
        target.name,
        seeds.inputs.len()
    );
    for seed in &seeds.inputs {
        call(target, seed);
    }
    for number in 0..mutations() {
        let seed = &seeds.inputs[usize::try_from(number).unwrap() % seeds.inputs.len()];
        call(target, &mutate(seed, seeds.words, number));
    }
}

fn call(target: &Target, data: &[u8]) {
    let done = std::panic::catch_unwind(|| (target.run)(data));
    assert!(
        done.is_ok(),
        "{} breaks on b\"{}\"",
        target.name,
        data.escape_ascii()
    );
}

/// How many mutations each target meets; `NEXTEDGE_MUTATIONS` runs more.
fn mutations() -> u64 {
    let wanted = std::env::var("NEXTEDGE_MUTATIONS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

fn named(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

#[test]
fn raw_mail_survives_seeds_and_mutations() {
    run(named("raw_mail"));
}

#[test]
fn html_survives_seeds_and_mutations() {
    run(named("html"));
}

#[test]
fn mbox_survives_seeds_and_mutations() {
    run(named("mbox"));
}

#[test]
fn policy_survives_seeds_and_mutations() {
    run(named("policy"));
}

#[test]
fn template_survives_seeds_and_mutations() {
    run(named("template"));
}

#[test]
fn hubspot_json_survives_seeds_and_mutations() {
    run(named("hubspot_json"));
}
