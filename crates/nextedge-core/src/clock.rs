//! Time as a dependency: the system's clock, or one that a test moves by hand.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

/// A moment, always UTC.
pub type Timestamp = DateTime<Utc>;

/// Where the library gets time from; nothing else reads the system's clock.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;

    /// Waits at least this long.
    async fn sleep(&self, duration: Duration);
}

/// The system's clock and tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the system's time
    fn now(&self) -> Timestamp {
        Utc::now()
    }

    #[allow(clippy::disallowed_methods)] // the one place that waits
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that moves only when told; sleepers wake when it has moved past them.
///
/// ```
/// use std::time::Duration;
/// use nextedge_core::{Clock, ManualClock};
///
/// let clock = ManualClock::default();
/// let start = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!((clock.now() - start).num_seconds(), 60);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
    moved: tokio::sync::Notify,
}

impl ManualClock {
    /// Starts at the given moment.
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: Mutex::new(start),
            moved: tokio::sync::Notify::new(),
        }
    }

    /// Moves forward and wakes everything that was due.
    pub fn advance(&self, duration: Duration) {
        {
            let mut now = self.lock();
            *now = later(*now, duration);
        }
        self.moved.notify_waiters();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timestamp> {
        self.now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    /// Starts at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::new(DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default())
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.lock()
    }

    async fn sleep(&self, duration: Duration) {
        let due = later(self.now(), duration);
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now() >= due {
                return;
            }
            moved.await;
        }
    }
}

/// Adds a duration to a moment; saturates instead of overflowing.
pub fn later(moment: Timestamp, duration: Duration) -> Timestamp {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| moment.checked_add_signed(delta))
        .unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn sleepers_wake_only_when_the_clock_passes_them() {
        let clock = Arc::new(ManualClock::default());
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert!(sleeper.await.is_ok());
    }

    #[test]
    fn later_saturates() {
        assert_eq!(later(Timestamp::MAX_UTC, Duration::MAX), Timestamp::MAX_UTC);
    }
}
