//! What the client remembers about each (tenant, connection): breaker, pacing, slots, budget.
//!
//! A bounded map of its own, not a cache crate: only idle entries may go, since dropping the state
//! of a connection in use would forget its limits while calls are on their way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nextedge_core::{CallContext, ConnectionId, TenantId};
use tokio::sync::Semaphore;

use crate::breaker::Breaker;
use crate::limit::Limiter;
use crate::retry::Budget;
use crate::token::RefusedGrant;

/// The state of one (tenant, connection).
#[derive(Debug)]
pub(crate) struct ConnectionState {
    pub(crate) breaker: Breaker,
    pub(crate) limiter: Limiter,
    pub(crate) slots: Semaphore,
    pub(crate) budget: Budget,
    /// Held while a token is renewed, so that one refused token is renewed once.
    pub(crate) refreshing: tokio::sync::Mutex<RefusedGrant>,
}

/// The states of all connections that were used lately.
#[derive(Debug)]
pub(crate) struct Connections {
    entries: Mutex<Entries>,
    max: usize,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    uses: u64,
}

type Key = (TenantId, ConnectionId);

#[derive(Debug)]
struct Entry {
    state: Arc<ConnectionState>,
    used: u64,
}

impl Connections {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: Mutex::default(),
            max: max.max(1),
        }
    }

    /// Returns the state of `cx`'s connection, making it on first use.
    pub(crate) fn of(
        &self,
        cx: &CallContext,
        make: impl FnOnce() -> ConnectionState,
    ) -> Arc<ConnectionState> {
        let key = (cx.tenant().clone(), cx.connection().id.clone());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let used = entries.uses;
        if let Some(entry) = entries.by_key.get_mut(&key) {
            entry.used = used;
            return Arc::clone(&entry.state);
        }
        if entries.by_key.len() >= self.max {
            entries.drop_idle(self.max / 8 + 1);
        }
        let state = Arc::new(make());
        let entry = Entry {
            state: Arc::clone(&state),
            used,
        };
        entries.by_key.insert(key, entry);
        state
    }

    /// Returns the state of `cx`'s connection if it was used lately.
    pub(crate) fn known(&self, cx: &CallContext) -> Option<Arc<ConnectionState>> {
        let key = (cx.tenant().clone(), cx.connection().id.clone());
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .by_key
            .get(&key)
            .map(|entry| Arc::clone(&entry.state))
    }
}

impl Entries {
    /// Drops the entries that were idle longest.
    fn drop_idle(&mut self, count: usize) {
        let idle = self
            .by_key
            .iter()
            .filter(|(_, entry)| Arc::strong_count(&entry.state) == 1);
        let mut oldest: Vec<_> = idle.map(|(key, entry)| (entry.used, key.clone())).collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in oldest.into_iter().take(count) {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    use crate::breaker::BreakerOptions;
    use crate::limit::RateLimits;
    use crate::retry::RetryOptions;
    use nextedge_core::{Connection, ConnectionRole};

    fn context(tenant: u32, connection: &str) -> CallContext {
        let id = ConnectionId::new(connection).unwrap();
        let connection = Arc::new(Connection::new(id, "acme", ConnectionRole::Sink));
        let tenant = TenantId::new(format!("t{tenant}")).unwrap();
        CallContext::new(tenant, connection, Duration::from_secs(1))
    }

    fn state() -> ConnectionState {
        ConnectionState {
            breaker: Breaker::new(BreakerOptions::default()),
            limiter: Limiter::new(0, &RateLimits::none()),
            slots: Semaphore::new(1),
            budget: Budget::new(&RetryOptions::default()),
            refreshing: tokio::sync::Mutex::default(),
        }
    }

    #[test]
    fn equal_connection_names_of_two_tenants_share_nothing() {
        let connections = Connections::new(10);
        let first = connections.of(&context(1, "crm"), state);
        let second = connections.of(&context(2, "crm"), state);
        let again = connections.of(&context(1, "crm"), state);
        assert!(!Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn only_idle_connections_are_forgotten_and_the_map_stays_bounded() {
        let connections = Connections::new(16);
        let held = connections.of(&context(0, "crm"), state);
        (1..1000).for_each(|tenant| drop(connections.of(&context(tenant, "crm"), state)));
        assert!(connections.entries.lock().unwrap().by_key.len() <= 16);
        let known = connections.known(&context(0, "crm")).unwrap();
        assert!(Arc::ptr_eq(&held, &known));
        assert!(connections.known(&context(1, "crm")).is_none());
        assert!(connections.known(&context(999, "crm")).is_some());
    }
}
