//! The suite for classifiers.
//!
//! Implement [`ClassifierHarness`] and [`ClassifierWorld`], then let
//! [`classifier_conformance!`](crate::classifier_conformance) make one test of each check.

mod bench;
pub mod checks;
pub mod fake;
mod harness;

pub use harness::{ClassifierFaultKind, ClassifierHarness, ClassifierTrouble, ClassifierWorld};

use crate::verdict::Check;

macro_rules! table {
    ($($name:ident)*) => {
        /// Every check of the suite, in the order of the specification.
        pub const CHECKS: &[Check<dyn ClassifierHarness>] = &[$(Check {
            name: stringify!($name),
            run: |harness| Box::pin(checks::$name(harness)),
        },)*];
    };
}
crate::__classifier_checks!([table]);

/// Lists the checks once, for the table and for the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __classifier_checks {
    ([$($then:tt)*] $([$harness:expr])?) => {
        $($then)*! {
            $([$harness])?
            probabilities_are_a_distribution
            confidence_keeps_the_cap
            instructions_raise_no_confidence
            clear_mails_are_understood
            empty_mail_is_not_sure
            same_mail_same_answer
            answer_belongs_to_its_mail
            evidence_lies_inside_the_text
            extracted_values_occur_in_the_mail
            summary_is_plain
            hostile_mail_is_bounded
            model_is_named_with_its_version
            failure_is_an_error
            nonsense_is_an_error
            throttling_is_typed
            deadline_ends_the_call
            errors_tell_no_secret
        }
    };
}

/// Makes one test of each check for classifiers; give it an expression that makes a
/// [`ClassifierHarness`].
///
/// A test fails when its check fails. A skipped check passes and prints why, past the runner's
/// captured output.
///
/// ```
/// mod conformance {
///     use nextedge_testkit::classifier::fake::FakeHarness;
///     nextedge_testkit::classifier_conformance!(FakeHarness::sound());
/// }
/// ```
#[macro_export]
macro_rules! classifier_conformance {
    ($harness:expr) => {
        $crate::__classifier_checks!([$crate::__classifier_tests][$harness]);
    };
}

/// Makes the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __classifier_tests {
    ([$harness:expr] $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::run_as_test($crate::classifier::CHECKS, stringify!($name), &$harness);
            }
        )*
    };
}
