//! Trains the offline classifier and reports what it is worth on rows it has not seen.

mod corpus;
mod cv;
mod fit;
mod mix;
mod random;
mod report;
mod templates;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nextedge_ai::dataset::Row;
use nextedge_ai::weights::Weights;

use crate::fit::{Example, fit};

#[allow(clippy::print_stdout, clippy::print_stderr)] // a program speaks to its user
fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, Default)]
struct Options {
    data: Vec<PathBuf>,
    templates: Vec<PathBuf>,
    measure: Vec<PathBuf>,
    corpus: Option<PathBuf>,
    out: Option<PathBuf>,
    report: Option<PathBuf>,
    trained: Option<PathBuf>,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = args.next() {
            let value = args
                .next()
                .ok_or_else(|| format!("`{name}` needs a value"))?;
            let path = PathBuf::from(value);
            match name.as_str() {
                "--data" => options.data.push(path),
                "--templates" => options.templates.push(path),
                "--measure" => options.measure.push(path),
                "--corpus" => options.corpus = Some(path),
                "--out" => options.out = Some(path),
                "--report" => options.report = Some(path),
                "--trained" => options.trained = Some(path),
                other => return Err(format!("unknown option `{other}`")),
            }
        }
        let only_lists = options.trained.is_some() && options.corpus.is_some();
        if options.data.is_empty() && options.templates.is_empty() && !only_lists {
            return Err("give at least one `--data` or `--templates` file".to_owned());
        }
        Ok(options)
    }
}

/// Names the corpus mails that stand in the training data, one `folder/file` a line; trains nothing.
fn list_trained(list: &Path, corpus: &Path) -> Result<String, String> {
    let mut trained: Vec<String> = corpus::read(corpus)?
        .train
        .into_iter()
        .map(|row| row.id)
        .collect();
    trained.sort();
    let text: String = trained.iter().map(|id| format!("{id}\n")).collect();
    fs::write(list, text).map_err(|e| format!("{}: {e}", list.display()))?;
    Ok(format!("{} corpus mails are trained on", trained.len()))
}

fn run(options: &Options) -> Result<String, String> {
    if let (Some(list), Some(corpus)) = (&options.trained, &options.corpus) {
        return list_trained(list, corpus);
    }
    let mut rows = Vec::new();
    for path in &options.data {
        rows.extend(read_rows(path)?);
    }
    for path in &options.templates {
        let author = path
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        rows.extend(templates::expand(&read_text(path)?, &author, COPIES)?);
    }
    let corpus = options
        .corpus
        .as_deref()
        .map(corpus::read)
        .transpose()?
        .unwrap_or_default();
    let mut report = String::from(INTRODUCTION);
    let _ = writeln!(
        report,
        "Rows: {} written, {} of the corpus trained on, {} of the corpus never trained on, {} unreadable.\n",
        rows.len(),
        corpus.train.len(),
        corpus.unseen.len(),
        corpus.unreadable
    );
    mix::pad(&mut rows, &corpus.train);
    rows.extend(corpus.train);
    let mut examples: Vec<Example> = rows.iter().filter_map(Example::of).collect();
    balance(&mut examples);
    let fold_of = cv::folds(&examples, FOLDS);
    let scores = cv::out_of_fold(&examples, &fold_of, FOLDS);
    let calibration = cv::calibrate(&examples, &scores);
    report::cross_validation(&mut report, &examples, &scores, &calibration);

    let all: Vec<usize> = (0..examples.len()).collect();
    let linear = fit(&examples, &all);
    let unseen: Vec<Example> = corpus.unseen.iter().filter_map(Example::of).collect();
    report::foreign(
        &mut report,
        "Corpus rows never trained on",
        &unseen,
        &linear,
        &calibration,
    );
    for path in &options.measure {
        let rows: Vec<Example> = read_rows(path)?.iter().filter_map(Example::of).collect();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        report::foreign(&mut report, &name, &rows, &linear, &calibration);
    }
    if let Some(path) = &options.out {
        let weights = Weights::quantise(&linear.weights, linear.bias, calibration)
            .map_err(|e| e.to_string())?;
        fs::write(path, weights.encode()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    if let Some(path) = &options.report {
        fs::write(path, &report).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(report)
}

/// Gives the five categories like weight, so that the many `None` rows do not win by number.
fn balance(examples: &mut [Example]) {
    let mut sums = [0.0_f32; 5];
    for example in &*examples {
        sums[example.label] += 1.0;
    }
    let mean = sums.iter().sum::<f32>() / 5.0;
    for example in examples {
        example.weight = mean / sums[example.label];
    }
}

fn read_rows(path: &Path) -> Result<Vec<Row>, String> {
    let text = read_text(path)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let row = |(i, line): (usize, &str)| {
        Row::parse(line, i + 1).map_err(|e| format!("{}: {e}", path.display()))
    };
    lines.map(row).collect()
}

fn read_text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

const INTRODUCTION: &str = "\
# What the offline classifier is worth

Written by `scripts/train`; every number below is measured, none is chosen.

- Folds are split by source: all rows of one template, or all corpus mails of one sending domain,
  are on one side. Rows of one template are near copies, so a random split would flatter.
- The rows were written by few people, and the lexicon was written with the first author's
  templates in view, so mail of other people will be answered worse than `all` says. The lines of
  authors `d` and `e`, long and free prose, are the better guess.
- Lead, Opportunity and Contact are written rows only. The real mail is from 2002 and English. Real
  rows labelled Case are first questions to technical lists, chosen by a rule that is often wrong.
- The confidence is calibrated on the same out-of-fold answers that are reported here, by a curve
  of at most twenty points; authors weigh by the root of their rows. It never exceeds the cap.

";
const FOLDS: usize = 5;
const COPIES: usize = 14;
const USAGE: &str = "usage: train [--data FILE.jsonl]... [--templates FILE.txt]... [--corpus FOLDER] \
[--measure FILE.jsonl]... [--out WEIGHTS] [--report REPORT.md]\n\
       train --corpus FOLDER --trained LIST";
