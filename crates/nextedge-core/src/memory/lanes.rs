//! Which work stands where: lanes in order, and what each waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{ClaimRow, DeliveryState, Intake, Job, MessageRow, TenantState, delivery_lane};
use crate::clock::Timestamp;
use crate::context::ConnectionRole;
use crate::domain::{ConnectionId, MailboxId, MessageUid, PartyKey, Plan, RecordRef};
use crate::store::{AfterDead, JobKind};

/// What may be claimed together: stubs of one mailbox, lanes of one sink, or of one tenant.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) connection: Option<ConnectionId>,
    pub(super) mailbox: Option<MailboxId>,
    /// Until when its connection's gate is closed; a gate in the past means probing.
    pub(super) gate: Option<Timestamp>,
    pub(super) lanes: Vec<Lane>,
}

/// Work that is done in order; for `Fetch` one stub.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: String,
    /// What time it waits for: its delay, or the end of the lease that holds it.
    pub(super) due: Timestamp,
    /// The items up to the first that waits for something else; never empty.
    pub(super) items: Vec<Candidate>,
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) message: MessageUid,
    pub(super) backfill: bool,
    pub(super) received_at: Timestamp,
    pub(super) bytes: u64,
    pub(super) alone: bool,
    /// An earlier attempt has no known outcome.
    pub(super) unknown: bool,
    /// Parties that it needs.
    pub(super) parties: Vec<PartyKey>,
    /// Parties that it needs and whose record is not known.
    pub(super) unknown_parties: Vec<PartyKey>,
}

/// Rows by lane.
type Rows<'a> = BTreeMap<String, Vec<(MessageUid, &'a MessageRow)>>;

/// What one row means to its lane.
enum Standing {
    Ready(Candidate),
    Blocks,
    Gone,
}

impl Lane {
    pub(super) fn head_order(&self) -> Option<(bool, Timestamp, MessageUid)> {
        let head = self.items.first()?;
        Some((head.backfill, head.received_at, head.message))
    }
}

/// What the heads of delivery lanes may have made in attempts of unknown outcome: lane and party.
#[derive(Debug, Default)]
pub(super) struct Unsettled(Vec<(String, PartyKey)>);

impl Unsettled {
    pub(super) fn of(lanes: &[Lane]) -> Self {
        let heads = lanes.iter().filter_map(|lane| {
            let head = lane.items.first()?;
            head.unknown.then_some((lane, head))
        });
        let parties = heads.flat_map(|(lane, head)| {
            let parties = head.parties.iter();
            parties.map(|party| (lane.name.clone(), party.clone()))
        });
        Self(parties.collect())
    }

    /// Whether an item waits for another lane: for its sender, or for a company without a record.
    /// Items that are themselves of unknown outcome wait for nobody.
    pub(super) fn holds(&self, lane: &str, item: &Candidate) -> bool {
        let concerns = |party: &PartyKey| match party {
            PartyKey::Address(_) => item.parties.contains(party),
            PartyKey::Company(_) => item.unknown_parties.contains(party),
        };
        let mut others = self.0.iter().filter(|(other, _)| other != lane);
        !item.unknown && others.any(|(_, party)| concerns(party))
    }
}

impl TenantState {
    /// Lists the groups of a kind on unpaused mailboxes and usable connections.
    pub(super) fn groups(&self, kind: JobKind) -> Vec<Group> {
        match kind {
            JobKind::Fetch => self.fetch_groups(),
            JobKind::Process => vec![Group {
                connection: None,
                mailbox: None,
                gate: None,
                lanes: self.process_lanes(),
            }],
            JobKind::Deliver => self.deliver_groups(),
        }
    }

    fn gate(&self, connection: &ConnectionId) -> Option<Timestamp> {
        self.gates.get(connection).map(|gate| gate.until)
    }

    fn fetch_groups(&self) -> Vec<Group> {
        let mut by_mailbox: BTreeMap<&MailboxId, Vec<Lane>> = BTreeMap::new();
        for (uid, row) in self.active_rows() {
            if !matches!(row.intake, Intake::Fetch) {
                continue;
            }
            let held = self.held_until(JobKind::Fetch, |claim| claim.items.contains_key(&uid));
            let lane = Lane {
                name: row.lane(uid),
                due: latest(row.job.not_before, held),
                items: vec![candidate(uid, row, &row.job, row.bytes)],
            };
            by_mailbox.entry(&row.mailbox).or_default().push(lane);
        }
        let mut groups = Vec::new();
        for (id, lanes) in by_mailbox {
            let Some(mailbox) = self.mailboxes.get(id).map(|row| &row.mailbox) else {
                continue;
            };
            if mailbox.paused || !self.is_usable(&mailbox.connection, ConnectionRole::Source) {
                continue;
            }
            groups.push(Group {
                connection: Some(mailbox.connection.clone()),
                mailbox: Some(id.clone()),
                gate: self.gate(&mailbox.connection),
                lanes,
            });
        }
        groups
    }

    fn process_lanes(&self) -> Vec<Lane> {
        let mut lanes: Rows<'_> = BTreeMap::new();
        for (uid, row) in self.active_rows() {
            let open = matches!(
                row.intake,
                Intake::Fetch | Intake::Process | Intake::Dead(..)
            );
            if open {
                lanes.entry(row.lane(uid)).or_default().push((uid, row));
            }
        }
        let listing = self.mailboxes.values().any(|row| row.mailbox.is_listing());
        lanes.retain(|_, rows| {
            let unfetched = rows
                .iter()
                .any(|(_, row)| matches!(row.intake, Intake::Fetch));
            !(unfetched || listing && self.first_lists_first(rows))
        });
        let lanes = lanes.into_iter();
        lanes
            .filter_map(|(name, rows)| {
                self.lane(JobKind::Process, name, rows, |uid, row| match row.intake {
                    Intake::Process => {
                        let bytes = row.raw.as_ref().map_or(0, |raw| raw.len() as u64);
                        Standing::Ready(candidate(uid, row, &row.job, bytes))
                    }
                    Intake::Dead(_, AfterDead::HoldLane) => Standing::Blocks,
                    _ => Standing::Gone,
                })
            })
            .collect()
    }

    /// Tells whether the first item of a lane is of a mailbox that waits for listings.
    fn first_lists_first(&self, rows: &[(MessageUid, &MessageRow)]) -> bool {
        let gone = |row: &MessageRow| matches!(row.intake, Intake::Dead(_, AfterDead::Continue));
        let first = rows.iter().filter(|(_, row)| !gone(row));
        let first = first.min_by_key(|(uid, row)| (row.received_at, *uid));
        let mailbox = first.and_then(|(_, row)| self.mailboxes.get(&row.mailbox));
        mailbox.is_some_and(|row| row.mailbox.list_first)
    }

    fn deliver_groups(&self) -> Vec<Group> {
        let mut sinks: BTreeMap<&ConnectionId, Rows<'_>> = BTreeMap::new();
        for (uid, row) in self.active_rows() {
            for (connection, delivery) in &row.deliveries {
                let lane = delivery_lane(connection, delivery.plan.thread);
                let lanes = sinks.entry(connection).or_default();
                lanes.entry(lane).or_default().push((uid, row));
            }
        }
        sinks.retain(|connection, _| self.is_usable(connection, ConnectionRole::Sink));
        let sinks = sinks.into_iter();
        sinks
            .map(|(connection, lanes)| Group {
                connection: Some(connection.clone()),
                mailbox: None,
                gate: self.gate(connection),
                lanes: lanes
                    .into_iter()
                    .filter_map(|(name, rows)| {
                        self.lane(JobKind::Deliver, name, rows, |uid, row| {
                            self.delivery_standing(uid, row, connection)
                        })
                    })
                    .collect(),
            })
            .collect()
    }

    fn delivery_standing(
        &self,
        uid: MessageUid,
        row: &MessageRow,
        connection: &ConnectionId,
    ) -> Standing {
        let Some(delivery) = row.deliveries.get(connection) else {
            return Standing::Gone;
        };
        match delivery.state {
            DeliveryState::Done
            | DeliveryState::Parked(_)
            | DeliveryState::Dead(_, AfterDead::Continue) => Standing::Gone,
            DeliveryState::Review(_) | DeliveryState::Dead(_, AfterDead::HoldLane) => {
                Standing::Blocks
            }
            DeliveryState::Pending => {
                let bytes = row.raw.as_ref().map_or(0, |raw| raw.len() as u64);
                let mut candidate = candidate(uid, row, &delivery.job, bytes);
                candidate.parties = parties_of(&delivery.plan);
                candidate.unknown_parties = candidate.parties.clone();
                candidate
                    .unknown_parties
                    .retain(|party| self.party(party, connection).is_none());
                Standing::Ready(candidate)
            }
        }
    }

    fn lane<'a>(
        &self,
        kind: JobKind,
        name: String,
        mut rows: Vec<(MessageUid, &'a MessageRow)>,
        standing: impl Fn(MessageUid, &'a MessageRow) -> Standing,
    ) -> Option<Lane> {
        rows.sort_by_key(|(uid, row)| (row.received_at, *uid));
        let mut items = Vec::new();
        for (uid, row) in rows {
            match standing(uid, row) {
                Standing::Ready(candidate) => items.push(candidate),
                Standing::Blocks => break,
                Standing::Gone => {}
            }
        }
        let held = self.held_until(kind, |claim| claim.lanes.contains(&name));
        let due = latest(self.delays.get(&name).copied(), held);
        (!items.is_empty()).then_some(Lane { name, due, items })
    }

    fn held_until(&self, kind: JobKind, holds: impl Fn(&ClaimRow) -> bool) -> Option<Timestamp> {
        let mut claims = self.claims.values();
        claims
            .find(|claim| claim.kind == kind && holds(claim))
            .map(|claim| claim.until)
    }

    /// Lists the parties that other claims create on a connection right now.
    pub(super) fn reserved(&self, connection: &ConnectionId) -> BTreeSet<PartyKey> {
        let claims = self.claims.values();
        claims
            .filter(|claim| claim.connection.as_ref() == Some(connection))
            .flat_map(|claim| claim.parties.iter().cloned())
            .collect()
    }

    pub(super) fn party(&self, party: &PartyKey, connection: &ConnectionId) -> Option<&RecordRef> {
        self.parties.get(party)?.get(connection)
    }
}

/// The parties a delivery needs, in sorted order: the sender, and the company if it is planned.
pub(super) fn parties_of(plan: &Plan) -> Vec<PartyKey> {
    let mut parties = PartyKey::of(&plan.sender.address);
    if plan.company.is_none() {
        parties.retain(|party| !matches!(party, PartyKey::Company(_)));
    }
    parties.sort();
    parties
}

fn candidate(message: MessageUid, row: &MessageRow, job: &Job, bytes: u64) -> Candidate {
    Candidate {
        message,
        backfill: row.backfill,
        received_at: row.received_at,
        bytes,
        alone: job.alone,
        unknown: job.unknown,
        parties: Vec::new(),
        unknown_parties: Vec::new(),
    }
}

fn latest(one: Option<Timestamp>, other: Option<Timestamp>) -> Timestamp {
    one.max(other).unwrap_or(Timestamp::MIN_UTC)
}
