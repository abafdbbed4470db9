//! Replaying what was given up or parked: shown first, carried out when its number is confirmed.

use super::Engine;
use super::admin::Confirm;
use crate::domain::{MailboxId, MessageUid, Outcome, OutcomeKind, ParkReason, TenantId};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{LedgerQuery, LedgerRow};

/// Which messages are replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayRequest {
    /// Only this mailbox; default all.
    pub mailbox: Option<MailboxId>,
    /// What became of them; default the dead letters.
    pub what: Replayed,
    /// Most messages, the oldest first; default 1,000, at most [`ReplayRequest::MAX`].
    pub limit: usize,
}

/// What became of the messages that are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // what a store makes pending again
pub enum Replayed {
    /// They were given up.
    #[default]
    Dead,
    /// They were kept without being written; duplicates, quarantined, erased and gone ones stay.
    Parked,
}

impl ReplayRequest {
    /// Most messages of one call.
    pub const MAX: usize = 10_000;

    /// Sets the only mailbox.
    #[must_use]
    pub fn with_mailbox(mut self, mailbox: MailboxId) -> Self {
        self.mailbox = Some(mailbox);
        self
    }

    /// Sets what became of the messages.
    #[must_use]
    pub fn with_what(mut self, what: Replayed) -> Self {
        self.what = what;
        self
    }

    /// Sets the most messages.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl Default for ReplayRequest {
    /// The first 1,000 dead letters of all mailboxes.
    fn default() -> Self {
        Self {
            mailbox: None,
            what: Replayed::Dead,
            limit: 1_000,
        }
    }
}

/// What a replay would do, or did.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Replay {
    /// The messages, by order of reception.
    pub messages: Vec<LedgerRow>,
    /// How many became pending; none if this was a dry run.
    pub done: Option<u64>,
}

impl Engine {
    /// Shows what a replay would make pending again; with a [`Confirm`] of that number, does it.
    ///
    /// A replayed message goes on where it died, with its keys and effects kept and attempts at
    /// zero, so that nothing is written twice.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] if `confirm` names another number than is found now; nothing is
    /// changed then. [`ErrorKind::Invalid`] for a limit of 0 or above [`ReplayRequest::MAX`].
    pub async fn replay(
        &self,
        tenant: &TenantId,
        request: &ReplayRequest,
        confirm: Option<Confirm>,
    ) -> Result<Replay> {
        let messages = self.replayable(tenant, request).await?;
        let Some(confirm) = confirm else {
            return Ok(Replay {
                messages,
                done: None,
            });
        };
        if confirm != Confirm(messages.len() as u64) {
            return Err(refused("another number was confirmed", ErrorKind::Conflict)
                .with_context("confirmed", confirm.0)
                .with_context("found", messages.len())
                .with_action("look at what is found now, then confirm that number"));
        }
        let ids: Vec<MessageUid> = messages.iter().map(|row| row.message).collect();
        let done = self.requeue(tenant, &ids, Some(confirm)).await?;
        Ok(Replay {
            messages,
            done: Some(done),
        })
    }

    async fn replayable(
        &self,
        tenant: &TenantId,
        request: &ReplayRequest,
    ) -> Result<Vec<LedgerRow>> {
        if request.limit == 0 || request.limit > ReplayRequest::MAX {
            return Err(
                refused("the limit of a replay is out of bounds", ErrorKind::Invalid)
                    .with_context("limit", request.limit)
                    .with_context("most", ReplayRequest::MAX),
            );
        }
        let mut query = LedgerQuery {
            mailbox: request.mailbox.clone(),
            outcome: Some(match request.what {
                Replayed::Dead => OutcomeKind::Dead,
                Replayed::Parked => OutcomeKind::Parked,
            }),
            limit: PAGE,
            ..LedgerQuery::default()
        };
        let mut found = Vec::new();
        loop {
            let rows = self.deps.store.messages(tenant, &query).await?;
            let last = rows.last().filter(|_| rows.len() == PAGE);
            query.after = last.map(|row| (row.received_at.unwrap_or_default(), row.message));
            found.extend(rows.into_iter().filter(is_replayable));
            if found.len() >= request.limit || query.after.is_none() {
                found.truncate(request.limit);
                return Ok(found);
            }
        }
    }
}

fn is_replayable(row: &LedgerRow) -> bool {
    match &row.outcome {
        Outcome::Dead { .. } => true,
        Outcome::Parked { reason } => !matches!(
            reason,
            ParkReason::Gone
                | ParkReason::Quarantined(_)
                | ParkReason::DuplicateOf(_)
                | ParkReason::Erased
        ),
        Outcome::Pending | Outcome::Delivered | Outcome::Review { .. } => false,
    }
}

fn refused(message: &'static str, kind: ErrorKind) -> Error {
    Error::new(kind, message).with_operation("engine.replay")
}

/// Rows read at once.
const PAGE: usize = 500;
