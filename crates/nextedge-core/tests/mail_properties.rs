//! Properties of the mail stages on arbitrary and mutated input.
#![allow(clippy::unwrap_used)]

use nextedge_core::mail::{
    GuardLimits, History, HtmlLimits, ParseOptions, guard, html_to_text, open_attachments,
    parse_mail, sanitise_html, segment,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Lines that steer the segmenter, mixed with others.
fn line() -> impl Strategy<Value = String> {
    let known = select(vec![
        "",
        "> quoted",
        ">> deeper",
        "-- ",
        "On Mon, Nov 9, 2026 at 9:14 AM A <a@b.example>",
        "wrote:",
        "On 9 Nov 2026 at 09:14 A <a@b.example> wrote:",
        "-----Original Message-----",
        "From: A <a@b.example>",
        "Sent: Monday",
        "To: B",
        "Subject: S",
        "Best regards",
        "Sent from my iPhone",
        "________________",
        "This e-mail and any attachments are confidential and may be privileged by law.",
        "plain",
        "\r",
        "\u{a0}",
        "---------- Forwarded message ---------",
        "差出人: A",
        "件名: S",
        "送信日時: 2026",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => "\\PC{0,40}"]
}

/// Pieces of MIME structure, mixed with noise.
fn mime_piece() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        "Content-Type: multipart/mixed; boundary=b\r\n",
        "Content-Type: multipart/digest; boundary=\"c d\"\n",
        "Content-Type: multipart/alternative;\r\n boundary=bb\r\n",
        "Content-Type: message/rfc822\r\n",
        "Content-Type: Message/Global\n",
        "Content-Type: text/html; charset=x\r\n",
        "Content-Type: text/plain\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\n",
        "Content-Disposition: attachment; filename*0*=utf-8''%41; filename*1=b\r\n",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "--b\r\n",
        "--b--\r\n",
        "--bb\n",
        "--bb--",
        "--c d\r\n",
        "--c d--\r\n",
        "--",
        "=\n",
        "=\n--b\r\n",
        "=41",
        "Q29udGVudC1UeXBlOiBtZXNzYWdlL3JmYzgyMg0KDQo=",
        "Subject: =?utf-8?B?4oI=?= =?utf-8?B?rA==?=\r\n",
        "From: A <a@b.example>\r\n",
        "text",
        "\0",
        " \r\n",
        "<p style=display:none>x",
    ]);
    prop_oneof![
        8 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

fn mime() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(mime_piece(), 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segments_join_to_the_text(lines in proptest::collection::vec(line(), 0..40), end in "\n?") {
        let text = lines.join("\n") + &end;
        for history in [History::Reply, History::Forward] {
            let segments = segment(&text, history);
            let joined: String = segments.iter().map(|part| &text[part.range.clone()]).collect();
            prop_assert_eq!(&joined, &text);
            prop_assert!(segments.iter().all(|part| !part.range.is_empty()));
        }
    }

    #[test]
    fn any_text_is_segmented_without_loss(text in "\\PC{0,300}") {
        let segments = segment(&text, History::Reply);
        let joined: String = segments.iter().map(|part| &text[part.range.clone()]).collect();
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn guard_and_parser_survive_any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = guard(&raw, &GuardLimits::default());
        let _ = parse_mail(&raw, &ParseOptions::default());
    }

    #[test]
    fn what_the_guard_passes_has_no_more_structure_than_it_counted(raw in mime()) {
        let mut most = 0;
        while guard(&raw, &GuardLimits::default().with_parts(most)).is_err() && most < 1_000 {
            most += 1;
        }
        let parsed = std::panic::catch_unwind(|| mail_parser::MessageParser::new().with_mime_headers().default_header_raw().parse(&raw).map(|message| count(&message)));
        if let Ok(Some((parts, nesting))) = parsed {
            prop_assert!(parts <= most.max(1), "{} parts, guard counted {}", parts, most);
            let flat = GuardLimits::default().with_nesting(nesting.saturating_sub(1));
            prop_assert!(nesting == 0 || guard(&raw, &flat).is_err(), "nesting {}", nesting);
        }
    }

    #[test]
    fn structured_noise_is_read_or_refused(raw in mime()) {
        if let Ok(mail) = parse_mail(&raw, &ParseOptions::default()) {
            let opened = open_attachments(&raw);
            prop_assert_eq!(opened.len(), mail.attachments.len());
            for attachment in &mail.attachments {
                prop_assert!(!attachment.name.is_empty() && !attachment.name.contains(['/', '\\']));
            }
            let joined: usize = mail.body.segments.iter().map(|part| part.range.len()).sum();
            prop_assert_eq!(joined, mail.body.text.len());
        }
    }

    #[test]
    fn mutated_mail_is_read_or_refused(at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>()) {
        let mut raw = SAMPLE.replace('\n', "\r\n").into_bytes();
        let position = at.index(raw.len());
        raw[position] = byte;
        let _ = parse_mail(&raw, &ParseOptions::default());
        raw.truncate(cut.index(raw.len()));
        let _ = parse_mail(&raw, &ParseOptions::default());
    }

    #[test]
    fn any_html_is_rendered_and_sanitised(html in "(<[a-z]{1,4}( style='(display:none|font-size:0)')?>|</[a-z]{1,4}>|&[a-z#0-9]{0,5};?|<!--|-->|[ -~]{0,8}|\\PC){0,60}") {
        let limits = HtmlLimits::default();
        let _ = html_to_text(&html, &limits);
        let clean = sanitise_html(&html, &limits);
        prop_assert!(!clean.contains("<img") && !clean.contains("<script"));
    }
}

/// Counts the parts and the nesting that the parser really built.
fn count(message: &mail_parser::Message<'_>) -> (usize, usize) {
    use mail_parser::PartType;
    let mut parts = message.parts.len();
    let mut depth = multipart_depth(message, 0, 0);
    for part in &message.parts {
        if let PartType::Message(inner) = &part.body {
            let (inner_parts, inner_depth) = count(inner);
            parts += inner_parts;
            depth = depth.max(1 + inner_depth);
        }
    }
    (parts, depth)
}

fn multipart_depth(message: &mail_parser::Message<'_>, id: usize, depth: usize) -> usize {
    match message.parts.get(id).map(|part| &part.body) {
        Some(mail_parser::PartType::Multipart(ids)) if !ids.is_empty() && depth < 50 => {
            let children = ids.iter().filter(|child| **child as usize != id);
            1 + children
                .map(|child| multipart_depth(message, *child as usize, depth + 1))
                .max()
                .unwrap_or(0)
        }
        _ => 0,
    }
}

const SAMPLE: &str = "From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.com>\nTo: sales@example.com\n\
Subject: =?utf-8?B?4oI=?=\n =?utf-8?B?rA==?= offer\nDate: Mon, 9 Nov 2026 09:14:00 +0100\n\
Message-ID: <m1@example.com>\nContent-Type: multipart/mixed; boundary=\"out\"\n\n--out\n\
Content-Type: multipart/alternative; boundary=in\n\n--in\nContent-Type: text/plain; charset=utf-8\n\
Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe=\n\n\nOn Mon, Nov 9, 2026 at 9:14 AM A <a@b.example> wrote:\n> x\n\
--in\nContent-Type: text/html\n\n<p>Hi<span style='display:none'>x</span></p>\n--in--\n--out\n\
Content-Type: application/pdf; name*0*=utf-8''%41; name*1=b.pdf\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\n\
--out\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner body\n--out--\n";
