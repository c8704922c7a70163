// SPDX-License-Identifier: GPL-2.0

//! Buckets for times: four for each power of two, so that a bucket is at most a quarter as wide as what
//! it begins with.

/// How many buckets each power of two has, as a power of two.
const SUB_BITS: u32 = 2;

/// The lowest power of two that has as many. What is less has a bucket for each number.
const FIRST_POWER: u32 = SUB_BITS;

/// How many powers of two there are: what is more than the last has its last bucket. In nanoseconds, that
/// is what takes more than a minute.
const POWERS: u32 = 36;

/// How many buckets there are.
pub const BUCKETS: usize = ((POWERS - FIRST_POWER + 1) as usize) << SUB_BITS;

/// The number of the bucket that a value is in.
#[inline]
pub fn bucket(value: u64) -> usize {
    let power = value.checked_ilog2().unwrap_or(0);

    if power < FIRST_POWER {
        return value as usize;
    }
    let above = power.wrapping_sub(FIRST_POWER);
    // The bits below the highest one.
    let sub = value.wrapping_shr(above) as usize & ((1 << SUB_BITS) - 1);
    let first = (above as usize).wrapping_add(1).wrapping_shl(SUB_BITS);

    first.wrapping_add(sub).min(BUCKETS - 1)
}

/// The least value of a bucket. That of one that is not there is where the last ends.
pub fn least(bucket: usize) -> u64 {
    let sub = bucket as u64 & ((1 << SUB_BITS) - 1);

    match (bucket >> SUB_BITS).checked_sub(1) {
        None => sub,
        Some(above) => ((1 << SUB_BITS) | sub).wrapping_shl(above as u32),
    }
}
