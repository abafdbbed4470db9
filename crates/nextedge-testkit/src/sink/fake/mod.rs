//! A small CRM in memory with a sink for it: sound, or broken in exactly one named way.
//!
//! Each check of the suite fails on at least one [`Defect`]; a test of this crate shows it. The
//! sound sink passes every check with nothing skipped.

mod crm;
mod deliver;
mod sink;
mod world;

pub use sink::FakeSink;
pub use world::FakeHarness;

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One way in which the fake sink is broken.
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
    /// Answers in the reverse order.
    ReversesOutcomes,
    /// Calls the CRM for an empty batch.
    CallsForNothing,
    /// Makes a new key at each attempt.
    MakesNewKeys,
    /// Calls a lost answer a plain failure.
    LostIsFailed,
    /// Forgets the effects achieved before a failure.
    DropsEffects,
    /// Writes again what an earlier attempt has done.
    RepeatsDone,
    /// Goes on with a run after an item of it failed.
    RunsOn,
    /// Gives the rest of the batch up after one refusal.
    GivesUpTheBatch,
    /// Repeats a refused call by itself.
    RetriesByItself,
    /// Fails as a whole after something was written.
    LateWholeError,
    /// Does not say that the CRM asked for fewer calls.
    ThrottleUntyped,
    /// Calls a refused token a refused content.
    TokenUntyped,
    /// Does not name the field that the account has lost.
    DriftUnnamed,
    /// Loses the last byte of attachments.
    CutsAttachments,
    /// Stores a file again at each attempt.
    StoresFilesAgain,
    /// Cuts long mails without keeping the original.
    CutsBodies,
    /// Remembers contacts by their address alone, for every account.
    SharesCache,
    /// Its default map names a kind that it cannot create.
    MapNamesUndeclared,
    /// Creates every record as the same kind.
    OneKindForAll,
    /// Goes on writing after its future was dropped.
    WritesDetached,
    /// Reads everything again for each item.
    ReadsAllAgain,
    /// Repeats the CRM's own words in errors.
    EchoesWords,
    /// Creates what it was only asked to find.
    FindCreates,
    /// Answers finds in an order of its own.
    FindSorts,
    /// Sets the stage of a record that a mail joins.
    OverwritesStage,
    /// Does not report replaced values.
    ForgetsPrevious,
    /// Dates mails by the moment they are written.
    DatesMailNow,
    /// Creates a shared party once for each item.
    PartyForEachItem,
    /// Does not link a mail to the record that an earlier item made.
    ForgetsEarlier,
    /// Fails when a contact has appeared since the find.
    FailsOnDuplicate,
    /// Gives a mail up because its record is locked.
    LockIsFinal,
    /// Gives a mail up because the connection was cut.
    CutIsFinal,
    /// Takes two mails with one Message-ID for the same.
    MergesByMessageId,
    /// Waits for an answer past its deadline.
    IgnoresDeadline,
    /// Claims an unconditional guarantee without the capability.
    ClaimsKeyed,
    /// Finds every connection in order without asking.
    CheckSaysYes,
    /// Links the mail to nothing.
    LeavesMailUnlinked,
    /// Does not report its calls.
    HidesCalls,
    /// Fills fields that it was not asked to fill.
    FillsMore,
}
