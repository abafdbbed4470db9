//! What a worker process is told, and what it tells: JSON between two processes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::world::BoxKind;

/// What a worker does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) db: PathBuf,
    pub(crate) tenants: Vec<TenantSpec>,
    pub(crate) tuning: Tuning,
    /// Where it ends itself; none to run to the end.
    pub(crate) kill: Option<KillAt>,
}

/// A tenant, its account and its mailboxes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TenantSpec {
    pub(crate) name: String,
    pub(crate) crm: String,
    pub(crate) boxes: Vec<BoxSpec>,
}

/// A mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BoxSpec {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) path: PathBuf,
    pub(crate) kind: BoxKind,
}

/// The sizes and times of an engine: small, so that a small world has many commits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Tuning {
    pub(crate) page: usize,
    pub(crate) fetch: usize,
    pub(crate) process: usize,
    pub(crate) deliver: usize,
    pub(crate) settle_ms: u64,
}

/// A named place, and the how-manieth time it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KillAt {
    pub(crate) point: String,
    pub(crate) hit: u32,
}

/// One line of a worker's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// What the store held when it was opened, before anything was done.
    Opened(Vec<TenantPicture>),
    /// What it held when nothing was left to do.
    Ended(Vec<TenantPicture>),
    /// How often each named place was reached.
    Reached(BTreeMap<String, u32>),
}

/// What a store says about a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TenantPicture {
    pub(crate) name: String,
    /// Milliseconds from now until the next work is due; none if nothing waits.
    pub(crate) due_ms: Option<i64>,
    /// Whether the account asked for a pause.
    pub(crate) gated: bool,
    pub(crate) boxes: Vec<BoxPicture>,
    pub(crate) rows: Vec<Row>,
    /// Writing calls that the audit log holds.
    pub(crate) audited_writes: usize,
    /// Attempts that the audit log calls interrupted.
    pub(crate) interrupted: usize,
}

/// How far a mailbox was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BoxPicture {
    pub(crate) id: String,
    pub(crate) live: bool,
    pub(crate) cursor: Option<String>,
    pub(crate) page: Option<String>,
    /// The store's own counters: pending, delivered, parked, review, dead.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// One sighting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) message: String,
    pub(crate) mailbox: String,
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) errors: Vec<String>,
}
