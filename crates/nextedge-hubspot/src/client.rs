//! Every HubSpot call this crate makes, one method each.
//!
//! Methods take what the call needs, return HubSpot's answer, and turn each refusal into a
//! [`Fault`]. Retrying, pacing and tokens belong to [`ApiClient`].

use bytes::Bytes;
use nextedge_core::{CallContext, MessageUid, RecordId};
use nextedge_http::{ApiClient, Part, Request, Response, ResponseSummary, path_segment};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::ApiVersions;
use crate::error::Fault;
use crate::wire::ObjectType;
use crate::wire::answers::{Refusal, Row, links, next_page, rows};
use crate::wire::associations::{AssociateDefault, ReadAssociations};
use crate::wire::files::Upload;
use crate::wire::objects::{BatchCreate, BatchRead, BatchUpdate, Search};
use crate::wire::written::{Counted, WriteAnswer};

/// HubSpot's calls over the shared HTTP client.
#[derive(Debug)]
pub(crate) struct HubSpotClient {
    api: ApiClient,
    versions: ApiVersions,
}

/// A mixed or complete answer to a batch of writes.
#[derive(Debug)]
pub(crate) struct BatchAnswer {
    pub(crate) rows: Vec<Row>,
    pub(crate) refused: Vec<RefusedInputs>,
}

/// One refusal with the inputs it names; none if it names none.
#[derive(Debug)]
pub(crate) struct RefusedInputs {
    pub(crate) traces: Vec<String>,
    pub(crate) fault: Fault,
}

impl HubSpotClient {
    pub(crate) fn new(api: ApiClient, versions: ApiVersions) -> Self {
        Self { api, versions }
    }

    pub(crate) async fn account(&self, cx: &CallContext) -> Result<Value, Fault> {
        let path = format!("/account-info/{}/details", self.versions.account);
        self.read(cx, Request::get("hubspot.account.details", path))
            .await
    }

    pub(crate) async fn properties(
        &self,
        cx: &CallContext,
        object: &ObjectType,
    ) -> Result<Value, Fault> {
        let path = format!("/crm/properties/{}/{object}", self.versions.properties);
        self.read(cx, Request::get("hubspot.properties.list", path))
            .await
    }

    pub(crate) async fn create_property(
        &self,
        cx: &CallContext,
        object: &ObjectType,
        body: &Value,
    ) -> Result<Value, Fault> {
        let path = format!("/crm/properties/{}/{object}", self.versions.properties);
        // The name is unique, so a repeat is refused instead of making a second property.
        let request = Request::post("hubspot.properties.create", path)
            .json(body)
            .keyed()
            .audit_summary(json!({ "name": body["name"] }));
        self.read(cx, request).await
    }

    pub(crate) async fn pipelines(
        &self,
        cx: &CallContext,
        object: &ObjectType,
    ) -> Result<Value, Fault> {
        let path = format!("/crm/pipelines/{}/{object}", self.versions.pipelines);
        self.read(cx, Request::get("hubspot.pipelines.list", path))
            .await
    }

    pub(crate) async fn owners(
        &self,
        cx: &CallContext,
        after: Option<&str>,
    ) -> Result<Value, Fault> {
        let path = format!("/crm/owners/{}", self.versions.owners);
        let mut request = Request::get("hubspot.owners.list", path).query("limit", 100);
        if let Some(after) = after {
            request = request.query("after", after);
        }
        self.read(cx, request).await
    }

    pub(crate) async fn schema(
        &self,
        cx: &CallContext,
        object: &ObjectType,
    ) -> Result<Value, Fault> {
        let path = format!(
            "/crm-object-schemas/{}/schemas/{}",
            self.versions.schemas,
            path_segment(object.path())
        );
        self.read(cx, Request::get("hubspot.schemas.get", path))
            .await
    }

    pub(crate) async fn labels(
        &self,
        cx: &CallContext,
        from: &ObjectType,
        to: &ObjectType,
    ) -> Result<Value, Fault> {
        let path = format!(
            "/crm/associations/{}/{from}/{to}/labels",
            self.versions.associations
        );
        self.read(cx, Request::get("hubspot.associations.labels", path))
            .await
    }

    /// Reads many records; ids that do not exist are left out.
    pub(crate) async fn batch_read(
        &self,
        cx: &CallContext,
        object: &ObjectType,
        body: &BatchRead<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let path = format!("{}/batch/read", self.object_path(object));
        let request = Request::post(operation(object, Verb::Read), path)
            .json(body)
            .safe()
            .audit_summary(json!({ "inputs": body.inputs.len(), "id_property": body.id_property }))
            .summarise_response(summary);
        match self.read(cx, request).await {
            Ok(answer) => Ok(rows(&answer)),
            Err(fault) if fault.status == Some(404) => Ok(Vec::new()),
            Err(fault) => Err(fault),
        }
    }

    /// Reads one record, following a merge; none if it is gone.
    pub(crate) async fn read_one(
        &self,
        cx: &CallContext,
        object: &ObjectType,
        id: &str,
        properties: &[&str],
    ) -> Result<Option<Row>, Fault> {
        let path = format!("{}/{}", self.object_path(object), path_segment(id));
        let request = Request::get("hubspot.objects.get", path)
            .query("properties", properties.join(","))
            .summarise_response(summary);
        match self.read(cx, request).await {
            Ok(answer) => Ok(rows(&answer).into_iter().next()),
            Err(fault) if fault.status == Some(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Searches one page; the second value is the cursor of the next.
    pub(crate) async fn search(
        &self,
        cx: &CallContext,
        object: &ObjectType,
        body: &Search<'_>,
    ) -> Result<(Vec<Row>, Option<String>), Fault> {
        let path = format!("{}/search", self.object_path(object));
        let request = Request::post(operation(object, Verb::Search), path)
            .json(body)
            .safe()
            .rate_class(SEARCH_CLASS)
            .audit_summary(json!({ "groups": body.filter_groups.len() }))
            .summarise_response(summary);
        let answer = self.read(cx, request).await?;
        Ok((rows(&answer), next_page(&answer)))
    }

    /// Creates many records in one request.
    pub(crate) async fn batch_create(
        &self,
        cx: &CallContext,
        object: &ObjectType,
        body: &BatchCreate<'_>,
        write: &WriteNotes,
    ) -> Result<BatchAnswer, Fault> {
        let names: std::collections::BTreeSet<_> = body
            .inputs
            .iter()
            .flat_map(|input| input.properties.keys())
            .collect();
        let path = format!("{}/batch/create", self.object_path(object));
        let mut request = Request::post(operation(object, Verb::Create), path)
            .json(body)
            .messages(write.messages.clone())
            .audit_summary(json!({ "inputs": body.inputs.len(), "fields": names }))
            .summarise_response(summary);
        if write.repeat == Repeat::Harmless {
            request = request.keyed();
        }
        self.batch(cx, operation(object, Verb::Create), request)
            .await
    }

    /// Updates many records in one request; repeating it changes nothing more.
    pub(crate) async fn batch_update(
        &self,
        cx: &CallContext,
        object: &ObjectType,
        body: &BatchUpdate<'_>,
        messages: Vec<MessageUid>,
    ) -> Result<BatchAnswer, Fault> {
        let names: std::collections::BTreeSet<_> = body
            .inputs
            .iter()
            .flat_map(|input| input.properties.keys())
            .collect();
        let path = format!("{}/batch/update", self.object_path(object));
        let request = Request::post(operation(object, Verb::Update), path)
            .json(body)
            .keyed()
            .messages(messages)
            .audit_summary(json!({ "inputs": body.inputs.len(), "fields": names }))
            .summarise_response(summary);
        self.batch(cx, operation(object, Verb::Update), request)
            .await
    }

    /// Links pairs of records by the default type; repeating it changes nothing more.
    pub(crate) async fn associate(
        &self,
        cx: &CallContext,
        from: &ObjectType,
        to: &ObjectType,
        pairs: &[(String, String)],
        messages: Vec<MessageUid>,
    ) -> Result<(), Fault> {
        let version = &self.versions.associations;
        let path = format!("/crm/associations/{version}/{from}/{to}/batch/associate/default");
        let operation = "hubspot.associations.create";
        let request = Request::post(operation, path)
            .json(&AssociateDefault::new(pairs))
            .keyed()
            .messages(messages)
            .audit_summary(json!({ "inputs": pairs.len() }));
        let answer = self.batch(cx, operation, request).await?;
        match answer.refused.into_iter().next() {
            Some(refused) => Err(refused.fault),
            None => Ok(()),
        }
    }

    /// Reads which records of one type are linked to each of these.
    pub(crate) async fn linked(
        &self,
        cx: &CallContext,
        from: &ObjectType,
        to: &ObjectType,
        ids: &[String],
    ) -> Result<std::collections::BTreeMap<String, Vec<String>>, Fault> {
        let path = format!(
            "/crm/associations/{}/{from}/{to}/batch/read",
            self.versions.associations
        );
        let body = ReadAssociations {
            inputs: ids
                .iter()
                .map(|id| crate::wire::objects::Id { id })
                .collect(),
        };
        let request = Request::post("hubspot.associations.read", path)
            .json(&body)
            .safe()
            .audit_summary(json!({ "inputs": ids.len() }));
        match self.read(cx, request).await {
            Ok(answer) => Ok(links(&answer)),
            Err(fault) if fault.status == Some(404) => Ok(Default::default()),
            Err(fault) => Err(fault),
        }
    }

    /// Uploads one private file and returns its id.
    pub(crate) async fn upload(
        &self,
        cx: &CallContext,
        upload: &Upload<'_>,
        message: MessageUid,
    ) -> Result<RecordId, Fault> {
        let operation = "hubspot.files.upload";
        let path = format!("/files/{}/files", self.versions.files);
        let parts = [
            Part::file(
                "file",
                upload.name,
                upload.media_type,
                Bytes::clone(upload.bytes),
            ),
            Part::text("fileName", upload.name),
            Part::text("folderPath", upload.folder),
            Part::text("options", upload.options()),
        ];
        // The same bytes in the same folder give the same file, so a repeat adds none.
        let request = Request::post(operation, path)
            .multipart(parts)
            .keyed()
            .messages(vec![message])
            .audit_summary(json!({ "bytes": upload.bytes.len(), "sha256": upload.sha256 }))
            .summarise_response(summary);
        let answer = self.read(cx, request).await?;
        let id = rows(&answer).into_iter().next();
        id.and_then(|row| RecordId::new(row.id).ok())
            .ok_or_else(|| Fault::unreadable(operation))
    }

    fn object_path(&self, object: &ObjectType) -> String {
        format!("/crm/objects/{}/{object}", self.versions.objects)
    }

    /// Sends a batch of writes and reads what became of each input.
    async fn batch(
        &self,
        cx: &CallContext,
        operation: &'static str,
        request: Request,
    ) -> Result<BatchAnswer, Fault> {
        let answer: WriteAnswer = self.read(cx, request).await?;
        let refused = answer.errors.iter().flatten().map(Refusal::of);
        let refused = refused.map(|refusal| RefusedInputs {
            traces: refusal.traces,
            fault: Fault::of_entry(operation, refusal.body),
        });
        Ok(BatchAnswer {
            refused: refused.collect(),
            rows: answer.rows(),
        })
    }

    async fn read<T: DeserializeOwned + Default>(
        &self,
        cx: &CallContext,
        request: Request,
    ) -> Result<T, Fault> {
        let writes = request.writes();
        let response = self.api.send(cx, request).await;
        let response = response.map_err(|failure| Fault::of_call(&failure))?;
        if response.body().is_empty() {
            return Ok(T::default());
        }
        response.json().map_err(|_| {
            let fault = Fault::unreadable(response.operation());
            if writes { fault } else { fault.not_applied() }
        })
    }
}

/// What a batch of writes needs beside its body.
#[derive(Debug)]
pub(crate) struct WriteNotes {
    pub(crate) messages: Vec<MessageUid>,
    pub(crate) repeat: Repeat,
}

/// What a repetition of a create would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A unique property refuses it.
    Harmless,
    /// It could write twice.
    Doubles,
}

/// What the audit keeps of an answer: ids and counts.
fn summary(answer: &Response) -> ResponseSummary {
    let counted: Counted = answer.json().unwrap_or_default();
    let ids = counted.ids();
    ResponseSummary {
        value: json!({ "results": ids.len(), "errors": counted.refused() }),
        records: ids
            .into_iter()
            .filter_map(|id| RecordId::new(id).ok())
            .collect(),
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Read,
    Search,
    Create,
    Update,
}

/// Names a call in errors, audit and counts.
fn operation(object: &ObjectType, verb: Verb) -> &'static str {
    use ObjectType::{Company, Contact, Custom, Deal, Email, Lead, Note, Ticket};
    macro_rules! named {
        ($($object:pat => $name:literal),* $(,)?) => {
            match (object, verb) {
                $(
                    ($object, Verb::Read) => concat!("hubspot.", $name, ".batch_read"),
                    ($object, Verb::Search) => concat!("hubspot.", $name, ".search"),
                    ($object, Verb::Create) => concat!("hubspot.", $name, ".batch_create"),
                    ($object, Verb::Update) => concat!("hubspot.", $name, ".batch_update"),
                )*
            }
        };
    }
    named! {
        Contact => "contacts",
        Company => "companies",
        Deal => "deals",
        Ticket => "tickets",
        Lead => "leads",
        Email => "emails",
        Note => "notes",
        Custom(_) => "custom",
    }
}

/// The class of calls that HubSpot limits over all apps of an account.
pub(crate) const SEARCH_CLASS: &str = "search";
