//! `Ledger`, `ThreadLinks`, `AuditLog` and `Archive`: the read sides.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;

use super::MemoryStore;
use super::state::{DeliveryState, MessageRow, TenantState};
use crate::domain::{
    AuditRow, CallRecord, ConnectionId, MailboxId, MessageUid, PartyKey, Plan, TenantId, Thread,
    ThreadId, ThreadKey,
};
use crate::error::Result;
use crate::store::{
    Archive, AuditLog, AuditQuery, Counts, Ledger, LedgerQuery, LedgerRow, Lookup, Overview,
    SinkOutcome, ThreadLinks,
};

#[async_trait]
impl Ledger for MemoryStore {
    async fn message(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<LedgerRow>> {
        let state = self.lock();
        let row = state.tenant(tenant).and_then(|t| t.messages.get(&message));
        Ok(row.map(|row| row.ledger_row(message)))
    }

    async fn messages(&self, tenant: &TenantId, query: &LedgerQuery) -> Result<Vec<LedgerRow>> {
        let state = self.lock();
        let rows = state.tenant(tenant).into_iter().flat_map(|t| &t.messages);
        let mut rows: Vec<(&MessageUid, &MessageRow)> =
            rows.filter(|(uid, row)| row.fits(**uid, query)).collect();
        rows.sort_by_key(|(uid, row)| (row.received_at, **uid));
        let rows = rows.into_iter().take(query.limit);
        Ok(rows.map(|(uid, row)| row.ledger_row(*uid)).collect())
    }

    async fn plans(&self, tenant: &TenantId, message: MessageUid) -> Result<Vec<Plan>> {
        let state = self.lock();
        let row = state.tenant(tenant).and_then(|t| t.messages.get(&message));
        let deliveries = row.into_iter().flat_map(|row| row.deliveries.values());
        Ok(deliveries.map(|delivery| delivery.plan.clone()).collect())
    }

    async fn counts(&self, tenant: &TenantId, mailbox: Option<&MailboxId>) -> Result<Counts> {
        let state = self.lock();
        let mut counts = Counts::default();
        let rows = state
            .tenant(tenant)
            .into_iter()
            .flat_map(|t| t.messages.values());
        for row in rows.filter(|row| mailbox.is_none_or(|id| row.mailbox == *id)) {
            *counts.of_mut(row.outcome().kind()) += 1;
        }
        Ok(counts)
    }

    async fn overview(&self, tenant: &TenantId, mailboxes: usize) -> Result<Overview> {
        let (now, state) = (self.now(), self.lock());
        let tenant = state.tenant(tenant);
        Ok(tenant
            .map(|t| t.overview(now, mailboxes))
            .unwrap_or_default())
    }

    async fn open_by_owner(&self, tenant: &TenantId) -> Result<Vec<(String, u64)>> {
        let state = self.lock();
        let mut open: BTreeMap<String, u64> = BTreeMap::new();
        let rows = state
            .tenant(tenant)
            .into_iter()
            .flat_map(|t| t.messages.values());
        for row in rows {
            let deliveries = row.deliveries.values();
            let pending = deliveries.filter(|d| matches!(d.state, DeliveryState::Pending));
            let pending = pending.count() as u64;
            if let (1.., Some(owner)) = (
                pending,
                row.decision.as_ref().and_then(|d| d.owner.as_ref()),
            ) {
                *open.entry(owner.clone()).or_default() += pending;
            }
        }
        Ok(open.into_iter().collect())
    }
}

impl MessageRow {
    fn fits(&self, message: MessageUid, query: &LedgerQuery) -> bool {
        query.mailbox.as_ref().is_none_or(|id| self.mailbox == *id)
            && query
                .after
                .is_none_or(|after| (self.received_at, message) > after)
            && query
                .outcome
                .is_none_or(|kind| self.outcome().kind() == kind)
    }

    fn ledger_row(&self, message: MessageUid) -> LedgerRow {
        let sinks = self.deliveries.iter().map(|(connection, delivery)| {
            let effects = delivery.effects.values();
            SinkOutcome {
                connection: connection.clone(),
                outcome: delivery.state.outcome().kind(),
                records: effects.map(|effect| effect.record.clone()).collect(),
            }
        });
        LedgerRow {
            message,
            mailbox: self.mailbox.clone(),
            provider_id: self.provider_id.clone(),
            received_at: Some(self.received_at),
            labels: self.labels.clone(),
            outcome: self.outcome(),
            sinks: sinks.collect(),
            decision: self.decision.clone(),
            errors: self.errors.clone(),
        }
    }
}

#[async_trait]
impl ThreadLinks for MemoryStore {
    async fn lookup(
        &self,
        tenant: &TenantId,
        keys: &[ThreadKey],
        parties: &[PartyKey],
    ) -> Result<Lookup> {
        let state = self.lock();
        let tenant = state.tenant(tenant);
        Ok(tenant.map(|t| t.lookup(keys, parties)).unwrap_or_default())
    }

    async fn thread(&self, tenant: &TenantId, id: ThreadId) -> Result<Option<Thread>> {
        let state = self.lock();
        Ok(state.tenant(tenant).and_then(|t| t.thread(id)))
    }
}

impl TenantState {
    fn lookup(&self, keys: &[ThreadKey], parties: &[PartyKey]) -> Lookup {
        let mut lookup = Lookup::default();
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].contains(key) {
                continue;
            }
            for thread in self.threads_of(key) {
                lookup.found.push((key.clone(), thread.id));
                if !lookup.threads.iter().any(|found| found.id == thread.id) {
                    lookup.threads.push(thread);
                }
            }
        }
        for (index, party) in parties.iter().enumerate() {
            if !parties[..index].contains(party) && self.parties.contains_key(party) {
                lookup.known.push(party.clone());
            }
        }
        lookup
    }

    fn threads_of(&self, key: &ThreadKey) -> Vec<Thread> {
        let ids = self.thread_keys.get(key).into_iter().flatten();
        let mut threads: Vec<Thread> = ids.filter_map(|id| self.thread(*id)).collect();
        threads.sort_by_key(|thread| (Reverse(thread.last_received_at), thread.id));
        threads.truncate(MAX_THREADS_PER_KEY);
        threads
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn append_calls(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        calls: Vec<CallRecord>,
    ) -> Result<()> {
        self.lock()
            .tenant_mut(tenant)
            .append_calls(connection, calls);
        Ok(())
    }

    async fn audit(&self, tenant: &TenantId, query: &AuditQuery) -> Result<Vec<AuditRow>> {
        let state = self.lock();
        let rows = state.tenant(tenant).into_iter().flat_map(|t| &t.audit);
        let rows = rows.filter(|row| is_wanted(row, query));
        Ok(rows.take(query.limit).cloned().collect())
    }
}

fn is_wanted(row: &AuditRow, query: &AuditQuery) -> bool {
    let call = &row.call;
    row.seq > query.after
        && query.since.is_none_or(|since| call.at >= since)
        && query
            .operation
            .as_ref()
            .is_none_or(|text| call.operation.contains(text))
        && query
            .status
            .is_none_or(|status| call.status.unwrap_or(0) == status)
        && query.message.is_none_or(|uid| call.messages.contains(&uid))
}

#[async_trait]
impl Archive for MemoryStore {
    async fn raw(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<Bytes>> {
        let state = self.lock();
        let row = state.tenant(tenant).and_then(|t| t.messages.get(&message));
        Ok(row.and_then(|row| row.raw.clone()))
    }
}

/// Threads that one key finds at most; more are noise.
const MAX_THREADS_PER_KEY: usize = 20;
