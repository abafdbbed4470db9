//! A chain answers with the first classifier that can, says so, and never invents a category.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_ai::{ChainOptions, ClassifierChain, OfflineClassifier, RulesClassifier};
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::{
    CallContext, Connection, ConnectionId, ConnectionRole, Error, ErrorKind, ManualClock, Result,
    Retry, TenantId,
};

#[derive(Debug, Clone, Default)]
struct Broken {
    asked: Arc<AtomicUsize>,
    retry_after: Option<Duration>,
    hangs: Option<()>,
}

#[async_trait]
impl Classifier for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    async fn classify(&self, _: &CallContext, _: &ClassifyRequest) -> Result<Classification> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.is_some() {
            std::future::pending::<()>().await;
        }
        let error = Error::new(ErrorKind::Unavailable, "down");
        Err(match self.retry_after {
            Some(delay) => error.with_retry(Retry::After(delay)),
            None => error,
        })
    }
}

fn context(tenant: &str, clock: &Arc<ManualClock>) -> CallContext {
    let id = ConnectionId::new("ai").unwrap();
    let connection = Arc::new(Connection::new(id, "fake", ConnectionRole::Sink));
    let budget = Duration::from_secs(3600);
    CallContext::with_clock(
        TenantId::new(tenant).unwrap(),
        connection,
        budget,
        clock.clone(),
    )
}

fn mail() -> ClassifyRequest {
    ClassifyRequest::new(
        "Price list",
        "How much are 40 pumps? We have not worked with you before.",
    )
}

#[tokio::test]
async fn the_next_classifier_answers_and_the_answer_is_marked_degraded() {
    let cx = context("a", &Arc::default());
    let alone = ClassifierChain::default().then(OfflineClassifier::embedded().unwrap());
    assert!(!alone.classify(&cx, &mail()).await.unwrap().degraded);

    let chain = ClassifierChain::default()
        .then(Broken::default())
        .then(RulesClassifier::new());
    let answer = chain.classify(&cx, &mail()).await.unwrap();
    assert!(answer.degraded);
    assert_eq!(answer.model, "rules/1");
}

#[tokio::test]
async fn no_answer_is_an_error_and_never_a_category() {
    let cx = context("a", &Arc::default());
    for chain in [
        ClassifierChain::default(),
        ClassifierChain::default().then(Broken::default()),
    ] {
        let error = chain.classify(&cx, &mail()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn a_classifier_that_hangs_is_left_after_its_time() {
    let clock = Arc::new(ManualClock::default());
    let cx = context("a", &clock);
    let slow = Broken {
        hangs: Some(()),
        ..Broken::default()
    };
    let chain = ClassifierChain::default()
        .then(slow)
        .then(RulesClassifier::new());
    let task = tokio::spawn(async move { chain.classify(&cx, &mail()).await });
    tokio::task::yield_now().await;
    clock.advance(ChainOptions::default().timeout);
    assert!(task.await.unwrap().unwrap().degraded);
}

#[tokio::test]
async fn repeated_failures_pause_a_classifier_for_that_tenant_only() {
    let clock = Arc::new(ManualClock::default());
    let (a, b) = (context("a", &clock), context("b", &clock));
    let broken = Broken::default();
    let chain = ClassifierChain::default()
        .then(broken.clone())
        .then(RulesClassifier::new());
    for _ in 0..8 {
        assert!(chain.classify(&a, &mail()).await.unwrap().degraded);
    }
    assert_eq!(broken.asked.load(Ordering::Relaxed), 5);
    chain.classify(&b, &mail()).await.unwrap();
    assert_eq!(broken.asked.load(Ordering::Relaxed), 6);

    clock.advance(Duration::from_secs(61));
    chain.classify(&a, &mail()).await.unwrap();
    chain.classify(&a, &mail()).await.unwrap();
    assert_eq!(
        broken.asked.load(Ordering::Relaxed),
        7,
        "one more failure opens it again"
    );
}

#[tokio::test]
async fn a_failure_that_names_a_delay_is_obeyed_up_to_the_limit() {
    let clock = Arc::new(ManualClock::default());
    let cx = context("a", &clock);
    let broken = Broken {
        retry_after: Some(Duration::from_secs(9_999)),
        ..Broken::default()
    };
    let chain = ClassifierChain::default()
        .then(broken.clone())
        .then(RulesClassifier::new());
    for (wait, asked) in [(0, 1), (299, 1), (2, 2)] {
        clock.advance(Duration::from_secs(wait));
        chain.classify(&cx, &mail()).await.unwrap();
        assert_eq!(broken.asked.load(Ordering::Relaxed), asked);
    }
}
