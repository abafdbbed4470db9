//! Measures answers against labels: macro-F1, calibration error, coverage and precision.

use nextedge_core::Category;

/// One answer and what was right.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Scored {
    /// What was answered.
    pub answered: Category,
    /// How sure the answer was, 0 to 1.
    pub confidence: f64,
    /// What was right.
    pub label: Category,
}

/// What a set of answers is worth.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Number of labelled answers.
    pub rows: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean of the F1 of the categories that occur.
    pub macro_f1: f64,
    /// Expected calibration error over fifteen equal bins.
    pub ece: f64,
    /// Share of answers at or above [`THRESHOLD`].
    pub coverage: f64,
    /// Share of right answers among these; none if there are none.
    pub precision: Option<f64>,
    /// Counts by label (row) and answer (column), in the order of [`Category::ALL`].
    pub confusion: [[usize; 5]; 5],
}

impl Metrics {
    /// Measures a set of answers; all numbers are 0 without answers.
    #[must_use]
    pub fn of(scored: &[Scored]) -> Self {
        let mut confusion = [[0; 5]; 5];
        for one in scored {
            confusion[one.label as usize][one.answered as usize] += 1;
        }
        let right = scored.iter().filter(|s| s.answered == s.label).count();
        let sure: Vec<&Scored> = scored
            .iter()
            .filter(|s| s.confidence >= THRESHOLD)
            .collect();
        let sure_right = sure.iter().filter(|s| s.answered == s.label).count();
        Self {
            rows: scored.len(),
            accuracy: ratio(right, scored.len()),
            macro_f1: macro_f1(&confusion),
            ece: ece(scored),
            coverage: ratio(sure.len(), scored.len()),
            precision: (!sure.is_empty()).then(|| ratio(sure_right, sure.len())),
            confusion,
        }
    }
}

fn macro_f1(confusion: &[[usize; 5]; 5]) -> f64 {
    let mut scores = Vec::with_capacity(5);
    for category in 0..5 {
        let labelled: usize = confusion[category].iter().sum();
        let answered: usize = confusion.iter().map(|row| row[category]).sum();
        if labelled + answered > 0 {
            scores.push(ratio(
                2 * confusion[category][category],
                labelled + answered,
            ));
        }
    }
    scores.iter().fold(0.0, |sum, s| sum + s) / (scores.len().max(1) as f64)
}

fn ece(scored: &[Scored]) -> f64 {
    let mut bins = [(0_usize, 0_usize, 0.0_f64); BINS];
    for one in scored {
        let bin = ((one.confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += 1;
        bins[bin].1 += usize::from(one.answered == one.label);
        bins[bin].2 += one.confidence;
    }
    let gaps = bins
        .iter()
        .map(|(_, right, sure)| (*right as f64 - sure).abs());
    gaps.fold(0.0, |sum, gap| sum + gap) / (scored.len().max(1) as f64)
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Answers at or above this confidence are written without a person.
pub const THRESHOLD: f64 = 0.80;
const BINS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use Category::{Case, Lead};

    #[test]
    fn hand_counted_answers_give_the_hand_counted_numbers() {
        let row = |answered, confidence, label| Scored {
            answered,
            confidence,
            label,
        };
        let m = Metrics::of(&[
            row(Lead, 0.9, Lead),
            row(Lead, 0.9, Case),
            row(Case, 0.5, Case),
            row(Lead, 0.5, Lead),
        ]);
        assert_eq!(
            (m.rows, m.accuracy, m.coverage, m.precision),
            (4, 0.75, 0.5, Some(0.5))
        );
        // Lead: 2 right, 3 answered, 2 labelled; Case: 1 right, 1 answered, 2 labelled.
        assert!((m.macro_f1 - (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
        // One bin says 0.9 and holds 0.5, the other says 0.5 and holds 1.0.
        assert!((m.ece - (0.5 * 0.4 + 0.5 * 0.5)).abs() < 1e-9);
    }

    #[test]
    fn no_answers_are_no_division_by_zero() {
        let m = Metrics::of(&[]);
        assert_eq!((m.macro_f1, m.ece, m.precision), (0.0, 0.0, None));
    }
}
