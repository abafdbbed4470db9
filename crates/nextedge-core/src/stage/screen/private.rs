//! The privacy filter: what the tenant keeps out of the CRM.

use super::{Filtered, ScreenContext, ScreenEvidence};
use crate::domain::{Domain, EmailAddress};
use crate::mail::Mail;
use crate::stage::text::{folded, has_phrase};

/// Finds the first filter that keeps a mail out.
pub(super) fn find(mail: &Mail, cx: &ScreenContext<'_>) -> Option<Filtered> {
    let policy = &cx.policy.screen;
    let labelled = cx.labels.iter().any(|label| {
        let mut private = policy.private_labels.iter();
        private.any(|name| name.eq_ignore_ascii_case(label))
    });
    if labelled {
        return filtered("label", "label", "private label");
    }
    if policy.personal_marker
        && let Some(evidence) = personal(mail)
    {
        return Some(Filtered {
            filter: "personal".to_owned(),
            evidence: vec![evidence],
        });
    }
    let people = || {
        let named = mail.from.iter().chain(&mail.sender).chain(&mail.reply_to);
        named
            .chain(&mail.to)
            .chain(&mail.cc)
            .map(|mailer| &mailer.address)
    };
    if people().any(|address| policy.private_addresses.contains(address)) {
        return filtered("address", "addresses", "private address");
    }
    if people().any(|address| is_below(address, &policy.private_domains)) {
        return filtered("domain", "addresses", "private domain");
    }
    keyword(mail, &policy.private_keywords)
}

fn keyword(mail: &Mail, keywords: &[String]) -> Option<Filtered> {
    if keywords.is_empty() {
        return None;
    }
    let (subject, text) = (folded(&mail.subject), folded(&mail.body.text));
    keywords.iter().find_map(|keyword| {
        let keyword = folded(keyword);
        if has_phrase(&subject, &keyword) {
            filtered("keyword", "subject", "private keyword")
        } else if has_phrase(&text, &keyword) {
            filtered("keyword", "text", "private keyword")
        } else {
            None
        }
    })
}

fn is_below(address: &EmailAddress, domains: &[Domain]) -> bool {
    if domains.is_empty() {
        return false;
    }
    let domain = address.domain();
    domains.iter().any(|private| {
        let rest = domain.as_str().strip_suffix(private.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The sender's own mark: the Sensitivity header, or a subject that begins with it.
fn personal(mail: &Mail) -> Option<ScreenEvidence> {
    let sensitivity = mail
        .header("sensitivity")
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    if ["personal", "private"].contains(&sensitivity.as_str()) {
        return Some(ScreenEvidence::new("sensitivity", sensitivity));
    }
    let subject = mail.subject.trim().to_lowercase();
    let marked = PERSONAL_MARKS.iter().any(|mark| subject.starts_with(mark));
    marked.then(|| ScreenEvidence::new("subject", "personal mark"))
}

#[allow(clippy::unnecessary_wraps)] // reads as the answer of each filter
fn filtered(filter: &str, place: &str, found: &str) -> Option<Filtered> {
    Some(Filtered {
        filter: filter.to_owned(),
        evidence: vec![ScreenEvidence::new(place, found)],
    })
}

/// Marks that a sender puts before the subject; brackets or a colon keep them from being words.
const PERSONAL_MARKS: &[&str] = &[
    "[personal]",
    "[private]",
    "personal:",
    "private:",
    "[persönlich]",
    "[privat]",
    "persönlich:",
    "privat:",
    "[personnel]",
    "[privé]",
    "[personale]",
    "[privato]",
    "[privado]",
    "[pessoal]",
    "[persoonlijk]",
    "[privé]",
    "【私信】",
    "【親展】",
];
