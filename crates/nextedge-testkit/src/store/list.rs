//! The list of checks, once: as a table, and as one test of each.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::broken::{Fault, Method};
use super::{Processes, Restart, StoreHarness, checks};

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
            order::unfetched_stub_holds_its_lane by SplitsLane;
            order::listing_comes_first by IgnoresListFirst;
            order::every_listing_comes_first by IgnoresListFirst;
            order::shared_hints_are_one_lane by SplitsLane;
            order::live_mail_comes_before_backfill by ServesOldestFirst;
            order::claims_are_bounded by IgnoresBounds;
            order::retry_moves_the_lane by IgnoresDelay;
            order::dead_item_holds_its_lane by ForgetsHold;
            order::due_times by NeverWaits;
            order::tenants_take_fair_turns by ServesFirstTenantFirst;
            order::lane_is_held_by_one_claim by HandsLaneTwice;
            leases::release_burns_nothing by BurnsAttemptOnRelease;
            leases::crash_is_isolated by IgnoresSettle;
            leases::third_crash_is_the_end by ForgetsCrash;
            leases::crash_of_a_linked_thread_lets_the_lane_go_on by ForgetsRecord;
            leases::unknown_end_is_told by ForgetsUnknown;
            leases::lost_lease_writes_nothing by SkipsFence;
            leases::extended_lease_is_held by IgnoresExtension;
            leases::calls_are_kept_after_the_lease by LosesCalls;
            leases::item_is_committed_once by PretendsAccepted;
            leases::units_stand_alone by SpreadsRefusal;
            restarts::committed_results_outlive_a_restart by ForgetsOnRestart needs Restart;
            restarts::restart_ends_leases by KeepsDeadLeases needs EndsLeases;
            restarts::restart_keeps_leases by EndsForeignLeases needs KeepsLeases;
            processes::processes_share_the_work by KeepsProcessesApart needs Processes;
            processes::lease_lost_to_another_process_is_fenced by SkipsFence needs Processes;
            processes::settings_are_swapped_once_over_processes by KeepsProcessesApart needs Processes;
            sinks::new_party_is_created_once by IgnoresReservations;
            sinks::company_is_reserved_only_if_planned by IgnoresReservations;
            sinks::gate_is_probed_once by IgnoresGate;
            sinks::gate_closed_anew_stays by OpensGateOnCommit;
            mailboxes::dirty_while_leased by LosesPush;
            mailboxes::pages_count by TakesDrafts;
            mailboxes::page_is_all_or_nothing by MovesCursorEarly;
            mailboxes::mailbox_has_one_reader by HandsMailboxTwice;
            mailboxes::settings_keep_the_sync_state by ForgetsSync;
            outcomes::same_mail_is_a_duplicate by KeepsDuplicates;
            outcomes::reused_message_id_hides_nothing by HidesByMessageId;
            outcomes::answer_is_kept_over_a_retry by ForgetsAnswer;
            outcomes::worst_sink_is_the_outcome by ShowsBestSink;
            outcomes::effects_survive_failures by ForgetsEffects;
            outcomes::no_sink_parks by PretendsDelivered;
            outcomes::replay_rules by CountsReplays;
            outcomes::errors_are_capped by KeepsLastError;
            outcomes::mail_is_handed_out_whole by LosesBody;
            outcomes::counts_are_the_ledger by CountsTwice;
            threads::a_link_chosen_from_other_threads_is_stale by IgnoresSeenThreads;
            threads::changed_thread_is_stale by IgnoresThreadVersion;
            threads::lookup_is_bounded by AnswersKeysTwice;
            reviews::decided_item_is_stale by PretendsAccepted;
            reviews::approval_delivers_in_order by ReordersLane;
            reviews::rejection_parks by ApprovesAnything;
            reviews::correction_replaces_plans by ApprovesAnything;
            reviews::review_of_a_delivery by ForgetsShownPlan;
            reviews::decision_needs_the_present_version by IgnoresReviewVersion;
            reads::ledger_pages by IgnoresPage;
            reads::mailbox_pages by IgnoresPage;
            reads::settings_are_compared_and_swapped by IgnoresVersion;
            reads::turns_are_given_once by RepeatsTurns;
            reads::ledger_is_filtered by IgnoresFilters;
            reads::audit_is_filtered by IgnoresFilters;
            reads::reviews_are_filtered by IgnoresFilters;
            tenants::connections_of_tenants_are_apart by DropsTenant(Connection);
            tenants::configuration_of_tenants_is_apart by DropsTenant(Policy);
            tenants::turns_of_tenants_are_apart by DropsTenant(TakeTurns);
            tenants::gates_of_tenants_are_apart by DropsTenant(SetGate);
            tenants::mailboxes_of_tenants_are_apart by DropsTenant(Mailbox);
            tenants::threads_of_tenants_are_apart by DropsTenant(Thread);
            tenants::parties_of_tenants_are_apart by DropsTenant(Lookup);
            tenants::reviews_of_tenants_are_apart by DropsTenant(Decide);
            tenants::ledgers_of_tenants_are_apart by DropsTenant(Messages);
            tenants::audits_of_tenants_are_apart by DropsTenant(Audit);
            tenants::overviews_of_tenants_are_apart by DropsTenant(Overview);
            tenants::runs_of_tenants_are_apart by DropsTenant(Runs);
            tenants::runs_are_forgotten_in_scope by DropsTenant(ForgetRuns);
            tenants::tenants_are_listed_in_scope by DropsTenant(Tenants);
            tenant_work::mailbox_leases_of_tenants_are_apart by DropsTenant(CommitPage);
            tenant_work::claims_stay_in_scope by DropsTenant(Claim);
            tenant_work::leases_of_tenants_are_apart by DropsTenant(Commit);
            tenant_work::units_of_another_tenant_are_refused by PretendsAccepted;
            tenant_work::in_flight_caps_are_per_tenant by IgnoresCaps;
            tenant_work::same_mail_in_two_tenants_is_no_duplicate by SharesFingerprints;
            tenant_work::party_known_elsewhere_is_created_once by IgnoresReservations;
            tenant_work::stopped_work_is_of_one_tenant by DropsTenant(SetGate);
            tenant_work::replay_stays_in_its_tenant by DropsTenant(Requeue);
            tenant_work::late_calls_stay_in_their_tenant by DropsTenant(Commit);
            tenant_work::next_due_stays_in_scope by DropsTenant(NextDue);
            hopping::tasks_hop_between_tenants by DropsTenant(Claim);
            model::same_states_as_the_model by LosesUnit;
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    (
        { $harness:expr }
        $($module:ident :: $check:ident by $fault:ident $(($method:ident))? $(needs $need:ident)?;)*
    ) => {
        $(#[test]
        fn $check() {
            $crate::store::run(&$harness, ::core::stringify!($check));
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_table {
    (
        {}
        $($module:ident :: $check:ident by $fault:ident $(($method:ident))? $(needs $need:ident)?;)*
    ) => {
        &[$(Check {
            name: stringify!($check),
            fails_on: Fault::$fault $((Method::$method))?,
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
    /// The fault of [`broken`](super::broken) that shows that this check can fail.
    pub fails_on: Fault,
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
        let can = harness.capabilities();
        match (self.needs, can.restart) {
            (Need::Nothing, _)
            | (Need::Restart, Restart::EndsLeases | Restart::KeepsLeases)
            | (Need::EndsLeases, Restart::EndsLeases)
            | (Need::KeepsLeases, Restart::KeepsLeases) => None,
            (Need::Processes, _) => (can.processes == Processes::One)
                .then_some("the harness declares one process at a time"),
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
    /// The harness can open the store with another process.
    Processes,
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
