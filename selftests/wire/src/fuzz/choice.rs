// SPDX-License-Identifier: GPL-2.0

//! Choices that follow from a seed and a place in the sequence, and from nothing else.

use crate::content::mix;

/// A stream of random numbers.
pub struct Choice(u64);

impl Choice {
    /// The choices for burst `index` of sequence `seed`.
    pub fn new(seed: u64, index: u32) -> Self {
        Self(mix(seed ^ mix(u64::from(index).wrapping_add(1))))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `values`.
    pub fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
