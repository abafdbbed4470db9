//! Rate limits of an account: a rolling window of ten seconds, one second for search, and a day.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::error::ApiError;
use super::time::{DAY_MS, now_ms};

/// Which of the vendor's published limits an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateLimit {
    /// No limit and no rate headers: for benches.
    None,
    /// 100 requests per 10 s, 250,000 a day.
    Free,
    /// 190 requests per 10 s, 625,000 a day.
    #[default]
    Pro,
    /// 110 requests per 10 s and no daily limit, as an installed marketplace app has.
    OAuth,
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "free" => Ok(Self::Free),
            "pro" => Ok(Self::Pro),
            "oauth" => Ok(Self::OAuth),
            _ => Err(format!(
                "{text:?} is no rate limit: use none, free, pro or oauth"
            )),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Free => "free",
            Self::Pro => "pro",
            Self::OAuth => "oauth",
        })
    }
}

/// Which window a request counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    General,
    Search,
    Associations,
}

/// Counts requests and refuses those over the limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: RateLimit,
    general: VecDeque<Instant>,
    search: VecDeque<Instant>,
    associations: VecDeque<Instant>,
    day: i64,
    today: u64,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            state: Mutex::new(State::new(limit)),
        }
    }

    /// Changes the limit and forgets what was counted.
    pub(crate) fn reset(&self, limit: RateLimit) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::new(limit);
    }

    /// Counts one request. Answers the rate headers, or the 429.
    pub(crate) fn take(&self, lane: Lane) -> Result<Vec<(&'static str, String)>, ApiError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(lane, Instant::now(), now_ms() / DAY_MS)
    }
}

impl State {
    fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            general: VecDeque::new(),
            search: VecDeque::new(),
            associations: VecDeque::new(),
            day: 0,
            today: 0,
        }
    }

    fn take(
        &mut self,
        lane: Lane,
        now: Instant,
        day: i64,
    ) -> Result<Vec<(&'static str, String)>, ApiError> {
        let (general, associations, daily) = match self.limit {
            RateLimit::None => return Ok(Vec::new()),
            RateLimit::Free => (100, 100, Some(250_000)),
            RateLimit::Pro => (190, 150, Some(625_000)),
            RateLimit::OAuth => (110, 150, None),
        };
        if self.day != day {
            (self.day, self.today) = (day, 0);
        }
        if daily.is_some_and(|daily| self.today >= daily) {
            return Err(too_many("DAILY", "your daily limit"));
        }
        let (window, span, max, policy) = match lane {
            Lane::General => (
                &mut self.general,
                TEN_SECONDS,
                general,
                "TEN_SECONDLY_ROLLING",
            ),
            Lane::Search => (&mut self.search, Duration::from_secs(1), 5, "SECONDLY"),
            Lane::Associations => (
                &mut self.associations,
                TEN_SECONDS,
                associations,
                "TEN_SECONDLY_ROLLING",
            ),
        };
        while window
            .front()
            .is_some_and(|at| now.duration_since(*at) >= span)
        {
            window.pop_front();
        }
        if window.len() >= max {
            return Err(too_many(
                policy,
                &format!("your {} limit", policy.to_lowercase()),
            ));
        }
        window.push_back(now);
        self.today += 1;
        let used = window.len();
        Ok(match lane {
            Lane::Search => Vec::new(),
            Lane::General | Lane::Associations => {
                headers(max, used, daily.map(|all| (all, self.today)))
            }
        })
    }
}

fn headers(max: usize, used: usize, daily: Option<(u64, u64)>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("x-hubspot-ratelimit-max", max.to_string()),
        ("x-hubspot-ratelimit-remaining", (max - used).to_string()),
        (
            "x-hubspot-ratelimit-interval-milliseconds",
            "10000".to_owned(),
        ),
    ];
    if let Some((all, today)) = daily {
        headers.push(("x-hubspot-ratelimit-daily", all.to_string()));
        headers.push((
            "x-hubspot-ratelimit-daily-remaining",
            (all - today).to_string(),
        ));
    }
    headers
}

/// The vendor's 429.
pub(crate) fn too_many(policy: &str, what: &str) -> ApiError {
    ApiError::new(429, "RATE_LIMITS", format!("You have reached {what}."))
        .with_extra("errorType", json!("RATE_LIMIT"))
        .with_extra("policyName", json!(policy))
        .with_extra("requestId", json!(super::correlation_id()))
}

const TEN_SECONDS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_window_rolls_and_search_counts_apart() {
        let mut state = State::new(RateLimit::Free);
        let start = Instant::now();
        for _ in 0..100 {
            state.take(Lane::General, start, 1).unwrap();
        }
        assert_eq!(
            state.take(Lane::General, start, 1).unwrap_err().status(),
            429
        );
        assert!(state.take(Lane::Search, start, 1).unwrap().is_empty());
        let later = start + TEN_SECONDS;
        let headers = state.take(Lane::General, later, 1).unwrap();
        assert!(headers.contains(&("x-hubspot-ratelimit-remaining", "99".to_owned())));
    }

    #[test]
    fn a_day_ends() {
        let mut state = State::new(RateLimit::Free);
        (state.day, state.today) = (1, 250_000);
        let now = Instant::now();
        assert_eq!(state.take(Lane::General, now, 1).unwrap_err().status(), 429);
        assert!(state.take(Lane::General, now, 2).is_ok());
    }
}
