//! Stops calling a connection that keeps failing, and probes it later.
//!
//! Own code because each (tenant, connection) has its own breaker on an injected clock, its state is
//! shown to operators, and a dropped probe must free the probe's place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nextedge_core::{Timestamp, later};

/// When a connection counts as down, and for how long it is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerOptions {
    failures: u32,
    pause: Duration,
    max_pause: Duration,
}

impl BreakerOptions {
    /// Sets how many failures in a row open it: no answer, time-out or 5xx. Default: 5; at least 1.
    #[must_use]
    pub fn with_failures(mut self, failures: u32) -> Self {
        self.failures = failures.max(1);
        self
    }

    /// Sets how long it stays open before one probe, and the limit to which a failed probe
    /// doubles that. Default: 60 s, 300 s.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration, max_pause: Duration) -> Self {
        self.pause = pause;
        self.max_pause = max_pause.max(pause);
        self
    }
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(60),
            max_pause: Duration::from_secs(300),
        }
    }
}

/// Whether calls of a connection go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// No call goes out before this moment.
    Open {
        /// When a probe may go out.
        until: Timestamp,
    },
    /// One probe is on its way; the others wait for its result.
    HalfOpen,
}

/// The breaker of one (tenant, connection).
#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp, pause: Duration },
    HalfOpen { since: Timestamp, pause: Duration },
}

/// What an attempt says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// The vendor answered, be it a refusal.
    Well,
    /// No answer, or a server failure.
    Sick,
}

impl Breaker {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        Self {
            options,
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }

    /// Lets an attempt out, or tells how long to wait.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<Admission<'_>, Duration> {
        let mut state = self.lock();
        let role = match *state {
            State::Closed { .. } => Role::Ordinary,
            State::Open { until, pause } if now >= until => {
                *state = State::HalfOpen { since: now, pause };
                Role::Probe
            }
            State::Open { until, .. } => return Err((until - now).to_std().unwrap_or_default()),
            State::HalfOpen { .. } => return Err(PROBE_WAIT),
        };
        drop(state);
        Ok(Admission {
            breaker: self,
            role,
        })
    }

    pub(crate) fn state(&self) -> BreakerState {
        match *self.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until, .. } => BreakerState::Open { until },
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn settle(&self, role: Role, health: Health, now: Timestamp) {
        let mut state = self.lock();
        let next = match (&*state, role, health) {
            (State::HalfOpen { .. }, Role::Probe, Health::Well) => State::Closed { failures: 0 },
            (State::HalfOpen { pause, .. }, Role::Probe, Health::Sick) => {
                self.open(now, pause.saturating_mul(2))
            }
            (State::Closed { .. }, _, Health::Well) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, Health::Sick)
                if failures + 1 >= self.options.failures =>
            {
                self.open(now, self.options.pause)
            }
            (State::Closed { failures }, _, Health::Sick) => State::Closed {
                failures: failures + 1,
            },
            // Late answers of calls that went out before it opened change nothing.
            (State::Open { .. } | State::HalfOpen { .. }, ..) => return,
        };
        *state = next;
    }

    fn open(&self, now: Timestamp, pause: Duration) -> State {
        let pause = pause.min(self.options.max_pause);
        State::Open {
            until: later(now, pause),
            pause,
        }
    }

    /// A probe that never got to its answer gives its place to the next call.
    fn abandon(&self) {
        let mut state = self.lock();
        if let State::HalfOpen { since, pause } = *state {
            *state = State::Open {
                until: since,
                pause,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ordinary,
    Probe,
    Settled,
}

/// One attempt that was let out; dropping it unsettled counts as nothing.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    breaker: &'a Breaker,
    role: Role,
}

impl Admission<'_> {
    /// Reports what the attempt says about the connection.
    pub(crate) fn settle(mut self, health: Health, now: Timestamp) {
        let role = std::mem::replace(&mut self.role, Role::Settled);
        self.breaker.settle(role, health, now);
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.role == Role::Probe {
            self.breaker.abandon();
        }
    }
}

/// How long calls are sent away while a probe is on its way.
const PROBE_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const T0: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: u64) -> Timestamp {
        later(T0, Duration::from_secs(seconds))
    }

    fn fail(breaker: &Breaker, now: Timestamp) {
        breaker.admit(now).unwrap().settle(Health::Sick, now);
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(BreakerOptions::default());
        (0..5).for_each(|_| fail(&breaker, T0));
        breaker
    }

    #[test]
    fn a_success_resets_the_count() {
        let breaker = Breaker::new(BreakerOptions::default());
        (0..4).for_each(|_| fail(&breaker, T0));
        breaker.admit(T0).unwrap().settle(Health::Well, T0);
        (0..4).for_each(|_| fail(&breaker, T0));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn five_failures_open_it_and_one_probe_goes_out_after_a_minute() {
        let breaker = opened();
        assert_eq!(breaker.admit(at(59)).unwrap_err(), Duration::from_secs(1));
        let probe = breaker.admit(at(60)).unwrap();
        assert!(breaker.admit(at(60)).is_err(), "one probe at a time");
        probe.settle(Health::Well, at(61));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn failed_probes_double_the_pause_up_to_its_limit() {
        let breaker = opened();
        let mut now = 60;
        for pause in [120, 240, 300, 300] {
            fail(&breaker, at(now));
            now += pause;
            assert_eq!(breaker.state(), BreakerState::Open { until: at(now) });
        }
    }

    #[test]
    fn an_abandoned_probe_frees_its_place() {
        let breaker = opened();
        drop(breaker.admit(at(60)).unwrap());
        assert!(breaker.admit(at(60)).is_ok());
    }

    #[test]
    fn late_answers_do_not_close_an_open_breaker() {
        let breaker = Breaker::new(BreakerOptions::default());
        let slow = breaker.admit(T0).unwrap();
        (0..5).for_each(|_| fail(&breaker, T0));
        slow.settle(Health::Well, at(1));
        assert!(matches!(breaker.state(), BreakerState::Open { .. }));
    }
}
