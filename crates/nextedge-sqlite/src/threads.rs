//! Threads, the keys that find them, and the parties that have a record.

use std::collections::HashSet;

use async_trait::async_trait;
use nextedge_core::store::{Lookup, ThreadChange, ThreadLinks};
use nextedge_core::{
    ConnectionId, LinkedRecord, PartyKey, RecordRef, Result, ReviewId, TenantId, Thread, ThreadId,
    ThreadKey,
};
use rusqlite::{Connection, params};

use crate::SqliteStore;
use crate::db::{Columns, IdBytes, all, encode, exec, micros, number, one};
use crate::tx::{Tx, tenant_number};

#[async_trait]
impl ThreadLinks for SqliteStore {
    async fn lookup(
        &self,
        tenant: &TenantId,
        keys: &[ThreadKey],
        parties: &[PartyKey],
    ) -> Result<Lookup> {
        let (tenant, keys, parties) = (tenant.clone(), keys.to_vec(), parties.to_vec());
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => lookup(db, tenant, &keys, &parties),
            None => Ok(Lookup::default()),
        })
        .await
    }

    async fn thread(&self, tenant: &TenantId, id: ThreadId) -> Result<Option<Thread>> {
        let tenant = tenant.clone();
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => read_thread(db, tenant, id),
            None => Ok(None),
        })
        .await
    }
}

fn lookup(
    db: &Connection,
    tenant: i64,
    keys: &[ThreadKey],
    parties: &[PartyKey],
) -> Result<Lookup> {
    let mut lookup = Lookup::default();
    let (mut asked, mut shown) = (HashSet::new(), HashSet::new());
    for key in keys {
        if !asked.insert(key.as_str()) {
            continue;
        }
        // at most 20 threads a key; the limit is written out: SQLite plans a bound one anew at every call
        let ids = all(
            db,
            "SELECT t.id FROM thread_key k JOIN thread t ON t.tenant = k.tenant AND t.id = k.thread
             WHERE k.tenant = ?1 AND k.key = ?2 ORDER BY t.last_at DESC, t.id LIMIT 20",
            params![tenant, key.as_str()],
            |row| row.thread(0),
        )?;
        for id in ids {
            lookup.found.push((key.clone(), id));
            if shown.insert(id) {
                lookup.threads.extend(read_thread(db, tenant, id)?);
            }
        }
    }
    let mut asked = HashSet::new();
    for party in parties {
        if !asked.insert(party) {
            continue;
        }
        let known = one(
            db,
            "SELECT 1 FROM party WHERE tenant = ?1 AND key = ?2",
            params![tenant, party.as_key()],
            |_| Ok(()),
        )?;
        if known.is_some() {
            lookup.known.push(party.clone());
        }
    }
    Ok(lookup)
}

/// Reads a thread with its records.
pub(crate) fn read_thread(db: &Connection, tenant: i64, id: ThreadId) -> Result<Option<Thread>> {
    let thread = one(
        db,
        "SELECT body FROM thread WHERE tenant = ?1 AND id = ?2",
        params![tenant, id.key()],
        |row| row.json::<Thread>(0),
    )?;
    let Some(mut thread) = thread else {
        return Ok(None);
    };
    thread.records = all(
        db,
        "SELECT connection, record FROM thread_record WHERE tenant = ?1 AND thread = ?2
         ORDER BY connection",
        params![tenant, id.key()],
        |row| {
            Ok(LinkedRecord {
                connection: row.connection(0)?,
                record: row.json(1)?,
            })
        },
    )?;
    thread.review = one(
        db,
        "SELECT id FROM review WHERE tenant = ?1 AND thread = ?2 AND state = 'open'
         ORDER BY opened_at, id LIMIT 1",
        params![tenant, id.key()],
        |row| row.bytes16(0).map(ReviewId::from_bytes),
    )?;
    Ok(Some(thread))
}

/// The thread's record in one sink.
pub(crate) fn linked_record(
    db: &Connection,
    tenant: i64,
    thread: ThreadId,
    connection: &ConnectionId,
) -> Result<Option<RecordRef>> {
    one(
        db,
        "SELECT record FROM thread_record WHERE tenant = ?1 AND thread = ?2 AND connection = ?3",
        params![tenant, thread.key(), connection.as_str()],
        |row| row.json(0),
    )
}

/// Links a thread to its record in one sink; the thread's version stays.
pub(crate) fn link_record(
    tx: &Tx<'_>,
    tenant: i64,
    thread: ThreadId,
    connection: &ConnectionId,
    record: &RecordRef,
) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO thread_record (tenant, thread, connection, record) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET record = excluded.record",
        params![tenant, thread.key(), connection.as_str(), encode(record)?],
    )
    .map(|_| ())
}

/// The present version of a thread; 0 if there is none.
pub(crate) fn version(db: &Connection, tenant: i64, id: ThreadId) -> Result<u64> {
    let present = one(
        db,
        "SELECT version FROM thread WHERE tenant = ?1 AND id = ?2",
        params![tenant, id.key()],
        |row| row.count(0),
    )?;
    Ok(present.unwrap_or(0))
}

/// Tells whether what a change was chosen from is still as it was read.
pub(crate) fn is_current(db: &Connection, tenant: i64, change: &ThreadChange) -> Result<bool> {
    if version(db, tenant, change.thread.id)? != change.expected {
        return Ok(false);
    }
    for (id, seen) in &change.seen {
        if version(db, tenant, *id)? != *seen {
            return Ok(false);
        }
    }
    for key in &change.absent {
        if is_key_known(db, tenant, key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_key_known(db: &Connection, tenant: i64, key: &ThreadKey) -> Result<bool> {
    let known = one(
        db,
        "SELECT 1 FROM thread_key WHERE tenant = ?1 AND key = ?2 LIMIT 1",
        params![tenant, key.as_str()],
        |row| row.count(0),
    )?;
    Ok(known.is_some())
}

/// Writes a change that is current.
pub(crate) fn apply(tx: &Tx<'_>, tenant: i64, change: &ThreadChange) -> Result<()> {
    let mut thread = change.thread.clone();
    thread.version = change.expected + 1;
    thread.records = Vec::new();
    thread.review = None;
    exec(
        tx.db,
        "INSERT INTO thread (tenant, id, version, last_at, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET version = excluded.version, last_at = excluded.last_at,
             body = excluded.body",
        params![
            tenant,
            thread.id.key(),
            number(thread.version),
            micros(thread.last_received_at),
            encode(&thread)?
        ],
    )?;
    for key in &change.keys {
        exec(
            tx.db,
            "INSERT OR IGNORE INTO thread_key (tenant, key, thread) VALUES (?1, ?2, ?3)",
            params![tenant, key.as_str(), thread.id.key()],
        )?;
    }
    Ok(())
}
