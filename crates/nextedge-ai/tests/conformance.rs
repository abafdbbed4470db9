//! The classifiers of this crate against the checks that every classifier must pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nextedge_ai::{ClassifierChain, OfflineClassifier, RULES_CAP, RulesClassifier};
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::{CallContext, Error, ErrorKind, Result};
use nextedge_testkit::classifier::{
    ClassifierFaultKind, ClassifierHarness, ClassifierTrouble, ClassifierWorld,
};
use tokio::sync::Notify;

mod offline {
    nextedge_testkit::classifier_conformance!(super::Alone::Offline);
}

mod rules {
    nextedge_testkit::classifier_conformance!(super::Alone::Rules);
}

mod chain {
    nextedge_testkit::classifier_conformance!(super::Chain);
}

/// A classifier that asks nothing outside itself.
enum Alone {
    Offline,
    Rules,
}

struct AloneWorld(Arc<dyn Classifier>);

#[async_trait]
impl ClassifierHarness for Alone {
    async fn start(&self) -> Box<dyn ClassifierWorld> {
        Box::new(AloneWorld(match self {
            Self::Offline => Arc::new(OfflineClassifier::embedded().unwrap()),
            Self::Rules => Arc::new(RulesClassifier::new()),
        }))
    }

    fn deterministic(&self) -> bool {
        true
    }

    fn cap(&self) -> f64 {
        match self {
            Self::Offline => OfflineClassifier::embedded().unwrap().cap(),
            Self::Rules => RULES_CAP,
        }
    }

    fn missing(&self) -> Vec<(ClassifierFaultKind, &'static str)> {
        let why = "the classifier asks nothing outside itself";
        vec![
            (ClassifierFaultKind::Down, why),
            (ClassifierFaultKind::Nonsense, why),
            (ClassifierFaultKind::Throttle, why),
            (ClassifierFaultKind::Stall, why),
        ]
    }
}

#[async_trait]
impl ClassifierWorld for AloneWorld {
    fn classifier(&self) -> Arc<dyn Classifier> {
        Arc::clone(&self.0)
    }

    async fn inject(&self, _fault: &ClassifierTrouble) {
        unreachable!("declared missing")
    }

    async fn lift(&self) {}

    async fn stalled(&self) -> bool {
        false
    }
}

/// The chain over the offline model and the rules, which all fail together.
struct Chain;

struct ChainWorld {
    chain: Arc<ClassifierChain>,
    switch: Arc<Switch>,
}

#[derive(Debug, Default)]
struct Switch {
    trouble: Mutex<Option<ClassifierTrouble>>,
    stalled: AtomicBool,
    lifted: Notify,
}

/// A classifier that fails while the switch says so.
#[derive(Debug)]
struct Switched<C> {
    inner: C,
    switch: Arc<Switch>,
}

#[async_trait]
impl<C: Classifier> Classifier for Switched<C> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn classify(&self, cx: &CallContext, mail: &ClassifyRequest) -> Result<Classification> {
        let trouble = self.switch.trouble.lock().unwrap().clone();
        match trouble {
            None => self.inner.classify(cx, mail).await,
            Some(ClassifierTrouble::Stall) => {
                self.switch.stalled.store(true, Ordering::Release);
                self.switch.lifted.notified().await;
                self.inner.classify(cx, mail).await
            }
            Some(_) => Err(Error::new(ErrorKind::Unavailable, "switched off")),
        }
    }
}

#[async_trait]
impl ClassifierHarness for Chain {
    async fn start(&self) -> Box<dyn ClassifierWorld> {
        let switch = Arc::new(Switch::default());
        let offline = Switched {
            inner: OfflineClassifier::embedded().unwrap(),
            switch: Arc::clone(&switch),
        };
        let rules = Switched {
            inner: RulesClassifier::new(),
            switch: Arc::clone(&switch),
        };
        Box::new(ChainWorld {
            chain: Arc::new(ClassifierChain::default().then(offline).then(rules)),
            switch,
        })
    }

    fn deterministic(&self) -> bool {
        true
    }

    fn cap(&self) -> f64 {
        Alone::Offline.cap().max(RULES_CAP)
    }

    fn missing(&self) -> Vec<(ClassifierFaultKind, &'static str)> {
        let why = "the chain asks the next classifier, and says only that none answered";
        vec![(ClassifierFaultKind::Throttle, why)]
    }
}

#[async_trait]
impl ClassifierWorld for ChainWorld {
    fn classifier(&self) -> Arc<dyn Classifier> {
        Arc::clone(&self.chain) as Arc<dyn Classifier>
    }

    async fn inject(&self, fault: &ClassifierTrouble) {
        *self.switch.trouble.lock().unwrap() = Some(fault.clone());
    }

    async fn lift(&self) {
        *self.switch.trouble.lock().unwrap() = None;
        self.switch.lifted.notify_waiters();
    }

    async fn stalled(&self) -> bool {
        self.switch.stalled.load(Ordering::Acquire)
    }
}
