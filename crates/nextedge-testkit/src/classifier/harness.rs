//! What the author of a classifier writes: a classifier and the model service behind it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::classify::Classifier;

/// Makes worlds for the checks, and declares what the classifier promises.
#[async_trait]
pub trait ClassifierHarness: Send + Sync {
    /// Starts a classifier whose model service works.
    async fn start(&self) -> Box<dyn ClassifierWorld>;

    /// Declares that the same mail always gets the same answer.
    fn deterministic(&self) -> bool;

    /// Declares the largest confidence that calibration allows, below 1.
    fn cap(&self) -> f64;

    /// Names the faults that this harness cannot produce, each with the reason.
    ///
    /// Their checks are skipped and printed with the reason. A classifier that asks nothing outside
    /// itself has all of them missing.
    fn missing(&self) -> Vec<(ClassifierFaultKind, &'static str)> {
        Vec::new()
    }
}

/// One classifier and what it depends on.
#[async_trait]
pub trait ClassifierWorld: Send + Sync {
    /// Returns the classifier. Time comes from the call's context, a manual clock.
    fn classifier(&self) -> Arc<dyn Classifier>;

    /// Puts a fault in force until [`lift`](Self::lift).
    async fn inject(&self, fault: &ClassifierTrouble);

    /// Lifts every fault and lets held calls go on.
    async fn lift(&self);

    /// Tells whether a call is being held back by [`ClassifierTrouble::Stall`].
    async fn stalled(&self) -> bool;

    /// Returns what must never show in an error, such as keys. The checks add words of the mail.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// How long, in real time, an answer may take before the check calls it a hang. Default 60 s:
    /// far more than a loaded machine needs, because only a failure waits so long.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// What goes wrong with the model service; in force until it is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a harness produces each or declares it missing
pub enum ClassifierTrouble {
    /// It fails or cannot be reached.
    Down,
    /// It answers something that is no classification, and repeats the mail in it.
    Nonsense,
    /// It answers 429, or the vendor's own form of it, with this delay.
    Throttle {
        /// The delay, in whole seconds.
        after: Duration,
    },
    /// It does not answer until lifted.
    Stall,
}

/// A [`ClassifierTrouble`] without its details, to declare it missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, missing_docs)] // one for each fault
pub enum ClassifierFaultKind {
    Down,
    Nonsense,
    Throttle,
    Stall,
}
