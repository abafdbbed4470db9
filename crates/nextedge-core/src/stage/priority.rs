//! From urgency to priority, with business hours.

use crate::clock::Timestamp;
use crate::domain::{Priority, Urgency};
use crate::policy::PriorityPolicy;

/// Returns the priority of a mail that came at this moment; urgent mail is raised after hours.
pub fn priority(urgency: Urgency, policy: &PriorityPolicy, at: Timestamp) -> Priority {
    let base = policy.base(urgency);
    if urgency >= policy.raise_after_hours_from && !policy.hours.are_open(at) {
        return base.raised();
    }
    base
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::policy::ClockTime;

    #[test]
    fn urgent_mail_is_raised_at_night_on_weekends_and_on_holidays() {
        let mut policy = PriorityPolicy::default();
        policy.hours.zone = chrono_tz::Europe::Berlin;
        policy.hours.to = ClockTime::parse("18:00").unwrap();
        policy.hours.holidays = vec!["2026-12-25".parse().unwrap()];
        for (at, urgency, expected) in [
            // 08:30 UTC is 09:30 in Berlin in winter, 10:30 in summer.
            ("2026-11-16T08:30:00Z", Urgency::High, Priority::High),
            ("2026-11-16T07:59:00Z", Urgency::High, Priority::Urgent),
            ("2026-07-13T07:00:00Z", Urgency::High, Priority::High),
            ("2026-11-16T17:00:00Z", Urgency::High, Priority::Urgent),
            ("2026-11-16T16:59:00Z", Urgency::Critical, Priority::Urgent),
            ("2026-11-15T10:00:00Z", Urgency::High, Priority::Urgent),
            ("2026-12-25T10:00:00Z", Urgency::High, Priority::Urgent),
            ("2026-12-25T10:00:00Z", Urgency::Normal, Priority::Medium),
            ("2026-11-15T10:00:00Z", Urgency::None, Priority::Low),
        ] {
            assert_eq!(
                priority(urgency, &policy, at.parse().unwrap()),
                expected,
                "{at} {urgency:?}"
            );
        }
    }
}
