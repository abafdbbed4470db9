//! How an engine is put together.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::alerts::Alerts;
use super::deps::Deps;
use super::event::Events;
use super::fill::Fill;
use super::options::EngineOptions;
use super::tenant::TenantConfigs;
use crate::alert::{AlertRules, Notifier};
use crate::classify::Classifier;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::sink::CrmSink;
use crate::source::MailSource;
use crate::stage::token::TokenKey;
use crate::store::Store;

/// Collects a store, connectors and a classifier.
#[derive(Debug, Default)]
#[must_use]
pub struct EngineBuilder {
    store: Option<Arc<dyn Store>>,
    sources: Vec<Arc<dyn MailSource>>,
    sinks: Vec<Arc<dyn CrmSink>>,
    classifier: Option<Arc<dyn Classifier>>,
    clock: Option<Arc<dyn Clock>>,
    token_key: Option<[u8; 32]>,
    rules: Option<AlertRules>,
    notifiers: Vec<Arc<dyn Notifier>>,
    options: EngineOptions,
}

impl EngineBuilder {
    /// Sets the store; required.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Sets a store that others hold as well.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds a mail source; one value serves all tenants.
    pub fn source(mut self, source: impl MailSource) -> Self {
        self.sources.push(Arc::new(source));
        self
    }

    /// Adds a CRM sink; one value serves all tenants.
    pub fn sink(mut self, sink: impl CrmSink) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// Sets the classifier, usually a chain; required.
    pub fn classifier(mut self, classifier: impl Classifier) -> Self {
        self.classifier = Some(Arc::new(classifier));
        self
    }

    /// Sets the clock; default [`SystemClock`]. Give the store the same one.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the key of the thread tokens that our own mail carries.
    ///
    /// Default: a random key, so tokens of earlier runs are not recognised. Keep it secret and
    /// stable where replies are sent.
    pub fn thread_token_key(mut self, key: [u8; 32]) -> Self {
        self.token_key = Some(key);
        self
    }

    /// Sets what raises an alert; default [`AlertRules::default`], and [`AlertRules::none`] for none.
    pub fn alert_rules(mut self, rules: AlertRules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Adds somebody who is told when an alert is raised or cleared.
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifiers.push(Arc::new(notifier));
        self
    }

    /// Sets the limits.
    pub fn options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    /// Checks the parts and builds the engine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the missing or doubled part or the impossible option.
    pub fn build(self) -> Result<Engine> {
        let store = self.store.ok_or_else(|| missing("store"))?;
        let classifier = self.classifier.ok_or_else(|| missing("classifier"))?;
        check_options(&self.options)?;
        if let Some(sink) = self
            .sinks
            .iter()
            .find(|sink| sink.capabilities().max_batch == 0)
        {
            return Err(refused("a sink declares max_batch 0").with_context("sink", sink.name()));
        }
        let sources = by_name(self.sources.into_iter().map(|s| (s.name().to_owned(), s)))?;
        let sinks = by_name(self.sinks.into_iter().map(|s| (s.name().to_owned(), s)))?;
        let token_key = match self.token_key {
            Some(key) => key,
            None => random_key()?,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let deps = Deps {
            store,
            sources,
            sinks,
            classifier,
            events: Events::new(self.options.event_buffer, Arc::clone(&clock)),
            alerts: Alerts::new(self.rules.unwrap_or_default(), self.notifiers),
            clock,
            options: self.options,
            token_key: TokenKey::new(token_key),
            tenants: Arc::new(TenantConfigs::default()),
            fill: Fill::default(),
            work: watch::Sender::new(0),
            stop: CancellationToken::new(),
        };
        Ok(Engine {
            deps: Arc::new(deps),
        })
    }
}

fn by_name<T>(parts: impl Iterator<Item = (String, T)>) -> Result<HashMap<String, T>> {
    let mut map = HashMap::new();
    for (name, part) in parts {
        if map.contains_key(&name) {
            return Err(refused("two connectors have the same name").with_context("name", name));
        }
        map.insert(name, part);
    }
    Ok(map)
}

fn check_options(options: &EngineOptions) -> Result<()> {
    let sizes = [
        ("page_size", options.page_size),
        ("fetch_batch", options.fetch_batch),
        ("process_batch", options.process_batch),
        ("deliver_batch", options.deliver_batch),
    ];
    if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return Err(refused("a batch size is 0").with_context("option", name));
    }
    if options.call_budget >= options.lease {
        return Err(refused("a call may outlive its lease")
            .with_context("option", "call_budget")
            .with_action("make call_budget shorter than lease"));
    }
    Ok(())
}

fn random_key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| {
        Error::new(
            ErrorKind::Unexpected,
            "the operating system gave no randomness",
        )
    })?;
    Ok(key)
}

fn missing(part: &'static str) -> Error {
    refused("a part is missing")
        .with_context("part", part)
        .with_action("set it on the builder")
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, message).with_operation("engine.build")
}
