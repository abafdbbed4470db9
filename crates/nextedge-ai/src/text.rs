//! Cuts mail text into normalised words that remember where they stood.
//!
//! A *token* is one normalised word: lower case, Latin accents folded, numbers, addresses and
//! links replaced by one mark each, so that the model learns "a number stood here" and never a
//! particular person's number. Each token keeps its byte span in the original text.

use std::ops::Range;

/// The part of a mail a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a mail has these two texts and no third"
)]
pub enum Field {
    /// The subject line.
    Subject,
    /// The text the sender wrote, without quoted history.
    Body,
}

/// One normalised word and its place in the original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    norm: Range<usize>,
    span: Range<usize>,
    field: Field,
}

impl Token {
    /// Byte range of the word in the original subject or body.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The text the span points into.
    #[must_use]
    pub fn field(&self) -> Field {
        self.field
    }
}

/// The tokens of one mail in reading order, subject first.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    text: String,
    list: Vec<Token>,
}

impl Tokens {
    /// Cuts a subject and a body, at most [`MAX_SUBJECT_TOKENS`] and [`MAX_BODY_TOKENS`] words.
    #[must_use]
    pub fn of(subject: &str, body: &str) -> Self {
        let mut tokens = Self {
            text: String::with_capacity(subject.len() + body.len().min(8_192)),
            list: Vec::with_capacity(128),
        };
        tokens.cut(subject, Field::Subject, MAX_SUBJECT_TOKENS);
        let limit = tokens.list.len() + MAX_BODY_TOKENS;
        tokens.cut(body, Field::Body, limit);
        tokens
    }

    /// The tokens in reading order.
    #[must_use]
    pub fn list(&self) -> &[Token] {
        &self.list
    }

    /// The normalised word of a token of this mail.
    #[must_use]
    pub fn norm(&self, token: &Token) -> &str {
        self.text.get(token.norm.clone()).unwrap_or_default()
    }

    fn cut(&mut self, text: &str, field: Field, limit: usize) {
        let mut start = None;
        for (at, c) in text.char_indices() {
            match (c.is_whitespace(), start) {
                (true, Some(from)) => {
                    self.chunk(text, from..at, field);
                    start = None;
                    if self.list.len() >= limit {
                        self.list.truncate(limit);
                        return;
                    }
                }
                (false, None) => start = Some(at),
                _ => {}
            }
        }
        if let Some(from) = start {
            self.chunk(text, from..text.len(), field);
        }
        self.list.truncate(limit);
    }

    fn chunk(&mut self, text: &str, at: Range<usize>, field: Field) {
        let chunk = &text[at.clone()];
        if chunk.contains("://") || chunk.starts_with("www.") {
            return self.mark(MARK_LINK, at, field);
        }
        if chunk
            .find('@')
            .is_some_and(|i| i > 0 && chunk[i..].contains('.'))
        {
            return self.mark(MARK_ADDRESS, at, field);
        }
        let mut word: Option<usize> = None;
        for (offset, c) in chunk.char_indices() {
            let here = at.start + offset;
            if is_ideograph(c) {
                self.word(text, word.take(), here, field);
                self.word(text, Some(here), here + c.len_utf8(), field);
            } else if c.is_alphanumeric() {
                word.get_or_insert(here);
            } else if !matches!(c, '\'' | '’') || word.is_none() {
                self.word(text, word.take(), here, field);
                if let Some(mark) = punctuation(c) {
                    self.mark(mark, here..here + c.len_utf8(), field);
                }
            }
        }
        self.word(text, word, at.end, field);
    }

    fn word(&mut self, text: &str, from: Option<usize>, to: usize, field: Field) {
        let Some(from) = from else { return };
        let word = text[from..to].trim_end_matches(['\'', '’']);
        let span = from..from + word.len();
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if digits > 0 {
            let mark = if digits == word.len() {
                MARK_NUMBER
            } else {
                MARK_REFERENCE
            };
            return self.mark(mark, span, field);
        }
        let begin = self.text.len();
        for c in word.chars().take(MAX_WORD_CHARS) {
            fold(c, &mut self.text);
        }
        let norm = begin..self.text.len();
        if !norm.is_empty() {
            self.list.push(Token { norm, span, field });
        }
    }

    fn mark(&mut self, mark: &str, span: Range<usize>, field: Field) {
        let begin = self.text.len();
        self.text.push_str(mark);
        let norm = begin..self.text.len();
        self.list.push(Token { norm, span, field });
    }
}

/// Normalises a single word or phrase the way mail text is normalised.
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        fold(c, &mut out);
    }
    out
}

fn fold(c: char, out: &mut String) {
    if c.is_ascii() {
        if c != '\'' {
            out.push(c.to_ascii_lowercase());
        }
        return;
    }
    for l in c.to_lowercase() {
        match l {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' => out.push('a'),
            'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => out.push('e'),
            'ì' | 'í' | 'î' | 'ï' => out.push('i'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => out.push('o'),
            'ù' | 'ú' | 'û' | 'ü' | 'ů' => out.push('u'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'ñ' | 'ń' => out.push('n'),
            'š' | 'ś' => out.push('s'),
            'ž' | 'ź' | 'ż' => out.push('z'),
            'ý' | 'ÿ' => out.push('y'),
            'ł' => out.push('l'),
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            '’' | '\u{300}'..='\u{36f}' => {}
            other => out.push(other),
        }
    }
}

fn punctuation(c: char) -> Option<&'static str> {
    match c {
        '?' | '？' => Some("?"),
        '!' | '！' => Some("!"),
        '%' => Some("%"),
        '$' | '€' | '£' | '¥' => Some(MARK_MONEY),
        _ => None,
    }
}

/// Scripts written without spaces: each character is a word of its own.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// Words of a subject that are read; the rest is ignored.
pub const MAX_SUBJECT_TOKENS: usize = 40;
/// Words of a body that are read; the rest is ignored, so that time per mail is bounded.
pub const MAX_BODY_TOKENS: usize = 400;
const MAX_WORD_CHARS: usize = 24;
const MARK_LINK: &str = "<link>";
const MARK_ADDRESS: &str = "<address>";
const MARK_NUMBER: &str = "<number>";
const MARK_REFERENCE: &str = "<reference>";
const MARK_MONEY: &str = "<money>";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(subject: &str, body: &str) -> Vec<String> {
        let tokens = Tokens::of(subject, body);
        tokens
            .list()
            .iter()
            .map(|t| tokens.norm(t).to_owned())
            .collect()
    }

    #[test]
    fn words_are_folded_and_private_values_become_marks() {
        let cases: [(&str, &[&str]); 6] = [
            ("Größe, ÇA va?", &["grosse", "ca", "va", "?"]),
            ("don't won’t", &["dont", "wont"]),
            (
                "mail me@a.example or www.a.example",
                &["mail", "<address>", "or", "<link>"],
            ),
            (
                "order 2041444 ref A-71954",
                &["order", "<number>", "ref", "a", "<number>"],
            ),
            (
                "Q77263 costs €20",
                &["<reference>", "costs", "<money>", "<number>"],
            ),
            ("見積り", &["見", "積", "り"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words("", text), expected, "{text}");
        }
    }

    #[test]
    fn spans_point_at_the_original_words() {
        let body = "Können Sie helfen? Größe 5";
        let tokens = Tokens::of("Störung!", body);
        let originals: Vec<&str> = tokens
            .list()
            .iter()
            .filter(|t| t.field() == Field::Body)
            .map(|t| &body[t.span()])
            .collect();
        assert_eq!(originals, ["Können", "Sie", "helfen", "?", "Größe", "5"]);
    }

    #[test]
    fn long_text_is_cut_at_the_documented_limit() {
        let long = "word ".repeat(MAX_BODY_TOKENS * 3);
        let tokens = Tokens::of(&long, &long);
        assert_eq!(tokens.list().len(), MAX_SUBJECT_TOKENS + MAX_BODY_TOKENS);
    }
}
