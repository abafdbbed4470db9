//! Evidence of machine mail.

use super::{Machine, MachineKind, ScreenContext, ScreenEvidence, bears_own_token, reply_person};
use crate::domain::EmailAddress;
use crate::mail::Mail;
use crate::policy::Policy;

/// Finds mail that we wrote ourselves, and machines that answer each other.
pub(super) fn echo_or_loop(mail: &Mail, cx: &ScreenContext<'_>) -> Option<Machine> {
    if cx.written_by_us {
        return machine(MachineKind::OwnEcho, "message-id", "written by us");
    }
    if mail
        .message_id
        .as_deref()
        .is_some_and(|id| bears_own_token(id, cx))
    {
        return machine(MachineKind::OwnEcho, "message-id", "our thread token");
    }
    if mail.header(LOOP_HEADER).is_some() {
        return machine(MachineKind::Loop, LOOP_HEADER, "our loop mark");
    }
    let hops = mail.header_values("received").count();
    if hops > cx.policy.screen.max_received {
        return machine(MachineKind::Loop, "received", format!("{hops} hops"));
    }
    let own = cx.mailbox?.as_str();
    let mut marks = mail.header_values("x-loop");
    if marks.any(|value| value.trim().eq_ignore_ascii_case(own)) {
        return machine(MachineKind::Loop, "x-loop", "our own address");
    }
    None
}

/// Finds mail that a machine of the other side wrote.
pub(super) fn find(mail: &Mail, cx: &ScreenContext<'_>) -> Option<Machine> {
    bounce(mail)
        .or_else(|| calendar(mail))
        .or_else(|| auto_reply(mail, cx))
        .or_else(|| bulk(mail, cx))
}

/// A notification that nobody answers.
pub(super) fn no_reply(place: &str, found: &str) -> Machine {
    Machine {
        kind: MachineKind::NoReply,
        evidence: vec![ScreenEvidence::new(place, found)],
    }
}

/// Tells whether an address reads no answers.
pub(super) fn is_no_reply(address: &EmailAddress, policy: &Policy) -> bool {
    let patterns = &policy.screen.no_reply;
    patterns
        .iter()
        .any(|pattern| fits(pattern, address.local()))
}

fn bounce(mail: &Mail) -> Option<Machine> {
    if let Some(report) = &mail.report {
        let action = report.action.as_deref().unwrap_or("report");
        return machine(MachineKind::Bounce, "multipart/report", action);
    }
    let content = mail
        .header("content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if content.starts_with("multipart/report") {
        if content.contains("disposition-notification") {
            return machine(MachineKind::AutoReply, "content-type", "read receipt");
        }
        return machine(MachineKind::Bounce, "content-type", "multipart/report");
    }
    if mail.header("x-failed-recipients").is_some() {
        return machine(MachineKind::Bounce, "x-failed-recipients", "present");
    }
    let from = mail.from.as_ref()?.address.local();
    if from == "mailer-daemon" || (from == "postmaster" && has_empty_return_path(mail)) {
        return machine(MachineKind::Bounce, "from", "mail system");
    }
    None
}

fn calendar(mail: &Mail) -> Option<Machine> {
    if let Some(method) = &mail.calendar_method {
        return machine(MachineKind::Calendar, "text/calendar", method.clone());
    }
    let content = mail.header("content-type")?.to_ascii_lowercase();
    let whole = content.starts_with("text/calendar");
    if whole {
        return machine(MachineKind::Calendar, "content-type", "text/calendar");
    }
    None
}

fn auto_reply(mail: &Mail, cx: &ScreenContext<'_>) -> Option<Machine> {
    let mut evidence = Vec::new();
    if let Some(value) = mail.header("auto-submitted") {
        let kind = value
            .split([';', ' ', '('])
            .next()
            .unwrap_or_default()
            .trim();
        let generated = kind.eq_ignore_ascii_case("auto-generated");
        // Forms say auto-generated and give the visitor as Reply-To.
        let from = mail.from.as_ref().map(|from| &from.address);
        let is_form = generated && from.is_some_and(|from| reply_person(mail, cx, from).is_some());
        if !kind.eq_ignore_ascii_case("no") && !is_form {
            evidence.push(ScreenEvidence::new("auto-submitted", known_kind(kind)));
        }
    }
    for header in AUTO_HEADERS {
        if mail
            .header(header)
            .is_some_and(|value| !value.eq_ignore_ascii_case("no"))
        {
            evidence.push(ScreenEvidence::new(header, "present"));
        }
    }
    if ["precedence", "x-precedence"].iter().any(|name| {
        mail.header(name)
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("auto_reply"))
    }) {
        evidence.push(ScreenEvidence::new("precedence", "auto_reply"));
    }
    if subject_is_automatic(&mail.subject) {
        evidence.push(ScreenEvidence::new("subject", "automatic answer"));
    }
    if !evidence.is_empty() && mail.header("x-auto-response-suppress").is_some() {
        // Alone it only asks for silence: ticket systems put it on people's mail as well.
        evidence.push(ScreenEvidence::new("x-auto-response-suppress", "present"));
    }
    (!evidence.is_empty()).then_some(Machine {
        kind: MachineKind::AutoReply,
        evidence,
    })
}

fn bulk(mail: &Mail, cx: &ScreenContext<'_>) -> Option<Machine> {
    let mut evidence = Vec::new();
    let precedence = mail
        .header("precedence")
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_own_list = is_own_list(mail, cx);
    let mut kind = None;
    if precedence == "list" && !is_own_list {
        kind = Some(MachineKind::List);
        evidence.push(ScreenEvidence::new("precedence", "list"));
    }
    for header in ["list-post", "mailing-list", "x-mailman-version"] {
        if !is_own_list
            && mail
                .header(header)
                .is_some_and(|value| !value.trim().eq_ignore_ascii_case("no"))
        {
            kind = Some(MachineKind::List);
            evidence.push(ScreenEvidence::new(header, "present"));
        }
    }
    for header in [
        "list-unsubscribe",
        "list-id",
        "list-unsubscribe-post",
        "feedback-id",
    ] {
        let alone_means_nothing = header == "feedback-id";
        let counts = !is_own_list && (!alone_means_nothing || !evidence.is_empty());
        if counts && mail.header(header).is_some() {
            kind = kind.or(Some(MachineKind::Newsletter));
            evidence.push(ScreenEvidence::new(header, "present"));
        }
    }
    if matches!(precedence.as_str(), "bulk" | "junk") {
        let answers = !mail.in_reply_to.is_empty();
        kind = kind.or(Some(if answers {
            MachineKind::AutoReply
        } else {
            MachineKind::Newsletter
        }));
        evidence.push(ScreenEvidence::new("precedence", precedence));
    }
    Some(Machine {
        kind: kind?,
        evidence,
    })
}

/// A group address of our own domain distributes customers' mail with list headers.
fn is_own_list(mail: &Mail, cx: &ScreenContext<'_>) -> bool {
    let Some(mailbox) = cx.mailbox else {
        return false;
    };
    let own = mailbox.domain();
    let own = own.registrable();
    let id = mail.header("list-id").unwrap_or_default();
    let id = id
        .rsplit('<')
        .next()
        .unwrap_or_default()
        .trim_end_matches('>')
        .trim();
    let post = mail.header("list-post").unwrap_or_default();
    let post = post
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .trim_end_matches('>')
        .trim();
    let ends = |name: &str| {
        let name = name.to_ascii_lowercase();
        name == own.as_str() || name.ends_with(&format!(".{own}"))
    };
    let from_us = mail
        .from
        .as_ref()
        .is_some_and(|from| ends(from.address.domain().as_str()));
    !own.is_free_mail() && !from_us && (ends(id) || (id.is_empty() && ends(post)))
}

fn has_empty_return_path(mail: &Mail) -> bool {
    mail.header("return-path")
        .is_some_and(|value| value.trim() == "<>")
}

fn subject_is_automatic(subject: &str) -> bool {
    let subject = subject.trim().to_lowercase();
    AUTO_SUBJECTS.iter().any(|cue| {
        let Some(rest) = subject.strip_prefix(cue) else {
            return false;
        };
        let rest = rest.trim_start();
        rest.is_empty() || rest.starts_with([':', '：', '–', '—', '-', ']', '】', '(', '!'])
    })
}

fn known_kind(kind: &str) -> &'static str {
    match kind.to_ascii_lowercase().as_str() {
        "auto-replied" => "auto-replied",
        "auto-generated" => "auto-generated",
        "auto-notified" => "auto-notified",
        _ => "other",
    }
}

/// Compares with `*` for any text, without recursion.
fn fits(pattern: &str, text: &str) -> bool {
    let pattern = pattern.to_lowercase();
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[allow(clippy::unnecessary_wraps)] // reads as the answer of each finder
fn machine(kind: MachineKind, place: &str, found: impl Into<String>) -> Option<Machine> {
    Some(Machine {
        kind,
        evidence: vec![ScreenEvidence::new(place, found)],
    })
}

/// The mark that we put on everything we send.
const LOOP_HEADER: &str = "x-nextedge-loop";

/// Headers that only automatic answers carry.
const AUTO_HEADERS: &[&str] = &[
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "x-autoresponder",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-vacation",
    "x-ms-exchange-inbox-rules-loop",
];

/// How the subjects of automatic answers begin, in eight languages; a delimiter must follow.
const AUTO_SUBJECTS: &[&str] = &[
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "[auto-reply",
    "auto response",
    "autoresponse",
    "automated reply",
    "out of office",
    "out of the office",
    "out-of-office",
    "ooo",
    "vacation reply",
    "away from the office",
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesenheitsmeldung",
    "abwesend",
    "automatische abwesenheitsnotiz",
    "réponse automatique",
    "reponse automatique",
    "message d'absence",
    "absence du bureau",
    "absent du bureau",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "ausente de la oficina",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "resposta automática",
    "resposta automatica",
    "fora do escritório",
    "ausência temporária",
    "automatisch antwoord",
    "automatische reactie",
    "afwezigheidsbericht",
    "afwezig",
    "niet op kantoor",
    "自動返信",
    "自動応答",
    "【自動返信",
    "不在通知",
    "不在のお知らせ",
];
