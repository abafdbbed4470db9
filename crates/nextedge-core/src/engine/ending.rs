//! How a delivery ended: from a sink's answer to the unit that the store commits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::Entry;
use super::deps::Deps;
use super::fetch::{failed, next_attempt};
use super::unit::delivery_item;
use crate::clock::later;
use crate::domain::{
    Effect, EffectVerb, Guarantee, PartyKey, RecordKind, RecordRef, ReviewReason, Slot,
};
use crate::error::{Error, ErrorKind, Reach};
use crate::sink::{Delivery, ItemEnd, ItemOutcome, PartyWrite, RecordWrite};
use crate::store::{AfterDead, Claim, DeliveredEnd, DeliveredUnit, JobKind, KnownRecord, Unit};

/// Turns a sink's answer into a unit; none if the item goes back unburnt.
pub(super) fn outcome(
    deps: &Deps,
    claim: &Claim,
    settle: Duration,
    entry: &Entry<'_>,
    delivery: &Delivery,
    answer: ItemOutcome,
) -> Option<Unit> {
    let mut effects = answer.effects;
    let item = entry.item;
    if matches!(answer.end, ItemEnd::Done) {
        effects.extend(joined(delivery, &effects));
    }
    let end = match answer.end {
        ItemEnd::Done => DeliveredEnd::Done,
        ItemEnd::NotAttempted if effects.is_empty() => return None,
        ItemEnd::NotAttempted => {
            let error = Error::new(ErrorKind::Unavailable, "interrupted after some effects");
            DeliveredEnd::Retry {
                at: deps.clock.now(),
                error: error.report(),
            }
        }
        ItemEnd::Unknown(error) => {
            let at = later(deps.clock.now(), settle);
            let at = next_attempt(deps, item.message, item.attempt, &error)
                .unwrap_or(at)
                .max(at);
            if item.attempt as usize > deps.options.backoff.len() {
                DeliveredEnd::Dead {
                    error: error.report(),
                    after: entry.after(),
                }
            } else {
                DeliveredEnd::Unknown {
                    at,
                    error: error.report(),
                }
            }
        }
        // the gate spares the attempt, unless something was achieved that must be kept
        ItemEnd::Failed(error) if error.reach() != Reach::Item && effects.is_empty() => {
            return None;
        }
        ItemEnd::Failed(error) => failure(deps, claim, entry, &error),
    };
    Some(entry.unit(effects, end, Some(delivery)))
}

/// The record that a mail joined, where the sink had nothing to write to it.
fn joined(delivery: &Delivery, effects: &[Effect]) -> Option<Effect> {
    let RecordWrite::Known { record, .. } = &delivery.record else {
        return None;
    };
    let told = effects
        .iter()
        .chain(&delivery.done)
        .any(|effect| effect.slot == Slot::Record);
    (!told).then(|| Effect {
        slot: Slot::Record,
        record: record.clone(),
        verb: EffectVerb::Adopted,
        guarantee: Guarantee::Keyed,
        previous: BTreeMap::new(),
        notes: Vec::new(),
    })
}

fn failure(deps: &Deps, claim: &Claim, entry: &Entry<'_>, error: &Error) -> DeliveredEnd {
    if error.kind() == ErrorKind::Rejected
        && let Some(field) = error.context("field")
    {
        let reason = ReviewReason::Refused(field.to_owned());
        return DeliveredEnd::Review(delivery_item(entry.plan, reason, deps.clock.now()));
    }
    match failed(deps, claim, JobKind::Deliver, entry.item, error) {
        Unit::Retry { at, error, .. } => DeliveredEnd::Retry { at, error },
        _ => DeliveredEnd::Dead {
            error: error.report(),
            after: entry.after(),
        },
    }
}

impl Entry<'_> {
    /// A later mail may go on without this one only if the thread has its record.
    pub(super) fn after(&self) -> AfterDead {
        if self.record.is_some() {
            AfterDead::Continue
        } else {
            AfterDead::HoldLane
        }
    }

    /// The unit of an end; `sent` is none if nothing was sent.
    pub(super) fn unit(
        &self,
        effects: Vec<Effect>,
        end: DeliveredEnd,
        sent: Option<&Delivery>,
    ) -> Unit {
        let all: Vec<&Effect> = self.done.iter().chain(&effects).collect();
        let of = |slot: &Slot| {
            all.iter()
                .find(|e| e.slot == *slot)
                .map(|e| e.record.clone())
        };
        let contact = of(&Slot::Contact);
        let address = &self.plan.sender.address;
        let person = contact.clone().map(|record| KnownRecord {
            party: PartyKey::Address(address.clone()),
            record,
        });
        let company = of(&Slot::Company).map(|record| KnownRecord {
            party: PartyKey::Company(address.domain().registrable()),
            record,
        });
        // an answer in the batch of its thread's first mail has the record of that mail
        let sent = sent.filter(|_| matches!(end, DeliveredEnd::Done));
        let contact_only = sent
            .filter(|sent| sent.record == RecordWrite::ContactOnly)
            .and_then(|sent| contact.or_else(|| known_contact(sent)))
            .filter(|record| record.kind == RecordKind::Contact);
        Unit::Delivered(Box::new(DeliveredUnit {
            message: self.plan.message,
            thread: self.plan.thread,
            record: of(&Slot::Record).or_else(|| self.record.is_none().then_some(contact_only)?),
            parties: person.into_iter().chain(company).collect(),
            effects,
            end,
        }))
    }
}

/// The contact that the ledger or the CRM knew: nothing was written to it, so no effect tells of it.
fn known_contact(sent: &Delivery) -> Option<RecordRef> {
    match &sent.contact {
        PartyWrite::Known { record, .. } => Some(record.clone()),
        PartyWrite::Create { .. } => None,
    }
}
