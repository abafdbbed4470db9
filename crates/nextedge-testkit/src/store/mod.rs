//! Conformance suite for stores: what every backend must do, as checks over a small harness.
//!
//! Implement [`StoreHarness`] for your store and write one line in a test file:
//!
//! ```
//! use nextedge_testkit::store::MemoryHarness;
//!
//! nextedge_testkit::store_conformance!(MemoryHarness::default());
//! ```
//!
//! It makes one test of each check of [`CHECKS`]. A check that needs more than the harness declares
//! prints that it was skipped and why. Each check is a public function of [`checks`] as well; a check
//! that fails panics with what differs.
//!
//! Each check names a fault of [`broken`] that it must fail on; a test of this crate runs both.

// a check is an assertion: it panics where the store differs
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
pub mod broken;
pub mod checks;
mod harness;
pub mod hopping;
mod list;
#[cfg(doctest)]
#[allow(non_camel_case_types, unreachable_pub)] // named as the methods are
mod needs_tenant;
pub mod random;
mod values;

pub use harness::{MemoryHarness, Processes, Restart, StoreCapabilities, StoreHarness, Subject};
pub use list::{CHECKS, Check, Need, run};
