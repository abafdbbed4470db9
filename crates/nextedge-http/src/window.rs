//! Counts calls so that no span of time ever holds more than a vendor allows.
//!
//! Own code instead of a token bucket crate for two reasons: time is the injected clock, and a
//! vendor counts calls per window. A bucket that starts full lets nearly twice its size through in
//! the first window; here no span of `per` ever holds more than `calls`.

use std::collections::VecDeque;
use std::time::Duration;

use nextedge_core::{Timestamp, later};

use crate::limit::RateLimit;

/// Counts calls in slices of a span; places may be given ahead of time.
#[derive(Debug)]
pub(crate) struct Window {
    calls: u32,
    slice_us: i64,
    slices: VecDeque<(i64, u32)>,
    asked: Timestamp,
}

impl Window {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let span_us = i64::try_from(limit.per.as_micros()).unwrap_or(i64::MAX);
        Self {
            calls: limit.calls,
            slice_us: (span_us / SLICES).max(1) + 1,
            slices: VecDeque::new(),
            asked: Timestamp::MIN_UTC,
        }
    }

    /// Returns the first moment from `from` on at which `cost` fits; `None` if it never does.
    pub(crate) fn place(
        &mut self,
        now: Timestamp,
        from: Timestamp,
        cost: u32,
    ) -> Option<Timestamp> {
        if cost > self.calls {
            return None;
        }
        self.forget(now);
        let mut slice = self.slice(from);
        while let Some(next) = self.crowded(slice, cost) {
            slice = next;
        }
        let start = Timestamp::from_timestamp_micros(slice.saturating_mul(self.slice_us))?;
        Some(from.max(start))
    }

    /// Returns the next slice worth trying if `cost` does not fit into this one: every span that
    /// contains the slice must have room, also those with places given ahead of time.
    fn crowded(&self, slice: i64, cost: u32) -> Option<i64> {
        let ahead = self.slices.iter().map(|(at, _)| *at);
        let ahead = ahead.filter(|at| *at > slice && *at <= slice + SLICES);
        for end in std::iter::once(slice).chain(ahead) {
            let mut span = self.span(end).peekable();
            let oldest = span.peek().map_or(slice, |(at, _)| *at);
            let used: u64 = span.map(|(_, used)| u64::from(*used)).sum();
            if used + u64::from(cost) > u64::from(self.calls) {
                let leaves = if end == slice { oldest + SLICES } else { end };
                return Some(leaves + 1);
            }
        }
        None
    }

    /// Returns what counts in the span that ends with this slice.
    fn span(&self, end: i64) -> impl Iterator<Item = &(i64, u32)> {
        let slices = self.slices.iter();
        slices.filter(move |(at, _)| (end - SLICES..=end).contains(at))
    }

    /// Takes a place found by `place`.
    pub(crate) fn put(&mut self, due: Timestamp, cost: u32) {
        let slice = self.slice(due);
        let index = self.slices.partition_point(|(at, _)| *at < slice);
        match self.slices.get_mut(index) {
            Some((at, used)) if *at == slice => *used += cost,
            _ => self.slices.insert(index, (slice, cost)),
        }
    }

    /// Drops what no longer counts, and everything if the clock was set back.
    fn forget(&mut self, now: Timestamp) {
        let span = Duration::from_micros(self.slice_us.unsigned_abs()) * 64;
        if later(now, span) < self.asked {
            self.slices.clear();
        }
        self.asked = now;
        let oldest = self.slice(now) - SLICES;
        while self.slices.front().is_some_and(|(at, _)| *at < oldest) {
            self.slices.pop_front();
        }
    }

    fn slice(&self, moment: Timestamp) -> i64 {
        moment.timestamp_micros().div_euclid(self.slice_us)
    }
}

/// Slices of a span: memory is bounded by it, and 1/64 of the quota is left as margin.
const SLICES: i64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(us: u64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, Duration::from_micros(us))
    }

    proptest! {
        /// Calls come at any pace and cost, some ask for a later start; paces are in hundredths of
        /// the span.
        #[test]
        fn no_span_holds_more_than_the_limit(
            calls in 1_u32..40,
            per_us in prop_oneof![1_u64..500, 1_u64..20_000_000],
            asks in prop::collection::vec((0_u64..70, 1_u32..5, 0_u64..150), 1..120),
        ) {
            let per = Duration::from_micros(per_us);
            let mut window = Window::new(RateLimit::new(calls, per));
            let (mut now, mut given) = (0, Vec::new());
            for (pause, cost, ahead) in asks {
                now += pause * per_us / 100;
                let start = at(now + ahead * per_us / 100);
                let Some(due) = window.place(at(now), start, cost) else {
                    prop_assert!(cost > calls);
                    continue;
                };
                prop_assert!(due >= start);
                window.put(due, cost);
                given.push((due, cost));
            }
            given.sort_unstable();
            for (first, _) in &given {
                let span = given.iter().filter(|(due, _)| due >= first && *due < later(*first, per));
                prop_assert!(span.map(|(_, cost)| cost).sum::<u32>() <= calls);
            }
        }
    }

    #[test]
    fn memory_is_bounded_under_steady_load() {
        let mut window = Window::new(RateLimit::new(1000, Duration::from_secs(1)));
        for ms in 0..20_000 {
            if let Some(due) = window
                .place(at(ms * 1000), at(ms * 1000), 1)
                .filter(|due| *due == at(ms * 1000))
            {
                window.put(due, 1);
            }
            assert!(window.slices.len() <= 66);
        }
    }
}
