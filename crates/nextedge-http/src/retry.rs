//! How often and how late a failed attempt is repeated in this process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// In-process repetition of failed attempts; everything longer is left to the store's gates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOptions {
    pub(crate) attempts: u32,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) obeyed_wait: Duration,
    pub(crate) budget: u32,
}

impl RetryOptions {
    /// Sends every request once.
    pub fn never() -> Self {
        Self::default().with_attempts(1)
    }

    /// Sets the attempts a call may take, the first included. Default: 3; at least 1.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the delay's growth: attempt `n` is followed by a random time up to `base * 2^(n-1)`,
    /// never more than `cap`. Default: 200 ms, 2 s.
    #[must_use]
    pub fn with_backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// Sets the longest delay asked for by the vendor that is waited for here; a longer one is
    /// returned as `Retry::After`. Default: 2 s.
    #[must_use]
    pub fn with_obeyed_wait(mut self, wait: Duration) -> Self {
        self.obeyed_wait = wait;
        self
    }

    /// Sets how many repetitions a connection may spend before successes earn new ones (ten
    /// successes earn one), so that a failing vendor is not called three times as often.
    /// Default: 10.
    #[must_use]
    pub fn with_budget(mut self, repetitions: u32) -> Self {
        self.budget = repetitions;
        self
    }

    /// Returns the delay after attempt `n` (from 1), with full jitter; `chance` is uniform.
    pub(crate) fn backoff(&self, attempt: u32, chance: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        ceiling.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(2),
            obeyed_wait: Duration::from_secs(2),
            budget: 10,
        }
    }
}

/// Returns a uniform number; without a source of randomness the delay is the full one.
pub(crate) fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}

/// What one connection may still spend on repetitions, in tenths.
#[derive(Debug)]
pub(crate) struct Budget {
    tenths: Mutex<u32>,
    full: u32,
}

impl Budget {
    pub(crate) fn new(options: &RetryOptions) -> Self {
        let full = options.budget.saturating_mul(TENTHS);
        Self {
            tenths: Mutex::new(full),
            full,
        }
    }

    /// Takes one repetition; `false` if none is left.
    pub(crate) fn spend(&self) -> bool {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        match tenths.checked_sub(TENTHS) {
            Some(rest) => {
                *tenths = rest;
                true
            }
            None => false,
        }
    }

    /// Earns a tenth of a repetition by a success.
    pub(crate) fn earn(&self) {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        *tenths = (*tenths + 1).min(self.full);
    }
}

const TENTHS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_stays_under_its_cap() {
        let options = RetryOptions::default();
        for (attempt, ceiling_ms) in [(1, 200), (2, 400), (3, 800), (5, 2000), (90, 2000)] {
            let ceiling = Duration::from_millis(ceiling_ms);
            assert_eq!(options.backoff(attempt, u32::MAX), ceiling);
            assert_eq!(options.backoff(attempt, 0), Duration::ZERO);
            assert!(options.backoff(attempt, u32::MAX / 3) < ceiling);
        }
    }

    #[test]
    fn budget_is_earned_back_by_successes_up_to_its_start() {
        let budget = Budget::new(&RetryOptions::default().with_budget(2));
        assert!(budget.spend() && budget.spend() && !budget.spend());
        (0..9).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        (0..100).for_each(|_| budget.earn());
        assert!(budget.spend() && budget.spend() && !budget.spend());
    }
}
