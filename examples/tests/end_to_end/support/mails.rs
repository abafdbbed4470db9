//! Mails and a policy that decides without the statistical classifier.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Writes every mail with "order" in its subject as a case, so that no test hangs on a confidence.
pub(crate) const ORDERS: &str = r#"
[[rules]]
name = "orders"
when = [{ subject_contains = ["order"] }]
then = [{ set_category = "Case" }]
auto_write = true
"#;

/// A mail of sender `from`, received `minute` minutes after a fixed time.
pub(crate) fn mail(id: &str, minute: u32, from: &str, subject: &str) -> String {
    let (hour, minute) = (6 + minute / 60, minute % 60);
    let date = format!("Mon, 9 Nov 2026 {hour:02}:{minute:02}:00 +0000");
    let host = from.split('@').next_back().unwrap();
    format!(
        "Received: from mail.{host} by mx.pumps.example; {date}\r\n\
         From: {from}\r\nTo: sales@pumps.example\r\nSubject: {subject}\r\nDate: {date}\r\n\
         Message-ID: <{id}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         Hello,\r\n\r\nthe pump of {subject} does not start and shows error E4. Please help.\r\n\r\n\
         {id}\r\n"
    )
}

/// `count` orders, each a thread of a person of a company of its own.
pub(crate) fn orders(count: u32) -> Vec<String> {
    let one = |n| {
        let from = format!("buyer@firm-{n}.example");
        mail(
            &format!("order-{n}@firm-{n}.example"),
            n,
            &from,
            &format!("Order {n}"),
        )
    };
    (0..count).map(one).collect()
}

/// Writes mails as files into a folder of its own.
pub(crate) fn write_mails(folder: &Path, mails: &[String]) {
    fs::create_dir_all(folder).unwrap();
    for (n, mail) in mails.iter().enumerate() {
        fs::write(folder.join(format!("{n:04}.eml")), mail).unwrap();
    }
}

/// The id that the program gives a mail in a file: half the hash of its bytes.
pub(crate) fn mail_id(raw: &[u8]) -> String {
    let hash = Sha256::digest(raw);
    hash[..16].iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}
