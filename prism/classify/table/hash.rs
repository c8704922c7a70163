// SPDX-License-Identifier: GPL-2.0

//! A keyed hash of masked words.
//!
//! It is the multilinear family of Carter and Wegman over 32-bit characters: the upper half of
//! `salt + sum(factor[i] * character[i])` modulo 2^64, with random 64-bit salt and factors. Any two
//! keys collide with the probability of chance, whoever chose them, and words that a mask clears
//! drop out of the sum. See D. Lemire and O. Kaser, "Strongly universal string hashing is fast".

use super::super::flow::Words;

/// The random part of a table's hash, and the number of values that it takes.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// For the lower and the upper half of each word.
    factors: [[u64; 2]; Words::COUNT],
    range: u32,
}

impl Key {
    /// A key from `random` for a table of `range` home slots.
    pub(super) fn new(random: &mut Random, range: u32) -> Self {
        Self {
            factors: [(); Words::COUNT].map(|()| [random.next(), random.next()]),
            range,
        }
    }

    /// The hash of the first `used` words under `mask`.
    #[inline]
    pub(super) fn hash(&self, salt: u64, words: &Words, mask: &Words, used: usize) -> u32 {
        let masked = words.0.iter().zip(&mask.0).map(|(word, mask)| word & mask);
        let sum = masked
            .zip(&self.factors)
            .take(used)
            .fold(salt, |sum, (word, [lower, upper])| {
                sum.wrapping_add(lower.wrapping_mul(word & u64::from(u32::MAX)))
                    .wrapping_add(upper.wrapping_mul(word >> 32))
            });

        (sum >> 32) as u32
    }

    /// The slot at which the search for `hash` starts.
    #[inline]
    pub(super) fn home(&self, hash: u32) -> usize {
        // Scales the hash down to the range: the product's upper half is less than `range`.
        (u64::from(hash).wrapping_mul(self.range.into()) >> 32) as usize
    }
}

/// A sequence of random numbers from one: SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);

        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
