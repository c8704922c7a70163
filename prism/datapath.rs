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
    express::Way,
    gro::ReceiveFrame,
    inflight::InFlight,
    learnt::Refreshed,
    local::Local,
    rcu::RcuCell,
    receivers::Receivers,
    routes::Routes,
    spare::Spares,
    trace::{
        By,
        Stage,
        To, //
    },
    veth::{
        Delivered,
        Delivery,
        EgressPacket,
        TransmitPacket, //
    },
    vxlan::{
        self,
        Decapsulated,
        Decapsulation,
        Handled,
        ReceiveTunnel,
        TunnelPacket, //
    },
    Frame,
    Verdict, //
};

use crate::{
    batch::Batch,
    breaker::Breaker,
    classify::{
        cache::Slot,
        train::Train,
        Cache,
        Class, //
    },
    config::PRIORITY_HIGH,
    devices::Devices,
    displaced::Waiting,
    express::Lesson,
    found::{
        Changed,
        Found, //
    },
    gate::Gate,
    hooks::Trim,
    isolation::{
        Isolation,
        Return, //
    },
    latency::{
        Latency,
        Moment, //
    },
    ports::Ports,
    ruleset::Rules,
    settings::{
        Mode,
        Settings, //
    },
    stats::{
        Counter,
        Stats, //
    },
    trace::{
        is_watched,
        Trace, //
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
    /// What waits for its turn.
    pub(crate) isolation: Isolation,
    /// What goes through the stages together.
    pub(crate) batch: Batch,
    /// What is held back while something changes.
    pub(crate) gate: Gate,
    /// Turns the module off where it is broken.
    pub(crate) breaker: Breaker,
    /// Removes hooks that are not needed, while there are hooks.
    pub(crate) trim: RcuCell<Trim>,
    /// The flows that each CPU knows, with their ways.
    pub(crate) flows: Local<Flows>,
    /// Learns the ways.
    pub(crate) lesson: Lesson,
    /// The packets that run to completion.
    pub(crate) inflight: InFlight,
    /// The tasks that those of class `high` wake.
    pub(crate) receivers: Arc<Receivers>,
    /// The routes that packets have had.
    pub(crate) routes: Routes,
    /// How long packets take.
    pub(crate) latency: Latency,
    /// The packets that tracepoints tell of.
    pub(crate) trace: Trace,
    refreshed: Refreshed,
    spares: Spares,
}

/// What is kept beside a flow that a CPU knows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside {
    /// The short way of its packets.
    pub(crate) way: Way,
    /// What of it came last.
    pub(crate) train: Train,
    /// Where packets of it wait.
    pub(crate) waiting: Waiting,
}

/// The flows that a CPU knows.
pub(crate) type Flows = Cache<KVVec<Slot<Beside>>>;

/// How many flows a CPU knows at most.
const FLOWS_MAX: usize = 512;

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
                isolation: Isolation::new()?,
                batch: Batch::new()?,
                gate: Gate::new()?,
                breaker: Breaker::new(),
                trim: RcuCell::new(),
                flows: {
                    let mut number = 0u16;

                    Local::new(|| {
                        let slots = KVVec::from_elem(Slot::vacant(), FLOWS_MAX, GFP_KERNEL)?;

                        number = number.checked_add(1).ok_or(E2BIG)?;
                        Ok(Cache::new(slots, number))
                    })?
                },
                lesson: Lesson::new()?,
                inflight: InFlight::new()?,
                receivers: Arc::pin_init(Receivers::new(), GFP_KERNEL)?,
                routes: Routes::new()?,
                latency: Latency::new()?,
                trace: Trace::new()?,
                refreshed: Refreshed::new()?,
                spares: Spares::new()?,
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

/// Tags a packet of class `high`.
#[inline]
pub(crate) fn tag(frame: &mut Frame<'_>) {
    if let Some(priority) = PRIORITY_HIGH.get() {
        frame.set_priority(priority);
    }
}

/// The hooks of the packet path.
pub(crate) struct Path;

#[inline]
pub(crate) fn current<'a>(cx: &RxContext<'a>) -> Option<&'a Shared> {
    CURRENT.read(cx).map(|path| &*path.shared)
}

impl ReceiveFrame for Path {
    #[inline]
    fn is_idle(cx: &RxContext<'_>) -> bool {
        let is_idle = |path: &Shared| {
            // What is served has been looked at before it waited.
            path.isolation.is_serving(cx)
                || path.gate.is_serving(cx)
                || path.rules.read(cx).is_none() && !path.has_queued(cx) && !path.gate.holds(cx)
        };

        current(cx).is_none_or(is_idle)
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
            Some(path) if path.takes_into_flight(&cx, &packet) => {
                if is_watched() {
                    // It is several, each with a moment of its own.
                    path.latency.resumes(&cx, Moment::NONE);
                }
                packet.fly(&path.inflight, |packet| path.decapsulate(&cx, packet))
            }
            _ => {
                packet.untag(PRIORITY_HIGH.get());
                packet.pass()
            }
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
    /// Whether packets wait in queues of the module's on this CPU.
    #[inline]
    pub(crate) fn has_queued(&self, cx: &RxContext<'_>) -> bool {
        self.isolation.holds(cx) || self.batch.holds(cx)
    }

    /// The first stage.
    #[inline]
    fn receive<'a>(&self, cx: &RxContext<'_>, frame: Frame<'a>) -> Verdict<'a> {
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
            self.leaves_entry(cx, &frame, Counter::KernelBusy);
            return frame.pass();
        }
        let mut settings = self.gate.settings(cx);

        if settings.is_outdated() {
            // What is broken is not waited for.
            if self.breaker.broken().is_some() {
                return frame.pass();
            }
            if self.has_queued(cx) || !self.gate.opens(cx) {
                return self.gate.hold(cx, self, frame);
            }
            settings = self.gate.settings(cx);
        }
        self.receive_adopted(cx, frame, settings)
    }

    /// The same for a frame that nothing else has to go before, by the settings that this CPU acts by.
    #[inline]
    pub(crate) fn receive_adopted<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        settings: Settings,
    ) -> Verdict<'a> {
        let found = match self.rules.read(cx) {
            Some(rules) => self.classify(cx, rules, &frame, settings),
            // The last may have gone since the gate was passed.
            None if settings.is_outdated() => Err(Changed),
            None => Ok(Found::unknown(Return::Merge)),
        };
        let Ok(mut found) = found else {
            return self.gate.hold(cx, self, frame);
        };

        self.keep_order(cx, &mut found, settings);
        if found.class != Class::High {
            return self.receive_other(cx, frame, &found, settings);
        }
        let is_kept = || self.keeps(cx, &frame, &found);
        if settings.is_mode(Mode::Off) || is_kept() {
            let mut frame = frame;
            if !settings.is_mode(Mode::Off) {
                self.stats.count(cx, Counter::Kept);
                if is_watched() {
                    self.trace_goes(cx, frame.id(), To::Gro, By::Kernel);
                }
            }
            tag(&mut frame);
            return frame.pass();
        }
        self.complete(cx, frame, found.place, Class::High, settings)
    }

    /// The same for a frame of another class than `high`.
    ///
    /// Not inlined: class `high` would pay for its registers.
    #[inline(never)]
    fn receive_other<'a>(
        &self,
        cx: &RxContext<'_>,
        frame: Frame<'a>,
        found: &Found,
        settings: Settings,
    ) -> Verdict<'a> {
        if settings.isolates() || self.isolation.holds(cx) || found.has_to_wait(settings) {
            return self.defer(cx, frame, found);
        }
        if settings.accelerates(found.class)
            && frame.is_untagged()
            && found.how(&frame) == Return::Alone
        {
            self.stats.count(cx, Counter::Accelerated);
            return self.complete(cx, frame, found.place, found.class, settings);
        }
        frame.pass()
    }

    /// Whether a datagram that is not in flight is to be: merged by GRO, and of class `high` or of one that
    /// is accelerated.
    #[inline]
    fn takes_into_flight(&self, cx: &RxContext<'_>, packet: &TunnelPacket<'_>) -> bool {
        let settings = self.gate.settings(cx);
        // By its tag, as nothing else tells it behind GRO. Another packet with that priority is as well
        // served.
        let is_kept =
            || !settings.is_mode(Mode::Off) && PRIORITY_HIGH.get() == Some(packet.priority());
        let is_accelerated =
            settings.accelerates(Class::Bulk) || self.isolation.is_accelerating(cx);

        (is_accelerated || is_kept()) && !self.inflight.is_busy(cx)
    }

    /// Takes hooks that are not needed away soon, if there are hooks.
    #[cold]
    pub(crate) fn trim(&self, cx: &RxContext<'_>) {
        if let Some(trim) = self.trim.read(cx) {
            trim.queue();
        }
    }

    /// The VXLAN socket.
    #[inline]
    fn decapsulate<'a>(&self, cx: &RxContext<'_>, packet: TunnelPacket<'a>) -> Handled<'a> {
        let id = packet.id();

        match packet.decapsulate(&self.inflight, &self.refreshed, PRIORITY_HIGH.get()) {
            Ok(Decapsulation::Done(packet)) => {
                let handled = self.enter_tunnel(cx, packet);

                self.stats.count(cx, Counter::Decapsulated);
                handled
            }
            Ok(Decapsulation::Gone(handled)) => {
                self.loses(cx, id, Counter::Dropped);
                handled
            }
            Err((packet, reason @ (vxlan::Leave::Learn | vxlan::Leave::Refresh))) => {
                self.leaves(cx, packet.id(), Stage::Tunnel, reason);
                packet.untag(PRIORITY_HIGH.get());
                match packet.learn(&self.inflight, &self.spares) {
                    Decapsulation::Done(packet) => self.enter_tunnel(cx, packet),
                    Decapsulation::Gone(handled) => handled,
                }
            }
            Err((packet, reason)) => {
                self.leaves(cx, packet.id(), Stage::Tunnel, reason);
                packet.untag(PRIORITY_HIGH.get());
                packet.pass()
            }
        }
    }

    /// Has a VXLAN device receive a packet now, or when its batch is there.
    ///
    /// Always inlined, as one of its two callers is hot and the other hardly ever called.
    #[inline(always)]
    fn enter_tunnel<'a>(&self, cx: &RxContext<'_>, packet: Decapsulated<'a>) -> Handled<'a> {
        if is_watched() {
            self.trace_tunnel(cx, &packet);
        }
        if !self.batch.is_serving(cx) {
            return packet.receive();
        }
        let (handled, packet) = packet.wait();

        self.batch.add_decapsulated(cx, packet, self.memo(cx, 0));
        handled
    }

    /// The host's end of a pair of devices.
    #[inline]
    fn deliver<'a>(&self, cx: &RxContext<'_>, packet: EgressPacket<'a>) -> Verdict<'a> {
        let id = packet.id();

        self.learn(cx, &packet);
        match packet.deliver(&self.inflight) {
            Ok(Delivery::Crossed(packet)) => {
                let verdict = self.enter_container(cx, packet);

                self.stats.count(cx, Counter::Delivered);
                verdict
            }
            Ok(Delivery::Consumed(verdict)) => {
                self.stats.count(cx, Counter::Consumed);
                if is_watched() {
                    self.trace_goes(cx, id, To::Driver, self.way(cx));
                }
                verdict
            }
            Err((packet, reason)) => {
                self.leaves(cx, packet.id(), Stage::Container, reason);
                packet.pass()
            }
        }
    }

    /// Has a container receive a packet now, or when its batch is there.
    #[inline]
    fn enter_container<'a>(&self, cx: &RxContext<'_>, packet: Delivered<'a>) -> Verdict<'a> {
        if is_watched() {
            self.trace_container(cx, &packet);
        }
        if !self.batch.is_serving(cx) {
            return packet.receive(&self.routes);
        }
        let (verdict, packet) = packet.wait();

        self.batch.add_delivered(cx, packet, self.memo(cx, 0));
        verdict
    }
}
