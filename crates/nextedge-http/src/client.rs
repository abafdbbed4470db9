//! The request path: one function shows every phase of a call in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use nextedge_core::failpoint::reached;
use nextedge_core::{CallContext, Error, ErrorKind, Reach, Result, Retry, Secret, later};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;
use url::Url;

use crate::audit::OpenRecord;
use crate::breaker::{Admission, Breaker, BreakerState};
use crate::builder::{ApiClientBuilder, Parts};
use crate::call::{Call, Next, credential, health, late, within};
use crate::connections::ConnectionState;
use crate::error::{Applied, CallError};
use crate::hosts;
use crate::limit::{Ask, Limiter, Pace};
use crate::request::{Auth, Request};
use crate::response::Response;
use crate::retry::{Budget, chance};
use crate::stats::CallCount;
use crate::status;
use crate::token::TokenProvider;
use crate::transport::Lost;

/// Calls one vendor for every tenant; cheap to clone, all clones share pool, quotas and breakers.
#[derive(Clone)]
pub struct ApiClient {
    parts: Arc<Parts>,
}

impl ApiClient {
    /// Starts the set-up of a client.
    pub fn builder() -> ApiClientBuilder {
        ApiClientBuilder::new()
    }

    pub(crate) fn assemble(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Makes one call for `cx`'s tenant and connection, and answers only with success (2xx).
    ///
    /// The context's deadline bounds everything, waiting included. Dropping the future stops the
    /// call; a write on its way may then have happened, and its audit record says `cancelled`.
    ///
    /// # Errors
    ///
    /// [`CallError::applied`] tells whether a write may have happened. Kinds: those of the vendor's
    /// refusal; `Unavailable` with `Retry::After` and `Reach::Connection` while the breaker is open;
    /// `RateLimited` likewise when the wait is too long to sit out; `Timeout`; `LimitExceeded`
    /// naming the option; `Invalid` and `Config` before anything is sent.
    pub async fn send(&self, cx: &CallContext, request: Request) -> Result<Response, CallError> {
        let span = tracing::debug_span!(
            "http.call",
            operation = request.operation,
            tenant = %cx.tenant(),
            connection = %cx.connection().id,
        );
        self.run(cx, &request).instrument(span).await
    }

    async fn run(&self, cx: &CallContext, request: &Request) -> Result<Response, CallError> {
        let mut call = Call::new(request);
        let url = self.target(request).map_err(|error| call.unsent(error))?;
        let connection = self.connection(cx);
        loop {
            call.check_deadline(cx)?;
            let admission = admit(cx, &call, &connection.breaker)?;
            let slot = self.slot(cx, &call, &connection).await?;
            self.pace(cx, &call, &connection.limiter).await?;
            let token = self.token(cx, &mut call).await?;
            let outcome = self.attempt(cx, &call, &url, token.as_ref()).await;
            drop(slot);
            if let Some(health) = health(cx, &outcome) {
                admission.settle(health, cx.now());
            }
            let failure = match outcome {
                Ok(response) => {
                    connection.budget.earn();
                    return Ok(response);
                }
                Err(failure) => call.note(failure),
            };
            match self.next(cx, &connection, &call, &failure, token.as_ref()) {
                Next::Stop => return Err(failure),
                Next::Wait(delay) => {
                    call.retry();
                    cx.clock().sleep(delay).await;
                }
                Next::Refresh(rejected) => {
                    let renewed = self.refresh(cx, &connection, &rejected).await;
                    call.refreshed(renewed, failure)?;
                }
            }
        }
    }

    /// Returns whether calls of `cx`'s connection go out.
    pub fn breaker_state(&self, cx: &CallContext) -> BreakerState {
        let connection = self.parts.connections.known(cx);
        connection.map_or(BreakerState::Closed, |known| known.breaker.state())
    }

    /// Returns how many attempts were made, by operation and cause, over all tenants.
    pub fn call_counts(&self) -> Vec<CallCount> {
        self.parts.stats.snapshot()
    }

    fn target(&self, request: &Request) -> Result<Url> {
        request.check(self.parts.settings.max_request)?;
        let base = request.base.as_ref().or(self.parts.base.as_ref());
        let base = base.ok_or_else(|| {
            Error::new(ErrorKind::Config, "no base url").with_action("set the client's base url")
        })?;
        let url = hosts::join(base, &request.path)?;
        self.parts.hosts.check(&url)?;
        Ok(url)
    }

    fn connection(&self, cx: &CallContext) -> Arc<ConnectionState> {
        let settings = &self.parts.settings;
        self.parts.connections.of(cx, || ConnectionState {
            breaker: Breaker::new(settings.breaker.clone()),
            limiter: Limiter::new(cx.connection().version, &(settings.limits)(cx)),
            slots: Semaphore::new(settings.in_flight),
            budget: Budget::new(&settings.retry),
            refreshing: tokio::sync::Mutex::default(),
        })
    }

    async fn slot<'a>(
        &self,
        cx: &CallContext,
        call: &Call<'_>,
        connection: &'a ConnectionState,
    ) -> Result<SemaphorePermit<'a>, CallError> {
        let error = match within(cx, cx.remaining(), connection.slots.acquire()).await {
            Some(Ok(slot)) => return Ok(slot),
            Some(Err(_)) => Error::new(ErrorKind::Unexpected, "slots are closed"),
            None => Error::new(ErrorKind::Timeout, "no free slot before the deadline")
                .with_context("in_flight", self.parts.settings.in_flight),
        };
        Err(call.unsent(error))
    }

    async fn pace(
        &self,
        cx: &CallContext,
        call: &Call<'_>,
        limiter: &Limiter,
    ) -> Result<(), CallError> {
        let settings = &self.parts.settings;
        let ask = Ask {
            now: cx.now(),
            class: call.request.rate_class,
            cost: call.request.cost,
            max_wait: settings.limiter_wait.min(cx.remaining()),
        };
        let error = match limiter.take(cx.connection().version, || (settings.limits)(cx), &ask) {
            Pace::Go(Duration::ZERO) => return Ok(()),
            Pace::Go(wait) => {
                cx.clock().sleep(wait).await;
                return Ok(());
            }
            Pace::Later(wait) => Error::new(ErrorKind::RateLimited, "our quota is used up")
                .with_retry(Retry::After(wait))
                .with_reach(Reach::Connection),
            Pace::Never => Error::new(ErrorKind::Config, "the call costs more than its quota")
                .with_context("cost", ask.cost),
        };
        Err(call.unsent(error))
    }

    async fn token(
        &self,
        cx: &CallContext,
        call: &mut Call<'_>,
    ) -> Result<Option<Secret>, CallError> {
        if call.request.auth == Auth::None {
            return Ok(None);
        }
        if let Some(renewed) = call.renewed.take() {
            return Ok(Some(renewed));
        }
        let tokens = self.tokens().map_err(|error| call.unsent(error))?;
        match within(cx, cx.remaining(), tokens.token(cx)).await {
            Some(token) => token.map(Some).map_err(|error| call.unsent(error)),
            None => {
                let error = Error::new(ErrorKind::Timeout, "no token before the deadline");
                Err(call.unsent(error))
            }
        }
    }

    fn tokens(&self) -> Result<&dyn TokenProvider> {
        self.parts.tokens.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Config, "the client has no token provider")
                .with_action("set the client's tokens, or make the request anonymous")
        })
    }

    async fn attempt(
        &self,
        cx: &CallContext,
        call: &Call<'_>,
        url: &Url,
        token: Option<&Secret>,
    ) -> Result<Response, CallError> {
        let (request, parts) = (call.request, &self.parts);
        let credential = token
            .map(|token| credential(&parts.settings.auth, token))
            .transpose();
        let credential = credential.map_err(|error| CallError::new(error, Applied::No))?;
        parts.stats.count(request.operation, call.cause);
        let record = OpenRecord::start(cx, request);
        let limit = parts.settings.attempt_timeout.min(cx.remaining());
        reached("call.before");
        let exchange = parts.transport.exchange(request, url, credential);
        let outcome = within(cx, limit, exchange)
            .await
            .unwrap_or_else(|| Err(late(limit)));
        reached("call.after");
        reached(request.operation);
        let outcome = self.classify(cx, request, outcome);
        match &outcome {
            Ok(response) => record.answered(response),
            Err(failure) => {
                parts.stats.fail(request.operation, call.cause);
                record.failed(failure.error(), failure.answer());
            }
        }
        outcome
    }

    fn classify(
        &self,
        cx: &CallContext,
        request: &Request,
        outcome: Result<Response, Lost>,
    ) -> Result<Response, CallError> {
        let failure = match outcome {
            Ok(answer) if answer.status().is_success() => return Ok(answer),
            Ok(answer) => {
                let error = self.refusal(cx, &answer);
                CallError::new(error, status::applied(&answer)).with_answer(answer)
            }
            Err(lost) => CallError::new(lost.error.with_operation(request.operation), lost.applied),
        };
        Err(if request.writes() {
            failure
        } else {
            failure.unapplied()
        })
    }

    fn refusal(&self, cx: &CallContext, answer: &Response) -> Error {
        let settings = &self.parts.settings;
        let mapped = settings
            .mapper
            .as_ref()
            .and_then(|mapper| mapper.map(answer));
        let mut error = mapped.unwrap_or_else(|| status::refusal(answer, cx.now()));
        if error.operation().is_empty() {
            error = error.with_operation(answer.operation());
        }
        match answer.header(settings.request_id.as_str()) {
            Some(id) if error.request_id().is_none() => error.with_request_id(id),
            _ => error,
        }
    }

    /// Decides what follows a failed attempt.
    fn next(
        &self,
        cx: &CallContext,
        connection: &ConnectionState,
        call: &Call<'_>,
        failure: &CallError,
        token: Option<&Secret>,
    ) -> Next {
        let (retry, status) = (
            &self.parts.settings.retry,
            failure.answer().map(Response::status),
        );
        if let (Some(StatusCode::UNAUTHORIZED), Some(token)) = (status, token)
            && !call.has_refreshed
        {
            return Next::Refresh(token.clone());
        }
        let (delay, longest) = match failure.error().retry() {
            Retry::After(delay) => (delay, retry.obeyed_wait),
            Retry::Backoff => (retry.backoff(call.attempts, chance()), retry.cap),
            _ => return Next::Stop,
        };
        if asks_for_fewer_calls(failure.error()) {
            connection.limiter.pause(later(cx.now(), delay));
        }
        let fits = delay <= longest && delay < cx.remaining();
        let left = call.attempts < retry.attempts;
        if fits && left && call.may_repeat() && connection.budget.spend() {
            Next::Wait(delay)
        } else {
            Next::Stop
        }
    }

    /// Renews a refused token once for all calls that were refused with it.
    async fn refresh(
        &self,
        cx: &CallContext,
        connection: &ConnectionState,
        rejected: &Secret,
    ) -> Result<Secret> {
        let tokens = self.tokens()?;
        let renewal = async {
            let mut refused = connection.refreshing.lock().await;
            let present = tokens.token(cx).await?;
            if present.expose() != rejected.expose() {
                return Ok(present);
            }
            if let Some(error) = refused.lately(rejected, cx.now()) {
                return Err(error);
            }
            let renewed = tokens.refresh(cx, rejected).await;
            refused.note(rejected, &renewed, cx.now());
            renewed
        };
        let renewed = within(cx, cx.remaining(), renewal).await;
        renewed.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Timeout,
                "no new token before the deadline",
            ))
        })
    }
}

/// Lets an attempt out unless the connection keeps failing.
fn admit<'a>(
    cx: &CallContext,
    call: &Call<'_>,
    breaker: &'a Breaker,
) -> Result<Admission<'a>, CallError> {
    breaker.admit(cx.now()).map_err(|wait| {
        let message = "the connection keeps failing; breaker is open";
        let error = Error::new(ErrorKind::Unavailable, message)
            .with_retry(Retry::After(wait))
            .with_reach(Reach::Connection);
        call.unsent(error)
    })
}

/// Tells whether the whole connection, not only this call, should hold back.
fn asks_for_fewer_calls(error: &Error) -> bool {
    let timed = matches!(error.retry(), Retry::After(_));
    error.reach() != Reach::Item && (timed || error.kind() == ErrorKind::RateLimited)
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiClient")
            .field("host", &self.parts.base.as_ref().and_then(Url::host_str))
            .field("tokens", &self.parts.tokens)
            .finish_non_exhaustive()
    }
}
