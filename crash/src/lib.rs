//! Crash proofs: real processes, killed with `SIGKILL` at named and at random moments.
//!
//! A *seed* makes a small world (two tenants, their mailboxes, threads, copies, attachments, machine
//! mail), lets a worker process with the real engine, a SQLite file and the HubSpot connector run on
//! it, kills that process a few times, lets it run to the end, and compares what is left with what
//! was sent. The CRM lives in the process that does the killing, so it survives.
//!
//! | Module | For |
//! |---|---|
//! | `world`, `letter` | what is sent and what must become of it |
//! | `kills` | when a worker dies |
//! | `worker`, `source`, `routed`, `judge`, `picture` | the process that dies |
//! | `spec` | what the two processes tell each other |
//! | `seed`, `layout` | one seed from its start to its end |
//! | `ledger`, `account` | the checks: the store against the sources, the CRM against the truth |

mod account;
mod judge;
mod kills;
mod layout;
mod ledger;
mod letter;
mod picture;
mod rng;
mod routed;
mod seed;
mod source;
mod spec;
mod worker;
mod world;

use std::time::Duration;

pub use kills::{Moment, POINTS};
pub use seed::{Harness, Report};
pub use worker::work;

/// What keeps a run from being carried out; what a run finds wrong stands in its [`Report`].
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The lease of every worker; no recovery may take longer.
pub(crate) const LEASE: Duration = Duration::from_secs(1);
