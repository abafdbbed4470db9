//! Lines of a stream with their positions, however long they are.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::input::Stream;

/// A line, or a piece of a line longer than [`MAX_PIECE_BYTES`].
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    pub(super) offset: u64,
    /// It is the start of a line, not the rest of a long one.
    pub(super) starts: bool,
}

impl Line {
    pub(super) fn is_blank(&self) -> bool {
        self.starts && matches!(&self.bytes[..], b"\n" | b"\r\n")
    }
}

/// Yields lines with a look-ahead.
pub(super) struct LineReader {
    stream: Stream,
    ahead: VecDeque<Line>,
    offset: u64,
    at_start: bool,
    spare: Vec<Vec<u8>>,
}

impl LineReader {
    pub(super) fn new(stream: Stream, offset: u64) -> Self {
        Self {
            stream,
            ahead: VecDeque::new(),
            offset,
            at_start: true,
            spare: Vec::new(),
        }
    }

    /// Returns the position of the next line.
    pub(super) fn position(&self) -> u64 {
        self.ahead.front().map_or(self.offset, |line| line.offset)
    }

    /// Returns a line ahead, 0 for the next; none behind the end.
    pub(super) fn peek(&mut self, ahead: usize) -> io::Result<Option<&Line>> {
        while self.ahead.len() <= ahead {
            match self.read()? {
                Some(line) => self.ahead.push_back(line),
                None => return Ok(None),
            }
        }
        Ok(self.ahead.get(ahead))
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    /// Takes a line's memory back.
    pub(super) fn recycle(&mut self, line: Line) {
        if self.spare.len() < 4 && line.bytes.capacity() <= MAX_PIECE_BYTES {
            self.spare.push(line.bytes);
        }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        loop {
            let room = MAX_PIECE_BYTES - bytes.len();
            let available = match self.stream.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let window = &available[..available.len().min(room)];
            let end = memchr::memchr(b'\n', window);
            let used = end.map_or(window.len(), |at| at + 1);
            bytes.extend_from_slice(&window[..used]);
            self.stream.consume(used);
            if used == 0 || end.is_some() || bytes.len() == MAX_PIECE_BYTES {
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = Line {
            offset: self.offset,
            starts: self.at_start,
            bytes,
        };
        self.offset += line.bytes.len() as u64;
        self.at_start = line.bytes.ends_with(b"\n");
        Ok(Some(line))
    }
}

const MAX_PIECE_BYTES: usize = 64 << 10;
