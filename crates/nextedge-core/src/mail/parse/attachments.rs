//! Attached and embedded files: listing, safe names, opening.

use std::borrow::Cow;

use bytes::Bytes;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};
use sha2::{Digest, Sha256};

use crate::mail::model::Attachment;
use crate::mail::parser::with_message;
use crate::mail::words::decode_header;

/// Opens one attachment of a raw mail by its index; none if there is no such attachment.
///
/// The mail must have passed the guard. To open several, use [`open_attachments`], which parses once.
pub fn attachment_bytes(raw: &[u8], index: u32) -> Option<Bytes> {
    let position = usize::try_from(index).ok()?;
    with_message(raw, |message| {
        let part = parts(message).nth(position)?;
        Some(Bytes::from(decoded_bytes(part, raw).into_owned()))
    })
    .ok()??
}

/// Opens every attachment of a raw mail, in the order of [`Mail::attachments`](crate::mail::Mail).
///
/// The mail must have passed the guard.
pub fn open_attachments(raw: &[u8]) -> Vec<Bytes> {
    let opened = with_message(raw, |message| {
        parts(message)
            .map(|part| Bytes::from(decoded_bytes(part, raw).into_owned()))
            .collect()
    });
    opened.ok().flatten().unwrap_or_default()
}

/// Opens the attachments at these positions.
pub(super) fn open(message: &Message<'_>, raw: &[u8], chosen: &[u32]) -> Vec<(u32, Bytes)> {
    let positions = (0u32..).zip(parts(message));
    let wanted = positions.filter(|(index, _)| chosen.contains(index));
    wanted
        .map(|(index, part)| (index, Bytes::from(decoded_bytes(part, raw).into_owned())))
        .collect()
}

/// Lists the attachments of a parsed mail.
pub(super) fn list(message: &Message<'_>, raw: &[u8]) -> Vec<Attachment> {
    let parts = parts(message).enumerate();
    parts
        .filter_map(|(index, part)| Some(describe(u32::try_from(index).ok()?, part, raw)))
        .collect()
}

/// Returns a part's decoded bytes exactly as sent, without charset conversion.
pub(super) fn decoded_bytes<'m>(part: &'m MessagePart<'_>, raw: &'m [u8]) -> Cow<'m, [u8]> {
    let sent = raw.get(part.offset_body as usize..part.offset_end as usize);
    match &part.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Cow::Borrowed(bytes),
        PartType::Message(inner) => match part.encoding {
            Encoding::None => Cow::Borrowed(sent.unwrap_or_default()),
            Encoding::Base64 | Encoding::QuotedPrintable => Cow::Borrowed(&inner.raw_message),
        },
        PartType::Text(text) | PartType::Html(text) => {
            let decoded = sent.and_then(|sent| match part.encoding {
                Encoding::None => Some(Cow::Borrowed(sent)),
                Encoding::Base64 => base64_decode(sent).map(Cow::Owned),
                Encoding::QuotedPrintable => quoted_printable_decode(sent).map(Cow::Owned),
            });
            decoded.unwrap_or(Cow::Borrowed(text.as_bytes()))
        }
        PartType::Multipart(_) => Cow::Borrowed(&[]),
    }
}

/// Returns a part's media type, lower case; guessed from its content where no header tells.
pub(super) fn media_type(part: &MessagePart<'_>) -> String {
    let named = part.content_type().and_then(|value| {
        let text = format!("{}/{}", value.ctype(), value.subtype()?).to_ascii_lowercase();
        let safe = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+/".contains(c);
        (text.len() <= 127 && text.chars().all(safe)).then_some(text)
    });
    named.unwrap_or_else(|| {
        let guess = match &part.body {
            PartType::Text(_) => "text/plain",
            PartType::Html(_) => "text/html",
            PartType::Message(_) => "message/rfc822",
            PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Multipart(_) => {
                "application/octet-stream"
            }
        };
        guess.to_owned()
    })
}

fn parts<'m, 'x>(message: &'m Message<'x>) -> impl Iterator<Item = &'m MessagePart<'x>> {
    let ids = message.attachments.iter();
    ids.filter_map(|id| message.parts.get(*id as usize))
}

fn describe(index: u32, part: &MessagePart<'_>, raw: &[u8]) -> Attachment {
    let bytes = decoded_bytes(part, raw);
    let media_type = media_type(part);
    let disposition = part.content_disposition();
    let inline = match disposition {
        Some(value) if value.is_attachment() => false,
        Some(value) if value.is_inline() => {
            part.content_id().is_some() || media_type.starts_with("image/")
        }
        _ => part.content_id().is_some(),
    };
    Attachment {
        index,
        name: name_of(index, part, &media_type),
        media_type,
        bytes: bytes.len() as u64,
        sha256: hex(&Sha256::digest(&bytes)),
        inline,
    }
}

fn name_of(index: u32, part: &MessagePart<'_>, media_type: &str) -> String {
    let sent = part
        .attachment_name()
        .map(decode_header)
        .unwrap_or_default();
    let sent = safe_name(&sent);
    if !sent.is_empty() {
        return sent;
    }
    if let PartType::Message(inner) = &part.body {
        let subject = inner.parts.first().and_then(|top| {
            let subjects = top
                .headers
                .iter()
                .filter(|header| header.name.as_str() == "Subject");
            subjects.filter_map(|header| header.value.as_text()).next()
        });
        let subject = safe_name(&decode_header(subject.unwrap_or_default()));
        if !subject.is_empty() {
            return safe_name(&format!("{subject}.eml"));
        }
    }
    let known = EXTENSIONS.iter().find(|(known, _)| *known == media_type);
    let extension = known.map_or("bin", |(_, extension)| *extension);
    format!("attachment-{}.{extension}", index + 1)
}

/// Makes a file name harmless: the last path segment, no characters that a system forbids, no
/// leading dot, at most 150 characters with the extension kept; empty if nothing is left.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .map(|c| {
            if "<>:\"|?*%".contains(c) || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect();
    let clean = clean
        .trim()
        .trim_start_matches('.')
        .trim_end_matches(['.', ' ']);
    let stem = clean
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let clean = match RESERVED_STEMS.contains(&stem.as_str()) {
        true => format!("_{clean}"),
        false => clean.to_owned(),
    };
    shorten(&clean)
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= MAX_NAME_CHARS {
        return name.to_owned();
    }
    let extension = match name.rsplit_once('.') {
        Some((_, extension)) if extension.len() <= 10 => format!(".{extension}"),
        _ => String::new(),
    };
    let room = MAX_NAME_CHARS - extension.chars().count();
    let stem: String = name.chars().take(room).collect();
    format!("{stem}{extension}")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

const MAX_NAME_CHARS: usize = 150;

/// Names that Windows takes for devices.
const RESERVED_STEMS: &[&str] = &[
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "LPT1", "LPT2", "LPT3",
];

const EXTENSIONS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("application/json", "json"),
    ("application/xml", "xml"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/svg+xml", "svg"),
    ("image/tiff", "tif"),
    ("text/plain", "txt"),
    ("text/html", "html"),
    ("text/csv", "csv"),
    ("text/calendar", "ics"),
    ("text/rfc822-headers", "txt"),
    ("message/rfc822", "eml"),
    ("message/global", "eml"),
    ("message/delivery-status", "txt"),
    ("message/disposition-notification", "txt"),
];
