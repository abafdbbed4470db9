//! Two tenants with the same names for everything: settings and reads.

use std::slice::from_ref;

use nextedge_core::policy::{FieldMap, Policy};
use nextedge_core::store::{
    AuditQuery, Counts, DeliveredEnd, JobKind, KnownRecord, LedgerQuery, Lookup, ProcessedOutcome,
    ReviewQuery, Scope, Unit, Work,
};
use nextedge_core::{
    ConnectionState, ErrorKind, Outcome, PartyKey, RecordKind, ReviewDecision, ReviewId,
    ReviewState, Slot, TenantId, ThreadKey,
};

use crate::store::StoreHarness;
use crate::store::bench::{Bench, crm, delivered, messages, plan_of};
use crate::store::values::{
    address, call, connection_id, effect, gate, mailbox, mailbox_id, plan, processed, raw, record,
    review_item, sink, thread_id,
};

/// Connections with one id in two tenants have their own settings, state and version.
pub async fn connections_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let mut other = sink("crm");
    other.version = 1;
    other.account = Some("of a".to_owned());
    store.put_connection(&bench.a, other).await.unwrap();
    store
        .put_connection(&bench.a, sink("only-a"))
        .await
        .unwrap();
    let paused = ConnectionState::Paused;
    store
        .set_connection_state(&bench.a, &crm(), paused)
        .await
        .unwrap();
    let seen = store.connection(&bench.b, &crm()).await.unwrap().unwrap();
    assert_eq!((seen.account, seen.version), (None, 1));
    assert_eq!(seen.state, ConnectionState::Connected);
    assert_eq!(store.connections(&bench.b).await.unwrap().len(), 2);
    let missing = connection_id("only-a");
    assert!(
        store
            .connection(&bench.b, &missing)
            .await
            .unwrap()
            .is_none()
    );
    let error = store
        .set_connection_state(&bench.b, &missing, paused)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Policies and field maps of two tenants have their own values and versions.
pub async fn configuration_of_tenants_is_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    store
        .put_policy(&bench.a, 0, Policy::default())
        .await
        .unwrap();
    let mut map = FieldMap::default();
    map.lengths.insert("contact.name".to_owned(), 40);
    store
        .put_field_map(&bench.a, &crm(), 0, map.clone())
        .await
        .unwrap();
    assert_eq!(store.policy(&bench.b).await.unwrap().version, 0);
    assert_eq!(store.field_map(&bench.b, &crm()).await.unwrap(), None);
    store
        .put_policy(&bench.b, 0, Policy::default())
        .await
        .unwrap();
    store
        .put_field_map(&bench.b, &crm(), 0, FieldMap::default())
        .await
        .unwrap();
    let kept = store.field_map(&bench.a, &crm()).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.value), (1, map));
}

/// A round robin of one name counts for each tenant alone.
pub async fn turns_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    assert_eq!(store.take_turns(&bench.a, "sales", 3).await.unwrap(), 0);
    assert_eq!(store.take_turns(&bench.b, "sales", 1).await.unwrap(), 0);
    assert_eq!(store.take_turns(&bench.a, "sales", 1).await.unwrap(), 3);
}

/// A gate stops the connection of its own tenant only, and only that tenant opens it.
pub async fn gates_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for tenant in [&bench.a, &bench.b] {
        bench
            .planned(tenant, "m", thread_id("t"), "ada@acme.com", 0)
            .await;
    }
    store
        .set_gate(&bench.a, gate("crm", bench.at(60)))
        .await
        .unwrap();
    assert_eq!(store.gates(&bench.b).await.unwrap(), []);
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    assert!(bench.claim(JobKind::Deliver, &bench.b).await.is_some());
    store.open_gate(&bench.b, &crm()).await.unwrap();
    assert_eq!(store.gates(&bench.a).await.unwrap().len(), 1);
    let of_b = gate("crm", bench.at(90));
    store.set_gate(&bench.b, of_b.clone()).await.unwrap();
    assert_eq!(store.gates(&bench.b).await.unwrap(), [of_b]);
    let of_a = gate("crm", bench.at(60));
    assert_eq!(store.gates(&bench.a).await.unwrap(), [of_a]);
}

/// Mailboxes with one id in two tenants have their own settings; a foreign one is not found.
pub async fn mailboxes_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let mut paused = mailbox("in", "src");
    (paused.paused, paused.version) = (true, 1);
    store.put_mailbox(&bench.a, paused).await.unwrap();
    store
        .put_mailbox(&bench.a, mailbox("only-a", "src"))
        .await
        .unwrap();
    let seen = store
        .mailbox(&bench.b, &mailbox_id("in"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((seen.paused, seen.version), (false, 1));
    let missing = mailbox_id("only-a");
    assert_eq!(store.mailbox(&bench.b, &missing).await.unwrap(), None);
    assert_eq!(store.mailboxes(&bench.b, None, 10).await.unwrap().len(), 1);
    let error = store.mark_dirty(&bench.b, &missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Threads, keys and records of one id in two tenants are apart.
pub async fn threads_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let id = thread_id("t");
    bench.planned(&bench.a, "m1", id, "ada@acme.com", 0).await;
    bench.planned(&bench.a, "m2", id, "ada@acme.com", 1).await;
    let key = [ThreadKey::message_id("key")];
    assert_eq!(store.thread(&bench.b, id).await.unwrap(), None);
    let found = store.lookup(&bench.b, &key, &[]).await.unwrap();
    assert_eq!(found, Lookup::default());
    bench.planned(&bench.b, "m1", id, "ada@acme.com", 0).await;
    let claim = bench.claim(JobKind::Deliver, &bench.b).await.unwrap();
    let mut unit = delivered(
        claim.items[0].message,
        plan_of(&claim.items[0].work),
        DeliveredEnd::Done,
    );
    if let Unit::Delivered(unit) = &mut unit {
        unit.record = Some(record(RecordKind::Case, "1"));
    }
    bench.commit(&claim, vec![unit]).await;
    let (of_a, of_b) = (
        store.thread(&bench.a, id).await,
        store.thread(&bench.b, id).await,
    );
    let (of_a, of_b) = (of_a.unwrap().unwrap(), of_b.unwrap().unwrap());
    assert_eq!((of_a.version, of_b.version), (2, 1));
    assert_eq!((of_a.records.len(), of_b.records.len()), (0, 1));
    let found = store.lookup(&bench.a, &key, &[]).await.unwrap();
    assert_eq!(found.threads, [of_a]);
    assert_eq!(found.found, [(key[0].clone(), id)]);
}

/// Two tenants create the same party at the same time; the record of one is unknown to the other.
pub async fn parties_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    for tenant in [&bench.a, &bench.b] {
        bench
            .planned(tenant, "m", thread_id("t"), "ada@acme.com", 0)
            .await;
    }
    // both create the same party at the same time, each in its own CRM
    let of_a = bench.claim(JobKind::Deliver, &bench.a).await.unwrap();
    let of_b = bench.claim(JobKind::Deliver, &bench.b).await.unwrap();
    assert_eq!(of_b.items.len(), 1);
    let party = PartyKey::Address(address("ada@acme.com"));
    let mut unit = delivered(
        of_a.items[0].message,
        plan_of(&of_a.items[0].work),
        DeliveredEnd::Done,
    );
    if let Unit::Delivered(unit) = &mut unit {
        let record = record(RecordKind::Contact, "1");
        unit.parties = vec![KnownRecord {
            party: party.clone(),
            record,
        }];
        unit.effects = vec![effect(Slot::Contact, "1")];
    }
    bench.commit(&of_a, vec![unit]).await;
    let known = |tenant| store.lookup(tenant, &[], std::slice::from_ref(&party));
    assert_eq!(known(&bench.a).await.unwrap().known, vec![party.clone()]);
    assert_eq!(known(&bench.b).await.unwrap().known, []);
    bench.release(&of_b).await;
    let again = bench.claim(JobKind::Deliver, &bench.b).await.unwrap();
    let Work::Deliver { parties, done, .. } = &again.items[0].work else {
        panic!("not a delivery");
    };
    assert!(parties.is_empty() && done.is_empty());
}

/// A decision on an item concerns the item of its own tenant, even under the same id.
pub async fn reviews_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    // the id of an item comes from its message, so the same id is forced on both
    let id = ReviewId::opened_by(bench.uid(&bench.a, "m"));
    for tenant in [&bench.a, &bench.b] {
        bench.arrive(tenant, "m", "h", 0).await;
        bench
            .process(tenant, thread_id("t"), |uid| {
                let plans = vec![plan(uid, thread_id("t"), "crm", "ada@acme.com")];
                let mut item = review_item(uid, thread_id("t"), plans, bench.at(0));
                item.id = id;
                ProcessedOutcome::Review(item)
            })
            .await;
    }
    store
        .decide(&bench.a, id, 1, ReviewDecision::Reject)
        .await
        .unwrap();
    let of_b = store.review(&bench.b, id).await.unwrap().unwrap();
    assert_eq!((of_b.state, of_b.version), (ReviewState::Open, 1));
    assert_eq!(
        store
            .reviews(&bench.b, &ReviewQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store
            .reviews(&bench.a, &ReviewQuery::default())
            .await
            .unwrap(),
        []
    );
    let waiting = bench.uid(&bench.b, "m");
    assert_eq!(
        bench.outcome(&bench.b, waiting).await,
        Outcome::Review { item: id }
    );
    let thread = store
        .thread(&bench.b, thread_id("t"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(thread.review, Some(id));
    let approve = ReviewDecision::Approve;
    store.decide(&bench.b, id, 1, approve).await.unwrap();
    let of_a = store.review(&bench.a, id).await.unwrap().unwrap();
    assert_eq!((of_a.state, of_a.version), (ReviewState::Rejected, 2));
    assert!(bench.claim(JobKind::Deliver, &bench.a).await.is_none());
    let claim = bench.claim(JobKind::Deliver, &bench.b).await;
    assert_eq!(messages(claim.as_ref()), [waiting]);
}

/// No read of the ledger, the plans, the owners or the archive shows what another tenant has.
pub async fn ledgers_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let uid = bench.arrive(&bench.a, "m", "h", 0).await;
    let claim = bench.claim(JobKind::Process, &bench.a).await.unwrap();
    let plans = vec![plan(uid, thread_id("t"), "crm", "ada@acme.com")];
    let mut unit = processed(uid, None, ProcessedOutcome::Deliver(plans), bench.at(0));
    unit.decision.owner = Some("ann".to_owned());
    bench
        .commit(&claim, vec![Unit::Processed(Box::new(unit))])
        .await;
    let (b, id) = (&bench.b, mailbox_id("in"));
    assert_eq!(store.message(b, uid).await.unwrap(), None);
    assert_eq!(
        store.messages(b, &LedgerQuery::default()).await.unwrap(),
        []
    );
    assert_eq!(store.plans(b, uid).await.unwrap(), []);
    assert_eq!(store.raw(b, uid).await.unwrap(), None);
    assert_eq!(store.counts(b, Some(&id)).await.unwrap(), Counts::default());
    assert_eq!(store.open_by_owner(b).await.unwrap(), []);
    assert_eq!(store.plans(&bench.a, uid).await.unwrap().len(), 1);
    assert_eq!(store.raw(&bench.a, uid).await.unwrap(), Some(raw(uid, 200)));
    assert_eq!(store.counts(&bench.a, Some(&id)).await.unwrap().pending, 1);
    assert_eq!(
        store.open_by_owner(&bench.a).await.unwrap(),
        [("ann".to_owned(), 1)]
    );
}

/// Audit rows belong to one tenant and are numbered there.
pub async fn audits_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let store = bench.store();
    let calls = |name| vec![call(bench.at(0), name, Vec::new())];
    store
        .append_calls(&bench.a, &crm(), calls("crm.one"))
        .await
        .unwrap();
    store
        .append_calls(&bench.a, &crm(), calls("crm.two"))
        .await
        .unwrap();
    store
        .append_calls(&bench.b, &crm(), calls("crm.three"))
        .await
        .unwrap();
    let rows = store.audit(&bench.b, &AuditQuery::default()).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].seq, rows[0].call.operation.as_str()),
        (1, "crm.three")
    );
}

/// What stands where is told of one tenant's mailboxes and sinks only.
pub async fn overviews_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    bench
        .planned(&bench.a, "m", thread_id("t"), "ada@acme.com", 0)
        .await;
    let of_a = bench.store().overview(&bench.a, 10).await.unwrap();
    assert_eq!(of_a.mailboxes[0].counts.pending, 1);
    assert_eq!(of_a.sinks[0].counts.pending, 1);
    let of_b = bench.store().overview(&bench.b, 10).await.unwrap();
    assert_eq!((of_b.mailboxes.len(), of_b.sinks.len()), (1, 0));
    assert_eq!(of_b.mailboxes[0].counts, Counts::default());
}

/// A run of a mailbox is shown to its own tenant only.
pub async fn runs_of_tenants_are_apart(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    bench.run(&bench.a, 1).await;
    assert_eq!(bench.runs(&bench.a).await, [bench.at(1)]);
    assert!(bench.runs(&bench.b).await.is_empty());
}

/// Old runs are forgotten in scope only.
pub async fn runs_are_forgotten_in_scope(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    for tenant in [&bench.a, &bench.b] {
        bench.run(tenant, 1).await;
        bench.run(tenant, 9).await;
    }
    let (scope, before) = (Scope::Tenant(bench.b.clone()), bench.at(5));
    let forgotten = bench.store().forget_runs(&scope, before, 10).await;
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(bench.runs(&bench.b).await, [bench.at(9)]);
    assert_eq!(bench.runs(&bench.a).await, [bench.at(9), bench.at(1)]);
}

/// Tenants are listed in id order, page by page, and one alone in its own scope.
pub async fn tenants_are_listed_in_scope(harness: &dyn StoreHarness) {
    let bench = Bench::fresh(harness).await;
    let (a, b) = (&bench.a, &bench.b);
    let list = async |scope: &Scope, after: Option<&TenantId>, most| {
        bench.store().tenants(scope, after, most).await.unwrap()
    };
    assert_eq!(list(&Scope::All, None, 10).await, [a.clone(), b.clone()]);
    assert_eq!(list(&Scope::All, None, 1).await, from_ref(a));
    assert_eq!(list(&Scope::All, Some(a), 10).await, from_ref(b));
    let scope = Scope::Tenant(b.clone());
    assert_eq!(list(&scope, None, 10).await, from_ref(b));
}
