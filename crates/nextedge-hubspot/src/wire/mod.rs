//! HubSpot's own shapes: paths, request bodies and how answers are read.
//!
//! Nothing here talks to the network; every body is built by a pure function and has a snapshot.

pub(crate) mod answers;
pub(crate) mod associations;
pub(crate) mod definitions;
pub(crate) mod email;
pub(crate) mod files;
pub(crate) mod objects;
pub(crate) mod written;

#[cfg(test)]
mod snapshots;

use std::fmt;

use nextedge_core::RecordKind;

/// One object type, as it stands in paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectType {
    Contact,
    Company,
    Deal,
    Ticket,
    Lead,
    Email,
    Note,
    Custom(String),
}

impl ObjectType {
    /// The object behind a record kind; none for files, which are no CRM object.
    pub(crate) fn of(kind: &RecordKind) -> Option<Self> {
        Some(match kind {
            RecordKind::Contact => Self::Contact,
            RecordKind::Company => Self::Company,
            RecordKind::Lead => Self::Lead,
            RecordKind::Case => Self::Ticket,
            RecordKind::Opportunity => Self::Deal,
            RecordKind::Activity => Self::Email,
            RecordKind::Note => Self::Note,
            RecordKind::Custom(name) if crate::config::is_object_name(name) => {
                Self::Custom(name.clone())
            }
            _ => return None,
        })
    }

    pub(crate) fn kind(&self) -> RecordKind {
        match self {
            Self::Contact => RecordKind::Contact,
            Self::Company => RecordKind::Company,
            Self::Lead => RecordKind::Lead,
            Self::Ticket => RecordKind::Case,
            Self::Deal => RecordKind::Opportunity,
            Self::Email => RecordKind::Activity,
            Self::Note => RecordKind::Note,
            Self::Custom(name) => RecordKind::Custom(name.clone()),
        }
    }

    /// The name in paths.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
            Self::Deal => "deals",
            Self::Ticket => "tickets",
            Self::Lead => "leads",
            Self::Email => "emails",
            Self::Note => "notes",
            Self::Custom(name) => name,
        }
    }

    /// The property that names a record to people.
    pub(crate) fn title_property(&self) -> Option<&'static str> {
        match self {
            Self::Contact => Some("email"),
            Self::Company => Some("name"),
            Self::Deal => Some("dealname"),
            Self::Ticket => Some("subject"),
            Self::Lead => Some("hs_lead_name"),
            Self::Email => Some("hs_email_subject"),
            Self::Note => Some("hs_note_body"),
            Self::Custom(_) => None,
        }
    }

    /// The properties that hold pipeline and stage.
    pub(crate) fn stage_properties(&self) -> Option<StageProperties> {
        let (pipeline, stage) = match self {
            Self::Deal => ("pipeline", "dealstage"),
            Self::Ticket | Self::Lead => ("hs_pipeline", "hs_pipeline_stage"),
            _ => return None,
        };
        Some(StageProperties { pipeline, stage })
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// Where an object keeps its pipeline and stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageProperties {
    pub(crate) pipeline: &'static str,
    pub(crate) stage: &'static str,
}

/// The unique property that this library writes its key to.
pub(crate) const KEY_PROPERTY: &str = "nextedge_key";
/// Longest property value HubSpot keeps, counted as it counts.
pub(crate) const MAX_TEXT: usize = 65_536;
