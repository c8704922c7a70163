// SPDX-License-Identifier: GPL-2.0

//! Order within a flow of which some packets are served in a lower class than others.
//!
//! A packet is *displaced* where its rule puts it above class `normal` and it is served as `normal`: the
//! rate of the rule is exceeded, or class `high` has had its share of the CPU. It waits, and then takes
//! the way of its own class. What comes behind it of its flow is displaced too, until it has gone, or
//! would overtake it.
//!
//! How many packets of a flow wait where is kept beside the flow, for rules of the classes `high` and
//! `interactive`. Where a flow is not known, nobody can tell: one of class `interactive` waits with its
//! class whatever its rate, and one of class `high` is displaced as long as anything is.

use knet::{
    context::RxContext,
    time::ticks,
    trace::{
        By,
        To, //
    },
    Frame,
    Verdict, //
};

use crate::{
    breaker::Invariant,
    classify::{
        cache::{
            Ticket,
            Vacancy, //
        },
        Class, //
    },
    config::HIGH_SHARE,
    datapath::{
        Beside,
        Flows,
        Shared, //
    },
    found::Found,
    isolation::{
        Deferred,
        Evicted,
        Note,
        Standing, //
    },
    settings::Settings,
    stats::Counter,
    trace::is_watched, //
};

/// How many packets of a flow wait, by where that is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Waiting {
    /// In class `interactive`, which is their own.
    interactive: u32,
    /// In class `normal`, and their own is higher.
    displaced: u32,
}

impl Waiting {
    fn is_none(self) -> bool {
        self.interactive == 0 && self.displaced == 0
    }

    fn comes(&mut self, standing: Standing) {
        if let Some(count) = self.count(standing) {
            *count = count.saturating_add(1);
        }
    }

    /// Whether there was one.
    fn goes(&mut self, standing: Standing) -> bool {
        match self.count(standing) {
            Some(0) => false,
            Some(count) => {
                *count = count.saturating_sub(1);
                true
            }
            None => true,
        }
    }

    fn count(&mut self, standing: Standing) -> Option<&mut u32> {
        match standing {
            Standing::Plain => None,
            Standing::Interactive => Some(&mut self.interactive),
            Standing::FromHigh | Standing::FromInteractive => Some(&mut self.displaced),
        }
    }
}

impl Shared {
    /// Has a packet served in a lower class than its own where it has to be.
    #[inline]
    pub(crate) fn keep_order(&self, cx: &RxContext<'_>, found: &mut Found, settings: Settings) {
        // A packet is displaced only where something waits.
        let may_be = settings.isolates() || self.isolation.holds(cx) || found.class != found.own;

        if found.own < Class::Normal && may_be {
            self.keep_order_here(cx, found, settings);
        }
    }

    #[inline(never)]
    fn keep_order_here(&self, cx: &RxContext<'_>, found: &mut Found, settings: Settings) {
        if found.own == Class::Interactive {
            if self.isolation.holds(cx) || found.class == Class::Normal {
                found.class = self.class_of_waiting(cx, found);
            }
        } else if found.class == Class::High {
            if self.isolation.displaces(cx) && self.overtakes(cx, found.ticket()) {
                found.class = Class::Normal;
                self.demotes(cx, Counter::Displaced, 0);
            } else if settings.isolates() && !self.isolation.admits_high(cx) {
                found.class = Class::Normal;
                self.demotes(cx, Counter::Capped, HIGH_SHARE.get());
            }
        }
    }

    /// Whether a packet of the flow with this ticket would overtake one that is displaced.
    #[cold]
    fn overtakes(&self, cx: &RxContext<'_>, ticket: Ticket) -> bool {
        let waits = |flows: &mut Flows| {
            flows
                .extra(ticket)
                .is_none_or(|it| it.waiting.displaced != 0)
        };

        self.isolation.displaces_strangers(cx) || self.flows.with(cx, waits).unwrap_or(true)
    }

    /// The class where a packet of class `interactive` waits: where others of its flow do.
    #[inline(never)]
    fn class_of_waiting(&self, cx: &RxContext<'_>, found: &Found) -> Class {
        let waiting = |flows: &mut Flows| Some(flows.extra(found.ticket())?.waiting);

        match self.flows.with(cx, waiting).flatten() {
            None => Class::Interactive,
            Some(_) if !self.isolation.holds(cx) => found.class,
            Some(waiting) if waiting.displaced != 0 => {
                if found.class != Class::Normal {
                    self.demotes(cx, Counter::Displaced, 0);
                }
                Class::Normal
            }
            Some(waiting) if waiting.interactive != 0 => Class::Interactive,
            Some(_) => found.class,
        }
    }

    /// Has a frame wait, or drops it.
    #[inline]
    pub(crate) fn defer<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        found: &Found,
    ) -> Verdict<'a> {
        let is_first = !self.isolation.holds(cx);
        let note = |frame: &Frame<'a>| {
            let mut note = Note::new(frame, found);

            if is_watched() {
                note = note.since(self.latency.since(cx));
            }

            if !note.is_plain() {
                self.waits(cx, note, is_first);
            }
            note
        };
        let evicted = |evicted| self.evicted(cx, evicted);
        let id = frame.id();

        match self
            .isolation
            .defer(cx, &self.stats, frame, found.class, note, evicted)
        {
            Deferred::Waits(verdict) => {
                if is_watched() {
                    self.trace_goes(cx, id, To::Queue, By::Kernel);
                }
                verdict
            }
            Deferred::Refused(frame, counter) => {
                self.counts_refusal(cx, found.ticket(), &frame);
                self.loses(cx, id, counter);
                frame.discard()
            }
        }
    }

    /// Drops a packet that had to make room.
    #[cold]
    fn evicted(&self, cx: &RxContext<'_>, evicted: Evicted) {
        let Evicted(packet, class, note) = evicted;

        self.counts_drop(cx, note.ticket(), || {
            self.flow_of_waiting(&packet, note.met())
        });
        if is_watched() {
            self.see_waiting(cx, &packet, note.met());
        }
        self.loses(cx, packet.id(), Counter::dropped(class));
        drop(packet);
        self.went(cx, note);
    }

    /// Takes note that a packet waits. If it is the first, none of its flow does that waited before.
    #[inline(never)]
    fn waits(&self, cx: &RxContext<'_>, note: Note, is_first: bool) {
        self.change_waiting(cx, note.ticket(), |waiting| {
            if is_first {
                *waiting = Waiting::default();
            }
            waiting.comes(note.standing());
        });
    }

    /// Takes note that a packet waits no more.
    #[inline]
    pub(crate) fn went(&self, cx: &RxContext<'_>, note: Note) {
        if !note.is_plain() {
            let goes = |waiting: &mut Waiting| waiting.goes(note.standing());
            let has_gone = self.change_waiting(cx, note.ticket(), goes);

            self.breaker
                .check(cx, Invariant::Flow, has_gone.unwrap_or(true));
        }
    }

    #[inline(never)]
    fn change_waiting<R>(
        &self,
        cx: &RxContext<'_>,
        ticket: Ticket,
        f: impl FnOnce(&mut Waiting) -> R,
    ) -> Option<R> {
        let change = |flows: &mut Flows| flows.extra(ticket).map(|it| f(&mut it.waiting));

        self.flows.with(cx, change).flatten()
    }

    /// Whether the flow that is to make place has to stay, as packets of it wait, or may be held by GRO.
    pub(crate) fn is_pinned(&self, cx: &RxContext<'_>, flows: &Flows, vacancy: Vacancy) -> bool {
        let stays = |it: &Beside| {
            it.train.may_be_held(ticks()) || !it.waiting.is_none() && self.isolation.holds(cx)
        };

        flows.occupant(vacancy).is_some_and(stays)
    }
}

impl Found {
    /// Whether the packet has to wait even if nothing else does: it is displaced, and what comes behind it
    /// of its flow may take a shorter way than the kernel's.
    #[inline]
    pub(crate) fn has_to_wait(&self, settings: Settings) -> bool {
        self.displaced_from()
            .is_some_and(|own| settings.accelerates(own))
    }
}
