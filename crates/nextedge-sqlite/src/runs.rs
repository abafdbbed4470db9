//! Sync runs as rows: begun and brought up to date with each page.

use nextedge_core::store::{RunQuery, RunRow, Scope, SyncRun};
use nextedge_core::{MailboxId, Result, TenantId, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::db::{Columns, all, encode, exec, limit, micros, number, one};
use crate::tx::Tx;

/// Writes the run of a committed page: a row of its own, or that of the page before.
pub(crate) fn keep(
    tx: &Tx<'_>,
    tenant: i64,
    mailbox: &MailboxId,
    before: &SyncRun,
    run: &SyncRun,
) -> Result<()> {
    let Some(started) = run.started_at else {
        return Ok(());
    };
    let latest = one(
        tx.db,
        "SELECT max(number) FROM run WHERE tenant = ?1 AND mailbox = ?2",
        params![tenant, mailbox.as_str()],
        |row| row.col::<Option<i64>>(0),
    )?;
    let latest = latest.flatten();
    let row = match latest.filter(|_| run.goes_on(before)) {
        Some(latest) => latest,
        None => latest.unwrap_or(0) + 1,
    };
    let kept = &run.faults[..run.faults.len().min(RunRow::MAX_FAULTS)];
    let faults = (!kept.is_empty()).then(|| encode(&kept)).transpose()?;
    exec(
        tx.db,
        "INSERT OR REPLACE INTO run (tenant, mailbox, number, started_at, ended_at, pages, listed,
             added, whole, fault_count, faults, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            tenant,
            mailbox.as_str(),
            row,
            micros(started),
            run.ended_at.map(micros),
            number(run.pages),
            number(run.listed),
            number(run.new),
            run.full,
            number(run.fault_count),
            faults,
            run.error.as_ref().map(encode).transpose()?,
        ],
    )
    .map(|_| ())
}

/// Reads rows, newest first.
pub(crate) fn page(db: &Connection, tenant: &TenantId, query: &RunQuery) -> Result<Vec<RunRow>> {
    all(
        db,
        "SELECT mailbox, number, started_at, ended_at, pages, listed, added, whole, fault_count,
             faults, error
         FROM run WHERE tenant = (SELECT id FROM tenant WHERE name = ?1)
           AND (?2 IS NULL OR mailbox = ?2) AND (?3 IS NULL OR started_at < ?3)
         ORDER BY started_at DESC, mailbox DESC, number DESC LIMIT ?4",
        params![
            tenant.as_str(),
            query.mailbox.as_ref().map(MailboxId::as_str),
            query.before.map(micros),
            limit(query.limit)
        ],
        run_row,
    )
}

fn run_row(row: &Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        mailbox: row.mailbox(0)?,
        number: row.count(1)?,
        run: SyncRun {
            started_at: Some(row.moment(2)?),
            ended_at: row
                .col::<Option<i64>>(3)?
                .map(crate::db::moment)
                .transpose()?,
            pages: row.count(4)?,
            listed: row.count(5)?,
            new: row.count(6)?,
            full: row.col(7)?,
            fault_count: row.count(8)?,
            faults: row.json_opt(9)?.unwrap_or_default(),
            error: row.json_opt(10)?,
        },
    })
}

/// Forgets runs that started before a moment, the oldest first.
pub(crate) fn forget(tx: &Tx<'_>, scope: &Scope, before: Timestamp, most: usize) -> Result<u64> {
    let only = match scope {
        Scope::All => None,
        Scope::Tenant(tenant) => Some(tenant.as_str()),
    };
    let gone = exec(
        tx.db,
        "DELETE FROM run WHERE (tenant, mailbox, number) IN (
             SELECT r.tenant, r.mailbox, r.number FROM run r JOIN tenant t ON t.id = r.tenant
             WHERE r.started_at < ?1 AND (?2 IS NULL OR t.name = ?2)
             ORDER BY r.started_at, t.name, r.mailbox, r.number LIMIT ?3)",
        params![micros(before), only, limit(most)],
    )?;
    Ok(gone as u64)
}
