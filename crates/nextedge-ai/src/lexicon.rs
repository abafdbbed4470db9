//! Knows concepts ("asks for a price", "out of office") by their phrases in many languages.
//!
//! The lexicon lets what was learned from English mail help with mail in another language, and
//! gives [`RulesClassifier`](crate::RulesClassifier) its votes. It is a text file compiled in.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

use nextedge_core::Category;

use crate::text::{Token, Tokens, normalise};

/// A concept found at a place of the token list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which concept, as an index for [`Lexicon::concept`].
    pub(crate) concept: u16,
    /// The first token of the phrase.
    pub(crate) first: u32,
    /// How many tokens the phrase has.
    pub(crate) length: u32,
}

/// A concept and how it votes when only rules are left to decide.
#[derive(Debug)]
pub(crate) struct Concept {
    pub(crate) name: &'static str,
    pub(crate) votes: Vec<(Category, f64)>,
}

#[derive(Debug)]
struct Phrase {
    concept: u16,
    words: Vec<Word>,
}

#[derive(Debug)]
enum Word {
    Exact(String),
    Prefix(String),
}

impl Word {
    fn matches(&self, word: &str) -> bool {
        match self {
            Self::Exact(own) => own == word,
            Self::Prefix(own) => word.starts_with(own.as_str()),
        }
    }
}

/// All concepts, indexed by the first word of their phrases.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    concepts: Vec<Concept>,
    phrases: Vec<Phrase>,
    exact: HashMap<String, Vec<u32>, BuildHasherDefault<Fnv>>,
    prefix: HashMap<String, Vec<u32>, BuildHasherDefault<Fnv>>,
}

impl Lexicon {
    /// Returns the compiled-in lexicon, read once.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Lexicon> = OnceLock::new();
        SHARED.get_or_init(|| Self::parse(SOURCE))
    }

    pub(crate) fn concept(&self, index: u16) -> Option<&Concept> {
        self.concepts.get(usize::from(index))
    }

    /// How a concept votes; nothing for an unknown name.
    pub(crate) fn votes(&self, name: &str) -> &[(Category, f64)] {
        self.concepts
            .iter()
            .find(|c| c.name == name)
            .map_or(&[], |c| c.votes.as_slice())
    }

    /// Finds every phrase in the tokens, in reading order.
    pub(crate) fn find(&self, tokens: &Tokens) -> Vec<Found> {
        let mut found = Vec::new();
        for first in 0..tokens.list().len() {
            let word = tokens.norm(&tokens.list()[first]);
            if let Some(candidates) = self.exact.get(word) {
                self.check(tokens, first, candidates, &mut found);
            }
            if let Some(candidates) = prefix_key(word).and_then(|key| self.prefix.get(key)) {
                self.check(tokens, first, candidates, &mut found);
            }
        }
        found
    }

    fn check(&self, tokens: &Tokens, first: usize, candidates: &[u32], found: &mut Vec<Found>) {
        for phrase in candidates
            .iter()
            .filter_map(|i| self.phrases.get(*i as usize))
        {
            let Some(here) = tokens.list().get(first..first + phrase.words.len()) else {
                continue;
            };
            let same_field = here.first().map(Token::field) == here.last().map(Token::field);
            let mut pairs = phrase.words.iter().zip(here);
            if same_field && pairs.all(|(word, token)| word.matches(tokens.norm(token))) {
                found.push(Found {
                    concept: phrase.concept,
                    first: u32::try_from(first).unwrap_or(u32::MAX),
                    length: u32::try_from(phrase.words.len()).unwrap_or(1),
                });
            }
        }
    }

    fn parse(source: &'static str) -> Self {
        let mut lexicon = Self::default();
        for line in source.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some((name, votes)) = line.strip_prefix('[').and_then(|l| l.split_once(']')) {
                let votes = votes.split(',').filter_map(parse_vote).collect();
                lexicon.concepts.push(Concept { name, votes });
                continue;
            }
            let Some(concept) = lexicon.concepts.len().checked_sub(1) else {
                continue;
            };
            let concept = u16::try_from(concept).unwrap_or(u16::MAX);
            for phrase in line.split('|') {
                lexicon.add(concept, phrase);
            }
        }
        lexicon
    }

    fn add(&mut self, concept: u16, phrase: &str) {
        let words: Vec<Word> = phrase.split_whitespace().flat_map(parse_word).collect();
        let index = u32::try_from(self.phrases.len()).unwrap_or(u32::MAX);
        match words.first() {
            Some(Word::Exact(word)) => self.exact.entry(word.clone()).or_default().push(index),
            Some(Word::Prefix(word)) => {
                let Some(key) = prefix_key(word) else { return };
                self.prefix.entry(key.to_owned()).or_default().push(index);
            }
            None => return,
        }
        self.phrases.push(Phrase { concept, words });
    }
}

fn parse_vote(text: &str) -> Option<(Category, f64)> {
    let (category, weight) = text.trim().split_once(' ')?;
    Some((category.parse().ok()?, weight.parse().ok()?))
}

fn parse_word(word: &str) -> Vec<Word> {
    if word.starts_with('<') || word == "%" {
        return vec![Word::Exact(word.to_owned())];
    }
    if let Some(prefix) = word.strip_suffix('*') {
        return vec![Word::Prefix(normalise(prefix))];
    }
    let tokens = Tokens::of(word, "");
    let words = tokens
        .list()
        .iter()
        .map(|t| Word::Exact(tokens.norm(t).to_owned()));
    words.collect()
}

/// The part of a word by which prefixes are indexed: its first three characters.
fn prefix_key(word: &str) -> Option<&str> {
    let (end, c) = word.char_indices().nth(2)?;
    word.get(..end + c.len_utf8())
}

/// FNV-1a, so that look-ups cost little and behave alike everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

const SOURCE: &str = include_str!("../data/lexicon.txt");

#[cfg(test)]
mod tests {
    use super::*;

    fn concepts(subject: &str, body: &str) -> Vec<&'static str> {
        let lexicon = Lexicon::shared();
        let found = lexicon.find(&Tokens::of(subject, body));
        found
            .iter()
            .filter_map(|f| lexicon.concept(f.concept))
            .map(|c| c.name)
            .collect()
    }

    #[test]
    fn phrases_are_found_in_many_languages() {
        let cases = [
            ("Was kostet das?", "price_ask"),
            ("Merci de nous rembourser.", "refund"),
            ("Non funziona più", "broken"),
            ("I am out of the office", "absence"),
            ("見積をお願いします", "price_ask"),
            ("We chose another supplier", "lost"),
            ("Um zu kündigen", "terminate"),
        ];
        for (text, expected) in cases {
            assert!(
                concepts("", text).contains(&expected),
                "{text}: {:?}",
                concepts("", text)
            );
        }
    }

    #[test]
    fn a_phrase_never_spans_subject_and_body() {
        assert!(!concepts("contract", "ends soon").contains(&"renewal"));
        assert!(concepts("contract ends", "soon").contains(&"renewal"));
    }
}
