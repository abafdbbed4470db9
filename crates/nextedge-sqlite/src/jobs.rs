//! `JobStore`: the calls that move work.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::store::{Claim, ClaimRequest, Committed, JobStore, Scope, Unit, Work};
use nextedge_core::{LeaseToken, MessageUid, Result, TenantId, Timestamp, later};

use crate::claim::{self, Draft};
use crate::db::{micros, moment};
use crate::error::{fenced, stored};
use crate::ledger::read_raw;
use crate::tx::tenant_number;
use crate::{SqliteStore, claims, commit, due, requeue};

#[async_trait]
impl JobStore for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        let request = request.clone();
        match self.write(move |tx| claim::claim(tx, &request)).await? {
            Some(draft) => self.with_raws(draft).await.map(Some),
            None => Ok(None),
        }
    }

    async fn extend(&self, tenant: &TenantId, lease: LeaseToken, by: Duration) -> Result<()> {
        let tenant = tenant.clone();
        self.write(move |tx| {
            let tenant = tenant_number(tx.db, &tenant)?.ok_or_else(fenced)?;
            if claims::extend(tx, tenant, lease, later(tx.now, by))? {
                return Ok(());
            }
            Err(fenced())
        })
        .await
    }

    async fn commit(
        &self,
        tenant: &TenantId,
        lease: LeaseToken,
        units: Vec<Unit>,
    ) -> Result<Vec<Result<Committed>>> {
        let tenant = tenant.clone();
        self.write(move |tx| commit::commit(tx, &tenant, lease, units))
            .await
    }

    async fn release(&self, tenant: &TenantId, lease: LeaseToken) -> Result<()> {
        let tenant = tenant.clone();
        self.write(move |tx| match tenant_number(tx.db, &tenant)? {
            Some(tenant) => claims::release(tx, tenant, lease),
            None => Ok(()),
        })
        .await
    }

    async fn requeue(&self, tenant: &TenantId, messages: &[MessageUid]) -> Result<u64> {
        let (tenant, messages) = (tenant.clone(), messages.to_vec());
        self.write(move |tx| match tenant_number(tx.db, &tenant)? {
            Some(tenant) => requeue::requeue(tx, tenant, &messages),
            None => Ok(0),
        })
        .await
    }

    async fn next_due(&self, scope: &Scope) -> Result<Option<Timestamp>> {
        let (scope, now) = (scope.clone(), micros(self.now()));
        let due = self.read(move |db| due::next_due(db, now, &scope)).await?;
        due.map(moment).transpose()
    }
}

impl SqliteStore {
    /// Fills the raw bytes in, which never change: from memory, else from the file.
    async fn with_raws(&self, draft: Draft) -> Result<Claim> {
        let Draft { tenant, mut claim } = draft;
        let mut missing = Vec::new();
        for item in &mut claim.items {
            let (Work::Process { raw, .. } | Work::Deliver { raw, .. }) = &mut item.work else {
                continue;
            };
            match self.raws().get((tenant, item.message)) {
                Some(bytes) => *raw = bytes,
                None => missing.push(item.message),
            }
        }
        if missing.is_empty() {
            return Ok(claim);
        }
        let mut read = self.read_raws(tenant, missing).await?;
        for item in &mut claim.items {
            let (Work::Process { raw, .. } | Work::Deliver { raw, .. }) = &mut item.work else {
                continue;
            };
            if let Some(bytes) = read.remove(&item.message) {
                *raw = bytes;
            }
        }
        Ok(claim)
    }

    async fn read_raws(
        &self,
        tenant: i64,
        messages: Vec<MessageUid>,
    ) -> Result<HashMap<MessageUid, Bytes>> {
        self.read(move |db| {
            let mut found = HashMap::with_capacity(messages.len());
            for message in messages {
                let raw = read_raw(db, tenant, message)?;
                found.insert(message, raw.ok_or_else(|| stored("raw mail"))?);
            }
            Ok(found)
        })
        .await
    }
}
