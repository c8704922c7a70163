// SPDX-License-Identifier: GPL-2.0

//! How long packets take inside the module's reach, by class and by rule: from when they were seen behind
//! the driver to when they were handed to where their socket is, and to when it was their turn.
//!
//! A moment is kept for the packet that a CPU takes through the stages, and in the memo of each that
//! waits. Nothing is, and no clock is read, while this is off; packets then have no moment.

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    AtomicU64,
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
use crate::{
    datapath::Shared,
    ruleset::RuleId, //
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

/// As what a packet is served.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub(crate) class: Class,
    /// The rule that names it.
    pub(crate) rule: Option<RuleId>,
}

impl Service {
    const CLASS_BITS: u32 = 2;
    const LAYER_SHIFT: u32 = 32;

    /// As a memo keeps it.
    fn word(self) -> u64 {
        // No layer is zero, and none has as many rules as bits for their number.
        let rule = self.rule.map_or(0, |rule| {
            let layer = u64::from(rule.layer).wrapping_shl(Self::LAYER_SHIFT);

            layer | u64::from(rule.index).wrapping_shl(Self::CLASS_BITS)
        });

        rule | self.class.index() as u64
    }

    /// The same back.
    fn from_word(word: u64) -> Self {
        let class = word as usize & (Class::ALL.len() - 1);
        let layer = word.wrapping_shr(Self::LAYER_SHIFT) as u32;
        let index = word as u32 >> Self::CLASS_BITS;

        Self {
            class: Class::ALL.get(class).copied().unwrap_or_default(),
            rule: (layer != 0).then_some(RuleId { layer, index }),
        }
    }
}

/// How many packets took how long.
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    /// Adds a packet, while others may do so.
    fn add(&self, ns: u64) {
        if let Some(count) = self.0.get(bucket(ns)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many packets are in a bucket.
    pub(crate) fn packets(&self, bucket: usize) -> u64 {
        let count = self.0.get(bucket);

        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// How long the packets of a rule take.
#[derive(Default)]
pub(crate) struct Times {
    /// To where the socket is.
    pub(crate) delivered: Histogram,
    /// To when it was their turn.
    pub(crate) waited: Histogram,
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

    fn add(&self, cx: &RxContext<'_>, class: Class, ns: u64) {
        let cpu = self.0.get(class.index()).map(|class| class.get(cx));

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
                .map(|cpu| cpu.packets(bucket))
                .fold(0, u64::wrapping_add)
        });

        counts.unwrap_or(0)
    }
}

/// What is known of the packet that a CPU has before it. Only that CPU writes it.
#[derive(Default)]
struct Here {
    since: AtomicU32,
    service: AtomicU64,
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

    /// That packet is served like that.
    #[cold]
    pub(crate) fn runs(&self, cx: &RxContext<'_>, service: Service) {
        self.here
            .get(cx)
            .service
            .store(service.word(), Ordering::Relaxed);
    }

    /// As what it is served.
    fn service(&self, cx: &RxContext<'_>) -> Service {
        Service::from_word(self.here.get(cx).service.load(Ordering::Relaxed))
    }

    /// What a queue keeps of that packet, with `word`, until [`recall`](Self::recall).
    #[cold]
    pub(crate) fn memo(&self, cx: &RxContext<'_>, word: u32) -> Memo {
        Memo {
            word,
            since: self.since(cx).0,
            ticket: self.service(cx).word(),
        }
    }

    /// The packet that comes now has waited with that memo.
    #[cold]
    pub(crate) fn recall(&self, cx: &RxContext<'_>, memo: Memo) {
        self.resumes(cx, Moment(memo.since));
        self.runs(cx, Service::from_word(memo.ticket));
    }
}

impl Shared {
    /// The packet that this CPU has before it is handed to where its socket is.
    #[cold]
    pub(crate) fn is_delivered(&self, cx: &RxContext<'_>) {
        if let Some(ns) = self.latency.since(cx).ago() {
            let service = self.latency.service(cx);

            self.latency.delivered.add(cx, service.class, ns);
            self.with_times(cx, service.rule, |times| times.delivered.add(ns));
        }
    }

    /// It is the turn of a packet that has waited since then, as one of `class`, and that `rule` names.
    #[cold]
    pub(crate) fn has_waited(
        &self,
        cx: &RxContext<'_>,
        class: Class,
        since: Moment,
        rule: impl FnOnce() -> Option<RuleId>,
    ) {
        if let Some(ns) = since.ago() {
            let rule = rule();

            self.latency.waited.add(cx, class, ns);
            self.with_times(cx, rule, |times| times.waited.add(ns));
            self.latency.runs(cx, Service { class, rule });
        }
        self.latency.resumes(cx, since);
    }

    /// Calls `f` with the times of the packets of `rule`, if it has not gone.
    fn with_times(&self, cx: &RxContext<'_>, rule: Option<RuleId>, f: impl FnOnce(&Times)) {
        let action = || self.rules.read(cx)?.action(cx, rule?);

        if let Some(times) = action().and_then(|action| action.state().times()) {
            f(times);
        }
    }
}
