//! Domain types, traits and engine that turn incoming mail into CRM records.
//!
//! A service names its connectors and its policy and runs the engine; mail then travels through
//! four functions, each ending in one durable commit: `ingest`, `fetch`, `process`, `deliver`.

pub mod alert;
pub mod classify;
mod clock;
mod context;
mod domain;
pub mod engine;
mod error;
pub mod failpoint;
pub mod mail;
pub mod memory;
pub mod policy;
mod secret;
pub mod sink;
pub mod source;
pub mod stage;
pub mod store;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp, later};
pub use context::{CallContext, Connection, ConnectionRole, ConnectionState};
pub use domain::*;
pub use error::{Error, ErrorKind, ErrorReport, Reach, Result, Retry};
pub use secret::Secret;
