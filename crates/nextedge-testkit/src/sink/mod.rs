//! The suite for sinks.
//!
//! Implement [`SinkHarness`] and [`SinkWorld`] over a local imitation of the vendor, then let
//! [`sink_conformance!`](crate::sink_conformance) make one test of each check.

mod bench;
pub mod checks;
pub mod fake;
mod harness;

pub use harness::{
    Fault, FaultKind, Part, SeenActivity, SeenCrm, SeenFile, SeenRecord, SinkHarness, SinkWorld,
    Times,
};

pub use crate::account::Account;
use crate::verdict::Check;

macro_rules! table {
    ($($name:ident)*) => {
        /// Every check of the suite, in the order of the specification.
        pub const CHECKS: &[Check<dyn SinkHarness>] = &[$(Check {
            name: stringify!($name),
            run: |harness| Box::pin(checks::$name(harness)),
        },)*];
    };
}
crate::__sink_checks!([table]);

/// Lists the checks once, for the table and for the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __sink_checks {
    ([$($then:tt)*] $([$harness:expr])?) => {
        $($then)*! {
            $([$harness])?
            answers_each_item_in_order
            empty_batch_makes_no_call
            replay_leaves_one
            unknown_outcome_leaves_one
            lost_response_leaves_one
            shared_party_is_created_once
            contact_that_appeared_is_adopted
            two_mails_with_one_message_id_stay_two
            achieved_effects_are_returned_and_resumed
            run_stops_at_its_first_failure
            earlier_item_gives_the_record
            poisoned_item_costs_little_and_spares_the_rest
            full_batch_costs_no_more_than_single_mails
            guarantee_agrees_with_capabilities
            every_call_is_reported
            whole_error_only_before_the_first_write
            throttling_is_typed
            expired_token_is_unauthorized
            drift_names_the_field
            locked_record_is_tried_again
            cut_connection_is_tried_again
            errors_tell_no_secret
            deadline_ends_the_call
            dropped_call_is_recoverable
            activity_stands_on_all_its_records
            whole_mail_is_kept
            attachments_arrive_byte_for_byte
            attachments_are_stored_once
            every_declared_kind_is_created
            joining_changes_no_field
            late_mail_keeps_its_date_and_changes_no_field
            given_fields_alone_are_set
            replaced_values_are_reported
            accounts_share_nothing
            check_names_the_account_and_refuses_a_bad_token
            description_agrees_with_capabilities
            find_writes_nothing
            find_answers_in_input_order
        }
    };
}

/// Makes one test of each check for sinks; give it an expression that makes a [`SinkHarness`].
///
/// A test fails when its check fails. A skipped check passes and prints why, past the runner's
/// captured output.
///
/// ```
/// mod conformance {
///     use nextedge_testkit::sink::fake::FakeHarness;
///     nextedge_testkit::sink_conformance!(FakeHarness::sound());
/// }
/// ```
#[macro_export]
macro_rules! sink_conformance {
    ($harness:expr) => {
        $crate::__sink_checks!([$crate::__sink_tests][$harness]);
    };
}

/// Makes the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __sink_tests {
    ([$harness:expr] $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::run_as_test($crate::sink::CHECKS, stringify!($name), &$harness);
            }
        )*
    };
}
