//! The scan before the parser: refuses mail whose structure could exhaust stack, memory or time.
//!
//! The MIME parser has no limits of its own: thousands of nested messages overflow its stack and a
//! million parts fill the memory. The scan follows the same grammar as the parser, with the
//! parser's own header reader, but keeps only counters, so what it counts is what the parser would
//! build. It stops at the first exceeded limit.

mod walk;

use std::fmt;

use serde::{Deserialize, Serialize};

use walk::Walk;

/// Limits of one mail; each has a default that ordinary mail stays far below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GuardLimits {
    /// Size of the raw mail. Default 50 MiB.
    pub raw_bytes: usize,
    /// Size of any one header block. Default 256 KiB.
    pub header_bytes: usize,
    /// Fields in any one header block. Default 1,000.
    pub header_fields: usize,
    /// Multiparts and messages inside each other. Default 20.
    pub nesting: usize,
    /// Parts, those of nested messages included. Default 1,000.
    pub parts: usize,
    /// Attached messages that are themselves base64 or quoted-printable, inside each other. Default 2.
    pub encoded_nesting: usize,
    /// Multiparts whose boundary never comes; each costs a scan of the rest. Default 16.
    pub lost_boundaries: usize,
    /// Parameters of MIME headers that use continuations (`name*0=`), over all parts. Default 1,000.
    pub parameters: usize,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            raw_bytes: 50 << 20,
            header_bytes: 256 << 10,
            header_fields: 1_000,
            nesting: 20,
            parts: 1_000,
            encoded_nesting: 2,
            lost_boundaries: 16,
            parameters: 1_000,
        }
    }
}

impl GuardLimits {
    /// Sets the largest raw mail. Default 50 MiB.
    #[must_use]
    pub fn with_raw_bytes(mut self, bytes: usize) -> Self {
        self.raw_bytes = bytes;
        self
    }

    /// Sets the most parts. Default 1,000.
    #[must_use]
    pub fn with_parts(mut self, parts: usize) -> Self {
        self.parts = parts;
        self
    }

    /// Sets the deepest nesting; the parser's stack is sized for at most 100. Default 20.
    #[must_use]
    pub fn with_nesting(mut self, nesting: usize) -> Self {
        self.nesting = nesting.min(MAX_NESTING);
        self
    }
}

/// The limit that a mail exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GuardFault {
    /// See [`GuardLimits::raw_bytes`].
    RawBytes,
    /// See [`GuardLimits::header_bytes`].
    HeaderBytes,
    /// See [`GuardLimits::header_fields`].
    HeaderFields,
    /// See [`GuardLimits::nesting`].
    Nesting,
    /// See [`GuardLimits::parts`].
    Parts,
    /// See [`GuardLimits::encoded_nesting`].
    EncodedNesting,
    /// See [`GuardLimits::lost_boundaries`].
    LostBoundaries,
    /// See [`GuardLimits::parameters`].
    Parameters,
}

impl GuardFault {
    /// Returns the stable short text that a quarantined message carries as its reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RawBytes => "raw_bytes",
            Self::HeaderBytes => "header_bytes",
            Self::HeaderFields => "header_fields",
            Self::Nesting => "nesting",
            Self::Parts => "parts",
            Self::EncodedNesting => "encoded_nesting",
            Self::LostBoundaries => "lost_boundaries",
            Self::Parameters => "parameters",
        }
    }
}

impl fmt::Display for GuardFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for GuardFault {}

/// What the scan counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Deepest nesting.
    pub(crate) nesting: usize,
    /// All parts.
    pub(crate) parts: usize,
}

/// Checks a raw mail against the limits, in one pass and in little memory.
///
/// # Errors
///
/// The first exceeded limit. Such a mail is kept raw and parked, never parsed.
///
/// ```
/// use nextedge_core::mail::{GuardFault, GuardLimits, guard};
///
/// let bomb = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
/// assert_eq!(guard(bomb.as_bytes(), &GuardLimits::default()), Err(GuardFault::Nesting));
/// ```
pub fn guard(raw: &[u8], limits: &GuardLimits) -> Result<(), GuardFault> {
    survey(raw, limits).map(|_| ())
}

/// Checks and counts.
pub(crate) fn survey(raw: &[u8], limits: &GuardLimits) -> Result<Survey, GuardFault> {
    if raw.len() > limits.raw_bytes {
        return Err(GuardFault::RawBytes);
    }
    let mut walk = Walk::new(limits);
    walk.message(raw, 0, 0)?;
    Ok(walk.survey())
}

/// Beyond this the parser's recursion on drop would outgrow a small stack.
const MAX_NESTING: usize = 100;

#[cfg(test)]
mod tests;
