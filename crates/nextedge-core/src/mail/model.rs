//! A mail as the stages see it: decoded, bounded, without hidden text.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::domain::Mailer;

/// A read mail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // built by the parser and by tests of pure stages
pub struct Mail {
    /// The Message-ID without brackets, as written.
    pub message_id: Option<String>,
    /// The In-Reply-To ids without brackets.
    pub in_reply_to: Vec<String>,
    /// The References ids without brackets, oldest first.
    pub references: Vec<String>,
    /// The first From address.
    pub from: Option<Mailer>,
    /// The Sender address.
    pub sender: Option<Mailer>,
    /// The Reply-To addresses.
    pub reply_to: Vec<Mailer>,
    /// The To addresses.
    pub to: Vec<Mailer>,
    /// The Cc addresses.
    pub cc: Vec<Mailer>,
    /// The decoded subject on one line, without control characters.
    pub subject: String,
    /// The Date header, if it can be read.
    pub date: Option<MailDate>,
    /// Every top-level header in order, name lower-cased, value unfolded and decoded.
    pub headers: Vec<Header>,
    /// The bodies.
    pub body: Body,
    /// The attachments and embedded files, in order of their parts.
    pub attachments: Vec<Attachment>,
    /// What a delivery report says, for multipart/report mail.
    pub report: Option<DeliveryReport>,
    /// A text/calendar part's METHOD, upper case, if there is one.
    pub calendar_method: Option<String>,
    /// ISO 639-1 language of the new text, if it can be told.
    pub language: Option<String>,
    /// Size of the raw bytes.
    pub raw_bytes: u64,
}

impl Mail {
    /// Returns the first value of a header; the name is lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|h| h.name == name)
            .map(|h| h.value.as_str())
    }

    /// Returns every value of a header in order; the name is lower case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |h| h.name == name)
            .map(|h| h.value.as_str())
    }
}

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Header {
    /// Lower-case name.
    pub name: String,
    /// Unfolded, decoded value.
    pub value: String,
}

/// The Date header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct MailDate {
    /// The moment, UTC.
    pub at: Timestamp,
    /// The offset it was written with, in minutes.
    pub utc_offset_minutes: i32,
}

/// The bodies of a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // built by the parser and by tests of pure stages
pub struct Body {
    /// The text: the plain part, or what the HTML part shows to a person.
    pub text: String,
    /// What each part of the text is; the ranges follow each other and cover all of it.
    pub segments: Vec<Segment>,
    /// The HTML part as sent, unsanitised; show it only through a sanitiser.
    pub html: Option<String>,
    /// Characters of text that the HTML hid from a person and that were left out.
    pub hidden_chars: usize,
}

impl Body {
    /// Returns what the sender newly wrote, signature included, quotes and disclaimers left out.
    pub fn new_text(&self) -> String {
        self.text_of(&[Role::New, Role::Signature])
    }

    /// Returns the parts with these roles, in order.
    pub fn text_of(&self, roles: &[Role]) -> String {
        let wanted = self
            .segments
            .iter()
            .filter(|segment| roles.contains(&segment.role))
            .filter_map(|segment| self.text.get(segment.range.clone()));
        // sized at once: growing step by step copies, and keeps room that nobody uses
        let mut text = String::with_capacity(wanted.clone().map(str::len).sum());
        text.extend(wanted);
        text
    }
}

/// One part of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Segment {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What it is.
    pub role: Role,
}

/// What a part of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // segmentation is lossless over these five
pub enum Role {
    /// Newly written.
    New,
    /// Quoted from an earlier mail, its head line included.
    Quoted,
    /// A signature.
    Signature,
    /// A legal or confidentiality text.
    Disclaimer,
    /// A forwarded mail, its header block included.
    Forwarded,
}

/// One attached or embedded file; its bytes are opened from the raw mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Attachment {
    /// Position among the mail's attachments, from 0.
    pub index: u32,
    /// A safe file name: no path, no control characters, at most 150 characters, never empty.
    pub name: String,
    /// Media type, lower case, such as `application/pdf`.
    pub media_type: String,
    /// Decoded size in bytes.
    pub bytes: u64,
    /// SHA-256 of the decoded bytes, hexadecimal.
    pub sha256: String,
    /// Shown inside the text (a Content-ID or inline disposition) instead of attached.
    pub inline: bool,
}

/// What a delivery report (RFC 3464) says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct DeliveryReport {
    /// The failed recipient.
    pub recipient: Option<String>,
    /// The action, such as `failed` or `delayed`.
    pub action: Option<String>,
    /// The status code, such as `5.1.1`.
    pub status: Option<String>,
    /// The Message-ID of the mail it reports on.
    pub original_message_id: Option<String>,
}
