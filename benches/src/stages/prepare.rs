//! Runs every stage once over the mails of the mix, and keeps what each gives to the next.

use nextedge_ai::OfflineClassifier;
use nextedge_core::classify::{ClassifyRequest, Signals};
use nextedge_core::mail::{Mail, ParseOptions, fingerprint, parse_mail};
use nextedge_core::policy::{Policy, preflight};
use nextedge_core::stage::decide::{Decision, ThreadState};
use nextedge_core::stage::map::CompiledMap;
use nextedge_core::stage::screen::{Person, Screened};
use nextedge_core::stage::token::TokenKey;
use nextedge_core::{
    Category, ConnectionId, EmailAddress, MailboxId, MessageUid, ProviderId, TenantId,
};

use super::threads::Threads;
use super::{Prepared, Stages};
use crate::Failure;
use crate::mix::{self, Draft};
use crate::receiver;

/// Prepares mails in their order.
pub(super) fn prepare(drafts: impl Iterator<Item = (Draft, usize)>) -> Result<Stages, Failure> {
    let mut policy = Policy::default();
    let trusted = &mut policy.authenticity.trusted;
    trusted.insert("*".to_owned(), vec![mix::AUTHSERV.to_owned()]);
    let description = receiver::description();
    let map = preflight(&description.default_map, &description);
    let map = map.map_err(|faults| format!("the receiver's map has faults: {faults:?}"))?;
    let mut stages = Stages {
        tenant: TenantId::new("bench")?,
        mailbox: MailboxId::new("mix")?,
        sink: ConnectionId::new(receiver::VENDOR)?,
        address: EmailAddress::parse(mix::MAILBOX)?,
        policy,
        map: CompiledMap::new(&map)?,
        classifier: OfflineClassifier::embedded()?,
        token_key: TokenKey::new([7; 32]),
        mails: Vec::new(),
    };
    let mut threads = Threads::default();
    for (draft, size) in drafts {
        let prepared = one(&stages, &mut threads, draft, size)?;
        stages.mails.push(prepared);
    }
    Ok(stages)
}

fn one(
    stages: &Stages,
    threads: &mut Threads,
    draft: Draft,
    size: usize,
) -> Result<Prepared, Failure> {
    let raw = draft.raw(size);
    let (received_at, thread_hint) = (draft.received_at(), draft.thread());
    let provider_id = ProviderId::new(draft.number().to_string())?;
    let message = MessageUid::of(&stages.tenant, &stages.mailbox, &provider_id);
    let mail = parse_mail(&raw, &ParseOptions::default())?;
    let Screened::Person(person) = stages.screen(&mail) else {
        return Err(format!("mail {} is not a person's", draft.number()).into());
    };
    let correspondents = vec![person.sender.address.clone()];
    let cx = stages.link_context(&thread_hint, received_at, &correspondents);
    let candidates = threads.candidates(&mail, &cx);
    let linked = Threads::link(&mail, &candidates, &cx);
    let state = match threads.category(&linked) {
        Some(category) => ThreadState::Linked(category),
        None => ThreadState::Unlinked,
    };
    let request = request(&mail, &person, state);
    let answer = stages.classifier.answer(&request)?;
    let decision = stages.decide_on(&mail, &person, state, &answer, received_at);
    let change = threads.advance(&mail, message, &linked, written(&decision), &cx);
    let mut prepared = Prepared {
        number: draft.number(),
        message,
        raw,
        thread_hint: thread_hint.clone(),
        received_at,
        decision,
        plan: None,
        change,
        fingerprint: fingerprint(&stages.tenant, &mail),
        mail,
        answer,
        person,
        correspondents: correspondents.clone(),
        candidates,
        request,
        state,
    };
    prepared.plan = stages.plan(&prepared, &prepared.decision)?;
    Ok(prepared)
}

fn written(decision: &Decision) -> Option<Category> {
    match decision {
        Decision::Write(intent) => Some(intent.category),
        Decision::Review { .. } | Decision::Park { .. } => None,
    }
}

fn request(mail: &Mail, person: &Person, state: ThreadState) -> ClassifyRequest {
    let signals = Signals {
        reply: !mail.in_reply_to.is_empty() || !mail.references.is_empty(),
        linked: match state {
            ThreadState::Linked(category) => Some(category),
            ThreadState::Unlinked | ThreadState::Ambiguous => None,
        },
        attachments: mail.attachments.iter().any(|file| !file.inline),
        ..Signals::default()
    };
    ClassifyRequest::new(person.subject.clone(), person.text.clone())
        .with_sender(Some(person.sender.address.clone()))
        .with_language(mail.language.clone())
        .with_signals(signals)
}
