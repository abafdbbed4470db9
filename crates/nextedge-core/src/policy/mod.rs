//! What a tenant wants: thresholds, rules, priorities, field maps; as typed, versioned configuration.

mod field_map;

pub use field_map::{CategoryMap, FieldMap, KnownParty, Template};
