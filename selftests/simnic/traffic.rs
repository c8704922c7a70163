// SPDX-License-Identifier: GPL-2.0

//! A traffic under way: its arrivals, and the NIC's ring.

use core::iter::{
    Enumerate,
    Peekable, //
};

use kernel::prelude::*;

use crate::{
    model::{
        arrivals::Arrivals,
        flow::{
            Flow,
            Mac, //
        },
        frame::{
            Stamp,
            Template, //
        }, //
    },
    record::Record, //
};

/// How many frames the ring holds.
const RING: usize = 1024;
/// The most arrivals of a traffic.
const ARRIVALS_MAX: usize = 8 << 20;

/// The arrival of a frame.
#[derive(Clone, Copy)]
struct Arrival {
    /// In ns from the start.
    time: u64,
    flow: u32,
    sequence: u32,
}

/// What arrives when, and what of it is in the ring.
pub(crate) struct Traffic {
    /// In the order of their times.
    arrivals: KVVec<Arrival>,
    /// How many of them have come.
    come: usize,
    ring: Ring,
    senders: KVVec<Sender>,
    start: u64,
}

/// Who sends a flow.
struct Sender {
    template: Template,
    /// How many frames arrive.
    arrivals: usize,
    /// How many of them were handed over so far.
    taken: u32,
}

/// A frame to be handed over.
pub(crate) struct Frame<'a> {
    pub(crate) template: &'a Template,
    pub(crate) stamp: Stamp,
    /// How many frames of its flow were handed over before.
    pub(crate) before: u32,
}

impl Traffic {
    /// The traffic of `flows` for `duration_ms`, which starts when [`starts_at`](Self::starts_at) says.
    ///
    /// # Errors
    ///
    /// `E2BIG` for too many packets, `ENOMEM`.
    pub(crate) fn new(flows: &[Flow], duration_ms: u32, nic: Mac) -> Result<Self> {
        let mut arrivals = KVVec::new();
        let mut senders = KVVec::new();
        let mut sources = KVVec::new();

        for flow in flows {
            let sender = Sender {
                template: Template::new(flow, nic),
                arrivals: 0,
                taken: 0,
            };
            senders.push(sender, GFP_KERNEL)?;
            let source = Arrivals::new(flow, duration_ms).enumerate().peekable();
            sources.push(source, GFP_KERNEL)?;
        }
        while let Some(arrival) = first_of(&mut sources) {
            if arrivals.len() >= ARRIVALS_MAX {
                return Err(E2BIG);
            }
            arrivals.push(arrival, GFP_KERNEL)?;
            if let Some(sender) = senders.get_mut(arrival.flow as usize) {
                sender.arrivals = sender.arrivals.wrapping_add(1);
            }
        }
        Ok(Self {
            arrivals,
            come: 0,
            ring: Ring::new()?,
            senders,
            start: u64::MAX,
        })
    }

    /// How many frames of each flow arrive.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = usize> + '_ {
        self.senders.iter().map(|sender| sender.arrivals)
    }

    /// Has the traffic start at `start`, in ns of monotonic time.
    pub(crate) fn starts_at(&mut self, start: u64) {
        self.start = start;
    }

    /// Puts what has come until `now` into the ring. What it has no room for is lost, as nobody has
    /// taken anything out since this was last called. Returns how many were lost.
    pub(crate) fn advance(&mut self, now: u64, records: &[Record]) -> u64 {
        let elapsed = now.saturating_sub(self.start);
        let mut lost: u64 = 0;

        while let Some(arrival) = self.arrivals.get(self.come) {
            if arrival.time > elapsed {
                break;
            }
            let is_lost = !self.ring.push(self.come);
            if let Some(record) = records.get(arrival.flow as usize) {
                record.arrived(is_lost);
            }
            lost = lost.wrapping_add(is_lost.into());
            self.come = self.come.wrapping_add(1);
        }
        lost
    }

    /// The next frame of the ring.
    pub(crate) fn take(&mut self) -> Option<Frame<'_>> {
        let arrival = self.arrivals.get(self.ring.pop()?)?;
        let sender = self.senders.get_mut(arrival.flow as usize)?;
        let before = sender.taken;

        sender.taken = before.wrapping_add(1);
        Some(Frame {
            template: &sender.template,
            before,
            stamp: Stamp {
                flow: arrival.flow,
                sequence: arrival.sequence.into(),
                arrival: self.start.wrapping_add(arrival.time),
            },
        })
    }

    /// When the next frame comes, in ns of monotonic time.
    pub(crate) fn next(&self) -> Option<u64> {
        let arrival = self.arrivals.get(self.come)?;

        Some(self.start.wrapping_add(arrival.time))
    }

    /// Whether all frames have come and were taken.
    pub(crate) fn is_over(&self) -> bool {
        self.come == self.arrivals.len() && self.ring.is_empty()
    }
}

/// The arrivals of a flow that are yet to be put in order with those of others.
type Source = Peekable<Enumerate<Arrivals>>;

/// Takes the arrival that comes first, and of several the one of the first flow.
fn first_of(sources: &mut [Source]) -> Option<Arrival> {
    let (flow, source) = sources
        .iter_mut()
        .enumerate()
        .filter_map(|(flow, source)| Some((source.peek()?.1, (flow, source))))
        .min_by_key(|(time, _)| *time)?
        .1;
    let (sequence, time) = source.next()?;

    Some(Arrival {
        time,
        flow: flow as u32,
        sequence: sequence as u32,
    })
}

/// The ring: numbers of arrivals.
struct Ring {
    slots: KVVec<usize>,
    head: usize,
    len: usize,
}

impl Ring {
    fn new() -> Result<Self> {
        Ok(Self {
            slots: KVVec::from_elem(0, RING, GFP_KERNEL)?,
            head: 0,
            len: 0,
        })
    }

    /// False where there is no room.
    fn push(&mut self, number: usize) -> bool {
        let place = self.head.wrapping_add(self.len) % RING;

        match self.slots.get_mut(place) {
            Some(slot) if self.len < RING => {
                *slot = number;
                self.len = self.len.wrapping_add(1);
                true
            }
            _ => false,
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let number = *self.slots.get(self.head).filter(|_| self.len > 0)?;

        self.head = self.head.wrapping_add(1) % RING;
        self.len = self.len.wrapping_sub(1);
        Some(number)
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }
}
