//! The fake sink's `deliver`: item by item, part by part.

use std::collections::{BTreeMap, BTreeSet};

use nextedge_core::sink::{Delivery, ItemEnd, ItemOutcome, PartyWrite, RecordWrite};
use nextedge_core::{
    CallContext, Effect, EffectVerb, Error, ErrorKind, FieldName, FieldValue, Guarantee,
    RecordKind, RecordRef, Result, Slot, ThreadId,
};

use super::super::harness::SeenActivity;
use super::Defect;
use super::crm::{Answer, Ask};
use super::sink::{FakeSink, Missed};

pub(super) async fn deliver(
    sink: &FakeSink,
    cx: &CallContext,
    batch: &[Delivery],
) -> Result<Vec<ItemOutcome>> {
    if sink.has(Defect::CallsForNothing) && batch.is_empty() {
        let _ = sink.call(cx, Ask::Account).await;
    }
    if sink.has(Defect::WritesDetached) {
        return detached(sink, cx, batch).await;
    }
    whole(sink, cx, batch).await
}

/// What the defect does: the work goes on when the caller has left.
async fn detached(
    sink: &FakeSink,
    cx: &CallContext,
    batch: &[Delivery],
) -> Result<Vec<ItemOutcome>> {
    let (sink, cx, batch) = (sink.clone(), cx.clone(), batch.to_vec());
    let work = tokio::spawn(async move { whole(&sink, &cx, &batch).await });
    let lost = |_| Err(Error::new(ErrorKind::Unexpected, "the work broke off"));
    work.await.unwrap_or_else(lost)
}

async fn whole(sink: &FakeSink, cx: &CallContext, batch: &[Delivery]) -> Result<Vec<ItemOutcome>> {
    let mut outcomes: Vec<ItemOutcome> = Vec::new();
    let mut made: Vec<Option<RecordRef>> = Vec::new();
    let (mut broken, mut halted): (Option<ThreadId>, bool) = (None, false);
    for (index, delivery) in batch.iter().enumerate() {
        let runs_on = sink.has(Defect::RunsOn) || broken != Some(delivery.thread);
        if halted || !runs_on {
            outcomes.push(ItemOutcome::not_attempted());
            made.push(None);
            continue;
        }
        if sink.has(Defect::ReadsAllAgain) {
            for _ in 0..index * 2 {
                let _ = sink.call(cx, Ask::Account).await;
            }
        }
        let mut item = Item::new(sink, cx, delivery);
        let end = match item.write(&made).await {
            Ok(()) => ItemEnd::Done,
            Err(missed) => {
                broken = Some(delivery.thread);
                halted = missed.halts;
                if sink.has(Defect::LateWholeError) {
                    return Err(missed.error);
                }
                if sink.has(Defect::DropsEffects) {
                    item.effects.clear();
                }
                match missed.maybe {
                    true => ItemEnd::Unknown(missed.error),
                    false => ItemEnd::Failed(missed.error),
                }
            }
        };
        made.push(item.record.clone());
        outcomes.push(ItemOutcome {
            effects: item.effects,
            end,
        });
    }
    if sink.has(Defect::ReversesOutcomes) {
        outcomes.reverse();
    }
    Ok(outcomes)
}

/// One delivery on its way.
struct Item<'a> {
    sink: &'a FakeSink,
    cx: &'a CallContext,
    delivery: &'a Delivery,
    on: BTreeSet<RecordRef>,
    record: Option<RecordRef>,
    effects: Vec<Effect>,
}

impl<'a> Item<'a> {
    fn new(sink: &'a FakeSink, cx: &'a CallContext, delivery: &'a Delivery) -> Self {
        Self {
            sink,
            cx,
            delivery,
            on: BTreeSet::new(),
            record: None,
            effects: Vec::new(),
        }
    }

    async fn write(&mut self, made: &[Option<RecordRef>]) -> Result<(), Missed> {
        if let Some(company) = &self.delivery.company {
            self.party(Slot::Company, company).await?;
        }
        self.party(Slot::Contact, &self.delivery.contact).await?;
        self.write_record(made).await?;
        let files = self.files().await?;
        self.log(files).await
    }

    fn done(&self, slot: &Slot) -> Option<RecordRef> {
        if self.sink.has(Defect::RepeatsDone) {
            return None;
        }
        let effect = self
            .delivery
            .done
            .iter()
            .find(|effect| effect.slot == *slot);
        effect.map(|effect| effect.record.clone())
    }

    async fn party(&mut self, slot: Slot, party: &PartyWrite) -> Result<(), Missed> {
        if let Some(record) = self.done(&slot) {
            self.on.insert(record);
            return Ok(());
        }
        match party {
            PartyWrite::Known { record, fill } => {
                let mut fill = texts(fill);
                if self.sink.has(Defect::FillsMore) {
                    fill.insert("owner".to_owned(), "sink".to_owned());
                }
                if !fill.is_empty() {
                    self.update(slot, record.clone(), fill).await?;
                }
                self.on.insert(record.clone());
            }
            PartyWrite::Create { key, draft } => {
                let known = self.sink.memory.contact(key);
                if let Some(record) = known.filter(|_| self.sink.has(Defect::SharesCache)) {
                    self.on.insert(record);
                    return Ok(());
                }
                let own = !self.sink.has(Defect::PartyForEachItem);
                let create = Ask::Create {
                    kind: draft.kind.clone(),
                    key: own.then(|| key.clone()),
                    fields: texts(&draft.fields),
                };
                let (record, verb) = self.make(create).await?;
                if verb == EffectVerb::Adopted && self.sink.has(Defect::FailsOnDuplicate) {
                    return Err(refused(ErrorKind::Conflict, "the contact exists"));
                }
                self.sink.memory.remember(key, &record);
                self.push(slot, record.clone(), verb);
                self.on.insert(record);
            }
        }
        Ok(())
    }

    async fn write_record(&mut self, made: &[Option<RecordRef>]) -> Result<(), Missed> {
        let record = match &self.delivery.record {
            RecordWrite::ContactOnly => return Ok(()),
            RecordWrite::Known { record, fields } => {
                let mut fields = texts(fields);
                if self.sink.has(Defect::OverwritesStage) {
                    fields.insert("stage".to_owned(), "reopened".to_owned());
                }
                if !fields.is_empty() && self.done(&Slot::Record).is_none() {
                    self.update(Slot::Record, record.clone(), fields).await?;
                }
                Some(record.clone())
            }
            RecordWrite::Earlier { .. } if self.sink.has(Defect::ForgetsEarlier) => None,
            RecordWrite::Earlier { item } => made.get(*item).cloned().flatten(),
            RecordWrite::Create { key, draft } => match self.done(&Slot::Record) {
                Some(record) => Some(record),
                None => {
                    let kind = match self.sink.has(Defect::OneKindForAll) {
                        true => RecordKind::Case,
                        false => draft.kind.clone(),
                    };
                    let create = Ask::Create {
                        kind,
                        key: Some(self.key(key)),
                        fields: texts(&draft.fields),
                    };
                    let (record, _) = self.make(create).await?;
                    self.push(Slot::Record, record.clone(), EffectVerb::Created);
                    Some(record)
                }
            },
        };
        self.on.extend(record.clone());
        self.record = record;
        Ok(())
    }

    async fn update(
        &mut self,
        slot: Slot,
        record: RecordRef,
        fields: BTreeMap<String, String>,
    ) -> Result<(), Missed> {
        let read = Ask::Read {
            record: record.clone(),
        };
        let before = match self.sink.call(self.cx, read).await? {
            Answer::Found(seen) => seen.fields,
            _ => BTreeMap::new(),
        };
        let previous = fields.keys().map(|name| {
            let value = before.get(name).cloned().unwrap_or_default();
            (FieldName::new(name), FieldValue::Text(value))
        });
        let previous: BTreeMap<_, _> = previous.collect();
        let update = Ask::Update {
            record: record.clone(),
            fields,
        };
        self.sink.call(self.cx, update).await?;
        self.push(slot, record, EffectVerb::Updated);
        if let Some(effect) = self
            .effects
            .last_mut()
            .filter(|_| !self.sink.has(Defect::ForgetsPrevious))
        {
            effect.previous = previous;
        }
        Ok(())
    }

    async fn files(&mut self) -> Result<Vec<String>, Missed> {
        let mut ids = Vec::new();
        for (slot, file) in (0..).map(Slot::Attachment).zip(&self.delivery.attachments) {
            if let Some(record) = self.done(&slot) {
                ids.push(record.id.to_string());
                continue;
            }
            let cut = usize::from(self.sink.has(Defect::CutsAttachments));
            let again = self.sink.has(Defect::StoresFilesAgain);
            let upload = Ask::Upload {
                key: (!again).then(|| file.sha256.clone()),
                name: file.name.clone(),
                bytes: file.bytes.slice(..file.bytes.len().saturating_sub(cut)),
            };
            let (record, verb) = self.make(upload).await?;
            ids.push(record.id.to_string());
            self.push(slot, record, verb);
        }
        Ok(ids)
    }

    async fn log(&mut self, files: Vec<String>) -> Result<(), Missed> {
        if self.done(&Slot::Activity).is_some() {
            return Ok(());
        }
        let activity = &self.delivery.activity;
        let cut = self.sink.has(Defect::CutsBodies);
        let text: String = match cut {
            true => activity.text.chars().take(1000).collect(),
            false => activity.text.clone(),
        };
        let sent_at = match self.sink.has(Defect::DatesMailNow) {
            true => self.cx.now(),
            false => activity.draft.sent_at,
        };
        let on = match self.sink.has(Defect::LeavesMailUnlinked) {
            true => BTreeSet::new(),
            false => self.on.clone(),
        };
        let key = match &activity.draft.message_id {
            Some(id) if self.sink.has(Defect::MergesByMessageId) => id.clone(),
            _ => self.key(&self.delivery.key),
        };
        let log = Ask::Log {
            key: Some(key),
            activity: SeenActivity {
                id: String::new(),
                subject: activity.draft.subject.clone(),
                text,
                sent_at,
                on,
                files,
            },
        };
        let (record, _) = self.make(log).await?;
        self.push(Slot::Activity, record, EffectVerb::Created);
        Ok(())
    }

    async fn make(&self, ask: Ask) -> Result<(RecordRef, EffectVerb), Missed> {
        match self.sink.call(self.cx, ask).await? {
            Answer::Made(record) => Ok((record, EffectVerb::Created)),
            Answer::Existed(record) => Ok((record, EffectVerb::Adopted)),
            _ => Err(refused(ErrorKind::Unexpected, "the answer names no record")),
        }
    }

    fn key(&self, key: &str) -> String {
        match self.sink.has(Defect::MakesNewKeys) {
            true => format!("{key}-{}", self.sink.memory.next_key()),
            false => key.to_owned(),
        }
    }

    fn push(&mut self, slot: Slot, record: RecordRef, verb: EffectVerb) {
        self.effects.push(Effect {
            slot,
            record,
            verb,
            guarantee: Guarantee::Keyed,
            previous: BTreeMap::new(),
            notes: Vec::new(),
        });
    }
}

fn refused(kind: ErrorKind, message: &'static str) -> Missed {
    Missed {
        error: Error::new(kind, message),
        maybe: false,
        halts: false,
    }
}

fn texts(fields: &BTreeMap<FieldName, FieldValue>) -> BTreeMap<String, String> {
    let text = |(name, value): (&FieldName, &FieldValue)| {
        let value = match value {
            FieldValue::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        (name.to_string(), value)
    };
    fields.iter().map(text).collect()
}
