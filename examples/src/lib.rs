//! For tests and tutorials only: the README's program, which is compiled and run as a test, and the
//! parts of `custom_crm`.
#![doc = include_str!("../../README.md")]

/// The policy guide, compiled and run as a test.
#[doc = include_str!("../../docs/guide/policy.md")]
pub mod policy_guide {}

#[path = "../custom_crm/mod.rs"]
pub mod custom_crm;

/// The operations guide, compiled and run as a test.
#[doc = include_str!("../../docs/guide/operations.md")]
pub mod operations_guide {}
