//! The checks for sources: each a public function over a [`SourceHarness`](super::SourceHarness).

mod account;
mod changes;
mod fetching;
mod listing;

pub use account::{
    bad_account_is_not_an_empty_mailbox, check_tells_a_bad_account, mailboxes_share_nothing,
    throttling_is_typed,
};
pub use changes::{
    changes_show_everything_since_the_cursor, cursor_can_be_replayed, expired_cursor_is_typed,
    mail_during_a_listing_is_seen, undeclared_changes_are_unsupported,
};
pub use fetching::{
    deadline_ends_the_call, failing_mail_spares_the_others, fetch_gives_exact_bytes_in_order,
    removed_mail_is_gone,
};
pub use listing::{
    broken_item_spares_the_listing, empty_mailbox_is_no_error, ids_are_stable,
    page_token_survives_a_restart, pages_keep_the_limit, pages_unite_to_the_whole,
    since_leaves_out_older_mail, stubs_tell_the_truth,
};
