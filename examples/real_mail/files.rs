//! The oracle: what mails the files hold, found without the library.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

/// A mail in a file of the corpus.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) folder: String,
    /// SHA-256 of the mail in the file.
    pub(crate) digest: String,
    pub(crate) form: Form,
    /// It stands in the training data.
    pub(crate) trained: bool,
}

/// How the mail lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The file is the mail.
    Whole,
    /// The file is an mbox of one mail: an envelope line, then the mail.
    Enveloped,
}

/// Reads every `.txt` file of every folder, in the order of names: the package keeps mails there, and
/// beside each a file of its own.
pub(crate) fn read_folder(corpus: &Path, trained: &str) -> io::Result<Vec<Mail>> {
    let trained: std::collections::BTreeSet<&str> = trained.lines().collect();
    let mut mails = Vec::new();
    for folder in names(corpus)? {
        let path = corpus.join(&folder);
        if !path.is_dir() {
            continue;
        }
        for file in names(&path)?.iter().filter(|name| name.ends_with(".txt")) {
            let bytes = fs::read(path.join(file))?;
            let (mail, form) = mail_of(&bytes);
            mails.push(Mail {
                trained: trained.contains(format!("{folder}/{file}").as_str()),
                folder: folder.clone(),
                digest: digest(&mail),
                form,
            });
        }
    }
    Ok(mails)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Takes the mail out of its file: without the envelope line, the empty line that ends an mbox, and
/// one `>` of lines that the mbox had escaped.
fn mail_of(file: &[u8]) -> (Vec<u8>, Form) {
    if !file.starts_with(b"From ") {
        return (file.to_vec(), Form::Whole);
    }
    let mut lines: Vec<&[u8]> = file
        .split_inclusive(|byte| *byte == b'\n')
        .skip(1)
        .collect();
    if lines
        .last()
        .is_some_and(|line| matches!(*line, b"\n" | b"\r\n"))
    {
        lines.pop();
    }
    let escaped = |line: &[u8]| {
        let rest = line.iter().position(|byte| *byte != b'>').unwrap_or(0);
        rest > 0 && line[rest..].starts_with(b"From ")
    };
    let lines = lines
        .into_iter()
        .map(|line| if escaped(line) { &line[1..] } else { line });
    (lines.flatten().copied().collect(), Form::Enveloped)
}

/// Returns the SHA-256 of bytes, hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_of_an_mbox_is_what_lies_behind_its_envelope() {
        let cases: [(&[u8], &[u8], Form); 3] = [
            (b"A: b\n\nFrom x\n", b"A: b\n\nFrom x\n", Form::Whole),
            (
                b"From x Mon\nA: b\n\n>From y\n\n",
                b"A: b\n\nFrom y\n",
                Form::Enveloped,
            ),
            (
                b"From x Mon\r\nA: b\r\n\r\n>>From y\r\n> z",
                b"A: b\r\n\r\n>From y\r\n> z",
                Form::Enveloped,
            ),
        ];
        for (file, mail, form) in cases {
            assert_eq!(mail_of(file), (mail.to_vec(), form));
        }
    }
}
