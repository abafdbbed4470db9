//! Nothing to call: this library exists so that the README's program is compiled and run as a test.
#![doc = include_str!("../../README.md")]
