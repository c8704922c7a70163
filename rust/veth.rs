// SPDX-License-Identifier: GPL-2.0

//! Delivery across a pair of devices: veth and netkit.
//!
//! A packet that is sent on one end is received on the other. The kernel queues it in between, in the
//! backlog of the CPU; here it is received at once, by the same call of the stack, if the kernel
//! would do nothing else with it.
//!
//! Not supported: packets that are still to be segmented, multi-queue pairs.
//!
//! C: `drivers/net/veth.c`, `drivers/net/netkit.c`, `__dev_queue_xmit()` in `net/core/dev.c`.

use crate::{
    bindings,
    context::RxContext,
    inflight::InFlight,
    skb::Skb,
    Verdict, //
};

/// What is done with packets that are sent on one end of a pair.
pub trait TransmitPacket: 'static {
    /// Called for each packet after all other egress hooks, with BH off.
    fn transmit(packet: EgressPacket<'_>) -> Verdict<'_>;
}

/// Why a packet must take the kernel's way to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// There is no peer, or one of the two is down.
    NoPeer,
    /// An XDP program on the peer sees packets first.
    Xdp,
    /// A qdisc schedules what is sent.
    Qdisc,
    /// A tc program sees what is sent.
    Tc,
    /// A packet socket sees what is sent.
    Tap,
    /// The packet may have to be segmented.
    Gso,
    /// The packet is larger than the peer takes.
    Mtu,
    /// The packet or the device has another property that only the kernel's path handles.
    Other,
}

/// What became of a packet that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was received on the peer.
    Received,
    /// The device consumed, dropped or queued it.
    Consumed,
}

/// A packet at the egress hook of one end of a pair.
pub struct EgressPacket<'a> {
    skb: Skb<'a>,
    dev: *mut bindings::net_device,
}

impl<'a> EgressPacket<'a> {
    /// # Safety
    ///
    /// `dev` is the device that the hook was called for and stays for the call.
    #[inline]
    pub(crate) unsafe fn new(skb: Skb<'a>, dev: *mut bindings::net_device) -> Self {
        Self { skb, dev }
    }

    /// The context of the hook.
    #[inline]
    pub fn context(&self) -> &RxContext<'a> {
        &self.skb.cx
    }

    /// Whether this is the packet in flight on this CPU. The hook has ruled out that it was made
    /// here.
    #[inline]
    pub fn is_in(&self, inflight: &InFlight) -> bool {
        self.skb.is_in(inflight)
    }

    /// Leaves the packet to the kernel.
    #[inline]
    pub fn pass(self) -> Verdict<'a> {
        Verdict::passed()
    }

    /// Has the peer receive the packet now, which ends its flight.
    ///
    /// # Errors
    ///
    /// The packet, unchanged, and why it is the kernel's to deliver.
    #[inline]
    pub fn deliver(self, inflight: &InFlight) -> Result<(Verdict<'a>, Delivery), (Self, Leave)> {
        // SAFETY: The packet is the hook's and the device stays for the call, by the safety
        // requirements of `new`; BH is off.
        let crossing = unsafe { bindings::knet_veth_cross(self.skb.as_ptr(), self.dev) };

        let delivery = match crossing {
            bindings::knet_delivery_KNET_CROSSED => {
                inflight.finish(&self.skb.cx);
                self.skb.receive();
                Delivery::Received
            }
            bindings::knet_delivery_KNET_DROPPED => {
                inflight.finish(&self.skb.cx);
                Delivery::Consumed
            }
            bindings::knet_delivery_KNET_DRIVER => {
                inflight.finish(&self.skb.cx);
                self.send()
            }
            leave => return Err((self, Leave::from_c(leave))),
        };
        Ok((Verdict::taken(), delivery))
    }

    /// Sends the packet as the kernel would and receives at once what that puts on the backlog.
    fn send(self) -> Delivery {
        // SAFETY: The packet is ours to give away. Once sent it is looked at only if it is found on
        // this CPU's backlog, and then it is ours again.
        let back = unsafe {
            bindings::knet_xmit(self.skb.as_ptr(), self.dev);
            bindings::knet_backlog_take(self.skb.as_ptr())
        };

        if !back {
            return Delivery::Consumed;
        }
        self.skb.receive();
        Delivery::Received
    }
}

impl Leave {
    #[cold]
    fn from_c(leave: bindings::knet_delivery) -> Self {
        match leave {
            bindings::knet_delivery_KNET_LEAVE_NO_PEER => Self::NoPeer,
            bindings::knet_delivery_KNET_LEAVE_XDP => Self::Xdp,
            bindings::knet_delivery_KNET_LEAVE_QDISC => Self::Qdisc,
            bindings::knet_delivery_KNET_LEAVE_TC => Self::Tc,
            bindings::knet_delivery_KNET_LEAVE_TAP => Self::Tap,
            bindings::knet_delivery_KNET_LEAVE_GSO => Self::Gso,
            bindings::knet_delivery_KNET_LEAVE_MTU => Self::Mtu,
            _ => Self::Other,
        }
    }
}
