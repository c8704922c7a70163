// SPDX-License-Identifier: GPL-2.0

//! What became of a flow.

use core::{
    fmt,
    sync::atomic::{
        AtomicU32,
        AtomicU64,
        Ordering, //
    }, //
};

use kernel::prelude::*;

use crate::model::{
    flow::{
        Flow,
        Name,
        Noted, //
    },
    frame::Stamp,
    histogram::{
        self,
        BUCKETS, //
    },
    note::{
        Group,
        Last, //
    }, //
};

/// What became of a flow.
pub(crate) struct Record {
    name: Name,
    noted: Noted,
    sent: AtomicU64,
    lost: AtomicU64,
    received: AtomicU64,
    times: Times,
    last: Last,
    gap: Option<Times>,
    jitter: Option<Times>,
    age: Option<Times>,
    completion: Option<Times>,
    groups: KVVec<Group>,
}

impl Record {
    /// An empty record of `flow`, of which so many packets arrive.
    fn new(flow: &Flow, arrivals: usize) -> Result<Self> {
        let noted = flow.noted;
        let times_if = |is_noted: bool| is_noted.then(Times::new).transpose();
        let mut groups = KVVec::new();

        for _ in 0..arrivals.checked_div(noted.group as usize).unwrap_or(0) {
            groups.push(Group::default(), GFP_KERNEL)?;
        }
        Ok(Self {
            name: flow.name,
            noted,
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            received: AtomicU64::new(0),
            times: Times::new()?,
            last: Last::default(),
            gap: times_if(noted.gap)?,
            jitter: times_if(noted.jitter)?,
            age: times_if(noted.age)?,
            completion: times_if(noted.group > 0)?,
            groups,
        })
    }

    /// Notes that a packet has arrived at the NIC, and whether the ring had no room for it.
    pub(crate) fn arrived(&self, is_lost: bool) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(is_lost.into(), Ordering::Relaxed);
    }

    /// Notes the reception of a packet at `now`, if it `counts`: arrived when the traffic had settled.
    pub(crate) fn receive(&self, stamp: &Stamp, now: u64, counts: bool) {
        self.received.fetch_add(1, Ordering::Relaxed);
        if !counts {
            return;
        }

        self.times.note(now.saturating_sub(stamp.arrival));
        if let Some(since) = self.last.receive(stamp.arrival, now) {
            for (times, time) in [
                (&self.gap, since.gap),
                (&self.jitter, since.jitter),
                (&self.age, since.age),
            ] {
                if let Some(times) = times {
                    times.note(time);
                }
            }
        }
        if let Some(completion) = &self.completion {
            let number = stamp.sequence.checked_div(self.noted.group.into());
            let group = number.and_then(|number| self.groups.get(number as usize));
            let time = group.and_then(|it| it.receive(self.noted.group, stamp.arrival, now));

            if let Some(time) = time {
                completion.note(time);
            }
        }
    }
}

/// The results: a line for each flow, then one for each bucket of its histogram that is not empty. The
/// same for what else is noted.
///
/// ```text
/// flow NAME sent N received N ring N total NS longest NS
/// LOWEST_NS COUNT
/// note gap|jitter|age|group total NS longest NS
/// LOWEST_NS COUNT
/// ```
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "flow {} sent {} received {} ring {}",
            self.name.as_str(),
            self.sent.load(Ordering::Relaxed),
            self.received.load(Ordering::Relaxed),
            self.lost.load(Ordering::Relaxed),
        )?;
        self.times.fmt(f)?;
        for (name, times) in [
            ("gap", &self.gap),
            ("jitter", &self.jitter),
            ("age", &self.age),
            ("group", &self.completion),
        ] {
            if let Some(times) = times {
                write!(f, "note {name}")?;
                times.fmt(f)?;
            }
        }
        Ok(())
    }
}

/// Empty records of `flows`, of which so many packets arrive each.
pub(crate) fn records_of(
    flows: &[Flow],
    arrivals: impl Iterator<Item = usize>,
) -> Result<KVVec<Record>> {
    let mut records = KVVec::new();

    for (flow, arrivals) in flows.iter().zip(arrivals) {
        records.push(Record::new(flow, arrivals)?, GFP_KERNEL)?;
    }
    Ok(records)
}

/// Times, in ns.
struct Times {
    total: AtomicU64,
    longest: AtomicU64,
    buckets: KVVec<AtomicU32>,
}

impl Times {
    fn new() -> Result<Self> {
        let mut buckets = KVVec::with_capacity(BUCKETS, GFP_KERNEL)?;
        for _ in 0..BUCKETS {
            buckets.push(AtomicU32::new(0), GFP_KERNEL)?;
        }

        Ok(Self {
            total: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            buckets,
        })
    }

    fn note(&self, time: u64) {
        self.total.fetch_add(time, Ordering::Relaxed);
        self.longest.fetch_max(time, Ordering::Relaxed);
        histogram::count(&self.buckets, time);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            " total {} longest {}",
            self.total.load(Ordering::Relaxed),
            self.longest.load(Ordering::Relaxed)
        )?;
        for (bucket, count) in self.buckets.iter().enumerate() {
            match count.load(Ordering::Relaxed) {
                0 => {}
                count => writeln!(f, "{} {count}", histogram::lowest(bucket))?,
            }
        }
        Ok(())
    }
}
