//! Local imitation of CRM vendors for tests and demos.
