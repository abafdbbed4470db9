//! What a delivery changed in a CRM: the base of "nothing twice", of audit and of undo.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{FieldName, FieldValue, RecordRef};

/// One committed change in a CRM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Which part of the delivery it is; at most one effect a slot.
    pub slot: Slot,
    /// The record it concerns.
    pub record: RecordRef,
    /// What happened to the record.
    pub verb: EffectVerb,
    /// How the sink keeps it from happening twice.
    pub guarantee: Guarantee,
    /// Values that were replaced, for undo; empty for a created record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub previous: BTreeMap<FieldName, FieldValue>,
    /// Facts for a person, such as `body cut at 65536 characters, original attached`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A part of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a delivery has exactly these parts
pub enum Slot {
    /// The company behind the sender.
    Company,
    /// The person behind the sender.
    Contact,
    /// The lead, case, opportunity or custom record.
    Record,
    /// The mail on the timeline.
    Activity,
    /// The attachment with this position in the delivery.
    Attachment(u32),
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // undo must know them all
pub enum EffectVerb {
    /// It did not exist before.
    Created,
    /// Fields changed.
    Updated,
    /// It existed and fits; nothing was written.
    Adopted,
}

/// How a sink keeps an effect from happening twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a promise is either unconditional or it is not
pub enum Guarantee {
    /// The vendor enforces our key: unconditional.
    Keyed,
    /// Looked up after the settle time; a window remains and is shown in the audit.
    LookedUp,
}
