//! Takes real mail from the corpus that `scripts/corpus` installs.
//!
//! Only half of it is ever trained on: the split is a hash of the file name, so the other half
//! stays unseen whatever else changes. All of it is labelled `None`, except first questions to
//! technical lists, which a rule labels `Case`; mails between the two are left out.

use std::fs;
use std::path::{Path, PathBuf};

use mail_parser::{HeaderValue, Message, MessageParser};
use nextedge_ai::dataset::Row;
use nextedge_core::Category;
use nextedge_core::classify::Signals;

use crate::random::stable_hash;

/// Rows to train on and rows never to train on.
#[derive(Debug, Default)]
pub(crate) struct Corpus {
    pub(crate) train: Vec<Row>,
    pub(crate) unseen: Vec<Row>,
    pub(crate) unreadable: usize,
}

/// Reads the corpus below a folder, wherever in it the five boxes lie.
pub(crate) fn read(folder: &Path) -> Result<Corpus, String> {
    let root = find_root(folder, 6).ok_or_else(|| {
        format!(
            "no folder `{}` below {}; run scripts/corpus first",
            BOXES[0].0,
            folder.display()
        )
    })?;
    let mut corpus = Corpus::default();
    for (name, quota) in BOXES {
        let mut files = list(&root.join(name))?;
        files.sort_by_cached_key(|file| (stable_hash(&file_name(file)), file_name(file)));
        let mut taken = 0;
        for file in files {
            let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            let Some(message) = MessageParser::default().parse(&bytes) else {
                corpus.unreadable += 1;
                continue;
            };
            let Some(row) = row(&message, name, &file_name(&file)) else {
                continue;
            };
            if stable_hash(&file_name(&file)).is_multiple_of(2) {
                corpus.unseen.push(row);
            } else if row.label == Some(Category::Case) {
                corpus.train.push(row);
            } else if taken < *quota {
                taken += 1;
                corpus.train.push(row);
            }
        }
    }
    Ok(corpus)
}

fn find_root(folder: &Path, depth: usize) -> Option<PathBuf> {
    if folder.join(BOXES[0].0).is_dir() {
        return Some(folder.to_owned());
    }
    if depth == 0 {
        return None;
    }
    let mut below: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    below.sort();
    below.iter().find_map(|path| find_root(path, depth - 1))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let files = entries.flatten().map(|e| e.path());
    Ok(files
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn row(message: &Message<'_>, folder: &str, file: &str) -> Option<Row> {
    let subject = message.subject().unwrap_or_default();
    let body: String = message.body_text(0)?.chars().take(MAX_CHARS).collect();
    let has = |name: &str| !matches!(message.header(name), None | Some(HeaderValue::Empty));
    let reply = has("In-Reply-To") || has("References") || subject.to_lowercase().contains("re:");
    let bulk = has("List-Id") || has("List-Unsubscribe") || has("Precedence");
    let label = if folder.starts_with("easy-ham") {
        ham_label(subject, &body, reply)?
    } else {
        Category::None
    };
    let from = message
        .from()
        .and_then(|f| f.first())
        .and_then(|a| a.address())
        .unwrap_or_default();
    let mut row = Row::new(format!("{folder}/{file}"), subject, body);
    // The engine parks list mail before it is classified, so half of the rows do without the sign.
    let shown = stable_hash(file).is_multiple_of(3);
    row.signals = Signals {
        reply,
        bulk: bulk && shown,
        ..Signals::default()
    };
    row.source = format!(
        "corpus:{folder}:{}",
        from.rsplit_once('@').map_or(from, |(_, d)| d)
    );
    row.from = from.to_owned();
    row.label = Some(label);
    Some(row)
}

/// Nothing for a mail that may or may not be a help request.
fn ham_label(subject: &str, body: &str, reply: bool) -> Option<Category> {
    if reply || !body.contains('?') {
        return Some(Category::None);
    }
    let text = format!("{} {}", subject, body).to_lowercase();
    let signs = HELP_SIGNS
        .iter()
        .filter(|sign| text.contains(**sign))
        .count();
    match signs {
        0 => Some(Category::None),
        1 => None,
        _ => Some(Category::Case),
    }
}

const MAX_CHARS: usize = 3_000;
/// Folders of the corpus and how many mails of each are trained on.
const BOXES: &[(&str, usize)] = &[
    ("easy-ham-1", 700),
    ("easy-ham-2", 300),
    ("hard-ham-1", 125),
    ("spam-1", 250),
    ("spam-2", 250),
];
const HELP_SIGNS: &[&str] = &[
    "help",
    "problem",
    "error",
    "how do i",
    "how can i",
    "how to",
    "anyone know",
    "any ideas",
    "anybody",
    "anyone",
    "i get",
    "i'm trying",
    "i am trying",
    "tried",
    "doesn't work",
    "not work",
    "thanks",
    "fails",
    "install",
    "newbie",
    "advice",
    "question",
    "what am i",
];
