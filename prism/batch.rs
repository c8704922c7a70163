// SPDX-License-Identifier: GPL-2.0

//! Mode `batch`: the packets of class `high` that a NIC's poll brings go through the stages together,
//! all of them through one before any goes through the next, and before anything else has a turn.
//!
//! They wait on their CPU until the NIC's poll is over. Then it is the turn of a NAPI instance of the
//! module's own, which is put in front of all others. It has them received; what VXLAN then would queue
//! it keeps, receives it when it is through with the first stage, and likewise at the containers. So
//! packets wait for those of their batch alone, and a stage's code and data are used for all of them at
//! once.

use kernel::prelude::*;
use knet::{
    context::RxContext,
    local::Local,
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
    trace::{
        By,
        To, //
    },
    Frame,
    Met,
    Verdict, //
};

use crate::{
    breaker::Invariant,
    classify::cache::Ticket,
    config::LIMIT,
    datapath::{
        current,
        Shared, //
    },
    stats::Counter,
    trace::is_watched, //
};

/// What of a batch waits behind the first stage. Nothing does but while the batch is served.
#[derive(Default)]
struct Train {
    /// What VXLAN devices are to receive.
    decapsulated: PacketQueue,
    /// What containers are to receive.
    delivered: PacketQueue,
}

/// The packets of class `high` that wait for the end of a NIC's poll. The word of each says how it
/// was met.
#[derive(Default)]
pub(crate) struct Arrived(PacketQueue);

/// The batches of all CPUs.
pub(crate) struct Batch {
    stages: Stages<Arrived>,
    train: Local<Train>,
}

impl Batch {
    /// Nothing waits.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            stages: Stages::new(Arrived::default)?,
            train: Local::new(|| Ok(Train::default()))?,
        })
    }

    /// Waits until nothing waits any more, where nothing comes.
    ///
    /// Context: process; sleeps.
    pub(crate) fn drain(&self) {
        self.stages.drain();
    }

    /// Whether packets wait on this CPU.
    #[inline]
    pub(crate) fn holds(&self, cx: &RxContext<'_>) -> bool {
        self.stages.holds(cx)
    }

    /// Whether what this CPU receives is of a batch.
    #[inline]
    pub(crate) fn is_serving(&self, cx: &RxContext<'_>) -> bool {
        self.stages.here(cx).is_serving()
    }

    /// Has a frame wait for the others of its batch.
    ///
    /// Not inlined: who does not need it would pay for its registers.
    #[inline(never)]
    pub(crate) fn add<'a>(
        &self,
        cx: &RxContext<'_>,
        path: &Shared,
        frame: Frame<'a>,
    ) -> Verdict<'a> {
        let id = frame.id();
        let stage = self.stages.here(cx);
        let added = stage.with(cx, |arrived| {
            // A softirq is over after fewer, but nothing may grow without a bound.
            if arrived.0.len() >= LIMIT.get() {
                return Err(frame);
            }
            let met = frame.met();
            let (verdict, packet) = frame.defer();

            arrived.0.push(packet, path.memo(cx, met.word()));
            Ok(verdict)
        });

        match added {
            Ok(verdict) => {
                stage.schedule(cx);
                path.stats.count(cx, Counter::Batched);
                if is_watched() {
                    path.trace_goes(cx, id, To::Batch, By::Batch);
                }
                verdict
            }
            Err(frame) => {
                path.counts_refusal(cx, Ticket::NONE, &frame);
                path.loses(cx, id, Counter::DroppedHigh);
                frame.discard()
            }
        }
    }

    /// Adds a packet that a VXLAN device is to receive.
    #[inline]
    pub(crate) fn add_decapsulated(&self, cx: &RxContext<'_>, packet: Waiting, memo: Memo) {
        self.train
            .with(cx, |train| train.decapsulated.push(packet, memo));
    }

    /// Adds a packet that a container is to receive.
    #[inline]
    pub(crate) fn add_delivered(&self, cx: &RxContext<'_>, packet: Waiting, memo: Memo) {
        self.train
            .with(cx, |train| train.delivered.push(packet, memo));
    }

    /// Whether nothing is left between the stages.
    fn is_over(&self, cx: &RxContext<'_>) -> bool {
        let is_empty =
            |train: &mut Train| train.decapsulated.is_empty() && train.delivered.is_empty();

        self.train.with(cx, is_empty).unwrap_or(false)
    }

    fn next_decapsulated(&self, cx: &RxContext<'_>) -> Option<(Waiting, Memo)> {
        self.train.with(cx, |train| train.decapsulated.pop())?
    }

    fn next_delivered(&self, cx: &RxContext<'_>) -> Option<(Waiting, Memo)> {
        self.train.with(cx, |train| train.delivered.pop())?
    }

    /// Drops what was received on a device that goes away.
    ///
    /// Context: process, under RTNL; sleeps.
    pub(crate) fn purge(&self, path: &Shared, device: NetDevice<'_>) {
        path.purged(Counter::DroppedHigh, |each| self.stages.purge(device, each));
    }
}

impl Serve for Arrived {
    type Seen = ();

    const NAME: &'static CStr = c"prism_batch";
    const IS_FIRST: bool = true;

    fn packets(&self) -> u32 {
        self.0.len()
    }

    fn purge(&mut self, device: NetDevice<'_>, to: &mut PacketQueue) {
        self.0.purge(device, to, |_| ());
    }

    fn serve(turn: &Turn<'_, Self>) -> Served {
        match current(turn.context()) {
            Some(path) if path.batch.stages.is_here(turn.context(), turn.stage()) => {
                path.serve_batch(turn)
            }
            // Nothing is left to decide about, or what waits between the stages is another CPU's.
            _ => serve(turn, |packet, _| turn.receive(packet)),
        }
    }
}

impl Shared {
    /// Takes a batch through all stages, one after the other.
    fn serve_batch(&self, turn: &Turn<'_, Arrived>) -> Served {
        let cx = turn.context();

        self.begins_turn(cx);
        self.breaker
            .check(cx, Invariant::Batch, self.batch.is_over(cx));
        let served = serve(turn, |packet, memo| {
            if is_watched() {
                self.trace_batch(cx, &packet, memo);
            }
            turn.run(packet, Met::from_word(memo.word), |_, frame| {
                self.watch(cx, || frame.run_to_completion(&self.inflight, &self.routes))
            });
        });

        while let Some((packet, memo)) = self.batch.next_decapsulated(cx) {
            if is_watched() {
                self.latency.recall(cx, memo);
            }
            packet.receive_decapsulated(cx, &self.inflight);
        }
        while let Some((packet, memo)) = self.batch.next_delivered(cx) {
            if is_watched() {
                self.latency.recall(cx, memo);
                self.is_delivered(cx);
            }
            self.watch(cx, || {
                packet.receive_delivered(cx, &self.inflight, &self.routes)
            });
        }
        served
    }
}

/// Gives the packets that wait to `give`, with what was kept of each.
fn serve(turn: &Turn<'_, Arrived>, mut give: impl FnMut(Waiting, Memo)) -> Served {
    let most = turn.budget();

    for packets in 0..most {
        let next = turn.stage().with(turn.context(), |arrived| arrived.0.pop());
        let Some((packet, memo)) = next else {
            return Served::All { packets };
        };
        give(packet, memo);
    }
    Served::Some { packets: most }
}
