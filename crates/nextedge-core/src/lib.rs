//! Domain types, traits and engine that turn mail into CRM records.
