//! What stands where, counted anew with each call.

use std::collections::BTreeMap;

use super::runs;
use super::state::{DeliveryState, Intake, MailboxRow, MessageRow, TenantState, delivery_lane};
use crate::clock::Timestamp;
use crate::domain::{ConnectionId, MailboxId, MessageUid};
use crate::store::{
    AfterDead, Counts, JobKind, LaneCounts, MailboxWork, MessageError, Overview, SinkWork,
};

/// How a delivery stands in its lane, by order of reception.
type Lanes<'a> = BTreeMap<String, BTreeMap<(Timestamp, MessageUid), &'a DeliveryState>>;

impl TenantState {
    pub(super) fn overview(&self, now: Timestamp, mailboxes: usize) -> Overview {
        let rows = self.mailboxes.iter().take(mailboxes);
        Overview {
            mailboxes: rows.map(|(id, row)| self.mailbox_work(id, row)).collect(),
            sinks: self.sinks(now),
        }
    }

    fn mailbox_work(&self, id: &MailboxId, row: &MailboxRow) -> MailboxWork {
        let mut counts = Counts::default();
        let (mut fetch, mut process) = (0, 0);
        let mut last: Option<(Timestamp, MessageUid, &MessageRow)> = None;
        for (uid, message) in self.messages.iter().filter(|(_, m)| m.mailbox == *id) {
            *counts.of_mut(message.outcome().kind()) += 1;
            match message.intake {
                Intake::Fetch => fetch += 1,
                Intake::Process => process += 1,
                Intake::Planned | Intake::Held(_) | Intake::Parked(_) | Intake::Dead(..) => {}
            }
            if let Some(at) = message.error_at
                && last.is_none_or(|(latest, known, _)| (at, *uid) > (latest, known))
            {
                last = Some((at, *uid, message));
            }
        }
        let last_error = last.and_then(|(at, message, row)| {
            let error = row.errors.last()?.clone();
            Some(MessageError { message, at, error })
        });
        let (failed_runs, failing_since) = runs::failed(&row.runs);
        MailboxWork {
            mailbox: id.clone(),
            counts,
            fetch,
            process,
            last_error,
            failed_runs,
            failing_since,
            listed: runs::listed(&row.runs),
        }
    }

    fn sinks(&self, now: Timestamp) -> Vec<SinkWork> {
        let mut sinks: BTreeMap<&ConnectionId, (Counts, Lanes<'_>)> = BTreeMap::new();
        for (uid, row) in &self.messages {
            for (connection, delivery) in &row.deliveries {
                let (counts, lanes) = sinks.entry(connection).or_default();
                *counts.of_mut(delivery.state.outcome().kind()) += 1;
                let lane = delivery_lane(connection, delivery.plan.thread);
                let lane = lanes.entry(lane).or_default();
                lane.insert((row.received_at, *uid), &delivery.state);
            }
        }
        let sinks = sinks.into_iter();
        sinks
            .map(|(connection, (counts, lanes))| SinkWork {
                connection: connection.clone(),
                counts,
                lanes: self.lane_counts(now, &lanes),
            })
            .collect()
    }

    fn lane_counts(&self, now: Timestamp, lanes: &Lanes<'_>) -> LaneCounts {
        let mut counts = LaneCounts::default();
        for (name, items) in lanes {
            let head = items.values().find(|state| match state {
                DeliveryState::Pending
                | DeliveryState::Review(_)
                | DeliveryState::Dead(_, AfterDead::HoldLane) => true,
                DeliveryState::Done
                | DeliveryState::Parked(_)
                | DeliveryState::Dead(_, AfterDead::Continue) => false,
            });
            let Some(head) = head else { continue };
            let claims = &mut self.claims.values();
            let held = claims.any(|c| c.kind == JobKind::Deliver && c.lanes.contains(name));
            let delayed = self.delays.get(name).is_some_and(|until| *until > now);
            *match head {
                DeliveryState::Review(_) => &mut counts.review,
                DeliveryState::Dead(..) => &mut counts.parked,
                _ if held => &mut counts.held,
                _ if delayed => &mut counts.delayed,
                _ => &mut counts.waiting,
            } += 1;
        }
        counts
    }
}
