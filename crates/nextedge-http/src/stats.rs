//! How many calls were made, and why.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Why an attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The connector asked for it.
    Asked,
    /// An earlier attempt failed.
    Retried,
    /// The token was refused and renewed.
    Refreshed,
}

/// The attempts of one operation with one cause, over all tenants since the client was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallCount {
    /// The operation.
    pub operation: &'static str,
    /// Why they were made.
    pub cause: Cause,
    /// How many.
    pub calls: u64,
    /// How many of them did not succeed.
    pub failed: u64,
}

/// Counts attempts; operations are constants of connectors, so the map is bounded.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Counts>);

type Counts = BTreeMap<(&'static str, Cause), (u64, u64)>;

impl Stats {
    pub(crate) fn count(&self, operation: &'static str, cause: Cause) {
        self.lock().entry((operation, cause)).or_default().0 += 1;
    }

    pub(crate) fn fail(&self, operation: &'static str, cause: Cause) {
        self.lock().entry((operation, cause)).or_default().1 += 1;
    }

    pub(crate) fn snapshot(&self) -> Vec<CallCount> {
        let counts = self.lock();
        let rows = counts.iter();
        rows.map(|(&(operation, cause), &(calls, failed))| CallCount {
            operation,
            cause,
            calls,
            failed,
        })
        .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
