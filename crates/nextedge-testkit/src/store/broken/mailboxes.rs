//! Broken mailboxes.

use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::store::{
    Mailbox, MailboxClaim, MailboxStore, PageCommit, PageCommitted, RunQuery, RunRow, Scope,
    SyncState,
};
use nextedge_core::{LeaseToken, MailboxId, Result, TenantId, Timestamp};

use super::{Broken, Fault, Method};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MailboxStore for Broken {
    async fn put_mailbox(&self, tenant: &TenantId, mut mailbox: Mailbox) -> Result<Mailbox> {
        let tenant = self.tenant(Method::PutMailbox, tenant);
        mailbox.list_first &= !self.is(Fault::IgnoresListFirst);
        if self.is(Fault::IgnoresVersion) {
            let present = self.sound().mailbox(&tenant, &mailbox.id).await?;
            mailbox.version = present.map_or(0, |present| present.version);
        }
        self.sound().put_mailbox(&tenant, mailbox).await
    }

    async fn mailbox(&self, tenant: &TenantId, id: &MailboxId) -> Result<Option<Mailbox>> {
        let tenant = self.tenant(Method::Mailbox, tenant);
        let mailbox = self.sound().mailbox(&tenant, id).await?;
        Ok(mailbox.map(|mut mailbox| {
            if self.is(Fault::ForgetsSync) && mailbox.version > 1 {
                mailbox.sync = SyncState::default();
            }
            mailbox
        }))
    }

    async fn mailboxes(
        &self,
        tenant: &TenantId,
        after: Option<&MailboxId>,
        limit: usize,
    ) -> Result<Vec<Mailbox>> {
        let tenant = self.tenant(Method::Mailboxes, tenant);
        let after = after.filter(|_| !self.is(Fault::IgnoresPage));
        self.sound().mailboxes(&tenant, after, limit).await
    }

    async fn claim_mailbox(
        &self,
        scope: &Scope,
        vendor: &str,
        lease: Duration,
    ) -> Result<Option<MailboxClaim>> {
        let scope = self.scope(Method::ClaimMailbox, scope);
        let lease = if self.is(Fault::SkipsFence) {
            lease * 1_000_000
        } else {
            lease
        };
        let claim = self.sound().claim_mailbox(&scope, vendor, lease).await?;
        let mut notes = self.notes();
        if claim.is_none() && self.is(Fault::HandsMailboxTwice) {
            return Ok(notes.mailbox.clone());
        }
        notes.mailbox.clone_from(&claim);
        Ok(claim)
    }

    async fn mark_dirty(&self, tenant: &TenantId, id: &MailboxId) -> Result<()> {
        let tenant = self.tenant(Method::MarkDirty, tenant);
        let read = self.notes().mailbox.is_some();
        if read && self.is(Fault::LosesPush) {
            return Ok(());
        }
        self.sound().mark_dirty(&tenant, id).await
    }

    async fn commit_page(
        &self,
        tenant: &TenantId,
        id: &MailboxId,
        lease: LeaseToken,
        mut page: PageCommit,
    ) -> Result<PageCommitted> {
        let tenant = self.tenant(Method::CommitPage, tenant);
        if self.is(Fault::MovesCursorEarly) {
            page.stubs.clear();
        }
        for stub in &mut page.stubs {
            match self.fault {
                Fault::SplitsLane => stub.thread_hint = None,
                Fault::TakesDrafts => stub.draft = false,
                _ => {}
            }
        }
        self.sound().commit_page(&tenant, id, lease, page).await
    }

    async fn tenants(
        &self,
        scope: &Scope,
        after: Option<&TenantId>,
        most: usize,
    ) -> Result<Vec<TenantId>> {
        let scope = self.scope(Method::Tenants, scope);
        let after = after.filter(|_| !self.is(Fault::IgnoresPage));
        self.sound().tenants(&scope, after, most).await
    }

    async fn runs(&self, tenant: &TenantId, query: &RunQuery) -> Result<Vec<RunRow>> {
        let tenant = self.tenant(Method::Runs, tenant);
        self.sound().runs(&tenant, query).await
    }

    async fn forget_runs(&self, scope: &Scope, before: Timestamp, most: usize) -> Result<u64> {
        let scope = self.scope(Method::ForgetRuns, scope);
        self.sound().forget_runs(&scope, before, most).await
    }
}
