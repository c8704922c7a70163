// SPDX-License-Identifier: GPL-2.0

//! Keeps flows in order while settings or rules change.
//!
//! A change may send the next packet of a flow past a queue in which the one before still waits. So a
//! CPU that meets a frame after a change holds it back, and all that come behind, until nothing is left
//! in its queues that came before: the classes' queues, a batch, and those of the kernel. Then it adopts
//! the new settings, and what was held goes on by them, in order.
//!
//! The kernel's queues are empty when the CPU has received nothing between three turns of this stage.
//! Where other devices keep the CPU receiving, so many turns are enough that each instance has had its
//! weight as often as its queue may be long. Both counts are in `classify/quiet.rs`.
//!
//! Where turns do not tell of all ([`Underway`]), that and what was under way when it began are a pass, in
//! which each packet gets from where it was to the next queue at least. So there are as many passes as a
//! packet meets queues.

use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;
use knet::{
    context::RxContext,
    netdev::NetDevice,
    queue::{
        Memo,
        PacketQueue,
        Waiting, //
    },
    stage::{
        Serve,
        Served,
        Stages,
        Turn, //
    },
    time::{
        ticks,
        ticks_of, //
    },
    trace::{
        By,
        To, //
    },
    underway::Underway,
    Frame,
    Met,
    Verdict, //
};

use crate::{
    breaker::Invariant,
    classify::{
        cache::Ticket,
        quiet::{
            Found,
            Quiet, //
        },
    },
    datapath::{
        current,
        Shared, //
    },
    settings::{
        self,
        Settings, //
    },
    stats::Counter,
    trace::is_watched, //
};

/// For how long frames are held at most, in microseconds, unless something is broken.
const LATE_US: u32 = 10_000_000;

/// How many frames are held at most: far more than come in that time.
const HELD_MAX: u32 = 16_384;

/// How many queues of the kernel's a packet meets at most: the gro_cells of a VXLAN device, the backlog
/// behind a veth pair, and again behind another one that leads from there to a nested namespace.
const PASSES: u32 = 3;

/// The frames that are held, with how each was met.
#[derive(Default)]
pub(crate) struct Held(PacketQueue);

/// What is told of a CPU without a lock.
pub(crate) struct Seen {
    /// The settings that the CPU acts by.
    adopted: AtomicU64,
    /// The turns since something is held.
    quiet: Quiet,
    /// The tick of the first of these.
    since: AtomicU32,
    /// What was under way when the pass began.
    underway: Underway,
    /// The passes since something is held.
    passes: AtomicU32,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            adopted: AtomicU64::new(Settings::NONE.word()),
            quiet: Quiet::default(),
            since: AtomicU32::new(0),
            underway: Underway::default(),
            passes: AtomicU32::new(0),
        }
    }
}

impl Seen {
    /// What a turn finds.
    fn turn(&self, cx: &RxContext<'_>, is_held: bool) -> Found {
        let found = self.quiet.turn(is_held, knet::stage::received_here());

        match found {
            Found::Nothing => self.passes.store(0, Ordering::Relaxed),
            Found::Busy { is_first: true } => {
                if self.passes.load(Ordering::Relaxed) == 0 {
                    self.since.store(ticks(), Ordering::Relaxed);
                }
                if Underway::is_apart(cx) {
                    self.underway.note(cx);
                }
            }
            _ => (),
        }
        found
    }

    /// Whether nothing is left of what came before, in a turn that has found the CPU quiet.
    fn is_past(&self, cx: &RxContext<'_>) -> bool {
        let passes = self.passes.load(Ordering::Relaxed);

        if passes == PASSES || !Underway::is_apart(cx) {
            return true;
        }
        if !self.underway.is_through(cx) {
            return false;
        }

        let passes = passes.saturating_add(1);

        self.passes.store(passes, Ordering::Relaxed);
        if passes < PASSES {
            self.quiet.start();
        }
        passes == PASSES
    }

    /// Whether that goes on for longer than it ever has to.
    fn is_late(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);

        ticks().wrapping_sub(since) > ticks_of(LATE_US)
    }

    fn adopt(&self, settings: Settings) {
        self.adopted.store(settings.word(), Ordering::Relaxed);
        self.start();
    }

    /// Nothing is held: what was found before tells nothing of what comes.
    fn start(&self) {
        self.passes.store(0, Ordering::Relaxed);
        self.quiet.start();
    }
}

/// The gates of all CPUs.
pub(crate) struct Gate(Stages<Held>);

impl Gate {
    /// No CPU has adopted anything.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Stages::new(Held::default)?))
    }

    /// Has no CPU act by what it has adopted, as packets went by without being seen since.
    ///
    /// Context: process, while there are no hooks.
    pub(crate) fn forget(&self) {
        for seen in self.0.all_seen() {
            seen.adopt(Settings::NONE);
        }
    }

    /// The settings that this CPU acts by.
    #[inline]
    pub(crate) fn settings(&self, cx: &RxContext<'_>) -> Settings {
        let seen = self.0.here(cx).seen();

        Settings::from_word(seen.adopted.load(Ordering::Relaxed))
    }

    /// Has this CPU act by the settings in force at once, where these send everything the kernel's way: that
    /// overtakes nothing but what the module itself has queued, which must be nothing.
    #[cold]
    pub(crate) fn opens(&self, cx: &RxContext<'_>) -> bool {
        let settings = settings::current();

        if !settings.pass_all() || settings.is_changing() || self.holds(cx) {
            return false;
        }
        self.0.here(cx).seen().adopt(settings);
        true
    }

    /// Whether packets are held on this CPU, or about to be let through.
    #[inline]
    pub(crate) fn holds(&self, cx: &RxContext<'_>) -> bool {
        self.0.holds(cx)
    }

    /// Whether what this CPU receives has been let through.
    #[inline]
    pub(crate) fn is_serving(&self, cx: &RxContext<'_>) -> bool {
        self.0.here(cx).is_serving()
    }

    /// Holds a frame back, but where the settings in force send everything the kernel's way and nothing of the
    /// module's own is in front of it: hooks that come or go may go at once, and what is held with them.
    #[cold]
    pub(crate) fn hold<'a>(
        &self,
        cx: &RxContext<'_>,
        path: &Shared,
        frame: Frame<'a>,
    ) -> Verdict<'a> {
        if settings::current().pass_all() && !path.has_queued(cx) && !self.holds(cx) {
            return frame.pass();
        }

        let id = frame.id();

        if is_watched() {
            path.see(cx, &frame);
        }
        let stage = self.0.here(cx);
        let held = stage.with(cx, |held| {
            if held.0.len() >= HELD_MAX {
                return Err(frame);
            }
            // What was held may have gone with its device, and then no turn has seen that.
            if held.0.is_empty() {
                stage.seen().start();
            }
            let memo = path.memo(cx, frame.met().word());
            let (verdict, packet) = frame.defer();

            // One that was let through and met another change has its place in front.
            if stage.is_serving() {
                held.0.push_front(packet, memo);
            } else {
                held.0.push(packet, memo);
            }
            Ok(verdict)
        });

        match held {
            Ok(verdict) => {
                stage.schedule(cx);
                path.stats.count(cx, Counter::Held);
                if is_watched() {
                    path.trace_goes(cx, id, To::Gate, By::Kernel);
                }
                verdict
            }
            Err(frame) => {
                path.counts_refusal(cx, Ticket::NONE, &frame);
                path.loses(cx, id, Counter::DroppedHeld);
                frame.discard()
            }
        }
    }

    /// Waits until nothing is held any more.
    ///
    /// Context: process; sleeps.
    pub(crate) fn drain(&self) {
        self.0.drain();
    }

    /// Whether nothing is held on any CPU.
    pub(crate) fn is_drained(&self) -> bool {
        self.0.waiting() == 0
    }

    /// Drops what was received on a device that goes away.
    ///
    /// Context: process, under RTNL; sleeps.
    pub(crate) fn purge(&self, path: &Shared, device: NetDevice<'_>) {
        path.purged(Counter::DroppedHeld, |each| self.0.purge(device, each));
    }
}

impl Serve for Held {
    type Seen = Seen;

    const NAME: &'static CStr = c"prism_gate";
    const IS_FIRST: bool = false;

    fn packets(&self) -> u32 {
        self.0.len()
    }

    fn purge(&mut self, device: NetDevice<'_>, to: &mut PacketQueue) {
        self.0.purge(device, to, |_| ());
    }

    fn serve(turn: &Turn<'_, Self>) -> Served {
        let cx = turn.context();

        match current(cx) {
            Some(path) if path.gate.0.is_here(cx, turn.stage()) => path.serve_held(turn),
            // Nothing is left to decide about, or what is known of this CPU does not tell of another's.
            _ => {
                for _ in 0..turn.budget() {
                    let Some((packet, _)) = next(turn) else {
                        return Served::All { packets: 0 };
                    };

                    turn.receive(packet);
                }
                Served::Some { packets: 0 }
            }
        }
    }
}

impl Shared {
    /// Lets the frames through that are held, once those before are.
    fn serve_held(&self, turn: &Turn<'_, Held>) -> Served {
        let cx = turn.context();
        let seen = turn.stage().seen();
        let settings = settings::current();
        let found = seen.turn(cx, turn.stage().holds());

        // A turn more than was needed.
        if found == Found::Nothing {
            return Served::All { packets: 0 };
        }

        self.begins_turn(cx);
        let is_in_time = self.breaker.check(cx, Invariant::Gate, !seen.is_late());
        let is_past = found == Found::Quiet && seen.is_past(cx);
        let has_to_wait = settings.is_changing() || self.has_queued(cx) || !is_past;
        if has_to_wait && is_in_time {
            return Served::Some { packets: 0 };
        }
        seen.adopt(settings);
        while let Some((packet, memo)) = next(turn) {
            if is_watched() {
                self.latency.recall(cx, memo);
            }
            turn.run(packet, Met::from_word(memo.word), |cx, frame| {
                self.receive_adopted(cx, frame, settings)
            });
            if settings.is_outdated() {
                return Served::Some { packets: 0 };
            }
        }
        Served::All { packets: 0 }
    }
}

fn next(turn: &Turn<'_, Held>) -> Option<(Waiting, Memo)> {
    turn.stage().with(turn.context(), |held| held.0.pop())
}
