//! The files below a path, in a stable order, folder by folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::FileOptions;
use super::input::Promise;
use super::maildir::is_maildir;
use crate::error::{Error, ErrorKind, Result};
use crate::source::SourceFault;

/// A file that may hold mail.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) path: PathBuf,
    pub(super) promise: Promise,
}

/// Walks a folder in the order of names; holds the names of the open folders only.
pub(super) struct Walk {
    /// Names still to visit, last first, for each open folder.
    open: Vec<Vec<(PathBuf, Place)>>,
    options: FileOptions,
    visited: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Folder,
    Maildir,
}

/// What a walk comes upon.
pub(super) enum Step {
    File(Unit),
    Fault(SourceFault),
}

/// Refuses a path that cannot be read at all.
///
/// # Errors
///
/// [`ErrorKind::Config`] naming the setting.
pub(super) fn check_root(root: &Path) -> Result<()> {
    let readable = fs::metadata(root).and_then(|meta| match meta.is_dir() {
        true => fs::read_dir(root).map(|_| ()),
        false => fs::File::open(root).map(|_| ()),
    });
    readable.map_err(|error| {
        Error::new(ErrorKind::Config, "path cannot be read")
            .with_operation("file.settings")
            .with_context("field", "path")
            .with_context("path", root.display())
            .with_context("cause", error.kind())
            .with_action(
                "name an mbox, a Maildir, an .eml file or a folder that this process may read",
            )
    })
}

impl Walk {
    pub(super) fn of(root: &Path, options: FileOptions) -> Self {
        Self {
            open: vec![vec![(root.to_owned(), Place::Root)]],
            options,
            visited: 0,
        }
    }

    fn enter(&mut self, folder: &Path, place: Place) -> Option<SourceFault> {
        if self.open.len() > self.options.depth {
            return Some(fault(
                folder,
                "folders are nested deeper than the option depth; not entered",
            ));
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return Some(fault(folder, &format!("cannot be read: {}", error.kind()))),
        };
        let maildir = is_maildir(folder);
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            if names.len() >= self.options.files {
                break;
            }
            if is_wanted(&name, maildir, place) {
                names.push(entry.path());
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        let inside = |path: &Path| match maildir && is_box(path) {
            true => Place::Maildir,
            false => Place::Folder,
        };
        let names = names.into_iter().map(|path| {
            let place = inside(&path);
            (path, place)
        });
        // Files of `cur` and `new` keep the mark of their folder.
        let names = match place {
            Place::Maildir => names.map(|(path, _)| (path, Place::Maildir)).collect(),
            Place::Root | Place::Folder => names.collect(),
        };
        self.open.push(names);
        None
    }

    fn visit(&mut self, path: PathBuf, place: Place) -> Option<Step> {
        // Links to folders are not followed, so that a walk always ends; the named path may be one.
        let link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) => {
                return Some(Step::Fault(fault(
                    &path,
                    &format!("cannot be read: {}", error.kind()),
                )));
            }
        };
        if meta.is_dir() {
            if link && place != Place::Root {
                return None;
            }
            return self.enter(&path, place).map(Step::Fault);
        }
        if !meta.is_file() {
            return None;
        }
        if path.to_str().is_none() {
            return Some(Step::Fault(fault(
                &path,
                "its name is not UTF-8; rename it",
            )));
        }
        let promise = promise_of(&path, place);
        Some(Step::File(Unit { path, promise }))
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let folder = self.open.last_mut()?;
            let Some((path, place)) = folder.pop() else {
                self.open.pop();
                continue;
            };
            self.visited += 1;
            if self.visited > self.options.files {
                self.open.clear();
                return Some(Step::Fault(fault(
                    &path,
                    "more files than the option files allows; the rest is not read",
                )));
            }
            if let Some(step) = self.visit(path, place) {
                return Some(step);
            }
        }
    }
}

fn fault(path: &Path, text: &str) -> SourceFault {
    SourceFault {
        item: path.display().to_string(),
        fault: text.to_owned(),
    }
}

fn is_box(path: &Path) -> bool {
    matches!(
        path.file_name().and_then(OsStr::to_str),
        Some("cur" | "new")
    )
}

/// Leaves out what is hidden and what a Maildir keeps beside its mail.
fn is_wanted(name: &OsStr, maildir: bool, place: Place) -> bool {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    match (maildir, place) {
        // A Maildir's own folders are hidden by design.
        (true, _) => hidden || matches!(name.to_str(), Some("cur" | "new")),
        (false, _) => !hidden,
    }
}

fn promise_of(path: &Path, place: Place) -> Promise {
    let name = path
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default()
        .to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match place {
        Place::Maildir => Promise::Mail,
        Place::Root | Place::Folder if name.ends_with(".mbox") || name.ends_with(".mbx") => {
            Promise::Mbox
        }
        Place::Root => Promise::Some,
        Place::Folder if name.ends_with(".eml") => Promise::Some,
        Place::Folder => Promise::None,
    }
}
