//! From a decision to the unit that the store commits.

use super::read::{Read, ReadMail};
use super::tenant::TenantConfig;
use crate::classify::Classification;
use crate::clock::{Timestamp, later};
use crate::domain::{
    Basis, MessageUid, ParkReason, Plan, ReviewId, ReviewItem, ReviewReason, ReviewState, Timing,
    Versions,
};
use crate::error::Result;
use crate::stage::decide::{Decision, Intent};
use crate::stage::link::Linked;
use crate::stage::map::{PlanContext, plan};
use crate::stage::screen::Screened;
use crate::store::{DecisionRecord, ProcessedOutcome, ProcessedUnit, ThreadChange, Unit};

/// A decision with all it was made from.
pub(crate) struct Decided<'a> {
    pub(crate) mail: &'a ReadMail,
    pub(crate) read: &'a Read,
    pub(crate) linked: &'a Linked,
    pub(crate) decision: Decision,
    pub(crate) answer: Option<&'a Classification>,
    pub(crate) change: ThreadChange,
    /// A later mail of the thread was applied already: this one joins and changes nothing.
    pub(crate) late: bool,
    /// The open review item of the thread it joins.
    pub(crate) review: Option<ReviewId>,
    pub(crate) now: Timestamp,
}

/// Keeps a mail that exceeds a safety limit; its raw bytes stay in the archive.
pub(crate) fn quarantined_unit(message: MessageUid, limit: &str) -> Unit {
    Unit::Park {
        message,
        reason: ParkReason::Quarantined(limit.to_owned()),
    }
}

/// Keeps a mail in which no person speaks to us.
pub(crate) fn parked_unit(
    config: &TenantConfig,
    mail: &ReadMail,
    read: &Read,
    reason: &ParkReason,
    now: Timestamp,
) -> Unit {
    let mut decision = record(config, read, now);
    decision.reason = reason.to_string();
    decision.evidence = evidence(&read.screened);
    Unit::Processed(Box::new(ProcessedUnit {
        message: mail.message,
        fingerprint: read.fingerprint,
        decision,
        thread: None,
        outcome: ProcessedOutcome::Park(reason.clone()),
    }))
}

/// Turns a decision into its unit: plans for every sink, a review item, or a parked mail.
pub(crate) fn decided_unit(config: &TenantConfig, decided: Decided<'_>) -> Result<Unit> {
    let Decided {
        mail,
        read,
        linked,
        decision,
        answer,
        change,
        late,
        review,
        now,
    } = decided;
    let mut row = record(config, read, now);
    row.thread = Some(change.thread.id);
    row.reason = decision.explanation().to_owned();
    row.evidence = link_evidence(linked);
    describe(&mut row, &decision, answer);
    let outcome = match decision {
        Decision::Park { reason, .. } => ProcessedOutcome::Park(reason),
        Decision::Write(intent) => {
            let plans = plans(config, mail, read, &intent, &change, late)?;
            match (plans.is_empty(), review) {
                (true, _) => ProcessedOutcome::Park(ParkReason::NoSink),
                (false, Some(item)) => ProcessedOutcome::Join { item, plans },
                (false, None) => ProcessedOutcome::Deliver(plans),
            }
        }
        Decision::Review {
            reason,
            explanation,
            intent,
        } => {
            let plans = plans(config, mail, read, &intent, &change, late)?;
            match review {
                Some(item) => ProcessedOutcome::Join { item, plans },
                None => ProcessedOutcome::Review(ReviewItem {
                    id: ReviewId::opened_by(mail.message),
                    version: 1,
                    message: mail.message,
                    thread: change.thread.id,
                    waiting: vec![mail.message],
                    reason,
                    explanation,
                    subject: intent.subject.clone(),
                    category: intent.category,
                    confidence: intent.confidence,
                    plans,
                    state: ReviewState::Open,
                    opened_at: now,
                    expires_at: expiry(config, now),
                }),
            }
        }
    };
    Ok(Unit::Processed(Box::new(ProcessedUnit {
        message: mail.message,
        fingerprint: read.fingerprint,
        decision: row,
        thread: Some(change),
        outcome,
    })))
}

/// Renders one plan for each sink whose map takes the category.
pub(crate) fn plans(
    config: &TenantConfig,
    mail: &ReadMail,
    read: &Read,
    intent: &Intent,
    change: &ThreadChange,
    late: bool,
) -> Result<Vec<Plan>> {
    let mut plans = Vec::with_capacity(config.sinks.len());
    for sink in &config.sinks {
        let cx = PlanContext {
            connection: &sink.connection,
            message: mail.message,
            thread: change.thread.id,
            mail: &read.mail,
            mailbox: None,
            received_at: mail.received_at,
            policy: &config.policy,
            basis: Basis {
                thread_version: change.expected,
                versions: Versions {
                    policy: config.policy_version,
                    field_map: sink.map_version,
                },
            },
        };
        let Some(mut plan) = plan(intent, &sink.map, &cx)? else {
            continue;
        };
        if late {
            plan.timing = Timing::Late;
        }
        plans.push(plan);
    }
    Ok(plans)
}

fn record(config: &TenantConfig, read: &Read, now: Timestamp) -> DecisionRecord {
    let sender = read.voice().ok().map(|voice| voice.sender.address.clone());
    let from = || read.mail.from.as_ref().map(|from| from.address.clone());
    DecisionRecord {
        message_id: read.mail.message_id.clone(),
        subject: read.mail.subject.clone(),
        sender: sender.or_else(from),
        thread: None,
        category: None,
        confidence: None,
        urgency: None,
        priority: None,
        model: None,
        degraded: false,
        owner: None,
        reason: String::new(),
        evidence: Vec::new(),
        versions: Versions {
            policy: config.policy_version,
            field_map: config.sinks.first().map_or(0, |sink| sink.map_version),
        },
        decided_at: now,
    }
}

fn describe(row: &mut DecisionRecord, decision: &Decision, answer: Option<&Classification>) {
    if let Some(intent) = decision.intent() {
        row.category = Some(intent.category);
        row.confidence = answer.map(|_| intent.confidence);
        row.urgency = Some(intent.urgency);
        row.priority = Some(intent.priority);
        row.owner = intent.owner.as_ref().map(ToString::to_string);
    } else if let Some(answer) = answer {
        let (category, confidence) = answer.top();
        row.category = Some(category);
        row.confidence = Some(confidence);
        row.urgency = Some(answer.urgency);
    }
    row.model = answer.map(|answer| answer.model.clone());
    row.degraded = answer.is_some_and(|answer| answer.degraded);
}

fn evidence(screened: &Screened) -> Vec<String> {
    let facts = match screened {
        Screened::Machine(machine) => &machine.evidence,
        Screened::Filtered(filtered) => &filtered.evidence,
        Screened::Person(_) | Screened::Outbound(_) => return Vec::new(),
    };
    facts
        .iter()
        .map(|fact| format!("{}: {}", fact.place, fact.found))
        .collect()
}

fn link_evidence(linked: &Linked) -> Vec<String> {
    match linked {
        Linked::New { refused: None } => Vec::new(),
        Linked::New {
            refused: Some(thread),
        } => {
            vec![format!("unverified: does not join thread {thread}")]
        }
        Linked::Joins {
            evidence,
            score,
            margin,
            ..
        } => {
            let facts = evidence
                .iter()
                .map(|fact| format!("link {:?}: {}", fact.kind, fact.points));
            facts
                .chain([format!("link score {score}, margin {margin}")])
                .collect()
        }
        Linked::Ambiguous { candidates } => candidates
            .iter()
            .map(|(thread, score)| format!("thread {thread}: {score}"))
            .collect(),
    }
}

fn expiry(config: &TenantConfig, now: Timestamp) -> Timestamp {
    let days = u64::from(config.policy.review.expires_after_days);
    later(now, std::time::Duration::from_secs(days * 24 * 60 * 60))
}

/// The item of a plan that `deliver` cannot carry out without a person.
pub(crate) fn delivery_item(plan: &Plan, reason: ReviewReason, now: Timestamp) -> ReviewItem {
    let mut plan = plan.clone();
    // an approval is the person's answer to this question
    plan.accepted.push(reason.clone());
    ReviewItem {
        id: ReviewId::derive(&[
            b"delivery",
            plan.message.as_bytes(),
            plan.connection.as_str().as_bytes(),
        ]),
        version: 1,
        message: plan.message,
        thread: plan.thread,
        waiting: vec![plan.message],
        explanation: explain(&reason),
        reason,
        subject: plan.activity.subject.clone(),
        category: plan.category,
        confidence: plan.confidence,
        plans: vec![plan],
        state: ReviewState::Open,
        opened_at: now,
        expires_at: later(
            now,
            std::time::Duration::from_secs(DELIVERY_REVIEW_DAYS * 24 * 60 * 60),
        ),
    }
}

fn explain(reason: &ReviewReason) -> String {
    match reason {
        ReviewReason::AmbiguousParty => {
            "more than one contact or company fits; an approval takes the first".to_owned()
        }
        ReviewReason::Refused(field) => {
            format!("the CRM refused field {field}; correct the field map or the mail's data")
        }
        ReviewReason::RecordGone => {
            "the thread's record was deleted; an approval creates a new one".to_owned()
        }
        ReviewReason::KnownParty => {
            "the sender is already a contact; an approval writes the mail to its timeline"
                .to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// Days until an item that `deliver` opened expires.
const DELIVERY_REVIEW_DAYS: u64 = 30;
