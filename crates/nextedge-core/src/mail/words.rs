//! Header text: unfolding, encoded words, and what must not reach a screen or a model.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode_char;

use super::work;

/// Unfolds a raw header value and decodes its encoded words; one line, no control characters.
///
/// Neighbouring encoded words of one charset are joined as bytes first, since mailers cut them in
/// the middle of a character.
pub(crate) fn decode_header(raw: &str) -> String {
    let text = if raw.contains("=?") {
        Cow::Owned(decode_words(raw))
    } else {
        Cow::Borrowed(raw)
    };
    one_line(&text)
}

/// Joins neighbouring encoded words of one charset into one word in UTF-8, for parsers that decode
/// them one by one.
pub(crate) fn join_words(raw: &str) -> Cow<'_, str> {
    if !raw.contains("?=") {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    for piece in Pieces::of(raw) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Words { charset, bytes } => {
                use base64::Engine as _;
                let text = decode_charset(charset, &bytes);
                if out.ends_with("?=") {
                    out.push(' ');
                }
                out.push_str("=?utf-8?B?");
                base64::engine::general_purpose::STANDARD.encode_string(text, &mut out);
                out.push_str("?=");
            }
        }
    }
    Cow::Owned(out)
}

/// Folds white space, drops control characters and characters nobody sees, trims.
pub(crate) fn one_line(text: &str) -> String {
    work::count(text.len());
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c == '\u{0}' {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !c.is_control() && !is_invisible(c) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    if out.starts_with(' ') {
        out.remove(0);
    }
    out
}

/// Tells whether a character takes no room and can hide or reorder text.
///
/// Joiners (U+200C, U+200D) are not among them: emoji and several scripts need them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}'
    )
}

/// Decodes bytes by a charset's name; valid UTF-8 wins over an unknown or missing name.
pub(crate) fn decode_charset(name: &str, bytes: &[u8]) -> String {
    match charset_decoder(name.as_bytes()) {
        Some(decode) => decode(bytes),
        None => decode_unnamed(bytes),
    }
}

/// Decodes bytes without a charset: UTF-8 if they are, else Windows-1252.
pub(crate) fn decode_unnamed(bytes: &[u8]) -> String {
    match (std::str::from_utf8(bytes), charset_decoder(b"windows-1252")) {
        (Ok(text), _) => text.to_owned(),
        (Err(_), Some(decode)) => decode(bytes),
        (Err(_), None) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn decode_words(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for piece in Pieces::of(raw) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Words { charset, bytes } => out.push_str(&decode_charset(charset, &bytes)),
        }
    }
    out
}

enum Piece<'a> {
    Text(&'a str),
    Words { charset: &'a str, bytes: Vec<u8> },
}

/// Splits a value into plain text and runs of encoded words of one charset.
struct Pieces<'a> {
    rest: &'a str,
    /// White space between two encoded words does not count.
    after_words: bool,
}

impl<'a> Pieces<'a> {
    fn of(raw: &'a str) -> Self {
        Self {
            rest: raw,
            after_words: false,
        }
    }

    fn text(&mut self, len: usize) -> Option<Piece<'a>> {
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        let spaces_between_words = self.after_words && text.trim().is_empty() && !rest.is_empty();
        self.after_words = false;
        if spaces_between_words {
            return self.next();
        }
        Some(Piece::Text(text))
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(found) = self.rest[from..].find("=?") {
            let start = from + found;
            if word_at(&self.rest[start..]).is_some() {
                if start > 0 {
                    return self.text(start);
                }
                let (charset, bytes, len) = run_of_words(self.rest)?;
                self.rest = &self.rest[len..];
                self.after_words = true;
                return Some(Piece::Words { charset, bytes });
            }
            from = start + 2;
        }
        self.text(self.rest.len())
    }
}

/// Reads neighbouring words of one charset as one byte sequence.
fn run_of_words(text: &str) -> Option<(&str, Vec<u8>, usize)> {
    let first = word_at(text)?;
    let (charset, mut bytes, mut len) = (first.charset, first.bytes, first.len);
    loop {
        let rest = &text[len..];
        let gap = rest.len() - rest.trim_start().len();
        match word_at(&rest[gap..]) {
            Some(next) if next.charset.eq_ignore_ascii_case(charset) => {
                bytes.extend_from_slice(&next.bytes);
                len += gap + next.len;
            }
            _ => return Some((charset, bytes, len)),
        }
    }
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    len: usize,
}

/// Reads one encoded word; longer ones than mailers write are taken as plain text.
fn word_at(text: &str) -> Option<Word<'_>> {
    let window = &text.as_bytes()[..text.len().min(MAX_WORD_BYTES)];
    let rest = window.strip_prefix(b"=?")?;
    let charset_end = memchr::memchr(b'?', rest)?;
    let charset = std::str::from_utf8(&rest[..charset_end]).ok()?;
    let (encoding, data) = match &rest[charset_end + 1..] {
        [encoding, b'?', data @ ..] => (encoding.to_ascii_lowercase(), data),
        _ => return None,
    };
    let data_end = memchr::memmem::find(data, b"?=");
    work::count(charset_end + data_end.unwrap_or(data.len()));
    let data_end = data_end?;
    let data = &data[..data_end];
    let bytes = match encoding {
        b'b' => base64_decode(data)?,
        b'q' => decode_q(data),
        _ => return None,
    };
    // RFC 2231 lets a language follow the charset.
    let charset = charset.split('*').next().unwrap_or(charset);
    let len = 2 + charset_end + 3 + data_end + 2;
    (!charset.is_empty()).then_some(Word {
        charset,
        bytes,
        len,
    })
}

fn decode_q(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..]) => match quoted_printable_decode_char(*high, *low) {
                Some(decoded) => {
                    out.push(decoded);
                    rest = after;
                }
                None => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    out
}

/// Longest encoded word that is decoded; the standard allows 75.
const MAX_WORD_BYTES: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_and_text_is_kept() {
        for (raw, text) in [
            ("plain", "plain"),
            (" folded\r\n\ttext ", "folded text"),
            (
                "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?B?WsO8cmljaA==?=",
                "Grüße aus Zürich",
            ),
            ("=?utf-8?B?4oI=?=\r\n =?UTF-8?b?rA==?= 5", "€ 5"),
            ("=?iso-8859-1?Q?a?= =?koi8-r?B?yQ==?=", "aи"),
            ("=?utf-8*de?Q?a_b?=", "a b"),
            ("=?broken", "=?broken"),
            ("=?x?z?abc?= d", "=?x?z?abc?= d"),
            ("a\u{202e}b\u{200b}c\u{0}d", "abc d"),
            ("=?utf-8?Q?=?=", "="),
        ] {
            assert_eq!(decode_header(raw), text, "{raw:?}");
        }
    }

    #[test]
    fn joined_words_survive_an_address_parser() {
        let joined = join_words("=?utf-8?B?4oI=?= =?utf-8?B?rA==?= <a@b.example>");
        assert_eq!(joined, "=?utf-8?B?4oKs?= <a@b.example>");
    }

    #[test]
    fn many_broken_words_take_linear_time() {
        let raw = "=?a?q?x".repeat(40_000);
        assert_eq!(decode_header(&raw).len(), raw.len());
    }
}
