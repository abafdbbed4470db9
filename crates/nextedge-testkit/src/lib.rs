//! Conformance suites: public checks that tell the author of a store, sink, source or classifier
//! that the work is done.
#![doc = include_str!("../README.md")]

mod account;
pub mod classifier;
mod digest;
pub mod sink;
pub mod source;
pub mod store;
mod verdict;

pub use verdict::{Check, Report, Stop, Verdict, run_all, run_as_test};
