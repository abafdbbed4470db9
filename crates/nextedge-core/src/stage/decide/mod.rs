//! Write, review or park: the rules in one place, each with its reason in words.
//!
//! In order: our own mail, rules that park, senders that cannot be trusted, text that addresses an
//! assistant, rules that ask a person, ambiguous threads, linked threads, then the category.

mod intent;
mod rules;
mod suspicious;

use serde::{Deserialize, Serialize};

pub use self::intent::Intent;
use self::intent::{intent, proposal};
use self::rules::RuleFacts;
pub use self::suspicious::addresses_an_assistant;
pub(in crate::stage) use self::suspicious::{CUES as ASSISTANT_CUES, MARKS as ASSISTANT_MARKS};
use super::assign::AssignInputs;
use super::authenticity::{Authenticity, Verdict};
use super::text::Folded;
use crate::classify::Classification;
use crate::clock::Timestamp;
use crate::domain::{Category, Confidence, Direction, Mailer, ParkReason, ReviewReason};
use crate::mail::Mail;
use crate::policy::{Policy, Treatment};

/// What a decision is made from.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct DecideInput<'a> {
    /// The tenant's policy.
    pub policy: &'a Policy,
    /// The mail.
    pub mail: &'a Mail,
    /// The correspondent: who wrote it, as screening found; of our own mail, the first recipient of
    /// the other side.
    pub sender: &'a Mailer,
    /// The subject, as screening found.
    pub subject: &'a str,
    /// What the sender wrote, as screening found.
    pub text: &'a str,
    /// Received, or sent by our own side.
    pub direction: Direction,
    /// Whether the sender is who the mail says.
    pub authenticity: Authenticity,
    /// What linking found.
    pub thread: ThreadState,
    /// The classifier's answer; none if no classifier answered.
    pub classification: Option<&'a Classification>,
    /// Labels and folders that the source put on the mail.
    pub labels: &'a [String],
    /// When the mail was received.
    pub received_at: Timestamp,
    /// The store's counter, and our open deliveries by owner.
    pub assign: AssignInputs<'a>,
}

/// How the mail stands to the known threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the decision handles each
pub enum ThreadState {
    /// It founds a thread, or its thread has no record.
    Unlinked,
    /// Its thread has a record, opened for this category.
    Linked(Category),
    /// More than one thread fits.
    Ambiguous,
}

/// What happens to a mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, clippy::large_enum_variant)] // the engine handles each, one at a time
pub enum Decision {
    /// It is written.
    Write(Intent),
    /// A person decides about this intent.
    Review {
        /// Why a person is asked.
        reason: ReviewReason,
        /// The reason in words.
        explanation: String,
        /// What an approval writes.
        intent: Intent,
    },
    /// It is kept and not written.
    Park {
        /// Why.
        reason: ParkReason,
        /// The reason in words.
        explanation: String,
    },
}

impl Decision {
    /// Returns the reason in words.
    pub fn explanation(&self) -> &str {
        match self {
            Self::Write(intent) => &intent.reason,
            Self::Review { explanation, .. } | Self::Park { explanation, .. } => explanation,
        }
    }

    /// Returns what is written now or after an approval.
    pub fn intent(&self) -> Option<&Intent> {
        match self {
            Self::Write(intent) | Self::Review { intent, .. } => Some(intent),
            Self::Park { .. } => None,
        }
    }
}

/// Decides about a mail of a person, or of our own side.
pub fn decide(input: &DecideInput<'_>) -> Decision {
    let text = Folded::of(input.subject, input.text);
    let rules = RuleFacts::of(input, &text);
    if input.direction == Direction::Outgoing {
        return outgoing(input, &rules);
    }
    if let Some(rule) = rules.parking() {
        return park(
            ParkReason::Rule(rule.to_owned()),
            format!("rule “{rule}” parks it"),
        );
    }
    if let Some(decision) = untrusted(input, &rules) {
        return decision;
    }
    if rules.cues().suspicious {
        let why = "the text addresses an assistant or gives instructions to software";
        return review(
            ReviewReason::Suspicious,
            why.to_owned(),
            proposal(input, &rules),
        );
    }
    if let Some(rule) = rules.reviewing() {
        let why = format!("rule “{rule}” asks a person");
        return review(
            ReviewReason::Rule(rule.to_owned()),
            why,
            proposal(input, &rules),
        );
    }
    match input.thread {
        ThreadState::Ambiguous => {
            let why = "more than one thread fits, or one fits too weakly";
            review(
                ReviewReason::AmbiguousThread,
                why.to_owned(),
                proposal(input, &rules),
            )
        }
        ThreadState::Linked(category) => join(input, &rules, category),
        ThreadState::Unlinked => by_category(input, &rules),
    }
}

fn outgoing(input: &DecideInput<'_>, rules: &RuleFacts<'_>) -> Decision {
    let from = input.mail.from.as_ref().map(|from| &from.address);
    let is_to_somebody = from != Some(&input.sender.address);
    match input.thread {
        ThreadState::Linked(category) if is_to_somebody => join(input, rules, category),
        ThreadState::Linked(_) | ThreadState::Unlinked | ThreadState::Ambiguous => park(
            ParkReason::Outbound,
            "our own side wrote it and no linked record takes it".to_owned(),
        ),
    }
}

fn untrusted(input: &DecideInput<'_>, rules: &RuleFacts<'_>) -> Option<Decision> {
    let why = match input.authenticity.verdict {
        Verdict::Fail => "the sender's domain does not vouch for it",
        Verdict::Absent => "no trusted result says who sent it",
        Verdict::Pass => "the policy does not trust verified senders",
    };
    match input.authenticity.treatment {
        Treatment::Trust => None,
        Treatment::Review => Some(review(
            ReviewReason::Unverified,
            why.to_owned(),
            proposal(input, rules),
        )),
        Treatment::Park => Some(park(
            ParkReason::Rule("authenticity".to_owned()),
            why.to_owned(),
        )),
    }
}

fn join(input: &DecideInput<'_>, rules: &RuleFacts<'_>, category: Category) -> Decision {
    let confidence = input
        .classification
        .map_or(Confidence::UNKNOWN, |answer| answer.top().1);
    let mut intent = intent(input, rules, category, confidence);
    intent.joins = true;
    intent.owner = None;
    intent.takes_turn = false;
    intent.reason = "its thread has a record: the mail joins it".to_owned();
    Decision::Write(intent)
}

fn by_category(input: &DecideInput<'_>, rules: &RuleFacts<'_>) -> Decision {
    if let Some((rule, category)) = rules.writing() {
        let confidence = input.classification.map_or(Confidence::UNKNOWN, |answer| {
            Confidence::new(answer.distribution.of(category).clamp(0.0, 1.0))
                .unwrap_or(Confidence::UNKNOWN)
        });
        let mut intent = intent(input, rules, category, confidence);
        intent.reason = format!("rule “{rule}” writes it as {category} at any confidence");
        return Decision::Write(intent);
    }
    let Some(answer) = input.classification else {
        let why = "no classifier answered".to_owned();
        return review(ReviewReason::NoAnswer, why, proposal(input, rules));
    };
    let (category, confidence) = answer.top();
    let settings = input.policy.category(category);
    let shown = format!("{category} at {:.4}", confidence.get());
    if !reaches(confidence, settings.threshold) {
        return unsure(input, rules, &shown);
    }
    if !settings.enabled {
        let why = format!("{shown}: this category is switched off");
        return park(ParkReason::Rule(format!("{category} is off")), why);
    }
    if category == Category::None {
        return park(
            ParkReason::NotRelevant,
            format!("{shown}: nothing for a CRM"),
        );
    }
    let mut intent = intent(input, rules, category, confidence);
    intent.reason = format!("{shown}, threshold {}", settings.threshold.get());
    Decision::Write(intent)
}

fn unsure(input: &DecideInput<'_>, rules: &RuleFacts<'_>, shown: &str) -> Decision {
    let intent = proposal(input, rules);
    let floor = input.policy.review_floor;
    let sure_enough = input
        .classification
        .is_some_and(|answer| reaches(answer.top().1, floor));
    let why = if sure_enough {
        format!("{shown} is below the threshold")
    } else {
        format!("{shown} is below {}: {}", floor.get(), intent.reason)
    };
    review(ReviewReason::LowConfidence, why, intent)
}

fn review(reason: ReviewReason, explanation: String, intent: Intent) -> Decision {
    Decision::Review {
        reason,
        explanation,
        intent,
    }
}

fn park(reason: ParkReason, explanation: String) -> Decision {
    Decision::Park {
        reason,
        explanation,
    }
}

/// Compares without the last digits that normalising a distribution costs: 0.80 stays 0.80.
pub(super) fn reaches(confidence: Confidence, limit: Confidence) -> bool {
    confidence.get() + 1e-9 >= limit.get()
}
