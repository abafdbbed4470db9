//! Mailboxes and how far each was read.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::jobs::Scope;
use crate::clock::Timestamp;
use crate::domain::{ConnectionId, EmailAddress, LeaseToken, MailboxId, TenantId};
use crate::error::{ErrorReport, Result};
use crate::source::{Cursor, Origin, PageToken, SourceFault, Stub};

/// Keeps mailboxes; moves the sync state and records the stubs in one transaction.
#[async_trait]
pub trait MailboxStore: fmt::Debug + Send + Sync + 'static {
    /// Puts a mailbox; the sync state of an existing one is kept, a new one is due now.
    ///
    /// # Errors
    ///
    /// `Conflict` if `mailbox.version` is not the stored one (0 for a new mailbox).
    async fn put_mailbox(&self, tenant: &TenantId, mailbox: Mailbox) -> Result<Mailbox>;

    /// Returns a mailbox.
    async fn mailbox(&self, tenant: &TenantId, id: &MailboxId) -> Result<Option<Mailbox>>;

    /// Returns the mailboxes of a tenant after an id, in id order, at most `limit`.
    async fn mailboxes(
        &self,
        tenant: &TenantId,
        after: Option<&MailboxId>,
        limit: usize,
    ) -> Result<Vec<Mailbox>>;

    /// Claims the mailbox of this connector that has been due longest (then by tenant and id), if
    /// one is due, unleased, not paused and on a usable source connection whose gate is open.
    async fn claim_mailbox(
        &self,
        scope: &Scope,
        vendor: &str,
        lease: Duration,
    ) -> Result<Option<MailboxClaim>>;

    /// Makes a mailbox due now, as a push notification does; a leased one when it is freed.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such mailbox.
    async fn mark_dirty(&self, tenant: &TenantId, id: &MailboxId) -> Result<()>;

    /// Records the stubs and moves the sync state in one transaction.
    ///
    /// A stub that is known is counted as seen and changes nothing. A stub shown as a draft is
    /// recorded as parked `draft`.
    ///
    /// # Errors
    ///
    /// `Fenced` if the mailbox is no longer leased by this token.
    async fn commit_page(
        &self,
        tenant: &TenantId,
        id: &MailboxId,
        lease: LeaseToken,
        page: PageCommit,
    ) -> Result<PageCommitted>;

    /// Returns the tenants in scope that have a mailbox, after one, in id order, at most `most`.
    async fn tenants(
        &self,
        scope: &Scope,
        after: Option<&TenantId>,
        most: usize,
    ) -> Result<Vec<TenantId>>;

    /// Returns the rows of sync runs, newest first (by start, mailbox, number).
    ///
    /// Rows are written by [`commit_page`](Self::commit_page), in its transaction: a page whose run
    /// starts at another moment than the one before, or follows an ended one, begins a row; every
    /// other page brings its row up to date. A run without a start has no row.
    async fn runs(&self, tenant: &TenantId, query: &RunQuery) -> Result<Vec<RunRow>>;

    /// Forgets runs that started before a moment, the oldest first, at most `most`; returns how
    /// many.
    async fn forget_runs(&self, scope: &Scope, before: Timestamp, most: usize) -> Result<u64>;
}

/// One mailbox that is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // stored data
pub struct Mailbox {
    /// Its id.
    pub id: MailboxId,
    /// The source connection.
    pub connection: ConnectionId,
    /// The address whose mail it holds, so that our own side's mail is recognised.
    pub address: Option<EmailAddress>,
    /// Whether strangers can write to it; decides how the absence of an authentication result is
    /// treated.
    #[serde(default)]
    pub origin: Origin,
    /// Processing waits for listings, so that threads come in order: mail of this mailbox is
    /// processed when every such mailbox of the tenant was listed to its end once. A mailbox that is
    /// paused, or whose run failed, is not waited for; pause one whose connection cannot be used.
    #[serde(default)]
    pub list_first: bool,
    /// Only mail received at or after this moment.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How far it was read.
    #[serde(default)]
    pub sync: SyncState,
    /// Whether it is read.
    #[serde(default)]
    pub paused: bool,
    /// Grows by one with each change of its settings.
    #[serde(default)]
    pub version: u64,
}

impl Mailbox {
    /// Starts a live mailbox of a connection, from its first mail on.
    pub fn new(id: MailboxId, connection: ConnectionId) -> Self {
        Self {
            id,
            connection,
            address: None,
            origin: Origin::Live,
            list_first: false,
            since: None,
            sync: SyncState::default(),
            paused: false,
            version: 0,
        }
    }

    /// Tells whether mailboxes with `list_first` wait for this one's first listing to end.
    pub fn is_listing(&self) -> bool {
        let sync = &self.sync;
        let open = sync.complete_at.is_none() && sync.run.error.is_none();
        self.list_first && !self.paused && open
    }
}

/// How far a mailbox was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // stored data
pub struct SyncState {
    /// What is being done.
    pub phase: Phase,
    /// Where changes are followed from; everything before it is committed.
    pub cursor: Option<Cursor>,
    /// Becomes the cursor with the last page of the present listing.
    pub candidate: Option<Cursor>,
    /// Where the present listing goes on.
    pub page: Option<PageToken>,
    /// When a listing last came to its end.
    pub complete_at: Option<Timestamp>,
    /// The present or last run.
    pub run: SyncRun,
}

/// What is being done with a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the phases of a sync
pub enum Phase {
    /// Nothing was read yet, or the first listing goes on.
    #[default]
    Backfill,
    /// Changes are followed.
    Live,
    /// The cursor was lost; the mailbox is listed again.
    Reconcile,
}

/// Counters of one sync run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // stored data
pub struct SyncRun {
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Pages committed.
    pub pages: u64,
    /// Stubs shown.
    pub listed: u64,
    /// Stubs that were new.
    pub new: u64,
    /// What could not be read, the first [`SyncRun::MAX_FAULTS`].
    pub faults: Vec<SourceFault>,
    /// How many could not be read.
    pub fault_count: u64,
    /// Why it failed, if it did.
    pub error: Option<ErrorReport>,
    /// It lists the mailbox from its start, so that `listed` of two such runs can be compared.
    #[serde(default)]
    pub full: bool,
}

impl SyncRun {
    /// Faults that are kept in full; the rest is counted.
    pub const MAX_FAULTS: usize = 100;

    /// Tells how it stands.
    pub fn state(&self) -> RunState {
        match (&self.error, self.ended_at) {
            (Some(_), _) => RunState::Failed,
            (None, None) => RunState::Running,
            (None, Some(_)) if self.fault_count > 0 => RunState::Partial,
            (None, Some(_)) => RunState::Success,
        }
    }

    /// Tells whether it is the run of the page before, rather than a new one.
    pub fn goes_on(&self, before: &SyncRun) -> bool {
        before.ended_at.is_none() && before.started_at == self.started_at
    }

    /// Returns how long it took; none while it runs.
    pub fn took(&self) -> Option<Duration> {
        (self.ended_at? - self.started_at?).to_std().ok()
    }
}

/// How a sync run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the states of a run
pub enum RunState {
    /// It goes on, or its process died and the next claim goes on with it.
    Running,
    /// It came to its end.
    Success,
    /// It came to its end, but some items could not be read.
    Partial,
    /// It broke off.
    Failed,
}

/// A sync run as it is kept: one row each, for 30 days by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct RunRow {
    /// Whose mailbox.
    pub mailbox: MailboxId,
    /// Counts the runs of the mailbox that are kept, one more than the latest before it.
    pub number: u64,
    /// The run; of its faults the first [`RunRow::MAX_FAULTS`].
    pub run: SyncRun,
}

impl RunRow {
    /// Faults that a row keeps in full; the rest is counted.
    pub const MAX_FAULTS: usize = 10;
}

/// Which sync runs are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct RunQuery {
    /// Only this mailbox.
    pub mailbox: Option<MailboxId>,
    /// Only runs that started before this moment.
    pub before: Option<Timestamp>,
    /// Most rows.
    pub limit: usize,
}

impl Default for RunQuery {
    /// The latest 100 runs.
    fn default() -> Self {
        Self {
            mailbox: None,
            before: None,
            limit: 100,
        }
    }
}

/// A mailbox under a lease.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by stores, read by the engine
pub struct MailboxClaim {
    /// Whose it is.
    pub tenant: TenantId,
    /// The mailbox with its sync state.
    pub mailbox: Mailbox,
    /// The fence of every later write.
    pub lease: LeaseToken,
}

/// One page to commit.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_structs)] // built by the engine, read by stores
pub struct PageCommit {
    /// The messages shown.
    pub stubs: Vec<Stub>,
    /// The sync state from now on; the store adds this page's counts to `run` (no page if `run`
    /// has an error) and cuts `run.faults` to [`SyncRun::MAX_FAULTS`].
    pub sync: SyncState,
    /// Whether the lease is kept for the next page; else freed, due again at this moment.
    pub next: NextPage,
}

/// What follows a committed page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // go on or free
pub enum NextPage {
    /// The lease is kept, prolonged by its length.
    #[default]
    Keep,
    /// The lease is freed; due again at this moment, or only when marked dirty.
    Free {
        /// The next round.
        due: Option<Timestamp>,
    },
}

/// What a page commit changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct PageCommitted {
    /// Stubs that were new.
    pub new: u64,
    /// Stubs that were known.
    pub seen: u64,
}
