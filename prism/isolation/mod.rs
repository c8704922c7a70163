// SPDX-License-Identifier: GPL-2.0

//! Isolation: what is not of class `high` waits, on its CPU and by class, before the expensive part of
//! the first stage, and is served a few packets at a time, so that the NIC's ring is looked at between
//! any two turns.
//!
//! Once something waits on a CPU, what comes behind waits too, whether isolation is still on or not, so
//! that no packet overtakes another of its flow. With isolation off, all is served in one turn.

mod queues;
mod serve;

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};

use kernel::prelude::*;
use knet::{
    context::RxContext,
    netdev::NetDevice,
    stage::Stages,
    time::{
        ticks,
        ticks_of, //
    },
    Frame,
    Verdict, //
};

use crate::{
    classify::Class,
    config::{
        HIGH_SHARE,
        RECENT_US, //
    },
    datapath::Shared,
    stats::{
        Counter,
        Stats, //
    },
};

use self::queues::{
    Displaced,
    Queues, //
};

pub(crate) use self::queues::{
    Evicted,
    Note,
    Return,
    Standing, //
};

/// By how many packets class `high` may exceed its share for a moment: what a NIC's poll brings.
const SHARE_SLACK: u32 = 64;
/// How many packets make room for one at most, so that a poll has an end where the limit was lowered. Where
/// they are shorter than it all the same, there are more bytes than the limit by the difference.
const EVICTED_MAX: u32 = 64;
/// After how many packets what was before counts half.
const SHARE_WINDOW: u32 = 4096;

/// What is told of a CPU without a lock. Only that CPU writes it.
#[derive(Default)]
pub(crate) struct Seen {
    /// The tick at which the last packet of class `high` came, or packets of several classes waited.
    last_contest: AtomicU32,
    /// How many packets of class `high` came since others wait, and how many others were served; what
    /// was long ago counts less.
    high: AtomicU32,
    others: AtomicU32,
    /// Whether what GRO gives back in this turn is of a class that is accelerated.
    accelerates: AtomicBool,
    /// How many packets wait that are displaced, and how many of those are of flows that are not known.
    displaced: AtomicU32,
    strangers: AtomicU32,
}

impl Seen {
    /// Notes that a packet of class `high` came, where others wait or not.
    #[inline]
    fn high_came(&self, others_wait: bool) {
        self.contested();
        if others_wait {
            let high = self.high.load(Ordering::Relaxed);

            self.high.store(high.wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Whether one more packet of class `high` exceeds its share, where others wait.
    #[inline]
    fn exceeds_share(&self) -> bool {
        self.high.load(Ordering::Relaxed) > SHARE_SLACK && self.weigh()
    }

    #[cold]
    fn weigh(&self) -> bool {
        let high = self.high.load(Ordering::Relaxed);
        let others = self.others.load(Ordering::Relaxed);
        let share = HIGH_SHARE.get();

        if high.saturating_add(others) >= SHARE_WINDOW {
            self.high.store(high / 2, Ordering::Relaxed);
            self.others.store(others / 2, Ordering::Relaxed);
        }
        let part = u64::from(100u32.saturating_sub(share));
        let have = u64::from(high.saturating_sub(SHARE_SLACK)).saturating_mul(part);

        have > u64::from(others).saturating_mul(share.into())
    }

    /// Notes that `packets` others were served.
    fn served(&self, packets: u32) {
        let others = self.others.load(Ordering::Relaxed);

        self.others
            .store(others.saturating_add(packets), Ordering::Relaxed);
    }

    /// Tells how many packets are displaced.
    #[cold]
    fn are_displaced(&self, displaced: Displaced) {
        self.displaced.store(displaced.packets, Ordering::Relaxed);
        self.strangers.store(displaced.strangers, Ordering::Relaxed);
    }

    fn nothing_waits(&self) {
        self.high.store(0, Ordering::Relaxed);
        self.others.store(0, Ordering::Relaxed);
    }

    /// Notes that classes compete: what is served now is late for others.
    #[inline]
    fn contested(&self) {
        self.last_contest.store(ticks(), Ordering::Relaxed);
    }

    /// Whether classes competed lately.
    fn is_contested(&self) -> bool {
        let since = ticks().wrapping_sub(self.last_contest.load(Ordering::Relaxed));

        // Of the first tick, a part may have passed.
        since <= ticks_of(RECENT_US.get())
    }
}

/// What became of a frame that was to wait.
pub(crate) enum Deferred<'a> {
    /// It does.
    Waits(Verdict<'a>),
    /// It is to be dropped, and counted there.
    Refused(Frame<'a>, Counter),
}

/// The classes' queues of all CPUs.
pub(crate) struct Isolation {
    stages: Stages<Queues>,
}

impl Isolation {
    /// Nothing waits.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            stages: Stages::new(Queues::default)?,
        })
    }

    /// Waits until nothing waits any more, where nothing comes: for one turn of each CPU.
    ///
    /// Context: process; sleeps.
    pub(crate) fn drain(&self) {
        self.stages.drain();
    }

    /// Whether packets wait on this CPU, so that others of their flows have to.
    #[inline]
    pub(crate) fn holds(&self, cx: &RxContext<'_>) -> bool {
        self.stages.holds(cx)
    }

    /// Whether what this CPU receives has waited already.
    #[inline]
    pub(crate) fn is_serving(&self, cx: &RxContext<'_>) -> bool {
        self.stages.here(cx).is_serving()
    }

    /// Whether what this CPU receives is of a class that is accelerated, as this is the turn of one.
    #[inline]
    pub(crate) fn is_accelerating(&self, cx: &RxContext<'_>) -> bool {
        let stage = self.stages.here(cx);

        stage.is_serving() && stage.seen().accelerates.load(Ordering::Relaxed)
    }

    /// Takes note of a packet of class `high`. Whether it may be served as such: its class may have used
    /// up its share of this CPU.
    #[inline]
    pub(crate) fn admits_high(&self, cx: &RxContext<'_>) -> bool {
        let stage = self.stages.here(cx);
        let others_wait = stage.holds();

        if others_wait && stage.seen().exceeds_share() {
            return false;
        }
        stage.seen().high_came(others_wait);
        true
    }

    /// Whether packets wait on this CPU that are displaced.
    #[inline]
    pub(crate) fn displaces(&self, cx: &RxContext<'_>) -> bool {
        let seen = self.stages.here(cx).seen();

        seen.displaced.load(Ordering::Relaxed) != 0
    }

    /// Whether some of them are of flows that are not known.
    pub(crate) fn displaces_strangers(&self, cx: &RxContext<'_>) -> bool {
        let seen = self.stages.here(cx).seen();

        seen.strangers.load(Ordering::Relaxed) != 0
    }

    /// Has a frame of `class` wait, of which `note` is kept. Those that have to make room are `evicted`, to
    /// be dropped.
    #[inline]
    pub(crate) fn defer<'a>(
        &self,
        cx: &RxContext<'_>,
        stats: &Stats,
        frame: Frame<'a>,
        class: Class,
        note: impl FnOnce(&Frame<'a>) -> Note,
        mut evicted: impl FnMut(Evicted),
    ) -> Deferred<'a> {
        let Some(index) = class.waiting_index() else {
            return Deferred::Waits(frame.pass());
        };
        let stage = self.stages.here(cx);

        stage.note_driver(&frame);
        stats.count(cx, Counter::deferred(index));
        let mut rest = (frame, note);
        let mut made_room = 0;
        loop {
            let (frame, note) = rest;
            let added = stage.with(cx, |queues| {
                // Before anything else is spent on it.
                if !queues.has_room() && made_room < EVICTED_MAX {
                    let gone = queues.evict(index);

                    if matches!(&gone, Some(Evicted(_, _, it)) if it.is_displaced()) {
                        stage.seen().are_displaced(queues.displaced());
                    }
                    // What others made room for is not dropped for that.
                    if gone.is_some() || made_room == 0 {
                        return Err((frame, note, gone));
                    }
                }
                // What waits has a turn coming: it is scheduled by the first, and then by the turns.
                let is_first = queues.is_empty();
                let note = note(&frame);
                let (verdict, packet) = frame.defer();

                queues.push(index, packet, note);
                if note.is_displaced() {
                    stage.seen().are_displaced(queues.displaced());
                }
                Ok((verdict, is_first))
            });

            // Behind the lock, as dropping takes longer.
            match added {
                Ok((verdict, is_first)) => {
                    if is_first {
                        stage.schedule(cx);
                    }
                    return Deferred::Waits(verdict);
                }
                Err((frame, _, None)) => {
                    return Deferred::Refused(frame, Counter::dropped(index));
                }
                // It may be as long as many of those that have to make room for it.
                Err((frame, note, Some(gone))) => {
                    made_room = made_room.saturating_add(1);
                    evicted(gone);
                    rest = (frame, note);
                }
            }
        }
    }

    /// Drops what was received on a device that goes away.
    ///
    /// Context: process, under RTNL; sleeps.
    pub(crate) fn purge(&self, path: &Shared, device: NetDevice<'_>) {
        path.purged(Counter::Purged, |each| self.stages.purge(device, each));
    }
}
