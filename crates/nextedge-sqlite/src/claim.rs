//! Choosing what to hand out.

use std::collections::BTreeSet;

use nextedge_core::store::{Claim, ClaimRequest, JobKind, Scope};
use nextedge_core::{MessageUid, Result, TenantId};
use rusqlite::{Row, params};

use crate::claims::{self, kind_code};
use crate::db::{Columns, all, exec, limit, one};
use crate::error::sql;
use crate::hand_out::hand_out;
use crate::lanes::{self, LaneKey, LaneKind, Standing};
use crate::tx::Tx;

/// A claim whose raw bytes are still to be read.
pub(crate) struct Draft {
    pub(crate) tenant: i64,
    pub(crate) claim: Claim,
}

/// What may be claimed together.
pub(crate) struct Group {
    pub(crate) connection: String,
    pub(crate) mailbox: Option<String>,
    pub(crate) probe: bool,
    pub(crate) taken: Taken,
}

#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) items: Vec<TakenItem>,
    pub(crate) parties: BTreeSet<String>,
    pub(crate) bytes: u64,
    /// Some delivery of the sink has a start of unknown outcome, so that others may have to wait.
    unsettled: bool,
}

pub(crate) struct TakenItem {
    pub(crate) uid: MessageUid,
    pub(crate) msg: i64,
    pub(crate) lane: [u8; 16],
    pub(crate) rank: i64,
    pub(crate) received_at: i64,
    pub(crate) retries: u32,
    pub(crate) unknown: bool,
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
    let mut taken = Taken {
        unsettled: kind == LaneKind::Delivery && any_unsettled(tx, tenant, connection)?,
        ..Taken::default()
    };
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
        let is_unknown: bool = row.col(6)?;
        if taken.unsettled && !is_unknown && awaits_party(tx, key, parties.as_deref(), &unknown)? {
            return Ok(More::Yes);
        }
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

fn any_unsettled(tx: &Tx<'_>, tenant: i64, connection: &str) -> Result<bool> {
    let any = one(
        tx.db,
        "SELECT EXISTS (SELECT 1 FROM item WHERE tenant = ?1 AND connection = ?2
             AND kind = 2 AND unknown = 1 AND state = 1)",
        params![tenant, connection],
        |row| row.col(0),
    )?;
    Ok(any.unwrap_or(false))
}

/// Whether the head of another lane may have made a record of this sender, or of a company without a
/// known one, in an attempt of unknown outcome.
fn awaits_party(
    tx: &Tx<'_>,
    key: &LaneKey,
    parties: Option<&str>,
    unknown: &[String],
) -> Result<bool> {
    let concerns = |party: &&str| party.starts_with("a:") || unknown.iter().any(|own| own == party);
    for party in parties.unwrap_or_default().lines().filter(concerns) {
        let found: Option<bool> = one(
            tx.db,
            "SELECT EXISTS (SELECT 1 FROM item i
                 WHERE i.tenant = ?1 AND i.connection = ?2
                   AND i.kind = 2 AND i.unknown = 1 AND i.state = 1 AND i.lane <> ?3
                   AND instr(char(10) || i.parties || char(10), char(10) || ?4 || char(10)) > 0
                   AND NOT EXISTS (SELECT 1 FROM item e
                       WHERE e.tenant = i.tenant AND e.kind = 2 AND e.connection = i.connection
                         AND e.lane = i.lane
                         AND (e.received_at, e.uid) < (i.received_at, i.uid)))",
            params![key.tenant, key.connection, key.lane, party],
            |row| row.col(0),
        )?;
        if found == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}
