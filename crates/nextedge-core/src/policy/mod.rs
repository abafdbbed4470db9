//! What a tenant wants: thresholds, rules, priorities, field maps; as typed, versioned configuration.
//!
//! [`Policy`] and [`FieldMap`] are plain data. TOML is their import form; a wrong text is refused
//! with the field, the line and what to write instead. [`preflight`] checks a field map against an
//! account's metadata before the first mail.

mod assign;
mod field_map;
mod hours;
mod import;
mod nearest;
mod preflight;
mod rule;
mod score;
mod screen;
mod tenant;
mod validate;

#[cfg(test)]
mod tests;

pub use assign::{Assignment, Owner, Territory};
pub use field_map::{CategoryMap, FieldMap, KnownParty, Template};
pub use hours::{BusinessHours, ClockTime, Day, PriorityPolicy};
pub(crate) use nearest::nearest;
pub use preflight::{Fault, preflight};
pub use rule::{Action, Condition, Rule};
pub use score::{ScorePolicy, ScoreWeights};
pub use screen::{AuthenticityPolicy, ScreenPolicy, Treatment};
pub use tenant::{
    AttachmentPolicy, CategoryPolicy, ClosedRecord, KnownPartyPolicy, LatePolicy, Policy,
    RecordGone, RetentionPolicy, ReviewPolicy, SecondThread, ThreadPolicy,
};
pub use validate::validate;
