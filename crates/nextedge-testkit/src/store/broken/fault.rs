//! The faults that a store can be given, and the methods of all store traits.

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident,)*) => {
        /// One thing that a store does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            /// Nothing: passes every check.
            None,
            /// One method uses the first tenant it ever saw, or every tenant, instead of the one it is
            /// told.
            DropsTenant(Method),
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// Every fault but [`Fault::None`] and [`Fault::DropsTenant`], which has one for each
            /// of [`Method::ALL`].
            pub const ALL: &[Self] = &[$(Self::$fault),*];
        }
    };
}

faults! {
    /// Accepts what comes after the lease ran out.
    SkipsFence,
    /// Answers that a refused unit was accepted.
    PretendsAccepted,
    /// Refuses every unit of a commit if it refuses one.
    SpreadsRefusal,
    /// Answers that the last unit of several was accepted, and drops it.
    LosesUnit,
    /// Answers that a lease was prolonged, and does not.
    IgnoresExtension,
    /// Takes an ended lease for a released one, so that a crash leaves no trace.
    ForgetsCrash,
    /// Hands out the item of a lost claim at once.
    IgnoresSettle,
    /// Hands out items of unknown outcome as if they had never been started.
    ForgetsUnknown,
    /// Counts a release as an attempt.
    BurnsAttemptOnRelease,
    /// Hands a lane that is held to a second claim.
    HandsLaneTwice,
    /// Hands out a lane from its end.
    ReordersLane,
    /// Lets each mail of a conversation have a lane of its own.
    SplitsLane,
    /// Hands out old mail of the backfill before live mail.
    ServesOldestFirst,
    /// Serves the first tenant as long as it has work.
    ServesFirstTenantFirst,
    /// Hands out more than was asked for.
    IgnoresBounds,
    /// Runs any number of claims of one connection.
    IgnoresCaps,
    /// Retries at once, whatever moment was named.
    IgnoresDelay,
    /// Lets a lane go on after a dead item that should hold it.
    ForgetsHold,
    /// Processes mail of a mailbox whose listing goes on.
    IgnoresListFirst,
    /// Tells a worker to come at once, always.
    NeverWaits,
    /// Lets two claims create the same party.
    IgnoresReservations,
    /// Forgets the record that a delivery linked.
    ForgetsRecord,
    /// Forgets the effects of a delivery that failed.
    ForgetsEffects,
    /// Forgets a model answer given with a retry.
    ForgetsAnswer,
    /// Does not close a gate.
    IgnoresGate,
    /// Opens the gate with any commit, also when it was closed again.
    OpensGateOnCommit,
    /// Drops the calls of a claim.
    LosesCalls,
    /// Moves the sync state without recording the stubs.
    MovesCursorEarly,
    /// Records drafts as mail to process.
    TakesDrafts,
    /// Drops a push that comes while the mailbox is read.
    LosesPush,
    /// Hands a mailbox that is read to a second worker.
    HandsMailboxTwice,
    /// Forgets how far a mailbox was read when its settings change.
    ForgetsSync,
    /// Takes the same mail twice.
    KeepsDuplicates,
    /// Takes a mail for a duplicate of another tenant's.
    SharesFingerprints,
    /// Takes a mail for a duplicate because of its Message-ID alone.
    HidesByMessageId,
    /// Accepts a link though what it was chosen from changed.
    IgnoresSeenThreads,
    /// Accepts a unit whose thread changed.
    IgnoresThreadVersion,
    /// Answers each key of a look-up as often as it likes.
    AnswersKeysTwice,
    /// Shows the best sink's outcome for the message.
    ShowsBestSink,
    /// Shows mail without a sink as delivered.
    PretendsDelivered,
    /// Keeps only the last error of a message.
    KeepsLastError,
    /// Counts each message twice.
    CountsTwice,
    /// Hands out mail without its raw bytes.
    LosesBody,
    /// Reads each page from the start.
    IgnoresPage,
    /// Shows every row of the ledger, the audit and the review queue, whatever was asked.
    IgnoresFilters,
    /// Overwrites whatever version is stored.
    IgnoresVersion,
    /// Gives the same turn of a round robin again.
    RepeatsTurns,
    /// Says that it replayed all that it was asked to.
    CountsReplays,
    /// Takes every decision of a person for an approval.
    ApprovesAnything,
    /// Decides an item that changed since it was shown.
    IgnoresReviewVersion,
    /// Delivers another plan than the one that was shown.
    ForgetsShownPlan,
    /// Loses everything with its process.
    ForgetsOnRestart,
    /// Keeps the leases of a process that is known to be dead.
    KeepsDeadLeases,
    /// Ends the leases of processes that still run.
    EndsForeignLeases,
    /// Opens another process on a store of its own.
    KeepsProcessesApart,
}

macro_rules! methods {
    ($($method:ident $name:literal)*) => {
        /// A method of the store traits that is told a tenant or a scope: all of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $(
                #[doc = concat!("`", $name, "`")]
                $method,
            )*
        }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$method),*];

            /// Returns the name as the trait spells it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)*
                }
            }
        }
    };
}

methods! {
    Claim "claim"
    Extend "extend"
    Commit "commit"
    Release "release"
    Requeue "requeue"
    NextDue "next_due"
    PutMailbox "put_mailbox"
    Mailbox "mailbox"
    Mailboxes "mailboxes"
    ClaimMailbox "claim_mailbox"
    MarkDirty "mark_dirty"
    CommitPage "commit_page"
    Tenants "tenants"
    Runs "runs"
    ForgetRuns "forget_runs"
    PutConnection "put_connection"
    Connection "connection"
    Connections "connections"
    SetConnectionState "set_connection_state"
    Policy "policy"
    PutPolicy "put_policy"
    FieldMap "field_map"
    PutFieldMap "put_field_map"
    TakeTurns "take_turns"
    SetGate "set_gate"
    OpenGate "open_gate"
    Gates "gates"
    Message "message"
    Messages "messages"
    Plans "plans"
    Counts "counts"
    Overview "overview"
    OpenByOwner "open_by_owner"
    Lookup "lookup"
    Thread "thread"
    AppendCalls "append_calls"
    Audit "audit"
    Reviews "reviews"
    Review "review"
    Decide "decide"
    Raw "raw"
}
