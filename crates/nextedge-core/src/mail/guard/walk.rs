//! Follows the MIME grammar of the parser and counts.

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, Header, HeaderName, HeaderValue};
use memchr::memmem;

use super::{GuardFault, GuardLimits, Survey};
use crate::mail::parser::MIME;
use crate::mail::work;

/// Counters over one mail and the messages in it.
pub(super) struct Walk<'a> {
    limits: &'a GuardLimits,
    survey: Survey,
    lost_boundaries: usize,
    parameters: usize,
}

/// What encloses the part being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Message,
    Digest,
    Multipart,
}

/// One open multipart or message, as the parser keeps it on its own stack.
struct Level {
    around: Around,
    boundary: Option<Vec<u8>>,
    /// It was left for a nested message, not for a multipart.
    holds_message: bool,
}

/// What a part's headers make of it.
enum Part {
    Multipart(Around, Vec<u8>),
    Message(Encoding),
    Leaf,
}

#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Base64,
    QuotedPrintable,
}

impl<'a> Walk<'a> {
    pub(super) fn new(limits: &'a GuardLimits) -> Self {
        Self {
            limits,
            survey: Survey::default(),
            lost_boundaries: 0,
            parameters: 0,
        }
    }

    pub(super) fn survey(&self) -> Survey {
        self.survey
    }

    /// Walks one message; `outside` levels enclose it, `encoded` of them had to be decoded.
    pub(super) fn message(
        &mut self,
        data: &[u8],
        outside: usize,
        encoded: usize,
    ) -> Result<(), GuardFault> {
        let mut stack = Vec::new();
        let mut level = Level {
            around: Around::Message,
            boundary: None,
            holds_message: false,
        };
        let mut at = 0;
        loop {
            let Some((part, body)) = self.headers(data, at, level.around)? else {
                return Ok(());
            };
            at = body;
            self.count_part()?;
            match part {
                Part::Multipart(around, boundary) => {
                    if let Some(next) = self.enter_multipart(data, at, &boundary)? {
                        at = next;
                        level.holds_message = false;
                        stack.push(level);
                        level = Level {
                            around,
                            boundary: Some(boundary),
                            holds_message: false,
                        };
                        self.count_level(outside + stack.len())?;
                        continue;
                    }
                }
                Part::Message(Encoding::Plain) => {
                    let boundary = level.boundary.take();
                    level.holds_message = true;
                    stack.push(level);
                    level = Level {
                        around: Around::Message,
                        boundary,
                        holds_message: false,
                    };
                    self.count_level(outside + stack.len())?;
                    continue;
                }
                Part::Message(encoding) => {
                    let boundary = level.boundary.as_deref().unwrap_or_default();
                    let inner = (outside + stack.len() + 1, encoded + 1);
                    self.encoded_message(&data[at..], boundary, encoding, inner)?;
                }
                Part::Leaf => (),
            }
            match self.leave(data, at, &mut level, &mut stack) {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    /// Reads a header block; none where the parser would stop.
    fn headers(
        &mut self,
        data: &[u8],
        at: usize,
        around: Around,
    ) -> Result<Option<(Part, usize)>, GuardFault> {
        let block = header_block(&data[at..], self.limits.header_bytes)?;
        work::count(block.len());
        self.count_parameters(block)?;
        let mut stream = MessageStream::new(block);
        let mut headers = Vec::new();
        let complete = stream.parse_headers(&MIME, &mut headers);
        if headers.len() > self.limits.header_fields {
            return Err(GuardFault::HeaderFields);
        }
        // The parser makes a part of headers that end with the mail, too.
        if !complete && !headers.is_empty() {
            self.count_part()?;
        }
        Ok(complete.then(|| (part_of(&headers, around), at + stream.offset())))
    }

    /// Returns where the first part starts; none if the boundary never comes.
    fn enter_multipart(
        &mut self,
        data: &[u8],
        at: usize,
        boundary: &[u8],
    ) -> Result<Option<usize>, GuardFault> {
        if !boundary.is_empty() {
            if let Some(next) = after_delimiter(data, at, boundary) {
                return Ok(Some(skip_line_end(data, next)));
            }
            self.lost_boundaries += 1;
            if self.lost_boundaries > self.limits.lost_boundaries {
                return Err(GuardFault::LostBoundaries);
            }
        }
        Ok(None)
    }

    fn encoded_message(
        &mut self,
        body: &[u8],
        boundary: &[u8],
        encoding: Encoding,
        (outside, encoded): (usize, usize),
    ) -> Result<(), GuardFault> {
        if encoded > self.limits.encoded_nesting {
            return Err(GuardFault::EncodedNesting);
        }
        self.count_level(outside)?;
        let mut stream = MessageStream::new(body);
        let (end, bytes) = match encoding {
            Encoding::Plain => return Ok(()),
            Encoding::Base64 => stream.decode_base64_mime(boundary),
            Encoding::QuotedPrintable => stream.decode_quoted_printable_mime(boundary),
        };
        work::count(end.min(body.len()));
        // The parser marks a part that it cannot decode this way and keeps it as text.
        if end == usize::MAX {
            return Ok(());
        }
        self.message(&bytes, outside, encoded)
    }

    /// Skips a part's body and closes what ends there; none at the end of the mail.
    fn leave(
        &self,
        data: &[u8],
        at: usize,
        level: &mut Level,
        stack: &mut Vec<Level>,
    ) -> Option<usize> {
        let mut at = after_delimiter(data, at, level.boundary.as_deref()?)?;
        loop {
            if level.around == Around::Message {
                let outer = stack.pop().filter(|outer| outer.holds_message)?;
                let inner = std::mem::replace(level, outer);
                level.boundary = inner.boundary;
            }
            let (ended, next) = multipart_end(data, at);
            if !ended {
                return Some(next);
            }
            *level = stack.pop()?;
            at = after_delimiter(data, next, level.boundary.as_deref()?)?;
        }
    }

    fn count_part(&mut self) -> Result<(), GuardFault> {
        self.survey.parts += 1;
        if self.survey.parts > self.limits.parts {
            return Err(GuardFault::Parts);
        }
        Ok(())
    }

    fn count_level(&mut self, levels: usize) -> Result<(), GuardFault> {
        self.survey.nesting = self.survey.nesting.max(levels);
        if levels > self.limits.nesting {
            return Err(GuardFault::Nesting);
        }
        Ok(())
    }

    /// Parameter continuations cost the parser the square of their number.
    fn count_parameters(&mut self, block: &[u8]) -> Result<(), GuardFault> {
        if memchr::memchr(b'*', block).is_some() {
            let separators = memchr::memchr_iter(b';', block).count();
            let stars = memchr::memchr_iter(b'*', block).count();
            self.parameters += separators.min(stars);
        }
        if self.parameters > self.limits.parameters {
            return Err(GuardFault::Parameters);
        }
        Ok(())
    }
}

/// Cuts out a header block with the empty line that ends it, or all that is left.
///
/// An exact empty line always ends the parser's block; it may end earlier, never later.
fn header_block(data: &[u8], limit: usize) -> Result<&[u8], GuardFault> {
    let window = &data[..data.len().min(limit + 1)];
    let mut line = 0;
    for end in memchr::memchr_iter(b'\n', window) {
        if matches!(&window[line..end], b"" | b"\r") {
            return Ok(&window[..=end]);
        }
        line = end + 1;
    }
    if data.len() > limit {
        return Err(GuardFault::HeaderBytes);
    }
    Ok(window)
}

fn part_of(headers: &[Header<'_>], around: Around) -> Part {
    let content_type = mime_header(headers, &HeaderName::ContentType).and_then(as_content_type);
    let Some(content_type) = content_type else {
        return match around {
            Around::Digest => Part::Message(encoding_of(headers)),
            Around::Message | Around::Multipart => Part::Leaf,
        };
    };
    match (content_type.ctype(), content_type.subtype()) {
        ("multipart", subtype) => match content_type.attribute("boundary") {
            Some(boundary) => {
                let around = match subtype {
                    Some("digest") => Around::Digest,
                    _ => Around::Multipart,
                };
                Part::Multipart(around, boundary.as_bytes().to_vec())
            }
            None => Part::Leaf,
        },
        ("message", Some("rfc822" | "global")) => Part::Message(encoding_of(headers)),
        _ => Part::Leaf,
    }
}

fn encoding_of(headers: &[Header<'_>]) -> Encoding {
    match mime_header(headers, &HeaderName::ContentTransferEncoding) {
        Some(HeaderValue::Text(name)) if name.eq_ignore_ascii_case("base64") => Encoding::Base64,
        Some(HeaderValue::Text(name)) if name.eq_ignore_ascii_case("quoted-printable") => {
            Encoding::QuotedPrintable
        }
        _ => Encoding::Plain,
    }
}

/// The last of several equal headers counts, as it does for the parser.
fn mime_header<'h, 'x>(
    headers: &'h [Header<'x>],
    name: &HeaderName<'_>,
) -> Option<&'h HeaderValue<'x>> {
    headers
        .iter()
        .rev()
        .find(|header| header.name == *name)
        .map(|header| &header.value)
}

fn as_content_type<'h, 'x>(value: &'h HeaderValue<'x>) -> Option<&'h ContentType<'x>> {
    match value {
        HeaderValue::ContentType(content_type) => Some(content_type),
        _ => None,
    }
}

/// Returns the position behind the next `--boundary`, wherever in a line it stands.
fn after_delimiter(data: &[u8], at: usize, boundary: &[u8]) -> Option<usize> {
    if boundary.is_empty() {
        return None;
    }
    let mut delimiter = Vec::with_capacity(boundary.len() + 2);
    delimiter.extend_from_slice(b"--");
    delimiter.extend_from_slice(boundary);
    let rest = data.get(at..)?;
    let found = memmem::find(rest, &delimiter);
    work::count(found.unwrap_or(rest.len()));
    let found = found?;
    Some(at + found + delimiter.len())
}

/// Tells whether a closing `--` follows a delimiter, and where reading goes on.
fn multipart_end(data: &[u8], at: usize) -> (bool, usize) {
    match data.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => (false, at + 2),
        [b'-', b'-', ..] => (true, at + 2),
        [b'\n', ..] => (false, at + 1),
        [space, ..] if space.is_ascii_whitespace() => (false, skip_line_end(data, at + 1)),
        _ => (false, at),
    }
}

fn skip_line_end(data: &[u8], mut at: usize) -> usize {
    while let Some(byte) = data.get(at) {
        match byte {
            b'\r' | b' ' | b'\t' => at += 1,
            b'\n' => return at + 1,
            _ => break,
        }
    }
    at
}
