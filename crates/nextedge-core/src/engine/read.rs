//! The part of `process` that needs no store and no network: parse, screen, fingerprint.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::deps::Deps;
use super::tenant::TenantConfig;
use crate::classify::Classification;
use crate::clock::Timestamp;
use crate::domain::{
    Direction, EmailAddress, Fingerprint, Labels, MailboxId, Mailer, MessageUid, ParkReason,
    TenantId,
};
use crate::error::{Error, ErrorKind, Result};
use crate::mail::{Mail, ParseFault, ParseOptions, fingerprint, on_reading_thread, parse_mail};
use crate::source::Origin;
use crate::stage::authenticity::Authenticity;
use crate::stage::link::{LinkContext, LinkTrust};
use crate::stage::screen::{ScreenContext, Screened, screen};
use crate::stage::token::TokenKey;
use crate::store::{Claim, Mailbox, Work};

/// One claimed mail, read or refused.
#[derive(Debug)]
pub(crate) struct ReadMail {
    pub(crate) message: MessageUid,
    pub(crate) mailbox: MailboxId,
    /// The source's own judgement of the thread; a file's hint is only the mail's own claim.
    pub(crate) provider_thread: Option<String>,
    pub(crate) received_at: Timestamp,
    pub(crate) labels: Labels,
    pub(crate) kept: Option<Classification>,
    /// The read mail, or the name of the limit it exceeds.
    pub(crate) read: Result<Read, String>,
}

/// A mail that was read and screened.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) mail: Mail,
    pub(crate) screened: Screened,
    pub(crate) fingerprint: Fingerprint,
    voice: Result<Voice, ParkReason>,
}

impl Read {
    /// Returns who speaks to whom, or why nobody speaks.
    pub(crate) fn voice(&self) -> Result<&Voice, &ParkReason> {
        self.voice.as_ref()
    }
}

/// Who speaks in a mail, to whom, and what they say.
#[derive(Debug)]
pub(crate) struct Voice {
    /// Who wrote it, after unwrapping of forms and forwards.
    pub(crate) sender: Mailer,
    /// The other side: the sender of incoming mail, the first recipient of our own.
    pub(crate) party: Mailer,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) direction: Direction,
    pub(crate) authenticity: Authenticity,
    pub(crate) trust: LinkTrust,
    /// Everybody of the other side.
    pub(crate) correspondents: Vec<EmailAddress>,
}

impl ReadMail {
    pub(crate) fn link_context<'a>(
        &'a self,
        tenant: &'a TenantId,
        key: &'a TokenKey,
        voice: &'a Voice,
    ) -> LinkContext<'a> {
        LinkContext {
            tenant,
            mailbox: &self.mailbox,
            provider_thread: self.provider_thread.as_deref(),
            token_key: Some(key),
            correspondents: &voice.correspondents,
            received_at: self.received_at,
            trust: voice.trust,
        }
    }
}

/// Reads the raw mails of a claim away from the async threads, in order of reception.
pub(crate) async fn read_batch(
    deps: &Deps,
    claim: &Claim,
    config: &TenantConfig,
) -> Result<Vec<ReadMail>> {
    let mut mailboxes = HashMap::new();
    let mut raws = Vec::with_capacity(claim.items.len());
    for item in &claim.items {
        let Work::Process {
            mailbox,
            thread_hint,
            labels,
            raw,
            kept,
        } = &item.work
        else {
            continue;
        };
        if !mailboxes.contains_key(mailbox) {
            let row = deps.store.mailbox(&claim.tenant, mailbox).await?;
            mailboxes.insert(mailbox.clone(), row.ok_or_else(|| no_mailbox(mailbox))?);
        }
        raws.push(Raw {
            message: item.message,
            mailbox: mailbox.clone(),
            thread_hint: thread_hint.clone(),
            labels: labels.clone(),
            received_at: item.received_at,
            kept: kept.clone(),
            raw: raw.clone(),
        });
    }
    raws.sort_by_key(|raw| (raw.received_at, raw.message));
    let reader = Reader::new(deps, &claim.tenant, config, mailboxes);
    let read = move || raws.into_iter().map(|raw| reader.read(raw)).collect();
    on_reading_thread(read)
        .await
        .ok_or_else(|| Error::new(ErrorKind::Unexpected, "reading a batch of mails panicked"))
}

struct Raw {
    message: MessageUid,
    mailbox: MailboxId,
    thread_hint: Option<String>,
    labels: Labels,
    received_at: Timestamp,
    kept: Option<Classification>,
    raw: Bytes,
}

/// Returns a reader for the mails of one mailbox.
pub(crate) fn reader(
    deps: &Deps,
    tenant: &TenantId,
    config: &TenantConfig,
    mailbox: Mailbox,
) -> Reader {
    Reader::new(
        deps,
        tenant,
        config,
        HashMap::from([(mailbox.id.clone(), mailbox)]),
    )
}

/// Reads and screens; needs nothing but its own data, so it can run on any thread.
pub(crate) struct Reader {
    tenant: TenantId,
    policy: std::sync::Arc<crate::policy::Policy>,
    token_key: TokenKey,
    mailboxes: HashMap<MailboxId, Mailbox>,
}

impl Reader {
    fn new(
        deps: &Deps,
        tenant: &TenantId,
        config: &TenantConfig,
        mailboxes: HashMap<MailboxId, Mailbox>,
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            policy: config.policy.clone(),
            token_key: deps.token_key.clone(),
            mailboxes,
        }
    }

    /// Reads one mail of the only mailbox this reader knows.
    pub(crate) fn read_one(
        &self,
        message: MessageUid,
        received_at: Timestamp,
        labels: Labels,
        raw: Bytes,
    ) -> Result<ReadMail> {
        let mailbox = self
            .mailboxes
            .keys()
            .next()
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Unexpected, "a reader without mailbox"))?;
        Ok(self.read(Raw {
            message,
            mailbox,
            thread_hint: None,
            labels,
            received_at,
            kept: None,
            raw,
        }))
    }

    fn read(&self, raw: Raw) -> ReadMail {
        // a panic is this mail's alone: it is kept unread, like one over a limit
        let read = catch_unwind(AssertUnwindSafe(|| {
            let mail = parse_mail(&raw.raw, &ParseOptions::default())?;
            Ok(self.screen(mail, &raw))
        }));
        let read = read.unwrap_or(Err(ParseFault::Unreadable));
        let read = read.map_err(|fault| fault.to_string());
        let live = self
            .mailboxes
            .get(&raw.mailbox)
            .is_some_and(|row| row.origin == Origin::Live);
        ReadMail {
            message: raw.message,
            mailbox: raw.mailbox,
            provider_thread: raw.thread_hint.filter(|_| live),
            received_at: raw.received_at,
            labels: raw.labels,
            kept: raw.kept,
            read,
        }
    }

    fn screen(&self, mail: Mail, raw: &Raw) -> Read {
        let row = self.mailboxes.get(&raw.mailbox);
        let mut screened = screen(
            &mail,
            &ScreenContext {
                tenant: &self.tenant,
                mailbox: row.and_then(|row| row.address.as_ref()),
                policy: &self.policy,
                labels: &raw.labels,
                origin: row.map(|row| row.origin).unwrap_or_default(),
                token_key: Some(&self.token_key),
                written_by_us: false,
            },
        );
        let fingerprint = fingerprint(&self.tenant, &mail);
        let voice = voice(&mail, &mut screened);
        Read {
            mail,
            screened,
            fingerprint,
            voice,
        }
    }
}

/// Takes the text out of what was screened: it is the larger part of a mail, and needed once.
fn voice(mail: &Mail, screened: &mut Screened) -> Result<Voice, ParkReason> {
    match screened {
        Screened::Person(person) => Ok(Voice {
            sender: person.sender.clone(),
            party: person.sender.clone(),
            subject: person.subject.clone(),
            text: std::mem::take(&mut person.text),
            direction: Direction::Incoming,
            authenticity: person.authenticity,
            trust: trust(person.may_join()),
            correspondents: vec![person.sender.address.clone()],
        }),
        Screened::Outbound(outbound) => {
            let party = outbound.recipients.first().ok_or(ParkReason::Outbound)?;
            Ok(Voice {
                sender: outbound.sender.clone(),
                party: party.clone(),
                subject: mail.subject.clone(),
                text: std::mem::take(&mut outbound.text),
                direction: Direction::Outgoing,
                authenticity: outbound.authenticity,
                trust: trust(outbound.authenticity.may_join()),
                correspondents: outbound
                    .recipients
                    .iter()
                    .map(|r| r.address.clone())
                    .collect(),
            })
        }
        Screened::Machine(_) | Screened::Filtered(_) => {
            Err(screened.park_reason().unwrap_or(ParkReason::Outbound))
        }
    }
}

fn trust(may_join: bool) -> LinkTrust {
    if may_join {
        LinkTrust::Verified
    } else {
        LinkTrust::Unverified
    }
}

fn no_mailbox(mailbox: &MailboxId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "mailbox of a claimed message does not exist",
    )
    .with_context("mailbox", mailbox)
}
