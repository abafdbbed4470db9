//! SQLite's failures in the library's words.

use nextedge_core::{Error, ErrorKind, Retry};
use rusqlite::ErrorCode;

/// Turns a failure of SQLite into an error; texts of SQLite name tables and codes, never values.
pub(crate) fn sql(error: rusqlite::Error) -> Error {
    let mapped = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => full("the disk is full").with_action("free disk space"),
        Some(ErrorCode::ReadOnly) => full("the database cannot be written")
            .with_action("make the file and its directory writable"),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            Error::new(ErrorKind::Unavailable, "the database file failed")
                .with_action("check the disk and the file's permissions")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::new(ErrorKind::Unavailable, "the database is locked")
                .with_action("end the other program that writes to the file")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::new(ErrorKind::Unexpected, "the database file is damaged")
                .with_action("restore the file from a backup")
        }
        _ => Error::new(ErrorKind::Unexpected, "the database refused a statement"),
    };
    let mapped = match error.sqlite_error() {
        Some(code) => mapped.with_context("sqlite", code.extended_code),
        None => mapped,
    };
    mapped.with_operation("sqlite").with_source(error)
}

fn full(message: &'static str) -> Error {
    Error::new(ErrorKind::StoreFull, message).with_retry(Retry::Backoff)
}

/// A stored value that this version cannot read.
pub(crate) fn stored(what: &'static str) -> Error {
    Error::new(ErrorKind::Unexpected, "a stored value cannot be read")
        .with_operation("sqlite")
        .with_context("value", what)
        .with_action("restore the file from a backup, or use the version that wrote it")
}

/// The writer thread is gone.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed").with_operation("sqlite")
}

/// The lease is not held, or does not cover the item.
pub(crate) fn fenced() -> Error {
    Error::new(ErrorKind::Fenced, "the lease is no longer held").with_operation("sqlite")
}

/// The stored version is another one.
pub(crate) fn conflict(what: &'static str, expected: u64, present: u64) -> Error {
    Error::new(ErrorKind::Conflict, "the stored version is another one")
        .with_operation("sqlite")
        .with_context("what", what)
        .with_context("expected", expected)
        .with_context("present", present)
        .with_action("read it again, then decide")
}

/// The thing named does not exist.
pub(crate) fn not_found(what: &'static str, id: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::NotFound, "no such item")
        .with_operation("sqlite")
        .with_context(what, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: std::ffi::c_int) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    #[test]
    fn a_full_disk_asks_the_caller_to_wait() {
        for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_READONLY] {
            let error = sql(failure(code));
            assert_eq!(error.kind(), ErrorKind::StoreFull);
            assert_eq!(error.retry(), Retry::Backoff);
        }
    }
}
