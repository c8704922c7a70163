// SPDX-License-Identifier: GPL-2.0

//! What tracepoints say of packets.
//!
//! While nobody looks, a packet passes by no-ops in the code, and nothing here is called. Then the
//! flow of a packet is read where it is met behind the driver, also where it is known, and each CPU
//! keeps it of the last packets: further on their headers lie elsewhere, or are gone.

use kernel::{
    prelude::*,
    str::CStr, //
};
use knet::{
    context::RxContext,
    express::Crossed,
    local::Local,
    queue::{
        Memo,
        Waiting, //
    },
    trace::{
        By,
        PacketId,
        Seen,
        Stage,
        To, //
    },
    veth::Delivered,
    vxlan::Decapsulated,
    Frame,
    Met, //
};

use crate::{
    classify::Flow,
    datapath::Shared,
    latency::{
        Moment,
        Service, //
    },
    ruleset::{
        Action,
        Verdict, //
    },
    stats::Counter, //
};

pub(crate) use knet::trace::is_watched;

/// Of how many packets a CPU keeps the flow: more than are under way on it, a batch at most.
const KEPT: usize = 128;

/// The packets that were seen last.
struct Ring {
    seen: KVVec<Seen>,
    last: usize,
}

/// The packets that each CPU has seen last.
pub(crate) struct Trace(Local<Ring>);

impl Trace {
    /// None yet.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Self> {
        let ring = || {
            Ok(Ring {
                seen: KVVec::from_elem(Seen::default(), KEPT, GFP_KERNEL)?,
                last: 0,
            })
        };

        Ok(Self(Local::new(ring)?))
    }

    fn note(&self, cx: &RxContext<'_>, seen: Seen) {
        self.0.with(cx, |ring| {
            ring.last = ring.last.wrapping_add(1) % KEPT;
            if let Some(place) = ring.seen.get_mut(ring.last) {
                *place = seen;
            }
        });
    }

    /// What is known of a packet that was seen at its entry.
    #[cold]
    pub(crate) fn of(&self, cx: &RxContext<'_>, id: PacketId) -> Seen {
        let find = |ring: &mut Ring| {
            // The last first, as an address may have been another packet's before.
            let (new, old) = ring.seen.split_at_checked(ring.last.wrapping_add(1))?;

            let mut seen = Iterator::chain(new.iter().rev(), old.iter().rev());

            seen.find(|seen| seen.id() == id).copied()
        };

        self.0
            .with(cx, find)
            .flatten()
            .unwrap_or_else(|| Seen::unknown(id))
    }

    /// What is known of the packet that was seen last.
    fn last(&self, cx: &RxContext<'_>) -> Seen {
        let last = |ring: &mut Ring| ring.seen.get(ring.last).copied();

        self.0.with(cx, last).flatten().unwrap_or_default()
    }
}

/// What is told of a packet with its flow, if it has one.
fn seen(id: PacketId, flow: Option<&Flow>) -> Seen {
    let Some(flow) = flow else {
        return Seen::unknown(id);
    };
    let transport = flow.transport();

    Seen::new(
        id,
        flow.vni().map(|vni| vni.get()),
        (flow.source(), transport.source_port),
        (flow.destination(), transport.destination_port),
        transport.protocol.0,
        flow.dscp(),
    )
}

impl Shared {
    /// A frame, of which all later events tell the flow.
    #[cold]
    pub(crate) fn see(&self, cx: &RxContext<'_>, frame: &Frame<'_>) -> Seen {
        let flow = match frame.is_merged() {
            // Its headers may be those of several.
            true => None,
            false => self.parse(frame).ok(),
        };
        let seen = seen(frame.id(), flow.as_ref());

        // A clock is not read where another packet is under way, or this one was held back and is known.
        if !self.inflight.is_busy(cx) && !self.gate.is_serving(cx) {
            self.latency.begins(cx);
        }
        self.trace.note(cx, seen);
        seen
    }

    /// The same for a packet that has waited, and was `met` like that.
    #[cold]
    pub(crate) fn see_waiting(&self, cx: &RxContext<'_>, packet: &Waiting, met: Met) -> Seen {
        let seen = seen(packet.id(), self.flow_of_waiting(packet, met).as_ref());

        self.trace.note(cx, seen);
        seen
    }

    /// Counts a frame that is left to the kernel where it was met.
    #[inline(never)]
    pub(crate) fn leaves_entry(
        &self,
        cx: &RxContext<'_>,
        frame: &Frame<'_>,
        reason: impl Into<Counter>,
    ) {
        let reason = reason.into();

        self.stats.count(cx, reason);
        if is_watched() {
            self.see(cx, frame).is_left(Stage::Entry, reason as usize);
        }
    }

    /// Tells what the rules say of a frame.
    #[cold]
    pub(crate) fn trace_classified(
        &self,
        cx: &RxContext<'_>,
        frame: &Frame<'_>,
        action: Option<&Action>,
        verdict: Verdict,
    ) {
        let seen = self.see(cx, frame);
        let rule: &CStr = action.map_or(c"", Action::name);
        let classes = (verdict.class as usize, verdict.own as usize);

        self.latency.runs(
            cx,
            Service {
                class: verdict.class,
                rule: action.map(Action::id),
            },
        );

        seen.classified(frame.device(), frame.len(), rule, classes);
        if let Some(action) = action.filter(|_| verdict.class != verdict.own) {
            seen.is_demoted(Counter::Demoted as usize, action.packets_per_second());
        }
    }

    /// Counts the frame that was just classified as one that is served in a lower class, as it exceeds
    /// `limit`, if there is one.
    pub(crate) fn demotes(&self, cx: &RxContext<'_>, reason: Counter, limit: u32) {
        self.stats.count(cx, reason);
        if is_watched() {
            self.trace.last(cx).is_demoted(reason as usize, limit);
        }
    }

    /// Counts a packet that is left to the kernel behind its entry.
    #[cold]
    pub(crate) fn leaves(
        &self,
        cx: &RxContext<'_>,
        id: PacketId,
        stage: Stage,
        reason: impl Into<Counter>,
    ) {
        let reason = reason.into();

        self.stats.count(cx, reason);
        if is_watched() {
            self.trace.of(cx, id).is_left(stage, reason as usize);
        }
    }

    /// Counts a packet that was lost.
    #[cold]
    pub(crate) fn loses(&self, cx: &RxContext<'_>, id: PacketId, reason: Counter) {
        self.stats.count(cx, reason);
        if is_watched() {
            self.trace.of(cx, id).is_dropped(reason as usize);
        }
    }

    /// Counts the packets that `purge` drops as their device goes away, which shows it each.
    ///
    /// Context: process.
    pub(crate) fn purged(
        &self,
        reason: Counter,
        purge: impl FnOnce(&dyn Fn(&RxContext<'_>, &Waiting, Memo)) -> u32,
    ) {
        let packets = purge(&|cx, packet, memo| {
            if is_watched() {
                // Whatever waits, its word begins with how it was met.
                let met = Met::from_word(memo.word);

                self.see_waiting(cx, packet, met)
                    .is_dropped(reason as usize);
            }
        });

        self.stats.count_many(reason, packets);
    }

    /// By which way the packets go that this CPU takes through the stages.
    pub(crate) fn way(&self, cx: &RxContext<'_>) -> By {
        if self.batch.is_serving(cx) {
            By::Batch
        } else {
            By::Sync
        }
    }

    /// Tells that a VXLAN device is to receive a packet.
    #[cold]
    pub(crate) fn trace_tunnel(&self, cx: &RxContext<'_>, packet: &Decapsulated<'_>) {
        let seen = self.trace.of(cx, packet.id());

        seen.enters(packet.device(), To::Tunnel, self.way(cx));
    }

    /// Tells that the device in a container is to receive a packet.
    #[cold]
    pub(crate) fn trace_container(&self, cx: &RxContext<'_>, packet: &Delivered<'_>) {
        let seen = self.trace.of(cx, packet.id());

        seen.enters(packet.device(), To::Container, self.way(cx));
        // One of a batch waits for the others.
        if !self.batch.is_serving(cx) {
            self.is_delivered(cx);
        }
    }

    /// The same by the short way.
    #[cold]
    pub(crate) fn trace_crossed(&self, cx: &RxContext<'_>, packet: &Crossed<'_>) {
        let seen = self.trace.of(cx, packet.id());

        seen.enters(packet.device(), To::Container, By::Express);
        self.is_delivered(cx);
    }

    /// Tells that a packet that has waited for its batch goes through the stages.
    #[cold]
    pub(crate) fn trace_batch(&self, cx: &RxContext<'_>, packet: &Waiting, memo: Memo) {
        let seen = self.see_waiting(cx, packet, Met::from_word(memo.word));

        seen.goes(To::Stack, By::Batch);
        self.latency.recall(cx, memo);
        self.enters_host(cx, &seen);
    }

    /// The same for one that goes alone, at once.
    #[cold]
    pub(crate) fn trace_run(&self, cx: &RxContext<'_>, id: PacketId) {
        let seen = self.trace.of(cx, id);

        seen.goes(To::Stack, By::Sync);
        self.enters_host(cx, &seen);
    }

    /// Without a tunnel a packet is where it is to be, as far as is known here: where the host forwards it,
    /// its time is not counted again.
    fn enters_host(&self, cx: &RxContext<'_>, seen: &Seen) {
        if seen.is_of_host() {
            self.is_delivered(cx);
            self.latency.resumes(cx, Moment::NONE);
        }
    }

    /// What a queue keeps of the packet that this CPU has before it, with `word`.
    #[inline]
    pub(crate) fn memo(&self, cx: &RxContext<'_>, word: u32) -> Memo {
        if is_watched() {
            self.latency.memo(cx, word)
        } else {
            Memo::of(word)
        }
    }

    /// Tells whereto a packet goes that was seen at its entry.
    #[cold]
    pub(crate) fn trace_goes(&self, cx: &RxContext<'_>, id: PacketId, to: To, way: By) {
        self.trace.of(cx, id).goes(to, way);
    }
}
