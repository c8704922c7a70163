// SPDX-License-Identifier: GPL-2.0

//! Mode `express`: past the outer layers and the bridge, where the kernel has shown the way.
//!
//! The way of a flow is kept beside what is known of the flow. Where there is none, or it is a second
//! old, or something has changed, a packet takes the way of mode `sync` and shows it anew.

use kernel::prelude::*;
use knet::{
    context::RxContext,
    express::{
        Crossing,
        Leave,
        Start,
        WaitingCrossing, //
    },
    local::Local,
    queue::Waiting,
    trace::Stage,
    veth::EgressPacket,
    Frame,
    Verdict, //
};

use crate::{
    classify::{
        cache::{
            Place,
            Ticket, //
        },
        Class, //
    },
    datapath::{
        tag,
        Flows,
        Shared, //
    },
    settings::{
        Mode,
        Settings, //
    },
    stats::Counter,
    trace::is_watched, //
};

/// The flow whose packet shows the way on this CPU, and since when.
pub(crate) struct Lesson(Local<Option<(Place, Start)>>);

impl Lesson {
    /// Nothing is learnt yet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Local::new(|| Ok(None))?))
    }
}

impl Shared {
    /// Takes a packet that has waited, and was met at GRO and untagged, across by the short way, in mode
    /// `express`. What cannot go it comes back, with its place and the reason if its flow is known.
    #[inline]
    pub(crate) fn cross(
        &self,
        cx: &RxContext<'_>,
        packet: Waiting,
        ticket: Ticket,
    ) -> Option<(Waiting, Option<(Place, Leave)>)> {
        let Some(rules) = self.rules.read(cx) else {
            return Some((packet, None));
        };
        let id = packet.id();
        let stamp = self.stamp(rules);
        let crossing = self.flows.with_option(cx, |flows| {
            let known = flows.and_then(|flows| {
                let place = flows.resume(ticket, stamp)?;
                let is_short = place.shape().is_tunnelled();

                Some((place, flows.extra(ticket).filter(|_| is_short)?))
            });

            match known {
                Some((place, beside)) => Ok((place, packet.cross(cx, &beside.way))),
                None => Err(packet),
            }
        });

        match crossing {
            Ok((_, WaitingCrossing::Crossed(packet))) => {
                self.stats.count(cx, Counter::Expressed);
                if is_watched() {
                    self.trace_crossed(cx, &packet);
                }
                let _ = packet.receive(&self.inflight, &self.routes);
            }
            Ok((_, WaitingCrossing::Dropped)) => self.loses(cx, id, Counter::Dropped),
            Ok((place, WaitingCrossing::Left(packet, reason))) => {
                return Some((packet, Some((place, reason))));
            }
            Err(packet) => return Some((packet, None)),
        }
        self.stats.count(cx, Counter::Completed);
        None
    }

    /// Has a packet that could not [`cross`](Self::cross) go the kernel's way.
    pub(crate) fn leave<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        (place, reason): (Place, Leave),
    ) -> Verdict<'a> {
        self.leaves(cx, frame.id(), Stage::Entry, reason);
        let verdict = self.show(cx, frame, place, reason);

        self.stats.count(cx, Counter::Completed);
        verdict
    }

    /// Runs a packet of any class to completion that has waited: by the short way if its flow, which had
    /// that `ticket`, is still known and has one, and through the kernel's layers otherwise.
    #[inline]
    pub(crate) fn run<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        class: Class,
        ticket: Ticket,
        settings: Settings,
    ) -> Verdict<'a> {
        let resume = |rules| {
            let stamp = self.stamp(rules);
            self.flows.with(cx, |flows| flows.resume(ticket, stamp))
        };
        let place = self.rules.read(cx).and_then(resume).flatten();

        self.complete(cx, frame, place, class, settings)
    }

    /// The same for a packet whose flow was found at `place`, if anywhere.
    #[inline]
    pub(crate) fn complete<'a>(
        &self,
        cx: &RxContext<'_>,
        mut frame: Frame<'a>,
        place: Option<Place>,
        class: Class,
        settings: Settings,
    ) -> Verdict<'a> {
        let is_short = |place: &Place| {
            settings.is_mode(Mode::Express) && frame.is_at_gro() && place.shape().is_tunnelled()
        };
        let short = place.filter(is_short);

        if class == Class::High {
            tag(&mut frame);
        }
        let verdict = if settings.is_mode(Mode::Batch) {
            self.batch.add(cx, self, frame)
        } else if class == Class::High && self.receivers.is_on() {
            self.watch(cx, || self.deliver_now(cx, frame, short))
        } else {
            self.deliver_now(cx, frame, short)
        };

        // Not before, as the packet would wait for it.
        self.stats.count(cx, Counter::Completed);
        verdict
    }

    /// By the short way, if the flow that is known at `place` may have one.
    #[inline]
    fn deliver_now<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        place: Option<Place>,
    ) -> Verdict<'a> {
        match place {
            Some(place) => self.express(cx, frame, place),
            None => self.sync(cx, frame),
        }
    }

    /// Runs `f`, which delivers packets of class `high`: whom they wake is to run soon.
    #[inline(never)]
    pub(crate) fn watch<R>(&self, cx: &RxContext<'_>, f: impl FnOnce() -> R) -> R {
        let (result, has_woken) = self.receivers.watch(cx, f);

        if has_woken {
            self.stats.count(cx, Counter::Woken);
        }
        result
    }

    /// Tries the short way.
    #[inline]
    fn express<'a>(&self, cx: &RxContext<'_>, frame: Frame<'a>, place: Place) -> Verdict<'a> {
        let id = frame.id();
        let cross =
            |flows: Option<&mut Flows>| match flows.and_then(|flows| flows.extra(place.ticket())) {
                Some(beside) => frame.cross(&beside.way),
                None => Crossing::Left(frame, Leave::Learn),
            };

        match self.flows.with_option(cx, cross) {
            Crossing::Crossed(packet) => {
                self.stats.count(cx, Counter::Expressed);
                if is_watched() {
                    self.trace_crossed(cx, &packet);
                }
                packet.receive(&self.inflight, &self.routes)
            }
            Crossing::Dropped(verdict) => {
                self.loses(cx, id, Counter::Dropped);
                verdict
            }
            Crossing::Left(frame, reason) => {
                self.leaves(cx, id, Stage::Entry, reason);
                self.show(cx, frame, place, reason)
            }
        }
    }

    /// Goes the way of mode `sync`, and learns it if that may help.
    #[inline(never)]
    fn show<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        place: Place,
        reason: Leave,
    ) -> Verdict<'a> {
        if reason != Leave::Learn {
            return self.sync(cx, frame);
        }

        let start = frame.begin();
        self.lesson.set(cx, Some((place, start)));
        let verdict = self.sync(cx, frame);

        self.lesson.set(cx, None);
        verdict
    }

    /// Learns the way of a packet that is about to be delivered, if it was to show one.
    #[inline]
    pub(crate) fn learn(&self, cx: &RxContext<'_>, packet: &EgressPacket<'_>) {
        if self.gate.settings(cx).is_mode(Mode::Express) {
            self.learn_way(cx, packet);
        }
    }

    #[inline(never)]
    fn learn_way(&self, cx: &RxContext<'_>, packet: &EgressPacket<'_>) {
        let Some((place, start)) = self.lesson.0.with(cx, |lesson| lesson.take()).flatten() else {
            return;
        };

        if let Some(way) = packet.way(cx, &self.inflight, &start) {
            self.flows.with(cx, |flows| {
                if let Some(known) = flows.extra(place.ticket()) {
                    known.way = way.after(&known.way);
                }
            });
        }
    }

    #[inline]
    fn sync<'a>(&self, cx: &RxContext<'_>, frame: Frame<'a>) -> Verdict<'a> {
        if is_watched() {
            self.trace_run(cx, frame.id());
        }
        frame.run_to_completion(&self.inflight, &self.routes)
    }
}

impl Lesson {
    fn set(&self, cx: &RxContext<'_>, lesson: Option<(Place, Start)>) {
        self.0.with(cx, |current| *current = lesson);
    }
}
