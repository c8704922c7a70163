// SPDX-License-Identifier: GPL-2.0

//! Settings that the packet path reads for each packet.

use core::sync::atomic::AtomicU32;

/// `TC_PRIO_INTERACTIVE` (`include/uapi/linux/pkt_sched.h`).
const TC_PRIO_INTERACTIVE: u32 = 6;

/// The `skb->priority` of packets of class `high`.
pub(crate) static PRIORITY_HIGH: AtomicU32 = AtomicU32::new(TC_PRIO_INTERACTIVE);
