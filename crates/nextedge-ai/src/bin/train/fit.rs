//! Fits the linear model: AdaGrad on the softmax losses of categories and urgencies.

use nextedge_ai::dataset::Row;
use nextedge_ai::features::{BUCKETS, Features, MailView};
use nextedge_ai::model::{Scores, softmax};
use nextedge_ai::weights::OUTPUTS;

use nextedge_core::Urgency;

use crate::random::Random;

/// A row as numbers.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) values: Vec<(u32, f32)>,
    pub(crate) label: usize,
    pub(crate) urgency: Option<usize>,
    pub(crate) spoken: Urgency,
    /// Rows of one source count together, so that a template with many copies does not win.
    pub(crate) group: String,
    pub(crate) weight: f32,
}

impl Example {
    /// Returns nothing for a row without a label.
    pub(crate) fn of(row: &Row) -> Option<Self> {
        let text = row.new_text();
        let sender = row.sender();
        let view = MailView::new(&row.subject, &text, sender.as_ref()).with_signals(row.signals);
        let features = Features::of(&view);
        let scales = features.scales();
        let values = features
            .list()
            .iter()
            .map(|f| (f.bucket, scales[f.family as usize]));
        Some(Self {
            values: values.collect(),
            label: row.label? as usize,
            urgency: row.urgency.map(|u| u as usize),
            spoken: features.spoken_urgency(),
            group: row.source.clone(),
            weight: 1.0,
        })
    }
}

/// Trained weights before rounding.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: [f32; OUTPUTS],
}

impl Linear {
    pub(crate) fn scores(&self, example: &Example) -> Scores {
        let mut scores = self.bias;
        for (bucket, value) in &example.values {
            let start = *bucket as usize * OUTPUTS;
            let row = &self.weights[start..start + OUTPUTS];
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += weight * value;
            }
        }
        scores
    }
}

/// Fits the examples at the given places; the same input gives the same weights.
pub(crate) fn fit(examples: &[Example], chosen: &[usize]) -> Linear {
    let mut linear = Linear {
        weights: vec![0.0; BUCKETS * OUTPUTS],
        bias: [0.0; OUTPUTS],
    };
    let mut squares = vec![1e-3_f32; BUCKETS * OUTPUTS];
    let mut bias_squares = [1.0_f32; OUTPUTS];
    let mut order = chosen.to_vec();
    let mut random = Random::new(SEED);
    for _ in 0..EPOCHS {
        random.shuffle(&mut order);
        for at in &order {
            let example = &examples[*at];
            let slopes = slopes(&linear.scores(example), example);
            for (output, slope) in slopes.iter().enumerate() {
                bias_squares[output] += slope * slope;
                linear.bias[output] -= RATE * slope / bias_squares[output].sqrt();
            }
            for (bucket, value) in &example.values {
                let start = *bucket as usize * OUTPUTS;
                for (output, slope) in slopes.iter().enumerate() {
                    let weight = &mut linear.weights[start + output];
                    let step = slope * value + DECAY * *weight;
                    let square = &mut squares[start + output];
                    *square += step * step;
                    *weight -= RATE * step / square.sqrt();
                }
            }
        }
    }
    linear
}

fn slopes(scores: &Scores, example: &Example) -> Scores {
    let mut slopes = [0.0; OUTPUTS];
    let (categories, urgencies) = scores.split_at(5);
    for (at, share) in softmax(categories, 1.0).into_iter().enumerate() {
        let target = if at == example.label {
            1.0 - SMOOTHING
        } else {
            SMOOTHING / 4.0
        };
        slopes[at] = example.weight * (share as f32 - target);
    }
    if let Some(right) = example.urgency {
        for (at, share) in softmax(urgencies, 1.0).into_iter().enumerate() {
            let target = f32::from(u8::from(at == right));
            slopes[5 + at] = URGENCY_WEIGHT[right] * (share as f32 - target);
        }
    }
    slopes
}

const SEED: u64 = 20_261_121;
const EPOCHS: usize = 12;
const RATE: f32 = 0.1;
const DECAY: f32 = 2e-5;
const SMOOTHING: f32 = 0.02;
/// Rare urgencies count more: a missed outage costs more than a look too many.
const URGENCY_WEIGHT: [f32; 5] = [0.5, 0.5, 0.5, 1.5, 2.5];
