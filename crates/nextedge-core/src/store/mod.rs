//! What must survive a crash: the store traits and their words.
//!
//! One backend implements all of them; [`Store`] is their sum. The in-memory
//! [`MemoryStore`](crate::memory::MemoryStore) is the model: every other store shows the same states
//! for the same calls. Every method names its tenant; those that look for work or clean up over many
//! tenants take a [`Scope`] and answer with the tenant they found.
//!
//! # Time, leases and fences
//!
//! A store takes time from its own clock (a database: from the database). A claim hands out a random
//! [`LeaseToken`](crate::LeaseToken); every later write of that claim names it and is refused with
//! [`ErrorKind::Fenced`](crate::ErrorKind::Fenced) when the lease ran out or another claim took over.
//!
//! # Lanes
//!
//! Work of one conversation is done in order. The *intake lane* of a message is its mailbox and the
//! source's thread hint (without one, the message alone), and orders `process`; the *delivery lane* is the sink connection and our
//! thread, and orders `deliver`. Inside a lane the order is (received time, message id). One claim
//! at a time holds a lane; retry and backoff move the lane, never the order.
//!
//! # Outcomes
//!
//! A message that was processed has the worst outcome of its deliveries: pending, dead, review,
//! delivered, parked; the detail is that of the first such sink. A message that waits for a review
//! item counts as in review even if it has no plan.

mod config;
mod jobs;
mod ledger;
mod mailbox;
mod overview;

pub use config::{ConnectionStore, Gate, Gates, PolicySource, Versioned};
pub use jobs::{
    AfterDead, CLAIM_MEMORY, Claim, ClaimRequest, ClaimedItem, Committed, DeliveredEnd,
    DeliveredUnit, JobKind, JobStore, KnownRecord, ProcessedOutcome, ProcessedUnit, Scope,
    ThreadChange, Unit, Work,
};
pub use ledger::{
    Archive, AuditLog, AuditQuery, Counts, DecisionRecord, Ledger, LedgerQuery, LedgerRow, Lookup,
    ReviewQuery, ReviewQueue, SinkOutcome, ThreadLinks,
};
pub use mailbox::{
    Mailbox, MailboxClaim, MailboxStore, NextPage, PageCommit, PageCommitted, Phase, RunQuery,
    RunRow, RunState, SyncRun, SyncState,
};
pub use overview::{LaneCounts, Listed, MailboxWork, MessageError, Overview, SinkWork};

/// Everything a store offers; implemented for whatever implements the parts.
pub trait Store:
    JobStore
    + MailboxStore
    + ConnectionStore
    + PolicySource
    + Gates
    + Ledger
    + ThreadLinks
    + AuditLog
    + ReviewQueue
    + Archive
{
}

impl<T> Store for T where
    T: JobStore
        + MailboxStore
        + ConnectionStore
        + PolicySource
        + Gates
        + Ledger
        + ThreadLinks
        + AuditLog
        + ReviewQueue
        + Archive
{
}
