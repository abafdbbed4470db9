//! Mail built to break the reader, and what bounds it.
//!
//! [`shapes`] makes more than 200 distinct shapes of hostile mail. [`way`] takes one mail the whole
//! way without a network: guard, parser, HTML to text, segments, screen, fingerprint, link,
//! classifier, decision, field map, delivery to a sink in memory. [`measure`] says what it cost.
//! [`targets`] are the fuzz targets as plain functions; [`seeds`] and [`mutate`] run them on stable.

pub mod measure;
pub mod mutate;
pub mod seeds;
pub mod shapes;
mod sink;
mod stages;
pub mod targets;
pub mod way;

pub use sink::MemorySink;
