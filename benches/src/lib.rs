//! What the measuring programs share: the fixed mix of mails, each stage alone, the store alone.
//!
//! Nothing here is for embedders; `docs/benchmarks.md` tells what the programs measure.

pub mod clock;
pub mod mix;
pub mod receiver;
pub mod stages;
pub mod store;
mod texts;

/// What goes wrong in a measuring program; it is printed and ends the program.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
