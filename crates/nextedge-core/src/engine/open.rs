//! Opens a planned mail again for its delivery.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::mail::{HtmlLimits, OpenedMail, ParseOptions, sanitise_html};

/// A mail's content as a sink gets it: HTML sanitised, raw bytes beside it.
pub(crate) struct Opened {
    pub(crate) raw: Bytes,
    pub(crate) mail: OpenedMail,
}

/// Opens a mail and the chosen attachments.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] if it can no longer be read, as after a change of the limits.
pub(crate) fn open(raw: Bytes, chosen: &[u32]) -> Result<Opened> {
    let options = ParseOptions::default();
    let mut mail = crate::mail::open_mail(&raw, chosen, &options).map_err(|fault| {
        Error::new(ErrorKind::Invalid, "a planned mail can no longer be read")
            .with_operation("engine.deliver")
            .with_context("limit", fault)
    })?;
    mail.html = mail
        .html
        .map(|html| sanitise_html(&html, &HtmlLimits::default()));
    Ok(Opened { raw, mail })
}
