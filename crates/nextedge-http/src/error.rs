//! Why a call failed, and whether its write may have happened.

use std::fmt;

use nextedge_core::sink::ItemEnd;
use nextedge_core::{Error, ErrorKind};

use crate::response::Response;

/// Whether the write of a failed call may have happened at the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums)] // a caller must handle each
pub enum Applied {
    /// Certainly not: nothing was sent, the vendor refused it, or it was no write.
    No,
    /// Perhaps: an attempt was sent and its answer was lost, late, cut or a server failure.
    Maybe,
}

/// A failed call: the error, whether its write may have happened, and the vendor's refusal.
///
/// [`Applied::Maybe`] of an earlier attempt stays, whatever a later attempt answered. `?` turns it
/// into an [`Error`] where only that matters, such as in reads.
pub struct CallError(Box<Inner>);

struct Inner {
    error: Error,
    applied: Applied,
    answer: Option<Response>,
}

impl CallError {
    /// Joins an error with what is known about the write.
    pub fn new(error: Error, applied: Applied) -> Self {
        Self(Box::new(Inner {
            error,
            applied,
            answer: None,
        }))
    }

    /// Keeps the vendor's refusal.
    #[must_use]
    pub fn with_answer(mut self, answer: Response) -> Self {
        self.0.answer = Some(answer);
        self
    }

    /// Raises what is known about the write; it never goes back to [`Applied::No`].
    #[must_use]
    pub(crate) fn at_least(mut self, applied: Applied) -> Self {
        self.0.applied = self.0.applied.max(applied);
        self
    }

    /// Says that it was no write.
    #[must_use]
    pub(crate) fn unapplied(mut self) -> Self {
        self.0.applied = Applied::No;
        self
    }

    /// Returns what happened and what to do next.
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// Returns what the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.0.error.kind()
    }

    /// Returns whether the write may have happened.
    pub fn applied(&self) -> Applied {
        self.0.applied
    }

    /// Returns the vendor's last refusal; none if it did not answer.
    pub fn answer(&self) -> Option<&Response> {
        self.0.answer.as_ref()
    }

    /// Drops everything but the error.
    pub fn into_error(self) -> Error {
        self.0.error
    }

    /// Ends a sink's item: `Unknown` if the write may have happened, else `Failed`.
    pub fn into_end(self) -> ItemEnd {
        match self.0.applied {
            Applied::No => ItemEnd::Failed(self.0.error),
            Applied::Maybe => ItemEnd::Unknown(self.0.error),
        }
    }
}

impl From<CallError> for Error {
    fn from(failure: CallError) -> Self {
        failure.into_error()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(f)
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallError")
            .field("error", &self.0.error)
            .field("applied", &self.0.applied)
            .field("answer", &self.0.answer)
            .finish()
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.error)
    }
}

/// A vendor's own reading of a refusal; `None` leaves it to the common status table.
///
/// Called for every answer outside 2xx. The error's `retry()` steers the client: `Backoff` repeats
/// in process, `After` repeats if the delay is short, `Never` ends the call. Operation and request
/// id are added if missing. Any `Fn(&Response) -> Option<Error>` is a mapper.
pub trait ErrorMapper: Send + Sync + 'static {
    /// Reads the refusal by its codes; the body must not reach the error.
    fn map(&self, answer: &Response) -> Option<Error>;
}

impl<F> ErrorMapper for F
where
    F: Fn(&Response) -> Option<Error> + Send + Sync + 'static,
{
    fn map(&self, answer: &Response) -> Option<Error> {
        self(answer)
    }
}
