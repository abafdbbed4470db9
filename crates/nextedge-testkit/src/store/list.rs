//! The list of checks, once: as a table, and as one test of each.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::{Restart, StoreHarness, checks};

/// Makes one test of each check; takes an expression that makes a
/// [`StoreHarness`](crate::store::StoreHarness).
#[macro_export]
macro_rules! store_conformance {
    ($harness:expr) => {
        $crate::__store_checks! { __store_tests { $harness } }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_checks {
    ($then:ident $arguments:tt) => {
        $crate::$then! { $arguments
            order::unfetched_stub_holds_its_lane;
            order::listing_comes_first;
            order::every_listing_comes_first;
            order::shared_hints_are_one_lane;
            order::live_mail_comes_before_backfill;
            order::claims_are_bounded;
            order::retry_moves_the_lane;
            order::dead_item_holds_its_lane;
            order::due_times;
            order::tenants_take_fair_turns;
            leases::release_burns_nothing;
            leases::crash_is_isolated;
            leases::third_crash_is_the_end;
            leases::crash_of_a_linked_thread_lets_the_lane_go_on;
            leases::unknown_end_is_told;
            leases::lost_lease_writes_nothing;
            leases::extended_lease_is_held;
            leases::calls_are_kept_after_the_lease;
            leases::item_is_committed_once;
            sinks::new_party_is_created_once;
            sinks::company_is_reserved_only_if_planned;
            sinks::gate_is_probed_once;
            sinks::gate_closed_anew_stays;
            mailboxes::dirty_while_leased;
            mailboxes::pages_count;
            outcomes::same_mail_is_a_duplicate;
            outcomes::answer_is_kept_over_a_retry;
            outcomes::worst_sink_is_the_outcome;
            outcomes::effects_survive_failures;
            outcomes::no_sink_parks;
            outcomes::replay_rules;
            outcomes::errors_are_capped;
            threads::a_link_chosen_from_other_threads_is_stale;
            threads::changed_thread_is_stale;
            threads::lookup_is_bounded;
            reviews::decided_item_is_stale;
            reviews::approval_delivers_in_order;
            reviews::rejection_parks;
            reviews::correction_replaces_plans;
            reviews::review_of_a_delivery;
            reviews::decision_needs_the_present_version;
            reads::ledger_pages;
            tenants::connections_of_tenants_are_apart;
            tenants::configuration_of_tenants_is_apart;
            tenants::turns_of_tenants_are_apart;
            tenants::gates_of_tenants_are_apart;
            tenants::mailboxes_of_tenants_are_apart;
            tenants::threads_of_tenants_are_apart;
            tenants::parties_of_tenants_are_apart;
            tenants::reviews_of_tenants_are_apart;
            tenants::ledgers_of_tenants_are_apart;
            tenants::audits_of_tenants_are_apart;
            tenant_work::mailbox_leases_of_tenants_are_apart;
            tenant_work::claims_stay_in_scope;
            tenant_work::leases_of_tenants_are_apart;
            tenant_work::units_of_another_tenant_are_refused;
            tenant_work::in_flight_caps_are_per_tenant;
            tenant_work::same_mail_in_two_tenants_is_no_duplicate;
            tenant_work::replay_stays_in_its_tenant;
            tenant_work::late_calls_stay_in_their_tenant;
            tenant_work::next_due_stays_in_scope;
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    ({ $harness:expr } $($module:ident :: $check:ident $(needs $need:ident)?;)*) => {
        $(#[test]
        fn $check() {
            $crate::store::run(&$harness, ::core::stringify!($check));
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_table {
    ({} $($module:ident :: $check:ident $(needs $need:ident)?;)*) => {
        &[$(Check {
            name: stringify!($check),
            needs: __store_need!($($need)?),
            run: |harness| Box::pin(checks::$module::$check(harness)),
        }),*]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_need {
    () => {
        Need::Nothing
    };
    ($need:ident) => {
        Need::$need
    };
}

/// Every check of the suite, in the order of its modules.
pub static CHECKS: &[Check] = __store_checks! { __store_table {} };

/// One check: its name, what it needs, and how to run it.
#[non_exhaustive]
pub struct Check {
    /// The name of its function and of its test.
    pub name: &'static str,
    /// What the harness must be able to do.
    pub needs: Need,
    run: for<'a> fn(&'a dyn StoreHarness) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl Check {
    /// Finds a check by its name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.name == name)
    }

    /// Tells why this check cannot run on the harness, if it cannot.
    pub fn skipped(&self, harness: &dyn StoreHarness) -> Option<&'static str> {
        match (self.needs, harness.capabilities().restart) {
            (Need::Nothing, _)
            | (Need::Restart, Restart::EndsLeases | Restart::KeepsLeases)
            | (Need::EndsLeases, Restart::EndsLeases)
            | (Need::KeepsLeases, Restart::KeepsLeases) => None,
            (_, Restart::Unsupported) => Some("the harness declares no restart"),
            (_, Restart::EndsLeases) => Some("a restart of this store ends every lease"),
            (_, Restart::KeepsLeases) => Some("a restart of this store keeps leases"),
        }
    }

    /// Runs the check.
    ///
    /// # Panics
    ///
    /// If the store differs from what the check says.
    pub async fn run(&self, harness: &dyn StoreHarness) {
        (self.run)(harness).await;
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

/// What a check needs beyond the traits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Every store can be checked.
    Nothing,
    /// The harness can restart the store.
    Restart,
    /// A restart ends the leases.
    EndsLeases,
    /// A restart keeps the leases.
    KeepsLeases,
}

/// Runs one check by name on a runtime of its own, or prints why it was skipped.
///
/// # Panics
///
/// If the store differs from what the check says, or there is no such check.
#[allow(clippy::print_stdout)] // what was skipped must be seen by whoever runs the tests
pub fn run(harness: &dyn StoreHarness, name: &str) {
    let check = Check::named(name).expect("no such check");
    if let Some(reason) = check.skipped(harness) {
        println!("skipped {name}: {reason}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(check.run(harness));
}

/// Threads of the runtime of one check.
const WORKERS: usize = 2;
