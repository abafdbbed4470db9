//! The same random steps on the in-memory model and on a store under test: every answer is the same.

mod drive;
mod invariants;
pub(super) mod rng;
mod settings;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use nextedge_core::ManualClock;

use super::StoreHarness;
use drive::Driver;

/// How many random steps are taken, and from which seed.
///
/// ```
/// use nextedge_testkit::store::MemoryHarness;
/// use nextedge_testkit::store::random::{RandomSteps, same_as_the_model};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let options = RandomSteps::default().with_steps(50).with_seed(7);
/// let seen = same_as_the_model(&MemoryHarness::default(), &options).await;
/// assert!(seen.contains_key("accepted"));
/// # });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RandomSteps {
    /// Steps of the run.
    pub steps: u64,
    /// Where the generator starts; the same seed takes the same steps.
    pub seed: u64,
    /// After how many steps everything that both stores can show is compared; each step compares its own answers.
    pub compare_every: u64,
}

impl RandomSteps {
    /// Sets the steps of the run; 1,000 by default.
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the seed; 1 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets after how many steps everything is compared; 20 by default.
    #[must_use]
    pub fn with_compare_every(mut self, steps: u64) -> Self {
        self.compare_every = steps;
        self
    }

    /// Reads `NEXTEDGE_MODEL_STEPS` and `NEXTEDGE_MODEL_SEED`; what is not set keeps its value.
    #[must_use]
    pub fn from_environment(mut self) -> Self {
        self.steps = number("NEXTEDGE_MODEL_STEPS").unwrap_or(self.steps);
        self.seed = number("NEXTEDGE_MODEL_SEED").unwrap_or(self.seed);
        self
    }
}

impl Default for RandomSteps {
    /// 1,000 steps from seed 1, everything compared after each 20.
    fn default() -> Self {
        Self {
            steps: 1000,
            seed: 1,
            compare_every: 20,
        }
    }
}

/// Takes random steps on the model and on a fresh store, compares every answer, and checks with
/// bookkeeping of its own that nothing is lost, doubled, overtaken or seen by another tenant.
///
/// Returns how often each thing worth testing was seen, such as `stale` or `dead of crashes`, so that
/// a caller can tell that the run led there.
///
/// # Panics
///
/// If an answer differs or a promise is broken; the text holds the seed and the last steps.
pub async fn same_as_the_model(
    harness: &dyn StoreHarness,
    options: &RandomSteps,
) -> BTreeMap<&'static str, u64> {
    let clock = Arc::new(ManualClock::default());
    let other = harness.fresh(clock.clone()).await;
    let restart = harness.capabilities().restart;
    let mut driver = Driver::new(options.seed, clock, other, restart).await;
    for step in 0..options.steps {
        driver.step().await;
        if step.is_multiple_of(options.compare_every.max(1)) {
            driver.compare_all().await;
        }
    }
    driver.compare_all().await;
    driver.seen
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
