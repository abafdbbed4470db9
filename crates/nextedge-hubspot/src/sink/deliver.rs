//! `deliver`: parties for the whole batch, then records, files and mails in the order of each run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nextedge_core::sink::{Delivery, ItemEnd, ItemOutcome, PartyWrite, RecordWrite};
use nextedge_core::{
    CallContext, Effect, EffectVerb, Guarantee, Reach, RecordId, RecordRef, Result, Slot,
};
use nextedge_http::Applied;

use super::HubSpotSink;
use super::write::{Batch, Input, Made, Verb, write_all};
use crate::error::Fault;
use crate::schema::Profile;
use crate::wire::ObjectType;

/// Delivers a batch. Reads come first and may fail as a whole; after the first write every fault
/// belongs to an item.
pub(super) async fn deliver(
    sink: &HubSpotSink,
    cx: &CallContext,
    batch: &[Delivery],
) -> Result<Vec<ItemOutcome>> {
    let profile = sink.profile(cx).await?;
    let mut job = Job::new(sink, cx, profile, batch);
    job.look_up().await.map_err(|fault| fault.to_error())?;
    job.companies().await;
    job.contacts().await;
    job.link_parties().await;
    job.fill_parties().await;
    loop {
        job.records().await;
        let ready = job.next_mails();
        if ready.is_empty() {
            break;
        }
        job.files(&ready).await;
        job.mails(&ready).await;
    }
    if job.drifted {
        sink.forget_profile(cx).await;
    }
    Ok(job.finish())
}

/// One batch on its way.
pub(super) struct Job<'a> {
    pub(super) sink: &'a HubSpotSink,
    pub(super) cx: &'a CallContext,
    pub(super) profile: Arc<Profile>,
    pub(super) batch: &'a [Delivery],
    pub(super) items: Vec<Item>,
    /// Files of this batch by the hash of their content.
    pub(super) uploaded: BTreeMap<String, RecordId>,
    /// Why nothing more may be sent.
    pub(super) halt: Option<Fault>,
    /// HubSpot refused a property that the profile allows.
    drifted: bool,
}

/// One delivery on its way.
#[derive(Default)]
pub(super) struct Item {
    /// The number of its run.
    run: usize,
    pub(super) company: Option<RecordId>,
    pub(super) contact: Option<RecordId>,
    pub(super) record: Progress,
    /// Ids of uploaded files, in order.
    pub(super) files: Vec<String>,
    /// Facts for the activity's effect.
    pub(super) notes: Vec<String>,
    /// Merged targets were looked for.
    pub(super) followed: bool,
    pub(super) effects: Vec<Effect>,
    pub(super) end: Option<ItemEnd>,
}

/// How far the record of an item is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Progress {
    /// Still to be created, updated or taken from an earlier item.
    #[default]
    Open,
    /// Done, with the record that the mail is linked to besides the parties.
    Settled(Option<RecordRef>),
}

impl<'a> Job<'a> {
    fn new(
        sink: &'a HubSpotSink,
        cx: &'a CallContext,
        profile: Arc<Profile>,
        batch: &'a [Delivery],
    ) -> Self {
        let mut run = 0;
        let mut items = Vec::with_capacity(batch.len());
        for (index, delivery) in batch.iter().enumerate() {
            if index > 0 && batch[index - 1].thread != delivery.thread {
                run += 1;
            }
            items.push(Item::resumed(run, delivery));
        }
        Self {
            sink,
            cx,
            profile,
            batch,
            items,
            uploaded: BTreeMap::new(),
            halt: None,
            drifted: false,
        }
    }

    /// Tells whether an item can go on: neither it nor an earlier one of its run has failed.
    pub(super) fn is_live(&self, index: usize) -> bool {
        if self.halt.is_some() || self.items[index].end.is_some() {
            return false;
        }
        let run = self.items[index].run;
        let earlier = self.items[..index]
            .iter()
            .rev()
            .take_while(|item| item.run == run);
        earlier
            .into_iter()
            .all(|item| matches!(item.end, None | Some(ItemEnd::Done)))
    }

    /// Live items whose earlier ones are all done, in order.
    pub(super) fn heads(&self) -> Vec<usize> {
        let mut heads = Vec::new();
        let mut taken = None;
        for (index, item) in self.items.iter().enumerate() {
            if taken == Some(item.run) || matches!(item.end, Some(ItemEnd::Done)) {
                continue;
            }
            taken = Some(item.run);
            if self.is_live(index) {
                heads.push(index);
            }
        }
        heads
    }

    /// The mails of the next request: heads of the longest runs first, so that the last requests
    /// are full too.
    fn next_mails(&self) -> Vec<usize> {
        let mut heads = self.heads();
        heads.retain(|&index| self.items[index].record != Progress::Open);
        let rest = |index: usize| {
            let run = self.items[index].run;
            self.items[index..]
                .iter()
                .take_while(|item| item.run == run)
                .count()
        };
        heads.sort_by_key(|&index| (std::cmp::Reverse(rest(index)), index));
        let mut bytes = 0;
        let mut chosen = Vec::new();
        for index in heads {
            let activity = &self.batch[index].activity;
            bytes += activity.text.len() + activity.html.as_ref().map_or(0, String::len);
            let full =
                chosen.len() >= self.chunk_of(index) || bytes > self.sink.limits.request_bytes;
            if full && !chosen.is_empty() {
                break;
            }
            chosen.push(index);
        }
        chosen.sort_unstable();
        chosen
    }

    /// Most inputs of a request with this item: fewer once its outcome was unknown, so that a mail
    /// on which HubSpot fails is soon alone.
    fn chunk_of(&self, index: usize) -> usize {
        let all = self.sink.limits.request_items.max(1);
        if !self.batch[index].outcome_unknown {
            return all;
        }
        match self.cx.attempt() {
            0..=2 => all.min(20),
            3 => all.min(4),
            _ => 1,
        }
    }

    /// Sends inputs, each for one or more items; items share the fate of their input.
    pub(super) async fn write(
        &mut self,
        object: &ObjectType,
        verb: Verb,
        inputs: Vec<Input>,
        owners: &[Vec<usize>],
    ) -> Vec<Option<Written>> {
        if inputs.is_empty() || self.halt.is_some() {
            return vec![None; inputs.len()];
        }
        let all = owners.iter().flatten();
        let chunk = all.map(|&index| self.chunk_of(index)).min();
        let batch = Batch {
            object,
            verb,
            chunk: chunk.unwrap_or(1),
            splits: self.sink.limits.splits,
        };
        let answer = write_all(&self.sink.client, self.cx, &batch, &inputs).await;
        self.halt = answer.halt;
        let mut written = Vec::with_capacity(inputs.len());
        for (made, owners) in answer.made.into_iter().zip(owners) {
            written.push(match made {
                Made::Written(id) => Some(Written {
                    id,
                    verb: EffectVerb::Created,
                }),
                Made::Existed(id) => Some(Written {
                    id,
                    verb: EffectVerb::Adopted,
                }),
                Made::Failed(fault) | Made::Unknown(fault) => {
                    self.fail(owners, &fault);
                    None
                }
                Made::Untried => {
                    self.leave(owners);
                    None
                }
            });
        }
        written
    }

    /// Ends items with a fault.
    pub(super) fn fail(&mut self, owners: &[usize], fault: &Fault) {
        self.drifted |= fault.is_drift();
        for &index in owners {
            self.items[index].end.get_or_insert_with(|| end_of(fault));
        }
    }

    /// Ends items that were not sent, or were refused together with others that are to blame.
    fn leave(&mut self, owners: &[usize]) {
        if self.halt.is_none() {
            for &index in owners {
                self.items[index].end.get_or_insert(ItemEnd::NotAttempted);
            }
        }
    }

    /// Stops the batch because of a fault that concerns every later call.
    pub(super) fn stop(&mut self, fault: Fault) {
        self.halt.get_or_insert(fault);
    }

    /// Answers for every item: after the first of a run that is not done, nothing was attempted.
    fn finish(mut self) -> Vec<ItemOutcome> {
        self.blame_halt();
        let mut broken = BTreeSet::new();
        let mut outcomes = Vec::with_capacity(self.items.len());
        for item in self.items {
            let end = match item.end {
                _ if broken.contains(&item.run) => ItemEnd::NotAttempted,
                Some(end) => end,
                None => ItemEnd::NotAttempted,
            };
            if !matches!(end, ItemEnd::Done) {
                broken.insert(item.run);
            }
            outcomes.push(ItemOutcome {
                effects: item.effects,
                end,
            });
        }
        outcomes
    }

    /// Gives the fault that stopped the batch to one item, so that the engine can set its gate; one
    /// without effects where there is one, because that costs no attempt.
    fn blame_halt(&mut self) {
        let Some(fault) = self.halt.take() else {
            return;
        };
        if fault.reach == Reach::Item && self.items.iter().any(is_answered) {
            // The fault stands with the items it met, or the time was up: the rest just waits.
            return;
        }
        let heads: Vec<usize> = self.heads();
        let free = heads
            .iter()
            .copied()
            .find(|&index| self.items[index].effects.is_empty());
        if let Some(index) = free.or_else(|| heads.first().copied()) {
            // Nothing of this item was on its way: only its turn was prevented.
            self.items[index].end = Some(ItemEnd::Failed(fault.to_error()));
        }
    }

    pub(super) fn push(&mut self, index: usize, effect: Effect) {
        self.items[index].effects.push(effect);
    }

    pub(super) fn was_done(&self, index: usize, slot: &Slot) -> bool {
        self.batch[index]
            .done
            .iter()
            .any(|effect| effect.slot == *slot)
    }

    pub(super) fn guarantee(&self, object: &ObjectType) -> Guarantee {
        match object {
            // HubSpot itself refuses a second contact with one address.
            ObjectType::Contact => Guarantee::Keyed,
            object if self.profile.is_keyed(object) => Guarantee::Keyed,
            _ => Guarantee::LookedUp,
        }
    }
}

/// A record that an input ended in.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) id: RecordId,
    pub(super) verb: EffectVerb,
}

impl Item {
    /// Takes up what earlier attempts achieved.
    fn resumed(run: usize, delivery: &Delivery) -> Self {
        let done = |slot: Slot| {
            let effect = delivery.done.iter().find(|effect| effect.slot == slot);
            effect.map(|effect| effect.record.clone())
        };
        let known = |party: &PartyWrite| match party {
            PartyWrite::Known { record, .. } => Some(record.id.clone()),
            PartyWrite::Create { .. } => None,
        };
        let company = delivery.company.as_ref().and_then(known);
        let contact = known(&delivery.contact);
        let record = match &delivery.record {
            RecordWrite::ContactOnly => Progress::Settled(None),
            RecordWrite::Known { record, fields } if fields.is_empty() => {
                Progress::Settled(Some(record.clone()))
            }
            _ => done(Slot::Record).map_or(Progress::Open, |r| Progress::Settled(Some(r))),
        };
        Self {
            run,
            company: company.or_else(|| done(Slot::Company).map(|r| r.id)),
            contact: contact.or_else(|| done(Slot::Contact).map(|r| r.id)),
            record,
            end: done(Slot::Activity).map(|_| ItemEnd::Done),
            ..Self::default()
        }
    }
}

fn is_answered(item: &Item) -> bool {
    matches!(&item.end, Some(end) if !matches!(end, ItemEnd::NotAttempted))
}

fn end_of(fault: &Fault) -> ItemEnd {
    match fault.applied {
        Applied::Maybe => ItemEnd::Unknown(fault.to_error()),
        _ => ItemEnd::Failed(fault.to_error()),
    }
}
