// SPDX-License-Identifier: GPL-2.0

//! How long packets take inside the module's reach, by class: from when they were seen behind the driver
//! to when they were handed to where their socket is, and to when it was their turn.
//!
//! A moment is kept for the packet that a CPU takes through the stages, and in the memo of each that
//! waits. Nothing is, and no clock is read, while this is off; packets then have no moment.

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    AtomicU64,
    AtomicUsize,
    Ordering, //
};

use kernel::prelude::*;
use knet::{
    context::RxContext,
    percpu::PerCpu,
    queue::Memo,
    time::now_ns, //
};

use crate::classify::{
    histogram::{
        bucket,
        BUCKETS, //
    },
    Class, //
};

/// The moment when a packet was first seen, or none. They come again after a minute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u32);

impl Moment {
    /// Of a packet that was not seen, or while nobody measures.
    pub(crate) const NONE: Self = Self(0);
    /// A moment has so many nanoseconds, as a power of two.
    const SHIFT: u32 = 4;

    fn now() -> Self {
        // None of them is zero.
        Self((now_ns() >> Self::SHIFT) as u32 | 1)
    }

    /// In nanoseconds, how long ago it was.
    fn ago(self) -> Option<u64> {
        let passed = Self::now().0.wrapping_sub(self.0);

        (self != Self::NONE).then_some(u64::from(passed) << Self::SHIFT)
    }

    /// As a memo keeps it.
    pub(crate) fn word(self) -> u32 {
        self.0
    }

    /// The same back.
    pub(crate) fn from_word(word: u32) -> Self {
        Self(word)
    }
}

/// How many packets took how long on one CPU.
struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

/// The same on all CPUs, for each class.
pub(crate) struct Histograms([PerCpu<Histogram>; Class::ALL.len()]);

impl Histograms {
    fn new() -> Result<Self> {
        Ok(Self([
            PerCpu::new()?,
            PerCpu::new()?,
            PerCpu::new()?,
            PerCpu::new()?,
        ]))
    }

    fn add(&self, cx: &RxContext<'_>, class: usize, ns: u64) {
        let cpu = self.0.get(class).map(|class| class.get(cx));

        if let Some(count) = cpu.and_then(|cpu| cpu.0.get(bucket(ns))) {
            // Only this CPU writes it.
            let packets = count.load(Ordering::Relaxed).wrapping_add(1);

            count.store(packets, Ordering::Relaxed);
        }
    }

    /// How many packets of a class all CPUs have in a bucket.
    ///
    /// Context: any.
    pub(crate) fn sum(&self, class: Class, bucket: usize) -> u64 {
        let counts = self.0.get(class.index()).map(|class| {
            class
                .iter()
                .filter_map(|cpu| cpu.0.get(bucket))
                .map(|count| count.load(Ordering::Relaxed))
                .fold(0, u64::wrapping_add)
        });

        counts.unwrap_or(0)
    }
}

/// What is known of the packet that a CPU has before it. Only that CPU writes it.
#[derive(Default)]
struct Here {
    since: AtomicU32,
    class: AtomicUsize,
}

/// The times of packets.
pub(crate) struct Latency {
    is_on: AtomicBool,
    here: PerCpu<Here>,
    /// To where the socket is.
    pub(crate) delivered: Histograms,
    /// To when it was their turn.
    pub(crate) waited: Histograms,
}

impl Latency {
    /// Nothing is measured.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            is_on: AtomicBool::new(false),
            here: PerCpu::new()?,
            delivered: Histograms::new()?,
            waited: Histograms::new()?,
        })
    }

    /// Measures packets that come from now on, or no more.
    pub(crate) fn turn(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// A packet is seen for the first time.
    #[cold]
    pub(crate) fn begins(&self, cx: &RxContext<'_>) {
        let since = if self.is_on.load(Ordering::Relaxed) {
            Moment::now()
        } else {
            Moment::NONE
        };

        self.resumes(cx, since);
    }

    /// The packet that comes now was first seen then.
    #[cold]
    pub(crate) fn resumes(&self, cx: &RxContext<'_>, since: Moment) {
        self.here.get(cx).since.store(since.0, Ordering::Relaxed);
    }

    /// When the packet that this CPU has before it was first seen.
    #[cold]
    pub(crate) fn since(&self, cx: &RxContext<'_>) -> Moment {
        Moment(self.here.get(cx).since.load(Ordering::Relaxed))
    }

    /// That packet is served as one of `class`.
    #[cold]
    pub(crate) fn runs(&self, cx: &RxContext<'_>, class: Class) {
        self.here
            .get(cx)
            .class
            .store(class.index(), Ordering::Relaxed);
    }

    /// What a queue keeps of that packet, with `word`, until [`recall`](Self::recall).
    #[cold]
    pub(crate) fn memo(&self, cx: &RxContext<'_>, word: u32) -> Memo {
        Memo {
            word,
            since: self.since(cx).0,
            ticket: self.here.get(cx).class.load(Ordering::Relaxed) as u64,
        }
    }

    /// The packet that comes now has waited with that memo.
    #[cold]
    pub(crate) fn recall(&self, cx: &RxContext<'_>, memo: Memo) {
        let here = self.here.get(cx);

        here.since.store(memo.since, Ordering::Relaxed);
        here.class.store(memo.ticket as usize, Ordering::Relaxed);
    }

    /// That packet is handed to where its socket is.
    #[cold]
    pub(crate) fn is_delivered(&self, cx: &RxContext<'_>) {
        if let Some(ns) = self.since(cx).ago() {
            let class = self.here.get(cx).class.load(Ordering::Relaxed);

            self.delivered.add(cx, class, ns);
        }
    }

    /// It is the turn of a packet that has waited, as one of `class`.
    #[cold]
    pub(crate) fn has_waited(&self, cx: &RxContext<'_>, class: Option<Class>, since: Moment) {
        if let Some(class) = class {
            if let Some(ns) = since.ago() {
                self.waited.add(cx, class.index(), ns);
            }
            self.runs(cx, class);
        }
        self.resumes(cx, since);
    }
}
