//! A door for fuzzing: reads bytes as every kind of answer. Not part of the interface.

use std::time::Duration;

use nextedge_core::Error;
use serde_json::Value;

use crate::error::Fault;
use crate::wire::{answers, associations, definitions};

/// Reads bytes as every kind of answer that HubSpot gives, and returns the errors it would make.
#[must_use]
pub fn read_answer(bytes: &[u8]) -> Vec<Error> {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    for row in answers::rows(&body) {
        let _ = row.property("email");
    }
    let _ = (answers::links(&body), answers::next_page(&body));
    let _ = (definitions::properties(&body), definitions::owners(&body));
    for pipeline in definitions::pipelines(&body) {
        let _ = pipeline.first_open();
    }
    let _ = definitions::required_of_schema(&body);
    let _: Option<associations::AssociationType> = definitions::plain_label(&body);
    let whole = STATUSES.iter().map(|status| {
        Fault::of_answer("hubspot.test", *status, &body, Some(Duration::from_secs(1)))
    });
    let entries = body["errors"].as_array().into_iter().flatten();
    let entries = entries.map(|entry| {
        let _ = answers::Refusal::of(entry);
        Fault::of_entry("hubspot.test", entry)
    });
    whole.chain(entries).map(|fault| fault.to_error()).collect()
}

const STATUSES: &[u16] = &[
    207, 400, 401, 403, 404, 409, 413, 423, 429, 477, 500, 502, 523,
];
