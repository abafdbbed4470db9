//! The keys under which threads are stored and looked up.

use std::collections::BTreeSet;

use super::{LinkContext, LinkTrust, normalised_subject};
use crate::domain::{EmailAddress, ThreadId, ThreadKey};
use crate::mail::Mail;
use crate::stage::text::cut_bytes;
use crate::stage::token;

/// Returns what to look up for a mail, without repetition, at most about 60 keys.
pub fn link_keys(mail: &Mail, cx: &LinkContext<'_>) -> Vec<ThreadKey> {
    let tokens = Tokens::of(mail, cx);
    let ids = answered_ids(mail);
    let mut keys: BTreeSet<ThreadKey> = ids.iter().map(|id| ThreadKey::message_id(id)).collect();
    keys.extend(ids.iter().map(|id| referenced(id)));
    keys.extend(own_id(mail).map(ThreadKey::message_id));
    keys.extend(own_id(mail).map(referenced));
    keys.extend(provider_key(cx));
    keys.extend(subject_keys(
        cx.correspondents,
        &normalised_subject(&mail.subject),
    ));
    let named = tokens.in_headers.iter().chain(&tokens.in_text);
    keys.extend(named.map(|thread| thread_key(*thread)));
    keys.into_iter().collect()
}

/// Returns what to store for a mail that founded or joined a thread.
///
/// Unverified mail leaves only the thread's own key, so that no later mail joins it by an id that a
/// stranger chose.
pub fn keys_of(mail: &Mail, thread: ThreadId, cx: &LinkContext<'_>) -> Vec<ThreadKey> {
    let mut keys = BTreeSet::from([thread_key(thread)]);
    if cx.trust == LinkTrust::Verified {
        keys.extend(answered_ids(mail).into_iter().map(referenced));
        keys.extend(own_id(mail).map(ThreadKey::message_id));
        keys.extend(provider_key(cx));
        keys.extend(subject_keys(
            cx.correspondents,
            &normalised_subject(&mail.subject),
        ));
    }
    keys.into_iter().collect()
}

/// The keys by which a mail's ancestors, and others with the same ancestors, are found.
pub(super) fn reference_keys(mail: &Mail) -> Vec<ThreadKey> {
    let ids = answered_ids(mail);
    let direct = ids.iter().map(|id| ThreadKey::message_id(id));
    direct.chain(ids.iter().map(|id| referenced(id))).collect()
}

/// The key by which threads that name this mail as an ancestor are found.
pub(super) fn ancestor_key(mail: &Mail) -> Option<ThreadKey> {
    own_id(mail).map(referenced)
}

/// The key under which a thread is stored for a mail that one of its mails answers.
fn referenced(id: &str) -> ThreadKey {
    let id = ThreadKey::message_id(id);
    ThreadKey::from_stored(format!("r:{}", &id.as_str()[2..]))
}

/// The ids of the mails that a mail answers: In-Reply-To, the newest References and the first.
fn answered_ids(mail: &Mail) -> BTreeSet<&str> {
    let newest = mail.references.iter().rev().take(MAX_REFERENCES);
    let ids = mail.in_reply_to.iter().take(MAX_IN_REPLY_TO);
    let ids = ids.chain(newest).chain(mail.references.first());
    let usable = ids.filter(|id| is_usable(id) && Some(*id) != mail.message_id.as_ref());
    usable.map(String::as_str).collect()
}

fn own_id(mail: &Mail) -> Option<&str> {
    mail.message_id.as_deref().filter(|id| is_usable(id))
}

/// The key by which a thread that holds a mail with the same id is found.
pub(super) fn own_key(mail: &Mail) -> Option<ThreadKey> {
    own_id(mail).map(ThreadKey::message_id)
}

/// The key of a thread by our own id, for tokens.
fn thread_key(thread: ThreadId) -> ThreadKey {
    ThreadKey::from_stored(format!("t:{thread}"))
}

fn provider_key(cx: &LinkContext<'_>) -> Option<ThreadKey> {
    cx.provider_thread
        .map(|thread| ThreadKey::provider_thread(cx.mailbox, thread))
}

/// The keys of each correspondent with the subject.
pub(super) fn subject_keys(correspondents: &[EmailAddress], subject: &str) -> Vec<ThreadKey> {
    if subject.is_empty() {
        return Vec::new();
    }
    let people = correspondents.iter().take(MAX_CORRESPONDENTS);
    people
        .map(|person| ThreadKey::subject(person, subject))
        .collect()
}

fn is_usable(id: &str) -> bool {
    id.trim_matches(['<', '>', ' ']).len() >= MIN_ID_BYTES
}

/// The threads that our tokens in a mail name.
pub(super) struct Tokens {
    /// In References, In-Reply-To or a plus-address of a recipient.
    pub(super) in_headers: Vec<ThreadId>,
    /// In the text, quoted parts included.
    pub(super) in_text: Vec<ThreadId>,
}

impl Tokens {
    pub(super) fn of(mail: &Mail, cx: &LinkContext<'_>) -> Self {
        let (mut in_headers, mut in_text) = (Vec::new(), Vec::new());
        if let Some(key) = cx.token_key {
            let newest = mail.references.iter().rev().take(MAX_REFERENCES);
            let ids = mail.in_reply_to.iter().take(MAX_IN_REPLY_TO).chain(newest);
            let people = mail.to.iter().chain(&mail.cc).take(MAX_RECIPIENTS);
            let plus = people.filter_map(|to| to.address.local().rsplit_once('+'));
            let locals = ids.filter_map(|id| id.split('@').next());
            for word in locals.chain(plus.map(|(_, tag)| tag)) {
                in_headers.extend(token::verify(key, cx.tenant, word));
            }
            let text = cut_bytes(&mail.body.text, MAX_TEXT_BYTES);
            in_text = token::find_all(key, cx.tenant, text);
        }
        Self {
            in_headers,
            in_text,
        }
    }
}

/// Newest References that are used; the first is always used.
const MAX_REFERENCES: usize = 20;
/// In-Reply-To ids that are used.
const MAX_IN_REPLY_TO: usize = 5;
/// Correspondents that get a subject key.
const MAX_CORRESPONDENTS: usize = 5;
/// Recipients whose plus-address is read.
const MAX_RECIPIENTS: usize = 50;
/// Shorter ids than this are no ids.
const MIN_ID_BYTES: usize = 5;
/// How much of the text is searched for tokens.
const MAX_TEXT_BYTES: usize = 64 * 1024;
