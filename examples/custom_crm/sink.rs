//! A sink for Tansy: everything that a connector needs, in one file.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::policy::FieldMap;
use nextedge_core::sink::{
    CrmSink, Delivery, FieldDescription, FieldKind, FindRequest, Found, FoundContact, FoundParty,
    ItemEnd, ItemOutcome, ObjectDescription, PartyQuery, PartyWrite, RecordState, RecordWrite,
    SinkCapabilities, SinkDescription,
};
use nextedge_core::{
    CallContext, Domain, Draft, Effect, EffectVerb, EmailAddress, Error, ErrorKind, FieldName,
    FieldValue, Guarantee, Reach, RecordId, RecordKind, RecordRef, Result, Slot,
};
use nextedge_http::{
    ApiClient, ApiClientBuilder, Applied, CallError, Request, Response, path_segment,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Writes contacts, companies, leads, cases, opportunities, mails and files to Tansy.
#[derive(Debug)]
pub struct TansySink {
    client: ApiClient,
}

impl TansySink {
    /// Takes a client that has base URL and tokens.
    pub fn new(client: ApiClientBuilder) -> Result<Self> {
        let client = client.error_mapper(refusal).build()?;
        Ok(Self { client })
    }
}

/// Reads the one refusal that Tansy explains; the rest is in the common table.
fn refusal(answer: &Response) -> Option<Error> {
    let body: Value = answer.json().ok()?;
    let field = body["field"].as_str()?;
    // Tansy's message may repeat the mail, so it is left out
    Some(Error::new(ErrorKind::Rejected, "Tansy refused a field").with_context("field", field))
}

/// A record as Tansy answers it; its values look like ours, such as `{"text": "new"}`.
#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    record: RecordRef,
    key: String,
    fields: Fields,
    closed: bool,
}

#[async_trait]
impl CrmSink for TansySink {
    fn name(&self) -> &str {
        "tansy"
    }

    fn capabilities(&self) -> SinkCapabilities {
        use RecordKind::{Activity, Case, Company, Contact, File, Lead, Opportunity};
        SinkCapabilities::default()
            .with_kinds([Contact, Company, Lead, Case, Opportunity, Activity, File])
            .with_max_batch(20)
            .with_settle(Duration::from_secs(1))
            .with_attachments()
            .with_keyed()
    }

    async fn check(&self, cx: &CallContext) -> Result<String> {
        let account = Request::get("tansy.account", "/account");
        self.client.send(cx, account).await?.json()
    }

    async fn describe(&self, cx: &CallContext) -> Result<SinkDescription> {
        let read = Request::get("tansy.fields", "/fields");
        let types: BTreeMap<RecordKind, Vec<FieldName>> =
            self.client.send(cx, read).await?.json()?;
        let field = |name| FieldDescription {
            name,
            kind: FieldKind::Text { max_chars: 2_000 },
            writable: true,
            required: false,
        };
        let object = |(kind, names): (RecordKind, Vec<FieldName>)| ObjectDescription {
            vendor_name: kind.to_string(),
            kind,
            fields: names.into_iter().map(field).collect(),
        };
        Ok(SinkDescription {
            objects: types.into_iter().map(object).collect(),
            default_map: FieldMap::from_toml(include_str!("default-map.toml"))?,
        })
    }

    async fn find(&self, cx: &CallContext, wanted: &FindRequest) -> Result<Found> {
        let mut keys: Vec<&str> = wanted.records.iter().map(|r| r.id.as_str()).collect();
        for party in &wanted.parties {
            keys.extend(party.addresses.iter().map(EmailAddress::as_str));
            keys.extend(party.company.iter().map(Domain::as_str));
        }
        let search = Request::post("tansy.search", "/search").json(&keys).safe();
        let rows: Vec<Row> = self.client.send(cx, search).await?.json()?;
        let parties = wanted.parties.iter().map(|query| found(&rows, query));
        let records = wanted.records.iter().map(|record| state(&rows, record));
        let (parties, records) = (parties.collect(), records.collect());
        Ok(Found { parties, records })
    }

    async fn deliver(&self, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        let (mut outcomes, mut records) = (Vec::new(), Vec::new());
        let (mut halted, mut broken) = (false, None);
        for item in batch {
            if halted || broken == Some(item.thread) {
                outcomes.push(ItemOutcome::not_attempted());
                records.push(None);
                continue;
            }
            let mut write = Write {
                sink: self,
                cx,
                item,
                on: Vec::new(),
                record: None,
                effects: Vec::new(),
            };
            let end = match write.all(&records).await {
                Ok(()) => ItemEnd::Done,
                Err(failure) => {
                    broken = Some(item.thread);
                    halted = failure.error().reach() != Reach::Item || cx.remaining().is_zero();
                    failure.into_end()
                }
            };
            records.push(write.record);
            let effects = write.effects;
            outcomes.push(ItemOutcome { effects, end });
        }
        Ok(outcomes)
    }
}

/// One mail on its way.
struct Write<'a> {
    sink: &'a TansySink,
    cx: &'a CallContext,
    item: &'a Delivery,
    /// What the mail stands on.
    on: Vec<RecordId>,
    record: Option<RecordRef>,
    effects: Vec<Effect>,
}

impl Write<'_> {
    async fn all(&mut self, earlier: &[Option<RecordRef>]) -> Called<()> {
        if let Some(company) = &self.item.company {
            self.party(Slot::Company, company).await?;
        }
        self.party(Slot::Contact, &self.item.contact).await?;
        let slot = Slot::Record;
        self.record = match &self.item.record {
            RecordWrite::ContactOnly => None,
            RecordWrite::Earlier { item } => earlier.get(*item).cloned().flatten(),
            RecordWrite::Known { record, fields } => Some(self.set(slot, record, fields).await?),
            RecordWrite::Create { key, draft } => Some(self.create(slot, key, draft).await?),
        };
        self.on.extend(self.record.as_ref().map(|r| r.id.clone()));
        let files = self.files().await?;
        self.mail(files).await
    }

    async fn party(&mut self, slot: Slot, party: &PartyWrite) -> Called<()> {
        let record = match party {
            PartyWrite::Known { record, fill } => self.set(slot, record, fill).await?,
            PartyWrite::Create { key, draft } => self.create(slot, key, draft).await?,
        };
        self.on.push(record.id);
        Ok(())
    }

    /// Creates a record under its key; Tansy answers 200 with the record that has it already.
    async fn create(&mut self, slot: Slot, key: &str, draft: &Draft) -> Called<RecordRef> {
        let path = format!("/{}/{}", draft.kind, path_segment(key));
        let request = Request::put("tansy.create", path).json(&draft.fields);
        self.make(slot, draft.kind.clone(), request).await
    }

    /// Sets fields of a record that exists, if there are any to set.
    async fn set(&mut self, slot: Slot, record: &RecordRef, fields: &Fields) -> Called<RecordRef> {
        if !fields.is_empty() && self.done(&slot).is_none() {
            let path = format!("/{}/{}", record.kind, record.id);
            // setting the same values again changes nothing, so the write may be repeated
            let request = Request::patch("tansy.change", path).json(fields).keyed();
            let before = self.sink.client.send(self.cx, request).await?.json();
            let before = before.unwrap_or_default();
            self.push(slot, record, EffectVerb::Updated, before);
        }
        Ok(record.clone())
    }

    async fn files(&mut self) -> Called<Vec<RecordId>> {
        let mut files = Vec::new();
        for file in &self.item.attachments {
            files.push((file.sha256.clone(), file.name.as_str(), &file.bytes));
        }
        let activity = &self.item.activity;
        if activity.text.chars().count() > MAX_TEXT {
            // what does not fit is attached whole
            files.push((self.item.key.clone(), "original.eml", &activity.original));
        }
        let mut ids = Vec::new();
        for (slot, (key, name, bytes)) in (0..).map(Slot::Attachment).zip(files) {
            let call = Request::put("tansy.store", format!("/file/{key}")).query("name", name);
            let call = call.bytes("application/octet-stream", bytes.clone());
            ids.push(self.make(slot, RecordKind::File, call).await?.id);
        }
        Ok(ids)
    }

    async fn mail(&mut self, files: Vec<RecordId>) -> Called<()> {
        let (text, draft) = (&self.item.activity.text, &self.item.activity.draft);
        let body = json!({
            "subject": draft.subject, "from": draft.from.address, "sent_at": draft.sent_at,
            "text": text.chars().take(MAX_TEXT).collect::<String>(), "on": self.on, "files": files,
        });
        let request = Request::put("tansy.log", format!("/activity/{}", self.item.key));
        let (slot, kind) = (Slot::Activity, RecordKind::Activity);
        self.make(slot, kind, request.json(&body)).await.map(drop)
    }

    /// Makes something under a key: not again if an earlier attempt did, repeatable if not.
    async fn make(&mut self, slot: Slot, kind: RecordKind, request: Request) -> Called<RecordRef> {
        if let Some(record) = self.done(&slot) {
            return Ok(record);
        }
        let request = request.keyed().messages(vec![self.item.message]);
        let answer = self.sink.client.send(self.cx, request).await?;
        let id = answer
            .json()
            .map_err(|e| CallError::new(e, Applied::Maybe))?;
        let record = RecordRef { kind, id };
        // under our own key it is ours, made by an attempt whose answer was lost
        let verb = match (&slot, answer.status().as_u16()) {
            (Slot::Company | Slot::Contact | Slot::Attachment(_), 200) => EffectVerb::Adopted,
            _ => EffectVerb::Created,
        };
        self.push(slot, &record, verb, Fields::new());
        Ok(record)
    }

    fn done(&self, slot: &Slot) -> Option<RecordRef> {
        let effect = self.item.done.iter().find(|effect| effect.slot == *slot);
        effect.map(|effect| effect.record.clone())
    }

    fn push(&mut self, slot: Slot, record: &RecordRef, verb: EffectVerb, previous: Fields) {
        self.effects.push(Effect {
            slot,
            record: record.clone(),
            verb,
            guarantee: Guarantee::Keyed,
            previous,
            notes: Vec::new(),
        });
    }
}

fn found(rows: &[Row], query: &PartyQuery) -> FoundParty {
    let mut party = FoundParty::default();
    for row in rows {
        let record = row.record.clone();
        if query.addresses.iter().any(|a| a.as_str() == row.key) {
            party.contacts.push(FoundContact {
                record,
                company: None,
                fields: row.fields.clone(),
            });
        } else if query.company.iter().any(|d| d.as_str() == row.key) {
            party.companies.push(record);
        }
    }
    party
}

fn state(rows: &[Row], record: &RecordRef) -> RecordState {
    match rows.iter().find(|row| row.record == *record) {
        None => RecordState::Gone,
        Some(row) if row.closed => RecordState::Closed,
        Some(_) => RecordState::Open,
    }
}

type Called<T> = Result<T, CallError>;
type Fields = BTreeMap<FieldName, FieldValue>;

/// The longest text that Tansy keeps of a mail.
const MAX_TEXT: usize = 100_000;
