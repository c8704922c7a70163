// SPDX-License-Identifier: GPL-2.0

//! A histogram of times, each known to less than one per cent.

use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};

/// Buckets of each power of two: 2^7.
const BITS: u32 = 7;
const STEPS: usize = 1 << BITS;
/// Times of 2^36 ns (a minute) and more are counted as that.
const POWERS: usize = 36 - BITS as usize;

/// The number of buckets.
pub const BUCKETS: usize = STEPS * (POWERS + 1);

/// The bucket that counts `time`. Times below 256 ns have one each.
pub fn bucket(time: u64) -> usize {
    let power = (time | 1).ilog2().saturating_sub(BITS);
    let step = (time >> power) as usize;

    (power as usize * STEPS + step).min(BUCKETS - 1)
}

/// The lowest time that `bucket` counts.
pub fn lowest(bucket: usize) -> u64 {
    let power = (bucket / STEPS).saturating_sub(1);

    ((bucket - power * STEPS) as u64) << power
}

/// Counts `time` in `buckets`.
pub fn count(buckets: &[AtomicU32], time: u64) {
    if let Some(bucket) = buckets.get(bucket(time)) {
        bucket.fetch_add(1, Ordering::Relaxed);
    }
}
