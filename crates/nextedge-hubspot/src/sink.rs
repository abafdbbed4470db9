//! [`HubSpotSink`]: the value that serves every tenant with a HubSpot connection.

mod deliver;
mod files;
mod find;
mod install;
mod lookup;
mod parties;
mod records;
mod timeline;
mod write;
#[cfg(test)]
mod write_tests;

pub use install::Installed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use nextedge_core::sink::{
    CrmSink, Delivery, FindRequest, Found, ItemOutcome, SinkCapabilities, SinkDescription,
};
use nextedge_core::{
    CallContext, ConnectionId, Error, ErrorKind, RecordId, RecordKind, Result, Secret, TenantId,
};
use nextedge_http::{ApiClient, RateLimit, RateLimits, Response, TokenProvider};

use crate::auth::Credentials;
use crate::client::{HubSpotClient, SEARCH_CLASS};
use crate::config::{ApiVersions, DEFAULT_BASE_URL, LeadsMode, Limits, RatePreset, Settings};
use crate::error::Fault;
use crate::schema::Profile;
use crate::wire::ObjectType;
use crate::wire::answers::id_text;

/// Writes contacts, companies, deals, tickets, leads, notes, custom objects, e-mails and files.
///
/// One value serves every tenant; it keeps nothing but what each account looks like and the
/// companies it has just written, both bounded and keyed by tenant and connection.
///
/// ```
/// use nextedge_core::{Secret, sink::CrmSink};
/// use nextedge_hubspot::HubSpotSink;
///
/// let sink = HubSpotSink::builder().token(Secret::new("pat-eu1-…")).build()?;
/// assert_eq!(sink.name(), "hubspot");
/// # Ok::<(), nextedge_core::Error>(())
/// ```
pub struct HubSpotSink {
    client: HubSpotClient,
    limits: Limits,
    profiles: Cache<Account, Arc<Profile>>,
    recent_companies: Cache<(Account, String), RecordId>,
}

type Account = (TenantId, ConnectionId);

impl HubSpotSink {
    /// Starts a builder; only a token is required.
    pub fn builder() -> HubSpotSinkBuilder {
        HubSpotSinkBuilder::default()
    }

    /// What the account looks like, read at most once for each time to live.
    async fn profile(&self, cx: &CallContext) -> Result<Arc<Profile>> {
        let settings = Settings::of(cx)?;
        let account = account_of(cx);
        if let Some(known) = self.profiles.get(&account).await {
            if known.settings == settings {
                return Ok(known);
            }
            self.profiles.invalidate(&account).await;
        }
        let load = async {
            Profile::load(&self.client, cx, settings)
                .await
                .map(Arc::new)
        };
        let loaded = self.profiles.try_get_with(account, load).await;
        loaded.map_err(|fault: Arc<Fault>| fault.to_error())
    }

    /// Forgets what the account looks like, because HubSpot refused something that it allowed.
    async fn forget_profile(&self, cx: &CallContext) {
        self.profiles.invalidate(&account_of(cx)).await;
    }

    async fn recent_company(&self, cx: &CallContext, domain: &str) -> Option<RecordId> {
        self.recent_companies
            .get(&(account_of(cx), domain.to_owned()))
            .await
    }

    async fn remember_company(&self, cx: &CallContext, domain: &str, id: &RecordId) {
        let key = (account_of(cx), domain.to_owned());
        self.recent_companies.insert(key, id.clone()).await;
    }
}

fn account_of(cx: &CallContext) -> Account {
    (cx.tenant().clone(), cx.connection().id.clone())
}

#[async_trait]
impl CrmSink for HubSpotSink {
    fn name(&self) -> &str {
        "hubspot"
    }

    fn capabilities(&self) -> SinkCapabilities {
        SinkCapabilities::default()
            .with_kinds([
                RecordKind::Contact,
                RecordKind::Company,
                RecordKind::Lead,
                RecordKind::Case,
                RecordKind::Opportunity,
                RecordKind::Activity,
                RecordKind::Note,
                RecordKind::File,
            ])
            .with_max_batch(self.limits.batch_items)
            .with_settle(SETTLE)
            .with_attachments()
            .with_keyed()
    }

    /// Validates the settings and reads the account's details: one call, two where the settings
    /// insist on leads.
    async fn check(&self, cx: &CallContext) -> Result<String> {
        let settings = Settings::of(cx)?;
        let details = self
            .client
            .account(cx)
            .await
            .map_err(|fault| fault.to_error())?;
        let portal = id_text(&details["portalId"]).ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, "HubSpot named no portal id")
                .with_operation("hubspot.account.details")
        })?;
        if settings
            .account
            .as_ref()
            .is_some_and(|wanted| *wanted != portal)
        {
            return Err(
                Error::new(ErrorKind::Config, "the token belongs to another account")
                    .with_context("setting", "account")
                    .with_context("portal", &portal)
                    .with_action("use a token of the account in the settings"),
            );
        }
        if settings.leads == LeadsMode::Object {
            let read = self.client.properties(cx, &ObjectType::Lead).await;
            read.map_err(|fault| fault.to_error().with_context("setting", "leads"))?;
        }
        Ok(portal)
    }

    async fn describe(&self, cx: &CallContext) -> Result<SinkDescription> {
        Ok(self.profile(cx).await?.describe())
    }

    async fn find(&self, cx: &CallContext, request: &FindRequest) -> Result<Found> {
        find::find(self, cx, request).await
    }

    async fn deliver(&self, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        deliver::deliver(self, cx, batch).await
    }
}

impl fmt::Debug for HubSpotSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSpotSink")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Builds a [`HubSpotSink`].
#[derive(Default)]
pub struct HubSpotSinkBuilder {
    base_url: Option<String>,
    credentials: Option<Credentials>,
    versions: ApiVersions,
    rate: RatePreset,
    limits: Limits,
    client: Option<ApiClient>,
}

impl HubSpotSinkBuilder {
    /// Calls another host, such as a local server. Default: [`DEFAULT_BASE_URL`].
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Uses one service key or private app token for every connection.
    #[must_use]
    pub fn token(mut self, token: Secret) -> Self {
        self.credentials = Some(Credentials::One(token));
        self
    }

    /// Looks the token up by tenant and connection.
    #[must_use]
    pub fn token_by_connection(
        mut self,
        lookup: impl Fn(&CallContext) -> Option<Secret> + Send + Sync + 'static,
    ) -> Self {
        self.credentials = Some(Credentials::by_connection(lookup));
        self
    }

    /// Takes tokens from a provider, such as one that renews grants.
    #[must_use]
    pub fn token_provider(mut self, provider: Arc<dyn TokenProvider>) -> Self {
        self.credentials = Some(Credentials::Provider(provider));
        self
    }

    /// Sets the API version of each family. Default: 2026-09.
    #[must_use]
    pub fn versions(mut self, versions: ApiVersions) -> Self {
        self.versions = versions;
        self
    }

    /// Sets the rate limit by plan. Default: [`RatePreset::Free`].
    #[must_use]
    pub fn rate(mut self, preset: RatePreset) -> Self {
        self.rate = preset;
        self
    }

    /// Sets the bounds of a batch and of the caches. Default: [`Limits::default`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Uses this HTTP client instead of one made from base URL, token and rate.
    ///
    /// Give it [`error_mapper`](crate::error_mapper), so that HubSpot's refusals are read by code.
    #[must_use]
    pub fn client(mut self, client: ApiClient) -> Self {
        self.client = Some(client);
        self
    }

    /// Builds the sink; no call is made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the token is missing, or the base URL or a version is not usable.
    pub fn build(self) -> Result<HubSpotSink> {
        self.versions.check()?;
        let client = match (self.client, self.credentials) {
            (Some(client), _) => client,
            (None, Some(credentials)) => ApiClient::builder()
                .base_url(self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL))
                .shared_tokens(credentials.into_provider())
                .rate_limits(rate_limits(self.rate))
                .error_mapper(error_mapper)
                .max_request_bytes(MAX_BODY_BYTES)
                .max_response_bytes(MAX_BODY_BYTES)
                .build()?,
            (None, None) => {
                return Err(Error::new(ErrorKind::Config, "HubSpot has no token")
                    .with_action("give the builder a token, a lookup or a provider"));
            }
        };
        let limits = self.limits;
        Ok(HubSpotSink {
            client: HubSpotClient::new(client, self.versions),
            limits,
            profiles: Cache::builder()
                .max_capacity(limits.descriptions)
                .time_to_live(limits.description_ttl)
                .build(),
            recent_companies: Cache::builder()
                .max_capacity(RECENT_COMPANIES)
                .time_to_live(SETTLE)
                .build(),
        })
    }
}

impl fmt::Debug for HubSpotSinkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSpotSinkBuilder")
            .field("base_url", &self.base_url)
            .field("versions", &self.versions)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// Reads HubSpot's refusals by code for an [`ApiClient`] of the caller's own.
pub fn error_mapper(answer: &Response) -> Option<Error> {
    Some(Fault::of_response(answer).to_error())
}

/// Turns a preset into the limits of the HTTP client.
pub fn rate_limits(preset: RatePreset) -> RateLimits {
    let mut limits = RateLimits::none();
    if let Some(calls) = preset.calls() {
        limits = limits.with(RateLimit::new(calls, RatePreset::WINDOW));
    }
    if let Some(calls) = preset.searches_per_second() {
        limits = limits.with_class(SEARCH_CLASS, RateLimit::new(calls, Duration::from_secs(1)));
    }
    limits
}

/// Largest request and answer: an original mail of 50 MiB, or a batch whose bodies are echoed.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// Longest wait until HubSpot's search and unique properties show a write.
const SETTLE: Duration = Duration::from_secs(120);
/// Companies just written that are remembered, over all accounts.
const RECENT_COMPANIES: u64 = 10_000;
