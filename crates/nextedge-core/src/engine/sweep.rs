//! What must happen without mail: review items that run out of time.

use std::time::Duration;

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

/// Sweeps the tenants this engine has served, now and then, until it stops.
pub(crate) async fn sweep(deps: &Deps) {
    while !deps.stopping() {
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
