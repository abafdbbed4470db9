//! Three HubSpot accounts in sandboxes behind one address, and the faults that the checks ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use md5::{Digest, Md5};
use nextedge_core::sink::CrmSink;
use nextedge_core::{
    CallContext, Connection, ConnectionId, ConnectionRole, Draft, FieldName, FieldValue, RecordId,
    RecordKind, RecordRef, Secret, TenantId,
};
use nextedge_http::{ApiClient, RetryOptions, StaticToken};
use nextedge_hubspot::{HubSpotSink, error_mapper};
use nextedge_sandbox::{RateLimit, Sandbox};
use nextedge_testkit::sink::{
    Account, Fault, Part, SeenActivity, SeenCrm, SeenFile, SeenRecord, SinkHarness, SinkWorld,
    Times,
};
use serde_json::{Value, json};

use crate::relay::{Relay, Routes};

pub(crate) struct Harness {
    pub(crate) key_property: bool,
}

struct World {
    accounts: BTreeMap<Account, Sandbox>,
    relay: Relay,
    key_property: bool,
}

#[async_trait]
impl SinkHarness for Harness {
    async fn start(&self) -> Box<dyn SinkWorld> {
        let mut accounts = BTreeMap::new();
        let mut routes = Routes::new();
        for account in Account::ALL {
            let sandbox = Sandbox::builder()
                .rate_limit(RateLimit::None)
                .search_lag(Duration::ZERO);
            let sandbox = sandbox.start().await.unwrap();
            routes.insert(token(account), sandbox.address());
            accounts.insert(account, sandbox);
        }
        let relay = Relay::start(routes).await;
        let world = World {
            accounts,
            relay,
            key_property: self.key_property,
        };
        // the other accounts are met by one check, which asks for no guarantee
        for account in [Account::First].into_iter().filter(|_| self.key_property) {
            let installed = world.hubspot().install(&world.cx(account)).await.unwrap();
            assert!(installed.refused.is_empty(), "{installed:?}");
        }
        Box::new(world)
    }
}

impl World {
    fn hubspot(&self) -> HubSpotSink {
        let token_of = |cx: &CallContext| {
            let account = Account::of(cx.tenant().as_str(), cx.connection().id.as_str());
            account.map(|account| Secret::new(token(account)))
        };
        let client = ApiClient::builder()
            .base_url(&self.relay.url)
            .tokens(StaticToken::by_connection(token_of))
            // the checks' clock stands still
            .retry(
                RetryOptions::default()
                    .with_backoff(Duration::ZERO, Duration::ZERO)
                    .with_obeyed_wait(Duration::ZERO),
            )
            .error_mapper(error_mapper);
        let client = client.build().unwrap();
        HubSpotSink::builder().client(client).build().unwrap()
    }

    fn cx(&self, account: Account) -> CallContext {
        let id = ConnectionId::new(account.connection()).unwrap();
        let connection = Connection::new(id, "hubspot", ConnectionRole::Sink)
            .with_settings(self.settings(account));
        let tenant = TenantId::new(account.tenant()).unwrap();
        CallContext::new(tenant, Arc::new(connection), Duration::from_secs(60))
    }

    fn fault(&self, fault: &Value) {
        for sandbox in self.accounts.values() {
            sandbox.fault(fault.clone()).unwrap();
        }
    }
}

#[async_trait]
impl SinkWorld for World {
    fn sink(&self) -> Arc<dyn CrmSink> {
        Arc::new(self.hubspot())
    }

    fn settings(&self, _account: Account) -> Value {
        match self.key_property {
            true => json!({ "key_property": "install" }),
            false => Value::Null,
        }
    }

    fn draft(&self, kind: &RecordKind, title: &str) -> Draft {
        let pairs: Vec<(&str, &str)> = match kind {
            RecordKind::Company => vec![("name", title), ("domain", title)],
            RecordKind::Case => vec![
                ("subject", title),
                ("content", "Broken"),
                ("hs_pipeline", "0"),
                ("hs_pipeline_stage", "1"),
                ("hs_ticket_priority", "HIGH"),
            ],
            RecordKind::Opportunity => vec![
                ("dealname", title),
                ("pipeline", "default"),
                ("dealstage", "appointmentscheduled"),
            ],
            RecordKind::Lead => vec![("hs_lead_name", title), ("hs_lead_label", "HOT")],
            _ => vec![("firstname", "Ada"), ("lastname", title)],
        };
        let pair = |(name, value): (&str, &str)| {
            (FieldName::new(name), FieldValue::Text(value.to_owned()))
        };
        Draft {
            kind: kind.clone(),
            fields: pairs.into_iter().map(pair).collect(),
            notes: Vec::new(),
        }
    }

    async fn inject(&self, fault: &Fault) {
        let mut spec = match fault {
            Fault::LoseResponse { times, .. } => json!({
                "drop": "after_apply",
                "times": match times { Times::Once => json!(1), Times::UntilLifted => json!("always") },
            }),
            Fault::Throttle { after, .. } => {
                json!({"name": "rate_limit", "retry_after": after.as_secs(), "times": "always"})
            }
            Fault::ExpireToken { .. } => json!({"name": "expire_tokens", "times": "always"}),
            Fault::Refuse {
                index,
                field,
                words,
                ..
            } => json!({
                "name": "partial_batch", "index": index, "property": field, "message": words,
            }),
            Fault::Lock { record } => {
                json!({"name": "lock_record", "id": record.id.as_str(), "times": "always"})
            }
            Fault::Duplicate { address } => {
                let contact = json!([{ "properties": { "email": address } }]);
                let seed = json!({"hubspot": {"records": {"contacts": contact}}});
                self.accounts[&Account::First].seed(seed).unwrap();
                return;
            }
            Fault::Drift { field, .. } => json!({
                "path_contains": "/tickets/batch/create", "status": 400, "times": "always",
                "body": lost_property(field),
            }),
            Fault::Stall { .. } => json!({"delay_ms": 3_600_000, "times": "always"}),
            Fault::Cut { .. } => json!({"drop": "before_apply", "times": "always"}),
        };
        if let Some(part) = part_of(fault) {
            spec["path_contains"] = path_of(part).into();
        }
        self.fault(&spec);
    }

    async fn lift(&self) {
        for sandbox in self.accounts.values() {
            sandbox.clear_faults();
        }
    }

    async fn seen(&self, account: Account) -> SeenCrm {
        let state = self.accounts[&account].state();
        let rows = |kind: &str| {
            state["hubspot"][kind]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        let records = KINDS.iter().flat_map(|(name, kind)| {
            rows(name)
                .into_iter()
                .map(|row| record(kind, &row))
                .collect::<Vec<_>>()
        });
        SeenCrm {
            records: records.collect(),
            activities: rows("emails").iter().map(activity).collect(),
            files: rows("files").iter().map(file).collect(),
        }
    }

    async fn holds(&self, account: Account, file: &SeenFile, bytes: &[u8]) -> bool {
        let state = self.accounts[&account].state();
        let files = state["hubspot"]["files"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let stored = files
            .iter()
            .find(|row| row["id"] == file.id.as_str())
            .unwrap();
        let md5: String = Md5::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        stored["properties"]["md5"] == md5.as_str() && file.bytes == bytes.len() as u64
    }

    async fn calls(&self) -> usize {
        self.relay.calls()
    }

    async fn stalled(&self) -> bool {
        let met = |fault: &Value| fault["delay_ms"].is_u64() && fault["met"].as_u64() > Some(0);
        let meets = |sandbox: &Sandbox| sandbox.faults().as_array().unwrap().iter().any(met);
        self.accounts.values().any(meets)
    }

    fn secrets(&self) -> Vec<String> {
        Account::ALL.into_iter().map(token).collect()
    }
}

/// The token of an account.
fn token(account: Account) -> String {
    format!("pat-{account:?}-4711")
}

fn part_of(fault: &Fault) -> Option<Part> {
    match fault {
        Fault::LoseResponse { part, .. }
        | Fault::Refuse { part, .. }
        | Fault::Stall { part }
        | Fault::Cut { part } => Some(*part),
        Fault::Throttle { part, .. } | Fault::ExpireToken { part } => *part,
        Fault::Lock { .. } | Fault::Duplicate { .. } | Fault::Drift { .. } => None,
    }
}

fn path_of(part: Part) -> &'static str {
    match part {
        Part::Company => "/companies/batch/create",
        Part::Contact => "/contacts/batch/create",
        Part::Record => "/tickets/batch/create",
        Part::File => "/files/",
        Part::Activity => "/emails/batch/create",
    }
}

/// HubSpot's refusal of a property that does not exist.
fn lost_property(field: &str) -> Value {
    let message = format!("Property \"{field}\" does not exist");
    json!({
        "status": "error", "category": "VALIDATION_ERROR", "correlationId": "kit",
        "message": "Property values were not valid",
        "errors": [{
            "message": message, "code": "PROPERTY_DOESNT_EXIST",
            "context": { "propertyName": [field] },
        }],
    })
}

const KINDS: [(&str, RecordKind); 5] = [
    ("contacts", RecordKind::Contact),
    ("companies", RecordKind::Company),
    ("tickets", RecordKind::Case),
    ("deals", RecordKind::Opportunity),
    ("leads", RecordKind::Lead),
];

fn reference(kind: &RecordKind, id: &Value) -> RecordRef {
    RecordRef {
        kind: kind.clone(),
        id: RecordId::new(id.as_str().unwrap()).unwrap(),
    }
}

fn record(kind: &RecordKind, row: &Value) -> SeenRecord {
    // set by HubSpot itself
    let own = |name: &str| name.contains("date") || name == "hs_object_id";
    let properties = row["properties"].as_object().unwrap().iter();
    let fields = properties
        .filter(|(name, _)| !own(name))
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    SeenRecord {
        record: reference(kind, &row["id"]),
        fields: fields.collect(),
    }
}

fn activity(row: &Value) -> SeenActivity {
    let text = |name: &str| {
        row["properties"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let links = row["associations"].as_array().unwrap().iter();
    let on: BTreeSet<RecordRef> = links
        .filter_map(|link| {
            let kind = KINDS.iter().find(|(name, _)| link["to_type"] == *name)?;
            Some(reference(&kind.1, &link["to_id"]))
        })
        .collect();
    let files = text("hs_attachment_ids");
    SeenActivity {
        id: row["id"].as_str().unwrap().to_owned(),
        subject: text("hs_email_subject"),
        text: text("hs_email_text"),
        sent_at: DateTime::parse_from_rfc3339(&text("hs_timestamp"))
            .unwrap()
            .to_utc(),
        on,
        files: files
            .split(';')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

fn file(row: &Value) -> SeenFile {
    let size = row["properties"]["size"].as_str().unwrap();
    SeenFile {
        id: row["id"].as_str().unwrap().to_owned(),
        name: row["properties"]["name"].as_str().unwrap().to_owned(),
        bytes: size.parse().unwrap(),
    }
}
