//! Splits a text into what was newly written and what was carried along, without losing a byte.
//!
//! One pass over the lines; each decision looks at a bounded number of lines ahead, so the time is
//! linear in the text whatever it holds. When in doubt, text counts as new.

pub(crate) mod block;
mod closing;
mod heads;
pub(crate) mod labels;

use super::model::{Role, Segment};
use super::work;

/// Whether history below a header block without words of its own was answered or forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a mail carries history in these two ways
pub enum History {
    /// The mail answers: such history is [`Role::Quoted`].
    #[default]
    Reply,
    /// The mail forwards: such history is [`Role::Forwarded`].
    Forward,
}

/// Segments a text; the ranges follow each other and cover all of it.
///
/// Knows the quote heads of Gmail, Outlook, Apple Mail and Yahoo in English, German, French,
/// Spanish, Italian, Portuguese, Dutch and Japanese, `>` quotes with answers between them,
/// signatures and disclaimers.
///
/// ```
/// use nextedge_core::mail::{History, Role, segment};
///
/// let text = "Yes.\n\nOn Mon, Nov 9, 2026 at 9:14 AM Ada <ada@example.com> wrote:\n> Ready?\n";
/// let segments = segment(text, History::Reply);
/// assert_eq!(&text[segments[0].range.clone()], "Yes.\n\n");
/// assert_eq!(segments[1].role, Role::Quoted);
/// ```
pub fn segment(text: &str, history: History) -> Vec<Segment> {
    let lines = Lines::of(text);
    let mut roles = vec![Role::New; lines.len()];
    mark_history(&lines, history, &mut roles);
    closing::mark(&lines, &mut roles);
    merge(&lines, &roles)
}

/// Marks quoted and forwarded lines.
fn mark_history(lines: &Lines<'_>, history: History, roles: &mut [Role]) {
    let mut at = 0;
    while at < lines.len() {
        if lines.is_quoted(at) {
            at = mark_quote_run(lines, at, at, roles);
        } else if let Some(found) = heads::head_at(lines, at, history) {
            match found.reach {
                heads::Reach::QuoteRun { first } => {
                    at = mark_quote_run(lines, at, first, roles);
                }
                heads::Reach::Rest => {
                    roles[at..].fill(found.role);
                    return;
                }
            }
        } else {
            at += 1;
        }
    }
}

/// Marks from a head to the end of its run of `>` lines; empty lines inside the run belong to it.
fn mark_quote_run(lines: &Lines<'_>, from: usize, first: usize, roles: &mut [Role]) -> usize {
    let mut end = first + 1;
    loop {
        let next = lines.next_filled(end);
        if next >= lines.len() || !lines.is_quoted(next) {
            break;
        }
        end = next + 1;
    }
    roles[from..end].fill(Role::Quoted);
    end
}

/// Joins lines of one role; an empty text has no segment.
fn merge(lines: &Lines<'_>, roles: &[Role]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (at, role) in roles.iter().enumerate() {
        let (start, end) = lines.bytes(at);
        match segments.last_mut() {
            Some(last) if last.role == *role => last.range.end = end,
            _ => segments.push(Segment {
                range: start..end,
                role: *role,
            }),
        }
    }
    segments
}

/// The lines of a text with their byte ranges, line ends included.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// For each line, the next line at or after it that is not blank.
    filled: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        if starts.last() == Some(&text.len()) {
            starts.pop();
        }
        let mut lines = Self {
            text,
            starts,
            filled: Vec::new(),
        };
        let mut filled = vec![lines.len(); lines.len()];
        let mut next = lines.len();
        for at in (0..lines.len()).rev() {
            if !lines.is_blank(at) {
                next = at;
            }
            filled[at] = next;
        }
        lines.filled = filled;
        lines
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns the byte range of a line, its line end included.
    pub(crate) fn bytes(&self, at: usize) -> (usize, usize) {
        let start = self.starts.get(at).copied().unwrap_or(self.text.len());
        let end = self.starts.get(at + 1).copied().unwrap_or(self.text.len());
        (start, end)
    }

    /// Returns the start of a line, long enough for every head and cut for hostile ones.
    pub(crate) fn get(&self, at: usize) -> &'a str {
        let (start, end) = self.bytes(at);
        let line = &self.text[start..end];
        work::count(line.len().min(MAX_LINE_BYTES));
        line[..line.floor_char_boundary(MAX_LINE_BYTES)].trim_end_matches(['\n', '\r'])
    }

    /// Tells whether a line is longer than heads and signatures are.
    pub(crate) fn is_long(&self, at: usize) -> bool {
        let (start, end) = self.bytes(at);
        end - start > MAX_LINE_BYTES
    }

    pub(crate) fn is_blank(&self, at: usize) -> bool {
        !self.is_long(at) && self.get(at).chars().all(char::is_whitespace)
    }

    pub(crate) fn is_quoted(&self, at: usize) -> bool {
        self.get(at)
            .trim_start_matches([' ', '\u{a0}'])
            .starts_with('>')
    }

    /// Returns the first line at or after this one that is not blank, or the number of lines.
    pub(crate) fn next_filled(&self, at: usize) -> usize {
        self.filled.get(at).copied().unwrap_or(self.len())
    }
}

const MAX_LINE_BYTES: usize = 1_000;

#[cfg(test)]
mod tests;
