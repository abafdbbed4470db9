//! How fast work goes: items over a sliding minute, counted from events.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use super::event::EngineEvent;
use crate::clock::Timestamp;
use crate::domain::{ConnectionId, MailboxId, TenantId};
use crate::store::JobKind;

/// What is counted, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pace {
    /// Raw bytes that came, of a mailbox.
    Fetched(MailboxId),
    /// Decisions over mail of a mailbox.
    Decided(MailboxId),
    /// Mail of a mailbox that a decision ended: parked, in review, dead.
    Ended(MailboxId),
    /// Deliveries of a mailbox's mail that came to an outcome, at all sinks.
    Written(MailboxId),
    /// Deliveries that came to an outcome, at one sink.
    Delivered(ConnectionId),
}

/// Sliding windows of every place with work in the last minute, at most [`MAX_PLACES`].
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<Windows>);

#[derive(Debug, Default)]
struct Windows {
    by_place: HashMap<(TenantId, Pace), Window>,
    /// The slot in which idle places last made room, so that a full table is not searched each time.
    cleared: i64,
}

impl Rates {
    /// Counts what an event tells.
    pub(crate) fn note(&self, event: &EngineEvent, now: Timestamp) {
        match event {
            EngineEvent::BatchCommitted {
                tenant,
                kind,
                connection,
                done,
                ..
            } => {
                for (mailbox, items) in done {
                    self.add(tenant, pace(*kind, mailbox.clone()), *items, now);
                }
                if let (JobKind::Deliver, Some(connection)) = (kind, connection) {
                    let items = done.iter().map(|(_, items)| items).sum();
                    self.add(tenant, Pace::Delivered(connection.clone()), items, now);
                }
            }
            EngineEvent::Outcomes {
                tenant,
                kind: JobKind::Fetch | JobKind::Process,
                mailbox: Some(mailbox),
                count,
                ..
            } => self.add(tenant, Pace::Ended(mailbox.clone()), *count, now),
            _ => {}
        }
    }

    /// Returns items a second over the last minute, or since the first item if that is less.
    pub(crate) fn rate(&self, tenant: &TenantId, pace: Pace, now: Timestamp) -> f64 {
        let windows = self.lock();
        let window = windows.by_place.get(&(tenant.clone(), pace));
        window.map_or(0.0, |window| window.rate(now))
    }

    fn add(&self, tenant: &TenantId, pace: Pace, items: u64, now: Timestamp) {
        if items == 0 {
            return;
        }
        let mut windows = self.lock();
        let key = (tenant.clone(), pace);
        if !windows.by_place.contains_key(&key) && !windows.has_room(now) {
            // its rate stays unknown; the store's counts tell the rest
            return;
        }
        windows
            .by_place
            .entry(key)
            .or_insert_with(|| Window::start(now))
            .add(items, now);
    }

    fn lock(&self) -> MutexGuard<'_, Windows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Windows {
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.by_place.len() >= MAX_PLACES && self.cleared != slot(now) {
            self.cleared = slot(now);
            self.by_place.retain(|_, window| window.sum(now) > 0);
        }
        self.by_place.len() < MAX_PLACES
    }
}

fn pace(kind: JobKind, mailbox: MailboxId) -> Pace {
    match kind {
        JobKind::Fetch => Pace::Fetched(mailbox),
        JobKind::Process => Pace::Decided(mailbox),
        JobKind::Deliver => Pace::Written(mailbox),
    }
}

/// Counts of the last [`SLOTS`] slots of [`SLOT_SECONDS`].
#[derive(Clone, Debug)]
struct Window {
    first: Timestamp,
    newest: i64,
    counts: [u64; SLOTS],
}

impl Window {
    fn start(now: Timestamp) -> Self {
        Self {
            first: now,
            newest: slot(now),
            counts: [0; SLOTS],
        }
    }

    fn add(&mut self, items: u64, now: Timestamp) {
        if self.sum(now) == 0 {
            *self = Self::start(now);
        }
        // a clock that went back counts into the newest slot
        while self.newest < slot(now) {
            self.newest += 1;
            self.counts[index(self.newest)] = 0;
        }
        self.counts[index(self.newest)] += items;
    }

    fn sum(&self, now: Timestamp) -> u64 {
        let oldest = slot(now) - SLOTS as i64 + 1;
        let slots = (oldest.max(self.newest - SLOTS as i64 + 1))..=self.newest;
        slots.map(|slot| self.counts[index(slot)]).sum()
    }

    fn rate(&self, now: Timestamp) -> f64 {
        let oldest = (slot(now) - SLOTS as i64 + 1) * SLOT_SECONDS;
        let oldest = Timestamp::from_timestamp(oldest, 0).unwrap_or(self.first);
        let span = (now - self.first.max(oldest)).max(TimeDelta::seconds(1));
        self.sum(now) as f64 / (span.num_milliseconds() as f64 / 1000.0)
    }
}

fn slot(now: Timestamp) -> i64 {
    now.timestamp().div_euclid(SLOT_SECONDS)
}

fn index(slot: i64) -> usize {
    slot.rem_euclid(SLOTS as i64) as usize
}

const SLOTS: usize = 12;
const SLOT_SECONDS: i64 = 5;
/// Places whose rate is known at a time; further ones show none.
const MAX_PLACES: usize = 20_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn place() -> (TenantId, Pace) {
        let mailbox = MailboxId::new("me").unwrap();
        (TenantId::new("t").unwrap(), Pace::Decided(mailbox))
    }

    #[test]
    fn a_rate_is_over_the_time_since_the_first_item_and_at_most_a_minute() {
        let (clock, rates, (tenant, pace)) = (ManualClock::default(), Rates::default(), place());
        let rate = || rates.rate(&tenant, pace.clone(), clock.now());
        assert_eq!(rate(), 0.0);
        rates.add(&tenant, pace.clone(), 100, clock.now());
        assert_eq!(rate(), 100.0, "never over less than a second");
        clock.advance(Duration::from_secs(10));
        assert_eq!(rate(), 10.0);
        for _ in 0..30 {
            clock.advance(Duration::from_secs(5));
            rates.add(&tenant, pace.clone(), 50, clock.now());
        }
        assert!((rate() - 10.0).abs() < 1.0, "{}", rate());
        clock.advance(Duration::from_secs(59));
        assert!(rate() > 0.0);
        clock.advance(Duration::from_secs(2));
        assert_eq!(rate(), 0.0, "a minute without an item");
        rates.add(&tenant, pace.clone(), 4, clock.now());
        clock.advance(Duration::from_secs(2));
        assert_eq!(rate(), 2.0, "starts anew");
    }

    #[test]
    fn places_are_apart_and_bounded() {
        let (clock, rates, (tenant, pace)) = (ManualClock::default(), Rates::default(), place());
        rates.add(&tenant, pace.clone(), 5, clock.now());
        let other = TenantId::new("other").unwrap();
        assert_eq!(rates.rate(&other, pace.clone(), clock.now()), 0.0);
        for n in 0..MAX_PLACES + 10 {
            let tenant = TenantId::new(format!("t{n}")).unwrap();
            rates.add(&tenant, pace.clone(), 1, clock.now());
        }
        assert_eq!(rates.lock().by_place.len(), MAX_PLACES);
        clock.advance(Duration::from_secs(120));
        rates.add(&other, pace.clone(), 1, clock.now());
        assert_eq!(rates.lock().by_place.len(), 1, "idle places make room");
    }
}
