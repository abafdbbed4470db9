//! What must happen without mail: review items that run out of time, rows that are kept long enough.

use std::time::Duration;

use chrono::TimeDelta;

use super::deps::Deps;
use super::event::EngineEvent;
use super::workers::pause;
use crate::domain::{ReviewDecision, ReviewState, TenantId};
use crate::error::{ErrorKind, Result};
use crate::store::ReviewQuery;

/// Parks the open items of a tenant whose time ran out; returns how many.
pub(crate) async fn expire_reviews(deps: &Deps, tenant: &TenantId) -> Result<u64> {
    let query = ReviewQuery {
        state: Some(ReviewState::Open),
        expires_by: Some(deps.clock.now()),
        limit: SWEEP,
    };
    let mut count = 0;
    for item in deps.store.reviews(tenant, &query).await? {
        match deps
            .store
            .decide(tenant, item.id, item.version, ReviewDecision::Expire)
            .await
        {
            Ok(_) => count += 1,
            // a person decided meanwhile
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Forgets sync runs that started longer ago than the option `keep_runs`; returns how many.
pub(crate) async fn forget_runs(deps: &Deps) -> Result<u64> {
    let keep = TimeDelta::from_std(deps.options.keep_runs).unwrap_or(TimeDelta::MAX);
    let Some(before) = deps.clock.now().checked_sub_signed(keep) else {
        return Ok(0);
    };
    let mut count = 0;
    for _ in 0..RUN_ROUNDS {
        let gone = deps
            .store
            .forget_runs(&deps.options.scope, before, RUNS)
            .await?;
        count += gone;
        if gone < RUNS as u64 {
            break;
        }
    }
    Ok(count)
}

/// Sweeps the tenants this engine has served, now and then, until it stops.
pub(crate) async fn sweep(deps: &Deps) {
    let mut sweeps: u32 = 0;
    while !deps.stopping() {
        if sweeps.is_multiple_of(RUNS_EVERY)
            && let Err(error) = forget_runs(deps).await
        {
            deps.events.emit(EngineEvent::StoreTrouble {
                error: error.report(),
            });
        }
        sweeps = sweeps.wrapping_add(1);
        for tenant in deps.tenants.served() {
            if let Err(error) = expire_reviews(deps, &tenant).await {
                deps.events.emit(EngineEvent::StoreTrouble {
                    error: error.report(),
                });
            }
        }
        pause(deps, SWEEP_EVERY).await;
    }
}

/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Items that one sweep of a tenant expires.
const SWEEP: usize = 500;
/// Sweeps from one look for old sync runs to the next.
const RUNS_EVERY: u32 = 60;
/// Old runs forgotten in one transaction.
const RUNS: usize = 2_000;
/// Such transactions in one sweep; the rest is left to the next.
const RUN_ROUNDS: usize = 20;
