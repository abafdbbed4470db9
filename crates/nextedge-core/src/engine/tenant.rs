//! A tenant's configuration as `process` needs it: loaded when due, compiled once a version.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::context::ConnectionRole;
use crate::domain::{ConnectionId, TenantId};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;
use crate::stage::map::CompiledMap;
use crate::store::Store;

/// What decides over a tenant's mail.
#[derive(Debug)]
pub(crate) struct TenantConfig {
    pub(crate) policy: Arc<Policy>,
    pub(crate) policy_version: u64,
    pub(crate) sinks: Vec<SinkConfig>,
}

/// One sink connection and its field map.
#[derive(Clone, Debug)]
pub(crate) struct SinkConfig {
    pub(crate) connection: ConnectionId,
    pub(crate) map: Arc<CompiledMap>,
    pub(crate) map_version: u64,
}

/// Compiled configurations, at most [`MAX_TENANTS`].
#[derive(Debug, Default)]
pub(crate) struct TenantConfigs(Mutex<HashMap<TenantId, Compiled>>);

#[derive(Clone, Debug, Default)]
struct Compiled {
    turns: Vec<u64>,
    policy: Option<(u64, Arc<Policy>)>,
    maps: BTreeMap<ConnectionId, (u64, Arc<CompiledMap>)>,
}

impl TenantConfigs {
    /// Reads the present versions and reuses what is compiled already.
    pub(crate) async fn load(&self, store: &dyn Store, tenant: &TenantId) -> Result<TenantConfig> {
        let mut compiled = self.cached(tenant);
        let policy = store.policy(tenant).await?;
        let policy = match compiled.policy.take() {
            Some((version, kept)) if version == policy.version => (version, kept),
            _ => (policy.version, Arc::new(policy.value)),
        };
        compiled.policy = Some(policy.clone());
        let mut sinks = Vec::new();
        for connection in store.connections(tenant).await? {
            if connection.role != ConnectionRole::Sink {
                continue;
            }
            let row = store.field_map(tenant, &connection.id).await?;
            let row = row.ok_or_else(|| no_map(&connection.id))?;
            let map = match compiled.maps.remove(&connection.id) {
                Some((version, kept)) if version == row.version => kept,
                _ => Arc::new(CompiledMap::new(&row.value)?),
            };
            compiled
                .maps
                .insert(connection.id.clone(), (row.version, Arc::clone(&map)));
            sinks.push(SinkConfig {
                connection: connection.id,
                map,
                map_version: row.version,
            });
        }
        self.keep(tenant, compiled);
        Ok(TenantConfig {
            policy: policy.1,
            policy_version: policy.0,
            sinks,
        })
    }

    fn cached(&self, tenant: &TenantId) -> Compiled {
        self.lock().get(tenant).cloned().unwrap_or_default()
    }

    fn keep(&self, tenant: &TenantId, compiled: Compiled) {
        let mut all = self.lock();
        let turns = all
            .get(tenant)
            .map(|kept| kept.turns.clone())
            .unwrap_or_default();
        let compiled = Compiled { turns, ..compiled };
        if all.len() >= MAX_TENANTS && !all.contains_key(tenant) {
            // compiling again is cheap; a full reset keeps this a plain map
            all.clear();
        }
        all.insert(tenant.clone(), compiled);
    }

    /// Returns the tenants served so far.
    pub(crate) fn served(&self) -> Vec<TenantId> {
        self.lock().keys().cloned().collect()
    }

    /// Takes the lowest turn that is reserved and unused.
    pub(crate) fn take_turn(&self, tenant: &TenantId) -> Option<u64> {
        self.lock().get_mut(tenant)?.turns.pop()
    }

    /// Keeps turns that were reserved in the store.
    pub(crate) fn keep_turns(&self, tenant: &TenantId, turns: std::ops::Range<u64>) {
        turns.for_each(|turn| self.give_back_turn(tenant, turn));
    }

    /// Keeps a turn that no record used.
    pub(crate) fn give_back_turn(&self, tenant: &TenantId, turn: u64) {
        let mut all = self.lock();
        let turns = &mut all.entry(tenant.clone()).or_default().turns;
        turns.push(turn);
        // the lowest last, where `pop` takes it
        turns.sort_unstable_by(|a, b| b.cmp(a));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Compiled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_map(connection: &ConnectionId) -> Error {
    Error::new(ErrorKind::Config, "sink connection has no field map")
        .with_context("connection", connection)
        .with_action("connect the sink through the engine, which installs the default field map")
}

/// Tenants whose compiled configuration is kept.
const MAX_TENANTS: usize = 1000;
