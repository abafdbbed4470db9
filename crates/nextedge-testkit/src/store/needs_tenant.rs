//! No call of a store exists without a tenant: each method compiles with one, and the same line
//! without it does not. Compiled only for doc tests.
//!
//! Five methods name a [`Scope`](nextedge_core::store::Scope) instead, since a worker looks after
//! whichever tenant is next: `claim`, `claim_mailbox`, `next_due`, `tenants` and `forget_runs`. They show
//! nothing of a mail but through a claim, which tells its tenant; and none of them compiles without a
//! scope.

macro_rules! needs_tenant {
    ($($method:ident($($other:ident),*);)*) => {
        $(
            #[doc = concat!(
                "```\n",
                "# use nextedge_core::{TenantId, store::Store};\n",
                "# fn any<T>() -> T { unreachable!() }\n",
                "# async fn call(store: &dyn Store, tenant: &TenantId) {\n",
                "let _ = store.", stringify!($method), "(tenant, ",
                $("any(/* ", stringify!($other), " */), ",)*
                ").await;\n# }\n```\n\n",
                "```compile_fail,E0061\n",
                "# use nextedge_core::{TenantId, store::Store};\n",
                "# fn any<T>() -> T { unreachable!() }\n",
                "# async fn call(store: &dyn Store, tenant: &TenantId) {\n",
                "let _ = store.", stringify!($method), "(",
                $("any(/* ", stringify!($other), " */), ",)*
                ").await;\n# }\n```\n",
            )]
            pub struct $method;
        )*
    };
}

needs_tenant! {
    extend(lease, by);
    commit(lease, units);
    release(lease);
    requeue(messages);
    put_mailbox(mailbox);
    mailbox(id);
    mailboxes(after, limit);
    mark_dirty(id);
    commit_page(id, lease, page);
    runs(query);
    put_connection(connection);
    connection(id);
    connections();
    set_connection_state(id, state);
    policy();
    put_policy(expected, policy);
    field_map(connection);
    put_field_map(connection, expected, map);
    take_turns(rule, count);
    set_gate(gate);
    open_gate(connection);
    gates();
    message(message);
    messages(query);
    plans(message);
    counts(mailbox);
    overview(mailboxes);
    open_by_owner();
    lookup(keys, parties);
    thread(id);
    append_calls(connection, calls);
    audit(query);
    reviews(query);
    review(id);
    decide(id, version, decision);
    raw(message);
}

/// Work is looked for over a scope.
///
/// ```
/// # use nextedge_core::store::{Scope, Store};
/// # async fn call(store: &dyn Store, scope: &Scope) {
/// let _ = store.next_due(scope).await;
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # use nextedge_core::store::{Scope, Store};
/// # async fn call(store: &dyn Store, scope: &Scope) {
/// let _ = store.next_due().await;
/// # }
/// ```
pub struct NextDue;

/// Tenants are listed over a scope.
///
/// ```
/// # use nextedge_core::store::{Scope, Store};
/// # async fn call(store: &dyn Store, scope: &Scope) {
/// let _ = store.tenants(scope, None, 10).await;
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # use nextedge_core::store::{Scope, Store};
/// # async fn call(store: &dyn Store, scope: &Scope) {
/// let _ = store.tenants(None, 10).await;
/// # }
/// ```
pub struct Tenants;

/// Old runs are forgotten over a scope.
///
/// ```
/// # use nextedge_core::{Timestamp, store::{Scope, Store}};
/// # async fn call(store: &dyn Store, scope: &Scope, before: Timestamp) {
/// let _ = store.forget_runs(scope, before, 10).await;
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # use nextedge_core::{Timestamp, store::{Scope, Store}};
/// # async fn call(store: &dyn Store, scope: &Scope, before: Timestamp) {
/// let _ = store.forget_runs(before, 10).await;
/// # }
/// ```
pub struct ForgetRuns;

/// A mailbox is claimed over a scope.
///
/// ```
/// # use nextedge_core::store::{Scope, Store};
/// # async fn call(store: &dyn Store, scope: &Scope, lease: std::time::Duration) {
/// let _ = store.claim_mailbox(scope, "gmail", lease).await;
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # use nextedge_core::store::{Scope, Store};
/// # async fn call(store: &dyn Store, scope: &Scope, lease: std::time::Duration) {
/// let _ = store.claim_mailbox("gmail", lease).await;
/// # }
/// ```
pub struct ClaimMailbox;

/// A claim is asked for over a scope, which the request cannot leave out.
///
/// ```
/// # use nextedge_core::store::{ClaimRequest, JobKind, Scope};
/// # use std::time::Duration;
/// # fn request(kind: JobKind, scope: Scope, time: Duration) -> ClaimRequest {
/// ClaimRequest { kind, scope, vendor: String::new(), max_items: 1, max_bytes: 1, lease: time, max_in_flight: 1, settle: time }
/// # }
/// ```
///
/// ```compile_fail,E0063
/// # use nextedge_core::store::{ClaimRequest, JobKind, Scope};
/// # use std::time::Duration;
/// # fn request(kind: JobKind, scope: Scope, time: Duration) -> ClaimRequest {
/// ClaimRequest { kind, vendor: String::new(), max_items: 1, max_bytes: 1, lease: time, max_in_flight: 1, settle: time }
/// # }
/// ```
pub struct Claim;
