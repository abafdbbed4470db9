//! Finds the thread that a mail belongs to, from scored evidence.
//!
//! The engine looks up [`link_keys`], gives what it found to [`link`], and stores [`keys_of`]. A key
//! only nominates a thread: what decides is the evidence. A number or a subject alone never links,
//! and a Message-ID that a broken or hostile mailer uses twice is not enough either.

mod keys;

use serde::{Deserialize, Serialize};

use self::keys::{Tokens, ancestor_key, own_key, reference_keys, subject_keys};
pub use self::keys::{keys_of, link_keys};
use super::token::TokenKey;
use crate::clock::Timestamp;
use crate::domain::{EmailAddress, MailboxId, TenantId, Thread, ThreadId, ThreadKey};
use crate::mail::Mail;
pub use crate::mail::normalise_subject as normalised_subject;

/// What linking must know beside the mail.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct LinkContext<'a> {
    /// The tenant, for thread tokens.
    pub tenant: &'a TenantId,
    /// The mailbox, for the source's own thread ids.
    pub mailbox: &'a MailboxId,
    /// The source's own thread id.
    pub provider_thread: Option<&'a str>,
    /// The key of our thread tokens; none where no mail is sent.
    pub token_key: Option<&'a TokenKey>,
    /// The people of the other side: the sender of incoming mail, the recipients of our own.
    pub correspondents: &'a [EmailAddress],
    /// When the mail was received.
    pub received_at: Timestamp,
    /// Whether the mail may join a thread at all.
    pub trust: LinkTrust,
}

/// Whether a mail may join a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // it may or it may not
pub enum LinkTrust {
    /// The sender is who the mail says, or the policy trusts it.
    Verified,
    /// The sender may be forged: it joins nothing and leaves no keys by which others would join it.
    Unverified,
}

/// A thread that a key nominated.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct Candidate {
    /// The thread.
    pub thread: Thread,
    /// The keys under which it was found.
    pub matched: Vec<ThreadKey>,
}

/// One fact that speaks for or against a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct LinkEvidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// Its points; negative speaks against.
    pub points: i32,
}

/// What kind of fact it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EvidenceKind {
    /// Our own token in a header or an address.
    TokenInHeader,
    /// Our own token in the text.
    TokenInText,
    /// In-Reply-To or References name a mail of the thread, or share an ancestor with it.
    Reference,
    /// A mail of the thread names this one as its ancestor: this one arrived late.
    ReferencedByThread,
    /// The thread holds a mail with the same Message-ID, people and subject: the same mail again.
    SameMail,
    /// The source keeps them in one thread.
    ProviderThread,
    /// A person of the other side took part before.
    Participant,
    /// A colleague of such a person, by company domain.
    SameCompany,
    /// The subject is the same.
    Subject,
    /// The thread has been silent for more than a year.
    Silence,
}

impl EvidenceKind {
    /// Evidence without which nothing links.
    fn is_strong(self) -> bool {
        matches!(
            self,
            Self::TokenInHeader
                | Self::TokenInText
                | Self::Reference
                | Self::ReferencedByThread
                | Self::SameMail
                | Self::ProviderThread
        )
    }
}

/// What linking decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the engine handles each
pub enum Linked {
    /// The mail founds a thread.
    New {
        /// The thread it would have joined if its sender were verified.
        refused: Option<ThreadId>,
    },
    /// The mail joins a thread.
    Joins {
        /// The thread.
        thread: ThreadId,
        /// Why.
        evidence: Vec<LinkEvidence>,
        /// The sum of the evidence.
        score: i32,
        /// By how much the next thread is weaker.
        margin: i32,
    },
    /// More than one thread fits, or one fits too weakly: a person decides.
    Ambiguous {
        /// The threads with their scores, best first; at most five.
        candidates: Vec<(ThreadId, i32)>,
    },
}

impl Linked {
    /// Returns the thread that the mail joins.
    pub fn thread(&self) -> Option<ThreadId> {
        match self {
            Self::Joins { thread, .. } => Some(*thread),
            Self::New { .. } | Self::Ambiguous { .. } => None,
        }
    }
}

/// Decides among the threads that the keys nominated.
pub fn link(mail: &Mail, candidates: &[Candidate], cx: &LinkContext<'_>) -> Linked {
    let mut scored = score_all(mail, candidates, cx);
    scored.retain(|(_, evidence, score)| {
        *score >= MAYBE && evidence.iter().any(|fact| fact.kind.is_strong())
    });
    scored.sort_by(|left, right| right.2.cmp(&left.2).then(left.0.cmp(&right.0)));
    let Some((thread, evidence, score)) = scored.first().cloned() else {
        return Linked::New { refused: None };
    };
    let margin = score - scored.get(1).map_or(0, |next| next.2);
    if cx.trust == LinkTrust::Unverified {
        return Linked::New {
            refused: Some(thread),
        };
    }
    if score >= JOIN && margin >= MARGIN {
        return Linked::Joins {
            thread,
            evidence,
            score,
            margin,
        };
    }
    let candidates = scored.iter().map(|(thread, _, score)| (*thread, *score));
    Linked::Ambiguous {
        candidates: candidates.take(MAX_SHOWN).collect(),
    }
}

fn score_all(
    mail: &Mail,
    candidates: &[Candidate],
    cx: &LinkContext<'_>,
) -> Vec<(ThreadId, Vec<LinkEvidence>, i32)> {
    let facts = Facts::of(mail, cx);
    let mut scored: Vec<(ThreadId, Vec<LinkEvidence>, i32)> = Vec::new();
    for candidate in candidates.iter().take(MAX_CANDIDATES) {
        let evidence = facts.about(candidate, cx);
        let score = evidence.iter().map(|fact| fact.points).sum();
        match scored
            .iter_mut()
            .find(|(id, ..)| *id == candidate.thread.id)
        {
            Some(known) if known.2 >= score => {}
            Some(known) => *known = (candidate.thread.id, evidence, score),
            None => scored.push((candidate.thread.id, evidence, score)),
        }
    }
    scored
}

/// What the mail says, made once for all candidates.
struct Facts {
    tokens: Tokens,
    references: Vec<ThreadKey>,
    own: Option<ThreadKey>,
    ancestor: Option<ThreadKey>,
    provider: Option<ThreadKey>,
    subjects: Vec<ThreadKey>,
    subject: String,
}

impl Facts {
    fn of(mail: &Mail, cx: &LinkContext<'_>) -> Self {
        let subject = normalised_subject(&mail.subject);
        Self {
            tokens: Tokens::of(mail, cx),
            references: reference_keys(mail),
            own: own_key(mail),
            ancestor: ancestor_key(mail),
            provider: cx
                .provider_thread
                .map(|thread| ThreadKey::provider_thread(cx.mailbox, thread)),
            subjects: subject_keys(cx.correspondents, &subject),
            subject,
        }
    }

    fn about(&self, candidate: &Candidate, cx: &LinkContext<'_>) -> Vec<LinkEvidence> {
        let mut evidence = self.strong(candidate);
        let thread = &candidate.thread;
        let participation = participation(&thread.participants, cx.correspondents);
        let same_subject = !self.subject.is_empty() && thread.subject == self.subject
            || candidate
                .matched
                .iter()
                .any(|key| self.subjects.contains(key));
        let same_person = participation.is_some_and(|fact| fact.kind == EvidenceKind::Participant);
        if self.has(&self.own, candidate) && evidence.is_empty() && same_person && same_subject {
            // Broken mailers use one id for all mail, so the id alone says nothing.
            evidence.push(fact(EvidenceKind::SameMail, 35));
        }
        evidence.extend(participation);
        if same_subject {
            evidence.push(fact(EvidenceKind::Subject, 15));
        }
        let silent = cx
            .received_at
            .signed_duration_since(thread.last_received_at);
        if silent.num_days() > SILENT_DAYS {
            evidence.push(fact(EvidenceKind::Silence, -20));
        }
        evidence
    }

    fn has(&self, key: &Option<ThreadKey>, candidate: &Candidate) -> bool {
        key.as_ref()
            .is_some_and(|key| candidate.matched.contains(key))
    }

    fn strong(&self, candidate: &Candidate) -> Vec<LinkEvidence> {
        let matched = |key| self.has(key, candidate);
        let mut evidence = Vec::new();
        if self.tokens.in_headers.contains(&candidate.thread.id) {
            evidence.push(fact(EvidenceKind::TokenInHeader, 100));
        } else if self.tokens.in_text.contains(&candidate.thread.id) {
            evidence.push(fact(EvidenceKind::TokenInText, 60));
        }
        if candidate
            .matched
            .iter()
            .any(|key| self.references.contains(key))
        {
            evidence.push(fact(EvidenceKind::Reference, 60));
        } else if matched(&self.ancestor) {
            evidence.push(fact(EvidenceKind::ReferencedByThread, 35));
        }
        if matched(&self.provider) {
            evidence.push(fact(EvidenceKind::ProviderThread, 40));
        }
        evidence
    }
}

fn participation(before: &[EmailAddress], now: &[EmailAddress]) -> Option<LinkEvidence> {
    if now.iter().any(|address| before.contains(address)) {
        return Some(fact(EvidenceKind::Participant, 25));
    }
    let companies: Vec<_> = now
        .iter()
        .map(EmailAddress::domain)
        .filter(|domain| !domain.is_free_mail())
        .map(|domain| domain.registrable())
        .collect();
    let colleague = before
        .iter()
        .any(|address| companies.contains(&address.domain().registrable()));
    colleague.then(|| fact(EvidenceKind::SameCompany, 15))
}

fn fact(kind: EvidenceKind, points: i32) -> LinkEvidence {
    LinkEvidence { kind, points }
}

/// From this score on a thread is joined.
const JOIN: i32 = 70;
/// From this score on a person is asked.
const MAYBE: i32 = 50;
/// By this much the best thread must be stronger than the next.
const MARGIN: i32 = 20;
/// A thread that was silent for longer is less likely meant.
const SILENT_DAYS: i64 = 365;
/// Threads in an ambiguous answer.
const MAX_SHOWN: usize = 5;
/// Candidates that are scored at all.
const MAX_CANDIDATES: usize = 200;
