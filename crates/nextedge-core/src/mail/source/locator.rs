//! Where a listed mail lies: file and position, so that reading it needs no index.

use std::path::{Component, Path, PathBuf};

/// The place of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locator {
    pub(super) kind: Kind,
    /// Position of its `From ` line in the (decompressed) content; 0 for a file of one mail.
    pub(super) offset: u64,
    pub(super) path: PathBuf,
}

/// How to read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mbox,
    MboxGz,
    Mail,
}

impl Locator {
    /// Writes `mbox 4711 /path/of/box`.
    pub(super) fn to_text(&self) -> Option<String> {
        let kind = match self.kind {
            Kind::Mbox => "mbox",
            Kind::MboxGz => "mbox.gz",
            Kind::Mail => "mail",
        };
        Some(format!("{kind} {} {}", self.offset, self.path.to_str()?))
    }

    /// Reads a locator; none unless it stays below `root`.
    pub(super) fn parse(text: &str, root: &Path) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let kind = match words.next()? {
            "mbox" => Kind::Mbox,
            "mbox.gz" => Kind::MboxGz,
            "mail" => Kind::Mail,
            _ => return None,
        };
        let offset = words.next()?.parse().ok()?;
        let path = PathBuf::from(words.next()?);
        let below = path.strip_prefix(root).ok()?;
        let inside = below
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        inside.then_some(Self { kind, offset, path })
    }
}
