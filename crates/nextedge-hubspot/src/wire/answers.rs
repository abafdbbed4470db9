//! Reads HubSpot's answers leniently: every field may be missing, ids may be numbers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::objects::Properties;

/// One record of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// The trace id of the input it answers, where HubSpot returns it.
    pub(crate) trace: Option<String>,
    pub(crate) properties: Properties,
}

impl Row {
    fn of(value: &Value) -> Option<Self> {
        Some(Self {
            id: id_text(&value["id"])?,
            trace: value["objectWriteTraceId"].as_str().map(str::to_owned),
            properties: texts(&value["properties"]),
        })
    }

    /// Returns a property that is not empty.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Reads `results`, or the record that is the whole answer.
pub(crate) fn rows(body: &Value) -> Vec<Row> {
    match body["results"].as_array() {
        Some(results) => results.iter().filter_map(Row::of).collect(),
        None => Row::of(body).into_iter().collect(),
    }
}

/// One refusal inside a mixed answer.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    /// The trace ids it names.
    pub(crate) traces: Vec<String>,
    pub(crate) body: &'a Value,
}

impl<'a> Refusal<'a> {
    pub(crate) fn of(body: &'a Value) -> Self {
        Self {
            traces: strings(&body["context"]["objectWriteTraceId"]),
            body,
        }
    }
}

/// Reads the cursor of the next page.
pub(crate) fn next_page(body: &Value) -> Option<String> {
    id_text(&body["paging"]["next"]["after"])
}

/// Reads an association `batch/read`: the targets of each source.
pub(crate) fn links(body: &Value) -> BTreeMap<String, Vec<String>> {
    let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in body["results"].as_array().into_iter().flatten() {
        let Some(from) = id_text(&result["from"]["id"]) else {
            continue;
        };
        let targets = result["to"].as_array().into_iter().flatten();
        let ids =
            targets.filter_map(|to| id_text(&to["toObjectId"]).or_else(|| id_text(&to["id"])));
        links.entry(from).or_default().extend(ids);
    }
    links
}

/// Reads an id that may be text or a number, never through a narrower type.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(id_text).collect(),
        one => id_text(one).into_iter().collect(),
    }
}

fn texts(value: &Value) -> Properties {
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Null => return None,
                other => other.to_string(),
            };
            Some((name.clone(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_kept_whole() {
        let rows = rows(&json!({"results": [{"id": 90071992547409931_u64}, {"id": "7"}, {}]}));
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["90071992547409931", "7"]);
    }

    #[test]
    fn refusals_name_their_inputs_as_list_or_text() {
        let entries = [
            json!({"context": {"objectWriteTraceId": ["a", "b"]}}),
            json!({"context": {"objectWriteTraceId": "c"}}),
            json!({"message": "no trace"}),
        ];
        let traces: Vec<_> = entries
            .iter()
            .map(|entry| Refusal::of(entry).traces)
            .collect();
        assert_eq!(
            traces,
            [vec!["a".to_owned(), "b".into()], vec!["c".into()], vec![]]
        );
    }

    #[test]
    fn links_read_both_spellings() {
        let body =
            json!({"results": [{"from": {"id": "1"}, "to": [{"toObjectId": 5}, {"id": "6"}]}]});
        assert_eq!(links(&body)["1"], ["5", "6"]);
    }
}
