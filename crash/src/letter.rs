//! Writes the raw mails of a world.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;

use crate::world::{Kind, Person, Thread};

/// What a mail says.
pub(crate) struct Letter<'a> {
    pub(crate) row: &'a Thread,
    /// The address of the mailbox.
    pub(crate) home: &'a str,
    pub(crate) tag: &'a str,
    /// A word for the thread's subject.
    pub(crate) thread: &'a str,
    /// Its place in the thread, from 0.
    pub(crate) place: usize,
    /// The tag of the thread's first mail; none for that mail itself.
    pub(crate) root: Option<&'a str>,
    pub(crate) at: i64,
    pub(crate) outgoing: bool,
    pub(crate) files: &'a BTreeSet<String>,
}

impl Letter<'_> {
    /// Returns the whole mail.
    pub(crate) fn raw(&self) -> String {
        let text = format!("Hello,\r\n\r\nthis is about {}.\r\n", self.tag);
        let head = self.head();
        if self.files.is_empty() {
            return format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}");
        }
        let mut mail = format!(
            "{head}Content-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
        );
        for file in self.files {
            let content = STANDARD.encode(content_of(file));
            mail.push_str(&format!(
                "\r\n--cut\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"{file}.pdf\"\r\n\r\n{content}\r\n"
            ));
        }
        mail.push_str("\r\n--cut--\r\n");
        mail
    }

    fn head(&self) -> String {
        let date = DateTime::from_timestamp(self.at, 0).unwrap_or_default();
        let date = date.to_rfc2822();
        let (from, to) = if self.outgoing {
            (self.home, self.row.sender.as_str())
        } else {
            (self.row.sender.as_str(), self.home)
        };
        let domain = from.split('@').next_back().unwrap_or_default();
        let mut head = format!(
            "Received: from mail.{domain} by {AUTHSERV}; {date}\r\n\
             Authentication-Results: {AUTHSERV}; dkim=pass header.d={domain}; \
             dmarc=pass header.from={domain}\r\n\
             From: {from}\r\nTo: {to}\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{}@{domain}>\r\n\
             MIME-Version: 1.0\r\n",
            self.subject(),
            self.tag,
        );
        if let Some(root) = self.root {
            let domain = self.row.sender.split('@').next_back().unwrap_or_default();
            head.push_str(&format!(
                "In-Reply-To: <{root}@{domain}>\r\nReferences: <{root}@{domain}>\r\n"
            ));
        }
        if self.row.kind == Kind::Machine {
            head.push_str("Auto-Submitted: auto-replied\r\n");
        }
        head
    }

    /// Names the category for the classifier and the answer for the person.
    fn subject(&self) -> String {
        let kind = match self.row.kind {
            Kind::Lead => "lead",
            Kind::Case => "case",
            Kind::Contact => "contact",
            Kind::Opportunity => "opportunity",
            Kind::Nothing | Kind::Machine => "nothing",
        };
        let person = match self.row.person {
            Person::NotAsked => "",
            Person::Approves => " perhaps approve",
            Person::Rejects => " perhaps reject",
        };
        let re = if self.place > 0 { "Re: " } else { "" };
        format!("{re}{kind}{person} {}", self.thread)
    }
}

/// The bytes of an attachment.
pub(crate) fn content_of(file: &str) -> String {
    format!("%PDF-1.4 {file}")
}

/// Whose authentication results are believed.
pub(crate) const AUTHSERV: &str = "mx.crash.example";
