//! Mail built to exhaust stack, memory or time is read or refused with few looks at each byte, never
//! a crash.
#![allow(clippy::unwrap_used)]

use nextedge_core::mail::{ParseFault, ParseOptions, open_attachments, parse_mail, work_done};

/// More looks at a byte than any of these mails needs: an encoded word that never ends is searched
/// for 2,000 bytes, and a header is read twice. Work that grows with the square of the input takes
/// thousands.
const LOOKS: u64 = 300;

fn hostile() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let html = |body: String| format!("Subject: x\nContent-Type: text/html\n\n{body}").into_bytes();
    let header = |value: String| format!("{value}\nSubject: x\n\nbody\n").into_bytes();
    let parts = |count: usize| {
        let part = "--b\n\nx\n".repeat(count);
        format!("Content-Type: multipart/mixed; boundary=b\n\n{part}--b--\n").into_bytes()
    };
    let repeated_boundaries = "--b\nContent-Type: multipart/mixed; boundary=b\n\n".repeat(1_000);
    let empty = |n: usize| format!("--b\nContent-Type: multipart/mixed; boundary=x{n}\n\ny\n");
    let lost: String = (0..900).map(empty).collect();
    vec![
        ("nested messages", "Content-Type: message/rfc822\n\n".repeat(10_000).into_bytes(), Some("nesting")),
        ("million parts", parts(1_000_000), Some("parts")),
        ("many parts", parts(990), None),
        ("one boundary for all", format!("Content-Type: multipart/mixed; boundary=b\n\n{repeated_boundaries}").into_bytes(), Some("nesting")),
        ("boundaries that never come", format!("Content-Type: multipart/mixed; boundary=b\n\n{lost}").into_bytes(), Some("lost_boundaries")),
        ("nested divs", html("<div>".repeat(100_000)), None),
        ("attributes", html(format!("<a {}>", "b=c ".repeat(200_000))), None),
        ("entities", html("&amp;".repeat(200_000)), None),
        ("nulls",
            vec![0; 5_000_000],
            Some("header_bytes")),
        ("null body", [b"Subject: x\n\n".to_vec(), vec![0; 5_000_000]].concat(), None),
        ("cut base64", b"Subject: x\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nSGVsbG8".to_vec(), None),
        ("bad base64", format!("Subject: x\nContent-Transfer-Encoding: base64\n\n{}", "SGVs*".repeat(200_000)).into_bytes(), None),
        ("equals signs", format!("Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n{}", "=".repeat(2_000_000)).into_bytes(), None),
        ("endless header", format!("Subject: {}", "x".repeat(1 << 20)).into_bytes(), Some("header_bytes")),
        ("broken words", header(format!("To: {}", "=?utf-8?q?".repeat(20_000))), None),
        ("open words", header(format!("Subject: {}", "=?utf-8?b?AAAA ".repeat(15_000))), None),
        ("words in types", header(format!("Content-Type: text/plain; name={}", "=?utf-8?b?AAAA ".repeat(15_000))), None),
        ("quoted types", header(format!("Content-Type: text/plain; name=\"{}", "\\\"".repeat(100_000))), None),
        ("types of apostrophes", header(format!("Content-Type: text/plain{}; x*={}", ";a=b".repeat(900), "'a".repeat(100_000))), None),
        ("address comments", header(format!("To: {}", "(".repeat(200_000))), None),
        ("address groups", header(format!("To: {}", "a:;".repeat(70_000))), None),
        ("many addresses", header(format!("To: {}", "a@b.example, ".repeat(18_000))), None),
        ("quoted addresses", header(format!("To: {}", "\"\\".repeat(100_000))), None),
        ("many ids", header(format!("References: {}", "<a@b>".repeat(45_000))), None),
        ("reply marks", header(format!("Subject: {}x", "Re: ".repeat(60_000))), None),
        ("long date", header(format!("Date: {}", "1".repeat(200_000))), None),
        ("quote heads", format!("Subject: x\n\n{}", "On 1 Jan 2026 at 9:14 a@b.example\n".repeat(60_000)).into_bytes(), None),
        ("header blocks", format!("Subject: x\n\n{}", "From: a\nTo: b\nSubject\n".repeat(60_000)).into_bytes(), None),
        ("one long line", format!("Subject: x\n\n{}", "> ".repeat(3_000_000)).into_bytes(), None),
    ]
}

#[test]
fn hostile_mail_is_read_or_refused_with_few_looks_at_each_byte() {
    for (name, raw, fault) in hostile() {
        let before = work_done();
        let read = parse_mail(&raw, &ParseOptions::default());
        if let Ok(mail) = &read {
            let opened = open_attachments(&raw).len();
            assert_eq!(opened, mail.attachments.len(), "{name}");
        }
        let looks = (work_done() - before) / raw.len() as u64;
        assert_eq!(read.err().map(ParseFault::as_str), fault, "{name}");
        assert!(looks < LOOKS, "{name}: {looks} looks a byte");
    }
}
