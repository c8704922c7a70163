// SPDX-License-Identifier: GPL-2.0

//! When the packets of a flow arrive.

use super::flow::{
    Flow,
    Process, //
};

/// The times at which packets of a flow arrive, in ns from the start of the traffic, in order.
pub struct Arrivals {
    process: Process,
    random: Random,
    /// The mean distance between bursts, in units of 2^-16 ns.
    gap: u64,
    burst: u32,
    /// How many of the burst at `now` are yet to come.
    left: u32,
    /// Likewise in units of 2^-16 ns.
    now: u64,
    end: u64,
}

impl Arrivals {
    /// The arrivals of `flow` within `duration_ms`.
    pub fn new(flow: &Flow, duration_ms: u32) -> Self {
        let gap = (u64::from(flow.burst) * 1_000_000_000) << 16;
        let mut arrivals = Self {
            process: flow.process,
            random: Random(flow.seed),
            gap: gap / u64::from(flow.rate.max(1)),
            burst: flow.burst,
            left: flow.burst,
            now: ms(flow.from_ms),
            end: ms(flow.to_ms.min(duration_ms)),
        };

        // Regular flows do not all start in the same nanosecond.
        let offset = arrivals
            .random
            .next()
            .checked_rem(arrivals.gap)
            .unwrap_or(0);
        arrivals.now = arrivals.now.saturating_add(offset);
        arrivals
    }

    fn next_gap(&mut self) -> u64 {
        match self.process {
            Process::Regular => self.gap,
            Process::Random => {
                let product = u128::from(self.gap) * u128::from(self.random.exponential());

                (product >> 16) as u64
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.left == 0 {
            let gap = self.next_gap();

            self.now = self.now.saturating_add(gap);
            self.left = self.burst;
        }
        if self.now >= self.end {
            return None;
        }
        self.left = self.left.saturating_sub(1);
        Some(self.now >> 16)
    }
}

fn ms(ms: u32) -> u64 {
    // A traffic lasts for hours at most: 2^48 ns are three days.
    u64::from(ms).saturating_mul(1_000_000 << 16)
}

/// A sequence of random numbers from one: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);

        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An exponentially distributed number with a mean of 1, in units of 2^-16: minus the natural
    /// logarithm of a uniform one.
    fn exponential(&mut self) -> u64 {
        /// ln 2, in units of 2^-16.
        const LN_2: u64 = 45_426;
        let uniform = self.next() | 1;

        // The binary logarithm: its whole part, then a bit of its fraction for each squaring.
        let shift = uniform.leading_zeros();
        let mut mantissa = (uniform << shift) >> 32;
        let mut fraction = 0;
        for _ in 0..16 {
            mantissa = (mantissa * mantissa) >> 31;
            fraction <<= 1;
            if mantissa >> 32 != 0 {
                fraction |= 1;
                mantissa >>= 1;
            }
        }
        let log2 = (u64::from(63 - shift) << 16) | fraction;
        (((64 << 16) - log2) * LN_2) >> 16
    }
}
