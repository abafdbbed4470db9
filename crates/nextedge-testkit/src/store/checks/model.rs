//! The comparison with the in-memory model.

use crate::store::StoreHarness;
use crate::store::random::{RandomSteps, same_as_the_model};

/// The store gives the same answers as the in-memory model over random steps.
///
/// `NEXTEDGE_MODEL_STEPS` sets the steps (1,000), `NEXTEDGE_MODEL_SEED` the seed (1).
pub async fn same_states_as_the_model(harness: &dyn StoreHarness) {
    same_as_the_model(harness, &RandomSteps::default().from_environment()).await;
}
