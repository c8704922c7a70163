// SPDX-License-Identifier: GPL-2.0

//! A traffic under way: its arrivals, the NIC's ring, and what became of each flow.

use core::{
    fmt,
    iter::{
        Enumerate,
        Peekable, //
    },
    sync::atomic::{
        AtomicU32,
        AtomicU64,
        Ordering, //
    }, //
};

use kernel::prelude::*;

use crate::model::{
    arrivals::Arrivals,
    flow::{
        Flow,
        Mac,
        Name, //
    },
    frame::{
        Stamp,
        Template, //
    },
    histogram::{
        self,
        BUCKETS, //
    }, //
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
    templates: KVVec<Template>,
    start: u64,
}

/// A frame to be handed over.
pub(crate) struct Frame<'a> {
    pub(crate) template: &'a Template,
    pub(crate) stamp: Stamp,
}

impl Traffic {
    /// The traffic of `flows` for `duration_ms`, which starts when [`starts_at`](Self::starts_at) says.
    ///
    /// # Errors
    ///
    /// `E2BIG` for too many packets, `ENOMEM`.
    pub(crate) fn new(flows: &[Flow], duration_ms: u32, nic: Mac) -> Result<Self> {
        let mut arrivals = KVVec::new();
        let mut templates = KVVec::new();
        let mut sources = KVVec::new();

        for flow in flows {
            templates.push(Template::new(flow, nic), GFP_KERNEL)?;
            let source = Arrivals::new(flow, duration_ms).enumerate().peekable();
            sources.push(source, GFP_KERNEL)?;
        }
        while let Some(arrival) = first_of(&mut sources) {
            if arrivals.len() >= ARRIVALS_MAX {
                return Err(E2BIG);
            }
            arrivals.push(arrival, GFP_KERNEL)?;
        }
        Ok(Self {
            arrivals,
            come: 0,
            ring: Ring::new()?,
            templates,
            start: u64::MAX,
        })
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
                record.sent.fetch_add(1, Ordering::Relaxed);
                record.lost.fetch_add(is_lost.into(), Ordering::Relaxed);
            }
            lost = lost.wrapping_add(is_lost.into());
            self.come = self.come.wrapping_add(1);
        }
        lost
    }

    /// The next frame of the ring.
    pub(crate) fn take(&mut self) -> Option<Frame<'_>> {
        let arrival = self.arrivals.get(self.ring.pop()?)?;

        Some(Frame {
            template: self.templates.get(arrival.flow as usize)?,
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

/// What became of a flow.
pub(crate) struct Record {
    name: Name,
    sent: AtomicU64,
    lost: AtomicU64,
    received: AtomicU64,
    /// Of those that count, in ns.
    total: AtomicU64,
    longest: AtomicU64,
    times: KVVec<AtomicU32>,
}

impl Record {
    fn new(flow: &Flow) -> Result<Self> {
        let mut times = KVVec::with_capacity(BUCKETS, GFP_KERNEL)?;
        for _ in 0..BUCKETS {
            times.push(AtomicU32::new(0), GFP_KERNEL)?;
        }

        Ok(Self {
            name: flow.name,
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            received: AtomicU64::new(0),
            total: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            times,
        })
    }

    /// Notes that a packet took so long, if it `counts`: arrived when the traffic had settled.
    pub(crate) fn note(&self, time: u64, counts: bool) {
        self.received.fetch_add(1, Ordering::Relaxed);
        if counts {
            self.total.fetch_add(time, Ordering::Relaxed);
            self.longest.fetch_max(time, Ordering::Relaxed);
            histogram::count(&self.times, time);
        }
    }
}

/// The results: a line for each flow, then one for each bucket of its histogram that is not empty.
///
/// ```text
/// flow NAME sent N received N ring N total NS longest NS
/// LOWEST_NS COUNT
/// ```
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "flow {} sent {} received {} ring {} total {} longest {}",
            self.name.as_str(),
            self.sent.load(Ordering::Relaxed),
            self.received.load(Ordering::Relaxed),
            self.lost.load(Ordering::Relaxed),
            self.total.load(Ordering::Relaxed),
            self.longest.load(Ordering::Relaxed),
        )?;
        for (bucket, count) in self.times.iter().enumerate() {
            match count.load(Ordering::Relaxed) {
                0 => {}
                count => writeln!(f, "{} {count}", histogram::lowest(bucket))?,
            }
        }
        Ok(())
    }
}

/// Empty records of `flows`.
pub(crate) fn records_of(flows: &[Flow]) -> Result<KVVec<Record>> {
    let mut records = KVVec::new();

    for flow in flows {
        records.push(Record::new(flow)?, GFP_KERNEL)?;
    }
    Ok(records)
}
