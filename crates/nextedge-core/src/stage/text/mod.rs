//! Finding words in text of any language, in one pass and without allocation for each word.

mod phrases;

pub(crate) use self::phrases::PhraseSet;

/// Subject and text in the one form that all cues are searched in: lower-cased, single spaces.
///
/// Made once for each mail, since folding costs as much as searching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded(String);

impl Folded {
    /// Folds a subject and the beginning of a text; a line break stands between them.
    pub(crate) fn of(subject: &str, text: &str) -> Self {
        let mut folded =
            String::with_capacity(subject.len() + text.len().min(MAX_FOLDED_BYTES) + 1);
        fold_into(&mut folded, cut_bytes(subject, MAX_SUBJECT_BYTES));
        folded.push('\n');
        fold_into(&mut folded, cut_bytes(text, MAX_FOLDED_BYTES));
        Self(folded)
    }

    /// Returns both texts, the subject before the first line break.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the folded subject.
    pub(crate) fn subject(&self) -> &str {
        self.0.split('\n').next().unwrap_or_default()
    }

    /// Returns the folded text.
    pub(crate) fn text(&self) -> &str {
        self.0.split_once('\n').map_or("", |(_, text)| text)
    }
}

/// Lower-cases and joins words with single spaces.
pub(crate) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text);
    folded
}

fn fold_into(folded: &mut String, text: &str) {
    let start = folded.len();
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && folded.len() > start {
            folded.push(' ');
        }
        gap = false;
        match c {
            // Mailers write both for the same word.
            '\u{2019}' | '\u{2018}' => folded.push('\''),
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            c => folded.extend(c.to_lowercase()),
        }
    }
}

/// Tells whether a folded text contains a folded word or phrase as a whole.
///
/// Borders are only asked for where the phrase begins or ends with a letter of an alphabet that
/// separates words; Japanese and Chinese do not.
pub(crate) fn has_phrase(text: &str, phrase: &str) -> bool {
    if phrase.is_empty() {
        return false;
    }
    text.match_indices(phrase)
        .any(|(at, _)| stands_alone(text, at, phrase.len()))
}

/// Returns the first of the phrases that the text contains.
pub(crate) fn first_phrase<'a>(
    text: &str,
    phrases: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    phrases.into_iter().find(|phrase| has_phrase(text, phrase))
}

/// Tells whether a part of a text is not the middle of a longer word.
fn stands_alone(text: &str, at: usize, length: usize) -> bool {
    let (before, rest) = text.split_at(at);
    let (part, after) = rest.split_at(length);
    is_border(before.chars().next_back(), part.chars().next())
        && is_border(part.chars().next_back(), after.chars().next())
}

fn is_border(left: Option<char>, right: Option<char>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => !(joins_words(left) && joins_words(right)),
        _ => true,
    }
}

fn joins_words(c: char) -> bool {
    c.is_alphanumeric() && !matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

/// Cuts a text to a number of characters, at a character border.
pub(crate) fn cut(text: &str, max_chars: usize) -> &str {
    if text.len() <= max_chars {
        return text;
    }
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Cuts a text to a number of bytes, at a character border.
pub(crate) fn cut_bytes(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the last bytes of a text, from a character border on.
pub(crate) fn tail_bytes(text: &str, max_bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(max_bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// Cues stand early; a long log is not searched.
const MAX_FOLDED_BYTES: usize = 16 * 1024;
/// A subject that is searched.
const MAX_SUBJECT_BYTES: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_whole_words_except_where_words_have_no_borders() {
        for (text, phrase, found) in [
            ("the demo is on", "demo", true),
            ("a demolition", "demo", false),
            ("undemo demo", "demo", true),
            ("お見積をお願いします", "見積", true),
            ("größe", "größ", false),
            ("", "demo", false),
            ("demo", "", false),
        ] {
            assert_eq!(has_phrase(text, phrase), found, "{phrase} in {text}");
            let set = PhraseSet::new([(1u8, &[phrase][..])]);
            let hit = set.hits(text).next().is_some();
            assert_eq!(hit, found, "{phrase} in {text} by set");
        }
    }

    #[test]
    fn folding_joins_words_and_keeps_subject_and_text_apart() {
        let folded = Folded::of(" Über\tAlles ", "A\r\n\r\n  b’s\u{a0}C ");
        assert_eq!(folded.as_str(), "über alles\na b's c");
        assert_eq!((folded.subject(), folded.text()), ("über alles", "a b's c"));
    }

    #[test]
    fn cutting_keeps_characters_whole() {
        assert_eq!(cut("aé😀b", 3), "aé😀");
        assert_eq!(cut_bytes("aé😀b", 4), "aé");
        assert_eq!(tail_bytes("aé😀b", 4), "b");
        assert_eq!(tail_bytes("aé😀b", 5), "😀b");
    }
}
