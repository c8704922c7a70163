// SPDX-License-Identifier: GPL-2.0

//! What the receptions of a flow's packets tell together.

use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering, //
};

/// The last packet of a flow, and the newest one.
pub struct Last {
    /// Its arrival; [`u64::MAX`] before the first packet.
    arrival: AtomicU64,
    reception: AtomicU64,
    /// The latest arrival of all packets received.
    newest: AtomicU64,
}

/// What a reception tells that is not the first. All in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// How long ago the last one was.
    pub gap: u64,
    /// By how much the time that this packet took, from its arrival to its reception, differs from that
    /// of the last one (RFC 3550 section 6.4.1).
    pub jitter: u64,
    /// How long ago the newest packet arrived that was there until now: the peak of its age.
    pub age: u64,
}

impl Default for Last {
    fn default() -> Self {
        Self {
            arrival: AtomicU64::new(u64::MAX),
            reception: AtomicU64::new(0),
            newest: AtomicU64::new(0),
        }
    }
}

impl Last {
    /// Notes the reception at `now` of the packet that arrived at `arrival`.
    pub fn receive(&self, arrival: u64, now: u64) -> Option<Since> {
        let last_arrival = self.arrival.swap(arrival, Ordering::Relaxed);
        let last_reception = self.reception.swap(now, Ordering::Relaxed);
        let newest = self.newest.fetch_max(arrival, Ordering::Relaxed);
        if last_arrival == u64::MAX {
            return None;
        }

        let took = |arrival: u64, reception: u64| reception.saturating_sub(arrival);
        Some(Since {
            gap: now.saturating_sub(last_reception),
            jitter: took(arrival, now).abs_diff(took(last_arrival, last_reception)),
            age: now.saturating_sub(newest),
        })
    }
}

/// So many packets in a row of a flow, which somebody waits for together.
pub struct Group {
    received: AtomicU32,
    /// The first arrival.
    first: AtomicU64,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            received: AtomicU32::new(0),
            first: AtomicU64::new(u64::MAX),
        }
    }
}

impl Group {
    /// Notes the reception at `now` of a packet that arrived at `arrival`. Where it is the last of `len`,
    /// returns how long that is after the first arrival, in ns.
    pub fn receive(&self, len: u32, arrival: u64, now: u64) -> Option<u64> {
        let first = self
            .first
            .fetch_min(arrival, Ordering::Relaxed)
            .min(arrival);
        let received = self
            .received
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);

        (received == len).then(|| now.saturating_sub(first))
    }
}
