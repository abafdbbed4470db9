//! Making dead and parked messages pending again.

use nextedge_core::{MessageUid, Outcome, ParkReason, Result};
use rusqlite::params;

use crate::claims;
use crate::db::{Columns, all};
use crate::delivery;
use crate::item::{self, Item};
use crate::lanes::{LaneKind, Standing};
use crate::message::{self, Intake, Message};
use crate::tx::Tx;

/// Makes messages pending again; returns how many changed.
pub(crate) fn requeue(tx: &mut Tx<'_>, tenant: i64, messages: &[MessageUid]) -> Result<u64> {
    let mut changed = 0;
    for uid in messages {
        let Some(mut message) = message::find(tx.db, tenant, *uid)? else {
            continue;
        };
        match replay_of(&message) {
            Replay::None => continue,
            Replay::Intake => start_over(tx, tenant, &mut message)?,
            Replay::DeadDeliveries => replay_dead(tx, tenant, &mut message)?,
        }
        changed += 1;
    }
    Ok(changed)
}

/// Where a message goes on.
enum Replay {
    None,
    Intake,
    DeadDeliveries,
}

fn replay_of(message: &Message) -> Replay {
    match (message.intake, &message.outcome) {
        (Intake::Fetch | Intake::Process | Intake::Held, _) => Replay::None,
        (Intake::Parked, Outcome::Parked { reason }) => match reason {
            ParkReason::Gone
            | ParkReason::Quarantined(_)
            | ParkReason::DuplicateOf(_)
            | ParkReason::Erased => Replay::None,
            _ => Replay::Intake,
        },
        (Intake::Parked | Intake::Dead, _) => Replay::Intake,
        (Intake::Planned, Outcome::Dead { .. }) => Replay::DeadDeliveries,
        (
            Intake::Planned,
            Outcome::Parked {
                reason: ParkReason::Erased,
            },
        ) => Replay::None,
        (Intake::Planned, Outcome::Parked { .. }) => Replay::Intake,
        (Intake::Planned, Outcome::Pending | Outcome::Delivered | Outcome::Review { .. }) => {
            Replay::None
        }
    }
}

fn start_over(tx: &mut Tx<'_>, tenant: i64, message: &mut Message) -> Result<()> {
    if let Some(held) = item::find(tx.db, tenant, message.uid, LaneKind::Intake, "")? {
        message.unknown = held.job.unknown;
        item::remove(tx, &held)?;
    }
    let (intake, standing) = if message::has_raw(tx.db, tenant, message.msg)? {
        (Intake::Process, Standing::Ready)
    } else {
        (Intake::Fetch, Standing::Stub)
    };
    message::set(tx, tenant, message, intake, Outcome::Pending)?;
    item::insert(tx, &Item::intake(tenant, message, standing))?;
    if standing == Standing::Stub
        && let Some(lease) = claims::fetching(tx.db, tenant, message.uid)?
    {
        // The claim that gave it up still runs: it is handed out again when that ends.
        item::lease_stub(tx, tenant, message.uid, lease)?;
    }
    Ok(())
}

fn replay_dead(tx: &mut Tx<'_>, tenant: i64, message: &mut Message) -> Result<()> {
    let dead = all(
        tx.db,
        "SELECT connection FROM delivery WHERE tenant = ?1 AND msg = ?2 AND state = 4
         ORDER BY connection",
        params![tenant, message.msg],
        |row| row.col::<String>(0),
    )?;
    for connection in dead {
        delivery::replay(tx, tenant, message, &connection)?;
    }
    message::follow_deliveries(tx, tenant, message)
}
