//! What a tenant wants: thresholds, rules, priorities, field maps; as typed, versioned configuration.

mod field_map;

pub use field_map::{CategoryMap, FieldMap, KnownParty, Template};

/// What a tenant wants.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Policy {}
