//! Mail that a colleague forwards: who really wrote it.

use std::ops::Range;

use super::model::{Mail, MailDate, Role};
use super::parse::{parse_addresses, parse_date};
use super::segment::Lines;
use super::segment::block::block_at;
use super::segment::labels::Label;
use super::words::one_line;
use crate::domain::{EmailAddress, Mailer};

/// The mail inside a forwarded mail.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unwrapped {
    /// Who wrote it.
    pub sender: Mailer,
    /// Its subject, if the header block shows one.
    pub subject: Option<String>,
    /// Its date, where it is written in the form of mail headers; other forms are ambiguous.
    pub date: Option<MailDate>,
    /// Its text, as a range of the outer mail's text; `>` marks of the forwarder stay.
    pub text: Range<usize>,
}

/// Unwraps a mail that one of the `agents` forwarded inline.
///
/// Anyone can type a header block, so only forwards of configured agents count: for all other
/// senders, and for an agent's answers, this is none. The block must show a mail address.
pub fn unwrap_forward(mail: &Mail, agents: &[EmailAddress]) -> Option<Unwrapped> {
    let forwarder = &mail.from.as_ref()?.address;
    if !agents.contains(forwarder) {
        return None;
    }
    let mut segments = mail.body.segments.iter();
    let forwarded = segments.find(|segment| segment.role == Role::Forwarded)?;
    let start = forwarded.range.start;
    let lines = Lines::of(mail.body.text.get(start..)?);
    let mut heads = 0..lines.len().min(MAX_HEAD_LINES);
    let block = heads.find_map(|at| block_at(&lines, at))?;
    let sender = sender_of(block.value(Label::From)?)?;
    let text = lines.bytes(lines.next_filled(block.end)).0;
    Some(Unwrapped {
        sender,
        subject: block.value(Label::Subject).map(one_line),
        date: block.value(Label::Sent).and_then(parse_date),
        text: start + text..mail.body.text.len(),
    })
}

/// Reads `Ada <ada@example.com>`, `"Ada" [mailto:ada@example.com]` or a bare address.
fn sender_of(value: &str) -> Option<Mailer> {
    let plain = value
        .replace("[mailto:", "<")
        .replace("<mailto:", "<")
        .replace(['*', '\u{a0}'], " ")
        .replace(']', ">");
    parse_addresses(&plain).into_iter().next()
}

const MAX_HEAD_LINES: usize = 12;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mail::{ParseOptions, parse_mail};

    fn unwrap(subject: &str, body: &str, agent: &str) -> Option<(Unwrapped, String)> {
        let raw = format!("From: Agent <agent@own.example>\nSubject: {subject}\n\n{body}");
        let mail = parse_mail(raw.as_bytes(), &ParseOptions::default()).unwrap();
        let found = unwrap_forward(&mail, &[EmailAddress::parse(agent).unwrap()])?;
        let text = mail.body.text[found.text.clone()].to_owned();
        Some((found, text))
    }

    const GMAIL: &str = "Please handle.\n\n---------- Forwarded message ---------\nFrom: Ada <ada@x.example>\n\
        Date: Mon, 9 Nov 2026 09:14:00 +0100\nSubject: Pumps\nTo: <agent@own.example>\n\n\nHello,\nwe need pumps.\n";

    #[test]
    fn an_agents_forward_shows_its_sender() {
        let (found, text) = unwrap("Fwd: Pumps", GMAIL, "agent@own.example").unwrap();
        assert_eq!(found.sender.address.as_str(), "ada@x.example");
        assert_eq!(found.sender.name, "Ada");
        assert_eq!(found.subject.as_deref(), Some("Pumps"));
        assert_eq!(found.date.unwrap().utc_offset_minutes, 60);
        assert_eq!(text, "Hello,\nwe need pumps.\n");
        let outlook = "Von: Ada Byron [mailto:ada@x.example]\nGesendet: Montag\nAn: agent\nBetreff: Pumpen\n\nHallo\n";
        let (found, text) = unwrap("WG: Pumpen", outlook, "agent@own.example").unwrap();
        assert_eq!(found.sender.address.as_str(), "ada@x.example");
        assert_eq!((found.date, text.as_str()), (None, "Hallo\n"));
    }

    #[test]
    fn others_forwards_and_agents_answers_stay_wrapped() {
        assert!(unwrap("Fwd: Pumps", GMAIL, "other@own.example").is_none());
        let answer =
            "Yes.\n\nFrom: Ada <ada@x.example>\nSent: Monday\nTo: agent\nSubject: Pumps\n\nHello\n";
        assert!(unwrap("Re: Pumps", answer, "agent@own.example").is_none());
        let nameless = "From: Ada Byron\nSent: Monday\nTo: agent\nSubject: Pumps\n\nHello\n";
        assert!(unwrap("FW: Pumps", nameless, "agent@own.example").is_none());
        assert!(unwrap("FW: Pumps", "no block", "agent@own.example").is_none());
    }
}
