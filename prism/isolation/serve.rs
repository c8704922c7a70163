// SPDX-License-Identifier: GPL-2.0

//! A CPU's turn to serve what waits.

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use knet::{
    context::RxContext,
    netdev::NetDevice,
    queue::{
        PacketQueue,
        Waiting, //
    },
    routes::Routes,
    stage::{
        Serve,
        Served,
        Turn, //
    },
    trace::{
        By,
        To, //
    }, //
};

use crate::{
    breaker::Invariant,
    classify::Class,
    config::QUANTUM,
    datapath::{
        current,
        Shared, //
    },
    ruleset::Action,
    settings::{
        Mode,
        Settings, //
    },
    stats::Counter,
    trace::is_watched, //
};

use super::{
    queues::{
        Note,
        Queues, //
    },
    Return, //
    Seen,
};

impl Serve for Queues {
    type Seen = Seen;

    const NAME: &'static CStr = c"prism_isolate";
    const IS_FIRST: bool = false;

    fn packets(&self) -> u32 {
        self.packets()
    }

    fn purge(&mut self, device: NetDevice<'_>, to: &mut PacketQueue) {
        self.take_from(device, to);
    }

    fn serve(turn: &Turn<'_, Self>) -> Served {
        let cx = turn.context();

        match current(cx) {
            Some(path) if path.isolation.stages.is_here(cx, turn.stage()) => path.serve(turn),
            // Nothing is left to decide about, or they are those of a CPU that is offline: by GRO they
            // would come to this one's.
            path => {
                let receive = |packet, _, _| {
                    turn.receive(packet);
                    false
                };
                let served = serve(turn, turn.budget(), receive, |_| ());

                if let Some(path) = path {
                    path.stats.add(cx, Counter::Served, served.packets());
                }
                served
            }
        }
    }
}

impl Shared {
    /// Looks at what holds where a turn of any stage begins.
    #[inline]
    pub(crate) fn begins_turn(&self, cx: &RxContext<'_>) {
        let is_busy = self.inflight.is_busy(cx);

        if !self.breaker.check(cx, Invariant::InFlight, !is_busy) {
            self.inflight.forget(cx);
        }
    }

    /// Serves as many packets as may be served before the NIC's ring is looked at.
    fn serve(&self, turn: &Turn<'_, Queues>) -> Served {
        let cx = turn.context();

        self.begins_turn(cx);
        // The same for the whole turn.
        let settings = self.gate.settings(cx);
        // What is held behind the gate waits for all of this, and the gate counts the turns that the kernel's
        // queues take from then on.
        let most = if !settings.isolates() || self.gate.holds(cx) {
            u32::MAX
        } else if turn.stage().seen().is_contested() {
            if turn.stage().waiting() <= FEW {
                1
            } else {
                QUANTUM.get().min(turn.budget())
            }
        } else {
            turn.budget()
        };

        let served = serve(
            turn,
            most,
            |packet, note, class| self.give_back(turn, packet, note, class, settings),
            |holds| {
                self.breaker.check(cx, Invariant::Queue, holds);
            },
        );

        self.stats.add(cx, Counter::Served, served.packets());
        if matches!(served, Served::Some { .. }) {
            turn.poll_driver();
        }
        served
    }
}

impl Shared {
    /// Gives a packet back to the kernel, by the mode's way if it is of a `class` that is accelerated.
    /// Whether it was merged with one before.
    #[inline]
    fn give_back(
        &self,
        turn: &Turn<'_, Queues>,
        packet: Waiting,
        note: Note,
        class: Option<Class>,
        settings: Settings,
    ) -> bool {
        let mut own = class;

        if is_watched() {
            self.trace_turn(turn.context(), &packet, note, class);
        }
        if !note.is_plain() {
            self.went(turn.context(), note);
            own = note.standing().displaced_from().or(class);
        }
        let accelerated = class.filter(|_| own.is_some_and(|own| settings.accelerates(own)));
        // What comes behind of class high is not merged either.
        let may_run =
            own == Some(Class::High) || note.how() == Return::Alone && note.met().is_untagged();

        if let Some(class) = accelerated.filter(|_| may_run) {
            let met = note.met();
            if is_watched() {
                self.see_waiting(turn.context(), &packet, met);
            }
            let is_short = settings.is_mode(Mode::Express) && met.is_at_gro() && met.is_untagged();

            self.stats.count(turn.context(), Counter::Accelerated);
            let (packet, left) = if is_short {
                match self.cross(turn.context(), packet, note.ticket()) {
                    Some(left) => left,
                    None => return false,
                }
            } else {
                (packet, None)
            };
            turn.run(packet, met, |cx, frame| match left {
                Some(left) => self.leave(cx, frame, left),
                None => self.run(cx, frame, class, note.ticket(), settings),
            });
            return false;
        }
        receive_as(turn, accelerated.is_some());
        if is_watched() {
            self.trace_given_back(turn.context(), &packet, note);
        }
        receive(turn, packet, note, &self.routes)
    }
}

impl Shared {
    /// Takes note that a packet of `class` has waited.
    #[cold]
    fn trace_turn(&self, cx: &RxContext<'_>, packet: &Waiting, note: Note, class: Option<Class>) {
        let flow = || self.flow_of_waiting(packet, note.met());
        let rule = || self.rule_of(cx, note.ticket(), flow).map(Action::id);

        if let Some(class) = class {
            self.has_waited(cx, class, note.moment(), rule);
        }
    }

    /// Tells that a packet goes on by the kernel's way.
    #[cold]
    fn trace_given_back(&self, cx: &RxContext<'_>, packet: &Waiting, note: Note) {
        let to = match note.how() {
            Return::Merge => To::Gro,
            Return::Alone => To::Stack,
        };

        self.see_waiting(cx, packet, note.met())
            .goes(to, By::Kernel);
    }
}

/// Says whether what follows is accelerated, and sees to it that what GRO holds is received before, if
/// only one of the two is.
#[inline]
fn receive_as(turn: &Turn<'_, Queues>, is_accelerated: bool) {
    let accelerates = &turn.stage().seen().accelerates;

    if accelerates.load(Ordering::Relaxed) != is_accelerated {
        turn.flush();
        accelerates.store(is_accelerated, Ordering::Relaxed);
    }
}

/// As long as no more packets wait on a CPU, a turn is of one while classes compete: the CPU has time for the
/// turns then, and a packet of class `high` waits for less.
const FEW: u32 = 32;

/// How many packets may be merged with others in a turn for each that is not. It takes a fraction of
/// the time that a packet takes through the stages.
const MERGED_FOR_EACH: u32 = 16;

/// Serves up to `most` packets by `give`, which says whether a packet was merged with one before. Those
/// do not count, or nothing would be merged in a short turn. `check` is told whether the queues have what
/// they had counted.
#[inline]
fn serve(
    turn: &Turn<'_, Queues>,
    most: u32,
    mut give: impl FnMut(Waiting, Note, Option<Class>) -> bool,
    check: impl FnOnce(bool),
) -> Served {
    let seen = turn.stage().seen();
    let (mut packets, mut merged) = (0u32, 0);
    let all_most = most.max(turn.budget());
    let merged_most = most.saturating_mul(MERGED_FOR_EACH);

    while packets < all_most && packets.saturating_sub(merged) < most && merged < merged_most {
        let mut holds = true;
        let next = turn.stage().with(turn.context(), |queues| {
            let next = queues.next();

            if next.is_none() {
                holds = queues.is_empty();
                queues.have_nothing();
            }

            if queues.are_mixed() {
                seen.contested();
            }
            if matches!(&next, Some((_, note, _)) if note.is_displaced()) {
                seen.are_displaced(queues.displaced());
            }
            next.map(|next| (next, queues.is_empty()))
        });
        // Nothing waits between two turns, or what was added since has the next one scheduled.
        let is_last = match next {
            Some(((packet, note, class), is_last)) => {
                packets = packets.saturating_add(1);
                if give(packet, note, Class::of_waiting_index(class)) {
                    merged = merged.saturating_add(1);
                }
                is_last
            }
            None => true,
        };
        if is_last {
            check(holds);
            seen.nothing_waits();
            return Served::All { packets };
        }
    }
    seen.served(packets);
    Served::Some { packets }
}

/// Gives a packet back to the kernel, with its route of `routes` if it is not left to GRO. Whether it was
/// merged with one before.
#[inline]
fn receive(turn: &Turn<'_, Queues>, packet: Waiting, note: Note, routes: &Routes) -> bool {
    match note.how() {
        Return::Merge => turn.merge(packet),
        Return::Alone => {
            turn.receive(packet.route(turn.context(), routes));
            false
        }
    }
}
