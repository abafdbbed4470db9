//! Writes down what was measured, good or bad.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nextedge_ai::metrics::{Metrics, Scored, THRESHOLD};
use nextedge_ai::model::{Scores, calibrated, settled_urgency};
use nextedge_ai::weights::Calibration;
use nextedge_core::{Category, Urgency};

use crate::cv::{author, largest, scored};
use crate::fit::{Example, Linear};

/// Reports answers for rows whose source the model had not seen.
pub(crate) fn cross_validation(
    out: &mut String,
    examples: &[Example],
    scores: &[Scores],
    calibration: &Calibration,
) {
    let answers = scored(examples, scores, calibration);
    let _ = writeln!(out, "## Five folds, split by source\n");
    let _ = writeln!(
        out,
        "Temperature {:.3}, urgency temperature {:.3}, cap {:.3}.\n",
        calibration.temperature, calibration.urgency_temperature, calibration.cap
    );
    let _ = writeln!(
        out,
        "| rows of | rows | accuracy | macro-F1 | ECE | coverage at 0.80 | precision at 0.80 |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|");
    line(out, "all", &answers);
    let mut authors: BTreeMap<&str, Vec<Scored>> = BTreeMap::new();
    for (example, answer) in examples.iter().zip(&answers) {
        authors
            .entry(author(&example.group))
            .or_default()
            .push(*answer);
    }
    for (author, rows) in &authors {
        line(out, author, rows);
    }
    confusion(out, &Metrics::of(&answers));
    urgency(out, examples, scores, calibration);
    weakest(out, examples, &answers);
}

/// Reports answers of the final model for rows that were never part of the training.
pub(crate) fn foreign(
    out: &mut String,
    title: &str,
    examples: &[Example],
    linear: &Linear,
    calibration: &Calibration,
) {
    if examples.is_empty() {
        return;
    }
    let scores: Vec<Scores> = examples.iter().map(|e| linear.scores(e)).collect();
    let answers = scored(examples, &scores, calibration);
    let _ = writeln!(out, "\n## {title}\n");
    let _ = writeln!(
        out,
        "| rows of | rows | accuracy | macro-F1 | ECE | coverage at 0.80 | precision at 0.80 |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|");
    line(out, "all", &answers);
    let mut sources: BTreeMap<String, Vec<Scored>> = BTreeMap::new();
    for (example, answer) in examples.iter().zip(&answers) {
        let mut parts = example.group.split(':');
        let name = match (parts.next().unwrap_or_default(), parts.next()) {
            ("corpus" | "spamassassin", Some(folder)) => format!("{folder} {}", answer.label),
            (first, _) => first.to_owned(),
        };
        sources.entry(name).or_default().push(*answer);
    }
    for (source, rows) in &sources {
        line(out, source, rows);
    }
    confusion(out, &Metrics::of(&answers));
    let none: Vec<&Scored> = answers
        .iter()
        .filter(|a| a.label == Category::None)
        .collect();
    let wrong = none
        .iter()
        .filter(|a| a.answered != Category::None && a.confidence >= THRESHOLD);
    let wrong = wrong.count();
    let _ = writeln!(
        out,
        "\nOf {} mails that are None, {wrong} ({:.2} %) were answered otherwise at 0.80 or above.",
        none.len(),
        100.0 * wrong as f64 / none.len().max(1) as f64
    );
}

fn line(out: &mut String, name: &str, rows: &[Scored]) {
    let m = Metrics::of(rows);
    let precision = m.precision.map_or("none".to_owned(), |p| format!("{p:.3}"));
    let _ = writeln!(
        out,
        "| {name} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {precision} |",
        m.rows, m.accuracy, m.macro_f1, m.ece, m.coverage
    );
}

fn confusion(out: &mut String, metrics: &Metrics) {
    let _ = writeln!(
        out,
        "\n| label, answered | Lead | Case | Contact | Opportunity | None |\n|---|---|---|---|---|---|"
    );
    for (label, row) in Category::ALL.iter().zip(metrics.confusion) {
        let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "| {label} | {} |", cells.join(" | "));
    }
}

fn urgency(out: &mut String, examples: &[Example], scores: &[Scores], calibration: &Calibration) {
    let _ = writeln!(
        out,
        "\n| urgency | rows | recall | precision |\n|---|---|---|---|"
    );
    let answer = |example: &Example, scores: &Scores| {
        let answer = calibrated(scores, calibration);
        let category = Category::ALL[largest(&answer.categories)];
        settled_urgency(&answer.urgencies, example.spoken, category) as usize
    };
    let pairs: Vec<(usize, usize)> = examples
        .iter()
        .zip(scores)
        .filter_map(|(e, s)| Some((e.urgency?, answer(e, s))))
        .collect();
    for (at, urgency) in Urgency::ALL.iter().enumerate() {
        let labelled = pairs.iter().filter(|(label, _)| *label == at).count();
        let answered = pairs.iter().filter(|(_, a)| *a == at).count();
        let right = pairs
            .iter()
            .filter(|(label, a)| *label == at && *a == at)
            .count();
        let share = |whole: usize| right as f64 / whole.max(1) as f64;
        let _ = writeln!(
            out,
            "| {} | {labelled} | {:.3} | {:.3} |",
            urgency.as_str(),
            share(labelled),
            share(answered)
        );
    }
}

fn weakest(out: &mut String, examples: &[Example], answers: &[Scored]) {
    let mut sources: BTreeMap<&str, (usize, usize, [usize; 5])> = BTreeMap::new();
    for (example, answer) in examples.iter().zip(answers) {
        let entry = sources.entry(&example.group).or_default();
        entry.0 += 1;
        entry.1 += usize::from(answer.answered == answer.label);
        entry.2[answer.answered as usize] += 1;
    }
    let mut order: Vec<_> = sources
        .iter()
        .filter(|(_, (all, _, _))| *all >= 10)
        .collect();
    order.sort_by(|a, b| (a.1.1 * b.1.0).cmp(&(b.1.1 * a.1.0)).then(a.0.cmp(b.0)));
    let _ = writeln!(
        out,
        "\nWeakest sources (right of all; answers Lead, Case, Contact, Opportunity, None):\n"
    );
    for (source, (all, right, answered)) in order.into_iter().take(25) {
        let _ = writeln!(out, "- {source}: {right} of {all}; {answered:?}");
    }
}
