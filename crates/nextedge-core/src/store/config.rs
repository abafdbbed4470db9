//! Connections, policies, field maps and gates: rows that change at run time.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::context::{Connection, ConnectionState};
use crate::domain::{ConnectionId, TenantId};
use crate::error::{ErrorReport, Result};
use crate::policy::{FieldMap, Policy};

/// Keeps connections.
#[async_trait]
pub trait ConnectionStore: fmt::Debug + Send + Sync + 'static {
    /// Puts a connection and returns it with its new version.
    ///
    /// # Errors
    ///
    /// `Conflict` if `connection.version` is not the stored one (0 for a new connection).
    async fn put_connection(&self, tenant: &TenantId, connection: Connection)
    -> Result<Connection>;

    /// Returns a connection.
    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Connection>>;

    /// Returns all connections of a tenant in id order.
    async fn connections(&self, tenant: &TenantId) -> Result<Vec<Connection>>;

    /// Sets the state, whatever the version; a change makes a new version.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such connection.
    async fn set_connection_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
    ) -> Result<()>;
}

/// Keeps policies and field maps; a new version is written by compare-and-swap.
#[async_trait]
pub trait PolicySource: fmt::Debug + Send + Sync + 'static {
    /// Returns a tenant's policy; the default policy at version 0 if none was put.
    async fn policy(&self, tenant: &TenantId) -> Result<Versioned<Policy>>;

    /// Puts a policy and returns the new version.
    ///
    /// # Errors
    ///
    /// `Conflict` if `expected` is not the present version.
    async fn put_policy(&self, tenant: &TenantId, expected: u64, policy: Policy) -> Result<u64>;

    /// Returns the field map of a sink connection, if one was put.
    async fn field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<Versioned<FieldMap>>>;

    /// Puts a field map and returns the new version.
    ///
    /// # Errors
    ///
    /// `Conflict` if `expected` is not the present version (0 for a new one).
    async fn put_field_map(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        expected: u64,
        map: FieldMap,
    ) -> Result<u64>;

    /// Takes the next turns of a named round robin and returns the first, from 0; turns are never
    /// given twice, so the order is fair over restarts and workers.
    async fn take_turns(&self, tenant: &TenantId, rule: &str, count: u64) -> Result<u64>;
}

/// A value and its version.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Versioned<T> {
    /// Grows by one with each change; 0 is the built-in default.
    pub version: u64,
    /// The value.
    pub value: T,
}

/// Keeps the gates that pause a connection.
#[async_trait]
pub trait Gates: fmt::Debug + Send + Sync + 'static {
    /// Closes a connection's gate; a later `until` wins over an earlier one.
    ///
    /// While it is closed nothing is claimed for the connection, mailboxes included. Afterwards one
    /// claim of one item at a time probes (none while another claim on the connection runs); the
    /// first outcome that it commits while the gate is not closed anew opens it.
    async fn set_gate(&self, tenant: &TenantId, gate: Gate) -> Result<()>;

    /// Opens a connection's gate.
    async fn open_gate(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()>;

    /// Returns the closed and probing gates of a tenant in connection order.
    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>>;
}

/// A pause of one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // stored data
pub struct Gate {
    /// The connection.
    pub connection: ConnectionId,
    /// Until when nothing is claimed.
    pub until: Timestamp,
    /// Why.
    pub error: ErrorReport,
}
