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
    netdev::NetDevice,
    queue::Waiting,
    routes::Routes,
    skb::{
        PacketId,
        Skb, //
    },
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
    /// Packets that were left before wait on this CPU, and would be overtaken.
    Behind,
    /// The packet may have to be segmented.
    Gso,
    /// The packet is larger than the peer takes.
    Mtu,
    /// The packet or the device has another property that only the kernel's path handles.
    Other,
}

/// A packet that the peer is to receive.
pub struct Delivered<'a>(Skb<'a>);

impl<'a> Delivered<'a> {
    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        self.0.id()
    }

    /// The peer.
    #[inline]
    pub fn device(&self) -> NetDevice<'_> {
        self.0.device()
    }

    /// Has the peer receive it now, with its route of `routes`.
    #[inline]
    pub fn receive(self, routes: &Routes) -> Verdict<'a> {
        self.0.route(routes);
        self.0.receive();
        Verdict::taken()
    }

    /// Has it wait, to be received before the poll ends in which this is.
    #[inline]
    pub fn wait(self) -> (Verdict<'a>, Waiting) {
        (Verdict::taken(), Waiting::past_entry(self.0))
    }
}

/// What became of a packet that was to be delivered.
pub enum Delivery<'a> {
    /// It is at the peer.
    Crossed(Delivered<'a>),
    /// The device consumed, dropped or queued it.
    Consumed(Verdict<'a>),
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

    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        self.skb.id()
    }

    #[inline]
    pub(crate) fn skb(&self) -> *const bindings::sk_buff {
        self.skb.as_ptr()
    }

    #[inline]
    pub(crate) fn device(&self) -> *mut bindings::net_device {
        self.dev
    }

    /// Leaves the packet to the kernel.
    #[inline]
    pub fn pass(self) -> Verdict<'a> {
        Verdict::passed()
    }

    /// Takes the packet to the peer, which ends its flight.
    ///
    /// # Errors
    ///
    /// The packet, unchanged, and why it is the kernel's to deliver.
    #[inline]
    pub fn deliver(self, inflight: &InFlight) -> Result<Delivery<'a>, (Self, Leave)> {
        // SAFETY: The packet is the hook's and the device stays for the call, by the safety
        // requirements of `new`; BH is off.
        let crossing = unsafe { bindings::knet_veth_cross(self.skb.as_ptr(), self.dev) };

        let delivery = match crossing {
            bindings::knet_delivery_KNET_CROSSED => {
                inflight.finish(&self.skb.cx);
                Delivery::Crossed(Delivered(self.skb))
            }
            bindings::knet_delivery_KNET_DROPPED => {
                inflight.finish(&self.skb.cx);
                Delivery::Consumed(Verdict::taken())
            }
            bindings::knet_delivery_KNET_DRIVER => {
                inflight.finish(&self.skb.cx);
                self.send(inflight)
            }
            leave => {
                inflight.left(&self.skb.cx);
                return Err((self, Leave::from_c(leave)));
            }
        };
        Ok(delivery)
    }

    /// Sends the packet as the kernel would and takes back what that puts on the backlog.
    fn send(self, inflight: &InFlight) -> Delivery<'a> {
        // SAFETY: The packet is ours to give away. Once sent it is looked at only if it is found on
        // this CPU's backlog, and then it is ours again.
        let back = unsafe {
            bindings::knet_xmit(self.skb.as_ptr(), self.dev);
            bindings::knet_backlog_take(self.skb.as_ptr())
        };

        if back {
            Delivery::Crossed(Delivered(self.skb))
        } else {
            // It may have been queued, and be in other hands: what comes next must not overtake it.
            // SAFETY: The device stays for the call; BH is off.
            unsafe { bindings::knet_left(self.dev) };
            inflight.left(&self.skb.cx);
            Delivery::Consumed(Verdict::taken())
        }
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
            bindings::knet_delivery_KNET_LEAVE_BEHIND => Self::Behind,
            bindings::knet_delivery_KNET_LEAVE_GSO => Self::Gso,
            bindings::knet_delivery_KNET_LEAVE_MTU => Self::Mtu,
            _ => Self::Other,
        }
    }
}
