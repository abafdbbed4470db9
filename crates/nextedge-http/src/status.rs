//! The common status table: what a refusal means when the vendor has no better word.

use std::time::Duration;

use http::StatusCode;
use nextedge_core::{Error, ErrorKind, Reach, Retry, Timestamp};

use crate::error::Applied;
use crate::response::Response;

/// Reads an answer outside 2xx.
pub(crate) fn refusal(answer: &Response, now: Timestamp) -> Error {
    let status = answer.status();
    let wait = retry_after(answer, now);
    let error = match status.as_u16() {
        300..=399 => Error::new(ErrorKind::Config, "the vendor redirects; not followed")
            .with_action("correct the base url"),
        401 => Error::new(ErrorKind::Unauthorized, "the token is not accepted")
            .with_reach(Reach::Connection)
            .with_action("authorise the connection again"),
        402 => Error::new(
            ErrorKind::Forbidden,
            "the account's plan does not cover this",
        ),
        403 => Error::new(ErrorKind::Forbidden, "the grant lacks a right"),
        404 | 410 => Error::new(ErrorKind::NotFound, "the vendor does not know this"),
        408 => Error::new(ErrorKind::Unavailable, "the vendor gave up waiting"),
        409 | 412 => Error::new(ErrorKind::Conflict, "another writer was faster"),
        423 | 425 => Error::new(ErrorKind::Conflict, "locked or too early")
            .with_retry(Retry::After(wait.unwrap_or(LOCK_WAIT))),
        429 => slow_down(
            ErrorKind::RateLimited,
            "the vendor asks for fewer calls",
            wait,
        )
        .with_reach(Reach::Connection),
        400..=499 => Error::new(ErrorKind::Rejected, "the vendor refused the request"),
        501 | 505 => Error::new(ErrorKind::Unsupported, "the vendor cannot do this"),
        503 => slow_down(ErrorKind::Unavailable, "the vendor is unavailable", wait)
            .with_reach(Reach::Connection),
        _ => slow_down(ErrorKind::Unavailable, "the vendor failed", wait),
    };
    error.with_context("status", status.as_u16())
}

fn slow_down(kind: ErrorKind, message: &'static str, wait: Option<Duration>) -> Error {
    Error::new(kind, message).with_retry(wait.map_or(Retry::Backoff, Retry::After))
}

/// Tells whether a write may have happened although the vendor answered with a failure.
///
/// A refusal of the 4xx class is a promise that nothing changed; so is 503 with `Retry-After`.
/// Other server failures and redirects may come after the change.
pub(crate) fn applied(answer: &Response) -> Applied {
    match answer.status() {
        StatusCode::REQUEST_TIMEOUT => Applied::Maybe,
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => Applied::No,
        StatusCode::SERVICE_UNAVAILABLE if answer.headers().contains_key(RETRY_AFTER) => {
            Applied::No
        }
        status if status.is_client_error() => Applied::No,
        _ => Applied::Maybe,
    }
}

/// Reads `Retry-After` as seconds or as a date, at most a day.
pub(crate) fn retry_after(answer: &Response, now: Timestamp) -> Option<Duration> {
    let text = answer.header(RETRY_AFTER)?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let due = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            (due.to_utc() - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

const RETRY_AFTER: &str = "retry-after";
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// How long a locked record is left alone when the vendor names no delay.
const LOCK_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderMap;

    fn answer(status: u16, retry_after: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert("retry-after", text.parse().unwrap());
        }
        Response::new(
            "test.call",
            StatusCode::from_u16(status).unwrap(),
            headers,
            "",
        )
    }

    #[test]
    fn status_decides_what_the_caller_does_next() {
        for (status, kind) in [
            (301, ErrorKind::Config),
            (400, ErrorKind::Rejected),
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Forbidden),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (413, ErrorKind::Rejected),
            (422, ErrorKind::Rejected),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (599, ErrorKind::Unavailable),
        ] {
            let error = refusal(&answer(status, None), Timestamp::UNIX_EPOCH);
            assert_eq!(error.kind(), kind, "status {status}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let now = Timestamp::UNIX_EPOCH;
        for (text, seconds) in [
            ("7", Some(7)),
            ("Thu, 01 Jan 1970 00:00:30 GMT", Some(30)),
            ("Wed, 31 Dec 1969 23:00:00 GMT", Some(0)),
            ("99999999999", Some(86_400)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
        ] {
            let wait = retry_after(&answer(429, Some(text)), now);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn only_a_clear_refusal_says_that_nothing_was_written() {
        for (status, header, expected) in [
            (400, None, Applied::No),
            (408, None, Applied::Maybe),
            (429, None, Applied::No),
            (500, None, Applied::Maybe),
            (502, None, Applied::Maybe),
            (503, None, Applied::Maybe),
            (503, Some("1"), Applied::No),
            (302, None, Applied::Maybe),
        ] {
            assert_eq!(
                applied(&answer(status, header)),
                expected,
                "status {status}"
            );
        }
    }
}
