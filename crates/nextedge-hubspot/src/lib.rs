//! HubSpot sink for NextEdge.
#![doc = include_str!("../../../docs/guide/hubspot.md")]

mod auth;
mod client;
mod config;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod schema;
mod sink;
mod wire;

pub use config::{
    ApiVersions, DEFAULT_BASE_URL, FileFolder, KeyProperty, LeadsMode, Limits, Lookups, RatePreset,
    Settings,
};
pub use sink::{HubSpotSink, HubSpotSinkBuilder, Installed, error_mapper, rate_limits};
