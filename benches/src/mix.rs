//! The fixed mix: mail number `n` is always the same mail, made from its number alone.
//!
//! Of every 20 mails 14 found a thread and 6 answer one of the group before; 2 have an attachment,
//! 10 an HTML part beside the text, 1 is of category `None` and is parked. Each thread has a sender
//! of its own; seven neighbouring numbers share a company.

use bytes::Bytes;
use nextedge_core::{Category, Timestamp};

use crate::texts::{self, Words};

/// One mail of the mix, before its bytes are made.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    number: u64,
    /// The mail that founds its thread; itself for a founder.
    founder: u64,
    category: Category,
    attachment: bool,
    html: bool,
}

impl Draft {
    /// Describes a mail by its number.
    pub fn of(number: u64) -> Self {
        let (group, place) = (number / GROUP, number % GROUP);
        let founder = match place {
            FIRST_REPLY.. => group.saturating_sub(1) * GROUP + (place - FIRST_REPLY),
            _ => number,
        };
        let category = match founder % GROUP {
            0 | 4 | 8 | 12 => Category::Lead,
            1 | 5 | 9 | 11 => Category::Case,
            2 | 6 | 10 => Category::Opportunity,
            3 | 7 => Category::Contact,
            _ => Category::None,
        };
        Self {
            number,
            founder,
            category,
            attachment: place == 4 || place == 16,
            html: place % 2 == 1,
        }
    }

    /// Returns its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Tells whether it is written to a CRM; the others are parked.
    pub fn is_written(&self) -> bool {
        self.category != Category::None
    }

    /// When the mailbox received it: one a second.
    pub fn received_at(&self) -> Timestamp {
        let seconds = EPOCH + i64::try_from(self.number).unwrap_or_default();
        Timestamp::from_timestamp(seconds, 0).unwrap_or_default()
    }

    /// The thread as the mailbox names it.
    pub fn thread(&self) -> String {
        format!("t{}", self.founder)
    }

    /// Makes the raw mail, about `size` bytes.
    pub fn raw(&self, size: usize) -> Bytes {
        let mut words = Words::new(self.number);
        let mut mail = String::with_capacity(size + 4096);
        self.head(&mut mail);
        // an attachment takes half of the mail, an HTML part three quarters of the rest
        let body = if self.attachment { size / 2 } else { size };
        let body = body.saturating_sub(mail.len()).max(MIN_BODY);
        let text_share = if self.html { body / 4 } else { body };
        let text = self.text(&mut words, text_share);
        if self.attachment {
            mail.push_str(MIXED);
        }
        if self.html {
            mail.push_str(ALTERNATIVE);
        }
        mail.push_str(PLAIN);
        mail.push_str(&text);
        if self.html {
            mail.push_str("\r\n--alt\r\nContent-Type: text/html; charset=utf-8\r\n");
            mail.push_str("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
            let share = body.saturating_sub(text.len());
            texts::push_html(&mut mail, &text, share, &mut words);
            mail.push_str("\r\n--alt--\r\n");
        }
        if self.attachment {
            let name = format!("document-{}.pdf", self.number);
            mail.push_str("\r\n--mix\r\nContent-Type: application/pdf\r\n");
            mail.push_str("Content-Transfer-Encoding: base64\r\n");
            mail.push_str(&format!(
                "Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
            ));
            let rest = size.saturating_sub(mail.len());
            texts::push_file(&mut mail, rest, &mut words);
            mail.push_str("\r\n--mix--\r\n");
        }
        Bytes::from(mail)
    }

    fn head(&self, mail: &mut String) {
        let (person, company) = (self.founder, self.founder / PEOPLE);
        let name = texts::person(person);
        let date = self.received_at().to_rfc2822();
        let own = message_id(self.number);
        let re = if self.is_reply() { "Re: " } else { "" };
        let subject = texts::subject(self.category, self.founder);
        mail.push_str(&format!(
            "Received: from mail.firm{company}.example by mx.bench.example; {date}\r\n\
             Authentication-Results: {AUTHSERV}; dkim=pass header.d=firm{company}.example; \
             dmarc=pass header.from=firm{company}.example\r\n\
             From: {name} <p{person}@firm{company}.example>\r\nTo: {MAILBOX}\r\n\
             Subject: {re}{subject}\r\nDate: {date}\r\nMessage-ID: {own}\r\nMIME-Version: 1.0\r\n"
        ));
        if self.is_reply() {
            let first = message_id(self.founder);
            mail.push_str(&format!("In-Reply-To: {first}\r\nReferences: {first}\r\n"));
        }
    }

    /// New text; in a reply two fifths of it quote the founder.
    fn text(&self, words: &mut Words, size: usize) -> String {
        let mut text = String::with_capacity(size + 512);
        let name = texts::person(self.founder);
        texts::push_opening(&mut text, self.category, self.number, words);
        let quote = if self.is_reply() { size * 2 / 5 } else { 0 };
        while text.len() + quote < size {
            texts::push_paragraph(&mut text, self.category, words, "");
        }
        text.push_str(&format!("\r\nBest regards,\r\n{name}\r\n"));
        if self.is_reply() {
            text.push_str("\r\nOn Mon, 2 Mar 2026 at 09:12, Desk <desk@bench.example> wrote:\r\n");
            while text.len() < size {
                texts::push_paragraph(&mut text, self.category, words, "> ");
            }
        }
        text
    }

    fn is_reply(&self) -> bool {
        self.founder != self.number
    }
}

/// What the mix holds, for the report.
#[derive(Debug, Default)]
pub struct Census {
    mails: u64,
    replies: u64,
    attachments: u64,
    html: u64,
    categories: [u64; 5],
}

impl Census {
    /// Counts the first `mails` of the mix.
    pub fn of(mails: u64) -> Self {
        let mut census = Self {
            mails,
            ..Self::default()
        };
        for draft in (0..mails).map(Draft::of) {
            census.replies += u64::from(draft.is_reply());
            census.attachments += u64::from(draft.attachment);
            census.html += u64::from(draft.html);
            let place = Category::ALL.iter().position(|c| *c == draft.category);
            census.categories[place.unwrap_or(4)] += 1;
        }
        census
    }
}

impl std::fmt::Display for Census {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |part: u64| 100.0 * part as f64 / self.mails.max(1) as f64;
        write!(
            f,
            "{} mails, every body distinct; {:.0} % replies, {:.0} % with an attachment (each \
             distinct), {:.0} % with HTML beside the text; by thread",
            self.mails,
            percent(self.replies),
            percent(self.attachments),
            percent(self.html)
        )?;
        for (category, count) in Category::ALL.iter().zip(self.categories) {
            write!(f, " {category} {:.0} %", percent(count))?;
        }
        write!(
            f,
            "; a sender a thread, {PEOPLE} neighbouring numbers a company"
        )
    }
}

fn message_id(number: u64) -> String {
    format!(
        "<m{number}.{:x}@mail.bench.example>",
        number * 2_654_435_761
    )
}

/// The mailbox that receives the mix.
pub const MAILBOX: &str = "desk@bench.example";
/// Who vouches for the senders.
pub const AUTHSERV: &str = "mx.bench.example";
const GROUP: u64 = 20;
const FIRST_REPLY: u64 = 14;
const PEOPLE: u64 = 7;
/// 2 March 2026.
const EPOCH: i64 = 1_772_409_600;
const MIN_BODY: usize = 400;
const MIXED: &str = "Content-Type: multipart/mixed; boundary=mix\r\n\r\n--mix\r\n";
const ALTERNATIVE: &str = "Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt\r\n";
const PLAIN: &str = "Content-Type: text/plain; charset=utf-8\r\n\r\n";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nextedge_core::mail::{ParseOptions, parse_mail};

    #[test]
    fn shares_are_those_that_are_promised() {
        let census = Census::of(2_000);
        assert_eq!((census.replies, census.attachments), (600, 200));
        assert!(census.categories.iter().all(|count| *count >= 100));
        assert!(census.categories[4] * 10 <= census.mails);
    }

    #[test]
    fn mails_have_the_size_and_parts_asked_for() {
        for size in [2 << 10, 20 << 10, 200 << 10] {
            for number in 40..60 {
                let draft = Draft::of(number);
                let raw = draft.raw(size);
                let len = raw.len();
                // headers, an opening and the part heads weigh in a small mail
                assert!(
                    (size * 9 / 10..size * 11 / 10 + 800).contains(&len),
                    "{number}: {len} of {size}"
                );
                let mail = parse_mail(&raw, &ParseOptions::default()).unwrap();
                assert_eq!(mail.attachments.len(), usize::from(draft.attachment));
                assert_eq!(mail.body.html.is_some(), draft.html);
                assert_eq!(!mail.references.is_empty(), draft.is_reply());
            }
        }
    }

    #[test]
    fn the_same_number_gives_the_same_mail_and_another_number_another_body() {
        let body = |number| {
            let raw = Draft::of(number).raw(2 << 10);
            parse_mail(&raw, &ParseOptions::default())
                .unwrap()
                .body
                .text
        };
        assert_eq!(body(7), body(7));
        let all: std::collections::HashSet<String> = (0..500).map(body).collect();
        assert_eq!(all.len(), 500);
    }
}
