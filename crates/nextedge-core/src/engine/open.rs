//! Opens a planned mail again for its delivery: bodies, chosen attachments, raw bytes.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::mail::{HtmlLimits, ParseOptions, open_attachments, parse_mail, sanitise_html};

/// A mail's content as a sink gets it.
pub(crate) struct OpenedMail {
    pub(crate) raw: Bytes,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    /// The chosen attachments with their positions.
    pub(crate) attachments: Vec<(u32, Bytes)>,
}

/// Reads a mail that was planned before.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] if it can no longer be read, as after a change of the limits.
pub(crate) fn open_mail(raw: Bytes, chosen: &[u32]) -> Result<OpenedMail> {
    let mail = parse_mail(&raw, &ParseOptions::default()).map_err(|fault| {
        Error::new(ErrorKind::Invalid, "a planned mail can no longer be read")
            .with_operation("engine.deliver")
            .with_context("limit", fault)
    })?;
    let mut attachments = Vec::with_capacity(chosen.len());
    if !chosen.is_empty() {
        let opened = open_attachments(&raw).into_iter().zip(0u32..);
        attachments.extend(
            opened
                .filter(|(_, i)| chosen.contains(i))
                .map(|(bytes, i)| (i, bytes)),
        );
    }
    let html = mail
        .body
        .html
        .as_deref()
        .map(|html| sanitise_html(html, &HtmlLimits::default()));
    Ok(OpenedMail {
        raw,
        text: mail.body.text,
        html,
        attachments,
    })
}
