// SPDX-License-Identifier: GPL-2.0

//! A keyed hash of masked words.
//!
//! Each word is mixed in by a multiplication with a random factor whose 128-bit product is folded, as
//! in wyhash, so that no key is better than another for who does not know the factor. On 64-bit
//! machines that is one instruction.

use super::super::flow::Words;

/// The random part of a table's hash, and the number of values that it takes.
#[derive(Clone, Copy)]
pub(super) struct Key {
    factor: u64,
    range: u32,
}

impl Key {
    /// A key from `random` for a table of `range` home slots.
    pub(super) fn new(random: &mut Random, range: u32) -> Self {
        Self {
            factor: random.next() | 1,
            range,
        }
    }

    /// The hash of the words under `mask`: of the first two, unless `is_wide`.
    #[inline]
    pub(super) fn hash(&self, salt: u64, words: &Words, mask: &Words, is_wide: bool) -> u32 {
        let mix = |hash, word: &u64, mask: &u64| fold(hash ^ (word & mask), self.factor);
        let [word0, word1, words @ ..] = &words.0;
        let [mask0, mask1, masks @ ..] = &mask.0;
        let mut hash = mix(mix(salt, word0, mask0), word1, mask1);

        if is_wide {
            for (word, mask) in words.iter().zip(masks) {
                hash = mix(hash, word, mask);
            }
        }
        (hash >> 32) as u32
    }

    /// The slot at which the search for `hash` starts.
    #[inline]
    pub(super) fn home(&self, hash: u32) -> usize {
        // Scales the hash down to the range: the product's upper half is less than `range`.
        (u64::from(hash).wrapping_mul(self.range.into()) >> 32) as usize
    }
}

/// The two halves of a product, one over the other.
#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left).wrapping_mul(right.into());

    (product >> 64) as u64 ^ product as u64
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
