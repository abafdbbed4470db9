//! When a worker that found nothing should look again.

use std::collections::BTreeMap;

use nextedge_core::Result;
use nextedge_core::store::Scope;
use rusqlite::{Connection, params};

use crate::db::{Columns, all, one};

/// Returns when the next waiting item or mailbox becomes due, in stored moments.
pub(crate) fn next_due(db: &Connection, now: i64, scope: &Scope) -> Result<Option<i64>> {
    let mut best: Option<i64> = None;
    for tenant in tenants(db, scope)? {
        let due = tenant_due(db, tenant, now)?;
        best = [best, due].into_iter().flatten().min();
        if best.is_some_and(|due| due <= now) {
            break;
        }
    }
    Ok(best.map(|due| due.max(now)))
}

fn tenants(db: &Connection, scope: &Scope) -> Result<Vec<i64>> {
    let only = match scope {
        Scope::All => None,
        Scope::Tenant(tenant) => Some(tenant.as_str()),
    };
    all(
        db,
        "SELECT id FROM tenant WHERE ?1 IS NULL OR name = ?1 ORDER BY id",
        params![only],
        |row| row.col(0),
    )
}

fn tenant_due(db: &Connection, tenant: i64, now: i64) -> Result<Option<i64>> {
    let mut due = Vec::new();
    due.extend(intake_due(db, tenant, now)?);
    let gates = gates(db, tenant)?;
    for connection in usable(db, tenant, "sink")? {
        let at = lanes_due(db, tenant, 2, &connection, now)?;
        due.extend(gated(&gates, &connection, at));
    }
    for connection in usable(db, tenant, "source")? {
        let at = source_due(db, tenant, &connection, now)?;
        due.extend(gated(&gates, &connection, at));
    }
    Ok(due.into_iter().min())
}

fn gated(gates: &BTreeMap<String, i64>, connection: &str, at: Option<i64>) -> Option<i64> {
    at.map(|at| at.max(gates.get(connection).copied().unwrap_or(i64::MIN)))
}

fn gates(db: &Connection, tenant: i64) -> Result<BTreeMap<String, i64>> {
    let rows = all(
        db,
        "SELECT connection, until FROM gate WHERE tenant = ?1",
        params![tenant],
        |row| Ok((row.col::<String>(0)?, row.col::<i64>(1)?)),
    )?;
    Ok(rows.into_iter().collect())
}

fn usable(db: &Connection, tenant: i64, role: &str) -> Result<Vec<String>> {
    all(
        db,
        "SELECT id FROM connection WHERE tenant = ?1 AND role = ?2 AND usable = 1",
        params![tenant, role],
        |row| row.col(0),
    )
}

fn intake_due(db: &Connection, tenant: i64, now: i64) -> Result<Option<i64>> {
    let released = one(
        db,
        "SELECT 1 FROM mailbox m WHERE m.tenant = ?1 AND m.releasing = 1 AND EXISTS (
             SELECT 1 FROM lane l WHERE l.tenant = ?1 AND l.mailbox = m.id AND l.state = 4)",
        params![tenant],
        |_| Ok(()),
    )?;
    match released {
        Some(()) => Ok(Some(now)),
        None => lanes_due(db, tenant, 1, "", now),
    }
}

fn lanes_due(
    db: &Connection,
    tenant: i64,
    kind: i64,
    connection: &str,
    now: i64,
) -> Result<Option<i64>> {
    let ready = one(
        db,
        "SELECT 1 FROM lane WHERE kind = ?2 AND tenant = ?1 AND connection = ?3 AND state = 1
         LIMIT 1",
        params![tenant, kind, connection],
        |_| Ok(()),
    )?;
    if ready.is_some() {
        return Ok(Some(now));
    }
    let delayed = one(
        db,
        "SELECT min(due_at) FROM lane
         WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND state = 2",
        params![tenant, kind, connection],
        |row| row.col::<Option<i64>>(0),
    )?;
    let claimed = claimed_lanes_due(db, tenant, kind, connection)?;
    Ok([delayed.flatten(), claimed].into_iter().flatten().min())
}

/// Lanes under a lease wait for its end, if their first item can be done then.
fn claimed_lanes_due(
    db: &Connection,
    tenant: i64,
    kind: i64,
    connection: &str,
) -> Result<Option<i64>> {
    let due = one(
        db,
        "SELECT min(max(coalesce(l.due_at, c.until), c.until)) FROM claim c
         JOIN lane l ON l.tenant = c.tenant AND l.lease = c.lease
         WHERE c.tenant = ?1 AND c.kind = ?2 AND c.connection = ?3 AND c.ended_at IS NULL
           AND l.stubs = 0 AND l.state <> 4 AND 1 = (
             SELECT i.state FROM item i WHERE i.tenant = l.tenant AND i.kind = l.kind
                 AND i.connection = l.connection AND i.lane = l.lane
             ORDER BY i.received_at, i.uid LIMIT 1)",
        params![tenant, kind, connection],
        |row| row.col::<Option<i64>>(0),
    )?;
    Ok(due.flatten())
}

/// Stubs and mailboxes of a source connection.
fn source_due(db: &Connection, tenant: i64, connection: &str, now: i64) -> Result<Option<i64>> {
    let mailboxes = all(
        db,
        "SELECT id, max(due_at, coalesce(lease_until, due_at)) FROM mailbox
         WHERE tenant = ?1 AND connection = ?2 AND paused = 0",
        params![tenant, connection],
        |row| Ok((row.col::<String>(0)?, row.col::<Option<i64>>(1)?)),
    )?;
    let mut due = Vec::new();
    for (mailbox, at) in mailboxes {
        due.extend(at);
        due.extend(stubs_due(db, tenant, &mailbox, now)?);
    }
    Ok(due.into_iter().min())
}

fn stubs_due(db: &Connection, tenant: i64, mailbox: &str, now: i64) -> Result<Option<i64>> {
    let ready = one(
        db,
        "SELECT 1 FROM item WHERE tenant = ?1 AND mailbox = ?2 AND state = 0 AND lease IS NULL
             AND not_before IS NULL LIMIT 1",
        params![tenant, mailbox],
        |_| Ok(()),
    )?;
    if ready.is_some() {
        return Ok(Some(now));
    }
    let delayed = one(
        db,
        "SELECT min(not_before) FROM item WHERE tenant = ?1 AND mailbox = ?2 AND state = 0
             AND lease IS NULL AND not_before IS NOT NULL",
        params![tenant, mailbox],
        |row| row.col::<Option<i64>>(0),
    )?;
    let claimed = one(
        db,
        "SELECT min(max(coalesce(i.not_before, c.until), c.until)) FROM claim c
         JOIN item i ON i.tenant = c.tenant AND i.lease = c.lease
         WHERE c.tenant = ?1 AND c.kind = 0 AND c.ended_at IS NULL AND i.mailbox = ?2
           AND i.state = 0",
        params![tenant, mailbox],
        |row| row.col::<Option<i64>>(0),
    )?;
    let both = [delayed.flatten(), claimed.flatten()];
    Ok(both.into_iter().flatten().min())
}
