//! Looks at tenants one after the other, raises and clears alerts, and hands notices on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use super::Engine;
use super::deps::{Deps, panic_safe};
use super::event::EngineEvent;
use super::workers::pause;
use crate::alert::{Alert, AlertRules, Change, Notice, Notifier};
use crate::clock::Timestamp;
use crate::context::{CallContext, Connection, ConnectionRole};
use crate::domain::{ConnectionId, TenantId};
use crate::error::{Error, ErrorKind, Result, Retry};

/// What an engine watches, whom it tells, and which alerts are raised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alerts {
    pub(crate) rules: AlertRules,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    raised: Arc<Mutex<BTreeMap<TenantId, Vec<Alert>>>>,
}

impl Alerts {
    pub(crate) fn new(rules: AlertRules, notifiers: Vec<Arc<dyn Notifier>>) -> Self {
        Self {
            rules,
            notifiers,
            raised: Arc::default(),
        }
    }

    fn raised(&self, tenant: &TenantId) -> Vec<Alert> {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.get(tenant).cloned().unwrap_or_default()
    }

    /// Takes what holds now, and tells what was raised and what was cleared by it.
    fn settle(&self, tenant: &TenantId, mut found: Vec<Alert>, at: Timestamp) -> Vec<Notice> {
        found.truncate(MAX_ALERTS);
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let before = raised.remove(tenant).unwrap_or_default();
        let mut notices = Vec::new();
        for alert in &mut found {
            match before.iter().find(|old| old.is_same(alert)) {
                Some(old) => alert.since = old.since.min(alert.since),
                None => notices.push(notice(Change::Raised, at, alert)),
            }
        }
        let gone = before
            .iter()
            .filter(|old| !found.iter().any(|new| new.is_same(old)));
        notices.extend(gone.map(|alert| notice(Change::Cleared, at, alert)));
        if !found.is_empty() {
            raised.insert(tenant.clone(), found);
        }
        notices
    }
}

fn notice(change: Change, at: Timestamp, alert: &Alert) -> Notice {
    let alert = alert.clone();
    Notice { change, at, alert }
}

impl Engine {
    /// Returns the alerts of a tenant that this engine has raised and not cleared.
    ///
    /// It looks at tenants while it runs: soon after an event that may change an alert, and else one
    /// tenant a [look](super::EngineOptions::alert_look). Alerts are kept in memory: after a restart
    /// what still holds is raised again.
    pub fn alerts(&self, tenant: &TenantId) -> Vec<Alert> {
        self.deps.alerts.raised(tenant)
    }
}

async fn look(deps: &Arc<Deps>, tenant: &TenantId) -> Result<Vec<Notice>> {
    let engine = Engine {
        deps: Arc::clone(deps),
    };
    let status = engine.status(tenant).await?;
    let found = deps.alerts.rules.evaluate(&status);
    let notices = deps.alerts.settle(tenant, found, status.at);
    for notice in &notices {
        deps.events.emit(EngineEvent::AlertChanged {
            notice: notice.clone(),
        });
    }
    Ok(notices)
}

/// Looks at tenants until the engine stops.
pub(crate) async fn watch(deps: &Arc<Deps>) {
    if deps.alerts.rules.iter().len() == 0 {
        return;
    }
    let told = deps.alerts.notifiers.iter().map(|notifier| {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (deps, notifier) = (Arc::clone(deps), Arc::clone(notifier));
        let name: Arc<str> = notifier.name().into();
        let task = async move { tell(&deps, &*notifier, receiver).await };
        ((name, sender), task)
    });
    let (queues, tasks): (Vec<_>, Vec<_>) = told.unzip();
    tokio::join!(rounds(deps, queues), futures::future::join_all(tasks));
}

type Queue = (Arc<str>, mpsc::Sender<Notice>);

async fn rounds(deps: &Arc<Deps>, queues: Vec<Queue>) {
    let mut events = deps.events.subscribe();
    let mut turn = Turn::default();
    loop {
        pause(deps, deps.options.alert_look).await;
        if deps.stopping() {
            return;
        }
        turn.note(&deps.alerts, &mut events);
        let looked = async {
            for tenant in turn.next(deps).await? {
                for notice in look(deps, &tenant).await? {
                    hand_on(deps, &queues, &notice);
                }
            }
            Ok(())
        };
        let looked: Result<()> = panic_safe("engine", looked).await;
        if let Err(error) = looked {
            deps.events.emit(EngineEvent::StoreTrouble {
                error: error.report(),
            });
        }
    }
}

fn hand_on(deps: &Deps, queues: &[Queue], notice: &Notice) {
    for (name, queue) in queues {
        if queue.try_send(notice.clone()).is_err() {
            deps.events.emit(EngineEvent::NoticeDropped {
                notifier: Arc::clone(name),
                tenant: notice.alert.tenant.clone(),
            });
        }
    }
}

/// Whose turn it is: tenants with news first, then one more in id order.
#[derive(Debug, Default)]
struct Turn {
    news: BTreeSet<TenantId>,
    last: Option<TenantId>,
}

impl Turn {
    /// Notes the tenants whose alerts may have changed.
    fn note(&mut self, alerts: &Alerts, events: &mut broadcast::Receiver<EngineEvent>) {
        loop {
            match events.try_recv() {
                Ok(event) => {
                    if let Some(tenant) = news(alerts, &event)
                        && self.news.len() < MAX_NEWS
                    {
                        self.news.insert(tenant.clone());
                    }
                }
                // what was missed is found in its turn
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return,
            }
        }
    }

    async fn next(&mut self, deps: &Deps) -> Result<Vec<TenantId>> {
        let mut tenants = Vec::new();
        while let Some(tenant) = self.news.pop_first() {
            tenants.push(tenant);
            if tenants.len() >= NEWS_A_LOOK {
                break;
            }
        }
        let scope = &deps.options.scope;
        let next = deps.store.tenants(scope, self.last.as_ref(), 1).await?;
        self.last = next.first().cloned();
        tenants.extend(
            next.into_iter()
                .filter(|next| !tenants.contains(next))
                .collect::<Vec<_>>(),
        );
        Ok(tenants)
    }
}

fn news<'a>(alerts: &Alerts, event: &'a EngineEvent) -> Option<&'a TenantId> {
    match event {
        EngineEvent::SyncFailed { tenant, .. } | EngineEvent::ItemDead { tenant, .. } => {
            Some(tenant)
        }
        // what is raised may be over now; a quiet tenant's every round is no news
        EngineEvent::PageCommitted {
            tenant,
            complete: true,
            ..
        } => (!alerts.raised(tenant).is_empty()).then_some(tenant),
        _ => None,
    }
}

/// Tells one notifier what waits for it, one after the other, until the engine stops.
///
/// What is not told by then is raised again by the next run, if it still holds.
async fn tell(deps: &Deps, notifier: &dyn Notifier, mut queue: mpsc::Receiver<Notice>) {
    let all = async {
        while let Some(notice) = queue.recv().await {
            tell_one(deps, notifier, &notice).await;
        }
    };
    tokio::select! {
        () = all => {}
        () = deps.stop.cancelled() => {}
    }
}

async fn tell_one(deps: &Deps, notifier: &dyn Notifier, notice: &Notice) {
    for wait in WAITS.map(Some).into_iter().chain([None]) {
        let cx = context(deps, &notice.alert.tenant);
        let connection = cx.connection().id.clone();
        let told = tokio::select! {
            told = panic_safe(notifier.name(), notifier.notify(&cx, notice)) => told,
            () = deps.clock.sleep(BUDGET) => Err(late()),
        };
        let calls = cx.take_calls();
        let tenant = &notice.alert.tenant;
        if !calls.is_empty()
            && let Err(error) = deps.store.append_calls(tenant, &connection, calls).await
        {
            deps.events.emit(EngineEvent::StoreTrouble {
                error: error.report(),
            });
        }
        let Err(error) = told else { return };
        let wait = wait.filter(|_| error.retry() != Retry::Never && !deps.stopping());
        deps.events.emit(EngineEvent::NoticeFailed {
            notifier: notifier.name().into(),
            tenant: tenant.clone(),
            again: wait.is_some(),
            error: error.report(),
        });
        let Some(wait) = wait else { return };
        pause(deps, wait).await;
    }
}

/// Notifiers belong to no connection of a tenant; their context carries this stand-in.
fn context(deps: &Deps, tenant: &TenantId) -> CallContext {
    let id = ConnectionId::fixed("notifier");
    let connection = Connection::new(id, "notifier", ConnectionRole::Sink);
    let clock = Arc::clone(&deps.clock);
    CallContext::with_clock(tenant.clone(), Arc::new(connection), BUDGET, clock)
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "notifier took too long")
}

/// Alerts of one tenant that are told apart; further ones wait until others are cleared.
const MAX_ALERTS: usize = 1_000;
/// Tenants with news that are remembered; others are looked at in their turn.
const MAX_NEWS: usize = 10_000;
/// Tenants with news in one look.
const NEWS_A_LOOK: usize = 20;
/// Notices that wait for one notifier; further ones are dropped and counted.
const QUEUE: usize = 256;
/// Time for telling one notice once.
const BUDGET: Duration = Duration::from_secs(30);
/// Waits between the tries of one notice; after the last it is given up and counted.
const WAITS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(20),
    Duration::from_secs(120),
];
