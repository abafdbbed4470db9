//! Reads property, pipeline, owner and label definitions.

use serde_json::{Value, json};

use super::answers::id_text;
use super::associations::AssociationType;
use super::{KEY_PROPERTY, ObjectType};

/// One property of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) options: Vec<String>,
    pub(crate) unique: bool,
    pub(crate) writable: bool,
}

/// Reads a list of properties without the archived ones.
pub(crate) fn properties(body: &Value) -> Vec<Property> {
    let results = body["results"].as_array().into_iter().flatten();
    results
        .filter(|property| property["archived"] != json!(true))
        .filter_map(property)
        .collect()
}

fn property(value: &Value) -> Option<Property> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let options = value["options"].as_array().into_iter().flatten();
    let shown = options.filter(|option| option["hidden"] != json!(true));
    let read_only = value["calculated"] == json!(true)
        || value["modificationMetadata"]["readOnlyValue"] == json!(true);
    Some(Property {
        name: value["name"].as_str()?.to_owned(),
        kind: text("type"),
        group: text("groupName"),
        options: shown
            .filter_map(|option| option["value"].as_str().map(str::to_owned))
            .collect(),
        unique: value["hasUniqueValue"] == json!(true),
        writable: !read_only,
    })
}

/// The definition of our unique property.
pub(crate) fn key_property(group: &str) -> Value {
    json!({
        "name": KEY_PROPERTY,
        "label": "NextEdge key",
        "description": "Keeps a mail from being written twice. Do not edit.",
        "type": "string",
        "fieldType": "text",
        "groupName": group,
        "hasUniqueValue": true,
        "formField": false,
    })
}

/// One pipeline with its stages in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    pub(crate) id: String,
    pub(crate) stages: Vec<Stage>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) id: String,
    pub(crate) progress: Progress,
}

/// Whether work at a stage goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Open,
    Closed,
}

impl Pipeline {
    /// The first stage at which work goes on.
    pub(crate) fn first_open(&self) -> Option<&Stage> {
        self.stages
            .iter()
            .find(|stage| stage.progress == Progress::Open)
    }
}

/// Reads pipelines in their order of display.
pub(crate) fn pipelines(body: &Value) -> Vec<Pipeline> {
    let mut found = ordered(&body["results"]);
    found.retain(|pipeline| pipeline["archived"] != json!(true));
    let pipeline = |value: &&Value| {
        let stages = ordered(&value["stages"]);
        Some(Pipeline {
            id: id_text(&value["id"])?,
            stages: stages
                .iter()
                .filter_map(|stage| self::stage(stage))
                .collect(),
        })
    };
    found.iter().filter_map(pipeline).collect()
}

fn ordered(list: &Value) -> Vec<&Value> {
    let mut list: Vec<_> = list.as_array().into_iter().flatten().collect();
    list.sort_by_key(|value| value["displayOrder"].as_i64().unwrap_or(i64::MAX));
    list
}

fn stage(value: &Value) -> Option<Stage> {
    let metadata = &value["metadata"];
    let says = |name: &str, text: &str| {
        metadata[name]
            .as_str()
            .is_some_and(|value| value.eq_ignore_ascii_case(text))
    };
    let probability = match &metadata["probability"] {
        Value::String(text) => text.parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let ended = says("ticketState", "CLOSED")
        || says("leadState", "QUALIFIED")
        || says("leadState", "UNQUALIFIED")
        || says("isClosed", "true")
        || metadata["isClosed"] == json!(true)
        || probability.is_some_and(|p| p <= 0.0 || p >= 1.0);
    Some(Stage {
        id: id_text(&value["id"])?,
        progress: if ended {
            Progress::Closed
        } else {
            Progress::Open
        },
    })
}

/// Reads the ids of one page of owners.
pub(crate) fn owners(body: &Value) -> Vec<String> {
    let results = body["results"].as_array().into_iter().flatten();
    results
        .filter(|owner| owner["archived"] != json!(true))
        .filter_map(|owner| id_text(&owner["id"]))
        .collect()
}

/// Reads the unlabelled association type from the list of labels.
pub(crate) fn plain_label(body: &Value) -> Option<AssociationType> {
    let results = body["results"].as_array()?;
    let plain = results.iter().find(|label| label["label"].is_null())?;
    Some(AssociationType {
        association_category: plain["category"].as_str()?.to_owned(),
        association_type_id: plain["typeId"].as_u64()?.try_into().ok()?,
    })
}

/// Reads the names that a custom object's schema requires.
pub(crate) fn required_of_schema(body: &Value) -> Vec<String> {
    let names = body["requiredProperties"].as_array().into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// The properties HubSpot requires when a record is created, beside those this sink sets itself.
pub(crate) fn required_by_hubspot(object: &ObjectType) -> &'static [&'static str] {
    match object {
        ObjectType::Ticket => &["subject", "hs_pipeline_stage"],
        ObjectType::Deal => &["dealname", "dealstage", "pipeline"],
        ObjectType::Lead => &["hs_lead_name"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_open_stage_follows_the_order_of_display() {
        let body = json!({"results": [{"id": "p", "stages": [
            {"id": "late", "displayOrder": 2, "metadata": {"ticketState": "OPEN"}},
            {"id": "won", "displayOrder": 0, "metadata": {"probability": "1.0", "isClosed": "true"}},
            {"id": "new", "displayOrder": 1, "metadata": {"ticketState": "OPEN"}},
        ]}]});
        let found = pipelines(&body);
        assert_eq!(found[0].first_open().map(|s| s.id.as_str()), Some("new"));
    }

    #[test]
    fn stages_end_by_state_or_probability() {
        for (metadata, progress) in [
            (json!({"ticketState": "CLOSED"}), Progress::Closed),
            (json!({"leadState": "UNQUALIFIED"}), Progress::Closed),
            (json!({"leadState": "IN_PROGRESS"}), Progress::Open),
            (json!({"probability": "0.0"}), Progress::Closed),
            (json!({"probability": 1.0}), Progress::Closed),
            (json!({"probability": "0.2"}), Progress::Open),
            (json!({}), Progress::Open),
        ] {
            let stage = stage(&json!({"id": 5, "metadata": metadata}));
            assert_eq!(stage.map(|s| s.progress), Some(progress));
        }
    }

    #[test]
    fn calculated_and_archived_properties_are_not_written() {
        let body = json!({"results": [
            {"name": "a", "type": "string"},
            {"name": "b", "calculated": true},
            {"name": "c", "modificationMetadata": {"readOnlyValue": true}},
            {"name": "d", "archived": true},
        ]});
        let found: Vec<_> = properties(&body)
            .into_iter()
            .map(|p| (p.name, p.writable))
            .collect();
        assert_eq!(
            found,
            [("a".into(), true), ("b".into(), false), ("c".into(), false)]
        );
    }
}
