//! The last resort: votes of well-known phrases, never sure of anything.

use async_trait::async_trait;
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::{CallContext, Category, Distribution, Result, Urgency};

use crate::lexicon::{Found, Lexicon};
use crate::text::Tokens;

/// Counts phrases that speak for a category in about ten languages.
///
/// It proposes a category where a better classifier is unsure or gave no answer. Its confidence
/// stays at or below [`RULES_CAP`], so that its answer alone is reviewed and never written. A mail
/// without any known phrase gets equal shares, never `None`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RulesClassifier;

impl RulesClassifier {
    /// Makes the classifier; it has no options.
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// Classifies one mail without waiting for anything.
    ///
    /// # Errors
    ///
    /// None in practice; the type is that of every classifier.
    pub fn answer(&self, request: &ClassifyRequest) -> Result<Classification> {
        let concepts = concepts(request);
        let mut votes = [0.0_f64; 5];
        for name in &concepts {
            for (category, weight) in Lexicon::shared().votes(name) {
                votes[*category as usize] += weight;
            }
        }
        if let Some(category) = request.signals.linked {
            votes[category as usize] += LINKED_VOTE;
        }
        if request.signals.bulk {
            votes[Category::None as usize] += BULK_VOTE;
        }
        let distribution = Distribution::new(shares(votes))?;
        Ok(Classification::new(
            "rules/1",
            distribution,
            urgency(&concepts),
        ))
    }
}

#[async_trait]
impl Classifier for RulesClassifier {
    fn name(&self) -> &str {
        "rules"
    }

    async fn classify(&self, _: &CallContext, request: &ClassifyRequest) -> Result<Classification> {
        self.answer(request)
    }
}

fn concepts(request: &ClassifyRequest) -> Vec<&'static str> {
    names(&Lexicon::shared().find(&Tokens::of(&request.subject, &request.text)))
}

/// The distinct names of found concepts, in a fixed order.
pub(crate) fn names(found: &[Found]) -> Vec<&'static str> {
    let concepts = found
        .iter()
        .filter_map(|f| Lexicon::shared().concept(f.concept));
    let mut names: Vec<&'static str> = concepts.map(|c| c.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Equal shares plus votes, held below the cap by mixing equal shares back in.
fn shares(votes: [f64; 5]) -> [f64; 5] {
    let raw = votes.map(|v| (v * VOTE_STRENGTH).exp());
    let sum: f64 = raw.iter().sum();
    let shares = raw.map(|r| r / sum);
    let largest = shares.iter().copied().fold(0.0, f64::max);
    if largest <= RULES_CAP {
        return shares;
    }
    let mix = (largest - RULES_CAP) / (largest - 0.2);
    shares.map(|s| s * (1.0 - mix) + 0.2 * mix)
}

/// The urgency that concepts say outright; `Normal` if they say nothing about it.
pub(crate) fn urgency(concepts: &[&str]) -> Urgency {
    let has = |name| concepts.contains(&name);
    match (
        has("urgent"),
        has("outage"),
        has("deadline"),
        has("no_hurry"),
    ) {
        (true, true, _, _) => Urgency::Critical,
        (true, false, _, _) | (false, true, _, _) => Urgency::High,
        (false, false, false, true) => Urgency::Low,
        _ => Urgency::Normal,
    }
}

/// No answer of the rules is surer than this.
pub const RULES_CAP: f64 = 0.6;
const VOTE_STRENGTH: f64 = 0.8;
const LINKED_VOTE: f64 = 1.5;
const BULK_VOTE: f64 = 1.5;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn phrases_of_many_languages_propose_their_category() {
        let cases = [
            (
                "Anfrage",
                "Wir interessieren uns für Pumpen. Was kostet eine Teststellung?",
                Category::Lead,
            ),
            (
                "Panne",
                "La pompe est en panne, merci de nous rembourser.",
                Category::Case,
            ),
            (
                "Fuera de la oficina",
                "Mi nuevo número es el siguiente.",
                Category::Contact,
            ),
            (
                "La vostra offerta",
                "Con uno sconto del 5% procediamo con l'ordine.",
                Category::Opportunity,
            ),
            (
                "Nieuwsbrief",
                "Lees meer online. Uitschrijven.",
                Category::None,
            ),
        ];
        for (subject, text, expected) in cases {
            let answer = RulesClassifier::new()
                .answer(&ClassifyRequest::new(subject, text))
                .unwrap();
            assert_eq!(answer.top().0, expected, "{subject}");
            assert!(answer.top().1.get() <= RULES_CAP + 1e-9);
        }
    }

    #[test]
    fn a_mail_without_known_phrases_is_not_none() {
        let answer = RulesClassifier::new()
            .answer(&ClassifyRequest::new("", "xyzzy"))
            .unwrap();
        assert!((answer.distribution.of(Category::None) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn urgency_follows_the_words() {
        let cases = [
            ("URGENT: the production line is down", Urgency::Critical),
            ("please call me immediately", Urgency::High),
            ("no rush at all", Urgency::Low),
            ("a question", Urgency::Normal),
        ];
        for (text, expected) in cases {
            let answer = RulesClassifier::new()
                .answer(&ClassifyRequest::new("", text))
                .unwrap();
            assert_eq!(answer.urgency, expected, "{text}");
        }
    }
}
