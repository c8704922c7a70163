// SPDX-License-Identifier: GPL-2.0

//! The short way of a packet, from the NIC into a container in one step.
//!
//! The kernel shows the way: where it takes a packet from a NIC over a VXLAN device and a bridge to a
//! veth, a [`Way`] is learnt. For a second, a packet with the same headers can go it without the
//! layers in between, unless somebody there would see it. Whatever may change a way ends it.
//!
//! Not supported: ways with routing, VLANs, more than one bridge, or another pair than veth.

use core::ptr;

use crate::{
    bindings,
    context::RxContext,
    inflight::InFlight,
    netdev::NetDevice,
    queue::Waiting,
    routes::Routes,
    skb::{
        Frame,
        PacketId,
        Skb,
        Verdict, //
    },
    veth::EgressPacket, //
};

/// A way that the kernel has shown, or none.
#[derive(Clone, Copy, Default)]
pub struct Way(bindings::knet_express);

// SAFETY: The pointers are used only in the receive path and while the way is current, by any thread.
unsafe impl Send for Way {}

impl Way {
    /// The way as it is known after `before`. One that a hook or a program has had packets go, which has
    /// gone while the packet was under way, is told by the next packet, which goes another.
    pub fn after(mut self, before: &Self) -> Self {
        let (Self(now), Self(was)) = (&self, before);
        let is_same = ptr::eq(now.vxlan, was.vxlan)
            && ptr::eq(now.bridge, was.bridge)
            && ptr::eq(now.veth, was.veth);

        self.0.confirmed = !now.seen && was.known && !was.seen && is_same;
        self
    }
}

/// Why a packet cannot go the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The kernel has to show the way first, or again.
    Learn,
    /// Netfilter or IPsec policies would see the packet.
    Hook,
    /// A packet socket would see it.
    Tap,
    /// A tc or XDP program or a qdisc would see it.
    Tc,
    /// The packet is not one that those layers would only pass on.
    Packet,
    /// Packets that were left to the pair's driver wait on this CPU, and would be overtaken.
    Behind,
}

/// What was in force when a packet began to show the way.
#[derive(Clone, Copy, Default)]
pub struct Start(bindings::knet_express_start);

// SAFETY: The pointer is compared only, unless the packet is still in the receive path.
unsafe impl Send for Start {}

impl Leave {
    fn from_c(result: bindings::knet_express_result) -> Self {
        match result {
            bindings::knet_express_result_KNET_EXPRESS_LEARN => Self::Learn,
            bindings::knet_express_result_KNET_EXPRESS_HOOK => Self::Hook,
            bindings::knet_express_result_KNET_EXPRESS_TAP => Self::Tap,
            bindings::knet_express_result_KNET_EXPRESS_TC => Self::Tc,
            bindings::knet_express_result_KNET_EXPRESS_BEHIND => Self::Behind,
            _ => Self::Packet,
        }
    }
}

/// What became of a frame that was to go the short way.
pub enum Crossing<'a> {
    /// It is at the container.
    Crossed(Crossed<'a>),
    /// It was dropped on the way, as the kernel would have.
    Dropped(Verdict<'a>),
    /// It has to go the kernel's way, and is as it was; its headers may lie elsewhere.
    Left(Frame<'a>, Leave),
}

/// A packet that the device in a container is to receive.
pub struct Crossed<'a>(Skb<'a>);

impl<'a> Crossed<'a> {
    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        self.0.id()
    }

    /// The device in the container.
    #[inline]
    pub fn device(&self) -> NetDevice<'_> {
        self.0.device()
    }

    /// Receives it now, with its route of `routes`. Nothing else is taken into flight meanwhile.
    #[inline]
    pub fn receive(self, inflight: &InFlight, routes: &Routes) -> Verdict<'a> {
        let cx = self.0.cx;

        Waiting::past_entry(self.0).receive_delivered(&cx, inflight, routes);
        Verdict::taken()
    }
}

/// What became of a packet that has waited and was to go the short way.
pub enum WaitingCrossing<'a> {
    /// It is at the container.
    Crossed(Crossed<'a>),
    /// It was dropped on the way, as the kernel would have.
    Dropped,
    /// It has to go the kernel's way, and is as it was.
    Left(Waiting, Leave),
}

impl Waiting {
    /// The same for a packet that has waited, and was met at GRO and untagged.
    #[inline]
    pub fn cross<'a>(self, cx: &RxContext<'a>, way: &Way) -> WaitingCrossing<'a> {
        let skb = self.as_ptr();

        // SAFETY: By its invariants the packet is its owner's to change; what was met at GRO waits with its
        // data at the network header, and if it is changed it is not given back.
        match unsafe { bindings::knet_express_cross(skb, &way.0) } {
            bindings::knet_express_result_KNET_EXPRESS_CROSSED => {
                WaitingCrossing::Crossed(Crossed(Skb::owned(self.into_raw(), *cx)))
            }
            bindings::knet_express_result_KNET_EXPRESS_DROPPED => {
                // The packet is gone.
                let _ = self.into_raw();
                WaitingCrossing::Dropped
            }
            leave => WaitingCrossing::Left(self, Leave::from_c(leave)),
        }
    }
}

impl<'a> Frame<'a> {
    /// What is in force before the packet shows its way by running to completion.
    #[inline]
    pub fn begin(&self) -> Start {
        let mut start = Default::default();

        // SAFETY: By the invariants of `Skb` the packet may be looked at.
        unsafe { bindings::knet_express_begin(self.as_ptr(), &mut start) };
        Start(start)
    }

    /// Takes a packet that was met at GRO across to the container by the short way, if it may go it.
    ///
    /// `way` must have been learnt for packets with the headers of this one.
    #[inline]
    pub fn cross(mut self, way: &Way) -> Crossing<'a> {
        if !self.is_at_gro() || !self.is_untagged() {
            return Crossing::Left(self, Leave::Packet);
        }
        // SAFETY: By the invariants of `Skb` the packet is ours to change, its data begins at the
        // network header, and if more of it is changed than where its headers lie, the hook does not
        // give it back.
        match unsafe { bindings::knet_express_cross(self.as_ptr(), &way.0) } {
            bindings::knet_express_result_KNET_EXPRESS_CROSSED => {
                Crossing::Crossed(Crossed(self.into_skb()))
            }
            bindings::knet_express_result_KNET_EXPRESS_DROPPED => {
                Crossing::Dropped(Verdict::taken())
            }
            leave => {
                self.forget_head();
                Crossing::Left(self, Leave::from_c(leave))
            }
        }
    }
}

impl EgressPacket<'_> {
    /// The way of this packet, which is in flight since `start`, up to here.
    pub fn way(&self, cx: &RxContext<'_>, inflight: &InFlight, start: &Start) -> Option<Way> {
        let mut way = Way::default();
        let tunnel = inflight.tunnel(cx, start.0.nic)?;

        // SAFETY: The packet is that of an egress hook; all devices are on its way, so that they
        // stay as long as it is in the receive path.
        let is_known = unsafe {
            bindings::knet_express_learn(
                &start.0,
                self.skb(),
                self.device(),
                tunnel.device,
                tunnel.is_cross_net,
                &mut way.0,
            )
        };
        is_known.then_some(way)
    }
}

/// Follows what may change a way. Dropping it stops that.
pub struct Follower(());

impl Follower {
    /// Starts to follow; what was learnt before is forgotten.
    ///
    /// Context: process; sleeps, takes the RTNL. There must be one at a time, while packets go the
    /// short way.
    pub fn new() -> kernel::prelude::Result<Self> {
        // SAFETY: Process context; undone when this is dropped.
        crate::to_result(unsafe { bindings::knet_express_follow() })?;
        Ok(Self(()))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // SAFETY: `new` succeeded.
        unsafe { bindings::knet_express_unfollow() };
    }
}
