//! The words of the library as types: ids, addresses, categories, outcomes, plans.

mod address;
mod audit;
mod category;
mod effect;
mod id;
mod labels;
mod outcome;
mod plan;
mod record;
mod review;
mod thread;

pub use address::{Domain, EmailAddress, Mailer, PartyKey};
pub use audit::{AuditRow, CallRecord};
pub use category::{Band, Category, Confidence, Distribution, Priority, Urgency};
pub use effect::{Effect, EffectVerb, Guarantee, Slot};
pub use id::{
    ConnectionId, Fingerprint, LeaseToken, MAX_ID_BYTES, MailboxId, MessageUid, ProviderId,
    RecordId, ReviewId, TenantId, ThreadId,
};
pub use labels::Labels;
pub use outcome::{DeadReason, Outcome, OutcomeKind, ParkReason};
pub use plan::{
    ActivityDraft, Alternative, AttachmentChoice, Basis, Direction, Draft, Plan, Timing, Versions,
    When, Write,
};
pub use record::{FieldName, FieldValue, RecordKind, RecordRef};
pub use review::{ReviewDecision, ReviewItem, ReviewReason, ReviewState};
pub use thread::{LinkedRecord, Thread, ThreadKey};
