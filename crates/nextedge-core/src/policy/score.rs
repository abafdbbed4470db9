//! How leads are scored.

use serde::{Deserialize, Serialize};

/// Weights and bands of the lead score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct ScorePolicy {
    /// From this many points on a lead is hot; 70 by default.
    pub hot: u8,
    /// From this many points on a lead is warm; 40 by default.
    pub warm: u8,
    /// Most points of each factor; the sum is cut at 100.
    pub weights: ScoreWeights,
}

impl Default for ScorePolicy {
    fn default() -> Self {
        Self {
            hot: 70,
            warm: 40,
            weights: ScoreWeights::default(),
        }
    }
}

/// Most points of each factor of the lead score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct ScoreWeights {
    /// How sure the classifier is that it is a lead; 25 by default.
    pub confidence: u8,
    /// The sender writes from a company's own domain; 15 by default.
    pub company: u8,
    /// The text asks for prices, an offer, a demo or a trial; 20 by default.
    pub buying_words: u8,
    /// The text names an amount, a quantity or a date; 10 by default.
    pub specifics: u8,
    /// The mail hurries; 10 by default.
    pub urgency: u8,
    /// A phone number is given; 10 by default.
    pub phone: u8,
    /// The sender's title decides about purchases; 10 by default.
    pub title: u8,
}

impl Default for ScoreWeights {
    fn default() -> Self {
        Self {
            confidence: 25,
            company: 15,
            buying_words: 20,
            specifics: 10,
            urgency: 10,
            phone: 10,
            title: 10,
        }
    }
}
