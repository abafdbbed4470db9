//! The linear model: scores, probabilities, and which words spoke for the answer.

use nextedge_core::{Category, Result, Urgency};

use crate::features::{BUCKETS, Family, Features};
use crate::text::Token;
use crate::weights::{OUTPUTS, Weights};

/// A loaded model; answers depend on nothing but the mail.
#[derive(Debug)]
pub struct Model {
    weights: Weights,
}

/// Scores of one mail before calibration: five categories, then five urgencies.
pub type Scores = [f32; OUTPUTS];

/// Calibrated probabilities of one mail.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// Of the categories, in the order of [`Category::ALL`](nextedge_core::Category::ALL).
    pub categories: [f64; 5],
    /// Of the urgencies, in the order of [`Urgency::ALL`](nextedge_core::Urgency::ALL).
    pub urgencies: [f64; 5],
}

impl Model {
    /// Loads a weights file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](nextedge_core::ErrorKind::Invalid) if the file is not intact or was
    /// made for another version.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            weights: Weights::decode(bytes)?,
        })
    }

    /// Returns the largest confidence this model can give.
    #[must_use]
    pub fn cap(&self) -> f64 {
        f64::from(self.weights.calibration.cap)
    }

    /// Adds up the scores of a mail.
    #[must_use]
    pub fn scores(&self, features: &Features) -> Scores {
        let mut sums = [[0_i32; OUTPUTS]; 4];
        for feature in features.list() {
            let row = self.row(feature.bucket);
            for (sum, step) in sums[feature.family as usize].iter_mut().zip(row) {
                *sum += i32::from(*step);
            }
        }
        let mut scores = self.weights.bias;
        for (family, scale) in sums.iter().zip(features.scales()) {
            for (output, sum) in family.iter().enumerate() {
                scores[output] += *sum as f32 * scale * self.weights.scale[output];
            }
        }
        scores
    }

    /// Returns the calibrated probabilities of a mail.
    #[must_use]
    pub fn predict(&self, features: &Features) -> Prediction {
        let answer = calibrated(&self.scores(features), &self.weights.calibration);
        let limit = self.limit(features);
        let categories = answer.categories;
        let categories = if top(&categories) > limit {
            with_top(categories, limit)
        } else {
            categories
        };
        Prediction {
            categories,
            ..answer
        }
    }

    /// The largest confidence for a mail of so few known words: nothing known, nothing certain.
    fn limit(&self, features: &Features) -> f64 {
        let known = features.list().iter().filter(|feature| {
            let word = feature.family == Family::Words && feature.tokens.len() == 1;
            word && self.row(feature.bucket).iter().any(|step| *step != 0)
        });
        let share = known.take(ENOUGH_WORDS).count() as f64 / ENOUGH_WORDS as f64;
        0.2 + share * (self.cap() - 0.2).max(0.0)
    }

    /// Returns the words that speak most for a category, strongest first, with their weight.
    #[must_use]
    pub fn evidence<'f>(
        &self,
        features: &'f Features,
        category: Category,
        limit: usize,
    ) -> Vec<(&'f Token, f64)> {
        let tokens = features.tokens().list();
        let category = category as usize;
        let mut weights = vec![0.0_f64; tokens.len()];
        let scales = features.scales();
        for feature in features.list().iter().filter(|f| !f.tokens.is_empty()) {
            let row = self.row(feature.bucket);
            let own = self.share(row, category) * f64::from(scales[feature.family as usize]);
            let share = own / f64::from(feature.tokens.end - feature.tokens.start);
            for at in feature.tokens.clone() {
                weights[at as usize] += share;
            }
        }
        let mut order: Vec<usize> = (0..tokens.len()).filter(|i| weights[*i] > 0.0).collect();
        order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
        order
            .into_iter()
            .take(limit)
            .map(|i| (&tokens[i], weights[i]))
            .collect()
    }

    /// How much a bucket speaks for one category compared with the mean of all five.
    fn share(&self, row: &[i8], category: usize) -> f64 {
        let worth = |output: usize| {
            row.get(output).map_or(0.0, |s| {
                f64::from(*s) * f64::from(self.weights.scale[output])
            })
        };
        worth(category) - (0..5).map(worth).sum::<f64>() / 5.0
    }

    fn row(&self, bucket: u32) -> &[i8] {
        let start = (bucket as usize % BUCKETS) * OUTPUTS;
        &self.weights.steps[start..start + OUTPUTS]
    }
}

/// Chooses the urgency: the likeliest one, raised to what the words say outright.
///
/// The higher one wins a tie, as a missed outage costs more than a look. Mail that is nothing for
/// a CRM is not raised: advertising says "act now" too.
#[must_use]
pub fn settled_urgency(shares: &[f64; 5], spoken: Urgency, category: Category) -> Urgency {
    let mut best = (Urgency::Normal, f64::MIN);
    for (urgency, share) in Urgency::ALL.into_iter().zip(shares) {
        if *share >= best.1 {
            best = (urgency, *share);
        }
    }
    let raised = spoken >= Urgency::High && category != Category::None;
    if raised { best.0.max(spoken) } else { best.0 }
}

/// Turns scores into calibrated probabilities.
#[must_use]
pub fn calibrated(scores: &Scores, calibration: &crate::weights::Calibration) -> Prediction {
    let (categories, urgencies) = scores.split_at(5);
    let raw = softmax(categories, calibration.temperature);
    Prediction {
        categories: with_top(raw, calibration.apply(top(&raw))),
        urgencies: softmax(urgencies, calibration.urgency_temperature),
    }
}

/// Returns the probabilities of five scores.
#[must_use]
pub fn softmax(scores: &[f32], temperature: f32) -> [f64; 5] {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut shares = [0.0; 5];
    for (share, score) in shares.iter_mut().zip(scores) {
        *share = f64::from((score - highest) / temperature).exp();
    }
    let sum: f64 = shares.iter().sum();
    shares.map(|s| s / sum)
}

fn top(shares: &[f64; 5]) -> f64 {
    shares.iter().copied().fold(0.0, f64::max)
}

/// Moves the largest share to `wanted` and keeps the order of all five: towards even shares when
/// it falls, by shrinking the others when it rises.
fn with_top(shares: [f64; 5], wanted: f64) -> [f64; 5] {
    let largest = top(&shares);
    let wanted = wanted.clamp(0.2, 1.0);
    if largest <= 0.2 + 1e-9 {
        return shares;
    }
    if wanted <= largest {
        let mix = (largest - wanted) / (largest - 0.2);
        return shares.map(|s| s * (1.0 - mix) + 0.2 * mix);
    }
    let shrink = (1.0 - wanted) / (1.0 - largest).max(1e-12);
    let winner = shares.iter().position(|s| *s >= largest);
    let mut out = shares.map(|s| s * shrink);
    if let Some(winner) = winner {
        out[winner] = wanted;
    }
    out
}

/// Known words from which on a mail may be answered with full confidence.
const ENOUGH_WORDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_is_raised_by_plain_words_but_not_for_advertising() {
        let even = [0.1, 0.1, 0.35, 0.35, 0.1];
        let cases = [
            (Urgency::Normal, Category::Case, Urgency::High),
            (Urgency::Critical, Category::Case, Urgency::Critical),
            (Urgency::Critical, Category::None, Urgency::High),
            (Urgency::Low, Category::Lead, Urgency::High),
        ];
        for (spoken, category, expected) in cases {
            assert_eq!(settled_urgency(&even, spoken, category), expected);
        }
    }

    #[test]
    fn moving_the_top_keeps_sum_and_order() {
        let shares = [0.1, 0.45, 0.05, 0.3, 0.1];
        for wanted in [0.2, 0.25, 0.4, 0.45, 0.6, 0.95] {
            let moved = with_top(shares, wanted);
            assert!((moved.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{wanted}");
            assert!((top(&moved) - wanted).abs() < 1e-9, "{wanted}");
            assert!(moved[1] >= moved[3] && moved[3] >= moved[0] && moved[0] >= moved[2]);
        }
    }
}
