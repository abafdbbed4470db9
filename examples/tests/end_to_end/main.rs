//! The whole path: the real `triage` program, its database, and a CRM that keeps a journal.
//!
//! The oracle is never our own count: what had to come out is known from the files that went in and
//! from the journal and the records of the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod bad_input;
mod crash;
mod dry_run;
mod faults;
mod operate;
mod order;
mod review;
mod sample;
mod support;
