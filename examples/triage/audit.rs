//! `triage audit`: what was asked of the CRM and what it answered.

use std::process::ExitCode;

use nextedge_core::Result;
use nextedge_core::store::{AuditLog, AuditQuery};

use crate::args::AuditArgs;
use crate::say::say;
use crate::setup::{open_store, tenant};

pub(crate) async fn audit(args: AuditArgs) -> Result<ExitCode> {
    let store = open_store(&args.db)?;
    let query = AuditQuery {
        since: args.since,
        operation: args.operation,
        status: args.status,
        limit: args.limit,
        ..AuditQuery::default()
    };
    let rows = store.audit(&tenant()?, &query).await?;
    for row in &rows {
        if args.json {
            say!("{}", serde_json::to_string(row).unwrap_or_default());
            continue;
        }
        let call = &row.call;
        say!(
            "{:>6}  {}  {:<4} {:<45} {:>4}  {:>5} ms  {} mails  {} records",
            row.seq,
            call.at.format("%Y-%m-%dT%H:%M:%SZ"),
            call.verb,
            call.operation,
            call.status
                .map_or_else(|| "-".to_owned(), |status| status.to_string()),
            call.duration.as_millis(),
            call.messages.len(),
            call.records.len(),
        );
    }
    if !args.json {
        say!("{} rows", rows.len());
    }
    Ok(ExitCode::SUCCESS)
}
