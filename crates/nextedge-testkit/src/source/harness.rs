//! What the author of a source writes: mailboxes to fill, to break, and to read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::source::MailSource;
use nextedge_core::{ProviderId, Timestamp};
use serde_json::Value;

use crate::account::Account;

/// Makes worlds for the checks: each check starts one or more of its own.
#[async_trait]
pub trait SourceHarness: Send + Sync {
    /// Starts a world in which every account's mailbox is empty.
    async fn start(&self) -> Box<dyn SourceWorld>;

    /// Names the faults that this harness cannot produce, each with the reason.
    ///
    /// Their checks are skipped and printed with the reason. A fault that a declared capability
    /// needs may not be missing: [`SourceFaultKind::ExpireCursors`] with a change feed,
    /// [`SourceFaultKind::BadAccount`] always.
    fn missing(&self) -> Vec<(SourceFaultKind, &'static str)> {
        Vec::new()
    }
}

/// Mailboxes, one for each account, and the source that reads them.
#[async_trait]
pub trait SourceWorld: Send + Sync {
    /// Makes a new source that remembers nothing, as after a restart of the process.
    ///
    /// Time comes from the call's context, a manual clock: set pauses between in-process retries to
    /// zero, or the check hangs.
    fn source(&self) -> Arc<dyn MailSource>;

    /// Returns the settings of an account's connection.
    fn settings(&self, account: Account) -> Value;

    /// Lets mails arrive in an account's mailbox, in this order.
    async fn put(&self, account: Account, mails: &[RawMail]);

    /// Removes a mail that a listing has shown.
    async fn remove(&self, account: Account, id: &ProviderId);

    /// Puts a fault in force until [`lift`](Self::lift).
    async fn inject(&self, fault: &SourceTrouble);

    /// Lifts every fault and lets held calls go on.
    async fn lift(&self);

    /// Tells whether a call is being held back by [`SourceTrouble::Stall`].
    async fn stalled(&self) -> bool;

    /// Returns what must never show in an error, such as tokens. Default: nothing.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// How long, in real time, an answer may take before the check calls it a hang. Default 60 s:
    /// far more than a loaded machine needs, because only a failure waits so long.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A mail as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // built by the checks, read by harnesses
pub struct RawMail {
    /// The bytes, to be kept exactly.
    pub raw: Bytes,
    /// When the mailbox receives it, which its topmost `Received` header says too.
    pub received_at: Timestamp,
}

/// What goes wrong with the mailbox of [`Account::First`]; in force until it is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a harness produces each or declares it missing
pub enum SourceTrouble {
    /// Every cursor given so far is too old from now on; stays when lifted.
    ExpireCursors,
    /// The account or its token is refused, or the mailbox is not where the settings say.
    BadAccount,
    /// Fetching this mail fails, and may work later.
    FailFetch {
        /// Which mail.
        id: ProviderId,
    },
    /// Something in the mailbox cannot be read while listing, such as a damaged file.
    BrokenItem,
    /// Calls are answered 429, or the vendor's own form of it, with this delay.
    Throttle {
        /// The delay, in whole seconds.
        after: Duration,
    },
    /// Calls are held and not answered until lifted.
    Stall,
}

/// A [`SourceTrouble`] without its details, to declare it missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, missing_docs)] // one for each fault
pub enum SourceFaultKind {
    ExpireCursors,
    BadAccount,
    FailFetch,
    BrokenItem,
    Throttle,
    Stall,
}
