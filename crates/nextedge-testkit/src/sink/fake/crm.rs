//! The fake CRM: what it holds, what it refuses, and what goes wrong on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use nextedge_core::{RecordId, RecordKind, RecordRef};
use tokio::sync::Notify;

use super::super::harness::{Fault, Part, SeenActivity, SeenCrm, SeenFile, SeenRecord, Times};
use crate::account::Account;

/// The CRM of all accounts.
#[derive(Debug, Default)]
pub(super) struct FakeCrm {
    state: Mutex<State>,
    lifted: Notify,
}

#[derive(Debug, Default)]
struct State {
    accounts: BTreeMap<Account, Held>,
    fault: Option<Fault>,
    calls: usize,
    stalled: usize,
    next_id: u64,
}

#[derive(Debug, Default)]
struct Held {
    seen: SeenCrm,
    keys: BTreeMap<String, RecordRef>,
    contents: BTreeMap<String, Bytes>,
    lost_fields: Vec<(RecordKind, String)>,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// Names the account.
    Account,
    /// Finds a record by the key it was created under.
    Find { key: String },
    /// Reads a record.
    Read { record: RecordRef },
    /// Creates a record; a key in use answers with the record that has it.
    Create {
        kind: RecordKind,
        key: Option<String>,
        fields: BTreeMap<String, String>,
    },
    /// Sets fields of a record.
    Update {
        record: RecordRef,
        fields: BTreeMap<String, String>,
    },
    /// Stores a file.
    Upload {
        key: Option<String>,
        name: String,
        bytes: Bytes,
    },
    /// Writes a mail to the timeline.
    Log {
        key: Option<String>,
        activity: SeenActivity,
    },
}

/// A success.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Name(String),
    Nothing,
    Made(RecordRef),
    Existed(RecordRef),
    Found(SeenRecord),
}

/// A refusal, or no answer.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    Throttled(Duration),
    Token,
    Content { field: String, words: String },
    Locked,
    NoAnswer,
    Cut,
}

impl Ask {
    pub(super) fn part(&self) -> Option<Part> {
        match self {
            Self::Account | Self::Find { .. } | Self::Read { .. } => None,
            Self::Create { kind, .. } => Some(part_of(kind)),
            Self::Update { record, .. } => Some(part_of(&record.kind)),
            Self::Upload { .. } => Some(Part::File),
            Self::Log { .. } => Some(Part::Activity),
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::Create { key, .. } | Self::Upload { key, .. } | Self::Log { key, .. } => {
                key.as_deref()
            }
            Self::Account | Self::Find { .. } | Self::Read { .. } | Self::Update { .. } => None,
        }
    }

    fn record(&self) -> Option<&RecordRef> {
        match self {
            Self::Update { record, .. } => Some(record),
            _ => None,
        }
    }
}

fn part_of(kind: &RecordKind) -> Part {
    match kind {
        RecordKind::Company => Part::Company,
        RecordKind::Contact => Part::Contact,
        _ => Part::Record,
    }
}

impl FakeCrm {
    /// Takes one call of an account.
    pub(super) async fn call(&self, account: Account, ask: Ask) -> Result<Answer, Refusal> {
        self.hold(&ask).await;
        let mut state = self.state();
        state.calls += 1;
        let met = state.fault.clone();
        let part = ask.part();
        let meets = |aim: Option<Part>| aim.is_none() || aim == part;
        match met {
            Some(Fault::Throttle { part, after }) if meets(part) => Err(Refusal::Throttled(after)),
            Some(Fault::ExpireToken { part }) if meets(part) => Err(Refusal::Token),
            Some(Fault::Cut { part }) if meets(Some(part)) => Err(Refusal::Cut),
            Some(Fault::Lock { record }) if ask.record() == Some(&record) => Err(Refusal::Locked),
            Some(Fault::Refuse {
                part,
                key,
                field,
                words,
                ..
            }) if meets(Some(part)) && ask.key() == Some(key.as_str()) => {
                Err(Refusal::Content { field, words })
            }
            Some(Fault::LoseResponse { part, times }) if meets(Some(part)) => {
                if times == Times::Once {
                    state.fault = None;
                }
                state.apply(account, ask)?;
                Err(Refusal::NoAnswer)
            }
            _ => state.apply(account, ask),
        }
    }

    /// Holds a call back while its part is stalled.
    async fn hold(&self, ask: &Ask) {
        loop {
            let lifted = self.lifted.notified();
            tokio::pin!(lifted);
            lifted.as_mut().enable();
            let waiting = {
                let mut state = self.state();
                let stall = matches!(&state.fault, Some(Fault::Stall { part }) if ask.part() == Some(*part));
                state.stalled += usize::from(stall);
                stall
            };
            if !waiting {
                return;
            }
            lifted.await;
        }
    }

    pub(super) fn inject(&self, fault: &Fault) {
        let mut state = self.state();
        match fault {
            Fault::Duplicate { address } => {
                let fields = BTreeMap::from([("title".to_owned(), "Somebody".to_owned())]);
                let ask = Ask::Create {
                    kind: RecordKind::Contact,
                    key: Some(address.clone()),
                    fields,
                };
                let _ = state.apply(Account::First, ask);
            }
            Fault::Drift { kind, field } => {
                let held = state.accounts.entry(Account::First).or_default();
                held.lost_fields.push((kind.clone(), field.clone()));
            }
            other => state.fault = Some(other.clone()),
        }
    }

    pub(super) fn lift(&self) {
        {
            let mut state = self.state();
            state.fault = None;
            state.stalled = 0;
            for held in state.accounts.values_mut() {
                held.lost_fields.clear();
            }
        }
        self.lifted.notify_waiters();
    }

    pub(super) fn seen(&self, account: Account) -> SeenCrm {
        let state = self.state();
        state
            .accounts
            .get(&account)
            .map(|held| held.seen.clone())
            .unwrap_or_default()
    }

    pub(super) fn content(&self, account: Account, file: &str) -> Option<Bytes> {
        let state = self.state();
        state.accounts.get(&account)?.contents.get(file).cloned()
    }

    pub(super) fn calls(&self) -> usize {
        self.state().calls
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.state().stalled > 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, account: Account, ask: Ask) -> Result<Answer, Refusal> {
        self.next_id += 1;
        let id = self.next_id;
        let held = self.accounts.entry(account).or_default();
        if let Some(record) = ask.key().and_then(|key| held.keys.get(key)) {
            return Ok(Answer::Existed(record.clone()));
        }
        match ask {
            Ask::Account => Ok(Answer::Name(format!("{account:?}"))),
            Ask::Find { key } => Ok(held.find(&key)),
            Ask::Read { record } => Ok(held.read(&record)),
            Ask::Create { kind, key, fields } => {
                held.check(&kind, &fields)?;
                let record = reference(kind, id)?;
                held.seen.records.push(SeenRecord {
                    record: record.clone(),
                    fields,
                });
                Ok(held.made(key, record))
            }
            Ask::Update { record, fields } => {
                held.check(&record.kind, &fields)?;
                held.update(&record, fields)?;
                Ok(Answer::Nothing)
            }
            Ask::Upload { key, name, bytes } => {
                let record = reference(RecordKind::File, id)?;
                held.seen.files.push(SeenFile {
                    id: record.id.to_string(),
                    name,
                    bytes: bytes.len() as u64,
                });
                held.contents.insert(record.id.to_string(), bytes);
                Ok(held.made(key, record))
            }
            Ask::Log { key, mut activity } => {
                let record = reference(RecordKind::Activity, id)?;
                activity.id = record.id.to_string();
                held.seen.activities.push(activity);
                Ok(held.made(key, record))
            }
        }
    }
}

impl Held {
    fn check(&self, kind: &RecordKind, fields: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let known: BTreeSet<&str> = FIELDS.iter().copied().collect();
        let lost = |name: &str| self.lost_fields.iter().any(|(k, f)| k == kind && f == name);
        let bad = fields
            .keys()
            .find(|name| !known.contains(name.as_str()) || lost(name));
        match bad {
            None => Ok(()),
            Some(field) => Err(Refusal::Content {
                field: field.clone(),
                words: "no such field".to_owned(),
            }),
        }
    }

    fn made(&mut self, key: Option<String>, record: RecordRef) -> Answer {
        if let Some(key) = key {
            self.keys.insert(key, record.clone());
        }
        Answer::Made(record)
    }

    fn find(&self, key: &str) -> Answer {
        match self.keys.get(key) {
            Some(record) => self.read(record),
            None => Answer::Nothing,
        }
    }

    fn read(&self, record: &RecordRef) -> Answer {
        self.seen
            .get(record)
            .cloned()
            .map_or(Answer::Nothing, Answer::Found)
    }

    fn update(
        &mut self,
        record: &RecordRef,
        fields: BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let mut records = self.seen.records.iter_mut();
        let found = records.find(|seen| seen.record == *record);
        let found = found.ok_or_else(|| Refusal::Content {
            field: "id".to_owned(),
            words: "no such record".to_owned(),
        })?;
        found.fields.extend(fields);
        Ok(())
    }
}

fn reference(kind: RecordKind, id: u64) -> Result<RecordRef, Refusal> {
    let id = RecordId::new(id.to_string()).map_err(|_| Refusal::NoAnswer)?;
    Ok(RecordRef { kind, id })
}

/// The fields of every object.
pub(super) const FIELDS: [&str; 3] = ["title", "stage", "owner"];
