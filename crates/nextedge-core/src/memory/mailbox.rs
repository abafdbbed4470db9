//! `MailboxStore`: mailboxes, their leases and their pages.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::state::{Intake, Job, MailboxLease, MailboxRow, MessageRow, State, TenantState};
use super::{MemoryStore, conflict, fenced, not_found};
use crate::clock::{Timestamp, later};
use crate::context::ConnectionRole;
use crate::domain::{LeaseToken, MailboxId, MessageUid, ParkReason, TenantId};
use crate::error::Result;
use crate::source::Stub;
use crate::store::{
    Mailbox, MailboxClaim, MailboxStore, NextPage, PageCommit, PageCommitted, Phase, RunQuery,
    RunRow, Scope, SyncRun,
};

#[async_trait]
impl MailboxStore for MemoryStore {
    async fn put_mailbox(&self, tenant: &TenantId, mut mailbox: Mailbox) -> Result<Mailbox> {
        let now = self.now();
        let mut state = self.lock();
        let rows = &mut state.tenant_mut(tenant).mailboxes;
        let stored = rows.get_mut(&mailbox.id);
        let version = stored.as_ref().map_or(0, |row| row.mailbox.version);
        if mailbox.version != version {
            return Err(conflict("mailbox", mailbox.version, version));
        }
        mailbox.version += 1;
        if let Some(row) = stored {
            mailbox.sync = row.mailbox.sync.clone();
            row.mailbox = mailbox.clone();
        } else {
            let row = MailboxRow {
                mailbox: mailbox.clone(),
                due: Some(now),
                dirty: false,
                lease: None,
                runs: Vec::new(),
            };
            rows.insert(mailbox.id.clone(), row);
        }
        Ok(mailbox)
    }

    async fn mailbox(&self, tenant: &TenantId, id: &MailboxId) -> Result<Option<Mailbox>> {
        let state = self.lock();
        let row = state.tenant(tenant).and_then(|t| t.mailboxes.get(id));
        Ok(row.map(|row| row.mailbox.clone()))
    }

    async fn mailboxes(
        &self,
        tenant: &TenantId,
        after: Option<&MailboxId>,
        limit: usize,
    ) -> Result<Vec<Mailbox>> {
        let state = self.lock();
        let rows = state.tenant(tenant).into_iter().flat_map(|t| &t.mailboxes);
        let rows = rows.filter(|(id, _)| after.is_none_or(|after| *id > after));
        Ok(rows
            .take(limit)
            .map(|(_, row)| row.mailbox.clone())
            .collect())
    }

    async fn claim_mailbox(
        &self,
        scope: &Scope,
        vendor: &str,
        lease: Duration,
    ) -> Result<Option<MailboxClaim>> {
        self.lock().claim_mailbox(self.now(), scope, vendor, lease)
    }

    async fn mark_dirty(&self, tenant: &TenantId, id: &MailboxId) -> Result<()> {
        let now = self.now();
        let mut state = self.lock();
        let row = state.tenant_mut(tenant).mailboxes.get_mut(id);
        let row = row.ok_or_else(|| not_found("mailbox"))?;
        if row.lease.as_ref().is_some_and(|lease| lease.until > now) {
            row.dirty = true;
        } else {
            row.due = Some(row.due.map_or(now, |due| due.min(now)));
        }
        Ok(())
    }

    async fn commit_page(
        &self,
        tenant: &TenantId,
        id: &MailboxId,
        lease: LeaseToken,
        page: PageCommit,
    ) -> Result<PageCommitted> {
        let now = self.now();
        let mut state = self.lock();
        let rows = state.tenant_mut(tenant);
        rows.commit_page(now, tenant, id, lease, page)
    }

    async fn tenants(
        &self,
        scope: &Scope,
        after: Option<&TenantId>,
        most: usize,
    ) -> Result<Vec<TenantId>> {
        let state = self.lock();
        let tenants = state.in_scope(scope).into_iter();
        let tenants = tenants.filter(|id| after.is_none_or(|after| id > after));
        let has_mailbox = |id: &TenantId| state.tenant(id).is_some_and(|t| !t.mailboxes.is_empty());
        Ok(tenants.filter(has_mailbox).take(most).collect())
    }

    async fn runs(&self, tenant: &TenantId, query: &RunQuery) -> Result<Vec<RunRow>> {
        let state = self.lock();
        Ok(state
            .tenant(tenant)
            .map_or_else(Vec::new, |t| t.runs(query)))
    }

    async fn forget_runs(&self, scope: &Scope, before: Timestamp, most: usize) -> Result<u64> {
        Ok(self.lock().forget_runs(scope, before, most))
    }
}

impl State {
    fn claim_mailbox(
        &mut self,
        now: Timestamp,
        scope: &Scope,
        vendor: &str,
        lease: Duration,
    ) -> Result<Option<MailboxClaim>> {
        let mut best = None;
        for tenant in self.in_scope(scope) {
            let due = self
                .tenant(&tenant)
                .and_then(|t| t.due_mailbox(now, vendor));
            let due = due.map(|(at, mailbox)| (at, tenant, mailbox));
            best = match (best, due) {
                (Some(a), Some(b)) => Some(if b < a { b } else { a }),
                (a, b) => a.or(b),
            };
        }
        let Some((_, tenant, id)) = best else {
            return Ok(None);
        };
        let token = LeaseToken::random()?;
        let state = self.tenant_mut(&tenant);
        let Some(row) = state.mailboxes.get_mut(&id) else {
            return Ok(None);
        };
        row.dirty = false;
        row.lease = Some(MailboxLease {
            token,
            until: later(now, lease),
            length: lease,
            probe: state.gates.contains_key(&row.mailbox.connection),
        });
        Ok(Some(MailboxClaim {
            tenant,
            mailbox: row.mailbox.clone(),
            lease: token,
        }))
    }
}

impl TenantState {
    fn due_mailbox(&self, now: Timestamp, vendor: &str) -> Option<(Timestamp, MailboxId)> {
        let rows = self.mailboxes.iter();
        let due = rows.filter_map(|(id, row)| {
            let at = row.due.filter(|due| *due <= now)?;
            let connection = &row.mailbox.connection;
            let gate = self.gates.get(connection).map(|gate| gate.until);
            let free = row.lease.as_ref().is_none_or(|lease| lease.until <= now)
                && !row.mailbox.paused
                && self.serves(connection, vendor)
                && self.is_usable(connection, ConnectionRole::Source)
                && gate.is_none_or(|until| until <= now && !self.is_busy(connection, now));
            free.then(|| (at, id.clone()))
        });
        due.min()
    }

    /// Lists when each readable mailbox becomes due.
    pub(super) fn mailboxes_due(&self) -> impl Iterator<Item = Timestamp> {
        let rows = self.mailboxes.values();
        rows.filter_map(|row| {
            let connection = &row.mailbox.connection;
            if row.mailbox.paused || !self.is_usable(connection, ConnectionRole::Source) {
                return None;
            }
            let gate = self.gates.get(connection).map(|gate| gate.until);
            let lease = row.lease.as_ref().map(|lease| lease.until);
            [row.due?].into_iter().chain(gate).chain(lease).max()
        })
    }

    fn commit_page(
        &mut self,
        now: Timestamp,
        tenant: &TenantId,
        id: &MailboxId,
        token: LeaseToken,
        page: PageCommit,
    ) -> Result<PageCommitted> {
        let row = self.mailboxes.get_mut(id).ok_or_else(fenced)?;
        let lease = row.lease.as_mut();
        let lease = lease.filter(|lease| lease.token == token && lease.until > now);
        let lease = lease.ok_or_else(fenced)?;
        let connection = row.mailbox.connection.clone();
        let probe = lease.probe;
        let backfill = row.mailbox.sync.phase != Phase::Live;
        lease.until = later(now, lease.length);
        if let NextPage::Free { due } = page.next {
            row.lease = None;
            row.due = if row.dirty { Some(now) } else { due };
            row.dirty = false;
        }
        let mut committed = PageCommitted::default();
        for stub in page.stubs {
            let message = MessageUid::of(tenant, id, &stub.provider_id);
            if self.messages.contains_key(&message) {
                committed.seen += 1;
                continue;
            }
            committed.new += 1;
            let sighting = sighting(id, stub, now, backfill);
            self.messages.insert(message, sighting);
            self.touch(message);
        }
        if let Some(row) = self.mailboxes.get_mut(id) {
            let before = std::mem::replace(&mut row.mailbox.sync, page.sync).run;
            count_page(&mut row.mailbox.sync.run, committed);
            super::runs::keep(&mut row.runs, id, &before, &row.mailbox.sync.run);
        }
        if probe {
            self.pass_gate(now, &connection);
        }
        Ok(committed)
    }
}

fn count_page(run: &mut SyncRun, committed: PageCommitted) {
    run.pages += u64::from(run.error.is_none());
    run.listed += committed.new + committed.seen;
    run.new += committed.new;
    run.faults.truncate(SyncRun::MAX_FAULTS);
}

fn sighting(mailbox: &MailboxId, stub: Stub, now: Timestamp, backfill: bool) -> MessageRow {
    MessageRow {
        mailbox: mailbox.clone(),
        provider_id: stub.provider_id,
        locator: stub.locator,
        thread_hint: stub.thread_hint,
        labels: stub.labels,
        bytes: stub.bytes.unwrap_or(0),
        received_at: stub.received_at.unwrap_or(now),
        backfill,
        raw: None,
        kept: None,
        intake: if stub.draft {
            Intake::Parked(ParkReason::Draft)
        } else {
            Intake::Fetch
        },
        job: Job::default(),
        fingerprint: None,
        decision: None,
        deliveries: BTreeMap::new(),
        errors: Vec::new(),
        error_at: None,
    }
}
