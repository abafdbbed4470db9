//! Keeps machine mail, private mail and our own mail apart from people's mail, without a model.
//!
//! Everything that is kept out is parked with its evidence, never dropped.

mod machine;
mod private;

use serde::{Deserialize, Serialize};

use super::authenticity::{Authenticity, Verdict, judge};
use super::token::{self, TokenKey};
use crate::domain::{EmailAddress, Mailer, ParkReason, TenantId};
use crate::mail::{Mail, Role, unwrap_forward};
use crate::policy::{Policy, Treatment};
use crate::source::Origin;

/// What screening must know beside the mail.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct ScreenContext<'a> {
    /// The tenant, for thread tokens.
    pub tenant: &'a TenantId,
    /// The mailbox's own address; none if it is not known.
    pub mailbox: Option<&'a EmailAddress>,
    /// The tenant's policy.
    pub policy: &'a Policy,
    /// Labels and folders that the source put on the mail.
    pub labels: &'a [String],
    /// Where the mail was read from.
    pub origin: Origin,
    /// The key of our thread tokens; none where no mail is sent.
    pub token_key: Option<&'a TokenKey>,
    /// The store knows that we wrote a mail with this Message-ID.
    pub written_by_us: bool,
}

/// What screening found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the engine handles each
pub enum Screened {
    /// A person of the other side wrote it.
    Person(Person),
    /// A machine wrote it.
    Machine(Machine),
    /// The privacy filter keeps it out.
    Filtered(Filtered),
    /// Our own side wrote it to somebody.
    Outbound(Outbound),
}

impl Screened {
    /// Returns why it is parked; none for a person's mail, and for our own, which may join a thread.
    pub fn park_reason(&self) -> Option<ParkReason> {
        match self {
            Self::Person(_) | Self::Outbound(_) => None,
            Self::Machine(machine) => Some(ParkReason::Machine(machine.kind.as_str().to_owned())),
            Self::Filtered(filtered) => Some(ParkReason::Filtered(filtered.filter.clone())),
        }
    }
}

/// A mail of a person of the other side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Person {
    /// Who wrote it, after unwrapping of forms and of configured agents' forwards.
    pub sender: Mailer,
    /// Where the sender's address comes from.
    pub via: Via,
    /// What they wrote: the new text, or the forwarded text without its header block.
    pub text: String,
    /// The subject, without the mark of an unwrapped forward.
    pub subject: String,
    /// Whether the sender is who the mail says.
    pub authenticity: Authenticity,
}

impl Person {
    /// Tells whether the mail may join a thread.
    ///
    /// An address from Reply-To is the claim of a form: it may found a thread, never join one.
    pub fn may_join(&self) -> bool {
        self.via != Via::ReplyTo && self.authenticity.may_join()
    }
}

/// Where a sender's address comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Via {
    /// The From header.
    From,
    /// The Reply-To of a no-reply sender, as web forms write it.
    ReplyTo,
    /// The header block of a mail that this configured agent forwarded.
    Forward(EmailAddress),
}

/// A machine's mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Machine {
    /// What kind of machine mail.
    pub kind: MachineKind,
    /// Why we think so; never empty.
    pub evidence: Vec<ScreenEvidence>,
}

/// A kind of machine mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MachineKind {
    /// A delivery report.
    Bounce,
    /// A vacation or other automatic answer, or a read receipt.
    AutoReply,
    /// A discussion list.
    List,
    /// A newsletter or other bulk mail.
    Newsletter,
    /// A calendar invitation or answer.
    Calendar,
    /// Two machines answer each other.
    Loop,
    /// A notification that nobody answers.
    NoReply,
    /// A mail that we wrote.
    OwnEcho,
}

impl MachineKind {
    /// Returns the name as it stands in park reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::AutoReply => "auto_reply",
            Self::List => "list",
            Self::Newsletter => "newsletter",
            Self::Calendar => "calendar",
            Self::Loop => "loop",
            Self::NoReply => "no_reply",
            Self::OwnEcho => "own_echo",
        }
    }
}

/// One fact that speaks for machine or private mail: where it stands and what kind of value it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct ScreenEvidence {
    /// The header or part, such as `auto-submitted` or `subject`.
    pub place: String,
    /// What was found there, in our words: never the mail's own text.
    pub found: String,
}

impl ScreenEvidence {
    fn new(place: &str, found: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            found: found.into(),
        }
    }
}

/// A mail that the tenant keeps out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Filtered {
    /// Which filter: `label`, `keyword`, `domain`, `address` or `personal`.
    pub filter: String,
    /// Where it matched.
    pub evidence: Vec<ScreenEvidence>,
}

/// A mail of our own side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Outbound {
    /// Who of us wrote it.
    pub sender: Mailer,
    /// To whom of the other side, To before Cc; empty for mail between colleagues.
    pub recipients: Vec<Mailer>,
    /// What they wrote.
    pub text: String,
    /// Whether the sender is who the mail says.
    pub authenticity: Authenticity,
}

/// Sorts a mail: a person's, a machine's, private, or our own.
pub fn screen(mail: &Mail, cx: &ScreenContext<'_>) -> Screened {
    if let Some(filtered) = private::find(mail, cx) {
        return Screened::Filtered(filtered);
    }
    if let Some(machine) = machine::echo_or_loop(mail, cx) {
        return Screened::Machine(machine);
    }
    if let Some(machine) = machine::find(mail, cx) {
        return Screened::Machine(machine);
    }
    let Some(from) = mail.from.as_ref().or(mail.sender.as_ref()) else {
        return without_from(mail, cx);
    };
    let authenticity = authenticity_of(mail, cx);
    if is_own(&from.address, cx) && authenticity.verdict != Verdict::Fail {
        return own_side(mail, cx, from, authenticity);
    }
    if machine::is_no_reply(&from.address, cx.policy) {
        return match reply_person(mail, cx, &from.address) {
            Some(sender) => Screened::Person(person(mail, sender, Via::ReplyTo, authenticity)),
            None => Screened::Machine(machine::no_reply("from", "address that reads no answers")),
        };
    }
    Screened::Person(person(mail, from.clone(), Via::From, authenticity))
}

fn without_from(mail: &Mail, cx: &ScreenContext<'_>) -> Screened {
    match mail.reply_to.first() {
        Some(sender) if !is_own(&sender.address, cx) => {
            let authenticity = Authenticity {
                verdict: Verdict::Absent,
                treatment: Treatment::Review,
            };
            Screened::Person(person(mail, sender.clone(), Via::ReplyTo, authenticity))
        }
        _ => Screened::Machine(machine::no_reply("from", "no readable address")),
    }
}

fn own_side(
    mail: &Mail,
    cx: &ScreenContext<'_>,
    from: &Mailer,
    authenticity: Authenticity,
) -> Screened {
    if authenticity.treatment != Treatment::Trust && !was_sent_from_mailbox(cx) {
        return Screened::Person(person(mail, from.clone(), Via::From, authenticity));
    }
    if let Some(inner) = unwrap_forward(mail, &cx.policy.screen.agents)
        && !is_own(&inner.sender.address, cx)
    {
        return Screened::Person(Person {
            sender: inner.sender,
            via: Via::Forward(from.address.clone()),
            text: mail
                .body
                .text
                .get(inner.text)
                .unwrap_or_default()
                .to_owned(),
            subject: inner.subject.unwrap_or_else(|| mail.subject.clone()),
            authenticity,
        });
    }
    let others = mail.to.iter().chain(&mail.cc);
    Screened::Outbound(Outbound {
        sender: from.clone(),
        recipients: others
            .filter(|other| !is_own(&other.address, cx))
            .cloned()
            .collect(),
        text: mail.body.new_text(),
        authenticity,
    })
}

/// Only the source itself puts this label on a mail.
fn was_sent_from_mailbox(cx: &ScreenContext<'_>) -> bool {
    cx.labels
        .iter()
        .any(|label| label.eq_ignore_ascii_case("sent"))
}

fn person(mail: &Mail, sender: Mailer, via: Via, authenticity: Authenticity) -> Person {
    let mut text = mail.body.new_text();
    if text.trim().is_empty() {
        // A forward without a comment of its own: what was forwarded is what the sender says.
        text = mail.body.text_of(&[Role::Forwarded]);
    }
    Person {
        sender,
        via,
        text,
        subject: mail.subject.clone(),
        authenticity,
    }
}

fn reply_person(mail: &Mail, cx: &ScreenContext<'_>, from: &EmailAddress) -> Option<Mailer> {
    let mut answers_go_to = mail.reply_to.iter();
    let person = answers_go_to.find(|other| {
        &other.address != from
            && !is_own(&other.address, cx)
            && !machine::is_no_reply(&other.address, cx.policy)
    });
    person.cloned()
}

fn is_own(address: &EmailAddress, cx: &ScreenContext<'_>) -> bool {
    cx.mailbox == Some(address) || cx.policy.screen.is_colleague(address)
}

fn authenticity_of(mail: &Mail, cx: &ScreenContext<'_>) -> Authenticity {
    let mailbox = cx.mailbox.map_or("*", EmailAddress::as_str);
    judge(mail, mailbox, cx.origin, &cx.policy.authenticity)
}

fn bears_own_token(id: &str, cx: &ScreenContext<'_>) -> bool {
    let local = id.split('@').next().unwrap_or_default();
    cx.token_key
        .is_some_and(|key| token::verify(key, cx.tenant, local).is_some())
}
