//! Sync runs as rows: begun and brought up to date with each page.

use std::cmp::Reverse;

use super::state::{State, TenantState};
use crate::clock::Timestamp;
use crate::domain::MailboxId;
use crate::store::{Listed, MailboxWork, RunQuery, RunRow, Scope, SyncRun};

/// Writes the run of a committed page: a row of its own, or that of the page before.
pub(super) fn keep(rows: &mut Vec<RunRow>, mailbox: &MailboxId, before: &SyncRun, run: &SyncRun) {
    if run.started_at.is_none() {
        return;
    }
    let mut run = run.clone();
    run.faults.truncate(RunRow::MAX_FAULTS);
    let goes_on = run.goes_on(before);
    match rows.last_mut().filter(|_| goes_on) {
        Some(row) => row.run = run,
        None => rows.push(RunRow {
            mailbox: mailbox.clone(),
            number: rows.last().map_or(0, |row| row.number) + 1,
            run,
        }),
    }
}

/// Counts the failed runs since the last that ended well, and tells when the first of them started.
pub(super) fn failed(rows: &[RunRow]) -> (u64, Option<Timestamp>) {
    let ended = rows.iter().rev().filter(|row| row.run.ended_at.is_some());
    let failed = ended.take_while(|row| row.run.error.is_some());
    let failed = failed.take(MailboxWork::MAX_FAILED_RUNS as usize);
    failed.fold((0, None), |(count, _), row| (count + 1, row.run.started_at))
}

/// What the last two complete listings showed.
pub(super) fn listed(rows: &[RunRow]) -> Option<Listed> {
    let whole =
        |row: &&RunRow| row.run.full && row.run.ended_at.is_some() && row.run.error.is_none();
    let mut rows = rows.iter().rev().filter(whole);
    let (last, before) = (rows.next()?, rows.next()?);
    Some(Listed {
        last: last.run.listed,
        before: before.run.listed,
        at: last.run.started_at?,
    })
}

impl TenantState {
    pub(super) fn runs(&self, query: &RunQuery) -> Vec<RunRow> {
        let mailboxes = self.mailboxes.iter();
        let wanted = mailboxes.filter(|(id, _)| query.mailbox.as_ref().is_none_or(|m| m == *id));
        let rows = wanted.flat_map(|(_, row)| &row.runs);
        let mut rows: Vec<RunRow> = rows
            .filter(|row| query.before.is_none_or(|at| row.run.started_at < Some(at)))
            .cloned()
            .collect();
        rows.sort_by_key(|row| Reverse((row.run.started_at, row.mailbox.clone(), row.number)));
        rows.truncate(query.limit);
        rows
    }
}

impl State {
    pub(super) fn forget_runs(&mut self, scope: &Scope, before: Timestamp, most: usize) -> u64 {
        let mut old = Vec::new();
        for tenant in self.in_scope(scope) {
            for row in self
                .tenant(&tenant)
                .into_iter()
                .flat_map(|t| t.mailboxes.values())
            {
                let runs = row.runs.iter();
                let runs = runs.filter(|row| row.run.started_at < Some(before));
                old.extend(runs.map(|row| {
                    (
                        row.run.started_at,
                        tenant.clone(),
                        row.mailbox.clone(),
                        row.number,
                    )
                }));
            }
        }
        old.sort();
        old.truncate(most);
        for (_, tenant, mailbox, number) in &old {
            if let Some(row) = self.tenant_mut(tenant).mailboxes.get_mut(mailbox) {
                row.runs.retain(|run| run.number != *number);
            }
        }
        old.len() as u64
    }
}
