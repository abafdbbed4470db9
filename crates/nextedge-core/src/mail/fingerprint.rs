//! What a mail says, in 16 bytes: the same mail seen twice has the same fingerprint.

use super::model::Mail;
use crate::domain::{Fingerprint, TenantId};

/// Hashes Message-ID, sender, date, subject, text and attachments, keyed with the tenant.
///
/// Transport headers are left out, so a mail that took two ways, or lies in two mailboxes, is one.
/// Two different mails differ, whatever Message-ID they claim.
pub fn fingerprint(tenant: &TenantId, mail: &Mail) -> Fingerprint {
    let sender = mail.from.as_ref().map_or("", |from| from.address.as_str());
    let date = mail.date.map_or(0, |date| date.at.timestamp());
    let date = date.to_be_bytes();
    let id = mail.message_id.as_deref().unwrap_or_default();
    let mut parts: Vec<&[u8]> = vec![
        b"mail",
        tenant.as_str().as_bytes(),
        id.as_bytes(),
        sender.as_bytes(),
        &date,
        mail.subject.as_bytes(),
        mail.body.text.as_bytes(),
    ];
    parts.extend(
        mail.attachments
            .iter()
            .map(|attachment| attachment.sha256.as_bytes()),
    );
    Fingerprint::derive(&parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mail::{ParseOptions, parse_mail};

    fn of(tenant: &str, raw: &str) -> Fingerprint {
        let mail = parse_mail(raw.as_bytes(), &ParseOptions::default()).unwrap();
        fingerprint(&TenantId::new(tenant).unwrap(), &mail)
    }

    const MAIL: &str = "Message-ID: <a@b.example>\r\nFrom: a@b.example\r\nSubject: s\r\n\
                        Date: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nhello\r\n";

    #[test]
    fn transport_headers_do_not_count() {
        let again =
            format!("Received: by mx2; Mon, 2 Nov 2026 10:00:09 +0000\r\nX-Spam: no\r\n{MAIL}");
        assert_eq!(of("t", MAIL), of("t", &again));
    }

    #[test]
    fn everything_a_person_reads_counts() {
        for (from, to) in [
            ("hello", "hallo"),
            ("Subject: s", "Subject: t"),
            ("From: a@", "From: c@"),
            ("<a@b", "<x@b"),
            ("10:00:00", "10:00:01"),
        ] {
            assert_ne!(of("t", MAIL), of("t", &MAIL.replace(from, to)), "{from}");
        }
    }

    #[test]
    fn tenants_do_not_share_fingerprints() {
        assert_ne!(of("t", MAIL), of("u", MAIL));
    }
}
