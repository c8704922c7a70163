// SPDX-License-Identifier: GPL-2.0

//! The turns of a stage: polls of its NAPI instance.

use core::{
    ffi::c_void,
    sync::atomic::Ordering, //
};

use kernel::{
    cpu::CpuId,
    ffi::c_int, //
};

use super::{
    schedule,
    Serve,
    Served,
    Stage, //
};
use crate::{
    bindings,
    context::{
        Entered,
        RxContext, //
    },
    queue::Waiting,
    skb::{
        Frame,
        Met,
        Verdict,
        View, //
    },
};

/// A turn of a stage: its NAPI instance is polled.
pub struct Turn<'a, T: Serve> {
    stage: &'a Stage<T>,
    cx: RxContext<'a>,
    budget: u32,
}

impl<'a, T: Serve> Turn<'a, T> {
    /// The context of the poll.
    #[inline]
    pub fn context(&self) -> &RxContext<'a> {
        &self.cx
    }

    /// The stage.
    #[inline]
    pub fn stage(&self) -> &'a Stage<T> {
        self.stage
    }

    /// How many packets a turn serves at most where nothing speaks against it: the weight of NAPI.
    #[inline]
    pub fn budget(&self) -> u32 {
        self.budget
    }

    /// Gives a packet back to the kernel, which goes on behind GRO.
    #[inline]
    pub fn receive(&self, packet: Waiting) {
        // SAFETY: The packet is ours to give away, and BH is off.
        unsafe { bindings::netif_receive_skb(packet.into_raw().as_ptr()) };
    }

    /// Calls `f` with a packet as the frame that it was before it waited, which was `met` like that. What
    /// is passed goes on where it was met: GRO is asked once more, and then has to be told to go on.
    #[inline]
    pub fn run(
        &self,
        packet: Waiting,
        met: Met,
        f: impl for<'b> FnOnce(&RxContext<'b>, Frame<'b>) -> Verdict<'b>,
    ) {
        let mut view = View::uninit();
        let frame = packet.into_frame(self.cx, met, &mut view);
        let cx = *frame.context();
        let skb = frame.as_ptr();

        if f(&cx, frame).is_taken() {
            return;
        }
        // SAFETY: The frame was passed, so that the packet is still ours to give away; BH is off, and the
        // instance is the one that is polled.
        unsafe {
            if met.is_at_gro() {
                let _ = bindings::knet_napi_gro_receive(self.stage.napi(), skb);
            } else {
                bindings::netif_receive_skb(skb);
            }
        }
    }

    /// Gives a packet back to the kernel's GRO. It is received when the turn ends at the latest. Whether it
    /// is now part of another packet, and goes on with that.
    #[inline]
    pub fn merge(&self, packet: Waiting) -> bool {
        // SAFETY: As above; the instance is the one that is polled.
        unsafe { bindings::knet_napi_gro_receive(self.stage.napi(), packet.into_raw().as_ptr()) }
    }

    /// Has GRO give back what it holds.
    pub fn flush(&self) {
        // SAFETY: By the invariants of the stage; this is a poll.
        unsafe { bindings::knet_napi_flush(self.stage.napi()) };
    }

    /// Has the driver that brought packets here polled before the next turn, without an interrupt.
    #[inline]
    pub fn poll_driver(&self) {
        // SAFETY: By the invariants of the stage; this is a poll.
        unsafe { bindings::knet_napi_poll_driver(self.stage.napi()) };
    }
}

/// # Safety
///
/// Called by NAPI for an instance of a `Stage<T>`, which is `data`.
pub(super) unsafe extern "C" fn poll<T: Serve>(
    data: *mut c_void,
    napi: *mut bindings::knet_napi,
    budget: c_int,
) -> c_int {
    // SAFETY: By the safety requirements of this function; the stage outlives its instance.
    let stage = unsafe { &*data.cast::<Stage<T>>() };
    // SAFETY: NAPI polls with BH off and without locks of the receive path, and the C side inside an RCU
    // read-side section.
    let entered = unsafe { Entered::new() };
    let turn = Turn {
        stage,
        cx: entered.context(),
        budget: budget.unsigned_abs(),
    };

    // A poll without a budget is netpoll's, which wants to send only.
    if budget == 0 {
        return 0;
    }
    // Where its CPU went offline and another one has the turn, nothing that its own receives is of it.
    let is_here = CpuId::current().as_u32() == stage.cpu;
    stage.is_serving.store(is_here, Ordering::Relaxed);
    let served = T::serve(&turn);
    let done = |packets: u32| (packets as c_int).clamp(0, budget.wrapping_sub(1));
    // Either way, what GRO holds is received, hence inside the turn. What is left has its next one
    // behind those of others, in this round if nobody wants a new one.
    // SAFETY: The instance is polled, and its budget is not used up.
    let done = unsafe {
        match served {
            Served::All { packets } => {
                let done = done(packets);
                bindings::knet_napi_complete(napi, done);
                done
            }
            Served::Some { packets } => {
                let done = done(packets);
                bindings::knet_napi_complete(napi, done);
                schedule::<T>(napi);
                done
            }
        }
    };
    stage.is_serving.store(false, Ordering::Relaxed);
    done
}
