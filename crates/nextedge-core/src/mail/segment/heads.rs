//! Lines above history: attribution lines, separators, header blocks.

use super::block::block_at;
use super::labels::{FORWARDED, ORIGINAL, STARTS, WROTE};
use super::{History, Lines};
use crate::mail::model::Role;

/// A head and how far its history reaches.
pub(super) struct Head {
    pub(super) role: Role,
    pub(super) reach: Reach,
}

/// How far history reaches below a head.
pub(super) enum Reach {
    /// To the end of the run of `>` lines that starts at this line.
    QuoteRun { first: usize },
    /// To the end of the text.
    Rest,
}

/// Recognises a head at this line.
pub(super) fn head_at(lines: &Lines<'_>, at: usize, history: History) -> Option<Head> {
    if lines.is_blank(at) || lines.is_long(at) {
        return None;
    }
    separator(lines, at, history)
        .or_else(|| attribution(lines, at))
        .or_else(|| block_at(lines, at).map(|_| rest(role_of(history))))
}

fn rest(role: Role) -> Head {
    Head {
        role,
        reach: Reach::Rest,
    }
}

fn role_of(history: History) -> Role {
    match history {
        History::Reply => Role::Quoted,
        History::Forward => Role::Forwarded,
    }
}

/// `-----Original Message-----`, `Begin forwarded message:`, or a rule above a header block.
fn separator(lines: &Lines<'_>, at: usize, history: History) -> Option<Head> {
    let line = lines.get(at).trim();
    let ruled = line.starts_with("--") || line.starts_with("__") || line.starts_with("==");
    if !ruled && !line.ends_with([':', '：']) {
        return None;
    }
    let inner = line
        .trim_matches(|c: char| matches!(c, '-' | '_' | '=' | '*' | ' ' | ':' | '：' | '\u{a0}'));
    if inner.is_empty() {
        let next = lines.next_filled(at + 1);
        let rule = ruled && line.len() >= MIN_RULE_BYTES && next <= at + 2;
        return (rule && block_at(lines, next).is_some()).then(|| rest(role_of(history)));
    }
    if inner.len() > MAX_SEPARATOR_BYTES {
        return None;
    }
    let inner = inner.to_lowercase();
    let whole_line = line.ends_with([':', '：']) && below_is_block(lines, at);
    let starts = |words: &[&str]| words.iter().any(|word| inner.starts_with(word));
    if (ruled || whole_line) && starts(FORWARDED) {
        return Some(rest(Role::Forwarded));
    }
    if (ruled || whole_line) && starts(ORIGINAL) {
        return Some(rest(role_of(history)));
    }
    None
}

fn below_is_block(lines: &Lines<'_>, at: usize) -> bool {
    let next = lines.next_filled(at + 1);
    next <= at + 3 && block_at(lines, next).is_some()
}

/// `On … Ada <ada@example.com> wrote:`, wrapped over up to four lines.
fn attribution(lines: &Lines<'_>, at: usize) -> Option<Head> {
    let line = lines.get(at);
    // Every head carries a date in its first line, or ends there.
    if !line.bytes().any(|byte| byte.is_ascii_digit()) && !line.trim_end().ends_with([':', '：']) {
        return None;
    }
    let start = fold(line).to_lowercase();
    let numbered = start.starts_with(|c: char| c.is_ascii_digit());
    if !numbered && !STARTS.iter().any(|word| start.starts_with(word)) {
        return generic_attribution(lines, at, &start);
    }
    let mut joined = String::new();
    for next in at..lines.len().min(at + MAX_HEAD_LINES) {
        if next > at && (lines.is_blank(next) || lines.is_quoted(next)) {
            return None;
        }
        joined.push(' ');
        joined.push_str(&fold(lines.get(next)));
        if joined.len() > MAX_HEAD_BYTES {
            return None;
        }
        if joined.ends_with([':', '：'])
            && let Some(head) = judge(lines, &joined.trim().to_lowercase(), next)
        {
            return Some(head);
        }
    }
    None
}

/// Decides about a joined head that ends with a colon at line `last`.
fn judge(lines: &Lines<'_>, head: &str, last: usize) -> Option<Head> {
    if !has_date(head) {
        return None;
    }
    let addressed = head.contains('@');
    let verb = WROTE.iter().any(|verb| has_verb(head, verb));
    let japanese = head.contains('年') || head.contains('/');
    let below = lines.next_filled(last + 1);
    let quoted_below = below < lines.len() && lines.is_quoted(below) && below <= last + 4;
    if quoted_below && (verb || addressed) {
        return Some(Head {
            role: Role::Quoted,
            reach: Reach::QuoteRun { first: below },
        });
    }
    // Without marks below, only a head with date, address and verb is certain.
    let certain = addressed && (verb || japanese && head.ends_with(">:"));
    (certain && !quoted_below).then(|| rest(Role::Quoted))
}

/// `Ada <ada@example.com> wrote:` right above a quote: no date, but nothing else looks like it.
fn generic_attribution(lines: &Lines<'_>, at: usize, line: &str) -> Option<Head> {
    let below = lines.next_filled(at + 1);
    let quoted_below = below <= at + 2 && below < lines.len() && lines.is_quoted(below);
    let ends = line.ends_with([':', '：']) && line.len() <= MAX_HEAD_BYTES;
    if !quoted_below || !ends {
        return None;
    }
    let verb = WROTE.iter().any(|verb| has_verb(line, verb));
    (verb || line.contains('@') && has_date(line)).then_some(Head {
        role: Role::Quoted,
        reach: Reach::QuoteRun { first: below },
    })
}

/// Finds a verb as a word of its own; Japanese has no word borders.
fn has_verb(head: &str, verb: &str) -> bool {
    if !verb.is_ascii() && verb.chars().all(|c| c as u32 > 0x2e80) {
        return head.contains(verb);
    }
    head.match_indices(verb).any(|(at, _)| {
        let before = head[..at].chars().next_back();
        let after = head[at + verb.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// A time of day, a year, or a numeric date.
fn has_date(head: &str) -> bool {
    let bytes = head.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).any(|at| {
        let pair = |at: usize| digit(at) && digit(at + 1);
        let time = digit(at) && bytes.get(at + 1) == Some(&b':') && pair(at + 2);
        let year = (bytes[at..].starts_with(b"19") || bytes[at..].starts_with(b"20"))
            && pair(at + 2)
            && !digit(at + 4)
            && (at == 0 || !digit(at - 1));
        time || year
    })
}

/// Trims a line and turns each run of spaces, no-break spaces included, into one space.
fn fold(line: &str) -> String {
    line.split(|c: char| c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

const MAX_HEAD_LINES: usize = 4;
const MAX_HEAD_BYTES: usize = 600;
const MAX_SEPARATOR_BYTES: usize = 80;
const MIN_RULE_BYTES: usize = 5;
