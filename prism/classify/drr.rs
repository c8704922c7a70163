// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is: deficit round robin (Shreedhar and Varghese, 1995) among a few queues.
//!
//! What is shared is the time of a CPU, so that a packet costs its bytes and [`PACKET_COST`] for the
//! way that it takes whatever its size is. A queue may spend more than it has by one packet, which it
//! earns in its next rounds, so that nobody need know the first packet of a queue to tell whose turn
//! it is.
//!
//! # Guarantee
//!
//! Queues that are never empty share in proportion to their weights: between any two moments, what a
//! queue has spent differs from its share by at most a round and a packet.

/// What a packet costs beside its bytes, in bytes.
pub const PACKET_COST: u32 = 2048;

/// What a queue of weight one earns in a round, in bytes.
const ROUND: i64 = PACKET_COST as i64;

/// The highest weight.
pub const WEIGHT_MAX: u32 = 1000;

/// Shares turns among `N` queues.
#[derive(Clone, Debug)]
pub struct Drr<const N: usize> {
    /// What each queue may still spend in its turn; below zero where it spent too much.
    credit: [i64; N],
    /// The queue whose turn it is.
    current: usize,
    /// Whether something waits in that queue only: then it spends nothing.
    is_alone: bool,
}

impl<const N: usize> Default for Drr<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drr<N> {
    /// Nobody has earned anything.
    pub const fn new() -> Self {
        Self {
            credit: [0; N],
            current: 0,
            is_alone: true,
        }
    }

    /// The queue to serve next, among those of which `waits` says that something waits there. `None`
    /// where nothing does. A `weight` of zero counts as one.
    #[inline]
    pub fn next(
        &mut self,
        waits: impl Fn(usize) -> bool,
        weight: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        let mut waiting = (0..N).filter(|&queue| waits(queue));
        let first = waiting.next()?;

        self.is_alone = waiting.next().is_none();
        if self.is_alone {
            // It starts even with those that come.
            self.credit = [0; N];
            self.current = first;
            return Some(first);
        }
        drop(waiting);
        Some(self.choose(waits, weight))
    }

    /// Whether something waited in one queue only when [`next`](Self::next) was last called.
    #[inline]
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// The same where something waits.
    fn choose(&mut self, waits: impl Fn(usize) -> bool, weight: impl Fn(usize) -> u32) -> usize {
        loop {
            let queue = self.current;
            if let Some(credit) = self.credit.get_mut(queue) {
                if !waits(queue) {
                    // Who has nothing to serve saves nothing.
                    *credit = 0;
                } else if *credit > 0 {
                    return queue;
                }
            }

            self.current = match queue.saturating_add(1) {
                next if next < N => next,
                _ => 0,
            };
            if let Some(credit) = self.credit.get_mut(self.current) {
                let earned = i64::from(weight(self.current).clamp(1, WEIGHT_MAX));

                *credit = credit.saturating_add(earned.saturating_mul(ROUND));
            }
        }
    }

    /// Takes note that a packet of `bytes` was served from `queue`.
    #[inline]
    pub fn spend(&mut self, queue: usize, bytes: u32) {
        if self.is_alone {
            return;
        }
        if let Some(credit) = self.credit.get_mut(queue) {
            *credit = credit.saturating_sub(i64::from(bytes.saturating_add(PACKET_COST)));
        }
    }
}
