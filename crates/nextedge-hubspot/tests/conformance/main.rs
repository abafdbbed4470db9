//! The HubSpot sink against the checks that every sink must pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod relay;
mod world;

/// Accounts with our unique property.
mod keyed {
    nextedge_testkit::sink_conformance!(crate::world::Harness { key_property: true });
}

/// Accounts without it: what an attempt left behind is looked for.
mod looked_up {
    nextedge_testkit::sink_conformance!(crate::world::Harness {
        key_property: false
    });
}

#[test]
fn every_fault_can_be_produced() {
    use nextedge_testkit::sink::SinkHarness;
    let harness = world::Harness { key_property: true };
    assert!(harness.missing().is_empty());
}
