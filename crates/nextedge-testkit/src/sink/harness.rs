//! What a connector author writes: a far system to start, to break, and to look into.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::sink::CrmSink;
use nextedge_core::{Draft, RecordKind, RecordRef, Timestamp};
use serde_json::Value;

use crate::account::Account;

/// Makes worlds for the checks: each check starts one or more of its own.
#[async_trait]
pub trait SinkHarness: Send + Sync {
    /// Starts a far system in which every [`Account`] is empty, with a sink that writes to it.
    async fn start(&self) -> Box<dyn SinkWorld>;

    /// Names the faults that this harness cannot produce, each with the reason.
    ///
    /// Their checks are skipped and printed with the reason. A fault that a declared capability
    /// needs may not be missing: [`FaultKind::LoseResponse`] always, [`FaultKind::Refuse`] for a
    /// batch of more than one, [`FaultKind::Duplicate`] where the sink is keyed.
    fn missing(&self) -> Vec<(FaultKind, &'static str)> {
        Vec::new()
    }
}

/// One far system and the sink that writes to it.
///
/// The checks look at effects in the far system through [`seen`](Self::seen), never at the sink's
/// own word, so `seen` must read what the far system holds and not what the sink reported.
#[async_trait]
pub trait SinkWorld: Send + Sync {
    /// Makes a new sink that remembers nothing, as after a restart of the process.
    ///
    /// Time comes from the call's context, a manual clock: set pauses between in-process retries to
    /// zero, or the check hangs.
    fn sink(&self) -> Arc<dyn CrmSink>;

    /// Returns the settings of an account's connection. Default: none.
    ///
    /// Accounts differ by tenant or connection id; the sink must reach the right one by these.
    fn settings(&self, _account: Account) -> Value {
        Value::Null
    }

    /// Makes a draft that the far system accepts for this kind, with `title` in its most prominent
    /// text field. At least two fields for records, so that an overwritten stage or owner is seen.
    fn draft(&self, kind: &RecordKind, title: &str) -> Draft;

    /// Puts a fault in force until [`lift`](Self::lift).
    async fn inject(&self, fault: &Fault);

    /// Lifts every fault and lets held calls go on.
    async fn lift(&self);

    /// Reads what an account holds.
    async fn seen(&self, account: Account) -> SeenCrm;

    /// Tells whether a stored file holds exactly these bytes.
    async fn holds(&self, account: Account, file: &SeenFile, bytes: &[u8]) -> bool;

    /// Counts the calls that have reached the far system, refused ones included.
    async fn calls(&self) -> usize;

    /// Tells whether a call is being held back by [`Fault::Stall`].
    async fn stalled(&self) -> bool;

    /// Returns what must never show in an error, such as tokens. The checks add bodies and addresses.
    fn secrets(&self) -> Vec<String>;

    /// How long, in real time, an answer may take before the check calls it a hang. Default 60 s:
    /// far more than a loaded machine needs, because only a failure waits so long.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A part of a delivery, as faults aim at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums)] // a delivery has these parts
pub enum Part {
    /// Writing companies.
    Company,
    /// Writing contacts.
    Contact,
    /// Writing leads, cases, opportunities or custom records.
    Record,
    /// Storing files.
    File,
    /// Writing mails to the timeline.
    Activity,
}

/// What goes wrong in the far system; in force until it is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a harness produces each or declares it missing
pub enum Fault {
    /// Writes of this part are applied, and their answers are lost.
    LoseResponse {
        /// Which writes.
        part: Part,
        /// Only the first, or all until lifted.
        times: Times,
    },
    /// Calls are answered 429, or the vendor's own form of it, with this delay; nothing is applied.
    Throttle {
        /// Only writes of this part; none: every call.
        part: Option<Part>,
        /// The delay that the answer names, in whole seconds.
        after: Duration,
    },
    /// The token is no longer accepted, and cannot be renewed; nothing is applied.
    ExpireToken {
        /// Only on writes of this part; none: on every call.
        part: Option<Part>,
    },
    /// One item of a batch is refused for good; the others are written.
    Refuse {
        /// Which writes.
        part: Part,
        /// The position of the item among the writes of its first request.
        index: usize,
        /// The key the sink gives the record: [`Delivery::key`](nextedge_core::sink::Delivery::key),
        /// the record's own key, or the party's key.
        key: String,
        /// The field to blame; the refusal names it as the vendor does.
        field: String,
        /// Words of the mail, to be repeated in the refusal's message as careless vendors do.
        words: String,
    },
    /// Writes to this record are refused for the moment, because another writer holds it.
    Lock {
        /// The record.
        record: RecordRef,
    },
    /// Somebody else creates a contact with this address now; it stays when the fault is lifted.
    Duplicate {
        /// The address.
        address: String,
    },
    /// The account no longer knows this field, after the sink has described the account.
    Drift {
        /// The kind of record.
        kind: RecordKind,
        /// The field.
        field: String,
    },
    /// Writes of this part are held and not answered until lifted.
    Stall {
        /// Which writes.
        part: Part,
    },
    /// The connection is cut before writes of this part are applied.
    Cut {
        /// Which writes.
        part: Part,
    },
}

/// How often a lost response happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // once or always
pub enum Times {
    /// The next one only.
    Once,
    /// All until lifted.
    UntilLifted,
}

/// A [`Fault`] without its details, to declare it missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, missing_docs)] // one for each fault
pub enum FaultKind {
    LoseResponse,
    Throttle,
    ExpireToken,
    Refuse,
    Lock,
    Duplicate,
    Drift,
    Stall,
    Cut,
}

/// What an account holds, in the library's words.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by harnesses
pub struct SeenCrm {
    /// Contacts, companies, leads, cases, opportunities and custom records, oldest first.
    pub records: Vec<SeenRecord>,
    /// Mails on the timeline, oldest first.
    pub activities: Vec<SeenActivity>,
    /// Stored files, oldest first.
    pub files: Vec<SeenFile>,
}

/// A record in the far system.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by harnesses
pub struct SeenRecord {
    /// Which record.
    pub record: RecordRef,
    /// Its fields as text; without those the far system sets by itself, such as change dates.
    pub fields: BTreeMap<String, String>,
}

/// A mail on the timeline of the far system.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by harnesses
pub struct SeenActivity {
    /// Its id.
    pub id: String,
    /// The subject.
    pub subject: String,
    /// The plain text as stored.
    pub text: String,
    /// The mail's own date.
    pub sent_at: Timestamp,
    /// The records on whose timeline it stands.
    pub on: BTreeSet<RecordRef>,
    /// The ids of the files that belong to it, each as often as it is attached.
    pub files: Vec<String>,
}

/// A file in the far system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by harnesses
pub struct SeenFile {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl SeenCrm {
    /// Returns the records of one kind.
    pub fn of(&self, kind: &RecordKind) -> Vec<&SeenRecord> {
        let fits = |seen: &&SeenRecord| seen.record.kind == *kind;
        self.records.iter().filter(fits).collect()
    }

    /// Finds a record.
    pub fn get(&self, record: &RecordRef) -> Option<&SeenRecord> {
        self.records.iter().find(|seen| seen.record == *record)
    }

    /// Tells whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.activities.is_empty() && self.files.is_empty()
    }
}
