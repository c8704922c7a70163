// SPDX-License-Identifier: GPL-2.0

//! Settings that the packet path reads for each packet.

use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

/// `TC_PRIO_INTERACTIVE` (`include/uapi/linux/pkt_sched.h`).
const TC_PRIO_INTERACTIVE: u32 = 6;

/// The `skb->priority` of packets of class `high`, if they are given one.
pub(crate) static PRIORITY_HIGH: Priority = Priority::new(TC_PRIO_INTERACTIVE);

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
