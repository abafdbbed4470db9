//! Write, review or park: the rules in one place, each with its reason in words.
//!
//! In order: our own mail, rules that park, senders that cannot be trusted, text that addresses an
//! assistant, rules that ask a person, ambiguous threads, linked threads, then the category.

mod rules;
mod suspicious;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::rules::RuleFacts;
pub use self::suspicious::addresses_an_assistant;
use super::assign::{AssignInputs, assign, needs_turn};
use super::authenticity::{Authenticity, Verdict};
use super::extract::{contact_fields, ground};
use super::priority::priority;
use super::score::{LeadScore, ScoreInput, lead_score};
use super::urgency::urgency;
use crate::classify::{Classification, ExtractedField};
use crate::clock::Timestamp;
use crate::domain::{
    Category, Confidence, Direction, Mailer, ParkReason, Priority, ReviewReason, Urgency,
};
use crate::mail::Mail;
use crate::policy::{Owner, Policy, Treatment};

/// What a decision is made from.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct DecideInput<'a> {
    /// The tenant's policy.
    pub policy: &'a Policy,
    /// The mail.
    pub mail: &'a Mail,
    /// Who wrote it, as screening found.
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

/// What shall be written, before any CRM's spelling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Intent {
    /// The category.
    pub category: Category,
    /// How sure the classifier is of it; 0 if no classifier answered.
    pub confidence: Confidence,
    /// How much the mail hurries.
    pub urgency: Urgency,
    /// Its priority after business hours and rules.
    pub priority: Priority,
    /// Received or sent.
    pub direction: Direction,
    /// Whether the mail joins its thread's record, whatever the category.
    pub joins: bool,
    /// Who wrote it.
    pub sender: Mailer,
    /// The subject without the mark of an unwrapped forward.
    pub subject: String,
    /// What they wrote.
    pub text: String,
    /// Who gets a new record.
    pub owner: Option<Owner>,
    /// The owner came from the store's counter, which must move on with the commit.
    pub takes_turn: bool,
    /// The score, for leads.
    pub score: Option<LeadScore>,
    /// Contact facts that occur in the mail, best first.
    pub fields: Vec<ExtractedField>,
    /// A machine-written summary: plain text without links.
    pub summary: Option<String>,
    /// ISO 639-1 language.
    pub language: Option<String>,
    /// Who classified; empty if nobody answered.
    pub model: String,
    /// An earlier classifier of the chain gave no answer.
    pub degraded: bool,
    /// The reason of the decision in words.
    pub reason: String,
}

impl Intent {
    /// Returns the same intent for the category that a person gave.
    #[must_use]
    pub fn corrected(mut self, category: Category, policy: &Policy) -> Self {
        self.category = category;
        self.reason = format!("a person corrected the category to {category}");
        self.score = score_of(&self, policy);
        self
    }
}

/// Decides about a mail of a person, or of our own side.
pub fn decide(input: &DecideInput<'_>) -> Decision {
    let rules = RuleFacts::of(input);
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
    if addresses_an_assistant(input.subject, input.text) {
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
    match input.thread {
        ThreadState::Linked(category) => join(input, rules, category),
        ThreadState::Unlinked | ThreadState::Ambiguous => park(
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
    if confidence < settings.threshold {
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
        .is_some_and(|answer| answer.top().1 >= floor);
    let why = if sure_enough {
        format!("{shown} is below the threshold")
    } else {
        format!("{shown} is below {}: {}", floor.get(), intent.reason)
    };
    review(ReviewReason::LowConfidence, why, intent)
}

/// The intent that a person is shown: the classifier's category where it is sure enough, else what
/// the rules or the tenant's words propose, else the likeliest category.
fn proposal(input: &DecideInput<'_>, rules: &RuleFacts<'_>) -> Intent {
    let top = input.classification.map(Classification::top);
    let sure = top.filter(|(_, confidence)| *confidence >= input.policy.review_floor);
    let linked = match input.thread {
        ThreadState::Linked(category) => Some(category),
        ThreadState::Unlinked | ThreadState::Ambiguous => None,
    };
    let (category, why) = match (sure, rules.proposing()) {
        (Some((category, _)), _) => (category, "the classifier proposes it".to_owned()),
        (None, Some((category, why))) => (category, why),
        (None, None) => match top {
            Some((category, _)) => (category, "the likeliest category".to_owned()),
            // Without an answer a possible lead must not be lost.
            None => (
                Category::Lead,
                "nothing speaks for another category".to_owned(),
            ),
        },
    };
    let confidence = top.map_or(Confidence::UNKNOWN, |(_, confidence)| confidence);
    let mut intent = intent(input, rules, linked.unwrap_or(category), confidence);
    intent.joins = linked.is_some() && input.authenticity.may_join();
    intent.reason = why;
    intent
}

fn intent(
    input: &DecideInput<'_>,
    rules: &RuleFacts<'_>,
    category: Category,
    confidence: Confidence,
) -> Intent {
    let answer = input.classification;
    let urgency = urgency(
        input.subject,
        input.text,
        answer.map(|answer| answer.urgency),
    );
    let domain = input.sender.address.domain();
    let inputs = AssignInputs {
        domain: input.assign.domain.or(Some(&domain)),
        language: input.assign.language.or(input.mail.language.as_deref()),
        ..input.assign
    };
    let fixed = rules.owner();
    let assignment = &input.policy.assignment;
    let mut intent = Intent {
        category,
        confidence,
        urgency,
        priority: rules
            .priority()
            .unwrap_or_else(|| priority(urgency, &input.policy.priority, input.received_at)),
        direction: input.direction,
        joins: false,
        sender: input.sender.clone(),
        subject: input.subject.to_owned(),
        text: input.text.to_owned(),
        takes_turn: fixed.is_none() && needs_turn(assignment),
        owner: fixed.or_else(|| assign(assignment, &inputs)),
        score: None,
        fields: fields_of(input),
        summary: answer
            .and_then(|answer| answer.summary.as_deref())
            .and_then(plain_summary),
        language: input.mail.language.clone(),
        model: answer
            .map(|answer| answer.model.clone())
            .unwrap_or_default(),
        degraded: answer.is_some_and(|answer| answer.degraded),
        reason: String::new(),
    };
    intent.score = score_of(&intent, input.policy);
    intent
}

/// What the mail itself gives and what the classifier found, both checked against the mail.
fn fields_of(input: &DecideInput<'_>) -> Vec<ExtractedField> {
    let mut fields = contact_fields(input.sender, input.text);
    fields.extend(
        input
            .classification
            .into_iter()
            .flat_map(|answer| answer.fields.clone()),
    );
    ground(fields, input.sender, input.subject, input.text)
}

fn score_of(intent: &Intent, policy: &Policy) -> Option<LeadScore> {
    (intent.category == Category::Lead && intent.direction == Direction::Incoming).then(|| {
        lead_score(
            &ScoreInput {
                confidence: intent.confidence,
                sender: &intent.sender.address,
                subject: &intent.subject,
                text: &intent.text,
                fields: &intent.fields,
                urgency: intent.urgency,
            },
            &policy.score,
        )
    })
}

/// A summary is plain text: words that look like links or markup are left out.
fn plain_summary(text: &str) -> Option<String> {
    let words = text.split_whitespace().filter(|word| {
        let word = word.to_lowercase();
        let link = ["://", "www.", "mailto:", "](", "<", ">"];
        !link.iter().any(|mark| word.contains(mark))
    });
    let words: Vec<&str> = words.collect();
    let plain: String = words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_SUMMARY_CHARS)
        .collect();
    (!plain.is_empty()).then_some(plain)
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

/// Longest kept summary.
const MAX_SUMMARY_CHARS: usize = 600;
