//! Mails of an mbox, one after the other.

use std::io;

use chrono::{NaiveDate, TimeDelta};

use super::collect::{Collected, Collector, is_field};
use super::input::Stream;
use super::lines::{Line, LineReader};
use crate::clock::Timestamp;

/// A mail as it lies in an mbox.
pub(super) struct BoxedMail {
    /// Where its `From ` line starts.
    pub(super) offset: u64,
    /// The date of its `From ` line.
    pub(super) date: Option<Timestamp>,
    pub(super) mail: Collected,
}

/// Reads an mbox from a position where a mail starts.
pub(super) struct MboxReader {
    lines: LineReader,
    fault: Option<(u64, String)>,
}

impl MboxReader {
    pub(super) fn new(stream: Stream, offset: u64) -> Self {
        Self {
            lines: LineReader::new(stream, offset),
            fault: None,
        }
    }

    /// Returns where the next mail starts.
    pub(super) fn position(&self) -> u64 {
        self.lines.position()
    }

    /// Takes what was wrong before or at the `From ` line last read, and where.
    pub(super) fn take_fault(&mut self) -> Option<(u64, String)> {
        self.fault.take()
    }

    /// Skips bytes up to a position; used where seeking is impossible.
    pub(super) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        while self.lines.position() < offset {
            match self.lines.next()? {
                Some(line) => self.lines.recycle(line),
                None => break,
            }
        }
        Ok(())
    }

    /// Reads the next mail, keeping its first `keep` bytes; none at the end.
    pub(super) fn next(&mut self, keep: usize) -> io::Result<Option<BoxedMail>> {
        let Some(start) = self.enter()? else {
            return Ok(None);
        };
        let mut collector = Collector::keeping(keep);
        // An empty line before a `From ` line belongs to the box, not to the mail.
        let mut held: Option<Line> = None;
        while self.lines.peek(0)?.is_some() {
            if self.at_separator(held.is_some())? {
                break;
            }
            let Some(line) = self.lines.next()? else {
                break;
            };
            if let Some(blank) = held.take() {
                collector.push(&blank.bytes);
            }
            if line.is_blank() {
                held = Some(line);
            } else {
                collector.push(unescaped(&line));
                self.lines.recycle(line);
            }
        }
        Ok(Some(BoxedMail {
            offset: start.offset,
            date: start.date,
            mail: collector.finish(),
        }))
    }

    /// Passes the `From ` line, and text that stands where one should.
    fn enter(&mut self) -> io::Result<Option<Start>> {
        let mut only_blank = true;
        let from = self.lines.position();
        loop {
            let offset = self.lines.position();
            let Some(line) = self.lines.peek(0)? else {
                return Ok(None);
            };
            if only_blank && line.starts && is_field(&line.bytes) {
                self.fault = Some((
                    offset,
                    "no From line before this mail; it is read all the same".to_owned(),
                ));
                return Ok(Some(Start { offset, date: None }));
            }
            let separator = self.at_separator(true)?;
            let Some(line) = self.lines.next()? else {
                return Ok(None);
            };
            if separator {
                let date = from_date(&line.bytes);
                if date.is_none() && self.fault.is_none() {
                    let text = "the From line has no readable date; the mail is read all the same";
                    self.fault = Some((offset, text.to_owned()));
                }
                self.lines.recycle(line);
                return Ok(Some(Start { offset, date }));
            }
            if !line.is_blank() {
                only_blank = false;
                let end = self.lines.position();
                self.fault = Some((
                    from,
                    format!("no mail starts here; skipped up to byte {end}"),
                ));
            }
            self.lines.recycle(line);
        }
    }

    /// Tells whether the next line separates two mails: a dated `From ` line after an empty line or
    /// before a header, or any `From ` line between an empty line and a header.
    fn at_separator(&mut self, after_blank: bool) -> io::Result<bool> {
        let Some(line) = self.lines.peek(0)? else {
            return Ok(false);
        };
        // A `From :` field is no separator: read again from its start, it would be the first field.
        if !line.starts || !line.bytes.starts_with(b"From ") || is_field(&line.bytes) {
            return Ok(false);
        }
        let dated = is_from_line(&line.bytes);
        let before_header = self
            .lines
            .peek(1)?
            .is_some_and(|next| is_field(&next.bytes) || next.bytes.starts_with(b">From "));
        Ok(match (after_blank, dated) {
            (true, true) => true,
            (true, false) | (false, true) => before_header,
            (false, false) => false,
        })
    }
}

struct Start {
    offset: u64,
    date: Option<Timestamp>,
}

/// Removes one `>` from an escaped `From ` line.
fn unescaped(line: &Line) -> &[u8] {
    let marks = line.bytes.iter().take_while(|byte| **byte == b'>').count();
    let escaped = line.starts && marks > 0 && line.bytes[marks..].starts_with(b"From ");
    &line.bytes[usize::from(escaped)..]
}

/// Tells whether a `From ` line carries a date.
pub(super) fn is_from_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") && from_date(line).is_some()
}

/// Reads `From ada@example.com Mon Nov  9 09:14:00 2026 +0100`, in the order mailers vary it.
pub(super) fn from_date(line: &[u8]) -> Option<Timestamp> {
    let line = String::from_utf8_lossy(&line[..line.len().min(MAX_FROM_BYTES)]);
    let (mut month, mut day, mut year, mut time, mut offset) = (None, None, None, None, 0);
    for word in line.split_whitespace().skip(1) {
        if let Some(at) = MONTHS
            .iter()
            .position(|name| word.eq_ignore_ascii_case(name))
        {
            month = u32::try_from(at + 1).ok();
        } else if word.contains(':') && time.is_none() {
            time = clock_time(word);
        } else if let Some(minutes) = zone_minutes(word) {
            offset = minutes;
        } else if let Ok(number) = word.parse::<u32>() {
            match number {
                1..=31 if day.is_none() => day = Some(number),
                1970..=2999 => year = i32::try_from(number).ok(),
                _ => (),
            }
        }
    }
    let (hour, minute, second) = time?;
    let local = NaiveDate::from_ymd_opt(year?, month?, day?)?.and_hms_opt(hour, minute, second)?;
    let utc = local.checked_sub_signed(TimeDelta::minutes(offset))?;
    Some(utc.and_utc())
}

fn clock_time(word: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = word.split(':').map(str::parse::<u32>);
    let (hour, minute) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let second = numbers.next().map_or(Some(0), std::result::Result::ok)?;
    Some((hour, minute, second.min(59)))
}

fn zone_minutes(word: &str) -> Option<i64> {
    let (sign, digits) = match word.as_bytes() {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i64 = word[1..].parse().ok()?;
    Some(sign * (number / 100 * 60 + number % 100))
}

const MAX_FROM_BYTES: usize = 500;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
