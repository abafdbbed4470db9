//! `triage status` and `triage replay`: how a database stands, and trying again what was given up.

use std::process::ExitCode;

use nextedge_core::engine::{Confirm, ReplayRequest, Replayed};
use nextedge_core::{MailboxId, Result};
use serde_json::json;

use crate::args::{ReplayArgs, StatusArgs};
use crate::report::{row_json, row_text};
use crate::say::say;
use crate::setup::{offline_engine, open_store, tenant};
use crate::view::Shown;

pub(crate) async fn status(args: StatusArgs) -> Result<ExitCode> {
    let engine = offline_engine(open_store(&args.db)?)?;
    let tenant = tenant()?;
    let status = engine.status(&tenant).await?;
    let shown = Shown::of(&engine, &tenant, status).await?;
    if args.json {
        let all = json!({
            "status": shown.status, "runs": shown.runs, "alerts": shown.alerts,
        });
        say!("{all}");
    } else {
        shown.lines().iter().for_each(|line| say!("{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn replay(args: ReplayArgs) -> Result<ExitCode> {
    let engine = offline_engine(open_store(&args.db)?)?;
    let mut request = ReplayRequest::default().with_limit(args.limit);
    if args.parked {
        request = request.with_what(Replayed::Parked);
    }
    if let Some(mailbox) = &args.mailbox {
        request = request.with_mailbox(MailboxId::new(mailbox.as_str())?);
    }
    let confirm = args.confirm.map(Confirm);
    let replay = engine.replay(&tenant()?, &request, confirm).await?;
    for row in &replay.messages {
        if args.json {
            say!("{}", row_json(row));
        } else {
            say!("{}", row_text(row));
        }
    }
    let found = replay.messages.len();
    match replay.done {
        _ if args.json => say!(
            "{}",
            json!({"replay": {"found": found, "done": replay.done}})
        ),
        Some(done) => say!("{done} messages are pending again; the next run goes on with them"),
        None if found == 0 => say!("nothing to replay"),
        None => say!("{found} messages would be pending again: repeat with --confirm {found}"),
    }
    Ok(ExitCode::SUCCESS)
}
