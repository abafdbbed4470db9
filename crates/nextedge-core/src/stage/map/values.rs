//! The values behind placeholders, made only when a template asks for them.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::PlanContext;
use super::compile::CompiledMap;
use super::description::describe;
use super::name::{PersonName, split_name};
use crate::classify::ContactField;
use crate::domain::{Band, Domain};
use crate::stage::decide::Intent;
use crate::stage::extract::{best, normalised_phone};

macro_rules! vars {
    ($($name:ident = $path:literal),* $(,)?) => {
        /// A placeholder.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Var { $($name),* }

        impl Var {
            /// All placeholders.
            pub(super) const ALL: &[Var] = &[$(Var::$name),*];

            /// Returns the text inside the braces.
            pub(super) fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }

            /// Finds the placeholder of a text.
            pub(super) fn of(path: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|var| var.path() == path)
            }
        }
    };
}

vars! {
    Subject = "subject",
    Text = "text",
    Body = "body",
    Description = "description",
    Category = "category",
    Confidence = "confidence",
    Urgency = "urgency",
    Priority = "priority",
    Reason = "reason",
    Model = "model",
    Language = "language",
    Owner = "owner",
    Summary = "summary",
    SenderEmail = "sender.email",
    SenderName = "sender.name",
    SenderFirst = "sender.first_name",
    SenderLast = "sender.last_name",
    SenderDisplay = "sender.display",
    SenderDomain = "sender.domain",
    ContactName = "contact.name",
    ContactFirst = "contact.first_name",
    ContactLast = "contact.last_name",
    ContactPhone = "contact.phone",
    ContactTitle = "contact.title",
    ContactCompany = "contact.company",
    CompanyName = "company.name",
    CompanyDomain = "company.domain",
    ScorePoints = "score.points",
    ScoreBand = "score.band",
    ScoreFactors = "score.factors",
    SentAt = "sent_at",
    ReceivedAt = "received_at",
    MessageId = "message_id",
    Mailbox = "mailbox",
}

/// For which write a value is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// A record that may be created.
    Create,
    /// An existing record: owner and priority are not for it.
    Reply,
}

/// The values of one mail.
pub(super) struct Values<'a> {
    intent: &'a Intent,
    map: &'a CompiledMap,
    cx: &'a PlanContext<'a>,
    sender: PersonName,
    contact: PersonName,
    company: Option<Domain>,
    description: OnceCell<String>,
}

impl<'a> Values<'a> {
    pub(super) fn new(intent: &'a Intent, map: &'a CompiledMap, cx: &'a PlanContext<'a>) -> Self {
        let sender = split_name(&intent.sender.name);
        let contact = match best(&intent.fields, ContactField::Name) {
            Some(found) if !sender.is_person() => split_name(&found.value),
            _ => sender.clone(),
        };
        let domain = intent.sender.address.domain();
        let company = (!domain.is_free_mail()).then(|| domain.registrable());
        Self {
            intent,
            map,
            cx,
            sender,
            contact,
            company,
            description: OnceCell::new(),
        }
    }

    /// Tells whether the sender's domain names no company.
    pub(super) fn is_free_mail(&self) -> bool {
        self.company.is_none()
    }

    /// Returns a value; empty if the mail does not have it.
    pub(super) fn get(&self, var: Var, scope: Scope) -> Cow<'_, str> {
        let (intent, mail) = (self.intent, self.cx.mail);
        let text: &str = match var {
            Var::Subject => &intent.subject,
            Var::Text => intent.text.trim(),
            Var::Body => mail.body.text.trim(),
            Var::Description => self.description.get_or_init(|| describe(intent, self.cx)),
            Var::Category => intent.category.as_str(),
            Var::Urgency => intent.urgency.as_str(),
            Var::Priority if scope == Scope::Create => self.map.priority(intent.priority),
            Var::Owner if scope == Scope::Create => {
                intent.owner.as_ref().map_or("", |owner| owner.as_str())
            }
            Var::Priority | Var::Owner => "",
            Var::Reason => &intent.reason,
            Var::Model => &intent.model,
            Var::Language => intent.language.as_deref().unwrap_or_default(),
            Var::MessageId => mail.message_id.as_deref().unwrap_or_default(),
            Var::Mailbox => self.cx.mailbox.map_or("", |mailbox| mailbox.as_str()),
            Var::Confidence | Var::Summary | Var::SentAt | Var::ReceivedAt => {
                return self.made(var);
            }
            Var::ScorePoints | Var::ScoreBand | Var::ScoreFactors => return self.score(var),
            _ => return self.person(var),
        };
        Cow::Borrowed(text)
    }

    fn person(&self, var: Var) -> Cow<'_, str> {
        let sender = &self.intent.sender;
        let text: &str = match var {
            Var::SenderEmail => sender.address.as_str(),
            Var::SenderName => &sender.name,
            Var::SenderFirst => &self.sender.first,
            Var::SenderLast => &self.sender.last,
            Var::SenderDisplay if sender.name.is_empty() => sender.address.as_str(),
            Var::SenderDisplay => &sender.name,
            Var::SenderDomain => {
                return Cow::Owned(sender.address.domain().as_str().to_owned());
            }
            Var::ContactName => return Cow::Owned(self.contact.whole()),
            Var::ContactFirst => &self.contact.first,
            Var::ContactLast => &self.contact.last,
            Var::ContactPhone => {
                let phone = best(&self.intent.fields, ContactField::Phone);
                return Cow::Owned(phone.map_or_else(String::new, |p| normalised_phone(&p.value)));
            }
            Var::ContactTitle => self.found(ContactField::Title),
            Var::ContactCompany => self.found(ContactField::Company),
            Var::CompanyName => match (&self.company, self.found(ContactField::Company)) {
                (Some(domain), "") => domain.as_str(),
                (Some(_), found) => found,
                (None, _) => "",
            },
            Var::CompanyDomain => self.company.as_ref().map_or("", Domain::as_str),
            _ => "",
        };
        Cow::Borrowed(text)
    }

    fn found(&self, kind: ContactField) -> &str {
        best(&self.intent.fields, kind).map_or("", |found| found.value.as_str())
    }

    fn made(&self, var: Var) -> Cow<'_, str> {
        let mail = self.cx.mail;
        Cow::Owned(match var {
            Var::Confidence => format!("{:.2}", self.intent.confidence.get()),
            Var::Summary => match &self.intent.summary {
                Some(summary) => format!("Summary (machine-written): {summary}"),
                None => String::new(),
            },
            Var::SentAt => rfc3339(mail.date.map_or(self.cx.received_at, |date| date.at)),
            _ => rfc3339(self.cx.received_at),
        })
    }

    fn score(&self, var: Var) -> Cow<'_, str> {
        let Some(score) = &self.intent.score else {
            return Cow::Borrowed("");
        };
        match var {
            Var::ScorePoints => Cow::Owned(score.points.to_string()),
            Var::ScoreBand => Cow::Borrowed(band(score.band)),
            _ => {
                let factors = score.factors.iter().filter(|factor| factor.points > 0);
                let lines = factors.map(|factor| format!("+{} {}", factor.points, factor.why));
                Cow::Owned(lines.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// Returns the name of a band.
pub(super) fn band(band: Band) -> &'static str {
    match band {
        Band::Hot => "hot",
        Band::Warm => "warm",
        Band::Cold => "cold",
    }
}

/// Writes a moment in UTC to the second.
pub(super) fn rfc3339(at: crate::clock::Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
