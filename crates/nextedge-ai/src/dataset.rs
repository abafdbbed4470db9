//! Reads labelled mails, one JSON object a line, for training and evaluation.

use std::borrow::Cow;

use nextedge_core::classify::{ClassifyRequest, Signals};
use nextedge_core::{Category, EmailAddress, Error, ErrorKind, Result, Urgency};
use serde::Deserialize;

/// One mail of a data file; fields that a file does not know are empty.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Names the row in predictions and reports.
    pub id: String,
    /// The `From` header as written.
    #[serde(default)]
    pub from: String,
    /// The decoded subject.
    #[serde(default)]
    pub subject: String,
    /// The decoded text, quoted history included.
    #[serde(default)]
    pub body: String,
    /// The right category, if known.
    #[serde(default)]
    pub label: Option<Category>,
    /// The right urgency, if known.
    #[serde(default)]
    pub urgency: Option<Urgency>,
    /// What made the row, such as a template; rows of one source are never split.
    #[serde(default)]
    pub source: String,
    /// Facts beside the text, if the file knows them.
    #[serde(default)]
    pub signals: Signals,
}

impl Row {
    /// Starts a row without labels.
    pub fn new(id: impl Into<String>, subject: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            from: String::new(),
            subject: subject.into(),
            body: body.into(),
            label: None,
            urgency: None,
            source: String::new(),
            signals: Signals::default(),
        }
    }

    /// Reads one line of a data file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] with the line number if it is no such object; nothing of the
    /// content is repeated.
    pub fn parse(line: &str, number: usize) -> Result<Self> {
        serde_json::from_str(line).map_err(|e| {
            Error::new(ErrorKind::Invalid, "the row is not a mail object")
                .with_context("line", number)
                .with_context("column", e.column())
                .with_context("problem", problem(&e))
                .with_action("give one JSON object a line with id, from, subject and body as text")
        })
    }

    /// Returns the sender's address, if the `From` header holds one.
    #[must_use]
    pub fn sender(&self) -> Option<EmailAddress> {
        let address = self
            .from
            .rsplit_once('<')
            .map_or(self.from.as_str(), |(_, a)| a);
        EmailAddress::parse(address.trim_end_matches('>').trim()).ok()
    }

    /// Returns what a classifier may see of this mail.
    #[must_use]
    pub fn request(&self) -> ClassifyRequest {
        ClassifyRequest::new(self.subject.clone(), self.new_text())
            .with_sender(self.sender())
            .with_signals(self.signals)
    }

    /// Returns the text without quoted history.
    #[must_use]
    pub fn new_text(&self) -> Cow<'_, str> {
        new_text(&self.body)
    }
}

/// Says what is wrong with a row without repeating its content.
fn problem(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a field is missing or has a wrong value",
        serde_json::error::Category::Eof => "the line ends early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "no valid JSON",
    }
}

/// Removes quoted history: marked lines, their attribution, and all below a quote head.
///
/// A mail that holds nothing else is returned whole.
#[must_use]
pub fn new_text(body: &str) -> Cow<'_, str> {
    let is_quote = |line: &&str| line.starts_with('>') || is_attribution(line);
    if !body.lines().any(|line| is_quote(&line) || is_head(line)) {
        return Cow::Borrowed(body);
    }
    let mut own = String::with_capacity(body.len());
    for line in body
        .lines()
        .take_while(|line| !is_head(line))
        .filter(|line| !is_quote(line))
    {
        own.push_str(line);
        own.push('\n');
    }
    if own.trim().is_empty() {
        Cow::Borrowed(body)
    } else {
        Cow::Owned(own)
    }
}

fn is_attribution(line: &str) -> bool {
    let line = line.trim();
    line.len() < 200 && ATTRIBUTIONS.iter().any(|end| line.ends_with(end))
}

fn is_head(line: &str) -> bool {
    let line = line.trim().trim_matches('-').trim();
    HEADS.iter().any(|head| line.eq_ignore_ascii_case(head))
}

const ATTRIBUTIONS: &[&str] = &[
    "wrote:",
    "writes:",
    "schrieb:",
    "a écrit :",
    "a écrit:",
    "escribió:",
    "ha scritto:",
    "escreveu:",
    "schreef:",
];
const HEADS: &[&str] = &[
    "Original Message",
    "Ursprüngliche Nachricht",
    "Message d'origine",
    "Mensaje original",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quoted_history_is_removed_and_pure_quotes_are_kept() {
        let cases = [
            ("Yes.\n\nOn Mon, Ann wrote:\n> Could you?\n", "Yes.\n\n"),
            ("> Could you?\nYes.", "Yes.\n"),
            ("Hello\n-----Original Message-----\nFrom: a", "Hello\n"),
            ("> only quoted", "> only quoted"),
            ("plain\ntext", "plain\ntext"),
        ];
        for (body, expected) in cases {
            assert_eq!(new_text(body), expected, "{body}");
        }
    }

    #[test]
    fn a_bad_row_names_its_line_and_repeats_nothing() {
        let error = Row::parse("{\"id\":\"1\",\"label\":\"Secret\"}", 7)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line=7") && !error.contains("Secret"),
            "{error}"
        );
    }

    #[test]
    fn the_sender_is_read_with_and_without_a_name() {
        for from in ["Ann <ann@a.example>", "ann@a.example", "<ann@a.example>"] {
            let row = Row {
                from: from.to_owned(),
                ..Row::new("1", "", "")
            };
            assert_eq!(row.sender().unwrap().as_str(), "ann@a.example");
        }
    }
}
