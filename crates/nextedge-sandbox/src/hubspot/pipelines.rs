//! Pipelines of deals, tickets and leads.

use std::collections::BTreeMap;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::call::{Answer, Call, Reply};
use super::error::ApiError;
use super::kinds::ObjectType;
use super::time::rfc3339;

/// A pipeline and its stages, in order.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pipeline {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) stages: Vec<Stage>,
    #[serde(default)]
    pub(crate) archived: bool,
}

/// One stage.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stage {
    pub(crate) id: String,
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) archived: bool,
}

impl Pipeline {
    fn json(&self, order: usize) -> Value {
        let stages: Vec<Value> = self
            .stages
            .iter()
            .enumerate()
            .map(|(n, one)| one.json(n))
            .collect();
        json!({"id": self.id, "label": self.label, "displayOrder": order, "stages": stages,
               "archived": self.archived, "createdAt": rfc3339(0), "updatedAt": rfc3339(0)})
    }
}

impl Stage {
    fn json(&self, order: usize) -> Value {
        json!({"id": self.id, "label": self.label, "displayOrder": order,
               "metadata": self.metadata, "archived": self.archived,
               "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
               "createdAt": rfc3339(0), "updatedAt": rfc3339(0)})
    }
}

/// Answers a path below `/crm/pipelines/{version}/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    let (object, rest) = path.split_first().ok_or_else(ApiError::unknown_path)?;
    if call.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let account = hub.account();
    let object = account.object_type(object)?;
    let none = || ApiError::invalid(format!("Object type {object} has no pipelines."));
    let all = account.pipelines.get(&object).ok_or_else(none)?;
    let listed = |pipelines: &[Pipeline]| -> Vec<Value> {
        pipelines
            .iter()
            .enumerate()
            .map(|(n, one)| one.json(n))
            .collect()
    };
    let one = |id: &str| {
        let found = all.iter().position(|one| one.id == id);
        found.ok_or_else(|| ApiError::not_found(&format!("Pipeline {id} does not exist.")))
    };
    let body = match rest {
        [] => json!({"results": listed(all)}),
        [id] => one(id).map(|n| all[n].json(n))?,
        [id, "stages"] => json!({"results": one(id).map(|n| all[n].json(n))?["stages"]}),
        [id, "stages", stage] => {
            let stages = &all[one(id)?].stages;
            let found = stages.iter().position(|one| one.id == *stage);
            let n = found
                .ok_or_else(|| ApiError::not_found(&format!("Stage {stage} does not exist.")))?;
            stages[n].json(n)
        }
        _ => return Err(ApiError::unknown_path()),
    };
    Ok(Reply::json(200, body))
}

/// The pipelines of a new account.
pub(crate) fn default_pipelines() -> BTreeMap<ObjectType, Vec<Pipeline>> {
    [
        (
            ObjectType::TICKETS,
            "0",
            "Support Pipeline",
            TICKET_STAGES,
            "ticketState",
        ),
        (
            ObjectType::DEALS,
            "default",
            "Sales Pipeline",
            DEAL_STAGES,
            "probability",
        ),
        (
            ObjectType::LEADS,
            "lead-pipeline-id",
            "Lead pipeline",
            LEAD_STAGES,
            "leadState",
        ),
    ]
    .into_iter()
    .map(|(object, id, label, stages, meta)| {
        let stages = stages
            .iter()
            .map(|(id, label, value)| Stage {
                id: (*id).to_owned(),
                label: (*label).to_owned(),
                metadata: stage_metadata(object, meta, value),
                archived: false,
            })
            .collect();
        let pipeline = Pipeline {
            id: id.to_owned(),
            label: label.to_owned(),
            stages,
            archived: false,
        };
        (object, vec![pipeline])
    })
    .collect()
}

fn stage_metadata(object: ObjectType, name: &str, value: &str) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    if object == ObjectType::DEALS {
        let closed = matches!(value, "1.0" | "0.0");
        metadata.insert("isClosed".to_owned(), closed.to_string());
    }
    metadata
}

type StageRow = (&'static str, &'static str, &'static str);

const TICKET_STAGES: &[StageRow] = &[
    ("1", "New", "OPEN"),
    ("2", "Waiting on contact", "OPEN"),
    ("3", "Waiting on us", "OPEN"),
    ("4", "Closed", "CLOSED"),
];

const DEAL_STAGES: &[StageRow] = &[
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
];

const LEAD_STAGES: &[StageRow] = &[
    ("new-stage-id", "New", "NEW"),
    ("attempting-stage-id", "Attempting", "IN_PROGRESS"),
    ("connected-stage-id", "Connected", "IN_PROGRESS"),
    ("qualified-stage-id", "Qualified", "QUALIFIED"),
    ("unqualified-stage-id", "Disqualified", "UNQUALIFIED"),
];
