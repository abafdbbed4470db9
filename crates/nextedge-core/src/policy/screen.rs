//! What is kept out of the CRM, who is on our side, and whom to believe about senders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Domain, EmailAddress};

/// Machine mail, privacy filter, our own side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ScreenPolicy {
    /// Addresses of our own side; their mail is outgoing.
    pub colleagues: Vec<EmailAddress>,
    /// Domains that are wholly our own side.
    pub colleague_domains: Vec<Domain>,
    /// Colleagues whose forwards are unwrapped to the person who wrote the forwarded mail.
    pub agents: Vec<EmailAddress>,
    /// Local parts of senders that read no answers; `*` stands for any text.
    pub no_reply: Vec<String>,
    /// More `Received` headers than this are a loop; 30 by default.
    pub max_received: usize,
    /// Labels and folders of the source that keep a mail out.
    pub private_labels: Vec<String>,
    /// Words of subject or text that keep a mail out, compared without case as whole words.
    pub private_keywords: Vec<String>,
    /// Sender or recipient domains, and those below them, that keep a mail out.
    pub private_domains: Vec<Domain>,
    /// Sender or recipient addresses that keep a mail out.
    pub private_addresses: Vec<EmailAddress>,
    /// Keeps out mail that its sender marked personal, private or confidential; yes by default.
    pub personal_marker: bool,
}

impl Default for ScreenPolicy {
    fn default() -> Self {
        Self {
            colleagues: Vec::new(),
            colleague_domains: Vec::new(),
            agents: Vec::new(),
            no_reply: NO_REPLY.iter().map(ToString::to_string).collect(),
            max_received: 30,
            private_labels: Vec::new(),
            private_keywords: Vec::new(),
            private_domains: Vec::new(),
            private_addresses: Vec::new(),
            personal_marker: true,
        }
    }
}

impl ScreenPolicy {
    /// Tells whether an address is a declared colleague.
    pub fn is_colleague(&self, address: &EmailAddress) -> bool {
        self.colleagues.contains(address)
            || self.agents.contains(address)
            || (!self.colleague_domains.is_empty()
                && self.colleague_domains.contains(&address.domain()))
    }
}

/// Whom to believe about senders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct AuthenticityPolicy {
    /// For each mailbox address, the authserv-ids whose results are believed; `*` for every mailbox.
    pub trusted: BTreeMap<String, Vec<String>>,
    /// A sender that passed; `trust` by default.
    pub pass: Treatment,
    /// A sender that failed; `review` by default. It never joins a thread, whatever stands here.
    pub fail: Treatment,
    /// No trusted result, mail read from files; `trust` by default.
    pub absent_in_files: Treatment,
    /// No trusted result, mail read from a live mailbox; `review` by default.
    pub absent_live: Treatment,
}

impl Default for AuthenticityPolicy {
    fn default() -> Self {
        Self {
            trusted: BTreeMap::new(),
            pass: Treatment::Trust,
            fail: Treatment::Review,
            absent_in_files: Treatment::Trust,
            absent_live: Treatment::Review,
        }
    }
}

/// How mail with a given verdict is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Treatment {
    /// Like any other mail.
    Trust,
    /// A person decides; it joins no thread.
    Review,
    /// Kept, not written; it joins no thread.
    Park,
}

/// Default local parts of senders that read no answers.
const NO_REPLY: &[&str] = &[
    "no-reply*",
    "noreply*",
    "no_reply*",
    "no.reply*",
    "*-noreply",
    "*-no-reply",
    "do-not-reply*",
    "donotreply*",
    "do_not_reply*",
    "dont-reply*",
    "nicht-antworten*",
    "keine-antwort*",
    "ne-pas-repondre*",
    "nepasrepondre*",
    "no-responder*",
    "noresponder*",
    "non-rispondere*",
    "nonrispondere*",
    "nao-responda*",
    "naoresponda*",
    "niet-beantwoorden*",
];
