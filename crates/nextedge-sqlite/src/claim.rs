//! Choosing what to hand out.

use std::collections::BTreeSet;

use bytes::Bytes;
use nextedge_core::store::{Claim, ClaimRequest, ClaimedItem, JobKind, KnownRecord, Scope, Work};
use nextedge_core::{
    ConnectionId, LeaseToken, MailboxId, MessageUid, PartyKey, Plan, Result, TenantId, later,
};
use rusqlite::{Row, params};

use crate::claims::{self, ClaimItems, ClaimRow, kind_code};
use crate::db::{Columns, IdBytes, all, exec, limit, moment, one};
use crate::error::{sql, stored};
use crate::item::{self, parties_of};
use crate::lanes::{self, LaneKey, LaneKind, Standing};
use crate::threads;
use crate::tx::Tx;

/// A claim whose raw bytes are still to be read.
pub(crate) struct Draft {
    pub(crate) tenant: i64,
    pub(crate) claim: Claim,
}

/// What may be claimed together.
struct Group {
    connection: String,
    mailbox: Option<String>,
    probe: bool,
    taken: Taken,
}

#[derive(Default)]
struct Taken {
    items: Vec<TakenItem>,
    parties: BTreeSet<String>,
    bytes: u64,
}

struct TakenItem {
    uid: MessageUid,
    msg: i64,
    lane: [u8; 16],
    rank: i64,
    received_at: i64,
    retries: u32,
    unknown: bool,
}

impl Taken {
    /// Live before backfill, then the oldest head.
    fn order(&self) -> Option<(i64, i64, MessageUid)> {
        let head = self.items.first()?;
        Some((head.rank, head.received_at, head.uid))
    }
}

/// How much one claim takes.
#[derive(Clone, Copy)]
struct Room {
    items: usize,
    bytes: u64,
}

/// Whether a claim takes more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// Hands one batch out, if anything is due.
pub(crate) fn claim(tx: &mut Tx<'_>, request: &ClaimRequest) -> Result<Option<Draft>> {
    claims::end_overdue(tx, &request.scope)?;
    lanes::wake(tx)?;
    if request.kind == JobKind::Process {
        lanes::release_some(tx, request.max_items)?;
    }
    for (number, tenant) in tenants(tx, request)? {
        let group = match request.kind {
            JobKind::Fetch => fetch_group(tx, number, request)?,
            JobKind::Process => process_group(tx, number, request)?,
            JobKind::Deliver => deliver_group(tx, number, request)?,
        };
        let Some(group) = group.filter(|group| !group.taken.items.is_empty()) else {
            continue;
        };
        serve(tx, number, request.kind)?;
        let claim = hand_out(tx, number, tenant, request, group)?;
        return Ok(Some(Draft {
            tenant: number,
            claim,
        }));
    }
    Ok(None)
}

/// The tenants in scope that have ready work, the one served longest ago first.
fn tenants(tx: &Tx<'_>, request: &ClaimRequest) -> Result<Vec<(i64, TenantId)>> {
    let kind = kind_code(request.kind);
    let read = |row: &Row<'_>| Ok((row.col::<i64>(0)?, row.tenant(1)?));
    if let Scope::Tenant(tenant) = &request.scope {
        let text = "SELECT id, name FROM tenant WHERE name = ?1";
        return all(tx.db, text, params![tenant.as_str()], read);
    }
    // Steps from tenant to tenant in the index, so that it costs the tenants with work only.
    let text = match request.kind {
        JobKind::Fetch => {
            "WITH RECURSIVE work (id) AS (
                 SELECT min(tenant) FROM item
                     WHERE state = 0 AND lease IS NULL AND not_before IS NULL
                 UNION ALL
                 SELECT (SELECT min(tenant) FROM item
                     WHERE state = 0 AND lease IS NULL AND not_before IS NULL
                       AND tenant > work.id) FROM work WHERE work.id IS NOT NULL)
             SELECT t.id, t.name FROM work JOIN tenant t ON t.id = work.id
             LEFT JOIN served s ON s.kind = ?1 AND s.tenant = t.id ORDER BY s.turn, t.name"
        }
        JobKind::Process | JobKind::Deliver => {
            "WITH RECURSIVE work (id) AS (
                 SELECT min(tenant) FROM lane WHERE state = 1 AND kind = ?1
                 UNION ALL
                 SELECT (SELECT min(tenant) FROM lane WHERE state = 1 AND kind = ?1
                         AND tenant > work.id) FROM work WHERE work.id IS NOT NULL)
             SELECT t.id, t.name FROM work JOIN tenant t ON t.id = work.id
             LEFT JOIN served s ON s.kind = ?1 AND s.tenant = t.id ORDER BY s.turn, t.name"
        }
    };
    all(tx.db, text, params![kind], read)
}

fn serve(tx: &Tx<'_>, tenant: i64, kind: JobKind) -> Result<()> {
    exec(
        tx.db,
        "INSERT INTO served (kind, tenant, turn)
         VALUES (?1, ?2, (SELECT coalesce(max(turn), 0) + 1 FROM served))
         ON CONFLICT DO UPDATE SET turn = excluded.turn",
        params![kind_code(kind), tenant],
    )
    .map(|_| ())
}

/// What the gate and the cap of a connection leave.
fn room(
    tx: &Tx<'_>,
    tenant: i64,
    connection: &str,
    request: &ClaimRequest,
) -> Result<Option<(Room, bool)>> {
    let running = claims::running(tx.db, tenant, connection, request.kind)?;
    if running >= request.max_in_flight as u64 {
        return Ok(None);
    }
    let mut room = Room {
        items: request.max_items,
        bytes: request.max_bytes,
    };
    let gate: Option<i64> = one(
        tx.db,
        "SELECT until FROM gate WHERE tenant = ?1 AND connection = ?2",
        params![tenant, connection],
        |row| row.col(0),
    )?;
    let Some(until) = gate else {
        return Ok(Some((room, false)));
    };
    if until > tx.now_micros() || claims::is_busy(tx, tenant, connection)? {
        return Ok(None);
    }
    room.items = room.items.min(1);
    Ok(Some((room, true)))
}

fn process_group(tx: &Tx<'_>, tenant: i64, request: &ClaimRequest) -> Result<Option<Group>> {
    let Some((room, _)) = room(tx, tenant, "", request)? else {
        return Ok(None);
    };
    Ok(Some(Group {
        connection: String::new(),
        mailbox: None,
        probe: false,
        taken: take_lanes(tx, tenant, LaneKind::Intake, "", room)?,
    }))
}

fn deliver_group(tx: &Tx<'_>, tenant: i64, request: &ClaimRequest) -> Result<Option<Group>> {
    let sinks = all(
        tx.db,
        "SELECT id FROM connection
         WHERE tenant = ?1 AND vendor = ?2 AND role = 'sink' AND usable = 1 AND EXISTS (
             SELECT 1 FROM lane l WHERE l.kind = 2 AND l.tenant = ?1
                 AND l.connection = connection.id AND l.state = 1)
         ORDER BY id",
        params![tenant, request.vendor],
        |row| row.col::<String>(0),
    )?;
    let mut best: Option<Group> = None;
    for connection in sinks {
        let Some((room, probe)) = room(tx, tenant, &connection, request)? else {
            continue;
        };
        let taken = take_lanes(tx, tenant, LaneKind::Delivery, &connection, room)?;
        best = earlier(
            best,
            Group {
                connection,
                mailbox: None,
                probe,
                taken,
            },
        );
    }
    Ok(best)
}

fn fetch_group(tx: &Tx<'_>, tenant: i64, request: &ClaimRequest) -> Result<Option<Group>> {
    let mailboxes = all(
        tx.db,
        "SELECT m.id, m.connection FROM mailbox m
         JOIN connection c ON c.tenant = m.tenant AND c.id = m.connection
         WHERE m.tenant = ?1 AND m.paused = 0 AND c.vendor = ?2 AND c.role = 'source'
           AND c.usable = 1 AND EXISTS (
             SELECT 1 FROM item i WHERE i.tenant = ?1 AND i.mailbox = m.id AND i.state = 0
                 AND i.lease IS NULL AND i.not_before IS NULL)
         ORDER BY m.connection, m.id",
        params![tenant, request.vendor],
        |row| Ok((row.col::<String>(0)?, row.col::<String>(1)?)),
    )?;
    let mut best: Option<Group> = None;
    for (mailbox, connection) in mailboxes {
        let Some((room, probe)) = room(tx, tenant, &connection, request)? else {
            continue;
        };
        let taken = take_stubs(tx, tenant, &mailbox, room)?;
        best = earlier(
            best,
            Group {
                connection,
                mailbox: Some(mailbox),
                probe,
                taken,
            },
        );
    }
    Ok(best)
}

fn earlier(best: Option<Group>, next: Group) -> Option<Group> {
    match (
        best.as_ref().and_then(|b| b.taken.order()),
        next.taken.order(),
    ) {
        (_, None) => best,
        (Some(old), Some(new)) if old <= new => best,
        (_, Some(_)) => Some(next),
    }
}

fn take_stubs(tx: &Tx<'_>, tenant: i64, mailbox: &str, room: Room) -> Result<Taken> {
    let mut taken = Taken::default();
    let mut statement = tx
        .db
        .prepare_cached(
            "SELECT uid, msg, lane, rank, received_at, retries, unknown, bytes, alone FROM item
             WHERE tenant = ?1 AND mailbox = ?2 AND state = 0 AND lease IS NULL
               AND not_before IS NULL
             ORDER BY rank, received_at, uid LIMIT ?3",
        )
        .map_err(sql)?;
    let rows = statement.query(params![tenant, mailbox, limit(room.items)]);
    let mut rows = rows.map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        if taken.push(taken_item(row)?, row.count(7)?, room) == More::No {
            break;
        }
    }
    Ok(taken)
}

fn taken_item(row: &Row<'_>) -> Result<TakenItem> {
    Ok(TakenItem {
        uid: row.message(0)?,
        msg: row.col(1)?,
        lane: row.bytes16(2)?,
        rank: row.col(3)?,
        received_at: row.col(4)?,
        retries: row.col(5)?,
        unknown: row.col(6)?,
    })
}

impl Taken {
    /// Takes an item, unless it would exceed the room; the first is taken whatever its size.
    fn push(&mut self, item: TakenItem, bytes: u64, room: Room) -> More {
        let sum = self.bytes.saturating_add(bytes);
        if self.items.len() >= room.items || (!self.items.is_empty() && sum > room.bytes) {
            return More::No;
        }
        self.bytes = sum;
        self.items.push(item);
        More::Yes
    }
}

/// Takes from ready lanes in order; a lane's rest waits behind an item that must wait.
fn take_lanes(
    tx: &Tx<'_>,
    tenant: i64,
    kind: LaneKind,
    connection: &str,
    room: Room,
) -> Result<Taken> {
    let mut taken = Taken::default();
    let mut statement = tx
        .db
        .prepare_cached(
            "SELECT lane FROM lane
             WHERE kind = ?1 AND tenant = ?2 AND connection = ?3 AND state = 1
             ORDER BY rank, head_at, head_uid",
        )
        .map_err(sql)?;
    let mut lanes = statement
        .query(params![kind as i64, tenant, connection])
        .map_err(sql)?;
    while let Some(row) = lanes.next().map_err(sql)? {
        let key = LaneKey {
            tenant,
            kind,
            connection: connection.to_owned(),
            lane: row.bytes16(0)?,
        };
        if take_lane(tx, &key, room, &mut taken)? == More::No {
            break;
        }
    }
    Ok(taken)
}

fn take_lane(tx: &Tx<'_>, key: &LaneKey, room: Room, taken: &mut Taken) -> Result<More> {
    let mut statement = tx
        .db
        .prepare_cached(
            "SELECT uid, msg, lane, rank, received_at, retries, unknown, bytes, alone, state,
                 parties
             FROM item WHERE tenant = ?1 AND kind = ?2 AND connection = ?3 AND lane = ?4
             ORDER BY received_at, uid",
        )
        .map_err(sql)?;
    let mut rows = statement
        .query(params![
            key.tenant,
            key.kind as i64,
            key.connection,
            key.lane
        ])
        .map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let alone: bool = row.col(8)?;
        if row.col::<i64>(9)? != Standing::Ready as i64 || (alone && !taken.items.is_empty()) {
            return Ok(More::Yes);
        }
        let parties: Option<String> = row.col(10)?;
        let Some(unknown) = unknown_parties(tx, key, parties.as_deref())? else {
            return Ok(More::Yes);
        };
        if taken.push(taken_item(row)?, row.count(7)?, room) == More::No {
            return Ok(More::No);
        }
        taken.parties.extend(unknown);
        if alone {
            return Ok(More::No);
        }
    }
    Ok(More::Yes)
}

/// The parties without a record; nothing if another claim may be creating one of them.
fn unknown_parties(
    tx: &Tx<'_>,
    key: &LaneKey,
    parties: Option<&str>,
) -> Result<Option<Vec<String>>> {
    let mut unknown = Vec::new();
    for party in parties.unwrap_or_default().lines() {
        let found = one(
            tx.db,
            "SELECT EXISTS (SELECT 1 FROM party
                            WHERE tenant = ?1 AND connection = ?2 AND key = ?3),
                    EXISTS (SELECT 1 FROM reservation
                            WHERE tenant = ?1 AND connection = ?2 AND key = ?3)",
            params![key.tenant, key.connection, party],
            |row| Ok((row.col::<bool>(0)?, row.col::<bool>(1)?)),
        )?;
        match found {
            Some((true, _)) => {}
            Some((false, true)) => return Ok(None),
            Some((false, false)) | None => unknown.push(party.to_owned()),
        }
    }
    Ok(Some(unknown))
}

fn hand_out(
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
        "SELECT mailbox, hint, kept FROM message WHERE tenant = ?1 AND msg = ?2",
        params![tenant, item.msg],
        |row| {
            let thread_hint: Option<String> = row.col(1)?;
            let lane = lanes::intake_text(row.text(0)?, thread_hint.as_deref(), item.uid);
            let work = Work::Process {
                mailbox: row.mailbox(0)?,
                thread_hint,
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
