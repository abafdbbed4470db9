//! Mailboxes: claimed when due, moved page by page.

use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::store::{
    Mailbox, MailboxClaim, MailboxStore, NextPage, PageCommit, PageCommitted, RunQuery, RunRow,
    Scope, SyncRun, SyncState,
};
use nextedge_core::{LeaseToken, MailboxId, Result, TenantId, Timestamp, later};
use rusqlite::{Row, params};

use crate::SqliteStore;
use crate::db::{Columns, IdBytes, all, encode, exec, limit, micros, one};
use crate::error::{conflict, fenced, not_found};
use crate::lanes::Listings;
use crate::tx::{Tx, tenant_number};
use crate::{claims, intake, lanes, runs};

#[async_trait]
impl MailboxStore for SqliteStore {
    async fn put_mailbox(&self, tenant: &TenantId, mailbox: Mailbox) -> Result<Mailbox> {
        let tenant = tenant.clone();
        self.write(move |tx| {
            let tenant = tx.tenant(&tenant)?;
            put(tx, tenant, mailbox)
        })
        .await
    }

    async fn mailbox(&self, tenant: &TenantId, id: &MailboxId) -> Result<Option<Mailbox>> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => read(db, tenant, &id),
            None => Ok(None),
        })
        .await
    }

    async fn mailboxes(
        &self,
        tenant: &TenantId,
        after: Option<&MailboxId>,
        most: usize,
    ) -> Result<Vec<Mailbox>> {
        let (tenant, after) = (tenant.clone(), after.cloned());
        self.read(move |db| {
            all(
                db,
                "SELECT body, sync FROM mailbox
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1)
                   AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3",
                params![
                    tenant.as_str(),
                    after.as_ref().map(MailboxId::as_str),
                    limit(most)
                ],
                mailbox_row,
            )
        })
        .await
    }

    async fn claim_mailbox(
        &self,
        scope: &Scope,
        vendor: &str,
        lease: Duration,
    ) -> Result<Option<MailboxClaim>> {
        let (scope, vendor) = (scope.clone(), vendor.to_owned());
        self.write(move |tx| claim(tx, &scope, &vendor, lease))
            .await
    }

    async fn mark_dirty(&self, tenant: &TenantId, id: &MailboxId) -> Result<()> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |tx| mark_dirty(tx, &tenant, &id)).await
    }

    async fn commit_page(
        &self,
        tenant: &TenantId,
        id: &MailboxId,
        lease: LeaseToken,
        page: PageCommit,
    ) -> Result<PageCommitted> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |tx| commit_page(tx, &tenant, &id, lease, page))
            .await
    }

    async fn tenants(
        &self,
        scope: &Scope,
        after: Option<&TenantId>,
        most: usize,
    ) -> Result<Vec<TenantId>> {
        let (scope, after) = (scope.clone(), after.cloned());
        self.read(move |db| {
            let only = match &scope {
                Scope::All => None,
                Scope::Tenant(tenant) => Some(tenant.as_str()),
            };
            all(
                db,
                "SELECT t.name FROM tenant t
                 WHERE (?1 IS NULL OR t.name = ?1) AND (?2 IS NULL OR t.name > ?2)
                   AND EXISTS (SELECT 1 FROM mailbox m WHERE m.tenant = t.id)
                 ORDER BY t.name LIMIT ?3",
                params![only, after.as_ref().map(TenantId::as_str), limit(most)],
                |row| row.tenant(0),
            )
        })
        .await
    }

    async fn runs(&self, tenant: &TenantId, query: &RunQuery) -> Result<Vec<RunRow>> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.read(move |db| runs::page(db, &tenant, &query)).await
    }

    async fn forget_runs(&self, scope: &Scope, before: Timestamp, most: usize) -> Result<u64> {
        let scope = scope.clone();
        self.write(move |tx| runs::forget(tx, &scope, before, most))
            .await
    }
}

fn mailbox_row(row: &Row<'_>) -> Result<Mailbox> {
    let mut mailbox: Mailbox = row.json(0)?;
    mailbox.sync = row.json(1)?;
    Ok(mailbox)
}

pub(crate) fn read(
    db: &rusqlite::Connection,
    tenant: i64,
    id: &MailboxId,
) -> Result<Option<Mailbox>> {
    one(
        db,
        "SELECT body, sync FROM mailbox WHERE tenant = ?1 AND id = ?2",
        params![tenant, id.as_str()],
        mailbox_row,
    )
}

fn put(tx: &mut Tx<'_>, tenant: i64, mut mailbox: Mailbox) -> Result<Mailbox> {
    let old = read(tx.db, tenant, &mailbox.id)?;
    let present = old.as_ref().map_or(0, |old| old.version);
    if mailbox.version != present {
        return Err(conflict("mailbox", mailbox.version, present));
    }
    mailbox.version = present + 1;
    if let Some(old) = old {
        mailbox.sync = old.sync;
    }
    let listings = Listings::read(tx.db, tenant, &mailbox.id)?;
    let settings = Mailbox {
        sync: SyncState::default(),
        ..mailbox.clone()
    };
    exec(
        tx.db,
        "INSERT INTO mailbox (tenant, id, connection, paused, listing, due_at, body, sync)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET connection = excluded.connection, paused = excluded.paused,
             listing = excluded.listing, body = excluded.body",
        params![
            tenant,
            mailbox.id.as_str(),
            mailbox.connection.as_str(),
            mailbox.paused,
            lanes::listing_code(&mailbox),
            tx.now_micros(),
            encode(&settings)?,
            encode(&mailbox.sync)?,
        ],
    )?;
    lanes::follow_listing(tx, tenant, &listings)?;
    Ok(mailbox)
}

fn mark_dirty(tx: &Tx<'_>, tenant: &TenantId, id: &MailboxId) -> Result<()> {
    let marked = exec(
        tx.db,
        "UPDATE mailbox SET
             dirty = CASE WHEN lease_until > ?3 THEN 1 ELSE dirty END,
             due_at = CASE WHEN lease_until > ?3 THEN due_at ELSE min(coalesce(due_at, ?3), ?3) END
         WHERE tenant = (SELECT id FROM tenant WHERE name = ?1) AND id = ?2",
        params![tenant.as_str(), id.as_str(), tx.now_micros()],
    )?;
    match marked {
        0 => Err(not_found("mailbox", id)),
        _ => Ok(()),
    }
}

fn claim(
    tx: &mut Tx<'_>,
    scope: &Scope,
    vendor: &str,
    lease: Duration,
) -> Result<Option<MailboxClaim>> {
    let only = match scope {
        Scope::All => None,
        Scope::Tenant(tenant) => Some(tenant.as_str()),
    };
    let found = one(
        tx.db,
        "SELECT m.body, m.sync, t.name, m.tenant, EXISTS (SELECT 1 FROM gate g
             WHERE g.tenant = m.tenant AND g.connection = m.connection)
         FROM mailbox m
         JOIN connection c ON c.tenant = m.tenant AND c.id = m.connection
         JOIN tenant t ON t.id = m.tenant
         WHERE m.paused = 0 AND m.due_at <= ?1 AND c.vendor = ?2 AND c.usable = 1
           AND c.role = 'source' AND (?3 IS NULL OR t.name = ?3)
           AND (m.lease IS NULL OR m.lease_until <= ?1)
           AND NOT EXISTS (SELECT 1 FROM gate g WHERE g.tenant = m.tenant
                           AND g.connection = m.connection AND (g.until > ?1
               OR EXISTS (SELECT 1 FROM claim r WHERE r.tenant = m.tenant
                          AND r.connection = m.connection AND r.ended_at IS NULL
                          AND r.until > ?1)
               OR EXISTS (SELECT 1 FROM mailbox o WHERE o.tenant = m.tenant
                          AND o.connection = m.connection AND o.lease_until > ?1)))
         ORDER BY m.due_at, t.name, m.id LIMIT 1",
        params![tx.now_micros(), vendor, only],
        |row| {
            let (number, probe) = (row.col::<i64>(3)?, row.col::<i64>(4)?);
            Ok((mailbox_row(row)?, row.tenant(2)?, number, probe))
        },
    )?;
    let Some((mailbox, tenant, number, probe)) = found else {
        return Ok(None);
    };
    let token = LeaseToken::random()?;
    exec(
        tx.db,
        "UPDATE mailbox SET lease = ?3, lease_until = ?4, lease_micros = ?5, dirty = 0, probe = ?6
         WHERE tenant = ?1 AND id = ?2",
        params![
            number,
            mailbox.id.as_str(),
            token.key(),
            micros(later(tx.now, lease)),
            i64::try_from(lease.as_micros()).unwrap_or(i64::MAX),
            probe,
        ],
    )?;
    Ok(Some(MailboxClaim {
        tenant,
        mailbox,
        lease: token,
    }))
}

fn commit_page(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &MailboxId,
    lease: LeaseToken,
    page: PageCommit,
) -> Result<PageCommitted> {
    let number = tenant_number(tx.db, tenant)?.ok_or_else(fenced)?;
    let held = one(
        tx.db,
        "SELECT body, sync, probe FROM mailbox
         WHERE tenant = ?1 AND id = ?2 AND lease = ?3 AND lease_until > ?4",
        params![number, id.as_str(), lease.key(), tx.now_micros()],
        |row| Ok((mailbox_row(row)?, row.col::<bool>(2)?)),
    )?;
    let (before, probe) = held.ok_or_else(fenced)?;
    let mut done = PageCommitted::default();
    let listings = Listings::read(tx.db, number, id)?;
    for stub in &page.stubs {
        match intake::add_stub(tx, number, tenant, &before, stub)? {
            intake::Added::New => done.new += 1,
            intake::Added::Known => done.seen += 1,
        }
    }
    let mut after = before;
    let before = std::mem::replace(&mut after.sync, page.sync).run;
    count_page(&mut after.sync.run, done);
    runs::keep(tx, number, id, &before, &after.sync.run)?;
    move_on(tx, number, &after, page.next)?;
    lanes::follow_listing(tx, number, &listings)?;
    if probe {
        claims::pass_gate(tx, number, after.connection.as_str())?;
    }
    Ok(done)
}

fn count_page(run: &mut SyncRun, done: PageCommitted) {
    run.pages += u64::from(run.error.is_none());
    run.listed += done.new + done.seen;
    run.new += done.new;
    run.faults.truncate(SyncRun::MAX_FAULTS);
}

fn move_on(tx: &Tx<'_>, tenant: i64, mailbox: &Mailbox, next: NextPage) -> Result<()> {
    let sync = encode(&mailbox.sync)?;
    let id = mailbox.id.as_str();
    let listing = lanes::listing_code(mailbox);
    match next {
        NextPage::Keep => exec(
            tx.db,
            "UPDATE mailbox SET sync = ?3, listing = ?4, lease_until = ?5 + lease_micros
             WHERE tenant = ?1 AND id = ?2",
            params![tenant, id, sync, listing, tx.now_micros()],
        ),
        NextPage::Free { due } => exec(
            tx.db,
            "UPDATE mailbox SET sync = ?3, listing = ?4, lease = NULL, lease_until = NULL,
                 due_at = CASE WHEN dirty THEN ?6 ELSE ?5 END, dirty = 0
             WHERE tenant = ?1 AND id = ?2",
            params![tenant, id, sync, listing, due.map(micros), tx.now_micros()],
        ),
    }
    .map(|_| ())
}
