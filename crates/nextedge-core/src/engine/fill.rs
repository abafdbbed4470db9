//! Lets CRM batches fill up while more plans of the same tenant are being made.
//!
//! A vendor's quota counts calls, and a full batch costs as many calls as a small one. So a worker
//! that would write waits a moment while every tenant with plans has a backlog in work, and none has
//! a full batch yet. This only ever delays, and only up to [`EngineOptions::fill`].
//!
//! [`EngineOptions::fill`]: super::EngineOptions::fill

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::deps::Deps;
use crate::domain::TenantId;
use crate::store::{Claim, ClaimRequest};

/// What this process knows of plans that are made and not claimed yet; a hint, never a truth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fill(Arc<Mutex<HashMap<TenantId, Making>>>);

#[derive(Clone, Copy, Debug, Default)]
struct Making {
    /// Claims in work that show a backlog.
    backlog: usize,
    /// Mails with plans that nobody claimed yet.
    planned: usize,
}

impl Fill {
    /// Looks at a claim of mails to fetch or decide; one that came back at least half full says
    /// that more plans will follow, until the guard is dropped.
    pub(crate) fn backlog(&self, claim: &Claim, request: &ClaimRequest) -> Option<Backlog> {
        if claim.items.len() * 2 < request.max_items.max(2) {
            return None;
        }
        self.change(&claim.tenant, |making| making.backlog += 1);
        Some(Backlog {
            fill: self.clone(),
            tenant: claim.tenant.clone(),
        })
    }

    /// Counts mails whose plans can be delivered now.
    pub(crate) fn planned(&self, tenant: &TenantId, mails: usize) {
        self.change(tenant, |making| making.planned += mails);
    }

    /// Counts mails out that a worker claimed.
    pub(crate) fn claimed(&self, tenant: &TenantId, mails: usize) {
        self.change(tenant, |making| {
            making.planned = making.planned.saturating_sub(mails);
        });
    }

    /// Nothing is ready: whatever was planned is claimed by others or waits.
    pub(crate) fn nothing_ready(&self) {
        self.lock().retain(|_, making| {
            making.planned = 0;
            making.backlog > 0
        });
    }

    /// Tells whether more plans are on their way for every tenant that has some.
    fn pays(&self, full: usize) -> bool {
        let all = self.lock();
        let mut making = all.values();
        !all.is_empty() && making.all(|making| making.backlog > 0 && making.planned < full)
    }

    fn change(&self, tenant: &TenantId, change: impl FnOnce(&mut Making)) {
        let mut all = self.lock();
        let making = all.entry(tenant.clone()).or_default();
        change(making);
        if making.backlog == 0 && making.planned == 0 {
            all.remove(tenant);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Making>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tenant has more to decide about.
#[derive(Debug)]
pub(crate) struct Backlog {
    fill: Fill,
    tenant: TenantId,
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.fill.change(&self.tenant, |making| making.backlog -= 1);
    }
}

/// Waits while a batch of `full` items is likely to fill up further.
pub(crate) async fn wait(deps: &Deps, full: usize) {
    let mut wakes = deps.work.subscribe();
    let over = deps.clock.sleep(deps.options.fill);
    tokio::pin!(over);
    while deps.fill.pays(full) {
        tokio::select! {
            _ = wakes.changed() => {}
            () = &mut over => return,
            () = deps.stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn waiting_pays_only_while_all_that_is_planned_grows_and_is_not_full() {
        let (fill, a, b) = (
            Fill::default(),
            TenantId::new("a").unwrap(),
            TenantId::new("b").unwrap(),
        );
        assert!(!fill.pays(10), "nothing is on its way");
        fill.change(&a, |making| making.backlog += 1);
        let backlog = Backlog {
            fill: fill.clone(),
            tenant: a.clone(),
        };
        assert!(fill.pays(10));
        fill.planned(&a, 9);
        assert!(fill.pays(10));
        fill.planned(&b, 1);
        assert!(!fill.pays(10), "b has all it will get");
        fill.claimed(&b, 1);
        assert!(fill.pays(10));
        fill.planned(&a, 1);
        assert!(!fill.pays(10), "a is full");
        fill.claimed(&a, 10);
        drop(backlog);
        assert!(!fill.pays(10) && fill.lock().is_empty());
        fill.planned(&a, 3);
        fill.nothing_ready();
        assert!(fill.lock().is_empty(), "claimed by another process");
    }
}
