//! The one error type: what happened, to which item, and what to do next.
//!
//! [`ErrorKind`] says what the caller does next, [`Retry`] says when. `Display` is one line
//! without bodies, tokens or addresses; causes stay in [`source`](std::error::Error::source).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Result of every fallible call of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong: correct it, do not repeat it.
    Invalid,
    /// The configuration is wrong: correct the named field.
    Config,
    /// The thing asked for does not exist.
    NotFound,
    /// Another writer was faster or holds the same key: read again, then decide.
    Conflict,
    /// The vendor refused the content for good: a person decides.
    Rejected,
    /// The grant is missing, expired or revoked: the connection needs attention.
    Unauthorized,
    /// The grant is valid but lacks a right.
    Forbidden,
    /// The vendor asks for fewer calls: wait.
    RateLimited,
    /// The other side is down, slow or unreachable: wait.
    Unavailable,
    /// The time budget ended before an answer came.
    Timeout,
    /// The lease was lost: drop the work, another worker has it.
    Fenced,
    /// The cursor is too old for the source: start a reconcile.
    CursorExpired,
    /// A limit of ours was reached; the context names the option.
    LimitExceeded,
    /// This connector cannot do that; its capabilities say so.
    Unsupported,
    /// Another process holds the store.
    AlreadyRunning,
    /// The store cannot take more: disk full or read-only. Work waits.
    StoreFull,
    /// An invariant did not hold: a defect of ours or of a connector.
    Unexpected,
}

impl ErrorKind {
    /// Returns the stable machine code, for alerts and searches.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "NE-INVALID",
            Self::Config => "NE-CONFIG",
            Self::NotFound => "NE-NOT-FOUND",
            Self::Conflict => "NE-CONFLICT",
            Self::Rejected => "NE-REJECTED",
            Self::Unauthorized => "NE-UNAUTHORIZED",
            Self::Forbidden => "NE-FORBIDDEN",
            Self::RateLimited => "NE-RATE-LIMITED",
            Self::Unavailable => "NE-UNAVAILABLE",
            Self::Timeout => "NE-TIMEOUT",
            Self::Fenced => "NE-FENCED",
            Self::CursorExpired => "NE-CURSOR-EXPIRED",
            Self::LimitExceeded => "NE-LIMIT",
            Self::Unsupported => "NE-UNSUPPORTED",
            Self::AlreadyRunning => "NE-ALREADY-RUNNING",
            Self::StoreFull => "NE-STORE-FULL",
            Self::Unexpected => "NE-UNEXPECTED",
        }
    }

    fn default_retry(self) -> Retry {
        match self {
            Self::RateLimited | Self::Unavailable | Self::Timeout | Self::StoreFull => {
                Retry::Backoff
            }
            _ => Retry::Never,
        }
    }
}

/// When the same call may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Retry {
    /// Repeating cannot help.
    Never,
    /// After the caller's own growing delay.
    Backoff,
    /// After the delay that the other side asked for.
    After(Duration),
}

/// How far a condition reaches: one item, or everything that shares the connection or the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Only this item; others may go on.
    #[default]
    Item,
    /// Every call on this connection: the engine sets a gate and burns no attempt.
    Connection,
    /// Every call of this OAuth app, whatever the tenant.
    App,
}

/// What happened, to which item, and what to do next.
///
/// One word wide, so `Result`s stay small.
///
/// ```
/// use nextedge_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Rejected, "required field is missing")
///     .with_operation("crm.contacts.create")
///     .with_context("field", "email");
/// assert_eq!(
///     error.to_string(),
///     "NE-REJECTED crm.contacts.create: required field is missing (field=email)"
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    retry: Retry,
    reach: Reach,
    operation: Cow<'static, str>,
    context: Vec<(Cow<'static, str>, String)>,
    provider_code: Option<String>,
    request_id: Option<String>,
    action: Option<Cow<'static, str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Starts an error; the message is lower case, without final stop, body, token or address.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retry: kind.default_retry(),
            reach: Reach::Item,
            operation: Cow::Borrowed(""),
            context: Vec::new(),
            provider_code: None,
            request_id: None,
            action: None,
            source: None,
        }))
    }

    /// Names the call that failed, such as `hubspot.contacts.upsert`.
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        self.0.operation = operation.into();
        self
    }

    /// Adds a fact: which item, which field, which limit.
    #[must_use]
    pub fn with_context(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
    ) -> Self {
        self.0
            .context
            .push((key.into(), one_line(&value.to_string())));
        self
    }

    /// Overrides when the call may be repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says that the whole connection or app is concerned, not only this item.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.0.reach = reach;
        self
    }

    /// Keeps the vendor's own error code.
    #[must_use]
    pub fn with_provider_code(mut self, code: impl Into<String>) -> Self {
        self.0.provider_code = Some(one_line(&code.into()));
        self
    }

    /// Keeps the vendor's request id, for its support.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(one_line(&id.into()));
        self
    }

    /// Says what a person can do about it.
    #[must_use]
    pub fn with_action(mut self, action: impl Into<Cow<'static, str>>) -> Self {
        self.0.action = Some(action.into());
        self
    }

    /// Keeps the cause; it is never part of `Display`.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Repeats the error for another item of its batch; the cause stays with the first.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let inner = &self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            message: inner.message.clone(),
            retry: inner.retry,
            reach: inner.reach,
            operation: inner.operation.clone(),
            context: inner.context.clone(),
            provider_code: inner.provider_code.clone(),
            request_id: inner.request_id.clone(),
            action: inner.action.clone(),
            source: None,
        }))
    }

    /// Returns what the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns when the call may be repeated.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Returns how far the condition reaches.
    pub fn reach(&self) -> Reach {
        self.0.reach
    }

    /// Returns the stable machine code.
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// Returns the message without operation and context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the call that failed, or an empty text.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// Returns the value of a context fact.
    pub fn context(&self, key: &str) -> Option<&str> {
        let mut facts = self.0.context.iter();
        facts
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the vendor's own error code.
    pub fn provider_code(&self) -> Option<&str> {
        self.0.provider_code.as_deref()
    }

    /// Returns the vendor's request id.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns what a person can do about it.
    pub fn action(&self) -> Option<&str> {
        self.0.action.as_deref()
    }

    /// Returns a copy of the facts for a store: no cause, nothing secret.
    pub fn report(&self) -> ErrorReport {
        ErrorReport {
            kind: self.kind(),
            code: self.code().to_owned(),
            text: self.to_string(),
            provider_code: self.0.provider_code.clone(),
            request_id: self.0.request_id.clone(),
            action: self.0.action.as_deref().map(str::to_owned),
        }
    }
}

/// The storable facts of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// What the caller does next.
    pub kind: ErrorKind,
    /// The stable machine code.
    pub code: String,
    /// The one-line text.
    pub text: String,
    /// The vendor's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
    /// The vendor's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        if !self.0.operation.is_empty() {
            write!(f, " {}", self.0.operation)?;
        }
        write!(f, ": {}", self.0.message)?;
        let mut facts = self.0.context.iter();
        if let Some((key, value)) = facts.next() {
            write!(f, " ({key}={value}")?;
            facts.try_for_each(|(key, value)| write!(f, ", {key}={value}"))?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("text", &self.to_string())
            .field("retry", &self.0.retry)
            .field("reach", &self.0.reach)
            .field("provider_code", &self.0.provider_code)
            .field("request_id", &self.0.request_id)
            .field("action", &self.0.action)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_FACT_CHARS)
        .collect()
}

/// Longest kept context value, in characters: an error never grows with its input.
const MAX_FACT_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn display_is_one_line_even_for_hostile_context() {
        let error =
            Error::new(ErrorKind::Invalid, "refused").with_context("field", "a\nb\u{1b}[0m");
        assert_eq!(error.to_string().lines().count(), 1);
        assert!(!error.to_string().contains('\u{1b}'));
    }

    #[test]
    fn context_is_cut() {
        let error =
            Error::new(ErrorKind::Invalid, "refused").with_context("field", "x".repeat(9000));
        assert!(error.to_string().len() < 400);
    }

    #[test]
    fn source_is_not_shown() {
        let error = Error::new(ErrorKind::Unavailable, "cut").with_source("token=abc");
        assert!(!format!("{error} {error:?}").contains("abc"));
    }
}
