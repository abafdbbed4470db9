//! What a Maildir's names tell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use crate::clock::Timestamp;

/// Tells whether a folder is a Maildir.
pub(super) fn is_maildir(folder: &Path) -> bool {
    folder.join("cur").is_dir() && (folder.join("new").is_dir() || folder.join("tmp").is_dir())
}

/// Tells whether a file lies in a Maildir's `cur` or `new`.
pub(super) fn is_in_maildir(path: &Path) -> bool {
    let parent = path
        .parent()
        .and_then(Path::file_name)
        .and_then(OsStr::to_str);
    matches!(parent, Some("cur" | "new"))
        && path.parent().and_then(Path::parent).is_some_and(is_maildir)
}

/// Reads the delivery time at the front of a Maildir name, such as `1762676040.M1P2.host:2,S`.
pub(super) fn name_time(path: &Path) -> Option<Timestamp> {
    let name = path.file_name()?.to_str()?;
    let seconds: i64 = name.split('.').next()?.parse().ok()?;
    (seconds > 0)
        .then(|| DateTime::from_timestamp(seconds, 0))
        .flatten()
}

/// Tells whether the flags of a Maildir name mark a draft.
pub(super) fn is_draft(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let flags = name.rsplit_once(":2,").map_or("", |(_, flags)| flags);
    flags.contains('D')
}

/// Names the folder of a mail and its flags: `.Sales.Orders` is `Sales/Orders`, `F` is `Flagged`.
pub(super) fn labels(path: &Path) -> Vec<String> {
    let folder = path
        .parent()
        .and_then(Path::parent)
        .and_then(Path::file_name);
    let folder = folder.map(|name| name.to_string_lossy().into_owned());
    let folder = folder.map(|name| match name.strip_prefix('.') {
        Some(nested) => nested.replace('.', "/"),
        None => name,
    });
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let flags = name.rsplit_once(":2,").map_or("", |(_, flags)| flags);
    let set = FLAGS.iter().filter(|(letter, _)| flags.contains(*letter));
    let flags = set.map(|(_, label)| (*label).to_owned());
    folder.into_iter().chain(flags).collect()
}

/// Finds a mail whose flags changed since it was listed: the name up to the flags stays.
pub(super) fn renamed(path: &Path) -> Option<PathBuf> {
    let unique = unique_part(path.file_name()?.to_str()?);
    let root = path.parent()?.parent()?;
    for folder in ["cur", "new"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            continue;
        };
        let mut found = entries.flatten().map(|entry| entry.path());
        let same = |path: &PathBuf| {
            let name = path.file_name().and_then(OsStr::to_str);
            name.is_some_and(|name| unique_part(name) == unique)
        };
        if let Some(path) = found.find(same) {
            return Some(path);
        }
    }
    None
}

/// Flags that say something about a mail; a draft is told apart.
const FLAGS: [(char, &str); 5] = [
    ('F', "Flagged"),
    ('P', "Passed"),
    ('R', "Replied"),
    ('S', "Seen"),
    ('T', "Trashed"),
];

fn unique_part(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}
