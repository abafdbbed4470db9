//! Many phrases searched in one pass.

use super::stands_alone;

/// A fixed set of folded phrases, each with a tag.
pub(crate) struct PhraseSet<T> {
    /// For each pair of first bytes the number of its list, counted from 1; 0 if no phrase has it.
    by_pair: Vec<u16>,
    /// The phrases with the same first bytes, longest first.
    lists: Vec<Vec<(&'static str, T)>>,
}

impl<T: Copy> PhraseSet<T> {
    /// Collects phrases of two bytes or more.
    pub(crate) fn new<'t>(lists: impl IntoIterator<Item = (T, &'t [&'static str])>) -> Self {
        let mut set = Self {
            by_pair: vec![0; 1 << 16],
            lists: Vec::new(),
        };
        for (tag, phrases) in lists {
            for phrase in phrases.iter().filter(|phrase| phrase.len() >= 2) {
                set.add(phrase, tag);
            }
        }
        for phrases in &mut set.lists {
            phrases.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
        }
        set
    }

    fn add(&mut self, phrase: &'static str, tag: T) {
        let number = &mut self.by_pair[usize::from(pair(phrase.as_bytes(), 0))];
        if *number == 0 {
            self.lists.push(Vec::new());
            // At most as many lists as pairs, and the pairs of text are far fewer.
            *number = u16::try_from(self.lists.len()).unwrap_or(u16::MAX);
        }
        if let Some(list) = self.lists.get_mut(usize::from(*number) - 1) {
            list.push((phrase, tag));
        }
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
            !inside_word && self.by_pair[usize::from(pair(bytes, at))] != 0
        })
    }

    fn at(&self, text: &str, start: usize) -> Option<(&'static str, T)> {
        let rest = text.get(start..)?;
        let number = self.by_pair[usize::from(pair(rest.as_bytes(), 0))];
        let phrases = self.lists.get(usize::from(number) - 1)?;
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
