//! What shall be written: built once the category is known.

use serde::{Deserialize, Serialize};

use super::rules::RuleFacts;
use super::{DecideInput, ThreadState, reaches};
use crate::classify::{Classification, ExtractedField};
use crate::domain::{Category, Confidence, Direction, Mailer, Priority, Urgency};
use crate::policy::{Owner, Policy};
use crate::stage::assign::{AssignInputs, assign, needs_turn};
use crate::stage::cues::Cues;
use crate::stage::extract::{contact_fields, ground};
use crate::stage::priority::priority;
use crate::stage::score::{LeadScore, ScoreInput, score_in};
use crate::stage::text::Folded;
use crate::stage::urgency::combined;

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
    /// The correspondent: who wrote it, or the first recipient of our own mail.
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
        let text = Folded::of(&self.subject, &self.text);
        self.score = score_of(&self, &text, Cues::of(&text), policy);
        self
    }
}

/// The intent that a person is shown: the classifier's category where it is sure enough, else what
/// the rules or the tenant's words propose, else the likeliest category.
pub(super) fn proposal(input: &DecideInput<'_>, rules: &RuleFacts<'_>) -> Intent {
    let top = input.classification.map(Classification::top);
    let sure = top.filter(|(_, confidence)| reaches(*confidence, input.policy.review_floor));
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

pub(super) fn intent(
    input: &DecideInput<'_>,
    rules: &RuleFacts<'_>,
    category: Category,
    confidence: Confidence,
) -> Intent {
    let answer = input.classification;
    let urgency = combined(rules.cues().urgency, answer.map(|answer| answer.urgency));
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
    intent.score = score_of(&intent, rules.text(), rules.cues(), input.policy);
    intent
}

/// What the mail itself gives and what the classifier found, both checked against the mail.
fn fields_of(input: &DecideInput<'_>) -> Vec<ExtractedField> {
    if input.direction == Direction::Outgoing {
        // Our own signature says nothing about the correspondent.
        return Vec::new();
    }
    let mut fields = contact_fields(input.sender, input.text);
    fields.extend(
        input
            .classification
            .into_iter()
            .flat_map(|answer| answer.fields.clone()),
    );
    ground(fields, input.sender, input.subject, input.text)
}

fn score_of(intent: &Intent, text: &Folded, cues: Cues, policy: &Policy) -> Option<LeadScore> {
    (intent.category == Category::Lead && intent.direction == Direction::Incoming).then(|| {
        score_in(
            text,
            cues,
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

/// Longest kept summary.
const MAX_SUMMARY_CHARS: usize = 600;
