//! A seeded generator: the same seed makes the same world and the same kills.

/// `SplitMix64`: small, fast, and good enough to choose among cases.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A stream of its own for each purpose of a seed.
    pub(crate) fn of(seed: u64, purpose: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// A size or position from `low` to `high`, both included.
    pub(crate) fn size(&mut self, low: usize, high: usize) -> usize {
        usize::try_from(self.from(low as u64, high as u64)).unwrap_or(low)
    }

    /// Whether something that happens in `percent` of 100 cases happens.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.from(1, 100) <= percent
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let place = self.size(0, of.len() - 1);
        &of[place]
    }
}
