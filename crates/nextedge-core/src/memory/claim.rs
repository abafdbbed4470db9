//! Taking work, and what becomes of it when a claim ends.

use std::collections::BTreeSet;

use super::lanes::{Candidate, Group, Lane, Unsettled, parties_of};
use super::state::{
    ClaimRow, DeliveryState, Intake, ItemEnd, Job, State, TenantState, delivery_lane,
};
use crate::clock::{Timestamp, later};
use crate::domain::{
    CallRecord, ConnectionId, DeadReason, LeaseToken, MessageUid, PartyKey, TenantId,
};
use crate::error::Result;
use crate::store::{
    AfterDead, CLAIM_MEMORY, Claim, ClaimRequest, ClaimedItem, JobKind, KnownRecord, Scope, Work,
};

/// What a claim takes.
#[derive(Debug, Default)]
struct Taken {
    items: Vec<(String, Candidate)>,
    parties: BTreeSet<PartyKey>,
    /// Parties that other claims may be creating.
    reserved: BTreeSet<PartyKey>,
    /// Parties that attempts of unknown outcome may have made.
    unsettled: Unsettled,
}

impl Taken {
    /// Takes nothing yet, and nothing that waits for these.
    fn besides(reserved: BTreeSet<PartyKey>, unsettled: Unsettled) -> Self {
        Self {
            reserved,
            unsettled,
            ..Self::default()
        }
    }

    fn is_free(&self, lane: &str, item: &Candidate) -> bool {
        let mut parties = item.unknown_parties.iter();
        !parties.any(|party| self.reserved.contains(party)) && !self.unsettled.holds(lane, item)
    }
}

impl State {
    pub(super) fn claim(
        &mut self,
        now: Timestamp,
        request: &ClaimRequest,
    ) -> Result<Option<Claim>> {
        let mut tenants = self.in_scope(&request.scope);
        for tenant in &tenants {
            self.tenant_mut(tenant).end_overdue(now);
        }
        tenants.sort_by_key(|tenant| self.served.get(&(request.kind, tenant.clone())).copied());
        for tenant in tenants {
            if let Some(claim) = self.tenant_mut(&tenant).claim(now, &tenant, request)? {
                self.turn += 1;
                self.served.insert((request.kind, tenant), self.turn);
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    pub(super) fn next_due(&self, now: Timestamp, scope: &Scope) -> Option<Timestamp> {
        let tenants = self.in_scope(scope);
        let due = tenants.iter().filter_map(|id| self.tenant(id)?.next_due());
        due.min().map(|at| at.max(now))
    }
}

impl TenantState {
    fn claim(
        &mut self,
        now: Timestamp,
        tenant: &TenantId,
        request: &ClaimRequest,
    ) -> Result<Option<Claim>> {
        let mut best = None;
        for mut group in self.groups(request.kind) {
            if !self.may_claim(now, &group, request) {
                continue;
            }
            let reserved = group.connection.as_ref().map(|c| self.reserved(c));
            let taken = Taken::besides(reserved.unwrap_or_default(), Unsettled::of(&group.lanes));
            group.lanes.retain(|lane| {
                let mut head = lane.items.first().into_iter();
                lane.due <= now && head.any(|item| taken.is_free(&lane.name, item))
            });
            group.lanes.sort_by_key(Lane::head_order);
            let order = group.lanes.first().and_then(Lane::head_order);
            let order = order.map(|head| (head, group.connection.clone()));
            if order.is_some() && best.as_ref().is_none_or(|(o, _, _)| order < *o) {
                best = Some((order, group, taken));
            }
        }
        let Some((_, mut group, taken)) = best else {
            return Ok(None);
        };
        let probe = group.gate.is_some();
        let max_items = if probe { 1 } else { request.max_items };
        let lanes = std::mem::take(&mut group.lanes);
        let taken = take(taken, lanes, max_items, request.max_bytes);
        if taken.items.is_empty() {
            return Ok(None);
        }
        let lease = LeaseToken::random()?;
        let items = self.describe(request.kind, group.connection.as_ref(), &taken);
        self.claims
            .insert(lease, claim_row(now, request, &group, taken, probe));
        Ok(Some(Claim {
            tenant: tenant.clone(),
            lease,
            connection: group.connection,
            mailbox: group.mailbox,
            items,
        }))
    }

    /// Checks vendor, gate and in-flight cap of a group.
    fn may_claim(&self, now: Timestamp, group: &Group, request: &ClaimRequest) -> bool {
        if let Some(connection) = &group.connection
            && !self.serves(connection, &request.vendor)
        {
            return false;
        }
        let same =
            |claim: &&ClaimRow| claim.kind == request.kind && claim.connection == group.connection;
        if self.claims.values().filter(same).count() >= request.max_in_flight {
            return false;
        }
        match (&group.connection, group.gate) {
            (Some(connection), Some(until)) => until <= now && !self.is_busy(connection, now),
            _ => true,
        }
    }

    /// Tells whether any claim runs on a connection; a probe waits for all of them.
    pub(super) fn is_busy(&self, connection: &ConnectionId, now: Timestamp) -> bool {
        let mut claims = self.claims.values();
        let mut mailboxes = self.mailboxes.values();
        claims.any(|claim| claim.until > now && claim.connection.as_ref() == Some(connection))
            || mailboxes.any(|row| {
                let leased = row.lease.as_ref().is_some_and(|lease| lease.until > now);
                leased && row.mailbox.connection == *connection
            })
    }

    fn describe(
        &self,
        kind: JobKind,
        connection: Option<&ConnectionId>,
        taken: &Taken,
    ) -> Vec<ClaimedItem> {
        let items = taken.items.iter();
        items
            .filter_map(|(lane, candidate)| {
                let message = candidate.message;
                let (job, work) = self.work(kind, connection, message)?;
                Some(ClaimedItem {
                    message,
                    lane: lane.clone(),
                    attempt: job.retries + 1,
                    outcome_unknown: job.unknown,
                    received_at: candidate.received_at,
                    work,
                })
            })
            .collect()
    }

    fn work(
        &self,
        kind: JobKind,
        connection: Option<&ConnectionId>,
        message: MessageUid,
    ) -> Option<(&Job, Work)> {
        let row = self.messages.get(&message)?;
        let raw = row.raw.clone().unwrap_or_default();
        let mailbox = row.mailbox.clone();
        let work = match kind {
            JobKind::Fetch => Work::Fetch {
                provider_id: row.provider_id.clone(),
                locator: row.locator.clone(),
            },
            JobKind::Process => Work::Process {
                mailbox,
                thread_hint: row.thread_hint.clone(),
                labels: row.labels.clone(),
                raw,
                kept: row.kept.clone(),
            },
            JobKind::Deliver => {
                let connection = connection?;
                let delivery = row.deliveries.get(connection)?;
                let work = Work::Deliver {
                    mailbox,
                    plan: delivery.plan.clone(),
                    done: delivery.effects.values().cloned().collect(),
                    raw,
                    parties: self.known_parties(&parties_of(&delivery.plan), connection),
                    record: self.record_of(delivery.plan.thread, connection).cloned(),
                };
                return Some((&delivery.job, work));
            }
        };
        Some((&row.job, work))
    }

    fn known_parties(&self, parties: &[PartyKey], connection: &ConnectionId) -> Vec<KnownRecord> {
        let parties = parties.iter();
        parties
            .filter_map(|party| {
                Some(KnownRecord {
                    party: party.clone(),
                    record: self.party(party, connection)?.clone(),
                })
            })
            .collect()
    }

    /// Ends the claims whose lease ran out, and forgets what no longer matters.
    pub(super) fn end_overdue(&mut self, now: Timestamp) {
        for (token, until) in self.claims_by_items(|claim| claim.until <= now) {
            self.end_lost(token, until);
        }
        self.delays.retain(|_, until| *until > now);
        self.ended
            .retain(|_, (_, at)| later(*at, CLAIM_MEMORY) > now);
    }

    /// Ends every claim and frees every mailbox as if the process had died.
    pub(super) fn end_all(&mut self, now: Timestamp) {
        for (token, _) in self.claims_by_items(|_| true) {
            self.end_lost(token, now);
        }
        self.mailboxes.values_mut().for_each(|row| row.lease = None);
    }

    /// Lists claims with their ends, in an order that does not hang on their random tokens.
    fn claims_by_items(&self, wanted: impl Fn(&ClaimRow) -> bool) -> Vec<(LeaseToken, Timestamp)> {
        let mut claims: Vec<_> = self.claims.iter().filter(|(_, row)| wanted(row)).collect();
        claims.sort_by_key(|(_, row)| (row.items.keys().next(), &row.connection));
        let ends = claims.into_iter().map(|(token, row)| (*token, row.until));
        ends.collect()
    }

    /// Ends a claim by its own worker: items without an outcome lose their start.
    pub(super) fn release(&mut self, now: Timestamp, token: LeaseToken) {
        if self
            .claims
            .get(&token)
            .is_some_and(|claim| claim.until > now)
            && let Some(claim) = self.claims.remove(&token)
        {
            self.ended.insert(token, (claim.connection, now));
        }
    }

    fn end_lost(&mut self, token: LeaseToken, at: Timestamp) {
        let Some(claim) = self.claims.remove(&token) else {
            return;
        };
        let open = claim.items.iter().filter(|(_, end)| **end == ItemEnd::Open);
        let open: Vec<MessageUid> = open.map(|(message, _)| *message).collect();
        for message in &open {
            match (claim.kind, &claim.connection) {
                // a repeated read does no harm
                (JobKind::Fetch, _) => {}
                (JobKind::Process, _) => self.lose_process(*message, claim.settled),
                (JobKind::Deliver, Some(connection)) => {
                    self.lose_delivery(*message, connection, claim.settled);
                }
                (JobKind::Deliver, None) => {}
            }
            self.touch(*message);
        }
        if let (JobKind::Deliver, Some(connection), false) =
            (claim.kind, &claim.connection, open.is_empty())
        {
            self.append_calls(connection, vec![CallRecord::interrupted(at, open)]);
        }
        self.ended.insert(token, (claim.connection, at));
    }

    fn lose_process(&mut self, message: MessageUid, settled: Timestamp) {
        let Some(row) = self.messages.get_mut(&message) else {
            return;
        };
        if !matches!(row.intake, Intake::Process) {
            return;
        }
        let lane = row.lane(message);
        if crashed(&mut row.job) {
            row.intake = Intake::Dead(DeadReason::Crash, AfterDead::Continue);
        } else {
            self.delay(lane, settled);
        }
    }

    fn lose_delivery(
        &mut self,
        message: MessageUid,
        connection: &ConnectionId,
        settled: Timestamp,
    ) {
        let row = self.messages.get_mut(&message);
        let Some(delivery) = row.and_then(|row| row.deliveries.get_mut(connection)) else {
            return;
        };
        if !matches!(delivery.state, DeliveryState::Pending) {
            return;
        }
        let thread = delivery.plan.thread;
        if !crashed(&mut delivery.job) {
            self.delay(delivery_lane(connection, thread), settled);
            return;
        }
        // a later mail of a thread without a record would create one without this mail
        let linked = self
            .records
            .get(&thread)
            .is_some_and(|r| r.contains_key(connection));
        let after = if linked {
            AfterDead::Continue
        } else {
            AfterDead::HoldLane
        };
        delivery.state = DeliveryState::Dead(DeadReason::Crash, after);
    }

    fn next_due(&self) -> Option<Timestamp> {
        let kinds = [JobKind::Fetch, JobKind::Process, JobKind::Deliver];
        let groups = kinds.into_iter().flat_map(|kind| self.groups(kind));
        let items = groups.flat_map(|group| {
            let gate = group.gate.unwrap_or(Timestamp::MIN_UTC);
            let lanes = group.lanes.into_iter();
            lanes.map(move |lane| lane.due.max(gate))
        });
        items.chain(self.mailboxes_due()).min()
    }
}

/// Notes a start without outcome; tells whether it was the last that is borne.
fn crashed(job: &mut Job) -> bool {
    job.unknown = true;
    if job.alone {
        job.crashes += 1;
    }
    job.alone = true;
    job.crashes >= MAX_CRASHES
}

/// Takes from sorted lanes; a lane's rest waits behind an item that must wait.
fn take(mut taken: Taken, lanes: Vec<Lane>, max_items: usize, max_bytes: u64) -> Taken {
    let mut bytes = 0_u64;
    for lane in lanes {
        for item in lane.items {
            let first = taken.items.is_empty();
            if !taken.is_free(&lane.name, &item) || (item.alone && !first) {
                break;
            }
            bytes = bytes.saturating_add(item.bytes);
            if taken.items.len() >= max_items || (!first && bytes > max_bytes) {
                return taken;
            }
            taken.parties.extend(item.unknown_parties.iter().cloned());
            let alone = item.alone;
            taken.items.push((lane.name.clone(), item));
            if alone {
                return taken;
            }
        }
    }
    taken
}

fn claim_row(
    now: Timestamp,
    request: &ClaimRequest,
    group: &Group,
    taken: Taken,
    probe: bool,
) -> ClaimRow {
    let items = taken.items.iter();
    ClaimRow {
        kind: request.kind,
        connection: group.connection.clone(),
        until: later(now, request.lease),
        settled: later(now, request.settle),
        probe,
        items: items
            .clone()
            .map(|(_, item)| (item.message, ItemEnd::Open))
            .collect(),
        lanes: items.map(|(lane, _)| lane.clone()).collect(),
        parties: taken.parties,
    }
}

/// Crashes of one item while it is alone after which it is given up.
const MAX_CRASHES: u32 = 3;
