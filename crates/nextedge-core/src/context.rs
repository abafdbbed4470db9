//! What every call of a connector gets first: for whom, until when, and where to report.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, SystemClock, Timestamp, later};
use crate::domain::{CallRecord, ConnectionId, TenantId};

/// The tenant, connection, deadline and attempt of one call.
///
/// A connector takes time from here and reports its calls here; it never reads the system's clock.
#[derive(Clone)]
pub struct CallContext {
    tenant: TenantId,
    connection: Arc<Connection>,
    deadline: Timestamp,
    attempt: u32,
    clock: Arc<dyn Clock>,
    calls: Arc<Mutex<Vec<CallRecord>>>,
}

impl CallContext {
    /// Starts a context on the system's clock; the deadline is `budget` from now.
    pub fn new(tenant: TenantId, connection: Arc<Connection>, budget: std::time::Duration) -> Self {
        Self::with_clock(tenant, connection, budget, Arc::new(SystemClock))
    }

    /// Starts a context on a given clock.
    pub fn with_clock(
        tenant: TenantId,
        connection: Arc<Connection>,
        budget: std::time::Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let deadline = later(clock.now(), budget);
        Self {
            tenant,
            connection,
            deadline,
            attempt: 1,
            clock,
            calls: Arc::default(),
        }
    }

    /// Sets the number of the attempt, from 1.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Returns the tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Returns the connection with its account and settings.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the moment after which an answer is of no use.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Returns the time left, zero if the deadline has passed.
    pub fn remaining(&self) -> std::time::Duration {
        (self.deadline - self.now()).to_std().unwrap_or_default()
    }

    /// Returns the number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the clock, for timers.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Reports one call to the vendor; each becomes one audit row.
    pub fn record_call(&self, call: CallRecord) {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
    }

    /// Takes the calls reported so far, in order.
    pub fn take_calls(&self) -> Vec<CallRecord> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("tenant", &self.tenant)
            .field("connection", &self.connection.id)
            .field("deadline", &self.deadline)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// One authorised account at a vendor, as the store keeps it; secrets live in the token store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, unique within the tenant.
    pub id: ConnectionId,
    /// The connector that serves it: the value of its `name()`, such as `hubspot`.
    pub vendor: String,
    /// Whether mail comes from it or records go to it.
    pub role: ConnectionRole,
    /// The account at the vendor, once known, such as a portal id or a mail address.
    #[serde(default)]
    pub account: Option<String>,
    /// Settings that the connector understands and validates on `check`.
    #[serde(default)]
    pub settings: serde_json::Value,
    /// Whether the engine uses it.
    #[serde(default)]
    pub state: ConnectionState,
    /// Grows by one with each change; a write from an older version is refused.
    #[serde(default)]
    pub version: u64,
}

impl Connection {
    /// Starts a connected, unversioned connection with empty settings.
    pub fn new(id: ConnectionId, vendor: impl Into<String>, role: ConnectionRole) -> Self {
        Self {
            id,
            vendor: vendor.into(),
            role,
            account: None,
            settings: serde_json::Value::Null,
            state: ConnectionState::Connected,
            version: 0,
        }
    }

    /// Sets the connector's settings.
    #[must_use]
    pub fn with_settings(mut self, settings: serde_json::Value) -> Self {
        self.settings = settings;
        self
    }
}

/// Whether mail comes from a connection or records go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // data flows in or out
pub enum ConnectionRole {
    /// Mail comes from it.
    Source,
    /// Records go to it.
    Sink,
}

/// Whether the engine uses a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not authorised yet.
    #[default]
    NeverConnected,
    /// Works.
    Connected,
    /// Works, but the grant, a static credential or a watch ends soon.
    Expiring,
    /// The granted rights differ from what is needed.
    ScopeChanged,
    /// The token ended and is being renewed; transient.
    Expired,
    /// The grant is gone: a person must authorise again.
    Revoked,
    /// Switched off by a person.
    Paused,
}

impl ConnectionState {
    /// Tells whether work may start on such a connection.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Connected | Self::Expiring | Self::Expired)
    }
}
