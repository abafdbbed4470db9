//! Deterministic mutations: the same seed and number always make the same bytes.

/// A small generator (xorshift64*); not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or_default()
    }
}

/// Changes a seed in one to eight places; `words` are pieces that steer the reader.
pub fn mutate(seed: &[u8], words: &[&[u8]], number: u64) -> Vec<u8> {
    let mut random = Random::new(number.wrapping_add(seed.len() as u64));
    let mut data = seed.to_vec();
    for _ in 0..=random.below(8) {
        change(&mut data, words, &mut random);
    }
    data.truncate(MAX_BYTES);
    data
}

fn change(data: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    let at = random.below(data.len() + 1);
    let len = 1 + random.below(24);
    let end = data.len().min(at + len);
    match random.below(8) {
        0 => flip(data, at, random),
        1 => drop(data.drain(at..end)),
        2 => {
            let piece = data[at..end].to_vec();
            let place = random.below(data.len() + 1);
            data.splice(place..place, piece);
        }
        3 => data.truncate(at.max(1)),
        4 => {
            let piece = data[at..end].repeat(1 + random.below(40));
            data.splice(at..end, piece);
        }
        5 => data
            .splice(at..at, [BYTES[random.below(BYTES.len())]])
            .for_each(drop),
        _ => {
            let word = words
                .get(random.below(words.len()))
                .copied()
                .unwrap_or_default();
            let times = if random.below(10) == 0 {
                1 + random.below(200)
            } else {
                1
            };
            data.splice(at..at, word.repeat(times));
        }
    }
}

fn flip(data: &mut [u8], at: usize, random: &mut Random) {
    let bit = 1_u8 << random.below(8);
    if let Some(byte) = data.get_mut(at) {
        *byte ^= bit;
    }
}

/// Bytes that steer a reader.
const BYTES: &[u8] = b"\0\r\n\t <>&;:\"'\\/=?-_.,@()[]{}%#+*|~\x1b\x7f\x80\xa0\xc2\xe2\xf0\xff";
/// Longest mutation: seeds are small, and size is the corpus's business.
const MAX_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_makes_the_same_bytes_and_another_makes_others() {
        let seed = b"From: a@b.example\r\nSubject: x\r\n\r\nbody";
        let words: &[&[u8]] = &[b"--b\r\n", b"=?"];
        let all: std::collections::BTreeSet<Vec<u8>> =
            (0..200).map(|n| mutate(seed, words, n)).collect();
        assert!(all.len() > 150, "{} different", all.len());
        assert_eq!(mutate(seed, words, 7), mutate(seed, words, 7));
        assert!(all.iter().all(|data| data.len() <= MAX_BYTES));
    }
}
