//! Finding words in text of any language, without allocation for each word.

/// Tells whether the lower-cased text contains a lower-cased word or phrase as a whole.
///
/// Borders are only asked for where the phrase begins or ends with a letter of an alphabet that
/// separates words; Japanese and Chinese do not.
pub(crate) fn has_phrase(text: &str, phrase: &str) -> bool {
    find_phrase(text, phrase).is_some()
}

/// Returns where the phrase begins.
pub(crate) fn find_phrase(text: &str, phrase: &str) -> Option<usize> {
    if phrase.is_empty() {
        return None;
    }
    let found = text.match_indices(phrase);
    found.map(|(at, _)| at).find(|&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        is_border(before, phrase.chars().next()) && is_border(phrase.chars().next_back(), after)
    })
}

/// Returns the first of the phrases that the text contains.
pub(crate) fn first_phrase<'a>(
    text: &str,
    phrases: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    phrases.into_iter().find(|phrase| has_phrase(text, phrase))
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
        }
    }

    #[test]
    fn cutting_keeps_characters_whole() {
        assert_eq!(cut("aé😀b", 3), "aé😀");
        assert_eq!(cut_bytes("aé😀b", 4), "aé");
    }
}
