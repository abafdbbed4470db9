//! The HubSpot vendor: one account, its API under every path style still in use.

mod account;
mod associations;
mod batch;
mod call;
mod dump;
mod error;
mod fault;
mod files;
mod kinds;
mod limits;
mod links;
mod objects;
mod owners;
mod pipelines;
mod properties;
mod property;
mod read;
mod route;
mod schemas;
mod search;
mod seed;
mod store;
mod time;
mod validate;
mod view;
mod write;

pub(crate) use account::Settings;
pub(crate) use call::{Answer, Body, Part, Poison, Reply};
pub(crate) use error::ApiError;
pub(crate) use fault::{Named, named};
pub use limits::RateLimit;
pub(crate) use route::{Request, counter_path};
pub(crate) use time::{now_ms, rfc3339};
pub(crate) use view::{Entry, Moment, RecordPage, view_index, view_list, view_record};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use account::Account;
use limits::Limiter;

/// The bearer token that every fresh account accepts.
pub const STATIC_TOKEN: &str = "sandbox-token";

/// The vendor's whole state.
#[derive(Debug)]
pub(crate) struct Hubspot {
    account: Mutex<Account>,
    limiter: Limiter,
    initial: (Settings, RateLimit),
    secret: [u8; 32],
}

impl Hubspot {
    pub(crate) fn new(settings: Settings, limit: RateLimit) -> Self {
        let mut secret = [0; 32];
        // A failed draw leaves a guessable secret, which a local imitation can live with.
        let _ = getrandom::fill(&mut secret);
        Self {
            account: Mutex::new(Account::new(settings.clone())),
            limiter: Limiter::new(limit),
            initial: (settings, limit),
            secret,
        }
    }

    /// Puts the account back to what it was at start.
    pub(crate) fn reset(&self) {
        let (settings, limit) = self.initial.clone();
        *self.account() = Account::new(settings);
        self.limiter.reset(limit);
    }

    pub(crate) fn state(&self, kinds: &[String]) -> Value {
        dump::state(&self.account(), kinds)
    }

    pub(crate) fn counts(&self) -> Value {
        dump::counts(&self.account())
    }

    pub(crate) fn seed(&self, value: Value) -> Result<Value, String> {
        seed::seed(self, value)
    }

    /// Answers a file as a download, for the page.
    pub(crate) fn file(&self, id: &str) -> Option<Reply> {
        let account = self.account();
        account.files.by_id.get(&id.parse().ok()?)?.download().ok()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // A panicking handler is reported by the server; the state stays readable.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, id: u64, expires: i64) -> String {
        files::signature(&self.secret, id, expires)
    }
}

/// A fresh id for an answer, in the form the vendor uses.
pub(crate) fn correlation_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("5a4db0c0-0000-4000-8000-{n:012x}")
}

#[cfg(test)]
pub(crate) fn test_account() -> Account {
    Account::new(Settings::default())
}
