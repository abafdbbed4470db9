//! Every store of NextEdge in one SQLite file: the embedded default.
//!
//! ```
//! use std::sync::Arc;
//! use nextedge_core::store::{Scope, Store};
//! use nextedge_sqlite::{SqliteOptions, SqliteStore};
//!
//! # fn main() -> nextedge_core::Result<()> {
//! # let directory = tempfile::tempdir().map_err(|_| nextedge_core::Error::new(
//! #     nextedge_core::ErrorKind::Unexpected, "no directory"))?;
//! # let path = directory.path().join("mail.db");
//! let store = SqliteStore::open(&path, SqliteOptions::default())?;
//! let store: Arc<dyn Store> = Arc::new(store);
//! # let _ = store;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! - One thread writes. It takes the requests that wait, runs each under a savepoint of its own and
//!   commits once for all (`synchronous=FULL`, write-ahead log); a caller is answered after that.
//! - Reads run beside it on a few read-only connections, each call in one snapshot.
//! - A lock file beside the database keeps a second process out; the kernel frees it when its holder
//!   ends. Opening ends the leases of the dead owner.
//! - Moments are kept to the microsecond.
//!
//! # Modules
//!
//! `writer`, `reader`, `open`, `lock` hold the file; `lanes`, `item`, `message`, `delivery` the rows
//! of the work; `claim`, `hand_out`, `claims`, `commit`, `requeue`, `due` what moves it; the others one trait each.

mod audit;
mod claim;
mod claims;
mod commit;
mod config;
mod db;
mod delivery;
mod due;
mod error;
mod hand_out;
mod intake;
mod item;
mod jobs;
mod lanes;
mod ledger;
mod lock;
mod mailbox;
mod message;
mod open;
mod options;
mod outcome;
mod overview;
mod raw_cache;
mod reader;
mod requeue;
mod review;
mod runs;
mod store;
mod threads;
mod tx;
mod writer;

pub use options::SqliteOptions;
pub use store::SqliteStore;
