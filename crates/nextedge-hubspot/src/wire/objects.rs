//! Bodies of object calls: batch create, read, update and search.

use std::collections::BTreeMap;

use nextedge_core::{FieldName, FieldValue};
use serde::Serialize;

use super::associations::Association;

/// Property values by name; HubSpot takes and gives text only.
pub(crate) type Properties = BTreeMap<String, String>;

/// The body of `batch/create`.
#[derive(Debug, Serialize)]
pub(crate) struct BatchCreate<'a> {
    pub(crate) inputs: Vec<CreateInput<'a>>,
}

/// One record to create.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateInput<'a> {
    /// Without it one refused record refuses the whole batch.
    pub(crate) object_write_trace_id: String,
    pub(crate) properties: &'a Properties,
    #[serde(skip_serializing_if = "<[Association]>::is_empty")]
    pub(crate) associations: &'a [Association],
}

/// The body of `batch/read`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchRead<'a> {
    pub(crate) properties: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_property: Option<&'a str>,
    pub(crate) inputs: Vec<Id<'a>>,
}

/// A reference by id, or by the value of the id property.
#[derive(Debug, Serialize)]
pub(crate) struct Id<'a> {
    pub(crate) id: &'a str,
}

impl<'a> BatchRead<'a> {
    pub(crate) fn by_id(properties: &'a [&'a str], ids: &'a [String]) -> Self {
        Self {
            properties,
            id_property: None,
            inputs: ids.iter().map(|id| Id { id }).collect(),
        }
    }

    pub(crate) fn by_property(
        id_property: &'a str,
        properties: &'a [&'a str],
        values: &'a [String],
    ) -> Self {
        Self {
            id_property: Some(id_property),
            ..Self::by_id(properties, values)
        }
    }
}

/// The body of `batch/update`.
#[derive(Debug, Serialize)]
pub(crate) struct BatchUpdate<'a> {
    pub(crate) inputs: Vec<UpdateInput<'a>>,
}

/// One record to update.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateInput<'a> {
    pub(crate) object_write_trace_id: String,
    pub(crate) id: &'a str,
    pub(crate) properties: &'a Properties,
}

/// The body of `search`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Search<'a> {
    pub(crate) filter_groups: Vec<FilterGroup<'a>>,
    pub(crate) properties: &'a [&'a str],
    pub(crate) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

/// Filters that must all hold.
#[derive(Debug, Serialize)]
pub(crate) struct FilterGroup<'a> {
    pub(crate) filters: Vec<Filter<'a>>,
}

/// One condition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter<'a> {
    pub(crate) property_name: &'a str,
    pub(crate) operator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) values: &'a [String],
}

impl<'a> Search<'a> {
    /// Finds records whose property is one of the lower-case values.
    pub(crate) fn any_of(property: &'a str, values: &'a [String], wanted: &'a [&'a str]) -> Self {
        let filter = Filter {
            property_name: property,
            operator: "IN",
            value: None,
            values,
        };
        Self::all(vec![filter], wanted)
    }

    /// Finds records that meet every condition.
    pub(crate) fn all(filters: Vec<Filter<'a>>, wanted: &'a [&'a str]) -> Self {
        Self {
            filter_groups: vec![FilterGroup { filters }],
            properties: wanted,
            limit: MAX_SEARCH_RESULTS,
            after: None,
        }
    }
}

impl<'a> Filter<'a> {
    pub(crate) fn equal(property_name: &'a str, value: &'a str) -> Self {
        Self {
            property_name,
            operator: "EQ",
            value: Some(value),
            values: &[],
        }
    }
}

/// Splits values so that each search body stays under HubSpot's 3,000 characters.
pub(crate) fn search_chunks(values: &[String]) -> Vec<&[String]> {
    let mut chunks = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (index, value) in values.iter().enumerate() {
        let cost = value.chars().count() + 3;
        let full = used + cost > SEARCH_VALUE_CHARS || index - start == MAX_SEARCH_VALUES;
        if full && index > start {
            chunks.push(&values[start..index]);
            (start, used) = (index, 0);
        }
        used += cost;
    }
    if start < values.len() {
        chunks.push(&values[start..]);
    }
    chunks
}

/// Turns field values into HubSpot's text.
pub(crate) fn properties(fields: &BTreeMap<FieldName, FieldValue>) -> Properties {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| (name.as_str().to_owned(), value_text(value)))
        .collect()
}

/// Turns one value into HubSpot's text: ISO 8601 UTC with milliseconds for moments.
pub(crate) fn value_text(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Bool(yes) => yes.to_string(),
        FieldValue::Time(at) => moment(*at),
        _ => String::new(),
    }
}

/// Writes a moment as HubSpot takes it.
pub(crate) fn moment(at: nextedge_core::Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The largest page of a search.
pub(crate) const MAX_SEARCH_RESULTS: u32 = 200;
/// Characters of a search body left for values, the rest being its frame.
const SEARCH_VALUE_CHARS: usize = 2_600;
/// Most values in one search: with more, one page could not hold two matches for each.
const MAX_SEARCH_VALUES: usize = 100;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn searches_stay_under_three_thousand_characters() {
        let long = |n: usize| format!("{}{n}.example", "d".repeat(180));
        for values in [
            (0..450)
                .map(|n| format!("d{n}.example"))
                .collect::<Vec<_>>(),
            (0..60).map(long).collect(),
            vec!["x".repeat(2_900)],
            Vec::new(),
        ] {
            let chunks = search_chunks(&values);
            assert_eq!(chunks.iter().map(|c| c.len()).sum::<usize>(), values.len());
            for chunk in &chunks {
                let body = Search::any_of("domain", chunk, &["domain"]);
                let length = serde_json::to_string(&body).unwrap().chars().count();
                assert!(length <= 3_000 || chunk.len() == 1, "{length}");
                assert!(!chunk.is_empty());
            }
        }
    }

    #[test]
    fn values_travel_as_text() {
        let at = chrono::DateTime::from_timestamp_millis(1_767_225_600_123).unwrap();
        for (value, text) in [
            (FieldValue::Text("a".into()), "a"),
            (FieldValue::Number(12.0), "12"),
            (FieldValue::Number(0.5), "0.5"),
            (FieldValue::Bool(true), "true"),
            (FieldValue::Time(at), "2026-01-01T00:00:00.123Z"),
        ] {
            assert_eq!(value_text(&value), text);
        }
    }
}
