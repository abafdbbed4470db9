//! The suite for sources.
//!
//! Implement [`SourceHarness`] and [`SourceWorld`] over mailboxes that you can fill, then let
//! [`source_conformance!`](crate::source_conformance) make one test of each check.

mod bench;
pub mod checks;
pub mod fake;
mod harness;

pub use harness::{RawMail, SourceFaultKind, SourceHarness, SourceTrouble, SourceWorld};

pub use crate::account::Account;
use crate::verdict::Check;

macro_rules! table {
    ($($name:ident)*) => {
        /// Every check of the suite, in the order of the specification.
        pub const CHECKS: &[Check<dyn SourceHarness>] = &[$(Check {
            name: stringify!($name),
            run: |harness| Box::pin(checks::$name(harness)),
        },)*];
    };
}
crate::__source_checks!([table]);

/// Lists the checks once, for the table and for the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __source_checks {
    ([$($then:tt)*] $([$harness:expr])?) => {
        $($then)*! {
            $([$harness])?
            pages_unite_to_the_whole
            pages_keep_the_limit
            empty_mailbox_is_no_error
            ids_are_stable
            page_token_survives_a_restart
            stubs_tell_the_truth
            since_leaves_out_older_mail
            mail_during_a_listing_is_seen
            changes_show_everything_since_the_cursor
            cursor_can_be_replayed
            expired_cursor_is_typed
            undeclared_changes_are_unsupported
            fetch_gives_exact_bytes_in_order
            removed_mail_is_gone
            failing_mail_spares_the_others
            broken_item_spares_the_listing
            check_tells_a_bad_account
            bad_account_is_not_an_empty_mailbox
            mailboxes_share_nothing
            throttling_is_typed
            deadline_ends_the_call
        }
    };
}

/// Makes one test of each check for sources; give it an expression that makes a [`SourceHarness`].
///
/// A test fails when its check fails. A skipped check passes and prints why, past the runner's
/// captured output.
///
/// ```
/// mod conformance {
///     use nextedge_testkit::source::fake::FakeHarness;
///     nextedge_testkit::source_conformance!(FakeHarness::sound());
/// }
/// ```
#[macro_export]
macro_rules! source_conformance {
    ($harness:expr) => {
        $crate::__source_checks!([$crate::__source_tests][$harness]);
    };
}

/// Makes the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __source_tests {
    ([$harness:expr] $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::run_as_test($crate::source::CHECKS, stringify!($name), &$harness);
            }
        )*
    };
}
