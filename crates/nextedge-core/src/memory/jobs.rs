//! `JobStore` and `ReviewQueue`: the calls that move work.

use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, fenced};
use crate::clock::{Timestamp, later};
use crate::domain::{LeaseToken, MessageUid, ReviewDecision, ReviewId, ReviewItem, TenantId};
use crate::error::Result;
use crate::store::{
    Claim, ClaimRequest, Committed, JobStore, ReviewQuery, ReviewQueue, Scope, Unit,
};

#[async_trait]
impl JobStore for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        self.lock().claim(self.now(), request)
    }

    async fn extend(&self, tenant: &TenantId, lease: LeaseToken, by: Duration) -> Result<()> {
        let now = self.now();
        let mut state = self.lock();
        let claim = state.tenant_mut(tenant).claims.get_mut(&lease);
        let claim = claim.filter(|claim| claim.until > now).ok_or_else(fenced)?;
        claim.until = later(now, by);
        Ok(())
    }

    async fn commit(
        &self,
        tenant: &TenantId,
        lease: LeaseToken,
        units: Vec<Unit>,
    ) -> Result<Vec<Result<Committed>>> {
        let now = self.now();
        let mut state = self.lock();
        let tenant = state.tenant_mut(tenant);
        let units = units.into_iter();
        Ok(units.map(|unit| tenant.commit(now, lease, unit)).collect())
    }

    async fn release(&self, tenant: &TenantId, lease: LeaseToken) -> Result<()> {
        self.lock().tenant_mut(tenant).release(self.now(), lease);
        Ok(())
    }

    async fn requeue(&self, tenant: &TenantId, messages: &[MessageUid]) -> Result<u64> {
        let mut state = self.lock();
        let tenant = state.tenant_mut(tenant);
        let changed = messages.iter().filter(|uid| tenant.requeue(**uid));
        Ok(changed.count() as u64)
    }

    async fn next_due(&self, scope: &Scope) -> Result<Option<Timestamp>> {
        Ok(self.lock().next_due(self.now(), scope))
    }
}

#[async_trait]
impl ReviewQueue for MemoryStore {
    async fn reviews(&self, tenant: &TenantId, query: &ReviewQuery) -> Result<Vec<ReviewItem>> {
        let state = self.lock();
        let items = state
            .tenant(tenant)
            .into_iter()
            .flat_map(|t| t.reviews.values());
        let mut items: Vec<ReviewItem> = items
            .filter(|item| {
                query
                    .state
                    .as_ref()
                    .is_none_or(|state| item.state == *state)
            })
            .filter(|item| query.expires_by.is_none_or(|by| item.expires_at <= by))
            .cloned()
            .collect();
        items.sort_by_key(|item| (item.opened_at, item.id));
        items.truncate(query.limit);
        Ok(items)
    }

    async fn review(&self, tenant: &TenantId, id: ReviewId) -> Result<Option<ReviewItem>> {
        let state = self.lock();
        Ok(state
            .tenant(tenant)
            .and_then(|t| t.reviews.get(&id))
            .cloned())
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        id: ReviewId,
        version: u64,
        decision: ReviewDecision,
    ) -> Result<ReviewItem> {
        self.lock().tenant_mut(tenant).decide(id, version, decision)
    }
}
