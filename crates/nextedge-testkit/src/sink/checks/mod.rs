//! The checks for sinks: each a public function over a [`SinkHarness`](super::SinkHarness).

mod account;
mod content;
mod faults;
mod fields;
mod once;
mod outcomes;
mod time;

pub use account::{
    accounts_share_nothing, check_names_the_account_and_refuses_a_bad_token,
    description_agrees_with_capabilities, find_answers_in_input_order, find_writes_nothing,
};
pub use content::{
    activity_stands_on_all_its_records, attachments_are_stored_once,
    attachments_arrive_byte_for_byte, every_declared_kind_is_created, whole_mail_is_kept,
};
pub use faults::{
    cut_connection_is_tried_again, drift_names_the_field, errors_tell_no_secret,
    expired_token_is_unauthorized, locked_record_is_tried_again, throttling_is_typed,
    whole_error_only_before_the_first_write,
};
pub use fields::{
    given_fields_alone_are_set, joining_changes_no_field,
    late_mail_keeps_its_date_and_changes_no_field, replaced_values_are_reported,
};
pub use once::{
    contact_that_appeared_is_adopted, lost_response_leaves_one, replay_leaves_one,
    shared_party_is_created_once, two_mails_with_one_message_id_stay_two,
    unknown_outcome_leaves_one,
};
pub use outcomes::{
    achieved_effects_are_returned_and_resumed, answers_each_item_in_order,
    earlier_item_gives_the_record, empty_batch_makes_no_call, every_call_is_reported,
    full_batch_costs_no_more_than_single_mails, guarantee_agrees_with_capabilities,
    poisoned_item_costs_little_and_spares_the_rest, run_stops_at_its_first_failure,
};
pub use time::{deadline_ends_the_call, dropped_call_is_recoverable};
