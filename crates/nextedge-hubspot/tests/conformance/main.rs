//! The HubSpot sink against the checks that every sink must pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod relay;
mod world;

nextedge_testkit::sink_conformance!(crate::world::Harness);

#[tokio::test]
async fn nothing_is_skipped() {
    use nextedge_testkit::sink::SinkHarness;
    assert!(world::Harness.missing().is_empty());
}
