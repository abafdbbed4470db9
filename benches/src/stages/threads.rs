//! The threads of the mix as the mails before leave them: what the engine looks up in its store.

use std::collections::{BTreeMap, BTreeSet};

use nextedge_core::mail::Mail;
use nextedge_core::stage::link::{
    Candidate, LinkContext, Linked, keys_of, link, link_keys, normalised_subject,
};
use nextedge_core::store::ThreadChange;
use nextedge_core::{Category, MessageUid, Thread, ThreadId, ThreadKey, Timestamp};

/// Threads by id and by key, in the order of the mails.
#[derive(Debug, Default)]
pub(super) struct Threads {
    threads: BTreeMap<ThreadId, Thread>,
    keys: BTreeMap<ThreadKey, BTreeSet<ThreadId>>,
}

impl Threads {
    /// Returns the threads that a mail's keys name.
    pub(super) fn candidates(&self, mail: &Mail, cx: &LinkContext<'_>) -> Vec<Candidate> {
        let mut matched: BTreeMap<ThreadId, Vec<ThreadKey>> = BTreeMap::new();
        for key in link_keys(mail, cx) {
            for thread in self.keys.get(&key).into_iter().flatten() {
                matched.entry(*thread).or_default().push(key.clone());
            }
        }
        let known = matched.into_iter().filter_map(|(id, matched)| {
            let thread = self.threads.get(&id)?.clone();
            Some(Candidate { thread, matched })
        });
        known.collect()
    }

    /// Links a mail to its candidates.
    pub(super) fn link(mail: &Mail, candidates: &[Candidate], cx: &LinkContext<'_>) -> Linked {
        link(mail, candidates, cx)
    }

    /// Returns the category of a thread that has one.
    pub(super) fn category(&self, linked: &Linked) -> Option<Category> {
        self.threads.get(&linked.thread()?)?.category
    }

    /// Moves a thread past a mail and returns the change that a store commits.
    pub(super) fn advance(
        &mut self,
        mail: &Mail,
        message: MessageUid,
        linked: &Linked,
        category: Option<Category>,
        cx: &LinkContext<'_>,
    ) -> ThreadChange {
        let id = linked
            .thread()
            .unwrap_or_else(|| ThreadId::founded_by(message));
        let thread = self
            .threads
            .entry(id)
            .or_insert_with(|| founded(id, &mail.subject));
        let expected = thread.version;
        thread.version += 1;
        thread.mails += 1;
        thread.last_received_at = thread.last_received_at.max(cx.received_at);
        for address in cx.correspondents {
            if !thread.participants.contains(address) {
                thread.participants.push(address.clone());
            }
        }
        thread.category = thread.category.or(category);
        let absent = match linked {
            Linked::New { .. } => link_keys(mail, cx),
            Linked::Joins { .. } | Linked::Ambiguous { .. } => Vec::new(),
        };
        let keys = keys_of(mail, id, cx);
        for key in &keys {
            self.keys.entry(key.clone()).or_default().insert(id);
        }
        ThreadChange {
            expected,
            thread: thread.clone(),
            keys,
            absent: absent.into_iter().filter(ThreadKey::is_strong).collect(),
            seen: Vec::new(),
        }
    }
}

fn founded(id: ThreadId, subject: &str) -> Thread {
    Thread {
        id,
        version: 0,
        subject: normalised_subject(subject),
        participants: Vec::new(),
        mails: 0,
        last_received_at: Timestamp::MIN_UTC,
        category: None,
        review: None,
        records: Vec::new(),
    }
}
