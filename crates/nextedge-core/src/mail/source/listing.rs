//! One pass over all mail below a path, page by page.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::FileOptions;
use super::collect::{Collected, Collector, Hints};
use super::input::{self, Content, Promise};
use super::locator::{Kind, Locator};
use super::maildir;
use super::mbox::MboxReader;
use super::walk::{Step, Unit, Walk};
use crate::clock::Timestamp;
use crate::domain::{Labels, ProviderId};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Page, PageToken, SourceFault, Stub};

/// A listing in progress.
pub(super) struct Listing {
    walk: Walk,
    current: Option<OpenBox>,
    options: FileOptions,
    /// How often each mail was seen; half a hash is enough, a clash only adds a number to an id.
    seen: HashMap<u64, u32>,
    faults: Vec<SourceFault>,
    /// Faults beyond what a page can name.
    more_faults: usize,
    /// Place of the last mail shown.
    passed: Option<(u64, PathBuf)>,
    /// A mail that was read but belongs to the next page.
    ahead: Option<Found>,
}

struct OpenBox {
    path: PathBuf,
    kind: Kind,
    reader: MboxReader,
}

/// A listed mail and where it lies.
struct Found {
    stub: Stub,
    path: PathBuf,
    offset: u64,
}

impl Listing {
    pub(super) fn start(root: &Path, options: FileOptions) -> Self {
        Self {
            walk: Walk::of(root, options),
            current: None,
            options,
            seen: HashMap::new(),
            faults: Vec::new(),
            more_faults: 0,
            passed: None,
            ahead: None,
        }
    }

    /// Reads on until the mail that a page token names was passed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the token is not of this source.
    pub(super) fn skip_to(&mut self, token: &str) -> Result<()> {
        let parsed = token.split_once(' ');
        let target =
            parsed.and_then(|(offset, path)| Some((offset.parse::<u64>().ok()?, Path::new(path))));
        let Some((offset, path)) = target else {
            return Err(Error::new(
                ErrorKind::Invalid,
                "this page token is not of this source",
            ));
        };
        if self.has_passed(path, offset) {
            return Ok(());
        }
        while let Some(found) = self.next() {
            // The walk is in the order of paths, so a vanished file does not lose its place.
            let place = (found.path.as_path(), found.offset);
            if place > (path, offset) {
                self.ahead = Some(found);
                break;
            }
            if place == (path, offset) {
                break;
            }
        }
        self.passed = Some((offset, path.to_owned()));
        // What was wrong before the token stood on an earlier page.
        self.faults.clear();
        Ok(())
    }

    /// Lists up to `limit` mails.
    pub(super) fn page(&mut self, limit: usize, since: Option<Timestamp>) -> Page {
        let mut page = Page::default();
        while page.stubs.len() < limit {
            let Some(found) = self.next() else {
                page.faults = self.take_faults();
                return page;
            };
            self.passed = Some((found.offset, found.path));
            let received = found.stub.received_at;
            if since.zip(received).is_none_or(|(since, at)| at >= since) {
                page.stubs.push(found.stub);
            }
        }
        page.faults = self.take_faults();
        let passed = self.passed.as_ref();
        page.next = passed.map(|(offset, path)| PageToken(format!("{offset} {}", path.display())));
        page
    }

    /// Finds a mail by its hash.
    pub(super) fn find(&mut self, hash: &str) -> Option<Locator> {
        loop {
            let found = self.next()?;
            let id = found.stub.provider_id.as_str();
            if id.split('.').next() == Some(hash) {
                let text = found.stub.locator?;
                return Locator::parse(&text, &found.path);
            }
        }
    }

    fn take_faults(&mut self) -> Vec<SourceFault> {
        let more = std::mem::take(&mut self.more_faults);
        if more > 0 {
            self.faults.push(SourceFault {
                item: "others".to_owned(),
                fault: format!("{more} more files or mails could not be read"),
            });
        }
        std::mem::take(&mut self.faults)
    }

    fn has_passed(&self, path: &Path, offset: u64) -> bool {
        self.passed
            .as_ref()
            .is_some_and(|(at, passed)| *at == offset && passed == path)
    }

    fn next(&mut self) -> Option<Found> {
        if let Some(found) = self.ahead.take() {
            return Some(found);
        }
        loop {
            if let Some(found) = self.next_in_box() {
                return Some(found);
            }
            // A box goes on behind a mail that could not be shown.
            if self.current.is_some() {
                continue;
            }
            match self.walk.next()? {
                Step::Fault(fault) => self.keep_fault(fault),
                Step::File(unit) => {
                    if let Some(found) = self.open(&unit) {
                        return Some(found);
                    }
                }
            }
        }
    }

    fn next_in_box(&mut self) -> Option<Found> {
        let open = self.current.as_mut()?;
        let position = open.reader.position();
        let read = open.reader.next(self.options.header_bytes);
        let (path, kind) = (open.path.clone(), open.kind);
        if let Some((at, fault)) = open.reader.take_fault() {
            self.fault(&path, Some(at), &fault);
        }
        match read {
            Ok(Some(boxed)) => {
                let offset = boxed.offset;
                let locator = Locator { kind, offset, path };
                self.found(locator, &boxed.mail, boxed.date)
            }
            Ok(None) => {
                self.current = None;
                None
            }
            Err(error) => {
                let text = describe(&error);
                let text = format!("{text}; the mails before are read, the one here is left out");
                self.fault(&path, Some(position), &text);
                self.current = None;
                None
            }
        }
    }

    /// Opens a file: a box becomes the current one, a single mail is returned.
    fn open(&mut self, unit: &Unit) -> Option<Found> {
        let input = match input::open(&unit.path, unit.promise, self.options) {
            Ok(input) => input,
            Err(error) => {
                self.fault(&unit.path, None, &describe(&error));
                return None;
            }
        };
        match input.content {
            Content::Mbox => {
                self.current = Some(OpenBox {
                    path: unit.path.clone(),
                    kind: if input.compressed {
                        Kind::MboxGz
                    } else {
                        Kind::Mbox
                    },
                    reader: MboxReader::new(input.stream, 0),
                });
                None
            }
            Content::Mail => self.single(unit, input.stream),
            Content::Empty | Content::Other if unit.promise == Promise::None => None,
            Content::Empty => {
                self.fault(&unit.path, None, "is empty");
                None
            }
            Content::Other => {
                self.fault(
                    &unit.path,
                    None,
                    "holds no mail: neither a From line nor a header field",
                );
                None
            }
        }
    }

    fn single(&mut self, unit: &Unit, stream: input::Stream) -> Option<Found> {
        match read_single(stream, self.options.header_bytes) {
            Ok(mail) => {
                let locator = Locator {
                    kind: Kind::Mail,
                    offset: 0,
                    path: unit.path.clone(),
                };
                self.found(locator, &mail, None)
            }
            Err(error) => {
                self.fault(&unit.path, None, &format!("{}; left out", describe(&error)));
                None
            }
        }
    }

    fn found(
        &mut self,
        locator: Locator,
        mail: &Collected,
        date: Option<Timestamp>,
    ) -> Option<Found> {
        let hints = Hints::of(&mail.kept);
        let mut stub = Stub::new(self.provider_id(&mail.id)?);
        stub.thread_hint = hints.thread;
        stub.received_at = hints
            .received_at
            .or(date)
            .or_else(|| file_time(&locator.path));
        stub.bytes = Some(mail.size);
        stub.locator = locator.to_text();
        let in_maildir = maildir::is_in_maildir(&locator.path);
        stub.draft = in_maildir && maildir::is_draft(&locator.path);
        let mut labels = match locator.kind {
            Kind::Mbox | Kind::MboxGz => hints.labels,
            // a mail in a file of its own has no exporter's fields above its own
            Kind::Mail => Vec::new(),
        };
        if in_maildir {
            labels.extend(maildir::labels(&locator.path));
        }
        stub.labels = Labels::new(labels);
        Some(Found {
            stub,
            offset: locator.offset,
            path: locator.path,
        })
    }

    fn provider_id(&mut self, hash: &str) -> Option<ProviderId> {
        let half = u64::from_str_radix(hash.get(..16)?, 16).ok()?;
        let times = self.seen.entry(half).or_default();
        *times += 1;
        let id = match *times {
            1 => hash.to_owned(),
            times => format!("{hash}.{times}"),
        };
        ProviderId::new(id).ok()
    }

    fn fault(&mut self, path: &Path, offset: Option<u64>, text: &str) {
        let item = match offset {
            Some(offset) => format!("{}, byte {offset}", path.display()),
            None => path.display().to_string(),
        };
        self.keep_fault(SourceFault {
            item,
            fault: text.to_owned(),
        });
    }

    fn keep_fault(&mut self, fault: SourceFault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }
}

/// Reads a file of one mail, keeping its first bytes.
pub(super) fn read_single(mut stream: input::Stream, keep: usize) -> io::Result<Collected> {
    let mut collector = Collector::keeping(keep);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(collector.finish()),
            Ok(count) => collector.push(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

/// When the file was delivered or last written.
pub(super) fn file_time(path: &Path) -> Option<Timestamp> {
    let named = maildir::is_in_maildir(path)
        .then(|| maildir::name_time(path))
        .flatten();
    named.or_else(|| {
        fs::metadata(path)
            .and_then(|meta| meta.modified())
            .ok()
            .map(Timestamp::from)
    })
}

/// Says in words why a file could not be read.
pub(super) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the gzip ends early: it is truncated".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "the gzip is damaged".to_owned()
        }
        io::ErrorKind::Other => format!("cannot be read on: {error}"),
        kind => format!("cannot be read: {kind}"),
    }
}

/// Faults named on one page; the others are counted.
const MAX_FAULTS: usize = 1_000;
const READ_BYTES: usize = 64 << 10;
