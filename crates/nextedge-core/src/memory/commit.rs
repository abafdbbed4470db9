//! Taking results: each unit alone, all or nothing.

use super::state::{DeliveryState, Intake, ItemEnd, Job, MessageRow, TenantState, delivery_lane};
use super::{fenced, not_found};
use crate::clock::{Timestamp, later};
use crate::domain::{
    AuditRow, CallRecord, ConnectionId, DeadReason, LeaseToken, MessageUid, ParkReason,
    ReviewState, ThreadId,
};
use crate::error::{ErrorReport, Result};
use crate::store::{
    AfterDead, CLAIM_MEMORY, Committed, DecisionRecord, DeliveredEnd, DeliveredUnit, JobKind,
    ProcessedOutcome, ProcessedUnit, ThreadChange, Unit,
};

/// Which piece of work a unit concerns.
#[derive(Clone, Debug)]
enum Target {
    Intake,
    Delivery(ConnectionId),
}

impl TenantState {
    pub(super) fn commit(
        &mut self,
        now: Timestamp,
        lease: LeaseToken,
        unit: Unit,
    ) -> Result<Committed> {
        let (message, kind) = match &unit {
            Unit::Calls(_) => (None, None),
            Unit::Fetched { message, .. } => (Some(*message), Some(JobKind::Fetch)),
            Unit::Processed(unit) => (Some(unit.message), Some(JobKind::Process)),
            Unit::Delivered(unit) => (Some(unit.message), Some(JobKind::Deliver)),
            Unit::Park { message, .. }
            | Unit::Retry { message, .. }
            | Unit::Dead { message, .. } => (Some(*message), None),
        };
        let Some(message) = message else {
            return self.commit_calls(now, lease, unit);
        };
        let target = self.fence(now, lease, message, kind)?;
        let failed = carries_error(&unit);
        let committed = self.apply(message, &target, unit)?;
        if failed {
            self.row_mut(message)?.error_at = Some(now);
        }
        if committed != Committed::Stale {
            self.settle(now, lease, message);
        }
        self.touch(message);
        Ok(committed)
    }

    fn commit_calls(&mut self, now: Timestamp, lease: LeaseToken, unit: Unit) -> Result<Committed> {
        let Unit::Calls(calls) = unit else {
            return Err(fenced());
        };
        let running = self.claims.get(&lease).map(|claim| &claim.connection);
        let ended = || {
            let (connection, at) = self.ended.get(&lease)?;
            (later(*at, CLAIM_MEMORY) > now).then_some(connection)
        };
        let connection = running.or_else(ended).and_then(Clone::clone);
        let connection = connection.ok_or_else(|| not_found("connection of the claim"))?;
        self.append_calls(&connection, calls);
        Ok(Committed::Accepted)
    }

    pub(super) fn append_calls(&mut self, connection: &ConnectionId, calls: Vec<CallRecord>) {
        for call in calls {
            self.audit.push(AuditRow {
                seq: self.audit.len() as u64 + 1,
                connection: connection.clone(),
                call,
            });
        }
    }

    /// Checks that the lease is held and the item open, and returns what the unit concerns.
    fn fence(
        &self,
        now: Timestamp,
        lease: LeaseToken,
        message: MessageUid,
        kind: Option<JobKind>,
    ) -> Result<Target> {
        let claim = self.claims.get(&lease).filter(|claim| claim.until > now);
        let claim = claim.ok_or_else(fenced)?;
        let open = claim.items.get(&message) == Some(&ItemEnd::Open);
        if !open || kind.is_some_and(|kind| kind != claim.kind) {
            return Err(fenced());
        }
        match (claim.kind, &claim.connection) {
            (JobKind::Deliver, Some(connection)) => Ok(Target::Delivery(connection.clone())),
            _ => Ok(Target::Intake),
        }
    }

    /// Marks an item's outcome as committed; the first one of a probe opens the gate.
    fn settle(&mut self, now: Timestamp, lease: LeaseToken, message: MessageUid) {
        let Some(claim) = self.claims.get_mut(&lease) else {
            return;
        };
        claim.items.insert(message, ItemEnd::Committed);
        if let (true, Some(connection)) = (claim.probe, claim.connection.clone()) {
            self.pass_gate(now, &connection);
        }
    }

    /// Opens a gate that is not closed anew.
    pub(super) fn pass_gate(&mut self, now: Timestamp, connection: &ConnectionId) {
        if self.gates.get(connection).is_some_and(|g| g.until <= now) {
            self.gates.remove(connection);
        }
    }

    fn apply(&mut self, message: MessageUid, target: &Target, unit: Unit) -> Result<Committed> {
        match unit {
            Unit::Fetched {
                raw,
                received_at,
                thread_hint,
                labels,
                ..
            } => {
                let row = self.row_mut(message)?;
                row.bytes = raw.len() as u64;
                row.raw = Some(raw);
                row.received_at = received_at;
                row.thread_hint = row.thread_hint.take().or(thread_hint);
                row.labels = std::mem::take(&mut row.labels).or(labels);
                row.intake = Intake::Process;
                row.job = Job::default();
            }
            Unit::Processed(unit) => return self.processed(*unit),
            Unit::Delivered(unit) => {
                if let Target::Delivery(connection) = target {
                    self.delivered(connection, *unit)?;
                }
            }
            Unit::Park { reason, .. } => self.park(message, target, reason)?,
            Unit::Retry {
                at, error, keep, ..
            } => {
                let row = self.row_mut(message)?;
                row.kept = keep.or(row.kept.take());
                self.retry(message, target, at, error)?;
            }
            Unit::Dead {
                reason,
                error,
                after,
                ..
            } => self.give_up(message, target, reason, error, after)?,
            Unit::Calls(_) => {}
        }
        Ok(Committed::Accepted)
    }

    fn row_mut(&mut self, message: MessageUid) -> Result<&mut MessageRow> {
        self.messages.get_mut(&message).ok_or_else(fenced)
    }

    fn park(&mut self, message: MessageUid, target: &Target, reason: ParkReason) -> Result<()> {
        let row = self.row_mut(message)?;
        match target {
            Target::Intake => row.intake = Intake::Parked(reason),
            Target::Delivery(connection) => {
                let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
                delivery.job.survived();
                delivery.state = DeliveryState::Parked(reason);
            }
        }
        Ok(())
    }

    fn retry(
        &mut self,
        message: MessageUid,
        target: &Target,
        at: Timestamp,
        error: ErrorReport,
    ) -> Result<()> {
        let row = self.row_mut(message)?;
        row.push_error(error);
        let lane = match target {
            Target::Intake => {
                row.job.retries += 1;
                row.job.survived();
                if matches!(row.intake, Intake::Fetch) {
                    row.job.not_before = Some(at);
                    return Ok(());
                }
                row.lane(message)
            }
            Target::Delivery(connection) => {
                let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
                delivery.job.retries += 1;
                delivery.job.survived();
                delivery_lane(connection, delivery.plan.thread)
            }
        };
        self.delay(lane, at);
        Ok(())
    }

    fn give_up(
        &mut self,
        message: MessageUid,
        target: &Target,
        reason: DeadReason,
        error: ErrorReport,
        after: AfterDead,
    ) -> Result<()> {
        let row = self.row_mut(message)?;
        row.push_error(error);
        match target {
            Target::Intake => {
                row.job.survived();
                row.intake = Intake::Dead(reason, after);
            }
            Target::Delivery(connection) => {
                let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
                delivery.job.survived();
                delivery.state = DeliveryState::Dead(reason, after);
            }
        }
        Ok(())
    }

    fn processed(&mut self, unit: ProcessedUnit) -> Result<Committed> {
        let message = unit.message;
        let original = self.fingerprints.get(&unit.fingerprint).copied();
        if let Some(original) = original.filter(|found| *found != message) {
            let row = self.row_mut(message)?;
            row.intake = Intake::Parked(ParkReason::DuplicateOf(original));
            row.decision = Some(DecisionRecord {
                thread: None,
                owner: None,
                ..unit.decision
            });
            return Ok(Committed::Duplicate(original));
        }
        if self.is_stale(&unit) {
            return Ok(Committed::Stale);
        }
        let row = self.row_mut(message)?;
        row.kept = None;
        row.decision = Some(unit.decision);
        row.job = Job::default();
        let before = row.fingerprint.replace(unit.fingerprint);
        if let Some(before) = before {
            self.fingerprints.remove(&before);
        }
        self.fingerprints.insert(unit.fingerprint, message);
        if let Some(change) = unit.thread {
            self.change_thread(change);
        }
        self.decided(message, unit.outcome)?;
        Ok(Committed::Accepted)
    }

    fn is_stale(&self, unit: &ProcessedUnit) -> bool {
        let thread = unit.thread.as_ref().is_some_and(|change| {
            let present = self.threads.get(&change.thread.id).map_or(0, |t| t.version);
            let found = |key| self.thread_keys.get(key).is_some_and(|ids| !ids.is_empty());
            let moved = |(id, version): &(ThreadId, u64)| {
                self.threads.get(id).map_or(0, |t| t.version) != *version
            };
            present != change.expected
                || change.absent.iter().any(found)
                || change.seen.iter().any(moved)
        });
        let item = match &unit.outcome {
            ProcessedOutcome::Join { item, .. } => {
                let item = self.reviews.get(item);
                item.is_none_or(|item| item.state != ReviewState::Open)
            }
            ProcessedOutcome::Park(_)
            | ProcessedOutcome::Deliver(_)
            | ProcessedOutcome::Review(_) => false,
        };
        thread || item
    }

    fn change_thread(&mut self, change: ThreadChange) {
        let mut thread = change.thread;
        thread.version = change.expected + 1;
        for key in change.keys {
            self.thread_keys.entry(key).or_default().insert(thread.id);
        }
        self.threads.insert(thread.id, thread);
    }

    fn decided(&mut self, message: MessageUid, outcome: ProcessedOutcome) -> Result<()> {
        match outcome {
            ProcessedOutcome::Park(reason) => {
                self.row_mut(message)?.intake = Intake::Parked(reason);
            }
            ProcessedOutcome::Deliver(plans) => {
                let row = self.row_mut(message)?;
                row.intake = Intake::Planned;
                for plan in plans {
                    row.plan(plan, DeliveryState::Pending);
                }
            }
            ProcessedOutcome::Review(item) => {
                let row = self.row_mut(message)?;
                row.intake = Intake::Held(item.id);
                for plan in item.plans.clone() {
                    row.plan(plan, DeliveryState::Review(item.id));
                }
                self.open_review(message, item);
            }
            ProcessedOutcome::Join { item, plans } => {
                let row = self.row_mut(message)?;
                row.intake = Intake::Held(item);
                for plan in plans {
                    row.plan(plan, DeliveryState::Review(item));
                }
                self.join_review(message, item);
            }
        }
        Ok(())
    }

    fn delivered(&mut self, connection: &ConnectionId, unit: DeliveredUnit) -> Result<()> {
        let message = unit.message;
        let row = self.row_mut(message)?;
        let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
        for effect in unit.effects {
            delivery.effects.insert(effect.slot.clone(), effect);
        }
        let thread = delivery.plan.thread;
        for known in unit.parties {
            let party = self.parties.entry(known.party).or_default();
            party.insert(connection.clone(), known.record);
        }
        if let Some(record) = unit.record {
            let records = self.records.entry(thread).or_default();
            records.insert(connection.clone(), record);
        }
        let target = Target::Delivery(connection.clone());
        match unit.end {
            DeliveredEnd::Done => self.delivery_ends(message, connection, DeliveryState::Done),
            DeliveredEnd::Retry { at, error } => self.retry(message, &target, at, error),
            DeliveredEnd::Unknown { at, error } => {
                self.retry(message, &target, at, error)?;
                let row = self.row_mut(message)?;
                let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
                delivery.job.unknown = true;
                Ok(())
            }
            DeliveredEnd::Dead { error, after } => {
                let reason = DeadReason::Deliver(error.text.clone());
                self.give_up(message, &target, reason, error, after)
            }
            DeliveredEnd::Review(item) => {
                self.delivery_ends(message, connection, DeliveryState::Review(item.id))?;
                let row = self.row_mut(message)?;
                let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
                let mut plans = item.plans.iter();
                if let Some(plan) = plans.find(|plan| plan.connection == *connection) {
                    delivery.plan = plan.clone();
                }
                self.open_review(message, item);
                Ok(())
            }
        }
    }

    fn delivery_ends(
        &mut self,
        message: MessageUid,
        connection: &ConnectionId,
        state: DeliveryState,
    ) -> Result<()> {
        let row = self.row_mut(message)?;
        let delivery = row.deliveries.get_mut(connection).ok_or_else(fenced)?;
        delivery.job.survived();
        if matches!(state, DeliveryState::Done) {
            delivery.job.unknown = false;
        }
        delivery.state = state;
        Ok(())
    }
}

fn carries_error(unit: &Unit) -> bool {
    match unit {
        Unit::Retry { .. } | Unit::Dead { .. } => true,
        Unit::Delivered(unit) => match unit.end {
            DeliveredEnd::Retry { .. }
            | DeliveredEnd::Unknown { .. }
            | DeliveredEnd::Dead { .. } => true,
            DeliveredEnd::Done | DeliveredEnd::Review(_) => false,
        },
        Unit::Fetched { .. } | Unit::Processed(_) | Unit::Park { .. } | Unit::Calls(_) => false,
    }
}
