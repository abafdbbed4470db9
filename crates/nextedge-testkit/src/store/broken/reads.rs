//! Broken reads and decisions.

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::store::{
    Archive, AuditLog, AuditQuery, Counts, Ledger, LedgerQuery, LedgerRow, Lookup, Overview,
    ReviewQuery, ReviewQueue, ThreadLinks,
};
use nextedge_core::{
    AuditRow, CallRecord, ConnectionId, MailboxId, MessageUid, Outcome, OutcomeKind, ParkReason,
    PartyKey, Plan, Result, ReviewDecision, ReviewId, ReviewItem, TenantId, Thread, ThreadId,
    ThreadKey,
};

use super::{Broken, Fault, Method};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Ledger for Broken {
    async fn message(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<LedgerRow>> {
        let tenant = self.tenant(Method::Message, tenant);
        let row = self.sound().message(&tenant, message).await?;
        Ok(row.map(|row| self.row(row)))
    }

    async fn messages(&self, tenant: &TenantId, query: &LedgerQuery) -> Result<Vec<LedgerRow>> {
        let tenant = self.tenant(Method::Messages, tenant);
        let mut query = query.clone();
        match self.fault {
            Fault::IgnoresPage => query.after = None,
            Fault::IgnoresFilters => (query.mailbox, query.outcome) = (None, None),
            _ => {}
        }
        let rows = self.sound().messages(&tenant, &query).await?;
        Ok(rows.into_iter().map(|row| self.row(row)).collect())
    }

    async fn plans(&self, tenant: &TenantId, message: MessageUid) -> Result<Vec<Plan>> {
        let tenant = self.tenant(Method::Plans, tenant);
        self.sound().plans(&tenant, message).await
    }

    async fn counts(&self, tenant: &TenantId, mailbox: Option<&MailboxId>) -> Result<Counts> {
        let tenant = self.tenant(Method::Counts, tenant);
        let mut counts = self.sound().counts(&tenant, mailbox).await?;
        if self.is(Fault::CountsTwice) {
            for kind in OutcomeKind::ALL {
                *counts.of_mut(kind) *= 2;
            }
        }
        Ok(counts)
    }

    async fn overview(&self, tenant: &TenantId, mailboxes: usize) -> Result<Overview> {
        let tenant = self.tenant(Method::Overview, tenant);
        self.sound().overview(&tenant, mailboxes).await
    }

    async fn open_by_owner(&self, tenant: &TenantId) -> Result<Vec<(String, u64)>> {
        let tenant = self.tenant(Method::OpenByOwner, tenant);
        self.sound().open_by_owner(&tenant).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ThreadLinks for Broken {
    async fn lookup(
        &self,
        tenant: &TenantId,
        keys: &[ThreadKey],
        parties: &[PartyKey],
    ) -> Result<Lookup> {
        let tenant = self.tenant(Method::Lookup, tenant);
        let mut answer = self.sound().lookup(&tenant, keys, parties).await?;
        if self.is(Fault::AnswersKeysTwice) {
            answer.found.extend(answer.found.clone());
        }
        Ok(answer)
    }

    async fn thread(&self, tenant: &TenantId, id: ThreadId) -> Result<Option<Thread>> {
        let tenant = self.tenant(Method::Thread, tenant);
        self.sound().thread(&tenant, id).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AuditLog for Broken {
    async fn append_calls(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        calls: Vec<CallRecord>,
    ) -> Result<()> {
        let tenant = self.tenant(Method::AppendCalls, tenant);
        self.sound().append_calls(&tenant, connection, calls).await
    }

    async fn audit(&self, tenant: &TenantId, query: &AuditQuery) -> Result<Vec<AuditRow>> {
        let tenant = self.tenant(Method::Audit, tenant);
        let mut query = query.clone();
        match self.fault {
            Fault::IgnoresPage => query.after = 0,
            Fault::IgnoresFilters => {
                query = AuditQuery {
                    after: query.after,
                    limit: query.limit,
                    ..AuditQuery::default()
                };
            }
            _ => {}
        }
        self.sound().audit(&tenant, &query).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ReviewQueue for Broken {
    async fn reviews(&self, tenant: &TenantId, query: &ReviewQuery) -> Result<Vec<ReviewItem>> {
        let tenant = self.tenant(Method::Reviews, tenant);
        let mut query = query.clone();
        if self.is(Fault::IgnoresFilters) {
            (query.state, query.expires_by) = (None, None);
        }
        self.sound().reviews(&tenant, &query).await
    }

    async fn review(&self, tenant: &TenantId, id: ReviewId) -> Result<Option<ReviewItem>> {
        let tenant = self.tenant(Method::Review, tenant);
        self.sound().review(&tenant, id).await
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        id: ReviewId,
        version: u64,
        decision: ReviewDecision,
    ) -> Result<ReviewItem> {
        let tenant = self.tenant(Method::Decide, tenant);
        let present = self.sound().review(&tenant, id).await?;
        let (version, decision) = match (self.fault, present) {
            (Fault::ApprovesAnything, _) => (version, ReviewDecision::Approve),
            (Fault::IgnoresReviewVersion, Some(present)) => (present.version, decision),
            _ => (version, decision),
        };
        self.sound().decide(&tenant, id, version, decision).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Archive for Broken {
    async fn raw(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<Bytes>> {
        let tenant = self.tenant(Method::Raw, tenant);
        let raw = self.sound().raw(&tenant, message).await?;
        Ok(raw.filter(|_| !self.is(Fault::LosesBody)))
    }
}

impl Broken {
    fn row(&self, mut row: LedgerRow) -> LedgerRow {
        let no_sink = Outcome::Parked {
            reason: ParkReason::NoSink,
        };
        match self.fault {
            Fault::PretendsDelivered if row.outcome == no_sink => row.outcome = Outcome::Delivered,
            Fault::ShowsBestSink => {
                let mut sinks = row.sinks.iter().map(|sink| sink.outcome);
                if sinks.any(|outcome| outcome == OutcomeKind::Delivered) {
                    row.outcome = Outcome::Delivered;
                }
            }
            Fault::KeepsLastError => {
                let last = row.errors.pop();
                row.errors = last.into_iter().collect();
            }
            _ => {}
        }
        row
    }
}
