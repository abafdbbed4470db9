//! The text of a mail.

use std::borrow::Cow;

use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};

use super::ParseOptions;
use super::attachments::decoded_bytes;
use crate::mail::html::html_to_text;
use crate::mail::model::{Body, Role};
use crate::mail::words::{decode_unnamed, is_invisible};

/// Joins the text parts; HTML stands in where there is no plain text.
pub(super) fn read_body(message: &Message<'_>, raw: &[u8], options: &ParseOptions) -> Body {
    let html = html_part(message, raw);
    let mut body = Body::default();
    let mut reader = TextReader {
        options,
        body: &mut body,
    };
    for part in shown_parts(message) {
        match &part.body {
            PartType::Text(_) => reader.plain(&text_of(part, raw)),
            PartType::Html(_) => reader.html(&text_of(part, raw)),
            _ => (),
        }
    }
    if let Some(html) = &html
        && !has_html(message)
    {
        if reader.body.text.trim().is_empty() {
            // An alternative without words in its plain part, as some mailers send it.
            reader.body.text.clear();
            reader.html(html);
        } else if may_hide(html) {
            // What the unread alternative hides is still worth knowing.
            reader.body.hidden_chars += html_to_text(html, &options.html).hidden_chars;
        }
    }
    body.html = html;
    body
}

/// Names the language of what was newly written, where that is certain enough.
pub(super) fn language_of(body: &Body) -> Option<String> {
    let mut sample = String::new();
    for segment in body
        .segments
        .iter()
        .filter(|segment| segment.role == Role::New)
    {
        let text = body.text.get(segment.range.clone()).unwrap_or_default();
        let room = MAX_LANGUAGE_BYTES.saturating_sub(sample.len());
        sample.push_str(&text[..text.floor_char_boundary(room)]);
    }
    if sample.trim().len() < MIN_LANGUAGE_BYTES {
        return None;
    }
    let found = whatlang::detect(&sample).filter(whatlang::Info::is_reliable)?;
    let code = found.lang().code();
    let known = TWO_LETTER_CODES.iter().find(|(three, _)| *three == code);
    known.map(|(_, two)| (*two).to_owned())
}

struct TextReader<'a> {
    options: &'a ParseOptions,
    body: &'a mut Body,
}

impl TextReader<'_> {
    fn plain(&mut self, text: &str) {
        self.separate();
        let room = self.options.text_bytes.saturating_sub(self.body.text.len());
        let mut rest = &text[..text.floor_char_boundary(room)];
        self.body.text.reserve_exact(rest.len());
        while !rest.is_empty() {
            // Most text is plain ASCII and copied in runs.
            let (plain, after) = rest.split_at(plain_run(rest.as_bytes()));
            self.body.text.push_str(plain);
            let mut chars = after.chars();
            if let Some(c) = chars.next() {
                self.special(c, chars.as_str());
            }
            rest = chars.as_str();
        }
    }

    fn special(&mut self, c: char, after: &str) {
        match c {
            '\r' if after.starts_with('\n') => (),
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => self.body.text.push('\n'),
            c if is_invisible(c) => self.body.hidden_chars += usize::from(reorders_or_tags(c)),
            c if c.is_control() => (),
            c => self.body.text.push(c),
        }
    }

    fn html(&mut self, html: &str) {
        let seen = html_to_text(html, &self.options.html);
        self.body.hidden_chars += seen.hidden_chars;
        self.plain(&seen.text);
    }

    fn separate(&mut self) {
        if !self.body.text.is_empty() && !self.body.text.ends_with('\n') {
            self.body.text.push('\n');
        }
    }
}

/// Counts the plain bytes at the start, whole blocks first: a block is compared at once.
fn plain_run(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(32);
    let whole = blocks.take_while(|block| block.iter().fold(true, |ok, byte| ok & is_plain(*byte)));
    let start = whole.count() * 32;
    let rest = &bytes[start..];
    start
        + rest
            .iter()
            .position(|byte| !is_plain(*byte))
            .unwrap_or(rest.len())
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

/// Direction overrides and tag characters carry text or meaning that a person does not see.
fn reorders_or_tags(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

fn shown_parts<'m, 'x>(message: &'m Message<'x>) -> impl Iterator<Item = &'m MessagePart<'x>> {
    let ids = message.text_body.iter().take(MAX_TEXT_PARTS);
    ids.filter_map(|id| message.parts.get(*id as usize))
}

/// Tells whether the text was taken from HTML.
fn has_html(message: &Message<'_>) -> bool {
    shown_parts(message).any(|part| matches!(part.body, PartType::Html(_)))
}

/// Tells whether HTML has any of the marks that hide text; reading it costs more than looking.
fn may_hide(html: &str) -> bool {
    let marks = [
        "none",
        "hidden",
        "opacity",
        "font-size:0",
        "font-size: 0",
        "-9999",
        "white",
        "#fff",
        "#FFF",
    ];
    marks
        .iter()
        .any(|mark| memchr::memmem::find(html.as_bytes(), mark.as_bytes()).is_some())
}

fn html_part(message: &Message<'_>, raw: &[u8]) -> Option<String> {
    let mut parts = message
        .html_body
        .iter()
        .filter_map(|id| message.parts.get(*id as usize));
    let part = parts.find(|part| matches!(part.body, PartType::Html(_)))?;
    Some(text_of(part, raw).into_owned())
}

/// Returns a part's text; text without a known charset that is not UTF-8 is read as Windows-1252.
fn text_of<'m>(part: &'m MessagePart<'_>, raw: &[u8]) -> Cow<'m, str> {
    let (PartType::Text(text) | PartType::Html(text)) = &part.body else {
        return Cow::Borrowed("");
    };
    let doubtful = match charset_kind(part) {
        // A label of ASCII over other bytes says nothing.
        CharsetKind::Ascii => !text.is_ascii(),
        CharsetKind::Unicode => text.contains(char::REPLACEMENT_CHARACTER),
        CharsetKind::Legacy => false,
    };
    if !doubtful || part.encoding == Encoding::None && part.is_encoding_problem {
        return Cow::Borrowed(text);
    }
    Cow::Owned(decode_unnamed(&decoded_bytes(part, raw)))
}

enum CharsetKind {
    Ascii,
    /// UTF-8 by name, or nothing that could be right.
    Unicode,
    Legacy,
}

fn charset_kind(part: &MessagePart<'_>) -> CharsetKind {
    let charset = part
        .content_type()
        .and_then(|value| value.attribute("charset"));
    let charset = charset.unwrap_or("utf-8").to_ascii_lowercase();
    match charset.as_str() {
        "us-ascii" | "ascii" | "ansi_x3.4-1968" | "us_ascii" => CharsetKind::Ascii,
        "utf-8" | "utf8" | "unknown-8bit" | "" => CharsetKind::Unicode,
        _ => CharsetKind::Legacy,
    }
}

/// Enough for every digest; the rest stays in the raw mail.
const MAX_TEXT_PARTS: usize = 100;
/// Whatlang needs no more, and its time grows with the text.
const MAX_LANGUAGE_BYTES: usize = 400;
const MIN_LANGUAGE_BYTES: usize = 20;

/// ISO 639-3 to ISO 639-1.
const TWO_LETTER_CODES: &[(&str, &str)] = &[
    ("eng", "en"),
    ("deu", "de"),
    ("fra", "fr"),
    ("spa", "es"),
    ("ita", "it"),
    ("por", "pt"),
    ("nld", "nl"),
    ("jpn", "ja"),
    ("cmn", "zh"),
    ("kor", "ko"),
    ("rus", "ru"),
    ("ukr", "uk"),
    ("bel", "be"),
    ("bul", "bg"),
    ("srp", "sr"),
    ("hrv", "hr"),
    ("slv", "sl"),
    ("slk", "sk"),
    ("ces", "cs"),
    ("pol", "pl"),
    ("hun", "hu"),
    ("ron", "ro"),
    ("ell", "el"),
    ("tur", "tr"),
    ("ara", "ar"),
    ("heb", "he"),
    ("pes", "fa"),
    ("urd", "ur"),
    ("hin", "hi"),
    ("ben", "bn"),
    ("mar", "mr"),
    ("guj", "gu"),
    ("pan", "pa"),
    ("tam", "ta"),
    ("tel", "te"),
    ("kan", "kn"),
    ("mal", "ml"),
    ("ori", "or"),
    ("sin", "si"),
    ("nep", "ne"),
    ("mya", "my"),
    ("khm", "km"),
    ("tha", "th"),
    ("vie", "vi"),
    ("ind", "id"),
    ("jav", "jv"),
    ("tgl", "tl"),
    ("swe", "sv"),
    ("dan", "da"),
    ("nob", "nb"),
    ("fin", "fi"),
    ("est", "et"),
    ("lit", "lt"),
    ("lav", "lv"),
    ("cat", "ca"),
    ("afr", "af"),
    ("epo", "eo"),
    ("lat", "la"),
    ("aze", "az"),
    ("uzb", "uz"),
    ("tuk", "tk"),
    ("kat", "ka"),
    ("hye", "hy"),
    ("amh", "am"),
    ("aka", "ak"),
    ("zul", "zu"),
    ("sna", "sn"),
    ("yid", "yi"),
    ("mkd", "mk"),
    ("cym", "cy"),
];
