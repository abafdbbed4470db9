//! Reads listed mails again, by the place their listing noted.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::collect::{Collected, Hints};
use super::input::{self, Promise};
use super::listing::{Listing, describe, file_time, read_single};
use super::locator::{Kind, Locator};
use super::maildir;
use super::mbox::MboxReader;
use super::{MAX_OPEN, Shared, lock};
use crate::clock::Timestamp;
use crate::domain::Labels;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{FetchItem, Fetched};

/// Readers of boxes, each standing where the last mail ended.
#[derive(Default)]
pub(super) struct Readers {
    open: Vec<(PathBuf, MboxReader)>,
}

impl Readers {
    /// Takes a reader that stands at or before a position.
    fn take(&mut self, path: &Path, offset: u64, nearest: Nearest) -> Option<MboxReader> {
        let at = self.open.iter().position(|(held, reader)| {
            let position = reader.position();
            held == path
                && match nearest {
                    Nearest::Exact => position == offset,
                    Nearest::Before => position <= offset,
                }
        })?;
        Some(self.open.remove(at).1)
    }

    fn put(&mut self, path: PathBuf, reader: MboxReader) {
        if self.open.len() >= MAX_OPEN {
            self.open.remove(0);
        }
        self.open.push((path, reader));
    }
}

#[derive(Clone, Copy)]
enum Nearest {
    Exact,
    Before,
}

/// A mail that was read again.
struct Reread {
    mail: Collected,
    date: Option<Timestamp>,
    path: PathBuf,
}

impl Shared {
    /// Reads a batch in the order of the files, answers in the order of the batch.
    pub(super) fn fetch(&self, root: &Path, batch: &[FetchItem]) -> Vec<Result<Fetched>> {
        let mut order: Vec<(usize, Option<Locator>)> = batch
            .iter()
            .map(|item| {
                item.locator
                    .as_deref()
                    .and_then(|text| Locator::parse(text, root))
            })
            .enumerate()
            .collect();
        order.sort_by(|(_, a), (_, b)| {
            let place =
                |locator: &Option<Locator>| locator.as_ref().map(|at| (at.path.clone(), at.offset));
            place(a).cmp(&place(b))
        });
        let mut answers: Vec<(usize, Result<Fetched>)> = order
            .into_iter()
            .map(|(index, locator)| (index, self.fetch_one(root, &batch[index], locator.as_ref())))
            .collect();
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn fetch_one(
        &self,
        root: &Path,
        item: &FetchItem,
        locator: Option<&Locator>,
    ) -> Result<Fetched> {
        let wanted = item.provider_id.as_str();
        let hash = wanted.split('.').next().unwrap_or(wanted);
        let found = match locator {
            Some(locator) => self.at_locator(locator, hash),
            None => Ok(None),
        };
        // A file that was rewritten since the listing may hold the mail elsewhere.
        let found = match found {
            Ok(None) => self.search(root, locator, hash),
            other => other,
        };
        match found {
            Ok(Some(reread)) => Ok(answer(reread)),
            Ok(None) => Ok(Fetched::Gone),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, describe(&error))
                .with_operation("file.fetch")
                .with_source(error)),
        }
    }

    /// Reads the mail at its place; none if another mail or nothing is there.
    fn at_locator(&self, locator: &Locator, hash: &str) -> io::Result<Option<Reread>> {
        let read = match locator.kind {
            Kind::Mail => self.single(&locator.path),
            Kind::Mbox | Kind::MboxGz => self.boxed(locator),
        };
        match read {
            Ok(found) => Ok(found.filter(|found| found.mail.id == hash)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn single(&self, path: &Path) -> io::Result<Option<Reread>> {
        let open = |path: &Path| input::open(path, Promise::Mail, self.options);
        let (input, path) = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some(path) = maildir::renamed(path) else {
                    return Err(error);
                };
                (open(&path)?, path)
            }
            opened => (opened?, path.to_owned()),
        };
        let mail = read_single(input.stream, self.keep())?;
        Ok(Some(Reread {
            mail,
            date: None,
            path,
        }))
    }

    fn boxed(&self, locator: &Locator) -> io::Result<Option<Reread>> {
        let mut reader = self.reader_at(locator)?;
        let Some(boxed) = reader.next(self.keep())? else {
            return Ok(None);
        };
        lock(&self.readers).put(locator.path.clone(), reader);
        Ok(Some(Reread {
            mail: boxed.mail,
            date: boxed.date,
            path: locator.path.clone(),
        }))
    }

    fn reader_at(&self, locator: &Locator) -> io::Result<MboxReader> {
        let (path, offset) = (&locator.path, locator.offset);
        let nearest = match locator.kind {
            Kind::MboxGz => Nearest::Before,
            Kind::Mbox | Kind::Mail => Nearest::Exact,
        };
        let held = lock(&self.readers).take(path, offset, nearest);
        let mut reader = match (held, locator.kind) {
            (Some(reader), _) => reader,
            (None, Kind::MboxGz) => {
                let input = input::open(path, Promise::Some, self.options)?;
                MboxReader::new(input.stream, 0)
            }
            (None, Kind::Mbox | Kind::Mail) => {
                MboxReader::new(input::open_at(path, offset)?, offset)
            }
        };
        reader.skip_to(offset)?;
        Ok(reader)
    }

    /// Looks for a mail by its hash: in its own file, or everywhere if no place is known.
    fn search(
        &self,
        root: &Path,
        locator: Option<&Locator>,
        hash: &str,
    ) -> io::Result<Option<Reread>> {
        let place = locator.map_or(root, |locator| locator.path.as_path());
        if !place.exists() {
            return Ok(None);
        }
        let mut listing = Listing::start(place, self.options);
        let Some(found) = listing.find(hash) else {
            return Ok(None);
        };
        self.at_locator(&found, hash)
    }

    /// One byte more than allowed shows the guard that a mail is too large.
    fn keep(&self) -> usize {
        self.options.mail_bytes.saturating_add(1)
    }
}

fn answer(reread: Reread) -> Fetched {
    let hints = Hints::of(&reread.mail.kept);
    let received_at = hints
        .received_at
        .or(reread.date)
        .or_else(|| file_time(&reread.path));
    Fetched::Raw {
        bytes: Bytes::from(reread.mail.kept),
        received_at,
        thread_hint: hints.thread,
        // the listing told them
        labels: Labels::default(),
    }
}
