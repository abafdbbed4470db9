//! Nothing to call: this library exists so that the README's program is compiled and run as a test.
#![doc = include_str!("../../README.md")]

/// The policy guide, compiled and run as a test.
#[doc = include_str!("../../docs/guide/policy.md")]
pub mod policy_guide {}

/// The operations guide, compiled and run as a test.
#[doc = include_str!("../../docs/guide/operations.md")]
pub mod operations_guide {}
