//! What an operator sees: per mailbox and per sink, what is done, what waits and why.

use super::Engine;
use crate::clock::Timestamp;
use crate::context::{ConnectionRole, ConnectionState};
use crate::domain::{ConnectionId, MailboxId, TenantId};
use crate::error::{ErrorReport, Result};
use crate::store::{Counts, Gate, Mailbox, Phase, SyncRun};

/// The state of one tenant.
#[derive(Clone, Debug, serde::Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Status {
    /// All sightings by outcome.
    pub counts: Counts,
    /// Each mailbox.
    pub mailboxes: Vec<MailboxStatus>,
    /// Each sink.
    pub sinks: Vec<SinkStatus>,
}

/// The state of one mailbox.
#[derive(Clone, Debug, serde::Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct MailboxStatus {
    /// Which.
    pub mailbox: MailboxId,
    /// Its sightings by outcome.
    pub counts: Counts,
    /// Share of the listed mail that is no longer pending, 0 to 100.
    pub percent: u8,
    /// What is being done.
    pub phase: Phase,
    /// When it was last proven complete; none while the first listing goes on.
    pub complete_at: Option<Timestamp>,
    /// Seconds since then.
    pub fresh_seconds: Option<i64>,
    /// The present or last run.
    pub run: SyncRun,
}

/// The state of one sink.
#[derive(Clone, Debug, serde::Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct SinkStatus {
    /// Which.
    pub connection: ConnectionId,
    /// Whether it is used.
    pub state: ConnectionState,
    /// Until when it pauses, and why.
    pub paused: Option<(Timestamp, ErrorReport)>,
}

impl Engine {
    /// Returns the state of a tenant, read from the store.
    ///
    /// At most the first 1,000 mailboxes are listed; the counts are complete.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn status(&self, tenant: &TenantId) -> Result<Status> {
        let store = &self.deps.store;
        let now = self.deps.clock.now();
        let mut mailboxes = Vec::new();
        for mailbox in store.mailboxes(tenant, None, MAX_MAILBOXES).await? {
            let counts = store.counts(tenant, Some(&mailbox.id)).await?;
            mailboxes.push(mailbox_status(mailbox, counts, now));
        }
        let gates = store.gates(tenant).await?;
        let connections = store.connections(tenant).await?;
        let sinks = connections
            .into_iter()
            .filter(|c| c.role == ConnectionRole::Sink);
        let sinks = sinks
            .map(|c| sink_status(c.id, c.state, &gates, now))
            .collect();
        Ok(Status {
            counts: store.counts(tenant, None).await?,
            mailboxes,
            sinks,
        })
    }
}

fn mailbox_status(mailbox: Mailbox, counts: Counts, now: Timestamp) -> MailboxStatus {
    let total = counts.total();
    let done = total - counts.pending;
    let sync = mailbox.sync;
    MailboxStatus {
        mailbox: mailbox.id,
        counts,
        percent: (done * 100)
            .checked_div(total)
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(100),
        phase: sync.phase,
        complete_at: sync.complete_at,
        fresh_seconds: sync.complete_at.map(|at| (now - at).num_seconds()),
        run: sync.run,
    }
}

fn sink_status(
    connection: ConnectionId,
    state: ConnectionState,
    gates: &[Gate],
    now: Timestamp,
) -> SinkStatus {
    let gate = gates
        .iter()
        .find(|gate| gate.connection == connection && gate.until > now);
    let paused = gate.map(|gate| (gate.until, gate.error.clone()));
    SinkStatus {
        connection,
        state,
        paused,
    }
}

const MAX_MAILBOXES: usize = 1000;
