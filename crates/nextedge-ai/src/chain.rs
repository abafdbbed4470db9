//! Asks classifiers in order until one answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::{
    CallContext, ConnectionId, Error, ErrorKind, Result, Retry, TenantId, Timestamp, later,
};

/// Limits of a [`ClassifierChain`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainOptions {
    /// How long one classifier may take; never past the deadline of the call.
    pub timeout: Duration,
    /// After how many failures in a row a classifier is left out for a while.
    pub failures_to_open: u32,
    /// For how long it is left out, unless the failure asks for longer.
    pub open_for: Duration,
    /// The longest it is left out, whatever a failure asks for.
    pub open_at_most: Duration,
    /// How many tenants' failures are remembered for each classifier.
    pub remembered: usize,
}

impl Default for ChainOptions {
    /// 20 s a classifier; left out after 5 failures for 60 s, at most 300 s; 10,000 tenants.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            failures_to_open: 5,
            open_for: Duration::from_secs(60),
            open_at_most: Duration::from_secs(300),
            remembered: 10_000,
        }
    }
}

/// Asks its classifiers in order; the first answer counts.
///
/// The answer names the classifier that gave it and is marked `degraded` if an earlier one was
/// asked in vain or left out. A failure is never turned into a category: if nobody answers, the
/// chain fails. Failures are counted for each classifier, tenant and connection, so that one
/// tenant's bad key does not take the classifier from the others.
///
/// ```
/// use nextedge_ai::{ClassifierChain, OfflineClassifier, RulesClassifier};
///
/// # fn main() -> nextedge_core::Result<()> {
/// let chain = ClassifierChain::default()
///     .then(OfflineClassifier::embedded()?)
///     .then(RulesClassifier::new());
/// assert_eq!(chain.names(), ["offline", "rules"]);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct ClassifierChain {
    links: Vec<Link>,
    options: ChainOptions,
}

struct Link {
    classifier: Arc<dyn Classifier>,
    breakers: Mutex<BTreeMap<(TenantId, ConnectionId), Breaker>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
}

impl ClassifierChain {
    /// Starts an empty chain with these limits.
    #[must_use]
    pub fn new(options: ChainOptions) -> Self {
        Self {
            links: Vec::new(),
            options,
        }
    }

    /// Adds a classifier that is asked when all before it gave no answer.
    #[must_use]
    pub fn then(self, classifier: impl Classifier) -> Self {
        self.then_shared(Arc::new(classifier))
    }

    /// Adds a classifier that is used elsewhere too.
    #[must_use]
    pub fn then_shared(mut self, classifier: Arc<dyn Classifier>) -> Self {
        self.links.push(Link {
            classifier,
            breakers: Mutex::default(),
        });
        self
    }

    /// Returns the names of the classifiers in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.links
            .iter()
            .map(|link| link.classifier.name())
            .collect()
    }
}

#[async_trait]
impl Classifier for ClassifierChain {
    fn name(&self) -> &str {
        "chain"
    }

    async fn classify(
        &self,
        cx: &CallContext,
        request: &ClassifyRequest,
    ) -> Result<Classification> {
        let mut last = None;
        for (at, link) in self.links.iter().enumerate() {
            if link.is_open(cx) {
                continue;
            }
            match link.ask(cx, request, &self.options).await {
                Ok(mut answer) => {
                    link.succeeded(cx);
                    answer.degraded |= at > 0;
                    return Ok(answer);
                }
                Err(error) => {
                    let name = link.classifier.name();
                    tracing::debug!(classifier = name, code = error.code(), "no answer");
                    link.failed(cx, &error, &self.options);
                    last = Some(error);
                }
            }
        }
        Err(no_answer(last))
    }
}

impl Link {
    async fn ask(
        &self,
        cx: &CallContext,
        request: &ClassifyRequest,
        options: &ChainOptions,
    ) -> Result<Classification> {
        let limit = options.timeout.min(cx.remaining());
        tokio::select! {
            biased;
            answer = self.classifier.classify(cx, request) => answer,
            () = cx.clock().sleep(limit) => {
                Err(Error::new(ErrorKind::Timeout, "the classifier took too long")
                    .with_operation("classify")
                    .with_context("classifier", self.classifier.name())
                    .with_context("limit_ms", limit.as_millis()))
            }
        }
    }

    fn is_open(&self, cx: &CallContext) -> bool {
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let until = breakers.get(&key(cx)).and_then(|b| b.open_until);
        until.is_some_and(|until| cx.now() < until)
    }

    fn succeeded(&self, cx: &CallContext) {
        self.breakers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key(cx));
    }

    /// Counts a failure. The count survives the pause, so one more failure after it opens again.
    fn failed(&self, cx: &CallContext, error: &Error, options: &ChainOptions) {
        let now = cx.now();
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        if breakers.len() >= options.remembered && !breakers.contains_key(&key(cx)) {
            breakers.retain(|_, b| b.open_until.is_some_and(|until| now < until));
            if breakers.len() >= options.remembered {
                return;
            }
        }
        let breaker = breakers.entry(key(cx)).or_default();
        breaker.failures = breaker.failures.saturating_add(1);
        let pause = match error.retry() {
            Retry::After(asked) => Some(asked),
            _ if breaker.failures >= options.failures_to_open => Some(options.open_for),
            _ => None,
        };
        if let Some(pause) = pause {
            breaker.open_until = Some(later(now, pause.min(options.open_at_most)));
        }
    }
}

fn key(cx: &CallContext) -> (TenantId, ConnectionId) {
    (cx.tenant().clone(), cx.connection().id.clone())
}

fn no_answer(last: Option<Error>) -> Error {
    let error = Error::new(ErrorKind::Unavailable, "no classifier answered")
        .with_operation("classify")
        .with_action("check the classifiers' status; the mail waits or is reviewed by a person");
    match last {
        Some(cause) => error
            .with_context("last", cause.code())
            .with_source(cause.to_string()),
        None => error,
    }
}

impl fmt::Debug for ClassifierChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifierChain")
            .field("links", &self.names())
            .field("options", &self.options)
            .finish()
    }
}
