//! Items that a person decides: opening, joining, deciding.

use std::collections::BTreeMap;

use super::state::{DeliveryState, Intake, MessageRow, TenantState};
use super::{conflict, not_found};
use crate::domain::{
    MessageUid, Outcome, ParkReason, Plan, ReviewDecision, ReviewId, ReviewItem, ReviewState,
};
use crate::error::{Error, ErrorKind, Result};

impl TenantState {
    /// Opens an item, or opens it again; what waits for an open one goes on waiting.
    pub(super) fn open_review(&mut self, opener: MessageUid, mut item: ReviewItem) {
        let before = self.reviews.remove(&item.id);
        item.version = before.as_ref().map_or(0, |before| before.version) + 1;
        item.state = ReviewState::Open;
        item.waiting = vec![opener];
        if let Some(before) = before.filter(|before| before.state == ReviewState::Open) {
            let kept = before.waiting.into_iter().filter(|uid| *uid != opener);
            item.waiting.extend(kept);
            for plan in before.plans {
                if !item.plans.iter().any(|p| p.connection == plan.connection) {
                    item.plans.push(plan);
                }
            }
            self.sort_waiting(&mut item);
        }
        self.reviews.insert(item.id, item);
    }

    pub(super) fn join_review(&mut self, message: MessageUid, id: ReviewId) {
        let Some(mut item) = self.reviews.remove(&id) else {
            return;
        };
        item.version += 1;
        if !item.waiting.contains(&message) {
            item.waiting.push(message);
        }
        self.sort_waiting(&mut item);
        self.reviews.insert(id, item);
    }

    /// The opener first, then in thread order.
    fn sort_waiting(&self, item: &mut ReviewItem) {
        let opener = item.message;
        item.waiting
            .sort_by_key(|uid| (*uid != opener, self.order_of(*uid)));
    }

    pub(super) fn decide(
        &mut self,
        id: ReviewId,
        version: u64,
        decision: ReviewDecision,
    ) -> Result<ReviewItem> {
        let item = self
            .reviews
            .get(&id)
            .ok_or_else(|| not_found("review item"))?;
        if item.version != version || item.state != ReviewState::Open {
            return Err(conflict("review item", version, item.version));
        }
        let mut item = item.clone();
        match decision {
            ReviewDecision::Approve => {
                item.state = ReviewState::Approved;
                self.each_waiting(&item, |row| row.release(id));
            }
            ReviewDecision::Reject => {
                item.state = ReviewState::Rejected;
                self.each_waiting(&item, |row| row.park_held(id, &ParkReason::Rejected));
            }
            ReviewDecision::Expire => {
                item.state = ReviewState::Expired;
                self.each_waiting(&item, |row| row.park_held(id, &ParkReason::Expired));
            }
            ReviewDecision::Correct { category, plans } => {
                let mut by_message = by_message(&item, plans)?;
                item.state = ReviewState::Corrected;
                item.category = category;
                item.plans = by_message.get(&item.message).cloned().unwrap_or_default();
                for message in item.waiting.clone() {
                    let plans = by_message.remove(&message).unwrap_or_default();
                    if let Some(row) = self.messages.get_mut(&message) {
                        row.correct(id, plans);
                    }
                    self.touch(message);
                }
            }
        }
        item.version += 1;
        self.reviews.insert(id, item.clone());
        Ok(item)
    }

    fn each_waiting(&mut self, item: &ReviewItem, change: impl Fn(&mut MessageRow)) {
        for message in &item.waiting {
            if let Some(row) = self.messages.get_mut(message) {
                change(row);
            }
            self.touch(*message);
        }
    }

    /// Makes a dead or parked message pending again; tells whether it changed.
    pub(super) fn requeue(&mut self, message: MessageUid) -> bool {
        let changed = self
            .messages
            .get_mut(&message)
            .is_some_and(MessageRow::replay);
        self.touch(message);
        changed
    }
}

impl MessageRow {
    /// Lets what the item held go on.
    fn release(&mut self, id: ReviewId) {
        for delivery in self.deliveries.values_mut() {
            if matches!(delivery.state, DeliveryState::Review(item) if item == id) {
                delivery.job = delivery.job.replayed();
                delivery.state = DeliveryState::Pending;
            }
        }
        if matches!(self.intake, Intake::Held(item) if item == id) {
            self.intake = Intake::Planned;
        }
    }

    /// Parks what the item held, and the message if it has no delivery at all.
    fn park_held(&mut self, id: ReviewId, reason: &ParkReason) {
        for delivery in self.deliveries.values_mut() {
            if matches!(delivery.state, DeliveryState::Review(item) if item == id) {
                delivery.state = DeliveryState::Parked(reason.clone());
            }
        }
        if matches!(self.intake, Intake::Held(item) if item == id) {
            self.intake = if self.deliveries.is_empty() {
                Intake::Parked(reason.clone())
            } else {
                Intake::Planned
            };
        }
    }

    fn correct(&mut self, id: ReviewId, plans: Vec<Plan>) {
        for plan in plans {
            let held = self.deliveries.get(&plan.connection);
            let open = held
                .is_none_or(|row| matches!(row.state, DeliveryState::Review(item) if item == id));
            if open {
                self.plan(plan, DeliveryState::Pending);
            }
        }
        self.park_held(id, &ParkReason::NotRelevant);
    }

    fn replay(&mut self) -> bool {
        match &self.intake {
            Intake::Parked(
                ParkReason::Gone
                | ParkReason::Quarantined(_)
                | ParkReason::DuplicateOf(_)
                | ParkReason::Erased,
            )
            | Intake::Fetch
            | Intake::Process
            | Intake::Held(_) => return false,
            Intake::Parked(_) | Intake::Dead(..) => self.start_over(),
            Intake::Planned => match self.outcome() {
                Outcome::Dead { .. } => self.replay_dead(),
                Outcome::Parked {
                    reason: ParkReason::Erased,
                } => return false,
                Outcome::Parked { .. } => self.start_over(),
                _ => return false,
            },
        }
        true
    }

    fn start_over(&mut self) {
        self.job = self.job.replayed();
        self.intake = if self.raw.is_some() {
            Intake::Process
        } else {
            Intake::Fetch
        };
    }

    fn replay_dead(&mut self) {
        for delivery in self.deliveries.values_mut() {
            if matches!(delivery.state, DeliveryState::Dead(..)) {
                delivery.job = delivery.job.replayed();
                delivery.state = DeliveryState::Pending;
            }
        }
    }
}

fn by_message(item: &ReviewItem, plans: Vec<Plan>) -> Result<BTreeMap<MessageUid, Vec<Plan>>> {
    let mut by_message: BTreeMap<MessageUid, Vec<Plan>> = BTreeMap::new();
    for plan in plans {
        if !item.waiting.contains(&plan.message) {
            return Err(
                Error::new(ErrorKind::Invalid, "corrected plan is for another message")
                    .with_context("message", plan.message)
                    .with_action("give plans for the messages that wait for the item"),
            );
        }
        by_message.entry(plan.message).or_default().push(plan);
    }
    Ok(by_message)
}
