//! From urgency to priority: thresholds, business hours, holidays.

use std::fmt;

use chrono::{Datelike, NaiveDate, Timelike, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::domain::{Priority, Urgency};
use crate::error::{Error, ErrorKind, Result};

/// From urgency to priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct PriorityPolicy {
    /// Lowest urgency that is `urgent`; `critical` by default.
    pub urgent_from: Urgency,
    /// Lowest urgency that is `high`; `high` by default.
    pub high_from: Urgency,
    /// Lowest urgency that is `medium`; `normal` by default. Below it, mail is `low`.
    pub medium_from: Urgency,
    /// Outside business hours, mail from this urgency on is raised by one; `high` by default.
    pub raise_after_hours_from: Urgency,
    /// When people are at work.
    pub hours: BusinessHours,
}

impl PriorityPolicy {
    /// Returns the priority inside business hours.
    pub fn base(&self, urgency: Urgency) -> Priority {
        if urgency >= self.urgent_from {
            Priority::Urgent
        } else if urgency >= self.high_from {
            Priority::High
        } else if urgency >= self.medium_from {
            Priority::Medium
        } else {
            Priority::Low
        }
    }
}

impl Default for PriorityPolicy {
    fn default() -> Self {
        Self {
            urgent_from: Urgency::Critical,
            high_from: Urgency::High,
            medium_from: Urgency::Normal,
            raise_after_hours_from: Urgency::High,
            hours: BusinessHours::default(),
        }
    }
}

/// When people are at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct BusinessHours {
    /// IANA time zone, such as `Europe/Berlin`; `UTC` by default.
    pub zone: Tz,
    /// Working days; Monday to Friday by default.
    pub days: Vec<Day>,
    /// Start of work; `09:00` by default.
    pub from: ClockTime,
    /// End of work, later than the start; `17:00` by default.
    pub to: ClockTime,
    /// Days without work, `2026-12-25`.
    pub holidays: Vec<NaiveDate>,
}

impl BusinessHours {
    /// Tells whether people are at work at this moment.
    pub fn are_open(&self, at: Timestamp) -> bool {
        let local = at.with_timezone(&self.zone);
        let minute = local.hour() * 60 + local.minute();
        self.days.contains(&Day::of(local.weekday()))
            && !self.holidays.contains(&local.date_naive())
            && (u32::from(self.from.0)..u32::from(self.to.0)).contains(&minute)
    }
}

impl Default for BusinessHours {
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            days: vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri],
            from: ClockTime(9 * 60),
            to: ClockTime(17 * 60),
            holidays: Vec::new(),
        }
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, clippy::exhaustive_enums)] // the days of a week
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    fn of(day: Weekday) -> Self {
        match day {
            Weekday::Mon => Self::Mon,
            Weekday::Tue => Self::Tue,
            Weekday::Wed => Self::Wed,
            Weekday::Thu => Self::Thu,
            Weekday::Fri => Self::Fri,
            Weekday::Sat => Self::Sat,
            Weekday::Sun => Self::Sun,
        }
    }
}

/// A time of day, written `09:30`; `24:00` ends a day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u16);

impl ClockTime {
    /// Reads `HH:MM`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = || {
            Error::new(ErrorKind::Config, "time of day refused")
                .with_action("write hours and minutes as `09:30`")
        };
        let (hours, minutes) = text.split_once(':').ok_or_else(refused)?;
        let number = |part: &str| part.parse::<u16>().ok().filter(|_| part.len() == 2);
        match (number(hours), number(minutes)) {
            (Some(h), Some(m)) if (h < 24 && m < 60) || (h == 24 && m == 0) => Ok(Self(h * 60 + m)),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for ClockTime {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> Self {
        time.to_string()
    }
}
