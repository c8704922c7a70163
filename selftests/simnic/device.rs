// SPDX-License-Identifier: GPL-2.0

//! The device: between a traffic and NAPI, and between sockets and the records.

use core::{
    fmt,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    }, //
};

use kernel::{
    prelude::*,
    sync::Arc, //
};

use knet::{
    cell::TryCell,
    context,
    nic::{
        Driver,
        Poll, //
    },
    rcu::RcuCell,
    sink::Receive,
    time, //
};

use crate::{
    model::{
        flow::{
            Flow,
            Mac, //
        },
        frame::Stamp, //
    },
    record::{
        records_of,
        Record, //
    },
    traffic::Traffic, //
};

/// How long after it is started a traffic begins at least, in ns: enough to leave the system call.
const LEAD_NS: u64 = 2_000_000;
/// It begins at a multiple of this, in ns: in the same phase of what the kernel does at regular times.
const PHASE_NS: u64 = 100_000_000;

/// The state of a NIC.
pub(crate) struct Device {
    /// In use by the poll, or by who starts a traffic.
    traffic: TryCell<Option<Traffic>>,
    /// A record for each flow.
    records: RcuCell<KVVec<Record>>,
    /// From when on arrivals count, in ns of monotonic time.
    settled: AtomicU64,
}

impl Device {
    /// A device without traffic.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                traffic: TryCell::new(None),
                records: RcuCell::new(),
                settled: AtomicU64::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// Begins the traffic of `flows`, of which the first `warmup_ms` do not count. Returns when it
    /// starts, which is when there has to be an interrupt.
    ///
    /// Context: process; may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` where a traffic is under way; `E2BIG` for too many packets; `ENOMEM`.
    pub(crate) fn start(
        &self,
        flows: &[Flow],
        duration_ms: u32,
        warmup_ms: u32,
        nic: Mac,
    ) -> Result<u64> {
        if self.is_running() {
            return Err(EBUSY);
        }
        let mut traffic = Traffic::new(flows, duration_ms, nic)?;
        let records = KBox::new(records_of(flows, traffic.arrivals())?, GFP_KERNEL)?;
        self.records.replace(Some(records));

        let start = time::now_ns()
            .saturating_add(LEAD_NS)
            .checked_next_multiple_of(PHASE_NS)
            .ok_or(ERANGE)?;
        let warmup = u64::from(warmup_ms).saturating_mul(1_000_000);
        self.settled
            .store(start.saturating_add(warmup), Ordering::Relaxed);
        traffic.starts_at(start);
        let old =
            context::with_rx_context(|_| self.traffic.try_with(|current| current.replace(traffic)));
        drop(old.ok_or(EBUSY)?);
        Ok(start)
    }

    /// Ends what is under way. What was not taken yet does not come.
    ///
    /// Context: process.
    pub(crate) fn stop(&self) {
        // The poll holds it for as long as it takes.
        while context::with_rx_context(|_| self.traffic.try_with(Option::take)).is_none() {
            core::hint::spin_loop();
        }
    }

    /// Whether frames are still to come.
    ///
    /// Context: process.
    pub(crate) fn is_running(&self) -> bool {
        let is_over = |traffic: &mut Option<Traffic>| traffic.as_ref().is_none_or(Traffic::is_over);

        // Who finds it taken finds it polled.
        context::with_rx_context(|_| self.traffic.try_with(is_over)) != Some(true)
    }
}

impl Driver for Device {
    fn poll(&self, poll: &mut Poll<'_>) {
        context::with_rx_context(|cx| {
            let Some(records) = self.records.read(&cx) else {
                return;
            };

            self.traffic.try_with(|traffic| {
                let Some(traffic) = traffic else {
                    return;
                };
                let missed = traffic.advance(time::now_ns(), records);
                poll.count_missed(missed);
                while poll.room() > 0 {
                    let Some(frame) = traffic.take() else {
                        return;
                    };
                    let (len, checksums) = (frame.template.frame_len(), frame.template.checksums());

                    poll.receive(len as u32, checksums, |to| {
                        frame.template.write(&frame.stamp, frame.before, to);
                    });
                }
            });
        });
    }

    fn next_interrupt(&self) -> Option<u64> {
        context::with_rx_context(|_| {
            let next = self.traffic.try_with(|traffic| traffic.as_ref()?.next());

            // Where somebody else looks at it just now, it is to be seen to again.
            next.unwrap_or_else(|| Some(time::now_ns()))
        })
    }
}

impl Receive for Device {
    fn receive(&self, head: &[u8]) {
        let now = time::now_ns();

        if let Some(stamp) = Stamp::read(head) {
            context::with_rx_context(|cx| {
                let records = self.records.read(&cx);

                if let Some(record) = records.and_then(|all| all.get(stamp.flow as usize)) {
                    let counts = stamp.arrival >= self.settled.load(Ordering::Relaxed);

                    record.receive(&stamp, now, counts);
                }
            });
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        context::with_rx_context(|cx| {
            let mut records = self.records.read(&cx).into_iter().flatten();

            records.try_for_each(|record| record.fmt(f))
        })
    }
}
