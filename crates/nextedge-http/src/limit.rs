//! A vendor's quota as data, and the pacing of one connection that keeps it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nextedge_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::window::Window;

/// At most `calls` in any span of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // a pair of numbers
pub struct RateLimit {
    /// The calls, or the cost units of a vendor that weighs calls.
    pub calls: u32,
    /// The span.
    pub per: Duration,
}

impl RateLimit {
    /// Allows `calls` in any span of `per`.
    pub fn new(calls: u32, per: Duration) -> Self {
        Self { calls, per }
    }
}

/// The quota of one (tenant, connection): every call obeys `all`, some obey their class as well.
///
/// It holds within one process; processes that share an account share its quota between them by
/// configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RateLimits {
    /// Obeyed by every call; none lifts the limit.
    #[serde(default)]
    pub all: Vec<RateLimit>,
    /// Obeyed besides by calls of the named class, such as `search`.
    #[serde(default)]
    pub classes: BTreeMap<String, Vec<RateLimit>>,
}

impl RateLimits {
    /// Sets no limit.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a limit for every call.
    #[must_use]
    pub fn with(mut self, limit: RateLimit) -> Self {
        self.all.push(limit);
        self
    }

    /// Adds a limit for the calls of one class.
    #[must_use]
    pub fn with_class(mut self, class: impl Into<String>, limit: RateLimit) -> Self {
        self.classes.entry(class.into()).or_default().push(limit);
        self
    }
}

/// Paces the calls of one (tenant, connection).
#[derive(Debug)]
pub(crate) struct Limiter(Mutex<Pacing>);

#[derive(Debug)]
struct Pacing {
    version: u64,
    all: Vec<Window>,
    classes: BTreeMap<String, Vec<Window>>,
    paused_until: Option<Timestamp>,
}

/// When a call may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A place is taken; go after this delay.
    Go(Duration),
    /// The wait is longer than allowed; no place is taken.
    Later(Duration),
    /// It costs more than a whole span allows: never.
    Never,
}

impl Limiter {
    pub(crate) fn new(version: u64, limits: &RateLimits) -> Self {
        Self(Mutex::new(Pacing::new(version, limits)))
    }

    /// Takes the place of one call; `limits` is asked only if the connection has a new version.
    pub(crate) fn take(
        &self,
        version: u64,
        limits: impl FnOnce() -> RateLimits,
        ask: &Ask<'_>,
    ) -> Pace {
        let mut pacing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pacing.version != version {
            let paused_until = pacing.paused_until;
            *pacing = Pacing::new(version, &limits());
            pacing.paused_until = paused_until;
        }
        pacing.take(ask)
    }

    /// Holds back every call until then, because the vendor said so.
    pub(crate) fn pause(&self, until: Timestamp) {
        let mut pacing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pacing.paused_until = pacing.paused_until.max(Some(until));
    }
}

/// One call that wants to go out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) now: Timestamp,
    pub(crate) class: Option<&'a str>,
    pub(crate) cost: u32,
    pub(crate) max_wait: Duration,
}

impl Pacing {
    fn new(version: u64, limits: &RateLimits) -> Self {
        let windows = |limits: &Vec<RateLimit>| limits.iter().copied().map(Window::new).collect();
        Self {
            version,
            all: windows(&limits.all),
            classes: limits
                .classes
                .iter()
                .map(|(class, limits)| (class.clone(), windows(limits)))
                .collect(),
            paused_until: None,
        }
    }

    fn take(&mut self, ask: &Ask<'_>) -> Pace {
        let start = match self.paused_until {
            Some(until) if until > ask.now => until,
            _ => {
                self.paused_until = None;
                ask.now
            }
        };
        let class = ask.class.and_then(|class| self.classes.get_mut(class));
        let mut windows: Vec<&mut Window> = self.all.iter_mut().collect();
        windows.extend(class.into_iter().flatten());
        let Some(due) = common_place(&mut windows, ask, start) else {
            return Pace::Never;
        };
        let wait = (due - ask.now).to_std().unwrap_or_default();
        if wait > ask.max_wait {
            return Pace::Later(wait);
        }
        windows
            .iter_mut()
            .for_each(|window| window.put(due, ask.cost));
        Pace::Go(wait)
    }
}

/// Finds the first moment at which every window has room.
fn common_place(windows: &mut [&mut Window], ask: &Ask<'_>, start: Timestamp) -> Option<Timestamp> {
    let mut due = start;
    loop {
        let mut next = due;
        for window in windows.iter_mut() {
            next = next.max(window.place(ask.now, next, ask.cost)?);
        }
        if next == due {
            return Some(due);
        }
        due = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nextedge_core::later;

    const T0: Timestamp = Timestamp::UNIX_EPOCH;

    fn limiter(limits: &RateLimits) -> Limiter {
        Limiter::new(0, limits)
    }

    fn take(limiter: &Limiter, now_ms: u64, ask: Ask<'_>) -> Pace {
        let now = later(T0, Duration::from_millis(now_ms));
        limiter.take(0, RateLimits::none, &Ask { now, ..ask })
    }

    const CALL: Ask<'static> = Ask {
        now: T0,
        class: None,
        cost: 1,
        max_wait: Duration::from_secs(3600),
    };

    #[test]
    fn no_span_ever_holds_more_than_the_limit() {
        let limit = RateLimit::new(10, Duration::from_secs(1));
        let limiter = limiter(&RateLimits::none().with(limit));
        let mut sent = Vec::new();
        for now_ms in (0..3000).step_by(7) {
            if let Pace::Go(wait) = take(
                &limiter,
                now_ms,
                Ask {
                    max_wait: Duration::ZERO,
                    ..CALL
                },
            ) {
                assert_eq!(wait, Duration::ZERO);
                sent.push(now_ms);
            }
        }
        for (first, last) in sent.iter().zip(sent.iter().skip(10)) {
            assert!(last - first >= 1000, "{first} {last}");
        }
        assert!(sent.len() >= 28, "only {} calls in 3 s", sent.len());
    }

    #[test]
    fn places_ahead_of_time_are_given_in_order() {
        let limit = RateLimit::new(2, Duration::from_secs(1));
        let limiter = limiter(&RateLimits::none().with(limit));
        let waits: Vec<_> = (0..6).map(|_| take(&limiter, 0, CALL)).collect();
        let seconds: Vec<_> = waits
            .iter()
            .map(|pace| match pace {
                Pace::Go(wait) => wait.as_secs(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seconds, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_wait_that_is_too_long_takes_no_place() {
        let limit = RateLimit::new(1, Duration::from_secs(10));
        let limiter = limiter(&RateLimits::none().with(limit));
        assert_eq!(take(&limiter, 0, CALL), Pace::Go(Duration::ZERO));
        let short = Ask {
            max_wait: Duration::from_secs(1),
            ..CALL
        };
        for _ in 0..3 {
            assert!(
                matches!(take(&limiter, 0, short), Pace::Later(wait) if wait < Duration::from_secs(11))
            );
        }
    }

    #[test]
    fn a_class_has_its_own_limit_besides() {
        let second = Duration::from_secs(1);
        let limits = RateLimits::none()
            .with(RateLimit::new(100, second))
            .with_class("search", RateLimit::new(1, second));
        let limiter = limiter(&limits);
        let search = Ask {
            class: Some("search"),
            max_wait: Duration::ZERO,
            ..CALL
        };
        assert_eq!(take(&limiter, 0, search), Pace::Go(Duration::ZERO));
        assert!(matches!(take(&limiter, 0, search), Pace::Later(_)));
        assert!(matches!(
            take(
                &limiter,
                0,
                Ask {
                    class: Some("search"),
                    ..CALL
                }
            ),
            Pace::Go(_)
        ));
        let other = take(&limiter, 0, CALL);
        assert_eq!(
            other,
            Pace::Go(Duration::ZERO),
            "a waiting search holds up nothing else"
        );
    }

    #[test]
    fn a_pause_holds_every_call_and_ends() {
        let limiter = limiter(&RateLimits::none());
        limiter.pause(later(T0, Duration::from_secs(5)));
        assert_eq!(take(&limiter, 1000, CALL), Pace::Go(Duration::from_secs(4)));
        assert_eq!(take(&limiter, 5000, CALL), Pace::Go(Duration::ZERO));
    }

    #[test]
    fn a_cost_above_the_limit_never_fits() {
        let limiter = limiter(&RateLimits::none().with(RateLimit::new(5, Duration::from_secs(1))));
        assert_eq!(take(&limiter, 0, Ask { cost: 6, ..CALL }), Pace::Never);
    }

    #[test]
    fn a_clock_set_back_does_not_stop_calls() {
        let limiter = limiter(&RateLimits::none().with(RateLimit::new(1, Duration::from_secs(1))));
        assert_eq!(take(&limiter, 3_600_000, CALL), Pace::Go(Duration::ZERO));
        assert_eq!(take(&limiter, 0, CALL), Pace::Go(Duration::ZERO));
    }

    #[test]
    fn a_new_version_of_the_connection_brings_its_new_limits() {
        let limiter = limiter(&RateLimits::none().with(RateLimit::new(1, Duration::from_secs(9))));
        assert_eq!(take(&limiter, 0, CALL), Pace::Go(Duration::ZERO));
        let lifted = limiter.take(1, RateLimits::none, &CALL);
        assert_eq!(lifted, Pace::Go(Duration::ZERO));
    }
}
