//! The client against real sockets on this machine; time is moved by hand, nothing waits.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod auth;
mod outcomes;
mod pacing;
mod retries;
mod safety;
mod support;
mod webhook;
