//! Connections, policies, field maps, turns and gates.

use async_trait::async_trait;
use nextedge_core::policy::{FieldMap, Policy};
use nextedge_core::store::{ConnectionStore, Gate, Gates, PolicySource, Versioned};
use nextedge_core::{Connection, ConnectionId, ConnectionRole, ConnectionState, Result, TenantId};
use rusqlite::{Row, params};

use crate::SqliteStore;
use crate::db::{Columns, all, encode, exec, micros, number, one};
use crate::error::{conflict, not_found};
use crate::tx::{Tx, tenant_number};

#[async_trait]
impl ConnectionStore for SqliteStore {
    async fn put_connection(
        &self,
        tenant: &TenantId,
        connection: Connection,
    ) -> Result<Connection> {
        let tenant = tenant.clone();
        self.write(move |tx| {
            let number = tx.tenant(&tenant)?;
            put_connection(tx, number, connection)
        })
        .await
    }

    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Connection>> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.read(move |db| match tenant_number(db, &tenant)? {
            Some(tenant) => read_connection(db, tenant, &id),
            None => Ok(None),
        })
        .await
    }

    async fn connections(&self, tenant: &TenantId) -> Result<Vec<Connection>> {
        let tenant = tenant.clone();
        self.read(move |db| {
            all(
                db,
                "SELECT body FROM connection
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1) ORDER BY id",
                params![tenant.as_str()],
                |row| row.json(0),
            )
        })
        .await
    }

    async fn set_connection_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
    ) -> Result<()> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |tx| {
            let number = tx.tenant(&tenant)?;
            let Some(mut connection) = read_connection(tx.db, number, &id)? else {
                return Err(not_found("connection", &id));
            };
            if connection.state == state {
                return Ok(());
            }
            connection.state = state;
            connection.version += 1;
            write_connection(tx, number, &connection)
        })
        .await
    }
}

fn put_connection(tx: &Tx<'_>, tenant: i64, mut connection: Connection) -> Result<Connection> {
    let present = read_connection(tx.db, tenant, &connection.id)?.map_or(0, |old| old.version);
    if connection.version != present {
        return Err(conflict("connection", connection.version, present));
    }
    connection.version = present + 1;
    write_connection(tx, tenant, &connection)?;
    Ok(connection)
}

pub(crate) fn read_connection(
    db: &rusqlite::Connection,
    tenant: i64,
    id: &ConnectionId,
) -> Result<Option<Connection>> {
    one(
        db,
        "SELECT body FROM connection WHERE tenant = ?1 AND id = ?2",
        params![tenant, id.as_str()],
        |row| row.json(0),
    )
}

fn write_connection(tx: &Tx<'_>, tenant: i64, connection: &Connection) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO connection (tenant, id, vendor, role, usable, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET vendor = excluded.vendor, role = excluded.role,
             usable = excluded.usable, body = excluded.body",
        params![
            tenant,
            connection.id.as_str(),
            connection.vendor,
            match connection.role {
                ConnectionRole::Source => "source",
                ConnectionRole::Sink => "sink",
            },
            connection.state.is_usable(),
            encode(connection)?,
        ],
    )
    .map(|_| ())
}

#[async_trait]
impl PolicySource for SqliteStore {
    async fn policy(&self, tenant: &TenantId) -> Result<Versioned<Policy>> {
        let tenant = tenant.clone();
        self.read(move |db| {
            let found = one(
                db,
                "SELECT version, body FROM policy
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1)",
                params![tenant.as_str()],
                versioned,
            )?;
            Ok(found.unwrap_or_else(|| Versioned {
                version: 0,
                value: Policy::default(),
            }))
        })
        .await
    }

    async fn put_policy(&self, tenant: &TenantId, expected: u64, policy: Policy) -> Result<u64> {
        let tenant = tenant.clone();
        self.write(move |tx| {
            let tenant = tx.tenant(&tenant)?;
            let present = one(
                tx.db,
                "SELECT version FROM policy WHERE tenant = ?1",
                params![tenant],
                |row| row.count(0),
            )?;
            let next = next_version("policy", expected, present)?;
            exec(
                tx.db,
                "INSERT INTO policy (tenant, version, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
                params![tenant, number(next), encode(&policy)?],
            )?;
            Ok(next)
        })
        .await
    }

    async fn field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Versioned<FieldMap>>> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.read(move |db| {
            one(
                db,
                "SELECT version, body FROM field_map
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1) AND connection = ?2",
                params![tenant.as_str(), connection.as_str()],
                versioned,
            )
        })
        .await
    }

    async fn put_field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        expected: u64,
        map: FieldMap,
    ) -> Result<u64> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.write(move |tx| {
            let tenant = tx.tenant(&tenant)?;
            let present = one(
                tx.db,
                "SELECT version FROM field_map WHERE tenant = ?1 AND connection = ?2",
                params![tenant, connection.as_str()],
                |row| row.count(0),
            )?;
            let next = next_version("field map", expected, present)?;
            exec(
                tx.db,
                "INSERT INTO field_map (tenant, connection, version, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
                params![tenant, connection.as_str(), number(next), encode(&map)?],
            )?;
            Ok(next)
        })
        .await
    }

    async fn take_turns(&self, tenant: &TenantId, rule: &str, count: u64) -> Result<u64> {
        let (tenant, rule) = (tenant.clone(), rule.to_owned());
        self.write(move |tx| {
            let tenant = tx.tenant(&tenant)?;
            let taken = one(
                tx.db,
                "INSERT INTO turn (tenant, rule, taken) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET taken = taken + excluded.taken RETURNING taken",
                params![tenant, rule, number(count)],
                |row| row.count(0),
            )?;
            Ok(taken.unwrap_or(count).saturating_sub(count))
        })
        .await
    }
}

fn versioned<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> Result<Versioned<T>> {
    Ok(Versioned {
        version: row.count(0)?,
        value: row.json(1)?,
    })
}

fn next_version(what: &'static str, expected: u64, present: Option<u64>) -> Result<u64> {
    let present = present.unwrap_or(0);
    if expected == present {
        return Ok(present + 1);
    }
    Err(conflict(what, expected, present))
}

#[async_trait]
impl Gates for SqliteStore {
    async fn set_gate(&self, tenant: &TenantId, gate: Gate) -> Result<()> {
        let tenant = tenant.clone();
        self.write(move |tx| {
            exec(
                tx.db,
                "INSERT INTO gate (tenant, connection, until, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET until = excluded.until, body = excluded.body
                 WHERE excluded.until > until",
                params![
                    tx.tenant(&tenant)?,
                    gate.connection.as_str(),
                    micros(gate.until),
                    encode(&gate)?
                ],
            )
            .map(|_| ())
        })
        .await
    }

    async fn open_gate(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.write(move |tx| {
            exec(
                tx.db,
                "DELETE FROM gate
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1) AND connection = ?2",
                params![tenant.as_str(), connection.as_str()],
            )
            .map(|_| ())
        })
        .await
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let tenant = tenant.clone();
        self.read(move |db| {
            all(
                db,
                "SELECT body FROM gate
                 WHERE tenant = (SELECT id FROM tenant WHERE name = ?1) ORDER BY connection",
                params![tenant.as_str()],
                |row| row.json(0),
            )
        })
        .await
    }
}
