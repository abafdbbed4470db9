//! Subjects as linking compares them.

/// Removes reply and forward marks and bracket tags from the front, however often they repeat.
///
/// Ticket numbers in brackets stay: they are what tells two subjects apart. Letters are
/// lower-cased, white space is folded.
///
/// ```
/// use nextedge_core::mail::normalise_subject;
///
/// assert_eq!(normalise_subject("AW: [extern] Re[2]: Angebot  4711"), "angebot 4711");
/// assert_eq!(normalise_subject("Re: [#4711] Pumpe"), "[#4711] pumpe");
/// ```
pub fn normalise_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        let next = without_mark(rest)
            .or_else(|| without_tag(rest))
            .or_else(|| rest.strip_suffix("(fwd)").map(str::trim_end));
        match next {
            Some(shorter) => rest = shorter.trim(),
            None => break,
        }
    }
    rest.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// Tells whether the subject says that the mail forwards another.
pub(crate) fn is_forward(subject: &str) -> bool {
    let mut rest = subject.trim();
    while let Some(shorter) = without_tag(rest) {
        rest = shorter.trim();
    }
    mark_of(rest).is_some_and(|(mark, _)| FORWARD_MARKS.contains(&mark.as_str()))
}

fn without_mark(subject: &str) -> Option<&str> {
    mark_of(subject).and_then(|(mark, rest)| {
        let known = REPLY_MARKS.contains(&mark.as_str()) || FORWARD_MARKS.contains(&mark.as_str());
        known.then_some(rest)
    })
}

/// Splits `Re[2]:` or `回复：` into the lower-case mark and the rest.
fn mark_of(subject: &str) -> Option<(String, &str)> {
    let (at, colon) = subject
        .char_indices()
        .take(MAX_MARK_CHARS)
        .find(|(_, c)| matches!(c, ':' | '：'))?;
    let mark = subject[..at].trim();
    let mark = mark
        .split(['[', '(', '*', '^'])
        .next()
        .unwrap_or_default()
        .trim();
    Some((mark.to_lowercase(), &subject[at + colon.len_utf8()..]))
}

/// Removes a bracket tag that holds no digit, such as `[extern]` or a list's name.
fn without_tag(subject: &str) -> Option<&str> {
    let (tag, rest) = subject.strip_prefix('[')?.split_once(']')?;
    let plain = tag.len() <= 60 && !tag.contains('[') && !tag.chars().any(char::is_numeric);
    (plain && !rest.trim().is_empty()).then_some(rest)
}

/// Reply marks as mailers write them, lower case.
const REPLY_MARKS: &[&str] = &[
    "re",
    "aw",
    "antw",
    "antwort",
    "sv",
    "vs",
    "rif",
    "r",
    "res",
    "resp",
    "odp",
    "ynt",
    "ref",
    "réf",
    "réponse",
    "respuesta",
    "risposta",
    "resposta",
    "bls",
    "atb",
    "vá",
    "απ",
    "σχετ",
    "回复",
    "回覆",
    "答复",
    "返信",
    "re返信",
    "отв",
    "відп",
    "הנדון",
    "رد",
    "답장",
    "회신",
];

/// Forward marks as mailers write them, lower case.
const FORWARD_MARKS: &[&str] = &[
    "fw",
    "fwd",
    "wg",
    "tr",
    "rv",
    "i",
    "enc",
    "vl",
    "doorst",
    "pd",
    "vb",
    "vs fwd",
    "reenv",
    "inoltro",
    "inoltrato",
    "weitergeleitet",
    "转发",
    "轉寄",
    "転送",
    "пересл",
    "전달",
    "fs",
];

const MAX_MARK_CHARS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_tags_go_and_numbers_stay() {
        for (subject, normal) in [
            ("Re: Offer", "offer"),
            ("RE: AW: WG: Offer", "offer"),
            ("Re[3]: Fwd: offer", "offer"),
            ("Re (2): offer", "offer"),
            ("回复：报价", "报价"),
            ("[sales] Re: [EXTERNAL] Offer", "offer"),
            ("Re: [Ticket 4711] Offer", "[ticket 4711] offer"),
            ("Offer: pumps", "offer: pumps"),
            ("Reference: 12", "reference: 12"),
            ("[only tag]", "[only tag]"),
            ("Offer (fwd)", "offer"),
            ("  a \t b ", "a b"),
            ("Re:", ""),
            ("", ""),
        ] {
            assert_eq!(normalise_subject(subject), normal, "{subject}");
        }
    }

    #[test]
    fn forwards_are_told_by_their_mark() {
        for (subject, forward) in [
            ("WG: x", true),
            ("[extern] Fwd: x", true),
            ("Re: Fwd: x", false),
            ("x Fwd: y", false),
        ] {
            assert_eq!(is_forward(subject), forward, "{subject}");
        }
    }
}
