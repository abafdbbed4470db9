//! Work grows no faster than its input: counted, not timed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nextedge_core::mail::work_done;
use nextedge_hostile::shapes::scales;
use nextedge_hostile::way::read;

/// Bytes looked at while a mail is read, opened and sanitised.
fn work(raw: &[u8]) -> u64 {
    let before = work_done();
    read(raw).unwrap();
    work_done() - before
}

#[test]
fn four_times_as_much_of_anything_is_at_most_five_times_the_work() {
    let scales = scales();
    assert!(scales.len() >= 40, "{} growing shapes", scales.len());
    let mut wrong = Vec::new();
    for scale in scales {
        let (one, four) = ((scale.make)(scale.base), (scale.make)(scale.base * 4));
        let (small, large) = (work(&one), work(&four));
        assert!(small > 0, "{}: nothing was counted", scale.name);
        if large > small * 5 {
            wrong.push(format!(
                "{}: {small} for {} bytes, {large} for {}",
                scale.name,
                one.len(),
                four.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
