//! Broken settings and gates.

use async_trait::async_trait;
use nextedge_core::policy::{FieldMap, Policy};
use nextedge_core::store::{ConnectionStore, Gate, Gates, PolicySource, Versioned};
use nextedge_core::{Connection, ConnectionId, ConnectionState, Result, TenantId};

use super::{Broken, Fault, Method};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ConnectionStore for Broken {
    async fn put_connection(
        &self,
        tenant: &TenantId,
        mut connection: Connection,
    ) -> Result<Connection> {
        let tenant = self.tenant(Method::PutConnection, tenant);
        if self.is(Fault::IgnoresVersion) {
            let present = self.sound().connection(&tenant, &connection.id).await?;
            connection.version = present.map_or(0, |present| present.version);
        }
        self.sound().put_connection(&tenant, connection).await
    }

    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Connection>> {
        let tenant = self.tenant(Method::Connection, tenant);
        self.sound().connection(&tenant, id).await
    }

    async fn connections(&self, tenant: &TenantId) -> Result<Vec<Connection>> {
        let tenant = self.tenant(Method::Connections, tenant);
        self.sound().connections(&tenant).await
    }

    async fn set_connection_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
    ) -> Result<()> {
        let tenant = self.tenant(Method::SetConnectionState, tenant);
        self.sound().set_connection_state(&tenant, id, state).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl PolicySource for Broken {
    async fn policy(&self, tenant: &TenantId) -> Result<Versioned<Policy>> {
        let tenant = self.tenant(Method::Policy, tenant);
        self.sound().policy(&tenant).await
    }

    async fn put_policy(&self, tenant: &TenantId, expected: u64, policy: Policy) -> Result<u64> {
        let tenant = self.tenant(Method::PutPolicy, tenant);
        let expected = if self.is(Fault::IgnoresVersion) {
            self.sound().policy(&tenant).await?.version
        } else {
            expected
        };
        self.sound().put_policy(&tenant, expected, policy).await
    }

    async fn field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Versioned<FieldMap>>> {
        let tenant = self.tenant(Method::FieldMap, tenant);
        self.sound().field_map(&tenant, connection).await
    }

    async fn put_field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        expected: u64,
        map: FieldMap,
    ) -> Result<u64> {
        let tenant = self.tenant(Method::PutFieldMap, tenant);
        let expected = if self.is(Fault::IgnoresVersion) {
            let present = self.sound().field_map(&tenant, connection).await?;
            present.map_or(0, |present| present.version)
        } else {
            expected
        };
        let put = self
            .sound()
            .put_field_map(&tenant, connection, expected, map);
        put.await
    }

    async fn take_turns(&self, tenant: &TenantId, rule: &str, count: u64) -> Result<u64> {
        let tenant = self.tenant(Method::TakeTurns, tenant);
        let count = if self.is(Fault::RepeatsTurns) {
            0
        } else {
            count
        };
        self.sound().take_turns(&tenant, rule, count).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Gates for Broken {
    async fn set_gate(&self, tenant: &TenantId, gate: Gate) -> Result<()> {
        let tenant = self.tenant(Method::SetGate, tenant);
        if self.is(Fault::IgnoresGate) {
            return Ok(());
        }
        self.sound().set_gate(&tenant, gate).await
    }

    async fn open_gate(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()> {
        let tenant = self.tenant(Method::OpenGate, tenant);
        self.sound().open_gate(&tenant, connection).await
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let tenant = self.tenant(Method::Gates, tenant);
        self.sound().gates(&tenant).await
    }
}
