//! The append-only record of calls.

use async_trait::async_trait;
use nextedge_core::store::{AuditLog, AuditQuery};
use nextedge_core::{AuditRow, CallRecord, ConnectionId, Result, TenantId};
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::SqliteStore;
use crate::db::{Columns, IdBytes, all, encode, exec, limit, micros, number, one};
use crate::tx::{Tx, tenant_number};

#[async_trait]
impl AuditLog for SqliteStore {
    async fn append_calls(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        calls: Vec<CallRecord>,
    ) -> Result<()> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.write(move |tx| {
            let tenant = tx.tenant(&tenant)?;
            append(tx, tenant, &connection, calls)
        })
        .await
    }

    async fn audit(&self, tenant: &TenantId, query: &AuditQuery) -> Result<Vec<AuditRow>> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => search(db, tenant, &query),
            None => Ok(Vec::new()),
        })
        .await
    }
}

/// Appends one row a call.
pub(crate) fn append(
    tx: &Tx<'_>,
    tenant: i64,
    connection: &ConnectionId,
    calls: Vec<CallRecord>,
) -> Result<()> {
    if calls.is_empty() {
        return Ok(());
    }
    let last = one(
        tx.db,
        "UPDATE tenant SET audited = audited + ?2 WHERE id = ?1 RETURNING audited",
        params![tenant, limit(calls.len())],
        |row| row.count(0),
    )?;
    let first = last.unwrap_or_default() + 1 - calls.len() as u64;
    for (seq, call) in (first..).zip(calls) {
        let row = AuditRow {
            seq,
            connection: connection.clone(),
            call,
        };
        exec(
            tx.db,
            "INSERT INTO audit (tenant, seq, at, operation, status, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                tenant,
                number(seq),
                micros(row.call.at),
                row.call.operation,
                row.call.status.unwrap_or(0),
                encode(&row)?
            ],
        )?;
        for message in &row.call.messages {
            exec(
                tx.db,
                "INSERT OR IGNORE INTO audit_message (tenant, message, seq) VALUES (?1, ?2, ?3)",
                params![tenant, message.key(), number(seq)],
            )?;
        }
    }
    Ok(())
}

fn search(db: &rusqlite::Connection, tenant: i64, query: &AuditQuery) -> Result<Vec<AuditRow>> {
    let mut text = "SELECT a.body FROM audit a WHERE a.tenant = ? AND a.seq > ?".to_owned();
    let mut values = vec![Value::from(tenant), Value::from(number(query.after))];
    if let Some(since) = query.since {
        text.push_str(" AND a.at >= ?");
        values.push(micros(since).into());
    }
    if let Some(operation) = &query.operation {
        text.push_str(" AND instr(a.operation, ?) > 0");
        values.push(operation.clone().into());
    }
    if let Some(status) = query.status {
        text.push_str(" AND a.status = ?");
        values.push(i64::from(status).into());
    }
    if let Some(message) = query.message {
        text.push_str(
            " AND a.seq IN (SELECT seq FROM audit_message WHERE tenant = ? AND message = ?)",
        );
        values.push(tenant.into());
        values.push(message.key().to_vec().into());
    }
    text.push_str(" ORDER BY a.seq LIMIT ?");
    values.push(limit(query.limit).into());
    all(db, &text, params_from_iter(values), |row| row.json(0))
}
