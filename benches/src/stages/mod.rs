//! Each pure stage alone, over mails of the mix that the stages before it have prepared.
//!
//! [`Stages::prepare`] reads, links, classifies and decides a few mails once, in their order, with
//! the default policy and the receiver's field map, as the engine does. [`Stages::run`] then runs one
//! stage over all of them and keeps nothing, so that its time or its instructions are its own.

mod prepare;
mod threads;

use std::hint::black_box;

use bytes::Bytes;
use nextedge_ai::OfflineClassifier;
use nextedge_core::classify::{Classification, ClassifyRequest};
use nextedge_core::mail::{
    History, HtmlLimits, Mail, OpenedMail, ParseOptions, fingerprint, open_mail, parse_mail,
    sanitise_html, segment,
};
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::stage::assign::AssignInputs;
use nextedge_core::stage::decide::{DecideInput, Decision, ThreadState, decide};
use nextedge_core::stage::link::{Candidate, LinkContext, LinkTrust, keys_of, link, link_keys};
use nextedge_core::stage::map::{CompiledMap, PlanContext, plan};
use nextedge_core::stage::screen::{Person, ScreenContext, Screened, screen};
use nextedge_core::stage::token::TokenKey;
use nextedge_core::store::ThreadChange;
use nextedge_core::{
    Basis, ConnectionId, Direction, EmailAddress, Fingerprint, MailboxId, MessageUid, Plan, Result,
    TenantId, Timestamp, Versions,
};

use crate::Failure;
use crate::mix::Draft;

/// A part of the way of a mail that needs no store and no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Guard, parse, HTML to text, segment, language: [`parse_mail`].
    Parse,
    /// [`segment`] on the parsed text; it is a part of `Parse` too.
    Segment,
    /// [`screen`].
    Screen,
    /// [`fingerprint`].
    Fingerprint,
    /// The keys to look up, [`link`] over the threads they name, the keys to store.
    Link,
    /// The embedded offline model.
    Classify,
    /// [`decide`].
    Decide,
    /// [`plan`] with the receiver's field map.
    Map,
    /// What a delivery does before it is sent: [`open_mail`] and [`sanitise_html`].
    Open,
}

impl Stage {
    /// All of them, in the order of a mail's way.
    pub const ALL: [Self; 9] = [
        Self::Parse,
        Self::Segment,
        Self::Screen,
        Self::Fingerprint,
        Self::Link,
        Self::Classify,
        Self::Decide,
        Self::Map,
        Self::Open,
    ];

    /// Returns the name, as on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Segment => "segment",
            Self::Screen => "screen",
            Self::Fingerprint => "fingerprint",
            Self::Link => "link",
            Self::Classify => "classify",
            Self::Decide => "decide",
            Self::Map => "map",
            Self::Open => "open",
        }
    }

    /// Finds a stage by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// Mails with everything that each stage needs.
#[derive(Debug)]
pub struct Stages {
    pub(crate) tenant: TenantId,
    pub(crate) mailbox: MailboxId,
    pub(crate) sink: ConnectionId,
    address: EmailAddress,
    policy: Policy,
    map: CompiledMap,
    classifier: OfflineClassifier,
    token_key: TokenKey,
    mails: Vec<Prepared>,
}

/// One mail, and what the stages found about it.
#[derive(Debug)]
pub struct Prepared {
    /// Its number in the mix.
    pub number: u64,
    /// The id the engine gives it.
    pub message: MessageUid,
    /// The raw mail.
    pub raw: Bytes,
    /// The mailbox's thread id.
    pub thread_hint: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// The decision.
    pub decision: Decision,
    /// The plan, if it is written.
    pub plan: Option<Plan>,
    /// How its thread changes.
    pub change: ThreadChange,
    /// What it says, as a hash.
    pub fingerprint: Fingerprint,
    pub(crate) mail: Mail,
    pub(crate) answer: Classification,
    person: Person,
    correspondents: Vec<EmailAddress>,
    candidates: Vec<Candidate>,
    request: ClassifyRequest,
    state: ThreadState,
}

impl Stages {
    /// Prepares the first `mails` of the mix at a raw size.
    ///
    /// All are kept in memory with what was read from them: about four times their raw size.
    ///
    /// # Errors
    ///
    /// If a mail of the mix is not a person's, or cannot be read or planned: the mix is broken then.
    pub fn prepare(mails: u64, size: usize) -> std::result::Result<Self, Failure> {
        prepare::prepare((0..mails).map(|number| (Draft::of(number), size)))
    }

    /// Returns the mails in their order.
    pub fn mails(&self) -> &[Prepared] {
        &self.mails
    }

    /// Returns how many mails are written.
    pub fn written(&self) -> u64 {
        self.mails.iter().filter(|mail| mail.plan.is_some()).count() as u64
    }

    /// Runs one stage over all mails, and throws away what it makes.
    ///
    /// # Errors
    ///
    /// Those of the stage; none on prepared mails, because preparing ran the same.
    pub fn run(&self, stage: Stage) -> std::result::Result<(), Failure> {
        for mail in &self.mails {
            self.run_one(stage, mail)?;
        }
        Ok(())
    }

    fn run_one(&self, stage: Stage, mail: &Prepared) -> std::result::Result<(), Failure> {
        match stage {
            Stage::Parse => {
                black_box(parse_mail(&mail.raw, &ParseOptions::default())?);
            }
            Stage::Segment => {
                // nothing in the mix is a forward
                black_box(segment(&mail.mail.body.text, History::Reply));
            }
            Stage::Screen => {
                black_box(self.screen(&mail.mail));
            }
            Stage::Fingerprint => {
                black_box(fingerprint(&self.tenant, &mail.mail));
            }
            Stage::Link => self.link(mail),
            Stage::Classify => {
                black_box(self.classifier.answer(&mail.request)?);
            }
            Stage::Decide => {
                black_box(self.decide(mail));
            }
            Stage::Map => {
                black_box(self.plan(mail, &mail.decision)?);
            }
            Stage::Open => {
                black_box(self.open(mail)?);
            }
        }
        Ok(())
    }

    /// Opens a mail for its delivery: bodies, sanitised HTML, the attachments of its plan.
    ///
    /// # Errors
    ///
    /// None on prepared mails.
    pub fn open(&self, mail: &Prepared) -> std::result::Result<Option<OpenedMail>, Failure> {
        let Some(plan) = &mail.plan else {
            return Ok(None);
        };
        let chosen: Vec<u32> = plan.attachments.iter().map(|file| file.index).collect();
        let mut opened = open_mail(&mail.raw, &chosen, &ParseOptions::default())?;
        opened.html = opened
            .html
            .map(|html| sanitise_html(&html, &HtmlLimits::default()));
        Ok(Some(opened))
    }

    fn screen(&self, mail: &Mail) -> Screened {
        screen(
            mail,
            &ScreenContext {
                tenant: &self.tenant,
                mailbox: Some(&self.address),
                policy: &self.policy,
                labels: &[],
                origin: Origin::Live,
                token_key: Some(&self.token_key),
                written_by_us: false,
            },
        )
    }

    fn link(&self, mail: &Prepared) {
        let cx = self.link_context(&mail.thread_hint, mail.received_at, &mail.correspondents);
        black_box(link_keys(&mail.mail, &cx));
        black_box(link(&mail.mail, &mail.candidates, &cx));
        black_box(keys_of(&mail.mail, mail.change.thread.id, &cx));
    }

    fn link_context<'a>(
        &'a self,
        hint: &'a str,
        received_at: Timestamp,
        correspondents: &'a [EmailAddress],
    ) -> LinkContext<'a> {
        LinkContext {
            tenant: &self.tenant,
            mailbox: &self.mailbox,
            provider_thread: Some(hint),
            token_key: Some(&self.token_key),
            correspondents,
            received_at,
            trust: LinkTrust::Verified,
        }
    }

    fn decide(&self, mail: &Prepared) -> Decision {
        self.decide_on(
            &mail.mail,
            &mail.person,
            mail.state,
            &mail.answer,
            mail.received_at,
        )
    }

    fn decide_on(
        &self,
        mail: &Mail,
        person: &Person,
        thread: ThreadState,
        answer: &Classification,
        received_at: Timestamp,
    ) -> Decision {
        decide(&DecideInput {
            policy: &self.policy,
            mail,
            sender: &person.sender,
            subject: &person.subject,
            text: &person.text,
            direction: Direction::Incoming,
            authenticity: person.authenticity,
            thread,
            classification: Some(answer),
            labels: &[],
            received_at,
            assign: AssignInputs::default(),
        })
    }

    fn plan(&self, mail: &Prepared, decision: &Decision) -> Result<Option<Plan>> {
        let Decision::Write(intent) = decision else {
            return Ok(None);
        };
        let cx = PlanContext {
            connection: &self.sink,
            message: mail.message,
            thread: mail.change.thread.id,
            mail: &mail.mail,
            mailbox: None,
            received_at: mail.received_at,
            policy: &self.policy,
            basis: Basis {
                thread_version: mail.change.expected,
                versions: Versions::default(),
            },
        };
        plan(intent, &self.map, &cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_prepared_mails_are_written_but_for_the_one_in_twenty_that_is_parked() {
        let stages = Stages::prepare(200, 2 << 10).unwrap();
        assert_eq!(stages.mails().len(), 200);
        assert_eq!(stages.written(), 190);
        let joined = stages
            .mails()
            .iter()
            .filter(|mail| mail.change.expected > 0);
        // a reply whose founder comes later in the mix would found a thread of its own
        assert_eq!(joined.count(), 60);
        for mail in stages.mails() {
            assert_eq!(stages.decide(mail), mail.decision, "{}", mail.number);
        }
    }

    #[test]
    fn each_stage_runs_alone_and_is_found_by_its_name() {
        let stages = Stages::prepare(20, 20 << 10).unwrap();
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.as_str()), Some(stage));
            stages.run(stage).unwrap();
        }
        assert_eq!(Stage::named("deliver"), None);
    }
}
