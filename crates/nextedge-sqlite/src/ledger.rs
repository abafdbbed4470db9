//! The accounting: rows, counts, load by owner, and the raw bytes.

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::store::{
    Archive, Counts, Ledger, LedgerQuery, LedgerRow, Overview, SinkOutcome,
};
use nextedge_core::{Effect, MailboxId, MessageUid, Plan, Result, TenantId};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::SqliteStore;
use crate::db::{Columns, IdBytes, all, limit, micros, one};
use crate::outcome;
use crate::overview;
use crate::tx::tenant_number;

const LEDGER_COLUMNS: &str = "m.msg, m.uid, m.mailbox, m.provider_id, m.received_at, m.outcome, m.detail, m.decision, m.errors, m.labels";

#[async_trait]
impl Ledger for SqliteStore {
    async fn message(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<LedgerRow>> {
        let tenant = tenant.clone();
        self.read(move |db| {
            let Some(tenant) = tenant_number(db, &tenant)? else {
                return Ok(None);
            };
            let text = format!(
                "SELECT {LEDGER_COLUMNS} FROM message m WHERE m.tenant = ?1 AND m.uid = ?2"
            );
            one(db, &text, params![tenant, message.key()], |row| {
                ledger_row(db, tenant, row)
            })
        })
        .await
    }

    async fn messages(&self, tenant: &TenantId, query: &LedgerQuery) -> Result<Vec<LedgerRow>> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => page(db, tenant, &query),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn plans(&self, tenant: &TenantId, message: MessageUid) -> Result<Vec<Plan>> {
        let tenant = tenant.clone();
        self.read(move |db| {
            all(
                db,
                "SELECT d.plan FROM message m JOIN delivery d ON d.tenant = m.tenant AND d.msg = m.msg
                 WHERE m.tenant = (SELECT id FROM tenant WHERE name = ?1) AND m.uid = ?2
                 ORDER BY d.connection",
                params![tenant.as_str(), message.key()],
                |row| row.json(0),
            )
        })
        .await
    }

    async fn counts(&self, tenant: &TenantId, mailbox: Option<&MailboxId>) -> Result<Counts> {
        let (tenant, mailbox) = (tenant.clone(), mailbox.cloned());
        self.read(move |db| {
            let mut counts = Counts::default();
            let rows = all(
                db,
                "SELECT outcome, sum(messages) FROM tally
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1)
                   AND (?2 IS NULL OR mailbox = ?2) GROUP BY outcome",
                params![tenant.as_str(), mailbox.as_ref().map(MailboxId::as_str)],
                |row| Ok((outcome::kind(row.col(0)?)?, row.count(1)?)),
            )?;
            for (kind, messages) in rows {
                *counts.of_mut(kind) = messages;
            }
            Ok(counts)
        })
        .await
    }

    async fn overview(&self, tenant: &TenantId, mailboxes: usize) -> Result<Overview> {
        let (tenant, now) = (tenant.clone(), micros(self.now()));
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => overview::read(db, tenant, now, mailboxes),
            None => Ok(Overview::default()),
        })
        .await
    }

    async fn open_by_owner(&self, tenant: &TenantId) -> Result<Vec<(String, u64)>> {
        let tenant = tenant.clone();
        self.read(move |db| {
            all(
                db,
                "SELECT m.owner, count(*) FROM delivery d
                 JOIN message m ON m.tenant = d.tenant AND m.msg = d.msg
                 WHERE d.tenant = (SELECT id FROM tenant WHERE name = ?1) AND d.state = 0
                   AND m.owner IS NOT NULL
                 GROUP BY m.owner ORDER BY m.owner",
                params![tenant.as_str()],
                |row| Ok((row.col(0)?, row.count(1)?)),
            )
        })
        .await
    }
}

#[async_trait]
impl Archive for SqliteStore {
    async fn raw(&self, tenant: &TenantId, message: MessageUid) -> Result<Option<Bytes>> {
        let tenant = tenant.clone();
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => read_raw(db, tenant, message),
            None => Ok(None),
        })
        .await
    }
}

/// Reads the raw bytes of a message.
pub(crate) fn read_raw(db: &Connection, tenant: i64, message: MessageUid) -> Result<Option<Bytes>> {
    one(
        db,
        "SELECT r.bytes FROM message m JOIN raw r ON r.msg = m.msg AND r.tenant = m.tenant
         WHERE m.tenant = ?1 AND m.uid = ?2",
        params![tenant, message.key()],
        |row| row.col::<Vec<u8>>(0).map(Bytes::from),
    )
}

fn page(db: &Connection, tenant: i64, query: &LedgerQuery) -> Result<Vec<LedgerRow>> {
    let mut text = format!("SELECT {LEDGER_COLUMNS} FROM message m WHERE m.tenant = ?");
    let mut values = vec![Value::from(tenant)];
    if let Some(kind) = query.outcome {
        // Written into the text so that the partial index of rare states serves it.
        text.push_str(&format!(" AND m.outcome = {}", outcome::code(kind)));
    }
    if let Some(mailbox) = &query.mailbox {
        text.push_str(" AND m.mailbox = ?");
        values.push(mailbox.as_str().to_owned().into());
    }
    if let Some((received, message)) = query.after {
        text.push_str(" AND (m.received_at, m.uid) > (?, ?)");
        values.push(micros(received).into());
        values.push(message.key().to_vec().into());
    }
    text.push_str(" ORDER BY m.received_at, m.uid LIMIT ?");
    values.push(limit(query.limit).into());
    all(db, &text, params_from_iter(values), |row| {
        ledger_row(db, tenant, row)
    })
}

fn ledger_row(db: &Connection, tenant: i64, row: &Row<'_>) -> Result<LedgerRow> {
    let number: i64 = row.col(0)?;
    let detail: Option<String> = row.col(6)?;
    Ok(LedgerRow {
        message: row.message(1)?,
        mailbox: row.mailbox(2)?,
        provider_id: row.provider(3)?,
        received_at: Some(row.moment(4)?),
        labels: row.json_opt(9)?.unwrap_or_default(),
        outcome: outcome::read(row.col(5)?, detail.as_deref())?,
        sinks: sinks(db, tenant, number)?,
        decision: row.json_opt(7)?,
        errors: row.json_opt(8)?.unwrap_or_default(),
    })
}

fn sinks(db: &Connection, tenant: i64, message: i64) -> Result<Vec<SinkOutcome>> {
    all(
        db,
        "SELECT connection, state, effects FROM delivery
         WHERE tenant = ?1 AND msg = ?2 ORDER BY connection",
        params![tenant, message],
        |row| {
            let effects: Vec<Effect> = row.json_opt(2)?.unwrap_or_default();
            Ok(SinkOutcome {
                connection: row.connection(0)?,
                outcome: outcome::kind(row.col(1)?)?,
                records: effects.into_iter().map(|effect| effect.record).collect(),
            })
        },
    )
}
