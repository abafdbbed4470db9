//! What stands below the new text: signatures and disclaimers.

use super::Lines;
use super::labels::{CLOSINGS, DISCLAIMERS, MOBILE};
use crate::mail::model::Role;

/// Marks signatures and disclaimers inside each run of new lines.
pub(super) fn mark(lines: &Lines<'_>, roles: &mut [Role]) {
    let mut at = 0;
    while at < roles.len() {
        if roles[at] != Role::New {
            at += 1;
            continue;
        }
        let end = roles[at..].iter().position(|role| *role != Role::New);
        let end = end.map_or(roles.len(), |len| at + len);
        mark_region(lines, at, end, roles);
        at = end;
    }
}

fn mark_region(lines: &Lines<'_>, start: usize, end: usize, roles: &mut [Role]) {
    let mut end = end;
    if let Some(at) = disclaimer_start(lines, start, end) {
        roles[at..end].fill(Role::Disclaimer);
        end = at;
    }
    if let Some(at) = signature_start(lines, start, end) {
        roles[at..end].fill(Role::Signature);
    }
}

/// A paragraph that starts as disclaimers do, near the end and below other text.
fn disclaimer_start(lines: &Lines<'_>, start: usize, end: usize) -> Option<usize> {
    let first_filled = lines.next_filled(start);
    let from = end.saturating_sub(MAX_DISCLAIMER_LINES).max(start);
    (from..end).find(|at| {
        let opens = *at > first_filled && (lines.is_blank(at - 1) || is_rule(lines.get(at - 1)));
        opens && starts_disclaimer(lines.get(*at))
    })
}

fn starts_disclaimer(line: &str) -> bool {
    let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '-'));
    let line = line.to_lowercase();
    // A short line with such words may be a person's own sentence; a disclaimer is long or a title.
    let long = line.chars().count() >= MIN_DISCLAIMER_CHARS;
    let title = line.len() <= 40 && !line.ends_with('?');
    (long || title)
        && DISCLAIMERS.iter().any(|words| line.starts_with(words))
        && (long || is_title(&line))
}

fn is_title(line: &str) -> bool {
    let line = line.trim_end_matches(':');
    matches!(
        line,
        "disclaimer"
            | "confidentiality notice"
            | "confidential"
            | "vertraulichkeitshinweis"
            | "haftungsausschluss"
            | "avis de confidentialité"
            | "aviso legal"
            | "avviso di riservatezza"
            | "aviso de confidencialidad"
    )
}

fn signature_start(lines: &Lines<'_>, start: usize, end: usize) -> Option<usize> {
    dashes(lines, start, end)
        .or_else(|| closing_line(lines, start, end))
        .or_else(|| mobile_line(lines, start, end))
}

/// The standard mark: a line of two dashes.
fn dashes(lines: &Lines<'_>, start: usize, end: usize) -> Option<usize> {
    (start..end).rev().take(MAX_SIGNATURE_LINES).find(|at| {
        let line = lines.get(*at);
        matches!(line.trim_end(), "--" | "—") && lines.next_filled(at + 1) < end
    })
}

/// A closing such as `Best regards` with only few short lines below it.
fn closing_line(lines: &Lines<'_>, start: usize, end: usize) -> Option<usize> {
    let from = end.saturating_sub(MAX_CLOSING_LINES).max(start);
    let short =
        |at: usize| lines.get(at).chars().count() <= MAX_CLOSING_CHARS && !lines.is_long(at);
    (from..end).find(|at| is_closing(lines.get(*at)) && (*at + 1..end).all(short))
}

fn is_closing(line: &str) -> bool {
    let line = line
        .trim()
        .trim_end_matches([',', '.', '!', ';', '。', '、'])
        .trim_end();
    line.len() <= 60 && CLOSINGS.contains(&line.to_lowercase().as_str())
}

/// A line that a phone or an app adds, with nothing but a few short lines below.
fn mobile_line(lines: &Lines<'_>, start: usize, end: usize) -> Option<usize> {
    let from = end.saturating_sub(MAX_MOBILE_LINES).max(start);
    (from..end).find(|at| {
        let line = lines.get(*at).trim().to_lowercase();
        line.len() <= 100 && MOBILE.iter().any(|words| line.starts_with(words))
    })
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '_' | '=' | '*'))
}

const MAX_SIGNATURE_LINES: usize = 40;
const MAX_CLOSING_LINES: usize = 16;
const MAX_CLOSING_CHARS: usize = 90;
const MAX_MOBILE_LINES: usize = 6;
const MAX_DISCLAIMER_LINES: usize = 60;
const MIN_DISCLAIMER_CHARS: usize = 60;
