//! What will be written, before it is written.
//!
//! A [`Plan`] is made without asking the CRM. It names its targets symbolically and lists
//! alternatives; `deliver` looks the parties up, picks the first alternative that holds and fills
//! the ids in. A dry run, a review item and the audit all show the same plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Mailer;
use super::category::{Category, Confidence, Priority, Urgency};
use super::id::{ConnectionId, MessageUid, ThreadId};
use super::record::{FieldName, FieldValue, RecordKind};
use super::review::ReviewReason;
use crate::clock::Timestamp;

/// What one sink shall do for one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The sink connection.
    pub connection: ConnectionId,
    /// The message.
    pub message: MessageUid,
    /// Its thread.
    pub thread: ThreadId,
    /// Why it is written.
    pub category: Category,
    /// How sure the classifier was.
    pub confidence: Confidence,
    /// How much the mail hurries.
    pub urgency: Urgency,
    /// Its priority after business hours and policy.
    pub priority: Priority,
    /// The reason of the decision in words.
    pub reason: String,
    /// The correspondent: who wrote it, after unwrapping of configured agents' forwards; of our own
    /// mail, the first recipient of the other side.
    pub sender: Mailer,
    /// Contact fields; an existing contact only gets those that are empty there.
    pub contact: Draft,
    /// Company fields; absent for free mail.
    pub company: Option<Draft>,
    /// What to do, in order: the first whose condition holds is taken.
    pub alternatives: Vec<Alternative>,
    /// The mail on the timeline.
    pub activity: ActivityDraft,
    /// Which attachments go along, in order.
    pub attachments: Vec<AttachmentChoice>,
    /// The owner that assignment proposes; set on a created record, never on an existing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Review reasons that a person has accepted for this plan: they no longer stop it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<ReviewReason>,
    /// Facts for a person: what was cut, which attachments were refused and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether a later mail of the thread was applied before.
    #[serde(default)]
    pub timing: Timing,
    /// What was known when the plan was made; approval refuses if it changed.
    pub basis: Basis,
}

impl Plan {
    /// Tells whether joining the thread's record would set fields on it.
    pub fn sets_fields_on_join(&self) -> bool {
        self.alternatives
            .iter()
            .any(|alternative| match &alternative.write {
                Write::Join { fields } => !fields.is_empty(),
                Write::Create(_) | Write::ContactOnly | Write::Review(_) => false,
            })
    }

    /// Counts the bytes this plan will roughly send, for batching.
    pub fn estimated_bytes(&self) -> u64 {
        self.activity.bytes + self.attachments.iter().map(|a| a.bytes).sum::<u64>()
    }
}

/// One way a plan can go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// When it is taken.
    pub when: When,
    /// What happens then.
    pub write: Write,
}

/// A condition that `deliver` checks against what the CRM answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // resolve must decide every case
pub enum When {
    /// The thread has a record in this CRM that still exists.
    ThreadLinked,
    /// The CRM knows the sender as a contact.
    PartyKnown,
    /// The CRM does not know the sender.
    PartyUnknown,
}

/// What a taken alternative writes besides the activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Write {
    /// The mail joins the thread's record; fields only if the policy names them.
    Join {
        /// Fields to set on the record, such as a reopen status; usually empty.
        fields: BTreeMap<FieldName, FieldValue>,
    },
    /// A new record, related to the contact and the company.
    Create(Draft),
    /// Contact only: the contact is the record.
    ContactOnly,
    /// A person decides.
    Review(ReviewReason),
}

/// A record that may be created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Its kind.
    pub kind: RecordKind,
    /// Its fields in the CRM's spelling.
    pub fields: BTreeMap<FieldName, FieldValue>,
    /// Facts for a person, such as `subject cut at 255 characters`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The mail as it will stand on the CRM timeline; its body is opened from the raw bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityDraft {
    /// Received or sent.
    pub direction: Direction,
    /// The mail's own date, UTC.
    pub sent_at: Timestamp,
    /// The offset of the original date in minutes, kept because times are stored in UTC.
    pub utc_offset_minutes: i32,
    /// The decoded subject.
    pub subject: String,
    /// The header Message-ID without brackets, if it has one.
    pub message_id: Option<String>,
    /// The sender.
    pub from: Mailer,
    /// The recipients.
    pub to: Vec<Mailer>,
    /// The copy recipients.
    pub cc: Vec<Mailer>,
    /// Fields from the field map, in the CRM's spelling.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<FieldName, FieldValue>,
    /// Bytes of the bodies, for batching.
    pub bytes: u64,
}

/// Whether a later mail of the thread was applied before this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // it was or it was not
pub enum Timing {
    /// No.
    #[default]
    InOrder,
    /// Yes: the mail joins the timeline with its own date and changes no field.
    Late,
}

/// Whether a mail came in or went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a mail has two directions
pub enum Direction {
    /// From a correspondent to us.
    Incoming,
    /// From us to a correspondent.
    Outgoing,
}

/// One attachment that the policy lets through; its bytes are opened from the raw mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentChoice {
    /// Position among the mail's attachments.
    pub index: u32,
    /// A safe file name.
    pub name: String,
    /// The media type the mail gives it, lower case.
    pub media_type: String,
    /// Decoded size.
    pub bytes: u64,
    /// SHA-256 of the decoded bytes, hexadecimal.
    pub sha256: String,
}

/// What a plan was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The thread's version.
    pub thread_version: u64,
    /// The versions of the configuration.
    pub versions: Versions,
}

/// Which configuration a decision used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The tenant's policy.
    pub policy: u64,
    /// The field map of the sink connection.
    pub field_map: u64,
}
