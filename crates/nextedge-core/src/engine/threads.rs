//! The threads of a batch: read once, then kept in step with what the batch decides.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::deps::Deps;
use super::read::{ReadMail, Voice};
use crate::domain::{
    Category, Direction, EmailAddress, MessageUid, PartyKey, ReviewId, TenantId, Thread, ThreadId,
    ThreadKey,
};
use crate::error::Result;
use crate::mail::Mail;
use crate::stage::decide::{Decision, ThreadState};
use crate::stage::link::{Candidate, Linked, keys_of, link, link_keys, normalised_subject};
use crate::store::ThreadChange;

/// What the batch knows about threads, ahead of the store by the decisions not yet committed.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    threads: HashMap<ThreadId, Thread>,
    keys: HashMap<ThreadKey, Vec<ThreadId>>,
    known: HashSet<PartyKey>,
}

impl Threads {
    /// Looks up everything the open mails could link to, in one call.
    pub(crate) async fn load(deps: &Deps, tenant: &TenantId, open: &[&ReadMail]) -> Result<Self> {
        let (mut keys, mut parties) = (HashSet::new(), HashSet::new());
        for mail in open {
            let Ok(read) = &mail.read else { continue };
            let Ok(voice) = read.voice() else { continue };
            let cx = mail.link_context(tenant, &deps.token_key, voice);
            keys.extend(link_keys(&read.mail, &cx));
            parties.insert(PartyKey::Address(voice.party.address.clone()));
        }
        let keys: Vec<ThreadKey> = keys.into_iter().collect();
        let parties: Vec<PartyKey> = parties.into_iter().collect();
        let found = deps.store.lookup(tenant, &keys, &parties).await?;
        let mut threads = Self {
            threads: found
                .threads
                .into_iter()
                .map(|thread| (thread.id, thread))
                .collect(),
            keys: HashMap::new(),
            known: found.known.into_iter().collect(),
        };
        for (key, thread) in found.found {
            threads.keys.entry(key).or_default().push(thread);
        }
        Ok(threads)
    }

    /// Tells whether some sink has a record of this correspondent.
    pub(crate) fn knows(&self, address: &EmailAddress) -> bool {
        self.known.contains(&PartyKey::Address(address.clone()))
    }

    /// Links a mail to the threads as they are now.
    pub(crate) fn link(
        &self,
        deps: &Deps,
        tenant: &TenantId,
        mail: &ReadMail,
        parsed: &Mail,
        voice: &Voice,
    ) -> Linked {
        let cx = mail.link_context(tenant, &deps.token_key, voice);
        let mut matched: HashMap<ThreadId, Vec<ThreadKey>> = HashMap::new();
        for key in link_keys(parsed, &cx) {
            for thread in self.keys.get(&key).into_iter().flatten() {
                matched.entry(*thread).or_default().push(key.clone());
            }
        }
        let candidates = matched.into_iter().filter_map(|(id, matched)| {
            Some(Candidate {
                thread: self.threads.get(&id)?.clone(),
                matched,
            })
        });
        link(parsed, &candidates.collect::<Vec<_>>(), &cx)
    }

    /// Says how a mail stands to its thread.
    pub(crate) fn state(&self, linked: &Linked) -> ThreadState {
        if matches!(linked, Linked::Ambiguous { .. }) {
            return ThreadState::Ambiguous;
        }
        let thread = linked.thread().and_then(|id| self.threads.get(&id));
        match thread {
            Some(thread) if thread.category.is_some() || !thread.records.is_empty() => {
                ThreadState::Linked(thread.category.unwrap_or(Category::Case))
            }
            _ => ThreadState::Unlinked,
        }
    }

    /// Tells whether a later mail of the thread was applied already.
    pub(crate) fn is_late(&self, linked: &Linked, mail: &ReadMail) -> bool {
        let thread = linked.thread().and_then(|id| self.threads.get(&id));
        let applied = |thread: &&Thread| thread.category.is_some() || !thread.records.is_empty();
        thread
            .filter(applied)
            .is_some_and(|thread| thread.last_received_at > mail.received_at)
    }

    /// Returns the open review item of the thread that a mail joins.
    pub(crate) fn open_review(&self, linked: &Linked) -> Option<ReviewId> {
        self.threads.get(&linked.thread()?)?.review
    }

    /// Returns the thread that a mail joins or founds, and its version now.
    pub(crate) fn target(&self, linked: &Linked, message: MessageUid) -> (ThreadId, u64) {
        let id = linked
            .thread()
            .unwrap_or_else(|| ThreadId::founded_by(message));
        (id, self.threads.get(&id).map_or(0, |thread| thread.version))
    }

    /// The keys that say that a mail founds its thread: strong ones that found nothing.
    fn absent(&self, keys: Vec<ThreadKey>) -> Vec<ThreadKey> {
        let found = |key: &ThreadKey| self.keys.get(key).is_some_and(|ids| !ids.is_empty());
        keys.into_iter()
            .filter(|key| key.is_strong() && !found(key))
            .collect()
    }

    /// The other threads that these keys find, with their versions.
    fn seen(&self, keys: &[ThreadKey], chosen: ThreadId) -> Vec<(ThreadId, u64)> {
        let strong = keys.iter().filter(|key| key.is_strong());
        let found: BTreeSet<ThreadId> = strong
            .filter_map(|key| self.keys.get(key))
            .flatten()
            .copied()
            .collect();
        let others = found.into_iter().filter(|id| *id != chosen);
        others
            .filter_map(|id| Some((id, self.threads.get(&id)?.version)))
            .collect()
    }

    /// Moves a thread past a decision and returns the change to commit.
    pub(crate) fn advance(
        &mut self,
        deps: &Deps,
        tenant: &TenantId,
        step: &Step<'_>,
    ) -> ThreadChange {
        let Step {
            mail,
            parsed,
            voice,
            linked,
            decision,
        } = step;
        let (id, expected) = self.target(linked, mail.message);
        let mut thread = self
            .threads
            .remove(&id)
            .unwrap_or_else(|| founded(id, parsed));
        thread.version = expected + 1;
        thread.mails += 1;
        thread.last_received_at = thread.last_received_at.max(mail.received_at);
        for address in &voice.correspondents {
            let room = thread.participants.len() < Thread::MAX_PARTICIPANTS;
            if room && !thread.participants.contains(address) {
                thread.participants.push(address.clone());
            }
        }
        match decision {
            Decision::Write(intent) if thread.category.is_none() && thread.review.is_none() => {
                thread.category = Some(intent.category);
            }
            Decision::Review { .. } if thread.category.is_none() && thread.review.is_none() => {
                thread.review = Some(ReviewId::opened_by(mail.message));
            }
            _ => {}
        }
        let cx = mail.link_context(tenant, &deps.token_key, voice);
        let seen = self.seen(&link_keys(parsed, &cx), id);
        let absent = match linked {
            Linked::New { .. } => self.absent(link_keys(parsed, &cx)),
            Linked::Joins { .. } | Linked::Ambiguous { .. } => Vec::new(),
        };
        let mut keys = keys_of(parsed, id, &cx);
        if voice.direction == Direction::Incoming {
            keys.push(sender_key(&voice.party.address));
        }
        for key in &keys {
            let threads = self.keys.entry(key.clone()).or_default();
            if !threads.contains(&id) {
                threads.push(id);
            }
        }
        self.threads.insert(id, thread.clone());
        ThreadChange {
            expected,
            thread,
            keys,
            absent,
            seen,
        }
    }
}

/// The key under which `deliver` finds a sender's other threads; linking never uses it.
pub(crate) fn sender_key(address: &EmailAddress) -> ThreadKey {
    ThreadKey::from_stored(format!("a:{address}"))
}

/// One mail and what was found and decided about it.
pub(crate) struct Step<'a> {
    pub(crate) mail: &'a ReadMail,
    pub(crate) parsed: &'a Mail,
    pub(crate) voice: &'a Voice,
    pub(crate) linked: &'a Linked,
    pub(crate) decision: &'a Decision,
}

fn founded(id: ThreadId, parsed: &Mail) -> Thread {
    Thread {
        id,
        version: 0,
        subject: normalised_subject(&parsed.subject),
        participants: Vec::new(),
        mails: 0,
        last_received_at: crate::clock::Timestamp::MIN_UTC,
        category: None,
        review: None,
        records: Vec::new(),
    }
}
