//! Mail built to exhaust stack, memory or time is read or refused quickly, never a crash.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stderr)] // the measurement prints its result

use std::time::{Duration, Instant};

use nextedge_core::mail::{ParseFault, ParseOptions, open_attachments, parse_mail};

/// Generous for an unoptimised build on a busy machine; optimised builds need a tenth.
const PATIENCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

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
fn hostile_mail_is_read_or_refused_quickly() {
    let mut slow = Vec::new();
    for (name, raw, fault) in hostile() {
        let start = Instant::now();
        let read = parse_mail(&raw, &ParseOptions::default());
        if let Ok(mail) = &read {
            assert_eq!(
                open_attachments(&raw).len(),
                mail.attachments.len(),
                "{name}"
            );
        }
        let taken = start.elapsed();
        assert_eq!(read.err().map(ParseFault::as_str), fault, "{name}");
        if taken > PATIENCE / 4 {
            slow.push(format!("{name}: {taken:?}"));
        }
        assert!(taken < PATIENCE, "{name}: {taken:?}");
    }
    if !slow.is_empty() {
        eprintln!("slowest: {slow:?}");
    }
}

/// Prints the time of one ordinary mail of 20 KiB: `cargo test --release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a check"]
fn an_ordinary_mail_is_read_in_microseconds() {
    let line = "We would like to order twelve pumps of the NP-60 series for our new plant.\n";
    let plain = format!(
        "{}\nOn Mon, Nov 9, 2026 at 9:14 AM A <a@b.example> wrote:\n{}",
        line.repeat(130),
        format!("> {line}").repeat(130)
    );
    let html = format!(
        "<html><body>{}</body></html>",
        format!("<p style=\"margin:0\">{line}</p>").repeat(200)
    );
    let fields = "Received: from a by b with ESMTPS; Mon, 9 Nov 2026 09:14:00 +0100\n".repeat(6);
    let head = format!(
        "{fields}From: =?utf-8?Q?J=C3=B6rg?= <j@x.example>\nTo: a@x.example\nSubject: Pumps\nDate: Mon, 9 Nov 2026 09:14:00 +0100\nMessage-ID: <1@x.example>\n"
    );
    for (name, raw) in [
        (
            "plain",
            format!("{head}Content-Type: text/plain; charset=utf-8\n\n{plain}"),
        ),
        (
            "html",
            format!("{head}Content-Type: text/html; charset=utf-8\n\n{html}"),
        ),
        (
            "both",
            format!(
                "{head}Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n{}\n--b\nContent-Type: text/html\n\n{}\n--b--\n",
                &plain[..8_000],
                &html[..12_000]
            ),
        ),
    ] {
        let start = Instant::now();
        for _ in 0..2_000 {
            parse_mail(raw.as_bytes(), &ParseOptions::default()).unwrap();
        }
        eprintln!(
            "{name}: {} bytes, {:?} a mail",
            raw.len(),
            start.elapsed() / 2_000
        );
    }
}
