//! Programs made from a seed: the same seed gives the same program on every host and target.
//!
//! Two kinds. [`any`] draws operations freely, so that most programs misuse the API somewhere. [`legal`] draws only
//! what callers may do (`generate/legal.rs`). Judging is not done here; the machine refuses what cannot happen, whatever is
//! generated.

mod legal;

pub use legal::legal;

use super::Program;

/// A small, fast, well-mixed generator (SplitMix64, Steele et al. 2014), so that no crate's version decides a program.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "an endless stream is no iterator worth having")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// True once in `n`.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

/// A program of `length` drawn operations, legal or not.
#[must_use]
pub fn any(seed: u64, length: usize) -> Program {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length * super::bytes::RECORD);
    for _ in 0..length {
        let mut record = (random.next() as u128 | (random.next() as u128) << 64).to_le_bytes();
        // Half of the operations are calls: they are what programs are about.
        if random.one_in(2) {
            record[0] = random.below(4) as u8;
        }
        // Neighbouring pages and small counts make operations meet.
        record[2] &= 15;
        record[3] = 0;
        if !random.one_in(16) {
            record[4] &= 3;
            record[5] = 0;
        }
        bytes.extend_from_slice(&record[..super::bytes::RECORD]);
    }
    super::bytes::decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vectors of SplitMix64: another generator would make other programs of the same seeds.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }
}
