//! The one way this library calls the MIME parser.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use mail_parser::{Message, MessageParser};

/// Reads MIME headers and leaves all others raw: nothing but the top of a mail needs them, and raw
/// values cost linear time whatever they hold. The guard counts with this very configuration.
pub(crate) static MIME: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .with_mime_headers()
        .default_header_raw()
});

/// Parses a guarded mail and hands the structure to `read`; none if there is no header at all.
///
/// # Errors
///
/// [`Panicked`] if the parser or `read` panicked: one broken mail never ends a worker.
pub(crate) fn with_message<T>(
    raw: &[u8],
    read: impl FnOnce(&Message<'_>) -> T,
) -> Result<Option<T>, Panicked> {
    catch_unwind(AssertUnwindSafe(|| {
        MIME.parse(raw).map(|message| read(&message))
    }))
    .map_err(|_| Panicked)
}

/// The parser panicked on this mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;
