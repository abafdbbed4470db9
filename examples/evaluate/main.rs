//! Measures a classifier on labelled mails: one JSON object a line in, one prediction a line out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use nextedge_ai::dataset::Row;
use nextedge_ai::metrics::{Metrics, Scored, THRESHOLD};
use nextedge_ai::{OfflineClassifier, RulesClassifier};
use nextedge_core::classify::{Classification, ClassifyRequest};
use nextedge_core::{Category, Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

/// Measures a classifier on mails, one JSON object a line: id, from, subject, body, label.
///
/// Rows without a label are only predicted. A row that cannot be read is named on the standard
/// error with its line; the others are still answered, and the exit status is 1.
#[derive(Debug, Parser)]
#[command(name = "evaluate", version)]
struct Options {
    /// The rows.
    file: PathBuf,
    /// Which classifier answers.
    #[arg(long, value_enum, default_value_t = Choice::Offline)]
    classifier: Choice,
    /// Where to write one prediction a line.
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// Write the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Choice {
    /// The model that is part of the library.
    Offline,
    /// Votes of well-known phrases.
    Rules,
}

enum Subject {
    Offline(OfflineClassifier),
    Rules(RulesClassifier),
}

impl Subject {
    fn new(choice: Choice) -> Result<Self> {
        Ok(match choice {
            Choice::Offline => Self::Offline(OfflineClassifier::embedded()?),
            Choice::Rules => Self::Rules(RulesClassifier::new()),
        })
    }

    fn answer(&self, request: &ClassifyRequest) -> Result<Classification> {
        match self {
            Self::Offline(classifier) => classifier.answer(request),
            Self::Rules(classifier) => classifier.answer(request),
        }
    }
}

/// What became of the rows.
#[derive(Debug, Default)]
struct Outcome {
    predicted: usize,
    refused: usize,
    scored: Vec<Scored>,
}

#[allow(clippy::print_stdout, clippy::print_stderr)] // a program speaks to its user
fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match run(&options) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("{error}");
            if let Some(action) = error.action() {
                eprintln!("{action}");
            }
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{}",
        if options.json {
            summary_json(&outcome)
        } else {
            summary(&outcome)
        }
    );
    if outcome.refused == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "{} of {} rows refused",
        outcome.refused,
        outcome.refused + outcome.predicted
    );
    ExitCode::FAILURE
}

#[allow(clippy::print_stderr)] // names the rows that were refused
fn run(options: &Options) -> Result<Outcome> {
    let file = File::open(&options.file).map_err(|e| file_error(&options.file, &e))?;
    let subject = Subject::new(options.classifier)?;
    let mut out: Box<dyn Write> = match &options.predictions {
        Some(path) => Box::new(BufWriter::new(
            File::create(path).map_err(|e| file_error(path, &e))?,
        )),
        None => Box::new(io::sink()),
    };
    let mut reader = BufReader::new(file);
    let mut outcome = Outcome::default();
    let mut number = 0;
    while let Some(line) = next_line(&mut reader).map_err(|e| file_error(&options.file, &e))? {
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match predict(&subject, &line, number) {
            Ok((row, answer)) => {
                let written = writeln!(out, "{}", prediction(&row, &answer));
                written.map_err(|e| predictions_error(options, &e))?;
                outcome.add(&row, &answer);
            }
            Err(error) => {
                outcome.refused += 1;
                eprintln!("{error}");
            }
        }
    }
    out.flush().map_err(|e| predictions_error(options, &e))?;
    Ok(outcome)
}

/// Reads one line, of which at most [`MAX_LINE_BYTES`] are kept; a longer one is no JSON then.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader
        .by_ref()
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

fn predict(subject: &Subject, line: &[u8], number: usize) -> Result<(Row, Classification)> {
    let text = std::str::from_utf8(line).map_err(|_| {
        Error::new(ErrorKind::Invalid, "the row is not UTF-8").with_context("line", number)
    })?;
    let row = Row::parse(text, number)?;
    let answer = subject.answer(&row.request())?;
    Ok((row, answer))
}

impl Outcome {
    fn add(&mut self, row: &Row, answer: &Classification) {
        self.predicted += 1;
        let (answered, confidence) = answer.top();
        if let Some(label) = row.label {
            self.scored.push(Scored {
                answered,
                confidence: confidence.get(),
                label,
            });
        }
    }
}

fn prediction(row: &Row, answer: &Classification) -> Value {
    let (category, confidence) = answer.top();
    let share = |c: Category| (c.as_str().to_owned(), json!(answer.distribution.of(c)));
    let probabilities: Map<String, Value> = Category::ALL.into_iter().map(share).collect();
    json!({
        "id": row.id,
        "category": category.as_str(),
        "confidence": confidence.get(),
        "probabilities": probabilities,
        "urgency": answer.urgency.as_str(),
    })
}

fn summary(outcome: &Outcome) -> String {
    let m = Metrics::of(&outcome.scored);
    let precision = m
        .precision
        .map_or("no row".to_owned(), |p| format!("{p:.4}"));
    format!(
        "rows               {}\nlabelled           {}\nrefused            {}\naccuracy           {:.4}\n\
         macro-F1           {:.4}\nECE (15 bins)      {:.4}\ncoverage at {THRESHOLD:.2}   {:.4}\n\
         precision at {THRESHOLD:.2}  {precision}",
        outcome.predicted, m.rows, outcome.refused, m.accuracy, m.macro_f1, m.ece, m.coverage
    )
}

fn summary_json(outcome: &Outcome) -> String {
    let m = Metrics::of(&outcome.scored);
    json!({
        "rows": outcome.predicted,
        "labelled": m.rows,
        "refused": outcome.refused,
        "accuracy": m.accuracy,
        "macro_f1": m.macro_f1,
        "ece": m.ece,
        "threshold": THRESHOLD,
        "coverage": m.coverage,
        "precision": m.precision,
    })
    .to_string()
}

fn predictions_error(options: &Options, error: &io::Error) -> Error {
    file_error(
        options.predictions.as_deref().unwrap_or(Path::new("")),
        error,
    )
}

fn file_error(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Invalid, "the file cannot be used")
        .with_context("file", path.display())
        .with_context("problem", error)
        .with_action("give the path of a file of JSON lines, and a writable path for predictions")
}

const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;
