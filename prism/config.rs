// SPDX-License-Identifier: GPL-2.0

//! Settings that the packet path reads for each packet.

use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering, //
};

use crate::classify::Class;

/// `TC_PRIO_INTERACTIVE` (`include/uapi/linux/pkt_sched.h`).
const TC_PRIO_INTERACTIVE: u32 = 6;

/// The `skb->priority` of packets of class `high`, if they are given one.
pub(crate) static PRIORITY_HIGH: Priority = Priority::new(TC_PRIO_INTERACTIVE);

/// How many waiting packets are served in a turn while classes compete.
pub(crate) static QUANTUM: Number = Number::new(2);
/// How many packets may wait on a CPU.
pub(crate) static LIMIT: Number = Number::new(1000);
/// How many bytes they may have together.
pub(crate) static LIMIT_BYTES: Number = Number::new(4 << 20);
/// For how long classes compete after a packet of class `high`, or after several waited, in microseconds.
pub(crate) static RECENT_US: Number = Number::new(10_000);
/// How many per cent of what a CPU serves may be of class `high` while others wait.
pub(crate) static HIGH_SHARE: Number = Number::new(90);
/// The weights of the classes that wait.
pub(crate) static WEIGHTS: [Number; Class::WAITING] =
    [Number::new(8), Number::new(4), Number::new(1)];

/// A number.
pub(crate) struct Number(AtomicU32);

impl Number {
    const fn new(number: u32) -> Self {
        Self(AtomicU32::new(number))
    }

    /// The number.
    #[inline]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes it.
    pub(crate) fn set(&self, number: u32) {
        self.0.store(number, Ordering::Relaxed);
    }
}

/// A priority, or none: then packets keep theirs.
pub(crate) struct Priority(AtomicU64);

impl Priority {
    /// No `u32`.
    const NONE: u64 = u64::MAX;

    const fn new(priority: u32) -> Self {
        Self(AtomicU64::new(priority as u64))
    }

    /// The priority.
    #[inline]
    pub(crate) fn get(&self) -> Option<u32> {
        u32::try_from(self.0.load(Ordering::Relaxed)).ok()
    }

    /// Changes the priority.
    pub(crate) fn set(&self, priority: Option<u32>) {
        self.0
            .store(priority.map_or(Self::NONE, u64::from), Ordering::Relaxed);
    }
}
