//! What stands where: kept counts, counted lanes, the last errors and runs.

use std::collections::BTreeMap;

use nextedge_core::store::{
    Counts, LaneCounts, Listed, MailboxWork, MessageError, Overview, SinkWork,
};
use nextedge_core::{ErrorReport, MailboxId, OutcomeKind, Result, Timestamp};
use rusqlite::{Connection, params};

use crate::db::{Columns, all, limit, one};
use crate::error::stored;
use crate::outcome;

/// Reads the overview of a tenant.
pub(crate) fn read(db: &Connection, tenant: i64, now: i64, mailboxes: usize) -> Result<Overview> {
    let ids = all(
        db,
        "SELECT id FROM mailbox WHERE tenant = ?1 ORDER BY id LIMIT ?2",
        params![tenant, limit(mailboxes)],
        |row| row.mailbox(0),
    )?;
    let mailboxes = ids.into_iter().map(|id| mailbox(db, tenant, id));
    Ok(Overview {
        mailboxes: mailboxes.collect::<Result<_>>()?,
        sinks: sinks(db, tenant, now)?,
    })
}

fn mailbox(db: &Connection, tenant: i64, id: MailboxId) -> Result<MailboxWork> {
    let mut counts = Counts::default();
    let rows = all(
        db,
        "SELECT outcome, messages FROM tally WHERE tenant = ?1 AND mailbox = ?2",
        params![tenant, id.as_str()],
        |row| Ok((outcome::kind(row.col(0)?)?, row.count(1)?)),
    )?;
    for (kind, messages) in rows {
        *counts.of_mut(kind) = messages;
    }
    let (failed_runs, failing_since) = failed(db, tenant, &id)?;
    Ok(MailboxWork {
        counts,
        fetch: intake(db, tenant, 0, &id)?,
        process: intake(db, tenant, 1, &id)?,
        last_error: last_error(db, tenant, &id)?,
        failed_runs,
        failing_since,
        listed: listed(db, tenant, &id)?,
        mailbox: id,
    })
}

fn intake(db: &Connection, tenant: i64, kind: i64, id: &MailboxId) -> Result<u64> {
    let items = one(
        db,
        "SELECT items FROM backlog WHERE tenant = ?1 AND kind = ?2 AND place = ?3 AND state = 0",
        params![tenant, kind, id.as_str()],
        |row| row.count(0),
    )?;
    Ok(items.unwrap_or(0))
}

fn last_error(db: &Connection, tenant: i64, id: &MailboxId) -> Result<Option<MessageError>> {
    one(
        db,
        "SELECT uid, error_at, errors FROM message
         WHERE tenant = ?1 AND mailbox = ?2 AND error_at IS NOT NULL
         ORDER BY error_at DESC, uid DESC LIMIT 1",
        params![tenant, id.as_str()],
        |row| {
            let errors: Vec<ErrorReport> = row.json(2)?;
            Ok(MessageError {
                message: row.message(0)?,
                at: row.moment(1)?,
                error: errors
                    .into_iter()
                    .next_back()
                    .ok_or_else(|| stored("errors"))?,
            })
        },
    )
}

/// Counts the failed runs since the last that ended well, and tells when the first of them started.
fn failed(db: &Connection, tenant: i64, id: &MailboxId) -> Result<(u64, Option<Timestamp>)> {
    let rows = all(
        db,
        "SELECT started_at, error IS NOT NULL FROM run
         WHERE tenant = ?1 AND mailbox = ?2 AND ended_at IS NOT NULL
         ORDER BY number DESC LIMIT ?3",
        params![tenant, id.as_str(), MailboxWork::MAX_FAILED_RUNS],
        |row| Ok((row.moment(0)?, row.col::<bool>(1)?)),
    )?;
    let failed = rows.into_iter().take_while(|(_, failed)| *failed);
    Ok(failed.fold((0, None), |(count, _), (started, _)| {
        (count + 1, Some(started))
    }))
}

/// What the last two complete listings showed.
fn listed(db: &Connection, tenant: i64, id: &MailboxId) -> Result<Option<Listed>> {
    let rows = all(
        db,
        "SELECT listed, started_at FROM run
         WHERE tenant = ?1 AND mailbox = ?2 AND whole = 1 AND ended_at IS NOT NULL
           AND error IS NULL
         ORDER BY number DESC LIMIT 2",
        params![tenant, id.as_str()],
        |row| Ok((row.count(0)?, row.moment(1)?)),
    )?;
    let mut rows = rows.into_iter();
    let (Some((last, at)), Some((before, _))) = (rows.next(), rows.next()) else {
        return Ok(None);
    };
    Ok(Some(Listed { last, before, at }))
}

fn sinks(db: &Connection, tenant: i64, now: i64) -> Result<Vec<SinkWork>> {
    let rows = all(
        db,
        "SELECT place, state, items FROM backlog WHERE tenant = ?1 AND kind = 2 ORDER BY place",
        params![tenant],
        |row| {
            let kind: OutcomeKind = outcome::kind(row.col(1)?)?;
            Ok((row.connection(0)?, kind, row.count(2)?))
        },
    )?;
    let mut sinks: BTreeMap<_, Counts> = BTreeMap::new();
    for (connection, kind, items) in rows {
        *sinks.entry(connection).or_default().of_mut(kind) = items;
    }
    let mut lanes = lanes(db, tenant, now)?;
    let sinks = sinks.into_iter();
    Ok(sinks
        .map(|(connection, counts)| SinkWork {
            lanes: lanes.remove(connection.as_str()).unwrap_or_default(),
            connection,
            counts,
        })
        .collect())
}

/// Counts delivery lanes by what they wait for.
///
/// A delay that is over is no delay. A lane is brought up to date when its claim ends, so for claimed
/// and stopped lanes the first item tells.
fn lanes(db: &Connection, tenant: i64, now: i64) -> Result<BTreeMap<String, LaneCounts>> {
    let rows = all(
        db,
        "SELECT connection, sum(state = 1 OR (state = 2 AND due_at <= ?2)),
             sum(state = 2 AND due_at > ?2), sum(state = 3 AND head = 1), sum(head = 2),
             sum(head = 3)
         FROM (SELECT connection, state, due_at, CASE WHEN state IN (0, 3) THEN coalesce(
                   (SELECT i.state FROM item i WHERE i.tenant = l.tenant AND i.kind = l.kind
                        AND i.connection = l.connection AND i.lane = l.lane
                    ORDER BY i.received_at, i.uid LIMIT 1), -1) ELSE 1 END AS head
               FROM lane l WHERE tenant = ?1 AND kind = 2)
         GROUP BY connection",
        params![tenant, now],
        |row| {
            let counts = LaneCounts {
                waiting: row.count(1)?,
                delayed: row.count(2)?,
                held: row.count(3)?,
                review: row.count(4)?,
                parked: row.count(5)?,
            };
            Ok((row.col(0)?, counts))
        },
    )?;
    Ok(rows.into_iter().collect())
}
