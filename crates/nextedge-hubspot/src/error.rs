//! HubSpot's answers that are not a success, turned into what the engine does next.
//!
//! A [`Fault`] is a refusal that several items of one request can share; [`Fault::to_error`] makes
//! each its own [`Error`]. Vendor table: <https://developers.hubspot.com/docs/api/error-handling>.

use std::borrow::Cow;
use std::time::Duration;

use nextedge_core::{Error, ErrorKind, Reach, Retry};
use nextedge_http::{Applied, CallError, Response};
use serde_json::Value;

/// One refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) message: Cow<'static, str>,
    pub(crate) operation: Cow<'static, str>,
    pub(crate) retry: Retry,
    pub(crate) reach: Reach,
    pub(crate) applied: Applied,
    pub(crate) status: Option<u16>,
    /// HubSpot's code, category or rate policy.
    pub(crate) code: Option<String>,
    /// The property that was refused.
    pub(crate) field: Option<String>,
    /// The record that already exists.
    pub(crate) existing: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) action: Option<&'static str>,
}

impl Fault {
    pub(crate) fn new(
        kind: ErrorKind,
        message: impl Into<Cow<'static, str>>,
        operation: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            operation: operation.into(),
            retry: Error::new(kind, "").retry(),
            reach: Reach::Item,
            applied: Applied::No,
            status: None,
            code: None,
            field: None,
            existing: None,
            request_id: None,
            action: None,
        }
    }

    /// Reads a failed call: HubSpot's refusal, or why no answer came.
    pub(crate) fn of_call(failure: &CallError) -> Self {
        let error = failure.error();
        let mut fault = match failure.answer() {
            Some(answer) => Self::of_response(answer),
            None => Self::new(
                error.kind(),
                error.message().to_owned(),
                error.operation().to_owned(),
            ),
        };
        fault.applied = failure.applied();
        fault.reach = error.reach();
        fault.retry = error.retry();
        fault
    }

    /// Reads a refusal as the HTTP client hands it over.
    pub(crate) fn of_response(answer: &Response) -> Self {
        let body = answer.json().unwrap_or_default();
        let wait = answer
            .header("retry-after")
            .and_then(|text| text.trim().parse().ok());
        let status = answer.status().as_u16();
        Self::of_answer(
            answer.operation(),
            status,
            &body,
            wait.map(Duration::from_secs),
        )
    }

    /// A success that cannot be read: applied, but nobody knows as what.
    pub(crate) fn unreadable(operation: &'static str) -> Self {
        Self::new(
            ErrorKind::Unexpected,
            "HubSpot's answer cannot be read",
            operation,
        )
        .maybe_applied()
    }

    /// Reads a refusal of the whole request.
    pub(crate) fn of_answer(
        operation: &'static str,
        status: u16,
        body: &Value,
        retry_after: Option<Duration>,
    ) -> Self {
        let mut fault = by_status(operation, status, body, retry_after);
        fault.status = Some(status);
        if status == 403 && NEEDED.iter().any(|start| operation.starts_with(start)) {
            // No mail can be written without these: the connection waits, no mail is given up.
            fault.reach = Reach::Connection;
        }
        fault.request_id = text(body, "correlationId");
        fault.code = body["errors"]
            .get(0)
            .and_then(|detail| text(detail, "code"))
            .or_else(|| embedded(body).and_then(|detail| text(&detail, "error")))
            .or_else(|| text(body, "policyName"))
            .or_else(|| text(body, "category"))
            .or_else(|| text(body, "errorType"));
        fault.field = refused_field(body);
        fault.existing = existing_id(body);
        fault
    }

    /// Reads one entry of `errors` in a mixed answer (207).
    pub(crate) fn of_entry(operation: &'static str, entry: &Value) -> Self {
        let category = text(entry, "category").unwrap_or_default();
        let status = match category.as_str() {
            "CONFLICT" | "OBJECT_ALREADY_EXISTS" => 409,
            "OBJECT_NOT_FOUND" => 404,
            "RATE_LIMITS" => 429,
            "MISSING_SCOPES" => 403,
            _ if text(entry, "message").is_some_and(|m| m.contains("already exists")) => 409,
            _ => 400,
        };
        Self::of_answer(operation, status, entry, None)
    }

    /// Makes the error of one item.
    pub(crate) fn to_error(&self) -> Error {
        let mut error = Error::new(self.kind, self.message.clone())
            .with_operation(self.operation.clone())
            .with_retry(self.retry)
            .with_reach(self.reach);
        if let Some(field) = &self.field {
            error = error.with_context("field", field);
        }
        if let Some(status) = self.status {
            error = error.with_context("status", status);
        }
        if let Some(code) = &self.code {
            error = error.with_provider_code(code);
        }
        if let Some(id) = &self.request_id {
            error = error.with_request_id(id);
        }
        match self.action {
            Some(action) => error.with_action(action),
            None => error,
        }
    }

    /// Tells whether no further call of this batch can succeed.
    pub(crate) fn halts(&self) -> bool {
        // One poisoned input can cause a 500, and a lock passes: neither speaks for the others.
        let of_one_request = matches!(self.status, Some(423 | 500));
        let down = matches!(
            self.kind,
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited
        );
        self.reach != Reach::Item || (down && !of_one_request)
    }

    /// Tells whether a record with this unique value exists already.
    pub(crate) fn is_conflict(&self) -> bool {
        let says = |code: &str| code.contains("UNIQUE") || code.contains("ALREADY_EXISTS");
        self.kind == ErrorKind::Conflict || self.code.as_deref().is_some_and(says)
    }

    /// Tells whether HubSpot has read the request and will never take it.
    pub(crate) fn is_refusal(&self) -> bool {
        let refused = matches!(self.status, Some(400 | 403 | 404 | 405 | 409 | 413 | 415));
        refused || (self.kind == ErrorKind::LimitExceeded && self.applied == Applied::No)
    }

    /// Tells whether one input may be to blame, so that others can pass without it.
    pub(crate) fn is_about_content(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Rejected | ErrorKind::NotFound | ErrorKind::Conflict
        )
    }

    /// Tells whether the account's fields changed since they were read.
    pub(crate) fn is_drift(&self) -> bool {
        const CODES: &[&str] = &[
            "PROPERTY_DOESNT_EXIST",
            "INVALID_OPTION",
            "MISSING_REQUIRED_PROPERTY",
            "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
        ];
        self.code
            .as_deref()
            .is_some_and(|code| CODES.contains(&code))
    }

    fn with_action(mut self, action: &'static str) -> Self {
        self.action = Some(action);
        self
    }

    fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    fn with_reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    pub(crate) fn not_applied(mut self) -> Self {
        self.applied = Applied::No;
        self
    }

    fn maybe_applied(mut self) -> Self {
        self.applied = Applied::Maybe;
        self
    }
}

fn by_status(operation: &'static str, status: u16, body: &Value, after: Option<Duration>) -> Fault {
    let fault = |kind, message| Fault::new(kind, message, operation);
    match status {
        400 => fault(ErrorKind::Rejected, "HubSpot refused the content").with_action(
            "correct the field map or the account's rules for this property, then replay",
        ),
        401 => fault(ErrorKind::Unauthorized, "HubSpot does not accept the token")
            .with_reach(Reach::Connection)
            .with_action("store a valid service key for this connection"),
        403 => fault(ErrorKind::Forbidden, "the token lacks a scope")
            .with_action("grant the scopes that the guide lists for this object"),
        // A record that vanished or was merged: the next attempt looks it up anew.
        404 => fault(ErrorKind::NotFound, "HubSpot does not know the record")
            .with_retry(Retry::Backoff),
        405 => fault(ErrorKind::Unexpected, "HubSpot does not know the call"),
        409 => fault(ErrorKind::Conflict, "the record exists already"),
        413 => fault(ErrorKind::Rejected, "HubSpot finds the request too large"),
        423 => fault(
            ErrorKind::Unavailable,
            "HubSpot has locked the object for a moment",
        )
        .with_retry(Retry::After(after.unwrap_or(LOCK_PAUSE))),
        429 => fault(ErrorKind::RateLimited, "HubSpot asks for fewer calls")
            .with_retry(Retry::After(after.unwrap_or_else(|| rate_pause(body))))
            .with_reach(Reach::Connection),
        477 => fault(ErrorKind::Unavailable, "HubSpot is moving the account")
            .with_retry(Retry::After(after.unwrap_or(MOVE_PAUSE).min(LONGEST_MOVE)))
            .with_reach(Reach::Connection),
        522 | 525 | 526 => fault(
            ErrorKind::Unavailable,
            "HubSpot's gateway cannot reach its origin",
        )
        .with_retry(Retry::Never)
        .maybe_applied(),
        500..=599 => {
            fault(ErrorKind::Unavailable, "HubSpot failed or is overloaded").maybe_applied()
        }
        _ => fault(
            ErrorKind::Unexpected,
            "HubSpot answered with an unexpected status",
        ),
    }
}

/// How long to wait after a 429 without Retry-After, by the limit that was hit.
fn rate_pause(body: &Value) -> Duration {
    match text(body, "policyName").as_deref() {
        Some("SECONDLY") => Duration::from_secs(1),
        // Ends at midnight in the account's zone, which the answer does not name: ask each hour.
        Some("DAILY") => Duration::from_secs(3600),
        _ => Duration::from_secs(10),
    }
}

fn refused_field(body: &Value) -> Option<String> {
    let detail = body["errors"].get(0);
    let from = |context: &Value| -> Option<String> {
        let name = &context["propertyName"];
        let name = name.get(0).unwrap_or(name);
        name.as_str().map(str::to_owned)
    };
    detail
        .and_then(|detail| from(&detail["context"]))
        .or_else(|| from(&body["context"]))
        .or_else(|| detail.and_then(|detail| text(detail, "in")))
        .or_else(|| embedded(body).and_then(|detail| text(&detail, "name")))
        .or_else(|| required_in_message(body))
}

/// Reads the JSON list that "Property values were not valid" carries in its message.
fn embedded(body: &Value) -> Option<Value> {
    let message = body["message"].as_str()?;
    let start = message.find('[')?;
    let end = message.rfind(']')?;
    let list: Value = serde_json::from_str(message.get(start..=end)?).ok()?;
    list.get(0).filter(|detail| detail.is_object()).cloned()
}

/// Reads the property from `… required properties … : [name]`, which carries no code.
fn required_in_message(body: &Value) -> Option<String> {
    let message = body["message"].as_str()?;
    if !message.contains("required") {
        return None;
    }
    let (_, rest) = message.split_once('[')?;
    let (name, _) = rest.split_once([']', ','])?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_owned())
}

fn existing_id(body: &Value) -> Option<String> {
    let (_, rest) = body["message"].as_str()?.split_once("Existing ID: ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().map(str::to_owned)
}

/// Calls that every mail needs.
const NEEDED: &[&str] = &["hubspot.contacts.", "hubspot.emails."];
/// HubSpot's own advice for 423.
const LOCK_PAUSE: Duration = Duration::from_secs(2);
/// How soon to ask again while an account is moved, if HubSpot does not say.
const MOVE_PAUSE: Duration = Duration::from_secs(3600);
/// The longest move that HubSpot announces.
const LONGEST_MOVE: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(status: u16, body: &Value) -> Fault {
        Fault::of_answer("hubspot.test", status, body, None)
    }

    #[test]
    fn each_status_says_what_to_do_next() {
        use Applied::{Maybe, No};
        use Reach::{Connection, Item};
        for (status, kind, reach, applied, halts) in [
            (400, ErrorKind::Rejected, Item, No, false),
            (401, ErrorKind::Unauthorized, Connection, No, true),
            (403, ErrorKind::Forbidden, Item, No, false),
            (404, ErrorKind::NotFound, Item, No, false),
            (409, ErrorKind::Conflict, Item, No, false),
            (413, ErrorKind::Rejected, Item, No, false),
            (414, ErrorKind::Unexpected, Item, No, false),
            (423, ErrorKind::Unavailable, Item, No, false),
            (429, ErrorKind::RateLimited, Connection, No, true),
            (477, ErrorKind::Unavailable, Connection, No, true),
            (500, ErrorKind::Unavailable, Item, Maybe, false),
            (502, ErrorKind::Unavailable, Item, Maybe, true),
            (503, ErrorKind::Unavailable, Item, Maybe, true),
            (524, ErrorKind::Unavailable, Item, Maybe, true),
            (526, ErrorKind::Unavailable, Item, Maybe, true),
        ] {
            let fault = fault(status, &Value::Null);
            assert_eq!(
                (fault.kind, fault.reach, fault.applied, fault.halts()),
                (kind, reach, applied, halts),
                "{status}"
            );
        }
    }

    #[test]
    fn pauses_follow_the_policy_unless_the_answer_names_one() {
        for (policy, seconds) in [
            ("SECONDLY", 1),
            ("TEN_SECONDLY_ROLLING", 10),
            ("DAILY", 3600),
        ] {
            let fault = fault(429, &json!({"policyName": policy}));
            assert_eq!(
                fault.retry,
                Retry::After(Duration::from_secs(seconds)),
                "{policy}"
            );
        }
        let asked = Some(Duration::from_secs(7));
        let fault = Fault::of_answer("x", 429, &json!({"policyName": "DAILY"}), asked);
        assert_eq!(fault.retry, Retry::After(Duration::from_secs(7)));
    }

    #[test]
    fn the_refused_property_is_named_wherever_hubspot_puts_it() {
        for body in [
            json!({"errors": [{"code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["colour"]}}]}),
            json!({"errors": [{"code": "INVALID_OPTION", "in": "colour"}]}),
            json!({"message": "Property values were not valid: [{\"isValid\":false,\"error\":\"INVALID_OPTION\",\"name\":\"colour\"}]"}),
            json!({"context": {"propertyName": ["colour"]}}),
            json!({"message": "Error creating TICKET. Some required properties were not set: [colour]"}),
        ] {
            let error = fault(400, &body).to_error();
            assert_eq!(error.context("field"), Some("colour"), "{body}");
        }
    }

    #[test]
    fn values_of_the_mail_stay_out_of_errors() {
        let body = json!({"message": "Property values were not valid: [{\"name\":\"email\",\"error\":\"INVALID_EMAIL\",\"message\":\"ada@x is not valid\"}]"});
        let error = fault(400, &body).to_error();
        assert!(!format!("{error} {error:?}").contains("ada@x"));
        assert_eq!(error.provider_code(), Some("INVALID_EMAIL"));
    }

    #[test]
    fn a_scope_that_every_mail_needs_concerns_the_connection() {
        for (operation, reach) in [
            ("hubspot.emails.batch_create", Reach::Connection),
            ("hubspot.contacts.batch_read", Reach::Connection),
            ("hubspot.tickets.batch_create", Reach::Item),
        ] {
            let fault = Fault::of_answer(operation, 403, &Value::Null, None);
            assert_eq!(fault.reach, reach, "{operation}");
        }
    }

    #[test]
    fn a_conflict_gives_the_existing_id() {
        let body =
            json!({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 512"});
        assert_eq!(fault(409, &body).existing.as_deref(), Some("512"));
        assert_eq!(Fault::of_entry("x", &body).kind, ErrorKind::Conflict);
    }

    #[test]
    fn drift_is_recognised_by_code_only() {
        let drift = json!({"errors": [{"code": "INVALID_OPTION"}]});
        assert!(fault(400, &drift).is_drift());
        assert!(!fault(400, &json!({"message": "INVALID_OPTION"})).is_drift());
    }

    #[test]
    fn a_page_of_html_is_no_panic() {
        let fault = fault(502, &Value::String("<html>bad gateway</html>".into()));
        assert_eq!(fault.kind, ErrorKind::Unavailable);
    }
}
