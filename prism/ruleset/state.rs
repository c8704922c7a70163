// SPDX-License-Identifier: GPL-2.0

//! What belongs to a rule and not to a set: its counters, its token bucket and its term.

use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering, //
};

use kernel::{
    alloc::AllocError,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        SetOnce, //
    },
};

use knet::{
    cell::TryCell,
    context::RxContext,
    percpu::PerCpu, //
};

use crate::classify::{
    bucket::{
        Bucket,
        Local, //
    },
    rule::Rate, //
};
use crate::latency::Times;

/// How long a rule whose rate is exceeded admits nothing more on that CPU, in ns. A flow around its
/// rate then changes ways some hundred times a second at most, and not from packet to packet, which
/// would put it out of order all the time. The tokens of that time are not lost.
const EXCEEDED_NS: u64 = 2_000_000;

/// What belongs to a rule for as long as its directory exists.
pub(crate) struct RuleState {
    name: CString,
    cpus: PerCpu<CpuState>,
    term: AtomicU32,
    /// The rate of the last term.
    rate: AtomicU32,
    bucket: SharedBucket,
    /// How long its packets take, from when that is measured.
    times: SetOnce<KBox<Times>>,
}

/// A bucket alone in its cache line, as CPUs write it while they read the rest.
#[repr(align(64))]
struct SharedBucket(Bucket);

/// A CPU's part of the state of a rule. Only that CPU writes it.
#[derive(Default)]
struct CpuState {
    packets: AtomicU64,
    bytes: AtomicU64,
    tokens: TryCell<Local>,
    /// Until when, in ns, the rate admits nothing.
    exceeded_until: AtomicU64,
    dropped: AtomicU64,
}

impl RuleState {
    /// The state of a new rule.
    pub(crate) fn new(name: &CStr) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                name: CString::try_from(name)?,
                cpus: PerCpu::new()?,
                term: AtomicU32::new(0),
                rate: AtomicU32::new(Rate::UNLIMITED.get()),
                bucket: SharedBucket(Bucket::new()),
                times: SetOnce::new(),
            },
            GFP_KERNEL,
        )?)
    }

    /// The name of the rule.
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// The number of the term, which goes up when the rule is withdrawn: what was enabled in an earlier
    /// term is not in force, wherever it is still found.
    #[inline]
    pub(super) fn term(&self) -> u32 {
        // Who sees that a rule is withdrawn then sees what was done before, such as another rule in
        // its place. The ordering pairs with that in `withdraw`.
        self.term.load(Ordering::Acquire)
    }

    /// Begins a term with that rate.
    pub(super) fn begin(&self, rate: Rate) {
        if self.rate.swap(rate.get(), Ordering::Relaxed) != rate.get() {
            self.bucket.0.fill();
        }
    }

    /// Ends the term.
    pub(super) fn withdraw(&self) {
        self.term.fetch_add(1, Ordering::Release);
    }

    /// How many packets the rule has named.
    pub(crate) fn packets(&self) -> u64 {
        self.sum(|cpu| &cpu.packets)
    }

    /// How many bytes these had.
    pub(crate) fn bytes(&self) -> u64 {
        self.sum(|cpu| &cpu.bytes)
    }

    /// How many of them were dropped as too much waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.sum(|cpu| &cpu.dropped)
    }

    /// Has room for the times of packets from now on.
    ///
    /// Context: process; may sleep.
    pub(super) fn measure(&self) -> Result<(), AllocError> {
        if self.times.as_ref().is_none() {
            let times = KBox::new(Times::default(), GFP_KERNEL)?;

            self.times.populate(times);
        }
        Ok(())
    }

    /// How long its packets take; `None` as long as nobody has measured that.
    pub(crate) fn times(&self) -> Option<&Times> {
        self.times.as_ref().map(|times| &**times)
    }

    fn sum(&self, counter: impl Fn(&CpuState) -> &AtomicU64) -> u64 {
        self.cpus
            .iter()
            .map(|cpu| counter(cpu).load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }

    /// Counts a packet of `bytes`.
    #[inline]
    pub(super) fn count(&self, cx: &RxContext<'_>, bytes: u32) {
        let cpu = self.cpus.get(cx);

        add(&cpu.packets, 1);
        add(&cpu.bytes, bytes.into());
    }

    /// Counts a packet that is dropped as too much waits.
    pub(crate) fn drops(&self, cx: &RxContext<'_>) {
        add(&self.cpus.get(cx).dropped, 1);
    }

    /// Whether `rate` admits one more packet.
    #[inline]
    pub(super) fn admits(&self, cx: &RxContext<'_>, rate: Rate) -> bool {
        if rate == Rate::UNLIMITED {
            return true;
        }
        let cpu = self.cpus.get(cx);
        let now = knet::time::now_ns();
        if now < cpu.exceeded_until.load(Ordering::Relaxed) {
            return false;
        }

        let take = |tokens: &mut Local| self.bucket.0.take(tokens, rate, now);
        let admitted = cpu.tokens.try_with(take).unwrap_or(false);
        if !admitted {
            let until = now.saturating_add(EXCEEDED_NS);

            cpu.exceeded_until.store(until, Ordering::Relaxed);
        }
        admitted
    }
}

/// Adds to a counter that no other CPU writes.
#[inline]
fn add(counter: &AtomicU64, value: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(value);

    counter.store(sum, Ordering::Relaxed);
}
