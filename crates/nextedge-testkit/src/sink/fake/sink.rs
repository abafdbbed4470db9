//! The fake sink: reads, and what it remembers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty, Template};
use nextedge_core::sink::{
    CrmSink, Delivery, FieldDescription, FieldKind, FindRequest, Found, FoundContact, FoundParty,
    ItemOutcome, ObjectDescription, RecordState, SinkCapabilities, SinkDescription,
};
use nextedge_core::{
    CallContext, CallRecord, Category, Error, ErrorKind, FieldName, FieldValue, Reach, RecordKind,
    RecordRef, Result, Retry,
};

use super::Defect;
use super::crm::{Answer, Ask, FIELDS, FakeCrm, Refusal};
use super::deliver;
use super::world::TOKEN;
use crate::account::Account;

/// Writes to the fake CRM.
#[derive(Clone, Debug)]
pub struct FakeSink {
    pub(super) crm: Arc<FakeCrm>,
    pub(super) memory: Arc<Memory>,
    pub(super) defect: Option<Defect>,
}

/// What a broken sink remembers between calls.
#[derive(Debug, Default)]
pub(super) struct Memory {
    contacts: Mutex<BTreeMap<String, RecordRef>>,
    keys: AtomicUsize,
}

impl Memory {
    pub(super) fn contact(&self, key: &str) -> Option<RecordRef> {
        let contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.get(key).cloned()
    }

    pub(super) fn remember(&self, key: &str, record: &RecordRef) {
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.insert(key.to_owned(), record.clone());
    }

    pub(super) fn next_key(&self) -> usize {
        self.keys.fetch_add(1, Ordering::Relaxed)
    }
}

/// Why a call has no result.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) error: Error,
    /// It may have been applied.
    pub(super) maybe: bool,
    /// No later call can succeed.
    pub(super) halts: bool,
}

impl FakeSink {
    pub(super) fn new(crm: Arc<FakeCrm>, memory: Arc<Memory>, defect: Option<Defect>) -> Self {
        Self {
            crm,
            memory,
            defect,
        }
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Makes one call, until its deadline.
    pub(super) async fn call(&self, cx: &CallContext, ask: Ask) -> Result<Answer, Missed> {
        let (account, writes) = (account_of(cx), ask.part().is_some());
        let asked = ask.clone();
        let answer = if self.has(Defect::IgnoresDeadline) {
            self.crm.call(account, ask).await
        } else {
            tokio::select! {
                biased;
                answer = self.crm.call(account, ask) => answer,
                () = cx.clock().sleep(cx.remaining()) => Err(Refusal::NoAnswer),
            }
        };
        if !self.has(Defect::HidesCalls) {
            cx.record_call(call_record(cx, writes, answer.is_ok()));
        }
        match answer {
            Err(Refusal::Content { .. }) if self.has(Defect::RetriesByItself) => {
                for _ in 0..4 {
                    let _ = self.crm.call(account, asked.clone()).await;
                }
                answer.map_err(|refusal| self.missed(refusal, writes))
            }
            _ => answer.map_err(|refusal| self.missed(refusal, writes)),
        }
    }

    fn missed(&self, refusal: Refusal, writes: bool) -> Missed {
        let (maybe, halts) = match &refusal {
            Refusal::NoAnswer => (writes && !self.has(Defect::LostIsFailed), false),
            Refusal::Throttled(_) | Refusal::Token => (false, true),
            Refusal::Cut => (false, false),
            Refusal::Locked => (false, false),
            Refusal::Content { .. } => (false, self.has(Defect::GivesUpTheBatch)),
        };
        Missed {
            error: self.error(refusal).with_operation("fake.call"),
            maybe,
            halts,
        }
    }

    fn error(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Throttled(_) if self.has(Defect::ThrottleUntyped) => {
                Error::new(ErrorKind::Unavailable, "the CRM failed")
            }
            Refusal::Throttled(after) => Error::new(ErrorKind::RateLimited, "fewer calls wanted")
                .with_retry(Retry::After(after))
                .with_reach(Reach::Connection),
            Refusal::Token if self.has(Defect::TokenUntyped) => {
                Error::new(ErrorKind::Rejected, "the CRM refused")
            }
            Refusal::Token => Error::new(ErrorKind::Unauthorized, "the token is not accepted")
                .with_reach(Reach::Connection),
            Refusal::Content { words, .. } if self.has(Defect::EchoesWords) => {
                Error::new(ErrorKind::Rejected, format!("{words}, sent with {TOKEN}"))
            }
            Refusal::Content { .. } if self.has(Defect::DriftUnnamed) => {
                Error::new(ErrorKind::Rejected, "the CRM refused the content")
            }
            Refusal::Content { field, .. } => {
                Error::new(ErrorKind::Rejected, "the CRM refused the content")
                    .with_context("field", field)
            }
            Refusal::Locked if self.has(Defect::LockIsFinal) => {
                Error::new(ErrorKind::Rejected, "the record is locked")
            }
            Refusal::Locked => Error::new(ErrorKind::Unavailable, "the record is locked"),
            Refusal::NoAnswer => Error::new(ErrorKind::Timeout, "no answer came"),
            Refusal::Cut if self.has(Defect::CutIsFinal) => {
                Error::new(ErrorKind::Rejected, "the connection was cut")
            }
            Refusal::Cut => Error::new(ErrorKind::Unavailable, "the connection was cut"),
        }
    }

    /// Finds a contact or company by its key.
    async fn party(
        &self,
        cx: &CallContext,
        key: &str,
        kind: RecordKind,
    ) -> Result<Option<FoundContact>> {
        let answer = self
            .call(
                cx,
                Ask::Find {
                    key: key.to_owned(),
                },
            )
            .await;
        let answer = answer.map_err(|missed| missed.error)?;
        if let Answer::Found(seen) = answer {
            let value =
                |(name, value): (String, String)| (FieldName::new(name), FieldValue::Text(value));
            return Ok(Some(FoundContact {
                record: seen.record,
                company: None,
                fields: seen.fields.into_iter().map(value).collect(),
            }));
        }
        if self.has(Defect::FindCreates) {
            let (key, fields) = (Some(key.to_owned()), BTreeMap::new());
            let _ = self.call(cx, Ask::Create { kind, key, fields }).await;
        }
        Ok(None)
    }
}

#[async_trait]
impl CrmSink for FakeSink {
    fn name(&self) -> &str {
        "fake"
    }

    fn capabilities(&self) -> SinkCapabilities {
        let capabilities = SinkCapabilities::default()
            .with_kinds([
                RecordKind::Contact,
                RecordKind::Company,
                RecordKind::Lead,
                RecordKind::Case,
                RecordKind::Activity,
                RecordKind::File,
            ])
            .with_max_batch(10)
            .with_settle(Duration::from_secs(5))
            .with_attachments();
        match self.defect {
            Some(Defect::ClaimsKeyed) => capabilities,
            _ => capabilities.with_keyed(),
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<String> {
        if self.has(Defect::CheckSaysYes) {
            return Ok("fake".to_owned());
        }
        match self.call(cx, Ask::Account).await {
            Ok(Answer::Name(name)) => Ok(name),
            Ok(_) => Err(Error::new(ErrorKind::Unexpected, "no account was named")),
            Err(missed) => Err(missed.error),
        }
    }

    async fn describe(&self, _cx: &CallContext) -> Result<SinkDescription> {
        let kinds = [
            RecordKind::Contact,
            RecordKind::Company,
            RecordKind::Lead,
            RecordKind::Case,
        ];
        Ok(SinkDescription {
            objects: kinds.into_iter().map(object).collect(),
            default_map: default_map(self.has(Defect::MapNamesUndeclared)),
        })
    }

    async fn find(&self, cx: &CallContext, request: &FindRequest) -> Result<Found> {
        let mut found = Found::default();
        for query in &request.parties {
            let mut party = FoundParty::default();
            for address in &query.addresses {
                party.contacts.extend(
                    self.party(cx, address.as_str(), RecordKind::Contact)
                        .await?,
                );
            }
            if let Some(domain) = &query.company {
                let company = self.party(cx, domain.as_str(), RecordKind::Company).await?;
                party
                    .companies
                    .extend(company.map(|company| company.record));
            }
            found.parties.push(party);
        }
        for record in &request.records {
            let read = Ask::Read {
                record: record.clone(),
            };
            let answer = self.call(cx, read).await.map_err(|missed| missed.error)?;
            found.records.push(match answer {
                Answer::Found(_) => RecordState::Open,
                _ => RecordState::Gone,
            });
        }
        if self.has(Defect::FindSorts) {
            found.parties.sort_by_key(|party| party.contacts.len());
        }
        Ok(found)
    }

    async fn deliver(&self, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
        deliver::deliver(self, cx, batch).await
    }
}

fn account_of(cx: &CallContext) -> Account {
    Account::of(cx.tenant().as_str(), cx.connection().id.as_str()).unwrap_or_default()
}

fn call_record(cx: &CallContext, writes: bool, answered: bool) -> CallRecord {
    CallRecord {
        at: cx.now(),
        operation: "fake.call".to_owned(),
        verb: "CALL".to_owned(),
        path: "/".to_owned(),
        status: answered.then_some(200),
        duration: Duration::ZERO,
        writes,
        messages: Vec::new(),
        records: Vec::new(),
        request: serde_json::Value::Null,
        response: serde_json::Value::Null,
    }
}

fn object(kind: RecordKind) -> ObjectDescription {
    let field = |name: &&str| FieldDescription {
        name: FieldName::new(name),
        kind: FieldKind::Text { max_chars: 1000 },
        writable: true,
        required: false,
    };
    ObjectDescription {
        vendor_name: kind.to_string(),
        kind,
        fields: FIELDS.iter().map(field).collect(),
    }
}

fn default_map(undeclared: bool) -> FieldMap {
    let title =
        |template: &str| BTreeMap::from([(FieldName::new("title"), Template::from(template))]);
    let category = |kind| CategoryMap {
        kind,
        fields: title("{{ subject }}"),
        known_party: KnownParty::Same,
        contact: BTreeMap::new(),
        on_reply: BTreeMap::new(),
    };
    let mut categories = BTreeMap::from([
        (Category::Lead, category(RecordKind::Lead)),
        (Category::Case, category(RecordKind::Case)),
    ]);
    if undeclared {
        categories.insert(Category::Opportunity, category(RecordKind::Opportunity));
    }
    FieldMap {
        contact: title("{{ sender.display }}"),
        company: title("{{ company.domain }}"),
        categories,
        ..FieldMap::default()
    }
}
