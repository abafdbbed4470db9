//! A mail source in memory: sound, or broken in exactly one named way.
//!
//! Each check of the suite fails on at least one [`Defect`]; a test of this crate shows it.

mod reader;
mod world;

pub use world::FakeHarness;

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One way in which the fake source is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Defect {
            $($(#[$doc])* $name,)*
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

defects! {
    /// Loses the first mail of each later page.
    SkipsBetweenPages,
    /// Shows one mail more than the limit.
    ExceedsLimit,
    /// Calls an empty mailbox an error.
    FailsOnEmpty,
    /// Numbers mails by their place in the present listing.
    NumbersByPlace,
    /// Keeps the place of a listing in memory only.
    ForgetsPages,
    /// Tells wrong sizes.
    TellsWrongSize,
    /// Ignores `since`.
    IgnoresSince,
    /// Takes its baseline after what it has not listed yet.
    LateBaseline,
    /// Gives a cursor that is one mail ahead.
    CursorAhead,
    /// Forgets a change once it was shown.
    ShowsChangesOnce,
    /// Answers an expired cursor with an empty page.
    EmptyOnExpired,
    /// Has no change feed and answers an empty page instead.
    EmptyWithoutFeed,
    /// Ends every line with CR LF.
    MendsLineEnds,
    /// Answers a batch in its own order.
    SortsBatches,
    /// Calls a removed mail an error.
    GoneIsError,
    /// Fails a batch because of one mail.
    FailsWholeBatch,
    /// Says nothing of what it could not read.
    HidesFaults,
    /// Finds every account in order.
    CheckSaysYes,
    /// Shows a refused account as an empty mailbox.
    EmptyOnBadAccount,
    /// Keeps one mailbox for each connection id, whatever the tenant.
    SharesBoxes,
    /// Does not say that the vendor asked for fewer calls.
    ThrottleUntyped,
    /// Waits for an answer past its deadline.
    IgnoresDeadline,
}
