//! Fills in what the CRM answered: picks the alternative that holds, and turns symbols into records.

use std::collections::BTreeMap;

use crate::domain::{
    Category, Draft, FieldName, FieldValue, Plan, RecordKind, RecordRef, ReviewReason, Timing,
    When, Write,
};
use crate::policy::{ClosedRecord, LatePolicy, RecordGone, SecondThread, ThreadPolicy};
use crate::sink::{FoundContact, FoundParty, PartyWrite, RecordState, RecordWrite};

/// What resolving must know beside the plan.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct ResolveInput<'a> {
    /// What the CRM knows about the sender.
    pub party: &'a FoundParty,
    /// The thread's record in this sink, with its present state.
    pub linked: Option<(&'a RecordRef, &'a RecordState)>,
    /// An earlier item of this run that creates the thread's record, by position in the batch.
    pub earlier: Option<usize>,
    /// The open record of another thread of this sender that we created in this sink.
    pub sibling: Option<&'a RecordRef>,
    /// The contact found was made by an earlier attempt at this delivery: its sender was unknown.
    pub own_contact: bool,
    /// Our key for a record that is created.
    pub record_key: &'a str,
    /// The policy.
    pub threads: &'a ThreadPolicy,
}

/// What a plan becomes.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums, clippy::large_enum_variant)] // the engine handles each, one at a time
pub enum Resolved {
    /// It is written.
    Write {
        /// The company behind the sender; none for free mail.
        company: Option<PartyWrite>,
        /// The person behind the sender.
        contact: PartyWrite,
        /// The record.
        record: RecordWrite,
    },
    /// A person decides.
    Review(ReviewReason),
}

/// Picks the first alternative that holds, and resolves company, contact and record.
///
/// A reason in [`Plan::accepted`] no longer asks: of several contacts or companies the first is
/// taken, a known sender is treated like an unknown one, a record that is gone is made anew.
pub fn resolve(plan: &Plan, input: &ResolveInput<'_>) -> Resolved {
    let asks_if_late = ReviewReason::Rule("late mail".to_owned());
    if plan.timing == Timing::Late
        && input.threads.late == LatePolicy::Review
        && !accepts(plan, &asks_if_late)
    {
        return Resolved::Review(asks_if_late);
    }
    let [first, more @ ..] = input.party.contacts.as_slice() else {
        return write(plan, input, None);
    };
    if !more.is_empty() && !accepts(plan, &ReviewReason::AmbiguousParty) {
        return Resolved::Review(ReviewReason::AmbiguousParty);
    }
    write(plan, input, Some(first))
}

fn accepts(plan: &Plan, reason: &ReviewReason) -> bool {
    plan.accepted.contains(reason)
}

fn write(plan: &Plan, input: &ResolveInput<'_>, known: Option<&FoundContact>) -> Resolved {
    let record = match record(plan, input, known) {
        Ok(record) => record,
        Err(reason) => return Resolved::Review(reason),
    };
    match company(plan, input.party, known) {
        Ok(company) => Resolved::Write {
            company,
            contact: contact(plan, known, plan.timing),
            record,
        },
        Err(reason) => Resolved::Review(reason),
    }
}

fn record(
    plan: &Plan,
    input: &ResolveInput<'_>,
    known: Option<&FoundContact>,
) -> Result<RecordWrite, ReviewReason> {
    if let Some(item) = input.earlier {
        return Ok(RecordWrite::Earlier { item });
    }
    if let Some((record, state)) = input.linked
        && let Some(joined) = join(plan, record, state, input)?
    {
        return Ok(joined);
    }
    if let Some(joined) = sibling(plan, input) {
        return Ok(joined);
    }
    let when = match known {
        Some(_) if !input.own_contact => When::PartyKnown,
        Some(_) | None => When::PartyUnknown,
    };
    let mut way = alternative(plan, when);
    if let Some(Write::Review(reason)) = way
        && accepts(plan, reason)
    {
        way = alternative(plan, When::PartyUnknown);
    }
    match way {
        Some(Write::Create(draft)) => Ok(create(draft, input)),
        Some(Write::ContactOnly) => Ok(RecordWrite::ContactOnly),
        Some(Write::Review(reason)) => Err(reason.clone()),
        // A mail of our own side whose thread lost its record: nothing says what to create.
        Some(Write::Join { .. }) | None => Err(ReviewReason::RecordGone),
    }
}

/// Resolves a linked record; none if the policy wants a new one.
fn join(
    plan: &Plan,
    record: &RecordRef,
    state: &RecordState,
    input: &ResolveInput<'_>,
) -> Result<Option<RecordWrite>, ReviewReason> {
    let known = |record: &RecordRef, fields| {
        if record.kind == RecordKind::Contact {
            RecordWrite::ContactOnly
        } else {
            RecordWrite::Known {
                record: record.clone(),
                fields,
            }
        }
    };
    let fields = || match (plan.timing, alternative(plan, When::ThreadLinked)) {
        (Timing::InOrder, Some(Write::Join { fields })) => fields.clone(),
        _ => BTreeMap::new(),
    };
    match state {
        RecordState::Open => Ok(Some(known(record, fields()))),
        RecordState::MergedInto(other) => Ok(Some(known(other, fields()))),
        RecordState::Closed => match input.threads.closed_record {
            ClosedRecord::Join => Ok(Some(known(record, fields()))),
            ClosedRecord::NewRecord if plan.timing == Timing::InOrder => Ok(None),
            ClosedRecord::JoinQuietly | ClosedRecord::NewRecord => {
                Ok(Some(known(record, BTreeMap::new())))
            }
        },
        RecordState::Gone if accepts(plan, &ReviewReason::RecordGone) => Ok(None),
        RecordState::Gone => match (input.threads.record_gone, plan.timing) {
            (RecordGone::NewRecord, Timing::InOrder) => Ok(None),
            (RecordGone::NewRecord | RecordGone::Review, _) => Err(ReviewReason::RecordGone),
        },
    }
}

fn create(draft: &Draft, input: &ResolveInput<'_>) -> RecordWrite {
    RecordWrite::Create {
        key: input.record_key.to_owned(),
        draft: draft.clone(),
    }
}

/// The sender's open lead of another thread, which a second enquiry joins: the sender is known to
/// the CRM only because of it, so the way for known parties does not apply.
fn sibling(plan: &Plan, input: &ResolveInput<'_>) -> Option<RecordWrite> {
    let record = input
        .sibling
        .filter(|record| record.kind == RecordKind::Lead)?;
    let joins = input.threads.second_thread == SecondThread::Activity;
    (joins && plan.category == Category::Lead).then(|| RecordWrite::Known {
        record: record.clone(),
        fields: BTreeMap::new(),
    })
}

fn alternative(plan: &Plan, when: When) -> Option<&Write> {
    let mut fitting = plan.alternatives.iter().filter(|way| way.when == when);
    fitting.next().map(|way| &way.write)
}

fn contact(plan: &Plan, known: Option<&FoundContact>, timing: Timing) -> PartyWrite {
    match known {
        Some(known) => PartyWrite::Known {
            record: known.record.clone(),
            fill: match timing {
                Timing::InOrder => only_empty(&plan.contact.fields, &known.fields),
                Timing::Late => BTreeMap::new(),
            },
        },
        None => PartyWrite::Create {
            key: plan.sender.address.as_str().to_owned(),
            draft: plan.contact.clone(),
        },
    }
}

/// Keeps what the CRM does not have: existing values are never overwritten.
fn only_empty(
    planned: &BTreeMap<FieldName, FieldValue>,
    present: &BTreeMap<FieldName, FieldValue>,
) -> BTreeMap<FieldName, FieldValue> {
    let is_empty = |name: &FieldName| match present.get(name) {
        None => true,
        Some(FieldValue::Text(text)) => text.trim().is_empty(),
        Some(_) => false,
    };
    let empty = planned.iter().filter(|(name, _)| is_empty(name));
    empty
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn company(
    plan: &Plan,
    party: &FoundParty,
    known: Option<&FoundContact>,
) -> Result<Option<PartyWrite>, ReviewReason> {
    let as_known = |record: &RecordRef| PartyWrite::Known {
        record: record.clone(),
        fill: BTreeMap::new(),
    };
    if let Some(record) = known.and_then(|known| known.company.as_ref()) {
        return Ok(Some(as_known(record)));
    }
    let domain = plan.sender.address.domain();
    let Some(draft) = plan.company.as_ref().filter(|_| !domain.is_free_mail()) else {
        return Ok(None);
    };
    match party.companies.as_slice() {
        [] => Ok(Some(PartyWrite::Create {
            key: domain.registrable().as_str().to_owned(),
            draft: draft.clone(),
        })),
        [one] => Ok(Some(as_known(one))),
        [first, ..] if accepts(plan, &ReviewReason::AmbiguousParty) => Ok(Some(as_known(first))),
        _ => Err(ReviewReason::AmbiguousParty),
    }
}
