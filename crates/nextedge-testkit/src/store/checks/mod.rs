//! The checks, by what they are about; each takes a harness and panics where its store differs.

pub mod hopping;
pub mod leases;
pub mod mailboxes;
pub mod model;
pub mod order;
pub mod outcomes;
pub mod processes;
pub mod reads;
pub mod restarts;
pub mod reviews;
pub mod sinks;
pub mod tenant_work;
pub mod tenants;
pub mod threads;
