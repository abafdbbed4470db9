//! What is learned about a mail while its bytes stream by.

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::domain::Labels;
use crate::mail::parse::{hex, parse_ids, received_date};
use crate::mail::words::{decode_header, decode_unnamed};
use crate::source::shared_hint;

/// Hashes a mail, counts it and keeps its start.
pub(super) struct Collector {
    hash: Sha256,
    size: u64,
    kept: Vec<u8>,
    keep: usize,
}

impl Collector {
    /// Starts a mail of which the first `keep` bytes stay in memory.
    pub(super) fn keeping(keep: usize) -> Self {
        Self {
            hash: Sha256::new(),
            size: 0,
            kept: Vec::new(),
            keep,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        let room = self.keep.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
    }

    pub(super) fn finish(self) -> Collected {
        Collected {
            id: hex(&self.hash.finalize()[..16]),
            size: self.size,
            kept: self.kept,
        }
    }
}

/// A mail that streamed by.
pub(super) struct Collected {
    /// The hash of all its bytes.
    pub(super) id: String,
    pub(super) size: u64,
    pub(super) kept: Vec<u8>,
}

/// What the header block tells a listing.
#[derive(Default)]
pub(super) struct Hints {
    /// The topmost Received date.
    pub(super) received_at: Option<Timestamp>,
    /// The first References id, else the In-Reply-To id, else the own Message-ID.
    pub(super) thread: Option<String>,
    /// What an exporter noted above the mail's own fields: a correspondent cannot write there.
    pub(super) labels: Vec<String>,
}

impl Hints {
    pub(super) fn of(head: &[u8]) -> Self {
        let mut hints = Self::default();
        let (mut received, mut message_id, mut answered) = (None, None, None);
        let mut exported = true;
        for (name, value) in (Fields { rest: head }) {
            exported &= name.len() > 2 && name[..2].eq_ignore_ascii_case(b"x-");
            if exported && name.eq_ignore_ascii_case(b"x-gmail-labels") {
                hints
                    .labels
                    .extend(label_list(&decode_header(&decode_unnamed(value))));
            } else if exported && name.eq_ignore_ascii_case(b"x-folder") {
                hints.labels.push(decode_header(&decode_unnamed(value)));
            }
            if name.eq_ignore_ascii_case(b"received") && received.is_none() {
                received = Some(received_date(&decode_unnamed(value)));
            } else if name.eq_ignore_ascii_case(b"references") && hints.thread.is_none() {
                hints.thread = parse_ids(&decode_unnamed(value)).into_iter().next();
            } else if name.eq_ignore_ascii_case(b"in-reply-to") && answered.is_none() {
                answered = parse_ids(&decode_unnamed(value)).into_iter().next();
            } else if name.eq_ignore_ascii_case(b"message-id") && message_id.is_none() {
                message_id = parse_ids(&decode_unnamed(value)).into_iter().next();
            }
        }
        hints.received_at = received.flatten();
        let root = hints.thread.or(answered).or(message_id);
        hints.thread = root.map(|id| shared_hint(&id));
        hints
    }
}

/// Splits labels at commas; a label with a comma stands in quotes.
fn label_list(text: &str) -> Vec<String> {
    let mut labels = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted && labels.len() <= Labels::MAX => labels.push(String::new()),
            c => {
                if let Some(label) = labels.last_mut() {
                    label.push(c);
                }
            }
        }
    }
    labels
}

/// Tells whether a line starts a header field.
pub(super) fn is_field(line: &[u8]) -> bool {
    field_name(line).is_some()
}

/// Tells whether a block of lines holds a field that only mail has.
pub(super) fn looks_like_mail(head: &[u8]) -> bool {
    let mut fields = Fields { rest: head }.take(MAX_SNIFFED_FIELDS);
    fields.any(|(name, _)| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        MAIL_FIELDS.contains(&name.as_str())
    })
}

fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', &line[..line.len().min(MAX_NAME_BYTES)])?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

/// Yields the fields of a header block with folded values; stops at the empty line.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.rest;
            let line = self.line()?;
            if line.trim_ascii().is_empty() {
                return None;
            }
            let Some(name) = field_name(line) else {
                continue;
            };
            let mut len = line.len();
            while self
                .rest
                .first()
                .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
            {
                len += self.line()?.len();
            }
            let colon = memchr::memchr(b':', line)?;
            return Some((name, &start[colon + 1..len]));
        }
    }
}

impl<'a> Fields<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(line)
    }
}

const MAX_NAME_BYTES: usize = 200;
const MAX_SNIFFED_FIELDS: usize = 100;

const MAIL_FIELDS: &[&str] = &[
    "from",
    "to",
    "subject",
    "date",
    "received",
    "message-id",
    "return-path",
    "delivered-to",
    "mime-version",
    "reply-to",
    "x-original-to",
    "envelope-to",
];
