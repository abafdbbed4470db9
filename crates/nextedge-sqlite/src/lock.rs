//! One process at a time: an operating-system lock on a file beside the database.
//!
//! The kernel frees the lock when its holder ends, however it ends. The database file itself is not
//! used for it: closing a second handle of that file would drop SQLite's own locks.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use nextedge_core::{Error, ErrorKind, Result};

/// Holds the lock until dropped.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock of a database file.
    ///
    /// # Errors
    ///
    /// `AlreadyRunning` if another process, or another store of this one, holds it.
    pub(crate) fn take(database: &Path) -> Result<Self> {
        let path = beside(database);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| refused("the lock file cannot be opened", &path, error))?;
        match file.try_lock() {
            Ok(()) => {
                note_owner(&mut file);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(already_running(&mut file, database)),
            Err(TryLockError::Error(error)) => {
                Err(refused("the lock file cannot be locked", &path, error))
            }
        }
    }
}

/// Follows links, so that two names of one file share one lock.
pub(crate) fn resolved(path: &Path) -> Result<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let name = path.file_name().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the database path names no file")
            .with_context("path", path.display())
    })?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = parent.canonicalize().map_err(|error| {
        refused(
            "the directory of the database does not exist",
            parent,
            error,
        )
    })?;
    Ok(parent.join(name))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// The owner is only told to people, so a failure to note it changes nothing.
fn note_owner(file: &mut File) {
    let noted = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        tracing::debug!(%error, "the owner could not be noted in the lock file");
    }
}

fn already_running(file: &mut File, database: &Path) -> Error {
    let mut owner = String::new();
    let read = file.take(20).read_to_string(&mut owner);
    let error = Error::new(
        ErrorKind::AlreadyRunning,
        "another process holds the database",
    )
    .with_operation("sqlite.open")
    .with_context("path", database.display())
    .with_action("end the other process, or give this one its own database file");
    match read {
        Ok(_) if !owner.is_empty() => error.with_context("pid", owner),
        _ => error,
    }
}

fn refused(message: &'static str, path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::StoreFull
        }
        _ => ErrorKind::Config,
    };
    Error::new(kind, message)
        .with_operation("sqlite.open")
        .with_context("path", path.display())
        .with_action("check that the directory exists and is writable")
        .with_source(error)
}
