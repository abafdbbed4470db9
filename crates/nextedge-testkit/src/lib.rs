//! Conformance suites: public checks that tell the author of a store, sink, source or classifier
//! that the work is done.

pub mod store;
