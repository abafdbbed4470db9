//! Golden mails: quote heads by client and language, charsets by name and encoding.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use nextedge_core::mail::{Body, History, ParseOptions, parse_mail, segment};

fn golden(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(folder);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.to_string_lossy().ends_with(extension))
        .filter(|path| !path.to_string_lossy().ends_with(".md"))
        .collect();
    files.sort();
    files
}

#[test]
fn new_text_is_found_below_every_quote_head() {
    let files = golden("quotes", ".txt");
    assert!(files.len() >= 32, "{} files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let golden = fs::read_to_string(&path).unwrap();
        let (text, expected) = golden.split_once("=====8<=====\n").unwrap();
        let body = Body {
            text: text.to_owned(),
            segments: segment(text, History::Reply),
            ..Body::default()
        };
        if body.new_text().trim() != expected.trim() {
            wrong.push(format!("{}:\n{}", path.display(), body.new_text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

#[test]
fn subject_sender_and_text_are_decoded_from_every_charset() {
    let files = golden("charsets", ".eml");
    assert!(files.len() >= 40, "{} files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let mail = parse_mail(&fs::read(&path).unwrap(), &ParseOptions::default()).unwrap();
        let expected = fs::read_to_string(path.with_extension("expected.txt")).unwrap();
        let from = mail.from.expect("a sender");
        let text = format!(
            "{}\n{} <{}>\n\n{}",
            mail.subject, from.name, from.address, mail.body.text
        );
        if text.trim_end() != expected.trim_end() {
            wrong.push(format!(
                "{}:\n{text}\n-- expected:\n{expected}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}
