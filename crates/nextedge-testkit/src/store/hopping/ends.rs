//! What must hold after the tasks are gone: checked as they left it, and when all work is done.

use std::collections::BTreeSet;
use std::time::Duration;

use nextedge_core::store::{AuditQuery, Counts, JobKind, LedgerQuery, LedgerRow};
use nextedge_core::{MessageUid, OutcomeKind, TenantId};

use super::world::{World, names, own_record};

/// Checks what the tasks left, finishes it, checks again; returns the messages of all tenants.
pub(super) async fn finish_and_check(world: &World) -> u64 {
    for tenant in &world.tenants {
        check_what_is_left(world, tenant).await;
    }
    for _ in 0..MOST_ROUNDS {
        // every lease and every settle time ends
        world.clock.advance(Duration::from_secs(600));
        let mut busy = false;
        for tenant in &world.tenants {
            world.list(tenant, names().collect()).await;
            busy |= finish(world, tenant).await;
        }
        if !busy {
            break;
        }
    }
    let mut messages = 0;
    for tenant in &world.tenants {
        messages += check_the_end(world, tenant).await;
    }
    messages
}

/// Nothing that was answered as committed is lost, nothing foreign is there, and the counts add up.
async fn check_what_is_left(world: &World, tenant: &TenantId) {
    let rows = rows(world, tenant).await;
    let shown: BTreeSet<MessageUid> = rows.iter().map(|row| row.message).collect();
    assert_eq!(shown.len(), rows.len(), "a message twice in {tenant}");
    assert!(shown.is_subset(&world.own(tenant)), "a foreign message");
    for (_, message) in world.journal().listed.iter().filter(|(t, _)| t == tenant) {
        assert!(shown.contains(message), "{message} is lost in {tenant}");
    }
    assert_eq!(counted(&rows), counts(world, tenant).await, "{tenant}");
}

/// Does what is to do; a replay takes up what died of crashes. Tells whether anything was done.
async fn finish(world: &World, tenant: &TenantId) -> bool {
    let mut busy = false;
    for kind in [JobKind::Fetch, JobKind::Process, JobKind::Deliver] {
        for _ in 0..MOST_CLAIMS {
            if !world.work(kind, tenant).await {
                break;
            }
            busy = true;
        }
    }
    let rows = rows(world, tenant).await;
    let dead = rows
        .iter()
        .filter(|row| row.outcome.kind() == OutcomeKind::Dead);
    let dead: Vec<MessageUid> = dead.map(|row| row.message).collect();
    let replayed = world.store().requeue(tenant, &dead).await.unwrap();
    assert_eq!(replayed, dead.len() as u64);
    busy || replayed > 0
}

/// Each tenant has exactly its own messages, each delivered once into its own CRM.
async fn check_the_end(world: &World, tenant: &TenantId) -> u64 {
    let rows = rows(world, tenant).await;
    let shown: BTreeSet<MessageUid> = rows.iter().map(|row| row.message).collect();
    assert_eq!(shown, world.own(tenant), "the ledger of {tenant}");
    assert_eq!(counted(&rows), counts(world, tenant).await, "{tenant}");
    for row in &rows {
        let (kind, errors) = (row.outcome.kind(), &row.errors);
        assert_eq!(kind, OutcomeKind::Delivered, "{tenant}: {errors:?}");
        assert_eq!(row.sinks[0].records, [own_record(tenant)]);
        let key = (tenant.clone(), row.message);
        let times = world.journal().delivered.get(&key).copied();
        assert!(times.unwrap_or(0) <= 1, "delivered {times:?} times");
    }
    let query = AuditQuery {
        limit: 10_000,
        ..AuditQuery::default()
    };
    let audit = world.store().audit(tenant, &query).await.unwrap();
    let mut told = BTreeSet::new();
    for row in audit {
        assert!(row.call.messages.iter().all(|m| shown.contains(m)));
        if row.call.is_interrupted() {
            continue; // it stands for the calls of a task that was cut off
        }
        assert_eq!(row.call.operation, tenant.as_str(), "a foreign call");
        told.extend(row.call.messages);
    }
    assert_eq!(told, shown, "each delivery of {tenant} has its call");
    rows.len() as u64
}

async fn rows(world: &World, tenant: &TenantId) -> Vec<LedgerRow> {
    let query = LedgerQuery::default();
    world.store().messages(tenant, &query).await.unwrap()
}

async fn counts(world: &World, tenant: &TenantId) -> Counts {
    world.store().counts(tenant, None).await.unwrap()
}

fn counted(rows: &[LedgerRow]) -> Counts {
    let mut counts = Counts::default();
    for row in rows {
        *counts.of_mut(row.outcome.kind()) += 1;
    }
    counts
}

/// More rounds than it takes to finish what crashed again and again.
const MOST_ROUNDS: usize = 8;

/// More claims than the work of one tenant takes in one round.
const MOST_CLAIMS: usize = 50;
