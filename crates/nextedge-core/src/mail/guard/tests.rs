#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::mail::work_done;

fn default_guard(raw: impl AsRef<[u8]>) -> Result<(), GuardFault> {
    guard(raw.as_ref(), &GuardLimits::default())
}

fn nested_multiparts(levels: usize, close: &str) -> String {
    let mut raw = String::new();
    for level in 0..levels {
        raw += &format!("Content-Type: multipart/mixed; boundary=b{level}x\r\n\r\n--b{level}x\r\n");
    }
    raw += "\r\ntext\r\n";
    for level in (0..levels).rev() {
        raw += &format!("--b{level}x{close}\r\n");
    }
    raw
}

#[test]
fn ordinary_mail_passes() {
    for raw in [
        "Subject: x\r\n\r\nbody".to_owned(),
        String::new(),
        "no header at all".to_owned(),
        nested_multiparts(20, "--"),
        format!(
            "Subject: x\n\n{}",
            "Content-Type: message/rfc822\n\n".repeat(500)
        ),
    ] {
        assert_eq!(default_guard(&raw), Ok(()), "{:.60}", raw);
    }
}

#[test]
fn nesting_is_counted_however_it_is_written() {
    for header in [
        "Content-Type: message/rfc822\r\n\r\n",
        "content-type:MESSAGE/RFC822\n\n",
        "Content-Type : message/rfc822\r\n\r\n",
        "Content-Type:\r\n message/rfc822\r\n\r\n",
        "Content-Type: message(odd)/rfc822\r\n\r\n",
        "Content-Type: message/global; x=y\r\n\r\n",
        "Content-Type: text/plain\r\nContent-Type: message/rfc822\r\n\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
    ] {
        assert_eq!(
            default_guard(header.repeat(10_000)),
            Err(GuardFault::Nesting),
            "{header:?}"
        );
    }
    assert_eq!(
        default_guard(nested_multiparts(21, "--")),
        Err(GuardFault::Nesting)
    );
    assert_eq!(
        default_guard(nested_multiparts(21, "")),
        Err(GuardFault::Nesting)
    );
    let digest = "Content-Type: multipart/digest; boundary=d\n\n--d\n\n".repeat(30);
    assert_eq!(default_guard(digest), Err(GuardFault::Nesting));
}

#[test]
fn nesting_inside_encoded_messages_is_counted() {
    use base64::Engine as _;
    let bomb = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let coded = base64::engine::general_purpose::STANDARD.encode(bomb);
    let raw =
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}");
    assert_eq!(default_guard(&raw), Err(GuardFault::Nesting));
    let mut deep = "Subject: x\r\n\r\nx".to_owned();
    for _ in 0..3 {
        let coded = base64::engine::general_purpose::STANDARD.encode(&deep);
        deep = format!(
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}"
        );
    }
    assert_eq!(default_guard(&deep), Err(GuardFault::EncodedNesting));
}

#[test]
fn each_limit_is_named() {
    let parts = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--",
        "--b\r\n\r\nx\r\n".repeat(1_001)
    );
    let lost = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\nContent-Type: multipart/mixed; boundary=gone\n\nx\n".repeat(40)
    );
    let stars: String = (0..2_000).map(|n| format!(";a{n}*1=x")).collect();
    for (raw, fault) in [
        (parts, GuardFault::Parts),
        (lost, GuardFault::LostBoundaries),
        (
            format!("Content-Type: text/plain{stars}\n\nx"),
            GuardFault::Parameters,
        ),
        ("a: b\n".repeat(1_001) + "\nx", GuardFault::HeaderFields),
        (
            format!("a: {}\n\nx", "x".repeat(300 << 10)),
            GuardFault::HeaderBytes,
        ),
    ] {
        assert_eq!(default_guard(&raw), Err(fault), "{fault}");
    }
    let limits = GuardLimits::default().with_raw_bytes(10);
    assert_eq!(
        guard(b"Subject: xyz\n\n", &limits),
        Err(GuardFault::RawBytes)
    );
}

#[test]
fn hostile_mail_is_judged_with_few_looks_at_each_byte() {
    let million = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\n\r\nx\r\n".repeat(1_000_000)
    );
    let dashes = format!(
        "Content-Type: multipart/mixed; boundary=\"{0}\"\n\n{0}{1}",
        "-".repeat(70),
        "-".repeat(5_000_000)
    );
    for raw in [million, dashes, "\0".repeat(10_000_000)] {
        let before = work_done();
        let _ = default_guard(&raw);
        let looks = (work_done() - before) / raw.len() as u64;
        assert!(looks < 20, "{looks} looks a byte at {:.30}", raw);
    }
}
