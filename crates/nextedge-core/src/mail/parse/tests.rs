#![allow(clippy::unwrap_used)]
use super::*;
use crate::mail::{Attachment, Role};

fn parse(raw: &str) -> Mail {
    parse_mail(
        raw.replace('\n', "\r\n").as_bytes(),
        &ParseOptions::default(),
    )
    .unwrap()
}

#[test]
fn every_header_field_is_read() {
    let mail = parse(
        "Received: from a by b; Mon, 9 Nov 2026 09:20:00 +0100\n\
         Received: from c by a; Mon, 9 Nov 2026 09:00:00 +0100\n\
         From: =?utf-8?Q?J=C3=B6rg?= <Joerg@Example.com>, other@example.com\n\
         Sender: desk@example.com\n\
         Reply-To: \"R, D\" <rd@example.com>\n\
         To: a@x.example,\n team: b@x.example, c@x.example;\n\
         Cc: broken, d@x.example\n\
         Subject: Folded\n  subject =?utf-8?B?4oKs?=\n\
         Date: Mon, 9 Nov 2026 09:14:00 -0330\n\
         Message-ID: <m1@example.com>\n\
         In-Reply-To: <m0@example.com>\n\
         References: <r1@example.com>\n <r2@example.com>\n\
         X-Thing: 1\n\nbody",
    );
    assert_eq!(mail.message_id.as_deref(), Some("m1@example.com"));
    assert_eq!(mail.in_reply_to, ["m0@example.com"]);
    assert_eq!(mail.references, ["r1@example.com", "r2@example.com"]);
    let from = mail.from.as_ref().unwrap();
    assert_eq!(
        (from.address.as_str(), from.name.as_str()),
        ("joerg@example.com", "Jörg")
    );
    assert_eq!(
        mail.sender.as_ref().unwrap().address.as_str(),
        "desk@example.com"
    );
    assert_eq!(mail.reply_to[0].name, "R, D");
    assert_eq!(mail.to.len(), 3);
    assert_eq!(mail.cc.len(), 1);
    assert_eq!(mail.subject, "Folded subject €");
    let date = mail.date.unwrap();
    assert_eq!(date.utc_offset_minutes, -210);
    assert_eq!(date.at.to_rfc3339(), "2026-11-09T12:44:00+00:00");
    assert_eq!(
        received_at(&mail.headers).unwrap().to_rfc3339(),
        "2026-11-09T08:20:00+00:00"
    );
    assert_eq!(mail.header("x-thing"), Some("1"));
    assert_eq!(mail.header_values("received").count(), 2);
    assert_eq!(mail.body.text, "body");
}

#[test]
fn mail_without_headers_is_a_named_fault() {
    for raw in ["", "\n\n", "hello there"] {
        let fault = parse_mail(raw.as_bytes(), &ParseOptions::default()).unwrap_err();
        assert_eq!(fault.as_str(), "no_headers", "{raw:?}");
    }
    assert_eq!(parse("Subject: only").subject, "only");
}

#[test]
fn html_stands_in_for_missing_plain_text() {
    let alternative = |plain: &str| {
        parse(&format!(
            "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n\
             {plain}\n--b\nContent-Type: text/html\n\n<p>rich<i style=display:none>er</i></p>\n--b--\n"
        ))
    };
    assert_eq!(alternative("plain").body.text, "plain");
    assert_eq!(alternative("plain").body.hidden_chars, 2);
    assert!(alternative("plain").body.html.unwrap().contains("rich"));
    let html_only = alternative(" ");
    assert_eq!(html_only.body.text, "rich\n");
    assert_eq!(html_only.body.hidden_chars, 2);
    assert!(html_only.attachments.is_empty());
}

#[test]
fn attachments_are_named_hashed_and_opened() {
    let raw = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n\
        --b\nContent-Type: application/pdf; name=\"../../etc/a:b.pdf\"\nContent-Transfer-Encoding: base64\n\n\
        SGVsbG8=\n--b\nContent-Type: image/png\nContent-ID: <i1>\nContent-Disposition: inline\n\
        Content-Transfer-Encoding: base64\n\nAAECAw==\n--b\nContent-Type: message/rfc822\n\n\
        Subject: Inner =?utf-8?Q?=C3=A4?=\n\nnested body\n--b\n\
        Content-Type: text/csv; charset=iso-8859-1\nContent-Disposition: attachment; filename*=utf-8''%C3%A4.csv\n\
        Content-Transfer-Encoding: quoted-printable\n\n=E4;1\n--b--\n"
        .replace('\n', "\r\n");
    let mail = parse_mail(raw.as_bytes(), &ParseOptions::default()).unwrap();
    let seen: Vec<_> = mail
        .attachments
        .iter()
        .map(|a: &Attachment| (a.name.as_str(), a.media_type.as_str(), a.inline))
        .collect();
    assert_eq!(
        seen,
        [
            ("a_b.pdf", "application/pdf", false),
            ("attachment-2.png", "image/png", true),
            ("Inner ä.eml", "message/rfc822", false),
            ("ä.csv", "text/csv", false),
        ]
    );
    let opened = open_attachments(raw.as_bytes());
    assert_eq!(opened[0], "Hello");
    assert_eq!(
        opened[2],
        "Subject: Inner =?utf-8?Q?=C3=A4?=\r\n\r\nnested body"
    );
    assert_eq!(&opened[3][..], b"\xe4;1", "charset of the file is kept");
    for (attachment, bytes) in mail.attachments.iter().zip(&opened) {
        assert_eq!(attachment.bytes, bytes.len() as u64);
        assert_eq!(
            attachment_bytes(raw.as_bytes(), attachment.index).as_ref(),
            Some(bytes)
        );
    }
    assert_eq!(attachment_bytes(raw.as_bytes(), 4), None);
    assert_eq!(
        mail.attachments[0].sha256,
        "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969"
    );
    assert_eq!(mail.body.text.trim(), "text");
}

#[test]
fn delivery_reports_are_read() {
    let mail = parse(
        "Subject: failed\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; ok@x.example\nAction: delayed\nStatus: 4.0.0\n\n\
         Final-Recipient: rfc822; Bad@x.example\nAction: Failed\nStatus: 5.1.1 (no such)\n\n\
         --b\nContent-Type: text/rfc822-headers\n\nFrom: me@x.example\nMessage-ID:\n <orig@x.example>\n--b--\n",
    );
    let report = mail.report.unwrap();
    assert_eq!(report.recipient.as_deref(), Some("Bad@x.example"));
    assert_eq!(report.action.as_deref(), Some("failed"));
    assert_eq!(report.status.as_deref(), Some("5.1.1"));
    assert_eq!(
        report.original_message_id.as_deref(),
        Some("orig@x.example")
    );
}

#[test]
fn calendar_method_is_read_from_the_type_or_the_content() {
    for (header, body, method) in [
        (
            "text/calendar; method=REQUEST",
            "BEGIN:VCALENDAR",
            Some("REQUEST"),
        ),
        (
            "text/calendar",
            "BEGIN:VCALENDAR\nMETHOD:reply\n",
            Some("REPLY"),
        ),
        ("text/plain", "METHOD:REQUEST", None),
    ] {
        let mail = parse(&format!("Subject: x\nContent-Type: {header}\n\n{body}"));
        assert_eq!(mail.calendar_method.as_deref(), method, "{header}");
    }
}

#[test]
fn language_is_told_only_when_certain() {
    for (text, language) in [
        (
            "Could you please send us your price list for the new pumps and tell us when you could deliver?",
            Some("en"),
        ),
        (
            "Könnten Sie uns bitte Ihre Preisliste für die neuen Pumpen senden und uns sagen, wann Sie liefern?",
            Some("de"),
        ),
        (
            "発注の前に二点教えてください。シールキットは含まれますか。",
            Some("ja"),
        ),
        ("ok", None),
    ] {
        assert_eq!(
            parse(&format!(
                "Content-Type: text/plain; charset=utf-8\n\n{text}"
            ))
            .language
            .as_deref(),
            language,
            "{text}"
        );
    }
}

#[test]
fn control_characters_do_not_reach_the_text() {
    let mail = parse(
        "Subject: a\u{7}b\nContent-Type: text/plain; charset=utf-8\n\nx\u{0}y\u{202e}z\u{200b}\n",
    );
    assert_eq!(mail.subject, "ab");
    assert_eq!(mail.body.text, "xyz\n");
    assert_eq!(mail.body.hidden_chars, 1);
}

#[test]
fn history_of_a_forward_is_forwarded() {
    let block = "From: A <a@b.example>\nSent: Monday\nTo: c\nSubject: s\n\nold\n";
    for (subject, role) in [("FW: s", Role::Forwarded), ("RE: s", Role::Quoted)] {
        let mail = parse(&format!("Subject: {subject}\n\nnote\n\n{block}"));
        assert_eq!(mail.body.segments.last().unwrap().role, role);
    }
}

#[tokio::test]
async fn large_and_deep_mail_is_read_on_other_threads() {
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(15) + "Subject: x\r\n\r\ny";
    let large = format!("Subject: x\r\n\r\n{}", "line\r\n".repeat(100_000));
    for raw in [deep, large] {
        assert!(
            read_mail(Bytes::from(raw), ParseOptions::default())
                .await
                .is_ok()
        );
    }
    let bomb = Bytes::from("Content-Type: message/rfc822\r\n\r\n".repeat(10_000));
    let fault = read_mail(bomb, ParseOptions::default()).await.unwrap_err();
    assert_eq!(fault.as_str(), "nesting");
}
