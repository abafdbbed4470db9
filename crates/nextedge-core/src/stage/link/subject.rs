//! Subjects without the marks of answers and forwards.

/// Returns the subject without answer and forward marks, lower-cased, with single spaces.
///
/// ```
/// use nextedge_core::stage::link::normalised_subject;
///
/// assert_eq!(normalised_subject("AW: Re[2]:  FW: Invoice  4711"), "invoice 4711");
/// ```
pub fn normalised_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    for _ in 0..MAX_MARKS {
        match without_mark(rest) {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    let words: Vec<String> = rest.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

fn without_mark(subject: &str) -> Option<&str> {
    let (mark, rest) = subject.split_once([':', '：'])?;
    // "Re[2]" and "Re(3)" count answers.
    let name = mark.split(['[', '(']).next().unwrap_or_default().trim();
    let known = MARKS.iter().any(|known| name.to_lowercase() == *known);
    known.then(|| rest.trim_start())
}

/// A subject made of marks costs at most this many steps.
const MAX_MARKS: usize = 20;

const MARKS: &[&str] = &[
    "re", "aw", "antw", "antwort", "sv", "vs", "ref", "rif", "r", "res", "rép", "ré", "odp", "ynt",
    "ha", "fw", "fwd", "wg", "tr", "rv", "enc", "i", "doorst", "vb", "vl", "pd", "回复", "答复",
    "转发", "返信", "転送", "resp",
];
