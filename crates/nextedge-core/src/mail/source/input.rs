//! Opens a file and tells what is in it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use super::FileOptions;
use super::collect::{is_field, looks_like_mail};
use super::gzip::BoundedGzip;
use super::mbox::is_from_line;

/// A stream of file content, decompressed if need be.
pub(super) type Stream = Box<dyn BufRead + Send>;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Mbox,
    /// One mail.
    Mail,
    Empty,
    /// Something else.
    Other,
}

/// What a file's place or name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// It lies in a Maildir or is called `.eml`: one mail, whatever it starts with.
    Mail,
    /// It is called `.mbox`: many mails, also where the first `From ` line is lost.
    Mbox,
    /// It is called `.eml` or was named by the user: mail of either kind.
    Some,
    /// Nothing: it is passed over in silence if it holds no mail.
    None,
}

/// An open file.
pub(super) struct Input {
    pub(super) content: Content,
    pub(super) compressed: bool,
    pub(super) stream: Stream,
}

/// Opens a file at its start and looks at the first bytes.
pub(super) fn open(path: &Path, promise: Promise, options: FileOptions) -> io::Result<Input> {
    let mut file = File::open(path)?;
    let mut magic = [0; 2];
    let compressed = read_up_to(&mut file, &mut magic)? == 2 && magic == [0x1f, 0x8b];
    file.seek(SeekFrom::Start(0))?;
    let mut source: Box<dyn Read + Send> = match compressed {
        true => Box::new(BoundedGzip::new(file, options)),
        false => Box::new(file),
    };
    let mut head = vec![0; SNIFFED_BYTES];
    let len = read_up_to(&mut source, &mut head)?;
    head.truncate(len);
    let content = content_of(&head, promise);
    let stream = Cursor::new(head).chain(BufReader::with_capacity(BUFFER_BYTES, source));
    Ok(Input {
        content,
        compressed,
        stream: Box::new(stream),
    })
}

/// Opens a plain file at a position.
pub(super) fn open_at(path: &Path, offset: u64) -> io::Result<Stream> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
}

fn content_of(head: &[u8], promise: Promise) -> Content {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return Content::Empty;
    }
    let mut lines = text.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let next_is_field = lines.next().is_some_and(is_field);
    let from_line = first.starts_with(b"From ") && (is_from_line(first) || next_is_field);
    match promise {
        Promise::Mail => Content::Mail,
        Promise::Mbox => Content::Mbox,
        Promise::Some | Promise::None if from_line => Content::Mbox,
        Promise::Some if is_field(first) => Content::Mail,
        // A broken first line must not hide the mails behind it.
        Promise::Some => Content::Mbox,
        Promise::None if is_field(first) && looks_like_mail(text) => Content::Mail,
        Promise::None => Content::Other,
    }
}

/// Reads until the buffer is full or the input ends.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match input.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            // What was read decides; the error comes again with the next read.
            Err(_) if len > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

const SNIFFED_BYTES: usize = 4 << 10;
const BUFFER_BYTES: usize = 64 << 10;
