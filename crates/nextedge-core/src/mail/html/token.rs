//! Splits HTML into tags and text in one pass over the bytes, whatever is broken in it.

use crate::mail::work;

/// One piece of an HTML text.
pub(super) enum Token<'a> {
    /// Text with entities.
    Text(&'a str),
    /// A start tag.
    Start(Tag<'a>),
    /// An end tag's lower-case name.
    End(String),
    /// The content of an element that is not text, such as a script.
    Raw { element: String, content: &'a str },
    /// A comment, declaration or processing instruction.
    Other,
}

/// A start tag.
pub(super) struct Tag<'a> {
    /// Lower case.
    pub(super) name: String,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// Iterates over names as written and raw values.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes {
            rest: self.attributes,
        }
    }
}

/// Yields the tokens of an HTML text.
pub(super) struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// An element whose content follows and is not markup.
    raw: Option<String>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(html: &'a str) -> Self {
        Self {
            html,
            at: 0,
            raw: None,
        }
    }

    fn take(&mut self, end: usize) -> &'a str {
        let piece = self.html.get(self.at..end).unwrap_or_default();
        work::count(piece.len());
        self.at = end;
        piece
    }

    fn tag_end(&self, from: usize) -> usize {
        let bytes = self.html.as_bytes();
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'>' => return at + 1,
                // A quote opens a value only behind an equals sign.
                b'"' | b'\'' if opens_value(&bytes[from..at]) => {
                    match memchr::memchr(byte, &bytes[at + 1..]) {
                        Some(found) => at += found + 2,
                        None => return bytes.len(),
                    }
                }
                _ => at += 1,
            }
        }
        bytes.len()
    }

    fn raw_content(&mut self, element: String) -> Token<'a> {
        let bytes = self.html.as_bytes();
        let mut from = self.at;
        let end = loop {
            let Some(found) = memchr::memmem::find(&bytes[from..], b"</") else {
                break bytes.len();
            };
            let start = from + found;
            let name = &bytes[start + 2..bytes.len().min(start + 2 + element.len())];
            if name.eq_ignore_ascii_case(element.as_bytes()) {
                break start;
            }
            from = start + 2;
        };
        let content = self.take(end);
        Token::Raw { element, content }
    }

    fn markup(&mut self, rest: &'a [u8]) -> Option<Token<'a>> {
        match rest {
            [b'<', b'!', b'-', b'-', ..] => {
                let from = self.at + 4;
                let close = memchr::memmem::find(&self.html.as_bytes()[from..], b"-->");
                self.at = close.map_or(self.html.len(), |found| from + found + 3);
                work::count(self.at + 4 - from);
                Some(Token::Other)
            }
            [b'<', b'!' | b'?', ..] => {
                let close = memchr::memchr(b'>', rest);
                self.at = close.map_or(self.html.len(), |found| self.at + found + 1);
                Some(Token::Other)
            }
            [b'<', b'/', letter, ..] if letter.is_ascii_alphabetic() => {
                let end = self.tag_end(self.at + 2);
                let inside = self.take(end);
                Some(Token::End(name_of(&inside[2..]).to_ascii_lowercase()))
            }
            [b'<', letter, ..] if letter.is_ascii_alphabetic() => {
                let end = self.tag_end(self.at + 1);
                let inside = &self.take(end)[1..];
                let name = name_of(inside);
                let attributes = inside[name.len()..].trim_end_matches('>');
                let name = name.to_ascii_lowercase();
                if RAW_ELEMENTS.contains(&name.as_str()) {
                    self.raw = Some(name.clone());
                }
                Some(Token::Start(Tag { name, attributes }))
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(element) = self.raw.take() {
            return Some(self.raw_content(element));
        }
        let rest = &self.html.as_bytes()[self.at..];
        if rest.is_empty() {
            return None;
        }
        let skip = usize::from(rest[0] == b'<');
        if skip == 1
            && let Some(token) = self.markup(rest)
        {
            return Some(token);
        }
        let text = memchr::memchr(b'<', &rest[skip..]).map_or(rest.len(), |found| found + skip);
        Some(Token::Text(self.take(self.at + text)))
    }
}

/// Yields the attributes of a start tag: name as written, value without quotes, entities kept.
pub(super) struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let rest = self
            .rest
            .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/' || c == '=');
        if rest.is_empty() {
            self.rest = "";
            return None;
        }
        let name_len = rest
            .find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '/')
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_len);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            self.rest = after;
            return Some((name, ""));
        };
        let value = value.trim_start();
        let (value, after) = match value.as_bytes().first() {
            Some(&quote @ (b'"' | b'\'')) => {
                let quote = char::from(quote);
                value[1..].split_once(quote).unwrap_or((&value[1..], ""))
            }
            _ => value.split_at(
                value
                    .find(|c: char| c.is_ascii_whitespace())
                    .unwrap_or(value.len()),
            ),
        };
        work::count(rest.len() - after.len());
        self.rest = after;
        Some((name, value))
    }
}

fn name_of(inside: &str) -> &str {
    let end = inside
        .find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>')
        .unwrap_or(inside.len());
    &inside[..end]
}

fn opens_value(before: &[u8]) -> bool {
    let last = before.iter().rev().take(MAX_SPACES_IN_TAG);
    last.copied().find(|byte| !byte.is_ascii_whitespace()) == Some(b'=')
}

/// Elements whose content is not markup and that a person does not read as text.
const RAW_ELEMENTS: &[&str] = &[
    "script", "style", "title", "textarea", "noscript", "iframe", "noembed", "noframes", "xmp",
];

/// White space between an attribute's equals sign and its value that is looked through; more than
/// any mailer writes, and few enough to keep a tag of spaces linear.
const MAX_SPACES_IN_TAG: usize = 16;
