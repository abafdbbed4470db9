//! The fingerprint that tells whether two sightings are the same mail.

use super::model::Mail;
use crate::domain::{Fingerprint, TenantId};

/// Hashes what a mail says: Message-ID, sender, Date, subject, text and attachments.
///
/// Transport headers are left out, so the same mail seen in two mailboxes has one fingerprint; the
/// Message-ID alone is not enough, so a reused or invented one hides nothing. White space at the
/// end of the text does not count, since mailbox files change it. The tenant is part of the hash:
/// two tenants never share one.
pub fn fingerprint(tenant: &TenantId, mail: &Mail) -> Fingerprint {
    let date = mail.date.map(|date| date.at.timestamp().to_be_bytes());
    let sender = mail.from.as_ref().map_or("", |from| from.address.as_str());
    let hashes: Vec<&str> = mail
        .attachments
        .iter()
        .map(|attachment| attachment.sha256.as_str())
        .collect();
    Fingerprint::derive(&[
        b"mail 1",
        tenant.as_str().as_bytes(),
        mail.message_id.as_deref().unwrap_or_default().as_bytes(),
        sender.as_bytes(),
        date.as_ref().map_or(&[][..], |date| &date[..]),
        mail.subject.as_bytes(),
        mail.body.text.trim_end().as_bytes(),
        hashes.join(",").as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mail::{ParseOptions, parse_mail};

    fn print(tenant: &str, raw: &str) -> Fingerprint {
        let mail = parse_mail(raw.as_bytes(), &ParseOptions::default()).unwrap();
        fingerprint(&TenantId::new(tenant).unwrap(), &mail)
    }

    #[test]
    fn transport_does_not_count_and_content_does() {
        let raw = "From: a@b.example\nMessage-ID: <1@b>\nDate: Mon, 9 Nov 2026 09:14:00 +0100\nSubject: s\n\ntext\n";
        let first = print("t", raw);
        for same in [
            format!("Received: by x; Mon, 9 Nov 2026 09:20:00 +0100\nX-Folder: y\n{raw}"),
            raw.replace('\n', "\r\n"),
            format!("{raw}\n\n"),
        ] {
            assert_eq!(print("t", &same), first, "{same}");
        }
        for other in [
            raw.replace("text", "other text"),
            raw.replace("1@b", "2@b"),
            raw.replace("a@b", "c@b"),
            raw.replace("09:14", "09:15"),
            raw.replace("Subject: s", "Subject: t"),
        ] {
            assert_ne!(print("t", &other), first, "{other}");
        }
        assert_ne!(print("u", raw), first, "tenants never share a fingerprint");
    }
}
