//! Answers for rows the model has not seen: folds by source, then calibration from them.

use std::collections::BTreeMap;

use nextedge_ai::metrics::Scored;
use nextedge_ai::model::{Scores, calibrated, softmax};
use nextedge_ai::weights::Calibration;
use nextedge_core::Category;

use crate::fit::{Example, fit};
use crate::random::stable_hash;

/// Deals the sources of each label out to folds; rows of one source stay together.
pub(crate) fn folds(examples: &[Example], count: usize) -> Vec<usize> {
    let mut label_of: BTreeMap<&str, usize> = BTreeMap::new();
    for example in examples {
        label_of.entry(&example.group).or_insert(example.label);
    }
    let mut groups: Vec<(usize, u64, &str)> = label_of
        .iter()
        .map(|(group, label)| (*label, stable_hash(group), *group))
        .collect();
    groups.sort_unstable();
    let fold_of: BTreeMap<&str, usize> = groups
        .iter()
        .enumerate()
        .map(|(i, (_, _, group))| (*group, i % count))
        .collect();
    examples
        .iter()
        .map(|e| fold_of.get(e.group.as_str()).copied().unwrap_or(0))
        .collect()
}

/// Scores every row by a model that was fitted without the row's fold, two folds at a time.
pub(crate) fn out_of_fold(examples: &[Example], fold_of: &[usize], count: usize) -> Vec<Scores> {
    let mut scores = vec![[0.0; 10]; examples.len()];
    let numbers: Vec<usize> = (0..count).collect();
    for pair in numbers.chunks(2) {
        let results: Vec<Vec<(usize, Scores)>> = std::thread::scope(|scope| {
            let spawn = |fold: usize| scope.spawn(move || one_fold(examples, fold_of, fold));
            let threads: Vec<_> = pair.iter().copied().map(spawn).collect();
            threads.into_iter().filter_map(|t| t.join().ok()).collect()
        });
        for (at, score) in results.into_iter().flatten() {
            scores[at] = score;
        }
    }
    scores
}

fn one_fold(examples: &[Example], fold_of: &[usize], fold: usize) -> Vec<(usize, Scores)> {
    let (inside, outside): (Vec<usize>, Vec<usize>) =
        (0..examples.len()).partition(|i| fold_of[*i] != fold);
    let linear = fit(examples, &inside);
    outside
        .into_iter()
        .map(|i| (i, linear.scores(&examples[i])))
        .collect()
}

/// Fits temperatures, then the share that was right at each confidence, then the cap.
pub(crate) fn calibrate(examples: &[Example], scores: &[Scores]) -> Calibration {
    let weights = author_weights(examples);
    let mut calibration = Calibration::default();
    calibration.temperature = best_temperature(|t| {
        let rows = examples.iter().zip(scores).zip(&weights);
        rows.map(|((e, s), w)| w * loss(&s[..5], t, e.label)).sum()
    });
    calibration.urgency_temperature = best_temperature(|t| {
        let rows = examples.iter().zip(scores).zip(&weights);
        rows.filter_map(|((e, s), w)| Some(w * loss(&s[5..], t, e.urgency?)))
            .sum()
    });
    let mut tops: Vec<(f64, f64, f64)> = examples
        .iter()
        .zip(scores)
        .zip(&weights)
        .map(|((e, s), w)| {
            let shares = softmax(&s[..5], calibration.temperature);
            let best = largest(&shares);
            (shares[best], f64::from(u8::from(best == e.label)), *w)
        })
        .collect();
    tops.sort_by(|a, b| a.0.total_cmp(&b.0));
    calibration.knots = knots(&tops);
    calibration.cap = calibration.knots.last().map_or(1.0, |k| k.1).min(HIGHEST);
    calibration
}

/// Weighs authors by the root of their rows: the confidence has to hold for mail of yet another
/// author, so the many easy rows of one must not hide the few hard rows of the others.
fn author_weights(examples: &[Example]) -> Vec<f64> {
    let mut rows: BTreeMap<&str, f64> = BTreeMap::new();
    for example in examples {
        *rows.entry(author(&example.group)).or_default() += 1.0;
    }
    let weight = |e: &Example| f64::from(e.weight) / rows[author(&e.group)].sqrt();
    examples.iter().map(weight).collect()
}

/// The part of a source that names who made it.
pub(crate) fn author(group: &str) -> &str {
    group.split(':').next().unwrap_or_default()
}

fn loss(scores: &[f32], temperature: f32, right: usize) -> f64 {
    -softmax(scores, temperature)[right].max(1e-9).ln()
}

fn best_temperature(cost: impl Fn(f32) -> f64) -> f32 {
    let mut best = (f64::MAX, 1.0);
    for step in 0..60_u8 {
        let temperature = 0.3 * 1.05_f32.powi(i32::from(step));
        let now = cost(temperature);
        if now < best.0 {
            best = (now, temperature);
        }
    }
    best.1
}

/// Equal-weight bins of (probability, share right), made to rise by pooling neighbours, each
/// lowered a little because few sources stand behind it.
fn knots(sorted: &[(f64, f64, f64)]) -> Vec<(f32, f32)> {
    let total: f64 = sorted.iter().map(|t| t.2).sum();
    let mut bins: Vec<[f64; 3]> = Vec::new();
    let mut bin = [0.0; 3];
    for (top, right, weight) in sorted {
        bin = [
            bin[0] + top * weight,
            bin[1] + right * weight,
            bin[2] + weight,
        ];
        if bin[2] >= total / BINS {
            bins.push(bin);
            bin = [0.0; 3];
        }
    }
    let mut pooled: Vec<[f64; 3]> = Vec::new();
    for next in bins {
        pooled.push(next);
        while let [.., a, b] = pooled.as_slice() {
            if a[1] / a[2] <= b[1] / b[2] {
                break;
            }
            let joined = [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
            pooled.truncate(pooled.len() - 2);
            pooled.push(joined);
        }
    }
    let point = |b: &[f64; 3]| ((b[0] / b[2]) as f32, ((b[1] / b[2]) * CAUTION) as f32);
    pooled.iter().map(point).collect()
}

pub(crate) fn largest(shares: &[f64; 5]) -> usize {
    (0..5).fold(0, |best, i| if shares[i] > shares[best] { i } else { best })
}

/// Turns scores into answers that can be measured.
pub(crate) fn scored(examples: &[Example], scores: &[Scores], by: &Calibration) -> Vec<Scored> {
    let answer = |(example, scores): (&Example, &Scores)| {
        let shares = calibrated(scores, by).categories;
        let best = largest(&shares);
        Scored {
            answered: Category::ALL[best],
            confidence: shares[best],
            label: Category::ALL[example.label],
        }
    };
    examples.iter().zip(scores).map(answer).collect()
}

const BINS: f64 = 20.0;
const HIGHEST: f32 = 0.97;
const CAUTION: f64 = 0.985;
