//! The options of a client, each with its default.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use nextedge_core::{CallContext, Error, ErrorKind, Result};
use url::Url;

use crate::breaker::BreakerOptions;
use crate::client::ApiClient;
use crate::connections::Connections;
use crate::error::ErrorMapper;
use crate::hosts::{HostPins, check_scheme};
use crate::limit::RateLimits;
use crate::retry::RetryOptions;
use crate::stats::Stats;
use crate::token::TokenProvider;
use crate::transport::{Transport, TransportOptions};

/// How the token is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthScheme {
    /// `Authorization: Bearer …`.
    Bearer,
    /// The bare token in this header, such as `x-api-key`.
    Header(HeaderName),
}

/// Sets up an [`ApiClient`]; faults are reported by [`build`](Self::build).
#[must_use]
pub struct ApiClientBuilder {
    pub(crate) base: Option<String>,
    allowed_hosts: Vec<String>,
    tokens: Option<Arc<dyn TokenProvider>>,
    transport: TransportOptions,
    settings: Settings,
    max_connections: usize,
}

/// What the request path reads.
pub(crate) struct Settings {
    pub(crate) auth: AuthScheme,
    pub(crate) attempt_timeout: Duration,
    pub(crate) max_request: usize,
    pub(crate) retry: RetryOptions,
    pub(crate) breaker: BreakerOptions,
    pub(crate) limits: Arc<dyn Fn(&CallContext) -> RateLimits + Send + Sync>,
    pub(crate) limiter_wait: Duration,
    pub(crate) in_flight: usize,
    pub(crate) mapper: Option<Arc<dyn ErrorMapper>>,
    pub(crate) request_id: HeaderName,
}

impl ApiClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base: None,
            allowed_hosts: Vec::new(),
            tokens: None,
            transport: TransportOptions::default(),
            settings: Settings::default(),
            max_connections: 10_000,
        }
    }

    /// Sets the URL that paths are appended to; its host and port are pinned. Required, unless
    /// every request names its own. Only https, or http to this machine.
    pub fn base_url(mut self, url: impl AsRef<str>) -> Self {
        self.base = Some(url.as_ref().to_owned());
        self
    }

    /// Pins further hosts: `host` (port 443; any port on this machine), `host:port` or `*.host`
    /// (every name below it). Default: none. A request to any other host is refused unsent.
    pub fn allowed_hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.allowed_hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Sets where tokens come from. Default: none; then every request must be anonymous.
    pub fn tokens(self, tokens: impl TokenProvider) -> Self {
        self.shared_tokens(Arc::new(tokens))
    }

    /// Sets where tokens come from, shared with other clients.
    pub fn shared_tokens(mut self, tokens: Arc<dyn TokenProvider>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Sets how the token is presented. Default: `Authorization: Bearer`.
    pub fn auth(mut self, scheme: AuthScheme) -> Self {
        self.settings.auth = scheme;
        self
    }

    /// Sets the user agent. Default: `nextedge/` and the version.
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.transport.user_agent = text.into();
        self
    }

    /// Uses the proxy that the environment names. Default: no proxy, since it would see where
    /// credentials go.
    pub fn system_proxy(mut self) -> Self {
        self.transport.system_proxy = true;
        self
    }

    /// Sets the time to reach the vendor, TLS included. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.transport.connect_timeout = timeout;
        self
    }

    /// Sets how long an unused connection stays open, and how many per host.
    /// Default: 60 s, 32.
    pub fn keep_alive(mut self, idle: Duration, per_host: usize) -> Self {
        self.transport.idle_timeout = idle;
        self.transport.idle_per_host = per_host;
        self
    }

    /// Sets the time of one attempt, body included. Default: 30 s. The context's deadline bounds
    /// the whole call.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// Sets the largest accepted answer, after decompression. Default: 32 MiB. Reading stops
    /// there.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.transport.max_response = bytes;
        self
    }

    /// Sets the largest body that is sent. Default: 64 MiB.
    pub fn max_request_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_request = bytes;
        self
    }

    /// Sets the in-process repetition. Default: [`RetryOptions::default`].
    pub fn retry(mut self, options: RetryOptions) -> Self {
        self.settings.retry = options;
        self
    }

    /// Sets the breaker of each (tenant, connection). Default: [`BreakerOptions::default`].
    pub fn breaker(mut self, options: BreakerOptions) -> Self {
        self.settings.breaker = options;
        self
    }

    /// Sets the quota of each (tenant, connection). Default: none.
    pub fn rate_limits(self, limits: RateLimits) -> Self {
        self.rate_limits_by(move |_| limits.clone())
    }

    /// Sets the quota by connection, such as from its settings; asked on first use and again when
    /// the connection's version changes.
    pub fn rate_limits_by(
        mut self,
        limits: impl Fn(&CallContext) -> RateLimits + Send + Sync + 'static,
    ) -> Self {
        self.settings.limits = Arc::new(limits);
        self
    }

    /// Sets how long a call waits for its place under the quota before it is returned as
    /// `RateLimited`. Default: 15 s.
    pub fn limiter_wait(mut self, wait: Duration) -> Self {
        self.settings.limiter_wait = wait;
        self
    }

    /// Sets how many attempts of one (tenant, connection) are on their way at once; the others
    /// wait within their deadline. Default: 8; at least 1.
    pub fn in_flight(mut self, attempts: usize) -> Self {
        self.settings.in_flight = attempts.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Sets for how many (tenant, connection) pairs breaker and quota are remembered; the longest
    /// idle is forgotten first. Default: 10,000.
    pub fn max_connections(mut self, pairs: usize) -> Self {
        self.max_connections = pairs;
        self
    }

    /// Sets the vendor's own reading of refusals. Default: the common status table.
    pub fn error_mapper(mut self, mapper: impl ErrorMapper) -> Self {
        self.settings.mapper = Some(Arc::new(mapper));
        self
    }

    /// Sets the answer header that holds the vendor's request id. Default: `x-request-id`.
    pub fn request_id_header(mut self, name: HeaderName) -> Self {
        self.settings.request_id = name;
        self
    }

    /// Builds the client; it opens no connection yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option: base URL, allowed host, user agent, or TLS set-up.
    pub fn build(self) -> Result<ApiClient> {
        let mut hosts = HostPins::default();
        let base = self.base.as_deref().map(parse_base).transpose()?;
        if let Some(base) = &base {
            hosts.add_url(base);
        }
        self.allowed_hosts
            .iter()
            .try_for_each(|host| hosts.add(host))?;
        if HeaderValue::try_from(&self.transport.user_agent).is_err() {
            return Err(Error::new(
                ErrorKind::Config,
                "user agent is not a header value",
            ));
        }
        Ok(ApiClient::assemble(Parts {
            base,
            hosts,
            tokens: self.tokens,
            transport: Transport::new(&self.transport)?,
            settings: self.settings,
            connections: Connections::new(self.max_connections),
            stats: Stats::default(),
        }))
    }
}

/// Everything a client owns.
pub(crate) struct Parts {
    pub(crate) base: Option<Url>,
    pub(crate) hosts: HostPins,
    pub(crate) tokens: Option<Arc<dyn TokenProvider>>,
    pub(crate) transport: Transport,
    pub(crate) settings: Settings,
    pub(crate) connections: Connections,
    pub(crate) stats: Stats,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth: AuthScheme::Bearer,
            attempt_timeout: Duration::from_secs(30),
            max_request: 64 * MIB,
            retry: RetryOptions::default(),
            breaker: BreakerOptions::default(),
            limits: Arc::new(|_| RateLimits::none()),
            limiter_wait: Duration::from_secs(15),
            in_flight: 8,
            mapper: None,
            request_id: HeaderName::from_static("x-request-id"),
        }
    }
}

fn parse_base(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|_| {
        Error::new(ErrorKind::Config, "base url is not a url")
            .with_action("write it with scheme and host, such as https://api.example.com")
    })?;
    check_scheme(&url)?;
    Ok(url)
}

const MIB: usize = 1024 * 1024;
