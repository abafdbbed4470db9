//! Unwraps a forwarded mail to the person who wrote it.

use crate::domain::{EmailAddress, Mailer};
use crate::mail::{Mail, Role};

/// The mail inside a forward.
pub(super) struct Inner {
    /// Who wrote it.
    pub(super) sender: Mailer,
    /// Its subject.
    pub(super) subject: String,
    /// Its text without the header block.
    pub(super) text: String,
}

/// Reads the header block of the first forwarded part.
///
/// Only the block's own From line counts, and it must hold exactly one address.
pub(super) fn unwrap(mail: &Mail) -> Option<Inner> {
    let forwarded = mail.body.text_of(&[Role::Forwarded]);
    let (mut sender, mut subject) = (None, None);
    let mut text_from = 0;
    let mut at = 0;
    for line in forwarded.split_inclusive('\n').take(MAX_BLOCK_LINES) {
        at += line.len();
        let plain = line.trim().trim_start_matches(['>', '*', ' ']);
        if plain.is_empty() {
            if sender.is_some() {
                text_from = at;
                break;
            }
            continue;
        }
        let Some((name, value)) = plain.split_once([':', '：']) else {
            continue;
        };
        let name = name.trim().trim_matches('*').to_lowercase();
        let value = value.trim().trim_matches('*').trim();
        if sender.is_none() && FROM.contains(&name.as_str()) {
            sender = mailer(value);
        } else if subject.is_none() && SUBJECT.contains(&name.as_str()) {
            subject = Some(value.to_owned());
        }
    }
    let sender = sender?;
    Some(Inner {
        sender,
        subject: subject.unwrap_or_else(|| mail.subject.clone()),
        text: forwarded.get(text_from..).unwrap_or_default().to_owned(),
    })
}

/// Reads `Name <address>`, `"Name" [mailto:address]` or a bare address.
fn mailer(value: &str) -> Option<Mailer> {
    let (name, address) = match value.find(['<', '[']) {
        Some(start) => {
            let inner = value[start + 1..].split(['>', ']']).next()?;
            (&value[..start], inner)
        }
        None => ("", value),
    };
    let address = address.trim().trim_start_matches("mailto:");
    let address = EmailAddress::parse(address).ok()?;
    let name = name.trim().trim_matches(['"', '\'']).trim();
    let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(Mailer { address, name })
}

/// A header block is looked for in the first lines only.
const MAX_BLOCK_LINES: usize = 30;

const FROM: &[&str] = &[
    "from",
    "von",
    "de",
    "da",
    "van",
    "差出人",
    "från",
    "fra",
    "od",
    "от",
    "发件人",
];
const SUBJECT: &[&str] = &[
    "subject",
    "betreff",
    "objet",
    "asunto",
    "oggetto",
    "assunto",
    "onderwerp",
    "件名",
    "ämne",
    "emne",
    "temat",
    "тема",
    "主题",
];
