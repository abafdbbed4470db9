//! Reads configuration from TOML; an error names the field, the line and what to write instead.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::nearest::nearest;
use crate::error::{Error, ErrorKind, Result};

/// Reads a value; `what` names the configuration in the error.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::new(ErrorKind::Config, "configuration is too long")
            .with_context("configuration", what)
            .with_context("bytes", text.len())
            .with_action("write at most 1 MiB"));
    }
    toml::from_str(text).map_err(|error| explain(what, text, &error))
}

/// Adds the line where a field stands to an error that was found after reading.
pub(crate) fn located(error: Error, text: &str) -> Error {
    let line = error
        .context("field")
        .and_then(|field| line_of(text, field));
    match line {
        Some(line) => error.with_context("line", line),
        None => error,
    }
}

/// Finds the line of `rules[1].name` or `categories.Lead.threshold`, or of the table around it.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let (mut table, mut counts) = (String::new(), std::collections::BTreeMap::new());
    let mut around = None;
    for (index, row) in text.lines().enumerate() {
        let row = row.trim();
        if let Some(name) = row.strip_prefix("[[").and_then(|row| row.split_once("]]")) {
            let name = name.0.trim().to_owned();
            let count = counts.entry(name.clone()).or_insert(0usize);
            table = format!("{name}[{count}]");
            *count += 1;
        } else if let Some(name) = row.strip_prefix('[').and_then(|row| row.split_once(']')) {
            table = name.0.trim().to_owned();
        }
        let key = row.split_once('=').map_or("", |(key, _)| key.trim());
        let here = match (table.as_str(), key) {
            ("", key) => key.to_owned(),
            (table, "") => table.to_owned(),
            (table, key) => format!("{table}.{key}"),
        };
        if here == field {
            return Some(index + 1);
        }
        if around.is_none() && !here.is_empty() && field.starts_with(&here) && key.is_empty() {
            around = Some(index + 1);
        }
    }
    around
}

/// Writes a value in the form that [`read`] takes.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<String> {
    toml::to_string(value).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "configuration has no TOML form").with_source(error)
    })
}

fn explain(what: &'static str, text: &str, error: &toml::de::Error) -> Error {
    let message = error.message();
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..floor(text, at)].matches('\n').count() + 1;
    let names = quoted(message);
    let mut refused = Error::new(ErrorKind::Config, fault(message))
        .with_context("configuration", what)
        .with_context("field", place(text, line, message, &names))
        .with_context("line", line)
        .with_action(remedy(message, &names));
    if !message.starts_with("unknown") {
        refused = refused.with_context("detail", message);
    }
    refused
}

fn fault(message: &str) -> &'static str {
    match message {
        m if m.starts_with("unknown field") => "unknown field",
        m if m.starts_with("unknown variant") => "unknown value",
        m if m.starts_with("missing field") => "a field is missing",
        m if m.starts_with("invalid type") => "wrong type of value",
        m if m.starts_with("duplicate") => "a field stands twice",
        _ => "value refused",
    }
}

/// Says what to write instead; `names` are the names in back quotes of the message.
fn remedy(message: &str, names: &[&str]) -> String {
    let known = REMEDIES.iter().find(|(fault, _)| message.contains(fault));
    if let Some((_, remedy)) = known {
        return (*remedy).to_owned();
    }
    let Some((found, valid)) = names.split_first() else {
        return match message.rsplit_once("expected ") {
            Some((_, expected)) => format!("write {}", in_words(expected)),
            None => "correct the value as the detail says".to_owned(),
        };
    };
    if message.starts_with("missing field") {
        return format!("add `{found} = …`");
    }
    if message.starts_with("duplicate") {
        return format!("write `{found}` once");
    }
    let meant = match nearest(found, valid.iter().copied()) {
        Some(meant) => return format!("write `{meant}` instead of `{found}`"),
        None if valid.is_empty() => return format!("remove `{found}`"),
        None => valid,
    };
    format!("write one of `{}`", meant.join("`, `"))
}

/// Says what serde's name of a type means.
fn in_words(expected: &str) -> &str {
    match expected {
        "f64" | "f32" => "a number such as 0.8",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number of 0 or more",
        "a boolean" => "`true` or `false`",
        "a string" => "a text in quotes",
        "a sequence" => "a list in brackets, such as `[\"a\", \"b\"]`",
        other => other,
    }
}

/// Returns the texts between back quotes.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// Returns the dotted path of the field on a line: the table above it and the key before `=`.
fn place(text: &str, line: usize, message: &str, names: &[&str]) -> String {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let header = |row: &&str| row.trim_start().starts_with('[') && !row.contains('=');
    let table = lines.iter().rev().find(|row| header(row)).map(|row| {
        let end = row.find(']').unwrap_or(row.len());
        row[..end].trim().trim_matches(['[', ']']).trim()
    });
    let key = lines.last().and_then(|row| row.split_once('='));
    let mut parts: Vec<&str> = table.into_iter().collect();
    parts.extend(key.map(|(key, _)| key.trim().trim_matches('"')));
    let names_its_own_key = ["unknown field", "missing field"]
        .iter()
        .any(|start| message.starts_with(start));
    match names.first() {
        Some(name) if names_its_own_key && parts.last() != Some(name) => {
            let already = parts.last().is_some_and(|part| part.ends_with(name));
            if !already {
                parts.push(name);
            }
        }
        _ => {}
    }
    parts.join(".")
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Longest accepted configuration.
const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// What to write where one of our own types refused a value.
const REMEDIES: &[(&str, &str)] = &[
    ("confidence refused", "write a number between 0 and 1"),
    ("time of day refused", "write hours and minutes as `09:30`"),
    (
        "mail address refused",
        "write an address such as `ada@example.com`",
    ),
    (
        "mail domain refused",
        "write a domain such as `example.com`",
    ),
    ("imezone", "write an IANA time zone such as `Europe/Berlin`"),
    (
        "input contains invalid characters",
        "write a date such as `2026-12-25`",
    ),
    ("input is out of range", "write a date such as `2026-12-25`"),
    (
        "premature end of input",
        "write a date such as `2026-12-25`",
    ),
];
