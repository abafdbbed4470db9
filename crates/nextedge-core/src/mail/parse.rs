//! From raw bytes to a [`Mail`]: guard, parser, text, segments, attachments.

mod attachments;
mod body;
mod fields;
mod report;

use bytes::Bytes;
use mail_parser::Message;

use super::guard::{GuardFault, GuardLimits, survey};
use super::html::HtmlLimits;
use super::model::Mail;
use super::parser::with_message;
use super::segment::{History, segment};
use super::{pool, subject};

pub(crate) use attachments::hex;
pub use attachments::{attachment_bytes, open_attachments};
pub use fields::received_at;
pub(crate) use fields::{parse_addresses, parse_date, parse_ids, received_date};

/// How mail is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseOptions {
    /// Limits of the scan before the parser.
    pub guard: GuardLimits,
    /// Limits of HTML handling.
    pub html: HtmlLimits,
    /// Text that is kept as [`Body::text`](super::Body::text); the raw mail keeps all. Default 2 MiB.
    pub text_bytes: usize,
    /// Mail up to this size is read on the calling thread by [`read_mail`]. Default 256 KiB.
    pub inline_bytes: usize,
    /// Mail nested up to this depth is read on the calling thread by [`read_mail`]. Default 5.
    pub inline_nesting: usize,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            guard: GuardLimits::default(),
            html: HtmlLimits::default(),
            text_bytes: 2 << 20,
            inline_bytes: 256 << 10,
            inline_nesting: 5,
        }
    }
}

impl ParseOptions {
    /// Sets the limits of the scan before the parser.
    #[must_use]
    pub fn with_guard(mut self, limits: GuardLimits) -> Self {
        self.guard = limits;
        self
    }

    /// Sets the limits of HTML handling.
    #[must_use]
    pub fn with_html(mut self, limits: HtmlLimits) -> Self {
        self.html = limits;
        self
    }
}

/// Why a mail was not read; it is kept raw and parked, with [`as_str`](Self::as_str) as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseFault {
    /// It exceeds a limit.
    #[error("{0}")]
    Guard(#[from] GuardFault),
    /// It has no header field at all.
    #[error("no_headers")]
    NoHeaders,
    /// It broke the parser.
    #[error("unreadable")]
    Unreadable,
    /// Every reading thread is gone; the process cannot start threads.
    #[error("no_thread")]
    NoThread,
}

impl ParseFault {
    /// Returns the stable short text that a quarantined message carries as its reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guard(fault) => fault.as_str(),
            Self::NoHeaders => "no_headers",
            Self::Unreadable => "unreadable",
            Self::NoThread => "no_thread",
        }
    }
}

/// Reads a raw mail on the current thread.
///
/// # Errors
///
/// [`ParseFault`] naming the limit or the defect; such a mail is quarantined, never lost.
///
/// ```
/// use nextedge_core::mail::{ParseOptions, parse_mail};
///
/// let raw = b"From: Ada <ada@example.com>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello";
/// let mail = parse_mail(raw, &ParseOptions::default())?;
/// assert_eq!(mail.subject, "Grüße");
/// assert_eq!(mail.body.new_text(), "Hello");
/// # Ok::<(), nextedge_core::mail::ParseFault>(())
/// ```
pub fn parse_mail(raw: &[u8], options: &ParseOptions) -> Result<Mail, ParseFault> {
    survey(raw, &options.guard)?;
    parse_guarded(raw, options)
}

/// Reads a raw mail without holding up an async task: small flat mail at once, large or deeply
/// nested mail on a few threads of its own with large stacks.
///
/// # Errors
///
/// As [`parse_mail`].
pub async fn read_mail(raw: Bytes, options: ParseOptions) -> Result<Mail, ParseFault> {
    if raw.len() <= options.inline_bytes {
        let survey = survey(&raw, &options.guard)?;
        if survey.nesting <= options.inline_nesting {
            return parse_guarded(&raw, &options);
        }
    }
    pool::run(move || parse_mail(&raw, &options))
        .await
        .unwrap_or(Err(ParseFault::NoThread))
}

/// Opens a mail that was read before: its bodies and the chosen attachments, in one parse and
/// without what only a decision needs.
///
/// # Errors
///
/// As [`parse_mail`], as after a change of the limits.
pub fn open_mail(
    raw: &[u8],
    chosen: &[u32],
    options: &ParseOptions,
) -> Result<OpenedMail, ParseFault> {
    survey(raw, &options.guard)?;
    with_message(raw, |message| {
        let body = body::read_body(message, raw, options);
        OpenedMail {
            text: body.text,
            html: body.html,
            attachments: attachments::open(message, raw, chosen),
        }
    })
    .map_err(|_| ParseFault::Unreadable)?
    .ok_or(ParseFault::NoHeaders)
}

/// The content of a mail, as it goes to a CRM.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct OpenedMail {
    /// The text: the plain part, or what the HTML part shows to a person.
    pub text: String,
    /// The HTML part as sent, unsanitised.
    pub html: Option<String>,
    /// The chosen attachments with their positions.
    pub attachments: Vec<(u32, Bytes)>,
}

fn parse_guarded(raw: &[u8], options: &ParseOptions) -> Result<Mail, ParseFault> {
    with_message(raw, |message| read(message, raw, options))
        .map_err(|_| ParseFault::Unreadable)?
        .filter(|mail| !mail.headers.is_empty())
        .ok_or(ParseFault::NoHeaders)
}

fn read(message: &Message<'_>, raw: &[u8], options: &ParseOptions) -> Mail {
    let mut mail = fields::read_fields(message);
    mail.body = body::read_body(message, raw, options);
    let history = match subject::is_forward(&mail.subject) {
        true => History::Forward,
        false => History::Reply,
    };
    mail.body.segments = segment(&mail.body.text, history);
    mail.attachments = attachments::list(message, raw);
    mail.report = report::delivery_report(message, raw);
    mail.calendar_method = report::calendar_method(message);
    mail.language = body::language_of(&mail.body);
    mail.raw_bytes = raw.len() as u64;
    mail
}

#[cfg(test)]
mod tests;
