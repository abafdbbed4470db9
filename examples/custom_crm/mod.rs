//! An invented CRM and a whole sink for it; docs/guide/connector.md walks through the sink.

pub mod crm;
pub mod sink;
