//! When a worker dies: at a named place, or at a moment that only the clock knows.

use std::fmt;

use crate::rng::Rng;
use crate::spec::KillAt;

/// Every named place, in the order of a mail's way; the table in `docs/durability.md` says where
/// each stands.
pub const POINTS: [&str; 32] = [
    "sqlite.before_recovery",
    "sqlite.recovered",
    "sqlite.before_commit",
    "sqlite.committed",
    "ingest.claimed",
    "ingest.page_read",
    "ingest.page_committed",
    "fetch.claimed",
    "fetch.before_commit",
    "fetch.committed",
    "process.claimed",
    "process.before_commit",
    "process.committed",
    "deliver.claimed",
    "deliver.found",
    "deliver.written",
    "deliver.before_commit",
    "deliver.committed",
    "call.before",
    "call.after",
    "hubspot.companies.batch_create",
    "hubspot.contacts.batch_create",
    "hubspot.leads.batch_create",
    "hubspot.deals.batch_create",
    "hubspot.tickets.batch_create",
    "hubspot.files.upload",
    "hubspot.emails.batch_create",
    "work.before_release",
    "work.released",
    "gate.closed",
    "review.before_decide",
    "review.decided",
];

/// The moment of one kill.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a place or a time
pub enum Moment {
    /// The worker ends itself when it reaches a place for the n-th time.
    Point(String, u32),
    /// The worker is killed this many milliseconds after it was started.
    After(u64),
}

impl Moment {
    pub(crate) fn at(&self) -> Option<KillAt> {
        match self {
            Self::Point(point, hit) => Some(KillAt {
                point: point.clone(),
                hit: *hit,
            }),
            Self::After(_) => None,
        }
    }

    /// The kills of a seed: one to three. Four kills of the same item alone would rightly make it
    /// a dead letter.
    pub(crate) fn of(seed: u64) -> Vec<Self> {
        let mut rng = Rng::of(seed, 2);
        let count = rng.size(1, 3);
        (0..count).map(|_| Self::any(&mut rng)).collect()
    }

    fn any(rng: &mut Rng) -> Self {
        if rng.chance(40) {
            return Self::After(rng.from(5, 500));
        }
        let point = *rng.pick(&POINTS);
        // small worlds: early hits are likelier to come
        let most = [1, 2, 4, 8, 24];
        let most = *rng.pick(&most);
        let hit = u32::try_from(rng.from(1, most)).unwrap_or(1);
        Self::Point(point.to_owned(), hit)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(point, hit) => write!(f, "{point} #{hit}"),
            Self::After(ms) => write!(f, "after {ms} ms"),
        }
    }
}
