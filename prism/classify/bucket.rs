// SPDX-License-Identifier: GPL-2.0

//! A token bucket in packets per second that all CPUs share.
//!
//! The shared [`Bucket`] is one word, moved forward by virtual scheduling (the Generic Cell Rate
//! Algorithm, ITU-T I.371 annex A). A CPU takes tokens from it in batches that it keeps in its
//! [`Local`], so that the shared word is not written for each packet. Tokens that a CPU does not use
//! are lost to the others, hence a batch is an eighth of what the CPU used lately.
//!
//! # Guarantee
//!
//! In any interval of `t` seconds, on all CPUs together, at most `rate * t + burst` packets are
//! admitted, where the burst is what the rate gives in [`BURST_NS`], or [`BURST_MIN`] if that is more.
//! It holds while the rate stays the same and all CPUs read the same clock.

use core::{
    num::NonZeroU64,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    }, //
};

use super::rule::Rate;

/// The burst in time, in ns.
pub const BURST_NS: u64 = 10_000_000;
/// The least burst, in packets.
pub const BURST_MIN: u64 = 16;

/// How long a CPU may keep tokens, in ns. What it keeps is part of the burst.
const KEEP_NS: u64 = 1_000_000;
/// How long it is seen what a CPU uses, in ns: so long that it uses a batch up before that expires.
const PERIOD_NS: u64 = 1_000_000;
/// The largest batch.
const BATCH_MAX: u64 = 64;
/// The number of batches into which what a CPU used in a period is divided.
const BATCHES: u64 = 8;
/// How often a batch is tried to be taken when other CPUs are faster.
const TRIES: u32 = 8;

const NS_PER_SEC: u64 = 1_000_000_000;
const KEEPS_PER_SEC: u64 = NS_PER_SEC / KEEP_NS;

/// The part of a token bucket that all CPUs share. A new one is full.
#[derive(Debug, Default)]
pub struct Bucket {
    /// The time in ns by which all tokens taken so far are earned: I.371's theoretical arrival time.
    earned: AtomicU64,
}

/// The part of a token bucket that one CPU keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local {
    /// Tokens left of the last batch.
    tokens: u64,
    /// The time in ns at which they expire.
    expires: u64,
    /// The time in ns at which a new period of use starts.
    period_end: u64,
    /// Tokens used in this period.
    used: u64,
    /// The size of a batch in this period.
    batch: u64,
}

impl Bucket {
    /// A full bucket.
    pub const fn new() -> Self {
        Self {
            earned: AtomicU64::new(0),
        }
    }

    /// Fills it: tokens that were taken at another rate may be earned only long after.
    pub fn fill(&self) {
        self.earned.store(0, Ordering::Relaxed);
    }

    /// Takes the token for one packet at the time `now` in ns; `false` where `rate` is exceeded.
    ///
    /// `local` is this CPU's own, and goes with this bucket. After a change of the rate, tokens that
    /// CPUs keep are used for up to a millisecond.
    #[inline]
    pub fn take(&self, local: &mut Local, rate: Rate, now: u64) -> bool {
        match NonZeroU64::new(rate.get().into()) {
            Some(rate) => local.spend(now) || self.refill(local, rate, now),
            None => true,
        }
    }

    /// Takes a batch of tokens, and of these one for a packet.
    fn refill(&self, local: &mut Local, rate: NonZeroU64, now: u64) -> bool {
        let most = batch_max(rate);
        local.drop_expired();
        if now >= local.period_end {
            local.start_period(now);
        }

        let batch = local.batch.min(most).max(1);
        let is_taken = self.advance(time_of(batch, rate), depth(rate), now);
        if is_taken {
            local.keep(batch, now);
        }
        is_taken
    }

    /// Moves the bucket forward by `cost` ns, unless it is then more than `depth` ns ahead of `now`.
    fn advance(&self, cost: u64, depth: u64, now: u64) -> bool {
        let limit = now.saturating_add(depth);
        let mut earned = self.earned.load(Ordering::Relaxed);

        for _ in 0..TRIES {
            let next = match earned.max(now).checked_add(cost) {
                Some(next) if next <= limit => next,
                _ => return false,
            };
            match self.earned.compare_exchange_weak(
                earned,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(other) => earned = other,
            }
        }
        false
    }
}

impl Local {
    /// Uses a token that was kept, if one has not expired.
    #[inline]
    fn spend(&mut self, now: u64) -> bool {
        if self.tokens == 0 || now >= self.expires {
            return false;
        }
        self.tokens = self.tokens.wrapping_sub(1);
        true
    }

    /// Drops tokens that were kept too long, which were not used then.
    fn drop_expired(&mut self) {
        self.used = self.used.saturating_sub(self.tokens);
        self.tokens = 0;
    }

    /// Sizes the batches of a new period by what was used in the last one.
    fn start_period(&mut self, now: u64) {
        self.batch = self.used / BATCHES;
        self.used = 0;
        self.period_end = now.saturating_add(PERIOD_NS);
    }

    /// Keeps a batch, less the token that is used at once.
    fn keep(&mut self, batch: u64, now: u64) {
        self.tokens = batch.saturating_sub(1);
        self.expires = now.saturating_add(KEEP_NS);
        self.used = self.used.saturating_add(batch);
    }
}

/// The largest batch at `rate`: no more than the rate earns while tokens may be kept.
fn batch_max(rate: NonZeroU64) -> u64 {
    (rate.get() / KEEPS_PER_SEC).clamp(1, BATCH_MAX)
}

/// How many ns it takes to earn `tokens`, rounded up.
fn time_of(tokens: u64, rate: NonZeroU64) -> u64 {
    tokens
        .saturating_mul(NS_PER_SEC)
        .saturating_add(rate.get().wrapping_sub(1))
        / rate
}

/// How many ns a bucket may be ahead of the time: the burst, less what CPUs may keep besides.
fn depth(rate: NonZeroU64) -> u64 {
    let burst = BURST_NS.max(BURST_MIN.saturating_mul(NS_PER_SEC) / rate);

    match batch_max(rate) {
        1 => burst,
        _ => burst.saturating_sub(KEEP_NS),
    }
}
