//! Where records go: the [`CrmSink`] trait and its words.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::context::CallContext;
use crate::domain::{
    ActivityDraft, Domain, Draft, Effect, EmailAddress, FieldName, FieldValue, MessageUid,
    RecordKind, RecordRef, ThreadId,
};
use crate::error::{Error, Result};
use crate::policy::FieldMap;

/// Writes records to one kind of CRM, for every tenant that has connected one.
///
/// The engine calls `find`, then `deliver`, from many tasks at once, never two batches that share a
/// thread or an unresolved party. A sink must not retry, sleep, read the clock or cache tokens; its
/// HTTP client does that. Rules about ambiguity, free mail and merging live in the engine.
#[async_trait]
pub trait CrmSink: fmt::Debug + Send + Sync + 'static {
    /// Returns the constant name that connections refer to, such as `hubspot`.
    fn name(&self) -> &str;

    /// What this sink can do. Constant for the life of the value.
    fn capabilities(&self) -> SinkCapabilities;

    /// Validates the connection and its settings by one cheap call, and returns the account's id.
    ///
    /// # Errors
    ///
    /// Kinds `Config` naming the setting, `Unauthorized`, `Forbidden`.
    async fn check(&self, cx: &CallContext) -> Result<String>;

    /// Reads what this account can do: objects, fields, limits, and the default field map for it.
    async fn describe(&self, cx: &CallContext) -> Result<SinkDescription>;

    /// Looks up parties, records and keys in one batched read; answers in input order.
    async fn find(&self, cx: &CallContext, request: &FindRequest) -> Result<Found>;

    /// Applies each delivery once and answers in input order, one outcome for each.
    ///
    /// Delivering the same item twice leaves one record. An item marked `outcome_unknown` is looked
    /// up before anything is created. Effects already achieved are returned even when the item
    /// failed after them; effects in [`Delivery::done`] are not repeated. After the first item of a
    /// run that is not `Done`, the rest of the run is `NotAttempted`.
    ///
    /// # Errors
    ///
    /// Only before the first write request; the engine then sets a gate and burns no attempt.
    /// After it, errors belong to items.
    async fn deliver(&self, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>>;
}

/// What a sink can do; the default supports nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkCapabilities {
    /// Record kinds it can create.
    pub kinds: Vec<RecordKind>,
    /// Most items in one `deliver`.
    pub max_batch: usize,
    /// Longest wait between a write and its visibility to `find`, after an unknown outcome.
    pub settle: std::time::Duration,
    /// It stores attachments.
    pub attachments: bool,
    /// It looks records up by our key, so that a lost answer never doubles them.
    pub keyed: bool,
}

impl SinkCapabilities {
    /// Declares the record kinds.
    #[must_use]
    pub fn with_kinds(mut self, kinds: impl IntoIterator<Item = RecordKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Declares the largest batch.
    #[must_use]
    pub fn with_max_batch(mut self, items: usize) -> Self {
        self.max_batch = items;
        self
    }

    /// Declares the settle time.
    #[must_use]
    pub fn with_settle(mut self, settle: std::time::Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Declares that attachments are stored.
    #[must_use]
    pub fn with_attachments(mut self) -> Self {
        self.attachments = true;
        self
    }

    /// Declares that the vendor enforces our key.
    #[must_use]
    pub fn with_keyed(mut self) -> Self {
        self.keyed = true;
        self
    }
}

/// What one account can do.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by the engine
pub struct SinkDescription {
    /// The objects that a field map may name.
    pub objects: Vec<ObjectDescription>,
    /// The field map used until the tenant puts its own.
    pub default_map: FieldMap,
}

/// One object of an account.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by preflight
pub struct ObjectDescription {
    /// Its kind.
    pub kind: RecordKind,
    /// The vendor's name for it, for messages to people.
    pub vendor_name: String,
    /// Its fields.
    pub fields: Vec<FieldDescription>,
}

/// One field of an object.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by preflight
pub struct FieldDescription {
    /// The vendor's name.
    pub name: FieldName,
    /// What it takes.
    pub kind: FieldKind,
    /// It can be set when a record is created.
    pub writable: bool,
    /// A record cannot be created without it.
    pub required: bool,
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Text up to this many characters, as the vendor counts them.
    Text {
        /// Longest text.
        max_chars: usize,
    },
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// A moment.
    Time,
    /// One of these values.
    Choice {
        /// The allowed values.
        values: Vec<String>,
    },
}

/// Asks for everything a batch needs to know, in one batched read.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sinks
pub struct FindRequest {
    /// Persons and companies to look up.
    pub parties: Vec<PartyQuery>,
    /// Records whose present state is wanted.
    pub records: Vec<RecordRef>,
}

/// One sender to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sinks
pub struct PartyQuery {
    /// All addresses of the person.
    pub addresses: Vec<EmailAddress>,
    /// The company's registrable domain; none for free mail or when it is known.
    pub company: Option<Domain>,
    /// Contact fields whose present values are wanted, so that only empty ones are filled.
    pub fields: Vec<FieldName>,
}

/// The answer to a [`FindRequest`], each list in the request's order.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by the engine
pub struct Found {
    /// What is known about each party.
    pub parties: Vec<FoundParty>,
    /// The present state of each record.
    pub records: Vec<RecordState>,
}

/// What a CRM knows about one sender.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by the engine
pub struct FoundParty {
    /// Every contact that fits; more than one is ambiguous.
    pub contacts: Vec<FoundContact>,
    /// Every company that fits; more than one is ambiguous.
    pub companies: Vec<RecordRef>,
}

/// One contact that fits.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by the engine
pub struct FoundContact {
    /// The contact.
    pub record: RecordRef,
    /// The company it belongs to, if the read tells.
    pub company: Option<RecordRef>,
    /// The present values of the fields asked for; absent means empty.
    pub fields: BTreeMap<FieldName, FieldValue>,
}

/// The present state of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordState {
    /// It exists and is open.
    Open,
    /// It exists and is closed, won, lost or done.
    Closed,
    /// It was merged into this record.
    MergedInto(RecordRef),
    /// It is gone.
    Gone,
}

/// One message for one sink, with every target resolved.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sinks
pub struct Delivery {
    /// Our key, stable over attempts and replays: at most 64 bytes of `[a-z0-9-]`.
    pub key: String,
    /// The message, for the audit.
    pub message: MessageUid,
    /// The thread; adjacent items of one thread form a run.
    pub thread: ThreadId,
    /// An earlier attempt may have been applied: look up before creating anything.
    pub outcome_unknown: bool,
    /// Effects of earlier attempts; not repeated.
    pub done: Vec<Effect>,
    /// The company behind the sender; none for free mail.
    pub company: Option<PartyWrite>,
    /// The person behind the sender.
    pub contact: PartyWrite,
    /// The record.
    pub record: RecordWrite,
    /// The mail on the timeline.
    pub activity: ActivityWrite,
    /// The attachments, in order.
    pub attachments: Vec<AttachmentWrite>,
}

/// What happens to a party.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums)] // a sink must handle each
pub enum PartyWrite {
    /// It exists: set these fields, all of them empty there now; often none.
    Known {
        /// The party.
        record: RecordRef,
        /// Fields to fill.
        fill: BTreeMap<FieldName, FieldValue>,
    },
    /// It does not exist. `key` is the lower-cased address or the domain; several items of a batch
    /// may share it: the first creates, the others use what it created.
    Create {
        /// The address or domain that identifies it.
        key: String,
        /// Its fields.
        draft: Draft,
    },
}

/// What happens to the record.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums)] // a sink must handle each
pub enum RecordWrite {
    /// The contact is the record.
    ContactOnly,
    /// It exists: set these fields, often none.
    Known {
        /// The record.
        record: RecordRef,
        /// Fields to set.
        fields: BTreeMap<FieldName, FieldValue>,
    },
    /// It does not exist: create it, related to contact and company.
    Create {
        /// Our key for the record: stable over attempts.
        key: String,
        /// Its fields.
        draft: Draft,
    },
    /// The record of an earlier item of this run, by position in the batch.
    Earlier {
        /// Position in the batch.
        item: usize,
    },
}

/// The mail as it goes to the timeline.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sinks
pub struct ActivityWrite {
    /// Subject, addresses, dates.
    pub draft: ActivityDraft,
    /// The complete text body.
    pub text: String,
    /// The complete HTML body, sanitised, if the mail has one.
    pub html: Option<String>,
    /// The raw mail, attached whole as `original.eml` when a body does not fit.
    pub original: Bytes,
}

/// One attachment as it goes to the CRM.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by sinks
pub struct AttachmentWrite {
    /// A safe file name.
    pub name: String,
    /// The media type, lower case.
    pub media_type: String,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// The decoded bytes.
    pub bytes: Bytes,
}

/// What became of one delivery.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // built by sinks, read by the engine
pub struct ItemOutcome {
    /// Every effect achieved by this call, also when it failed after them.
    pub effects: Vec<Effect>,
    /// How it ended.
    pub end: ItemEnd,
}

impl ItemOutcome {
    /// An item that was not touched.
    pub fn not_attempted() -> Self {
        Self {
            effects: Vec::new(),
            end: ItemEnd::NotAttempted,
        }
    }
}

/// How one delivery ended.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums)] // the engine must decide each
pub enum ItemEnd {
    /// Complete.
    Done,
    /// Refused or failed; the error says whether to try again.
    Failed(Error),
    /// A write was sent and no answer came: it may have been applied.
    Unknown(Error),
    /// Not tried; no attempt is burnt.
    NotAttempted,
}
