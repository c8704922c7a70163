// SPDX-License-Identifier: GPL-2.0

//! The way of a packet: classified at the first stage, and run to completion if its class is `high`.
//!
//! Three hooks meet the packet: behind the driver, at the VXLAN socket, and where it is sent into a
//! container. The first decides; the other two act only on the packet that the first has set in
//! flight on this CPU. Whatever a hook cannot do exactly as the kernel would is left to the kernel,
//! unchanged, and counted with the reason.

use kernel::{
    prelude::*,
    sync::Arc, //
};
use knet::{
    context::RxContext,
    gro::ReceiveFrame,
    inflight::InFlight,
    rcu::RcuCell,
    veth::{
        Delivery,
        EgressPacket,
        TransmitPacket, //
    },
    vxlan::{
        self,
        Decapsulation,
        Handled,
        ReceiveTunnel,
        Refreshed,
        TunnelPacket, //
    },
    Frame,
    Verdict,
    HEAD_MAX, //
};

use crate::{
    classify::{
        self,
        Class,
        Family,
        Flow,
        Unclassified,
        WINDOW, //
    },
    config,
    devices::Devices,
    hooks::Trim,
    ports::Ports,
    ruleset::{
        Action,
        Pending,
        RuleSet,
        Rules, //
    },
    stats::{
        Counter,
        Stats, //
    },
};

/// The state that the hooks find, from when the module is there until it goes.
static CURRENT: RcuCell<Datapath> = RcuCell::new();

/// Everything that the packet path reads or writes.
pub(crate) struct Datapath {
    shared: Arc<Shared>,
}

/// What the packet path shares with those who configure it.
pub(crate) struct Shared {
    /// The enabled rules; none while there are none.
    pub(crate) rules: Arc<Rules>,
    /// The entry devices.
    pub(crate) devices: Arc<Devices>,
    /// The ports of VXLAN sockets.
    pub(crate) ports: Ports,
    /// What was done.
    pub(crate) stats: Stats,
    /// Removes hooks that are not needed, while there are hooks.
    pub(crate) trim: RcuCell<Trim>,
    inflight: InFlight,
    refreshed: Refreshed,
}

impl Shared {
    /// No rules, no ports, the automatic choice of devices.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                rules: Rules::new()?,
                devices: Arc::pin_init(Devices::new(), GFP_KERNEL)?,
                ports: Ports::new()?,
                stats: Stats::new()?,
                trim: RcuCell::new(),
                inflight: InFlight::new()?,
                refreshed: Refreshed::new()?,
            },
            GFP_KERNEL,
        )?)
    }
}

/// The state, published to the hooks. Dropping it waits until no hook uses it.
pub(crate) struct Published(());

impl Published {
    /// Lets the hooks find `shared`.
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self> {
        CURRENT.replace(Some(KBox::new(Datapath { shared }, GFP_KERNEL)?));
        Ok(Self(()))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        CURRENT.replace(None);
    }
}

/// The family that the link layer says a frame is of.
#[inline]
fn family(frame: &Frame<'_>) -> Family {
    if frame.is_ipv6() {
        Family::V6
    } else {
        Family::V4
    }
}

/// The hooks of the packet path.
pub(crate) struct Path;

#[inline]
fn current<'a>(cx: &RxContext<'a>) -> Option<&'a Shared> {
    CURRENT.read(cx).map(|path| &*path.shared)
}

impl ReceiveFrame for Path {
    #[inline]
    fn is_idle(cx: &RxContext<'_>) -> bool {
        current(cx).is_none_or(|path| path.rules.read(cx).is_none())
    }

    #[inline]
    fn receive(frame: Frame<'_>) -> Verdict<'_> {
        let cx = *frame.context();

        match current(&cx) {
            Some(path) => path.receive(&cx, frame),
            None => frame.pass(),
        }
    }
}

impl ReceiveTunnel for Path {
    #[inline]
    fn receive(packet: TunnelPacket<'_>) -> Handled<'_> {
        let cx = *packet.context();

        match current(&cx) {
            Some(path) if packet.is_in(&path.inflight) => path.decapsulate(&cx, packet),
            _ => packet.pass(),
        }
    }
}

impl TransmitPacket for Path {
    #[inline]
    fn transmit(packet: EgressPacket<'_>) -> Verdict<'_> {
        let cx = *packet.context();

        match current(&cx) {
            Some(path) if packet.is_in(&path.inflight) => path.deliver(&cx, packet),
            _ => packet.pass(),
        }
    }
}

impl Shared {
    /// The first stage.
    #[inline]
    fn receive<'a>(&self, cx: &RxContext<'_>, mut frame: Frame<'a>) -> Verdict<'a> {
        let Some(rules) = self.rules.read(cx) else {
            return frame.pass();
        };
        let Some(device) = self.devices.find(cx, frame.device().id()) else {
            return frame.pass();
        };

        if frame.is_at_gro() {
            if device.saw_gro() {
                self.trim(cx);
            }
        } else if device.has_gro() {
            return frame.pass();
        }
        if self.inflight.is_busy(cx) {
            self.stats.count(cx, Counter::KernelBusy);
            return frame.pass();
        }
        if !self.is_high(cx, rules, &frame) {
            return frame.pass();
        }

        if let Some(priority) = config::PRIORITY_HIGH.get() {
            frame.set_priority(priority);
        }
        self.stats.count(cx, Counter::Completed);
        frame.run_to_completion(&self.inflight)
    }

    #[cold]
    fn trim(&self, cx: &RxContext<'_>) {
        if let Some(trim) = self.trim.read(cx) {
            trim.queue();
        }
    }

    /// Classifies a frame and counts what came of it. Its headers are read in place where that can be.
    #[inline]
    fn is_high(&self, cx: &RxContext<'_>, rules: &RuleSet, frame: &Frame<'_>) -> bool {
        if frame.is_merged() {
            self.stats.count(cx, Counter::UnclassifiedMerged);
            return false;
        }

        let (head, len) = (frame.head(), frame.len() as usize);
        let mut parsed = classify::parse(family(frame), head, len, &self.ports);
        if parsed == Err(Unclassified::Truncated) && head.len() < WINDOW.min(len) {
            parsed = self.parse_copy(frame, len);
        }
        // Not moved out, which would copy it.
        let flow = match &parsed {
            Ok(flow) => flow,
            Err(reason) => {
                self.stats.count(cx, *reason);
                return false;
            }
        };

        match rules.find(cx, flow) {
            Ok(action) => self.serve(cx, action, frame),
            Err(Pending) => self.serve_pending(cx, flow, frame),
        }
    }

    /// Counts what came of the search for the rule of a frame. Whether its class is `high`.
    ///
    /// Always inlined, as one of its two callers is hot and the other hardly ever called.
    #[inline(always)]
    fn serve(&self, cx: &RxContext<'_>, action: Option<&Action>, frame: &Frame<'_>) -> bool {
        let Some(action) = action else {
            self.stats.count(cx, Counter::Unmatched);
            return false;
        };

        let verdict = action.apply(cx, frame.len());
        self.stats.count(cx, Counter::Classified);
        if verdict.demoted {
            self.stats.count(cx, Counter::Demoted);
        }
        verdict.class == Class::High
    }

    /// The same while changes of the rules are pending.
    #[cold]
    fn serve_pending(&self, cx: &RxContext<'_>, flow: &Flow, frame: &Frame<'_>) -> bool {
        self.serve(cx, self.rules.find(cx, flow), frame)
    }

    /// Reads the headers from a copy, where they lie in more than one piece.
    #[cold]
    fn parse_copy(&self, frame: &Frame<'_>, len: usize) -> Result<Flow, Unclassified> {
        let mut buffer = [0; HEAD_MAX];
        let head = frame.copy_head(&mut buffer);

        classify::parse(family(frame), head, len, &self.ports)
    }

    /// The VXLAN socket.
    #[inline]
    fn decapsulate<'a>(&self, cx: &RxContext<'_>, packet: TunnelPacket<'a>) -> Handled<'a> {
        match packet.decapsulate(&self.inflight, &self.refreshed) {
            Ok((handled, Decapsulation::Received)) => {
                self.stats.count(cx, Counter::Decapsulated);
                handled
            }
            Ok((handled, Decapsulation::Dropped)) => {
                self.stats.count(cx, Counter::Dropped);
                handled
            }
            Err((packet, reason @ (vxlan::Leave::Learn | vxlan::Leave::Refresh))) => {
                self.stats.count(cx, reason);
                packet.learn(&self.inflight)
            }
            Err((packet, reason)) => {
                self.stats.count(cx, reason);
                packet.pass()
            }
        }
    }

    /// The host's end of a pair of devices.
    #[inline]
    fn deliver<'a>(&self, cx: &RxContext<'_>, packet: EgressPacket<'a>) -> Verdict<'a> {
        match packet.deliver(&self.inflight) {
            Ok((verdict, Delivery::Received)) => {
                self.stats.count(cx, Counter::Delivered);
                verdict
            }
            Ok((verdict, Delivery::Consumed)) => {
                self.stats.count(cx, Counter::Consumed);
                verdict
            }
            Err((packet, reason)) => {
                self.stats.count(cx, reason);
                packet.pass()
            }
        }
    }
}
