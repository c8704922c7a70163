// SPDX-License-Identifier: GPL-2.0

//! What a frame is: its flow, the rule for it, and the class that it is served in.

use kernel::prelude::*;
use knet::{
    context::RxContext,
    queue::Waiting,
    time::{
        ticks,
        ticks_of, //
    },
    Frame,
    Met,
    HEAD_MAX, //
};

use crate::{
    breaker::Invariant,
    classify::{
        self,
        cache::{
            Known,
            Place,
            Ticket,
            Vacancy, //
        },
        rule::Gro,
        Class,
        Family,
        Flow,
        Protocol,
        Unclassified,
        WINDOW, //
    },
    datapath::{
        Flows,
        Shared, //
    },
    isolation::Return,
    ruleset::{
        Action,
        Pending,
        RuleSet,
        Verdict, //
    },
    settings::Settings,
    stats::Counter,
    trace::is_watched, //
};

/// The family that the link layer says a frame is of.
#[inline]
fn family(frame: &Frame<'_>) -> Family {
    if frame.is_ipv6() {
        Family::V6
    } else {
        Family::V4
    }
}

/// The rules have changed while a frame was classified.
pub(crate) struct Changed;

/// What classification says of a frame.
pub(crate) struct Found {
    pub(crate) class: Class,
    /// The class of its rule. It is served in a lower one where it exceeds what that may have, or
    /// would overtake a packet of its flow that did.
    pub(crate) own: Class,
    /// Whether it is merged if the class is `high`.
    pub(crate) gro: Gro,
    /// Where its flow is known.
    pub(crate) place: Option<Place>,
    /// How it is given back if it has to wait; `None` where the place tells.
    how: Option<Return>,
}

impl Found {
    /// Of a frame that no rule can name.
    pub(crate) fn unknown(how: Return) -> Self {
        Self {
            class: Class::Normal,
            own: Class::Normal,
            gro: Gro::Bypass,
            place: None,
            how: Some(how),
        }
    }
}

impl Found {
    /// The class of its rule, if it is served in a lower one.
    #[inline]
    pub(crate) fn displaced_from(&self) -> Option<Class> {
        (self.class != self.own).then_some(self.own)
    }

    /// That of its flow, if it is known.
    #[inline]
    pub(crate) fn ticket(&self) -> Ticket {
        self.place.map_or(Ticket::NONE, |place| place.ticket())
    }

    #[inline]
    pub(crate) fn how(&self, frame: &Frame<'_>) -> Return {
        self.how.unwrap_or_else(|| how_at(self.place, frame))
    }
}

/// How a packet is given back to the kernel: GRO has use for TCP, and for datagrams that a socket or
/// the device wants merged, which are not found inside a tunnel but in the latter case.
#[inline]
fn how_of(is_tunnelled: bool, protocol: Protocol, frame: &Frame<'_>) -> Return {
    let may_merge = match protocol {
        Protocol::TCP => true,
        Protocol::UDP => !is_tunnelled || frame.device().merges_udp(),
        _ => false,
    };

    if may_merge {
        Return::Merge
    } else {
        Return::Alone
    }
}

/// The same for a packet whose flow is known at `place`.
#[inline]
fn how_at(place: Option<Place>, frame: &Frame<'_>) -> Return {
    let shape = place.map(|place| place.shape());

    match shape.and_then(|shape| Some((shape, shape.protocol(frame.head())?))) {
        Some((shape, protocol)) => how_of(shape.is_tunnelled(), protocol, frame),
        None => Return::Merge,
    }
}

/// Whether GRO may merge a packet with others of its flow, which is known at `place`.
#[inline]
fn is_segment(place: Place, frame: &Frame<'_>) -> bool {
    place.shape().protocol(frame.head()) == Some(Protocol::TCP)
}

/// The same for a packet that was not classified. Fragments go with the datagrams of their flow.
fn how_unclassified(reason: Unclassified) -> Return {
    match reason {
        Unclassified::Fragment => Return::Alone,
        _ => Return::Merge,
    }
}

impl Shared {
    /// Whether a packet of class `high` is left to the NIC's GRO, to be merged, as its rule says. It goes
    /// on without waiting behind that.
    ///
    /// A flow that was kept leaves GRO's way when nothing is left there that it could overtake.
    #[inline]
    pub(crate) fn keeps(&self, cx: &RxContext<'_>, frame: &Frame<'_>, found: &Found) -> bool {
        let Some(place) = found.place.filter(|&place| is_segment(place, frame)) else {
            return false;
        };

        found.gro != Gro::Bypass
            && frame.gro_queue().is_some()
            && !self.batch.holds(cx)
            && self.keeps_segment(cx, frame, place, found.gro)
    }

    #[inline(never)]
    fn keeps_segment(&self, cx: &RxContext<'_>, frame: &Frame<'_>, place: Place, gro: Gro) -> bool {
        // Once a second, one shows the VXLAN driver that the address is in use.
        let term = ticks_of(1_000_000);
        let keep = |flows: &mut Flows| {
            let train = &mut flows.extra(place.ticket())?.train;
            let holds = || frame.gro_queue().is_some_and(|queue| !queue.is_empty());

            Some(train.keeps(frame.len(), ticks(), term, gro == Gro::Keep, holds))
        };

        self.flows.with(cx, keep).flatten().unwrap_or(false)
    }

    /// What is known of the flow of a frame.
    #[inline]
    fn known(&self, cx: &RxContext<'_>, frame: &Frame<'_>, stamp: u64) -> Known {
        let (head, len) = (frame.head(), frame.len() as usize);
        let ports = self.ports.of(frame.device());
        let find = |flows: &mut Flows| flows.find(family(frame), head, len, &ports, stamp);

        let known = self.flows.with(cx, find);

        self.breaker.check(cx, Invariant::Local, known.is_some());
        known.unwrap_or(Known::Unfit)
    }

    /// What stands for the rules and the ports in force where a flow is noted.
    #[inline]
    pub(crate) fn stamp(&self, rules: &RuleSet) -> u64 {
        u64::from(rules.id()) << 32 | u64::from(self.ports.generation())
    }

    /// Classifies a frame and counts what came of it. Its headers are read in place where that can be.
    ///
    /// # Errors
    ///
    /// The rules have changed, and what they say may not be followed yet.
    #[inline]
    pub(crate) fn classify(
        &self,
        cx: &RxContext<'_>,
        rules: &RuleSet,
        frame: &Frame<'_>,
        settings: Settings,
    ) -> Result<Found, Changed> {
        if frame.is_merged() {
            self.leaves_entry(cx, frame, Counter::UnclassifiedMerged);
            return Ok(Found::unknown(Return::Merge));
        }

        // Read before anything that is noted with it.
        let stamp = self.stamp(rules);
        let vacancy = match self.known(cx, frame, stamp) {
            Known::Flow(place, rule) => match rules.rule(cx, rule) {
                Ok(action) => {
                    let verdict = self.serve_rule(cx, action, frame, settings)?;

                    return Ok(Found {
                        class: verdict.class,
                        own: verdict.own,
                        gro: verdict.gro,
                        place: Some(place),
                        how: None,
                    });
                }
                Err(Pending) => None,
            },
            Known::Vacant(vacancy) => Some(vacancy),
            Known::Unfit => None,
        };
        self.classify_parsed(cx, rules, frame, vacancy, stamp, settings)
    }

    /// The same for a packet whose flow is not known. It is then noted where there is a `vacancy`.
    #[inline(never)]
    fn classify_parsed(
        &self,
        cx: &RxContext<'_>,
        rules: &RuleSet,
        frame: &Frame<'_>,
        vacancy: Option<Vacancy>,
        stamp: u64,
        settings: Settings,
    ) -> Result<Found, Changed> {
        let head = frame.head();
        let parsed = self.parse(frame);
        // Not moved out, which would copy it.
        let flow = match &parsed {
            Ok(flow) => flow,
            Err(reason) => {
                self.leaves_entry(cx, frame, *reason);
                return Ok(Found::unknown(how_unclassified(*reason)));
            }
        };

        let found = rules.lookup(flow);
        let note = |flows: &mut Flows| {
            let vacancy = vacancy.filter(|&it| !self.is_pinned(cx, flows, it))?;

            flows.note(vacancy, head, stamp, found)
        };
        let noted = self.flows.with(cx, note).flatten();
        let verdict = match rules.rule(cx, found) {
            Ok(action) => self.serve_rule(cx, action, frame, settings)?,
            Err(Pending) => self.serve_pending(cx, flow, frame, settings)?,
        };
        let transport = flow.transport();

        Ok(Found {
            class: verdict.class,
            own: verdict.own,
            gro: verdict.gro,
            place: noted,
            how: Some(how_of(flow.vni().is_some(), transport.protocol, frame)),
        })
    }

    /// Counts what came of the search for the rule of a frame. The class that it is to be served in.
    ///
    /// Always inlined, as one of its two callers is hot and the other hardly ever called.
    #[inline(always)]
    fn serve_rule(
        &self,
        cx: &RxContext<'_>,
        action: Option<&Action>,
        frame: &Frame<'_>,
        settings: Settings,
    ) -> Result<Verdict, Changed> {
        // Behind the lookup, which may have found what was not there when the gate was passed.
        if settings.is_outdated() {
            return Err(Changed);
        }
        let Some(action) = action else {
            self.stats.count(cx, Counter::Unmatched);
            if is_watched() {
                self.trace_classified(cx, frame, None, Verdict::NONE);
            }
            return Ok(Verdict::NONE);
        };

        let verdict = action.apply(cx, frame.len());
        self.stats.count(cx, Counter::Classified);
        if verdict.class != verdict.own {
            self.stats.count(cx, Counter::Demoted);
        }
        if is_watched() {
            self.trace_classified(cx, frame, Some(action), verdict);
        }
        Ok(verdict)
    }

    /// The same while changes of the rules are pending.
    #[cold]
    fn serve_pending(
        &self,
        cx: &RxContext<'_>,
        flow: &Flow,
        frame: &Frame<'_>,
        settings: Settings,
    ) -> Result<Verdict, Changed> {
        self.serve_rule(cx, self.rules.find(cx, flow), frame, settings)
    }

    /// The rule that names a packet which was classified before: by the ticket of its flow, and where
    /// that is not known any more, by the flow itself.
    #[cold]
    pub(crate) fn rule_of<'a>(
        &'a self,
        cx: &RxContext<'a>,
        ticket: Ticket,
        flow: impl FnOnce() -> Option<Flow>,
    ) -> Option<&'a Action> {
        let rules = self.rules.read(cx)?;
        let stamp = self.stamp(rules);
        let known = self.flows.with(cx, |flows| flows.rule(ticket, stamp));

        match known.flatten().map(|rule| rules.rule(cx, rule)) {
            Some(Ok(action)) => action,
            Some(Err(Pending)) | None => self.rules.find(cx, &flow()?),
        }
    }

    /// Counts a packet that is dropped as too much waits, for the rule that names it.
    #[cold]
    pub(crate) fn counts_drop(
        &self,
        cx: &RxContext<'_>,
        ticket: Ticket,
        flow: impl FnOnce() -> Option<Flow>,
    ) {
        if let Some(action) = self.rule_of(cx, ticket, flow) {
            action.state().drops(cx);
        }
    }

    /// The same for one for which there is no room, and that does not wait itself.
    #[cold]
    pub(crate) fn counts_refusal(&self, cx: &RxContext<'_>, ticket: Ticket, frame: &Frame<'_>) {
        self.counts_drop(cx, ticket, || match frame.is_merged() {
            true => None,
            false => self.parse(frame).ok(),
        });
    }

    /// The flow of a packet that waits and was `met` like that.
    #[cold]
    pub(crate) fn flow_of_waiting(&self, packet: &Waiting, met: Met) -> Option<Flow> {
        packet.look(met, |it| {
            let family = if it.is_ipv6() { Family::V6 } else { Family::V4 };
            let ports = self.ports.of(it.device());

            classify::parse(family, it.head(), it.len() as usize, &ports).ok()
        })
    }

    /// The flow of a frame. Its headers are read in place where that can be.
    #[inline]
    pub(crate) fn parse(&self, frame: &Frame<'_>) -> Result<Flow, Unclassified> {
        let (head, len) = (frame.head(), frame.len() as usize);
        let ports = self.ports.of(frame.device());
        let mut parsed = classify::parse(family(frame), head, len, &ports);

        if parsed == Err(Unclassified::Truncated) && head.len() < WINDOW.min(len) {
            parsed = self.parse_copy(frame, len);
        }
        parsed
    }

    /// Reads the headers from a copy, where they lie in more than one piece.
    #[cold]
    fn parse_copy(&self, frame: &Frame<'_>, len: usize) -> Result<Flow, Unclassified> {
        let mut buffer = [0; HEAD_MAX];
        let head = frame.copy_head(&mut buffer);

        classify::parse(family(frame), head, len, &self.ports.of(frame.device()))
    }
}
