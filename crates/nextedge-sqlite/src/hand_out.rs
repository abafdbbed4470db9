//! Putting what was chosen under a lease, and telling the worker what to do.

use bytes::Bytes;
use nextedge_core::store::{Claim, ClaimRequest, ClaimedItem, JobKind, KnownRecord, Work};
use nextedge_core::{ConnectionId, LeaseToken, MailboxId, PartyKey, Plan, Result, TenantId, later};
use rusqlite::params;

use crate::claim::{Group, TakenItem};
use crate::claims::{self, ClaimItems, ClaimRow};
use crate::db::{Columns, IdBytes, exec, moment, one};
use crate::error::stored;
use crate::item::{self, parties_of};
use crate::lanes::{self, LaneKey, LaneKind};
use crate::threads;
use crate::tx::Tx;

/// Starts a claim on a group.
pub(crate) fn hand_out(
    tx: &Tx<'_>,
    number: i64,
    tenant: TenantId,
    request: &ClaimRequest,
    group: Group,
) -> Result<Claim> {
    let lease = LeaseToken::random()?;
    claims::insert(
        tx,
        &ClaimRow {
            tenant: number,
            lease,
            kind: request.kind,
            connection: group.connection.clone(),
            until: later(tx.now, request.lease),
            settled: later(tx.now, request.settle),
            probe: group.probe,
            items: ClaimItems::of(group.taken.items.iter().map(|item| item.uid)),
            ended: false,
        },
    )?;
    hold(tx, number, request.kind, &group, lease)?;
    let mut items = Vec::with_capacity(group.taken.items.len());
    for item in &group.taken.items {
        items.push(describe(tx, number, request.kind, &group.connection, item)?);
    }
    let connection = match request.kind {
        JobKind::Process => None,
        JobKind::Fetch | JobKind::Deliver => Some(ConnectionId::new(&group.connection)?),
    };
    Ok(Claim {
        tenant,
        lease,
        connection,
        mailbox: group.mailbox.map(MailboxId::new).transpose()?,
        items,
    })
}

/// Puts stubs, or lanes and parties, under the lease.
fn hold(tx: &Tx<'_>, tenant: i64, kind: JobKind, group: &Group, lease: LeaseToken) -> Result<()> {
    let lane_kind = match kind {
        JobKind::Fetch => {
            for item in &group.taken.items {
                item::lease_stub(tx, tenant, item.uid, lease)?;
            }
            return Ok(());
        }
        JobKind::Process => LaneKind::Intake,
        JobKind::Deliver => LaneKind::Delivery,
    };
    let mut last = None;
    for item in &group.taken.items {
        if last == Some(item.lane) {
            continue;
        }
        last = Some(item.lane);
        let key = LaneKey {
            tenant,
            kind: lane_kind,
            connection: group.connection.clone(),
            lane: item.lane,
        };
        lanes::lease(tx, &key, lease)?;
    }
    for party in &group.taken.parties {
        exec(
            tx.db,
            "INSERT INTO reservation (tenant, connection, key, lease) VALUES (?1, ?2, ?3, ?4)",
            params![tenant, group.connection, party, lease.key()],
        )?;
    }
    Ok(())
}

fn describe(
    tx: &Tx<'_>,
    tenant: i64,
    kind: JobKind,
    connection: &str,
    item: &TakenItem,
) -> Result<ClaimedItem> {
    let (lane, work) = match kind {
        JobKind::Fetch => fetch_work(tx, tenant, item)?,
        JobKind::Process => process_work(tx, tenant, item)?,
        JobKind::Deliver => deliver_work(tx, tenant, connection, item)?,
    };
    Ok(ClaimedItem {
        message: item.uid,
        lane,
        attempt: item.retries + 1,
        outcome_unknown: item.unknown,
        received_at: moment(item.received_at)?,
        work,
    })
}

fn fetch_work(tx: &Tx<'_>, tenant: i64, item: &TakenItem) -> Result<(String, Work)> {
    let found = one(
        tx.db,
        "SELECT provider_id, locator, hint, mailbox FROM message WHERE tenant = ?1 AND msg = ?2",
        params![tenant, item.msg],
        |row| {
            let hint: Option<String> = row.col(2)?;
            let lane = lanes::intake_text(row.text(3)?, hint.as_deref(), item.uid);
            let work = Work::Fetch {
                provider_id: row.provider(0)?,
                locator: row.col(1)?,
            };
            Ok((lane, work))
        },
    )?;
    found.ok_or_else(|| stored("message of an item"))
}

fn process_work(tx: &Tx<'_>, tenant: i64, item: &TakenItem) -> Result<(String, Work)> {
    let found = one(
        tx.db,
        "SELECT mailbox, hint, kept, labels FROM message WHERE tenant = ?1 AND msg = ?2",
        params![tenant, item.msg],
        |row| {
            let thread_hint: Option<String> = row.col(1)?;
            let lane = lanes::intake_text(row.text(0)?, thread_hint.as_deref(), item.uid);
            let work = Work::Process {
                mailbox: row.mailbox(0)?,
                thread_hint,
                labels: row.json_opt(3)?.unwrap_or_default(),
                raw: Bytes::new(),
                kept: row.json_opt(2)?,
            };
            Ok((lane, work))
        },
    )?;
    found.ok_or_else(|| stored("message of an item"))
}

fn deliver_work(
    tx: &Tx<'_>,
    tenant: i64,
    connection: &str,
    item: &TakenItem,
) -> Result<(String, Work)> {
    let found = one(
        tx.db,
        "SELECT d.plan, d.effects, m.mailbox FROM delivery d
         JOIN message m ON m.tenant = d.tenant AND m.msg = d.msg
         WHERE d.tenant = ?1 AND d.msg = ?2 AND d.connection = ?3",
        params![tenant, item.msg, connection],
        |row| Ok((row.json::<Plan>(0)?, row.json_opt(1)?, row.mailbox(2)?)),
    )?;
    let (plan, done, mailbox) = found.ok_or_else(|| stored("delivery of an item"))?;
    let sink = ConnectionId::new(connection)?;
    let parties = known_parties(tx, tenant, connection, parties_of(&plan))?;
    let work = Work::Deliver {
        mailbox,
        done: done.unwrap_or_default(),
        raw: Bytes::new(),
        parties,
        record: threads::linked_record(tx.db, tenant, plan.thread, &sink)?,
        plan,
    };
    Ok((lanes::delivery_text(item.lane, connection), work))
}

fn known_parties(
    tx: &Tx<'_>,
    tenant: i64,
    connection: &str,
    parties: Vec<PartyKey>,
) -> Result<Vec<KnownRecord>> {
    let mut known = Vec::new();
    for party in parties {
        let record = one(
            tx.db,
            "SELECT record FROM party WHERE tenant = ?1 AND key = ?2 AND connection = ?3",
            params![tenant, party.as_key(), connection],
            |row| row.json(0),
        )?;
        if let Some(record) = record {
            known.push(KnownRecord { party, record });
        }
    }
    Ok(known)
}
