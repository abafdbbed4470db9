//! What one call has gone through so far, and the small steps its attempts share.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};
use nextedge_core::{CallContext, Error, ErrorKind, Reach, Result, Secret};

use crate::breaker::Health;
use crate::builder::AuthScheme;
use crate::error::{Applied, CallError};
use crate::request::{Idempotency, Request};
use crate::response::Response;
use crate::stats::Cause;
use crate::transport::Lost;

/// One call over all its attempts.
pub(crate) struct Call<'r> {
    pub(crate) request: &'r Request,
    pub(crate) attempts: u32,
    pub(crate) cause: Cause,
    pub(crate) renewed: Option<Secret>,
    pub(crate) has_refreshed: bool,
    applied: Applied,
}

/// What follows a failed attempt.
pub(crate) enum Next {
    /// The call has failed.
    Stop,
    /// Repeat it after this delay.
    Wait(Duration),
    /// Renew this refused token, then repeat it at once.
    Refresh(Secret),
}

impl<'r> Call<'r> {
    pub(crate) fn new(request: &'r Request) -> Self {
        Self {
            request,
            attempts: 1,
            cause: Cause::Asked,
            renewed: None,
            has_refreshed: false,
            applied: Applied::No,
        }
    }

    /// Refuses to go on after the deadline.
    pub(crate) fn check_deadline(&self, cx: &CallContext) -> Result<(), CallError> {
        if cx.remaining().is_zero() {
            let error = Error::new(ErrorKind::Timeout, "the deadline has passed");
            return Err(self.unsent(error));
        }
        Ok(())
    }

    /// Ends the call by a fault on our side of the wire; earlier attempts keep their weight.
    pub(crate) fn unsent(&self, error: Error) -> CallError {
        let error = if error.operation().is_empty() {
            error.with_operation(self.request.operation)
        } else {
            error
        };
        CallError::new(error, self.applied)
    }

    /// Remembers a failed attempt; what it may have written stays true for the call.
    pub(crate) fn note(&mut self, failure: CallError) -> CallError {
        self.applied = self.applied.max(failure.applied());
        failure.at_least(self.applied)
    }

    /// Tells whether a repetition cannot write twice.
    pub(crate) fn may_repeat(&self) -> bool {
        match self.request.idempotency {
            Idempotency::Safe | Idempotency::Keyed => true,
            Idempotency::Unkeyed => self.applied == Applied::No,
        }
    }

    /// Counts a repetition.
    pub(crate) fn retry(&mut self) {
        self.attempts += 1;
        self.cause = Cause::Retried;
    }

    /// Goes on with a renewed token, which costs no attempt, or ends the call.
    pub(crate) fn refreshed(
        &mut self,
        renewed: Result<Secret>,
        refused: CallError,
    ) -> Result<(), CallError> {
        match renewed {
            Ok(token) => {
                self.renewed = Some(token);
                self.has_refreshed = true;
                self.cause = Cause::Refreshed;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => Err(refused),
            Err(error) => Err(self.unsent(error)),
        }
    }
}

/// Returns what an attempt says about the connection; nothing if it was our deadline or our limit
/// that ended it.
pub(crate) fn health(cx: &CallContext, outcome: &Result<Response, CallError>) -> Option<Health> {
    let Err(failure) = outcome else {
        return Some(Health::Well);
    };
    match failure.answer().map(Response::status) {
        Some(StatusCode::NOT_IMPLEMENTED) => Some(Health::Well),
        Some(status) if status.is_server_error() => Some(Health::Sick),
        Some(_) => Some(Health::Well),
        None => match failure.kind() {
            ErrorKind::Timeout if cx.remaining().is_zero() => None,
            ErrorKind::Timeout | ErrorKind::Unavailable => Some(Health::Sick),
            _ => None,
        },
    }
}

/// Runs a future for at most this long on the context's clock.
pub(crate) async fn within<T>(
    cx: &CallContext,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = cx.clock().sleep(limit) => None,
    }
}

/// An attempt whose answer did not come in time.
pub(crate) fn late(limit: Duration) -> Lost {
    Lost {
        error: Error::new(ErrorKind::Timeout, "no answer in time")
            .with_context("waited_ms", limit.as_millis()),
        applied: Applied::Maybe,
    }
}

/// Makes the header that bears the token; marked so that no layer below prints it.
pub(crate) fn credential(scheme: &AuthScheme, token: &Secret) -> Result<(HeaderName, HeaderValue)> {
    let (name, text) = match scheme {
        AuthScheme::Bearer => (
            AUTHORIZATION,
            Secret::new(format!("Bearer {}", token.expose())),
        ),
        AuthScheme::Header(name) => (name.clone(), token.clone()),
    };
    let mut value = HeaderValue::try_from(text.expose()).map_err(|_| {
        Error::new(ErrorKind::Unauthorized, "the token is not a header value")
            .with_reach(Reach::Connection)
            .with_action("set the access token of this connection again")
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_credential_is_marked_so_that_no_layer_prints_it() {
        for scheme in [AuthScheme::Bearer, AuthScheme::Header(http::header::COOKIE)] {
            let (_, value) = credential(&scheme, &Secret::new("abc")).unwrap();
            assert!(value.is_sensitive());
            assert!(!format!("{value:?}").contains("abc"));
        }
    }

    #[test]
    fn a_token_that_is_no_header_value_is_refused_without_showing_it() {
        let error = credential(&AuthScheme::Bearer, &Secret::new("ab\r\nc")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(!format!("{error:?}").contains("ab\\r"));
    }
}
