// SPDX-License-Identifier: GPL-2.0

//! What is under way on a CPU where turns of a NAPI instance do not tell.
//!
//! Where softirqs serve a CPU's backlog, it has its turn between two of any other instance. With
//! `PREEMPT_RT` or `thread_backlog_napi` a thread serves it when it gets to run, and with `PREEMPT_RT` a
//! softirq handler may be preempted with a packet in hand, by others that take turns meanwhile.
//!
//! C: `process_backlog()` in `net/core/dev.c`.

use core::sync::atomic::{
    AtomicU32,
    AtomicUsize,
    Ordering, //
};

use crate::{
    bindings,
    context::RxContext, //
};

/// What was under way on a CPU when that was noted, of the CPU's backlog and of softirq handlers.
#[derive(Default)]
pub struct Underway {
    grace: AtomicUsize,
    tail: AtomicU32,
}

impl Underway {
    /// Whether turns do not tell on this CPU.
    pub fn is_apart(_cx: &RxContext<'_>) -> bool {
        // SAFETY: BH is off.
        unsafe { bindings::knet_backlog_has_thread() }
    }

    /// Notes what is under way on this CPU now.
    pub fn note(&self, _cx: &RxContext<'_>) {
        let mut now = bindings::knet_underway::default();

        // SAFETY: BH is off, and `now` can be written.
        unsafe { bindings::knet_underway_note(&raw mut now) };
        self.grace.store(now.grace, Ordering::Relaxed);
        self.tail.store(now.tail, Ordering::Relaxed);
    }

    /// Whether what was noted on this CPU, before by the same user, has been received.
    pub fn is_through(&self, _cx: &RxContext<'_>) -> bool {
        let noted = bindings::knet_underway {
            grace: self.grace.load(Ordering::Relaxed),
            tail: self.tail.load(Ordering::Relaxed),
        };

        // SAFETY: BH is off, and `noted` can be read.
        unsafe { bindings::knet_underway_is_through(&raw const noted) }
    }
}
