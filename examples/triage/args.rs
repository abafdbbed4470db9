//! The command line.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use url::Url;

/// Turns mail into CRM records and says what became of each mail.
///
/// Without PATH the bundled sample inbox goes through an embedded HubSpot imitation.
#[derive(Debug, Parser)]
#[command(name = "triage", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// An mbox, a Maildir, a folder of .eml files or one .eml; gzip of these too
    pub(crate) paths: Vec<PathBuf>,
    /// Database file; kept for later runs. Default: a new file in the temporary folder
    #[arg(long)]
    pub(crate) db: Option<PathBuf>,
    /// Policy in TOML; default: the built-in one (the sample's own for the sample inbox)
    #[arg(long)]
    pub(crate) policy: Option<PathBuf>,
    /// HubSpot base URL of a running sandbox; default: an embedded one
    #[arg(long)]
    pub(crate) sandbox: Option<Url>,
    /// Make plans, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON object a message, then a summary, on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Show mailboxes, sinks, errors, runs and alerts every second while the run goes
    #[arg(long, conflicts_with = "json")]
    pub(crate) watch: bool,
    /// Read at most this many messages of each box
    #[arg(long)]
    pub(crate) limit: Option<u64>,
    /// Go on with what the database still holds; reads no new mail unless PATH is given
    #[arg(long, requires = "db")]
    pub(crate) resume: bool,
    /// Keep the embedded sandbox and its page open until Ctrl-C
    #[arg(long)]
    pub(crate) keep_open: bool,
    /// Wait this many seconds for what becomes due soon, such as a retry
    #[arg(long, default_value_t = 3)]
    pub(crate) patience: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Work through the review queue
    Review(ReviewArgs),
    /// Search what was asked of the CRM and what it answered
    Audit(AuditArgs),
    /// Show how far each mailbox and sink is, the last runs, errors and alerts
    Status(StatusArgs),
    /// Show what was given up; with --confirm, try it again (by the next run)
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Database file
    #[arg(long)]
    pub(crate) db: PathBuf,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Database file
    #[arg(long)]
    pub(crate) db: PathBuf,
    /// Only this mailbox, named as `triage status` shows it in JSON
    #[arg(long)]
    pub(crate) mailbox: Option<String>,
    /// What was parked, instead of what was given up
    #[arg(long)]
    pub(crate) parked: bool,
    /// Most messages, the oldest first
    #[arg(long, default_value_t = 1000)]
    pub(crate) limit: usize,
    /// Do it, if this is the number of messages found
    #[arg(long)]
    pub(crate) confirm: Option<u64>,
    /// One JSON object a message, then a summary
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Database file
    #[arg(long, global = true)]
    pub(crate) db: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: ReviewAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewAction {
    /// Show the open items, oldest first
    List {
        /// Most items
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one item with its plan
    Show {
        /// The item's id, or the first digits of it
        id: String,
    },
    /// Deliver exactly the plan shown (by the next run)
    Approve {
        /// The item's id, or the first digits of it
        id: String,
    },
    /// Park the item's mail as rejected
    Reject {
        /// The item's id, or the first digits of it
        id: String,
    },
    /// Make a new plan from another category and deliver it (by the next run)
    Correct {
        /// The item's id, or the first digits of it
        id: String,
        /// Lead, Case, Contact, Opportunity or None
        category: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Database file
    #[arg(long)]
    pub(crate) db: PathBuf,
    /// Only calls at or after this moment, such as 2026-11-21T07:00:00Z
    #[arg(long)]
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only operations that contain this text, such as contacts or batch_create
    #[arg(long = "type")]
    pub(crate) operation: Option<String>,
    /// Only this HTTP status; 0 for calls without an answer
    #[arg(long)]
    pub(crate) status: Option<u16>,
    /// Most rows
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
    /// One JSON object a row
    #[arg(long)]
    pub(crate) json: bool,
}
