//! One account for each tenant: the imitation of the CRM has one account a server.

use std::collections::BTreeMap;

use async_trait::async_trait;
use nextedge_core::sink::{
    CrmSink, Delivery, FindRequest, Found, ItemOutcome, SinkCapabilities, SinkDescription,
};
use nextedge_core::{CallContext, Error, ErrorKind, Result, Secret, TenantId};
use nextedge_hubspot::{HubSpotSink, RatePreset};
use nextedge_sandbox::STATIC_TOKEN;

use crate::Failure;
use crate::spec::TenantSpec;

/// Sends each tenant's calls to the tenant's own server, through the real connector.
#[derive(Debug)]
pub(crate) struct RoutedSink {
    sinks: BTreeMap<TenantId, HubSpotSink>,
}

impl RoutedSink {
    pub(crate) fn new(tenants: &[TenantSpec]) -> Result<Self, Failure> {
        let mut sinks = BTreeMap::new();
        for tenant in tenants {
            let sink = HubSpotSink::builder()
                .base_url(&tenant.crm)
                .token(Secret::new(STATIC_TOKEN))
                .rate(RatePreset::Lifted)
                .build()?;
            sinks.insert(TenantId::new(&tenant.name)?, sink);
        }
        Ok(Self { sinks })
    }

    /// Makes our unique property in the tenant's account.
    pub(crate) async fn install(&self, cx: &CallContext) -> Result<()> {
        self.of(cx)?.install(cx).await.map(|_| ())
    }

    fn of(&self, cx: &CallContext) -> Result<&HubSpotSink> {
        self.sinks
            .get(cx.tenant())
            .ok_or_else(|| Error::new(ErrorKind::Config, "this tenant has no account"))
    }
}

#[async_trait]
impl CrmSink for RoutedSink {
    fn name(&self) -> &str {
        "hubspot"
    }

    fn capabilities(&self) -> SinkCapabilities {
        let mut sinks = self.sinks.values();
        sinks
            .next()
            .map_or_else(SinkCapabilities::default, CrmSink::capabilities)
    }

    async fn check(&self, cx: &CallContext) -> Result<String> {
        self.of(cx)?.check(cx).await
    }

    async fn describe(&self, cx: &CallContext) -> Result<SinkDescription> {
        self.of(cx)?.describe(cx).await
    }

    async fn find(&self, cx: &CallContext, request: &FindRequest) -> Result<Found> {
        self.of(cx)?.find(cx, request).await
    }

    async fn deliver(&self, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        self.of(cx)?.deliver(cx, batch).await
    }
}
