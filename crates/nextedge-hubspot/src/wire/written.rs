//! Reads the answer to a batch of writes without keeping what it echoes.
//!
//! HubSpot sends back every property that was set, bodies of mails included; only ids, trace ids and
//! short values are needed to find the inputs again.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::answers::{Row, id_text};
use super::objects::Properties;

/// The answer to a batch of writes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WriteAnswer {
    results: Option<Vec<WrittenRow>>,
    /// Refusals, as they came.
    pub(crate) errors: Option<Vec<Value>>,
}

impl WriteAnswer {
    /// The written records, their properties without long values.
    pub(crate) fn rows(self) -> Vec<Row> {
        let rows = self.results.into_iter().flatten();
        let row = |row: WrittenRow| {
            Some(Row {
                id: id_text(&row.id)?,
                trace: row.trace,
                properties: row.properties.0,
            })
        };
        rows.filter_map(row).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WrittenRow {
    id: Value,
    #[serde(rename = "objectWriteTraceId")]
    trace: Option<String>,
    properties: ShortTexts,
}

/// Values up to [`MAX_KEPT`] bytes by name.
#[derive(Debug, Default)]
struct ShortTexts(Properties);

impl<'de> Deserialize<'de> for ShortTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = ShortTexts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_unit<E>(self) -> Result<ShortTexts, E> {
                Ok(ShortTexts::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ShortTexts, A::Error> {
                let mut kept = Properties::new();
                while let Some(name) = map.next_key::<String>()? {
                    if let ShortText(Some(value)) = map.next_value()? {
                        kept.insert(name, value);
                    }
                }
                Ok(ShortTexts(kept))
            }
        }
        deserializer.deserialize_any(Map)
    }
}

struct ShortText(Option<String>);

impl<'de> Deserialize<'de> for ShortText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Short;
        impl<'de> Visitor<'de> for Short {
            type Value = ShortText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, text: &str) -> Result<ShortText, E> {
                Ok(ShortText((text.len() <= MAX_KEPT).then(|| text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<ShortText, E> {
                Ok(ShortText(None))
            }
            fn visit_bool<E>(self, _: bool) -> Result<ShortText, E> {
                Ok(ShortText(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<ShortText, E> {
                Ok(ShortText(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<ShortText, E> {
                Ok(ShortText(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<ShortText, E> {
                Ok(ShortText(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ShortText, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ShortText(None))
            }
        }
        deserializer.deserialize_any(Short)
    }
}

/// Only ids and counts, for the audit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counted {
    id: Value,
    results: Option<Vec<CountedRow>>,
    errors: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CountedRow {
    id: Value,
}

impl Counted {
    /// The ids of the answer's records, or of the record that is the whole answer.
    pub(crate) fn ids(&self) -> Vec<String> {
        match &self.results {
            Some(rows) => rows.iter().filter_map(|row| id_text(&row.id)).collect(),
            None => id_text(&self.id).into_iter().collect(),
        }
    }

    /// How many inputs were refused.
    pub(crate) fn refused(&self) -> usize {
        self.errors.as_ref().map_or(0, Vec::len)
    }
}

/// Longest kept value: longer than any unique value of ours.
const MAX_KEPT: usize = 512;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn long_values_and_other_types_are_left_out() {
        let long = "x\n".repeat(40_000);
        let body = json!({"status": "COMPLETE", "results": [{
            "id": 5,
            "objectWriteTraceId": "i3",
            "properties": {"a": "short", "b": long, "c": null, "d": 1, "e": true, "f": {"g": 1}},
            "archived": false,
        }, {"id": "6", "properties": null}], "numErrors": 1, "errors": [{"message": "m"}]});
        let bytes = serde_json::to_vec(&body).unwrap();
        let answer: WriteAnswer = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(answer.errors.as_ref().map(Vec::len), Some(1));
        let rows = answer.rows();
        assert_eq!(
            (rows[0].id.as_str(), rows[0].trace.as_deref()),
            ("5", Some("i3"))
        );
        assert_eq!(rows[0].properties.keys().collect::<Vec<_>>(), ["a"]);
        let counted: Counted = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            (counted.ids(), counted.refused()),
            (vec!["5".into(), "6".into()], 1)
        );
    }
}
