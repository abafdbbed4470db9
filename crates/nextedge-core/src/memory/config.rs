//! `ConnectionStore`, `PolicySource` and `Gates`.

use async_trait::async_trait;

use super::{MemoryStore, conflict, not_found};
use crate::context::{Connection, ConnectionState};
use crate::domain::{ConnectionId, TenantId};
use crate::error::Result;
use crate::policy::{FieldMap, Policy};
use crate::store::{ConnectionStore, Gate, Gates, PolicySource, Versioned};

#[async_trait]
impl ConnectionStore for MemoryStore {
    async fn put_connection(
        &self,
        tenant: &TenantId,
        mut connection: Connection,
    ) -> Result<Connection> {
        let mut state = self.lock();
        let rows = &mut state.tenant_mut(tenant).connections;
        let version = rows.get(&connection.id).map_or(0, |stored| stored.version);
        if connection.version != version {
            return Err(conflict("connection", connection.version, version));
        }
        connection.version += 1;
        rows.insert(connection.id.clone(), connection.clone());
        Ok(connection)
    }

    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Connection>> {
        let state = self.lock();
        Ok(state
            .tenant(tenant)
            .and_then(|t| t.connections.get(id))
            .cloned())
    }

    async fn connections(&self, tenant: &TenantId) -> Result<Vec<Connection>> {
        let state = self.lock();
        let rows = state.tenant(tenant).into_iter();
        Ok(rows.flat_map(|t| t.connections.values().cloned()).collect())
    }

    async fn set_connection_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
    ) -> Result<()> {
        let mut rows = self.lock();
        let connection = rows.tenant_mut(tenant).connections.get_mut(id);
        let connection = connection.ok_or_else(|| not_found("connection"))?;
        if connection.state != state {
            connection.state = state;
            connection.version += 1;
        }
        Ok(())
    }
}

#[async_trait]
impl PolicySource for MemoryStore {
    async fn policy(&self, tenant: &TenantId) -> Result<Versioned<Policy>> {
        let state = self.lock();
        let policy = state.tenant(tenant).and_then(|t| t.policy.clone());
        Ok(policy.unwrap_or_else(|| Versioned {
            version: 0,
            value: Policy::default(),
        }))
    }

    async fn put_policy(&self, tenant: &TenantId, expected: u64, policy: Policy) -> Result<u64> {
        let mut state = self.lock();
        swap(
            "policy",
            &mut state.tenant_mut(tenant).policy,
            expected,
            policy,
        )
    }

    async fn field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Versioned<FieldMap>>> {
        let state = self.lock();
        let tenant = state.tenant(tenant);
        Ok(tenant.and_then(|t| t.field_maps.get(connection)).cloned())
    }

    async fn put_field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        expected: u64,
        map: FieldMap,
    ) -> Result<u64> {
        let mut state = self.lock();
        let rows = &mut state.tenant_mut(tenant).field_maps;
        let mut stored = rows.get(connection).cloned();
        let version = swap("field map", &mut stored, expected, map)?;
        rows.extend(stored.map(|row| (connection.clone(), row)));
        Ok(version)
    }

    async fn take_turns(&self, tenant: &TenantId, rule: &str, count: u64) -> Result<u64> {
        let mut state = self.lock();
        let turns = &mut state.tenant_mut(tenant).turns;
        let next = turns.entry(rule.to_owned()).or_default();
        let first = *next;
        *next = first.saturating_add(count);
        Ok(first)
    }
}

#[async_trait]
impl Gates for MemoryStore {
    async fn set_gate(&self, tenant: &TenantId, gate: Gate) -> Result<()> {
        let mut state = self.lock();
        let gates = &mut state.tenant_mut(tenant).gates;
        let stored = gates.get(&gate.connection);
        if stored.is_none_or(|stored| gate.until > stored.until) {
            gates.insert(gate.connection.clone(), gate);
        }
        Ok(())
    }

    async fn open_gate(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()> {
        self.lock().tenant_mut(tenant).gates.remove(connection);
        Ok(())
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let state = self.lock();
        let rows = state.tenant(tenant).into_iter();
        Ok(rows.flat_map(|t| t.gates.values().cloned()).collect())
    }
}

/// Puts a value if the present version is the expected one.
fn swap<T>(
    item: &'static str,
    stored: &mut Option<Versioned<T>>,
    expected: u64,
    value: T,
) -> Result<u64> {
    let present = stored.as_ref().map_or(0, |row| row.version);
    if present != expected {
        return Err(conflict(item, expected, present));
    }
    let version = present + 1;
    *stored = Some(Versioned { version, value });
    Ok(version)
}
