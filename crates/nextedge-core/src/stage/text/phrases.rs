//! Many phrases searched in one pass.

use std::collections::HashMap;

use super::stands_alone;

/// A fixed set of folded phrases, each with a tag.
pub(crate) struct PhraseSet<T> {
    /// Which pairs of first bytes any phrase has.
    begins: Vec<bool>,
    /// The phrases by their first byte pair, longest first.
    by_pair: HashMap<u16, Vec<(&'static str, T)>>,
}

impl<T: Copy> PhraseSet<T> {
    /// Collects phrases of two bytes or more.
    pub(crate) fn new<'t>(lists: impl IntoIterator<Item = (T, &'t [&'static str])>) -> Self {
        let mut set = Self {
            begins: vec![false; 1 << 16],
            by_pair: HashMap::new(),
        };
        for (tag, phrases) in lists {
            for phrase in phrases.iter().filter(|phrase| phrase.len() >= 2) {
                let pair = pair(phrase.as_bytes(), 0);
                set.begins[usize::from(pair)] = true;
                set.by_pair.entry(pair).or_default().push((phrase, tag));
            }
        }
        for phrases in set.by_pair.values_mut() {
            phrases.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
        }
        set
    }

    /// Returns the phrases in a folded text from left to right, at each place the longest.
    ///
    /// A phrase inside a longer one is not found: `not urgent` is no `urgent`.
    pub(crate) fn hits<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (&'static str, T)> + 'a {
        let mut at = 0;
        std::iter::from_fn(move || {
            while let Some(start) = self.next_begin(text.as_bytes(), at) {
                if let Some((phrase, tag)) = self.at(text, start) {
                    at = start + phrase.len();
                    return Some((phrase, tag));
                }
                at = start + 1;
            }
            at = text.len();
            None
        })
    }

    /// Finds the next place where a phrase may begin.
    fn next_begin(&self, bytes: &[u8], from: usize) -> Option<usize> {
        (from..bytes.len().saturating_sub(1)).find(|&at| {
            let inside_word = at > 0
                && bytes[at].is_ascii_alphanumeric()
                && bytes[at - 1].is_ascii_alphanumeric();
            !inside_word && self.begins[usize::from(pair(bytes, at))]
        })
    }

    fn at(&self, text: &str, start: usize) -> Option<(&'static str, T)> {
        let rest = text.get(start..)?;
        let phrases = self.by_pair.get(&pair(rest.as_bytes(), 0))?;
        let mut fitting = phrases.iter().filter(|(phrase, _)| {
            rest.starts_with(phrase) && stands_alone(text, start, phrase.len())
        });
        fitting.next().copied()
    }
}

fn pair(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_phrase_wins_and_consumes_what_is_inside_it() {
        let set = PhraseSet::new([
            ('h', &["urgent", "as soon as possible"][..]),
            ('c', &["not urgent"][..]),
        ]);
        let tags = |text| set.hits(text).map(|(_, tag)| tag).collect::<String>();
        assert_eq!(tags("not urgent"), "c");
        assert_eq!(tags("urgent, not urgent urgent"), "hch");
        assert_eq!(tags("it is as soon as possible"), "h");
        assert_eq!(tags("insurgent urgently"), "");
        assert_eq!(tags("u"), "");
        assert_eq!(tags(""), "");
    }
}
