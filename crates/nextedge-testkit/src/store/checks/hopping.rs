//! Many tasks and many tenants at once.

use crate::store::StoreHarness;
use crate::store::hopping::{Hops, hop};

/// 64 tasks hop between 50 tenants and are cut off in the middle of calls; afterwards each tenant has
/// exactly its own mail, and its accounting adds up. Prints what was done and cut off.
#[allow(clippy::print_stdout)] // how much was cut off is the machine's; the reader wants to know
pub async fn tasks_hop_between_tenants(harness: &dyn StoreHarness) {
    let hopped = hop(harness, &Hops::default()).await;
    println!("{hopped:?}");
    assert!(hopped.cut > 0, "no hop was cut off: {hopped:?}");
}
