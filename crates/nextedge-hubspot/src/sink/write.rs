//! Sends many writes in few requests and says of each what became of it.
//!
//! HubSpot answers a batch as a whole, in part, in another order, or not at all. This is the one
//! place that reads those answers back to the inputs: by trace id, by unique property, and, where a
//! refusal names no input, by halving.

use std::collections::VecDeque;

use nextedge_core::{CallContext, MessageUid, RecordId};
use nextedge_http::Applied;

use crate::client::{BatchAnswer, HubSpotClient, Repeat, WriteNotes};
use crate::error::Fault;
use crate::wire::ObjectType;
use crate::wire::answers::Row;
use crate::wire::associations::Association;
use crate::wire::objects::{
    BatchCreate, BatchRead, BatchUpdate, CreateInput, Properties, UpdateInput,
};

/// One record to create or update.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) properties: Properties,
    pub(crate) associations: Vec<Association>,
    /// What identifies it: the value of the batch's unique property, or the id to update.
    pub(crate) identity: Option<String>,
    /// The message it is for, for the audit.
    pub(crate) message: MessageUid,
}

/// What all inputs have in common.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) object: &'a ObjectType,
    pub(crate) verb: Verb,
    /// Most inputs in one request.
    pub(crate) chunk: usize,
    /// How often a refusal that names no input is halved.
    pub(crate) splits: u32,
}

/// Whether records are made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Create; the property is unique, so a duplicate is refused and can be adopted.
    CreateUnique(&'static str),
    /// Create; nothing keeps a repeat from making a second record.
    Create,
    /// Update by record id.
    Update,
}

/// What became of one input.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// Written by this call.
    Written(RecordId),
    /// It existed under the unique property; nothing was written.
    Existed(RecordId),
    /// Certainly not written.
    Failed(Fault),
    /// Sent, and nobody knows.
    Unknown(Fault),
    /// Not sent, or refused together with others that are to blame.
    Untried,
}

/// What became of each input, and why the rest was not sent.
#[derive(Debug)]
pub(crate) struct MadeAll {
    pub(crate) made: Vec<Made>,
    pub(crate) halt: Option<Fault>,
}

/// Writes all inputs, in order, until all are answered or HubSpot can take no more.
pub(crate) async fn write_all(
    client: &HubSpotClient,
    cx: &CallContext,
    batch: &Batch<'_>,
    inputs: &[Input],
) -> MadeAll {
    let mut writer = Writer {
        client,
        cx,
        batch,
        inputs,
        made: vec![Made::Untried; inputs.len()],
        queue: VecDeque::new(),
    };
    let all: Vec<usize> = (0..inputs.len()).collect();
    writer
        .queue
        .extend(all.chunks(batch.chunk.max(1)).map(|part| Part {
            inputs: part.to_vec(),
            splits: batch.splits,
            adoption: Adoption::Untried,
        }));
    let mut halt = None;
    while let Some(part) = writer.queue.pop_front() {
        halt = writer.write(part).await;
        if halt.is_some() {
            break;
        }
    }
    MadeAll {
        made: writer.made,
        halt,
    }
}

struct Writer<'a> {
    client: &'a HubSpotClient,
    cx: &'a CallContext,
    batch: &'a Batch<'a>,
    inputs: &'a [Input],
    made: Vec<Made>,
    queue: VecDeque<Part>,
}

/// The inputs of one request.
struct Part {
    inputs: Vec<usize>,
    splits: u32,
    adoption: Adoption,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Adoption {
    Untried,
    Tried,
}

impl Writer<'_> {
    /// Sends one part; returns the fault after which nothing more may be sent.
    async fn write(&mut self, part: Part) -> Option<Fault> {
        let answer = self
            .send(&part)
            .await
            .map_err(|fault| match fault.is_refusal() {
                // The last word on a write that was repeated because its first answer was lost: what
                // the first one made is found under the unique property.
                true => fault.not_applied(),
                false => fault,
            });
        match answer {
            Ok(answer) => self.settle(part, answer).await,
            Err(fault) if fault.applied == Applied::Maybe => {
                self.mark(&part.inputs, || Made::Unknown(fault.clone()));
                fault.halts().then_some(fault)
            }
            Err(fault) if fault.halts() => Some(fault),
            Err(fault) if fault.is_conflict() => self.adopt(part, fault).await,
            Err(fault) if fault.is_about_content() => {
                self.halve(&part, fault);
                None
            }
            Err(fault) => {
                self.mark(&part.inputs, || Made::Failed(fault.clone()));
                None
            }
        }
    }

    async fn send(&self, part: &Part) -> Result<BatchAnswer, Fault> {
        let (object, inputs) = (self.batch.object, &part.inputs);
        let messages = inputs
            .iter()
            .map(|&input| self.inputs[input].message)
            .collect();
        if self.batch.verb == Verb::Update {
            let body = BatchUpdate {
                inputs: inputs.iter().map(|&input| self.update(input)).collect(),
            };
            return self
                .client
                .batch_update(self.cx, object, &body, messages)
                .await;
        }
        let body = BatchCreate {
            inputs: inputs.iter().map(|&input| self.create(input)).collect(),
        };
        let repeat = match self.batch.verb {
            Verb::CreateUnique(_) => Repeat::Harmless,
            Verb::Create | Verb::Update => Repeat::Doubles,
        };
        let notes = WriteNotes { messages, repeat };
        self.client
            .batch_create(self.cx, object, &body, &notes)
            .await
    }

    fn create(&self, input: usize) -> CreateInput<'_> {
        CreateInput {
            object_write_trace_id: trace(input),
            properties: &self.inputs[input].properties,
            associations: &self.inputs[input].associations,
        }
    }

    fn update(&self, input: usize) -> UpdateInput<'_> {
        UpdateInput {
            object_write_trace_id: trace(input),
            id: self.inputs[input].identity.as_deref().unwrap_or_default(),
            properties: &self.inputs[input].properties,
        }
    }

    /// Reads a complete or mixed answer back to its inputs.
    async fn settle(&mut self, part: Part, answer: BatchAnswer) -> Option<Fault> {
        let mut open = part.inputs.clone();
        for row in &answer.rows {
            let Some(place) = self.place(row, &open) else {
                continue;
            };
            let input = open.remove(place);
            self.made[input] = match RecordId::new(&row.id) {
                Ok(id) => Made::Written(id),
                Err(_) => Made::Unknown(Fault::unreadable("hubspot.batch")),
            };
        }
        let mut conflicts = Vec::new();
        let mut unnamed = Vec::new();
        for refused in answer.refused {
            let named = |input: &usize| refused.traces.contains(&trace(*input));
            let inputs: Vec<usize> = open.iter().copied().filter(named).collect();
            open.retain(|input| !inputs.contains(input));
            match (inputs.is_empty(), refused.fault.is_conflict()) {
                (true, _) => unnamed.push(refused.fault),
                (false, true) => conflicts.push((inputs, refused.fault)),
                (false, false) => self.mark(&inputs, || Made::Failed(refused.fault.clone())),
            }
        }
        self.settle_unnamed(&part, open, unnamed);
        let (inputs, faults): (Vec<_>, Vec<_>) = conflicts.into_iter().unzip();
        let fault = faults.into_iter().next()?;
        let inputs = inputs.concat();
        self.adopt(Part { inputs, ..part }, fault).await
    }

    /// Deals with inputs that the answer neither confirms nor refuses by name.
    fn settle_unnamed(&mut self, part: &Part, open: Vec<usize>, unnamed: Vec<Fault>) {
        match unnamed.into_iter().next() {
            None => {
                let fault = Fault::unreadable("hubspot.batch");
                self.mark(&open, || Made::Unknown(fault.clone()));
            }
            Some(fault) => {
                let rest = Part {
                    inputs: open,
                    splits: part.splits,
                    adoption: part.adoption,
                };
                self.halve(&rest, fault);
            }
        }
    }

    /// Finds the input that a row answers: by trace id, unique value, or what was sent.
    fn place(&self, row: &Row, open: &[usize]) -> Option<usize> {
        if let Some(wanted) = &row.trace {
            return open.iter().position(|&input| trace(input) == *wanted);
        }
        let identity = |input: usize| self.inputs[input].identity.as_deref();
        let same = |value: &str, input: usize| {
            identity(input).is_some_and(|own| own.eq_ignore_ascii_case(value))
        };
        match self.batch.verb {
            Verb::Update => open.iter().position(|&input| same(&row.id, input)),
            Verb::CreateUnique(property) => {
                let value = row.property(property)?;
                open.iter().position(|&input| same(value, input))
            }
            Verb::Create => open.iter().position(|&input| {
                let sent = &self.inputs[input].properties;
                sent.iter()
                    .all(|(name, value)| row.properties.get(name).is_none_or(|v| v == value))
            }),
        }
    }

    /// Takes over records that exist already under the unique property; sends the rest once more.
    async fn adopt(&mut self, part: Part, fault: Fault) -> Option<Fault> {
        let Verb::CreateUnique(property) = self.batch.verb else {
            self.halve(&part, fault);
            return None;
        };
        if part.adoption == Adoption::Tried {
            self.halve(&part, fault);
            return None;
        }
        let identity = |&input: &usize| self.inputs[input].identity.clone();
        let values: Vec<String> = part.inputs.iter().filter_map(identity).collect();
        let wanted = [property, ADDITIONAL_EMAILS];
        let wanted = if property == "email" {
            &wanted[..]
        } else {
            &wanted[..1]
        };
        let body = BatchRead::by_property(property, wanted, &values);
        let rows = match self
            .client
            .batch_read(self.cx, self.batch.object, &body)
            .await
        {
            Ok(rows) => rows,
            Err(read) if read.halts() => return Some(read.not_applied()),
            Err(_) => {
                self.halve(&part, fault);
                return None;
            }
        };
        let mut rest = Vec::new();
        for &input in &part.inputs {
            let own = self.inputs[input].identity.as_deref().unwrap_or_default();
            let row = rows.iter().find(|row| answers_to(row, property, own));
            match row.and_then(|row| RecordId::new(&row.id).ok()) {
                Some(id) => self.made[input] = Made::Existed(id),
                None => rest.push(input),
            }
        }
        self.retry_rest(rest, &part, fault);
        None
    }

    /// Sends what a conflict did not explain; an input that was alone takes the id HubSpot names.
    fn retry_rest(&mut self, rest: Vec<usize>, part: &Part, fault: Fault) {
        match (part.inputs.as_slice(), &fault.existing) {
            _ if rest.is_empty() => {}
            // In a larger request the named id may be that of any input.
            ([input], Some(id)) => {
                let existed = RecordId::new(id).map(Made::Existed);
                self.made[*input] = existed.unwrap_or(Made::Failed(fault));
            }
            _ => self.queue.push_front(Part {
                inputs: rest,
                splits: part.splits,
                adoption: Adoption::Tried,
            }),
        }
    }

    /// Blames the only input, or sends both halves apart; after the last split the rest waits.
    fn halve(&mut self, part: &Part, fault: Fault) {
        match part.inputs.as_slice() {
            [] => {}
            [input] => self.made[*input] = Made::Failed(fault),
            _ if part.splits == 0 => {}
            inputs => {
                let (first, second) = inputs.split_at(inputs.len() / 2);
                for half in [second, first] {
                    self.queue.push_front(Part {
                        inputs: half.to_vec(),
                        splits: part.splits - 1,
                        adoption: part.adoption,
                    });
                }
            }
        }
    }

    fn mark(&mut self, inputs: &[usize], made: impl Fn() -> Made) {
        for &input in inputs {
            self.made[input] = made();
        }
    }
}

/// Tells whether a record has this unique value; a contact also answers to its other addresses.
pub(crate) fn answers_to(row: &Row, property: &str, value: &str) -> bool {
    let own = row.property(property);
    let others = row
        .property(ADDITIONAL_EMAILS)
        .filter(|_| property == "email");
    let others = others.into_iter().flat_map(|list| list.split(';'));
    own.into_iter()
        .chain(others)
        .any(|found| found.trim().eq_ignore_ascii_case(value))
}

/// The trace id of an input, unique in its request.
fn trace(input: usize) -> String {
    format!("i{input}")
}

/// Where a contact keeps its other addresses, divided by semicolons.
pub(crate) const ADDITIONAL_EMAILS: &str = "hs_additional_emails";
