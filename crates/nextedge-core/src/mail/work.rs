//! Counts work, so that tests see work that outgrows its input without looking at a clock.
//!
//! Each place that looks at bytes of a mail, perhaps more than once, counts the bytes it looked at.
//! Counting costs one addition for a line, a token or a search.

use std::cell::Cell;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// Notes that so many bytes were looked at.
pub(crate) fn count(bytes: usize) {
    BYTES.with(|total| total.set(total.get().wrapping_add(bytes as u64)));
}

/// Returns how many bytes this thread has looked at so far; for tests that compare two readings.
pub fn work_done() -> u64 {
    BYTES.with(Cell::get)
}
