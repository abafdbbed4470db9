//! Times as the vendor writes and takes them.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

/// Milliseconds since the epoch, now: the one place where the sandbox reads the time.
#[allow(clippy::disallowed_methods)] // a vendor has its own clock, which its clients cannot set
pub(crate) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// Writes a time as ISO 8601 UTC with milliseconds.
pub(crate) fn rfc3339(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads a time given as ISO 8601 or as epoch milliseconds.
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    if let Ok(ms) = text.parse::<i64>() {
        return DateTime::<Utc>::from_timestamp_millis(ms).map(|_| ms);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    midnight(text)
}

/// Reads a date given as `YYYY-MM-DD` or as epoch milliseconds at exactly 00:00 UTC.
pub(crate) fn parse_date(text: &str) -> Option<String> {
    let ms = match text.parse::<i64>() {
        Ok(ms) if ms % DAY_MS == 0 => ms,
        Ok(_) => return None,
        Err(_) => midnight(text)?,
    };
    let time = DateTime::<Utc>::from_timestamp_millis(ms)?;
    Some(time.format("%Y-%m-%d").to_string())
}

fn midnight(text: &str) -> Option<i64> {
    if text.len() != "2026-01-31".len() {
        return None;
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

pub(crate) const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_or_its_midnight_and_nothing_else() {
        for (text, wanted) in [
            ("2026-11-21", Some("2026-11-21")),
            ("1795219200000", Some("2026-11-21")),
            ("1795219200001", None),
            ("21.11.2026", None),
            ("2026-11-21T10:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_datetime_is_iso_or_milliseconds() {
        for (text, wanted) in [
            ("2026-11-21T10:00:00.500Z", Some(1_795_255_200_500)),
            ("2026-11-21T12:00:00+02:00", Some(1_795_255_200_000)),
            ("1795255200000", Some(1_795_255_200_000)),
            ("yesterday", None),
        ] {
            assert_eq!(parse_datetime(text), wanted, "{text}");
        }
    }
}
