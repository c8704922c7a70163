// SPDX-License-Identifier: GPL-2.0

//! Counters of what the packet path did, one for each CPU.

use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;
use knet::{
    context::{
        with_rx_context,
        RxContext, //
    },
    express,
    percpu::PerCpu,
    veth,
    vxlan, //
};

use crate::classify::Unclassified;

/// Defines [`Counter`] and what is known of each.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A counter of packets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Counter {
            $($(#[$doc])* $name,)*
        }

        // Tracepoints tell a reason by the number of its counter.
        kernel::macros::paste! {
            $(const _: () = assert!(
                Counter::$name as usize
                    == knet::trace::reason::[<KNET_REASON_ $name>] as usize
            );)*
        }
        const _: () = assert!(
            Counter::ALL.len() == knet::trace::reason::KNET_REASON_COUNT as usize
        );

        impl Counter {
            /// All counters, in the order of their indices.
            pub(crate) const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// The name of the counter's file.
            pub(crate) const fn name(self) -> &'static CStr {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

counters! {
    /// Matched an enabled rule.
    Classified = c"classified",
    /// Matched a rule and exceeded its rate: treated as of class `normal`.
    Demoted = c"demoted",
    /// Treated as of class `normal`, not to overtake one of its flow that had to wait.
    Displaced = c"displaced",
    /// Run to completion: taken out of its batch and put through all stages at once.
    Completed = c"completed",
    /// Of class `high`, and left to GRO to be merged.
    Kept = c"kept",
    /// Put through all stages together with the others of its batch.
    Batched = c"batched",
    /// Put through the short way, past the outer layers and the bridge.
    Expressed = c"expressed",
    /// Decapsulated without waiting in the VXLAN device's queue.
    Decapsulated = c"decapsulated",
    /// Delivered to a container without waiting in the CPU's backlog.
    Delivered = c"delivered",
    /// Were received with the route of another. Counted where that is.
    RouteReused = c"route_reused",
    /// Deliveries of class `high` that woke a task, while `receiver_slice_us` is set.
    Woken = c"woken",
    /// Consumed, dropped or queued by the device that was to deliver it.
    Consumed = c"consumed",
    /// Dropped while it was decapsulated, as the driver would have: for want of memory.
    Dropped = c"dropped",
    /// Flow found, but no rule names it.
    Unmatched = c"unmatched",

    /// Of class `high` and beyond that class's share of a CPU: treated as of class `normal`.
    Capped = c"capped",
    /// Had to wait, of class `interactive`.
    DeferredInteractive = c"deferred_interactive",
    /// Had to wait, of class `normal`.
    DeferredNormal = c"deferred_normal",
    /// Had to wait, of class `bulk`.
    DeferredBulk = c"deferred_bulk",
    /// Given back to the kernel after it had waited.
    Served = c"served",
    /// Of another class than `high`, and sent the mode's way once it was their turn.
    Accelerated = c"accelerated",
    /// Dropped as its batch would have been too large or its device went away, of class `high`.
    DroppedHigh = c"dropped_high",
    /// Dropped as too much waited, of class `interactive`.
    DroppedInteractive = c"dropped_interactive",
    /// Dropped as too much waited, of class `normal`.
    DroppedNormal = c"dropped_normal",
    /// Dropped as too much waited, of class `bulk`.
    DroppedBulk = c"dropped_bulk",
    /// Held back for a moment, as settings or rules had changed.
    Held = c"held",
    /// Dropped as too many were held back, or their device went away.
    DroppedHeld = c"dropped_held",
    /// Dropped while it waited, as its device went away.
    Purged = c"purged",

    /// Not classified: headers reach past what can be read.
    UnclassifiedTruncated = c"unclassified_truncated",
    /// Not classified: a length field contradicts the packet.
    UnclassifiedBadLength = c"unclassified_bad_length",
    /// Not classified: not IP, or the version field contradicts the link layer.
    UnclassifiedNotIp = c"unclassified_not_ip",
    /// Not classified: an IP fragment.
    UnclassifiedFragment = c"unclassified_fragment",
    /// Not classified: IPv4 options.
    UnclassifiedOptions = c"unclassified_options",
    /// Not classified: an IPv6 extension header.
    UnclassifiedExtension = c"unclassified_extension",
    /// Not classified: a port is zero.
    UnclassifiedZeroPort = c"unclassified_zero_port",
    /// Not classified: VXLAN flags or reserved bits that RFC 7348 does not have.
    UnclassifiedTunnelFlags = c"unclassified_tunnel_flags",
    /// Not classified: VXLAN inside VXLAN.
    UnclassifiedNestedTunnel = c"unclassified_nested_tunnel",
    /// Not classified: more inner VLAN tags than one.
    UnclassifiedVlan = c"unclassified_vlan",
    /// Not classified: the inner frame is for several receivers.
    UnclassifiedMulticast = c"unclassified_multicast",
    /// Not classified: several packets, merged before they were seen.
    UnclassifiedMerged = c"unclassified_merged",

    /// Not put through the short way: the kernel is to show it, at first, once a second, or as
    /// something has changed.
    ExpressLearn = c"express_learn",
    /// Not put through the short way: a netfilter hook or an IPsec policy on it.
    ExpressHook = c"express_hook",
    /// Not put through the short way: a packet socket on it.
    ExpressTap = c"express_tap",
    /// Not put through the short way: a tc or XDP program or a qdisc on it.
    ExpressTc = c"express_tc",
    /// Not put through the short way: a property of the packet.
    ExpressPacket = c"express_packet",
    /// Not put through the short way: those before it were left to the kernel, and wait.
    ExpressBehind = c"express_behind",

    /// Left to the kernel at the NIC: another packet is in flight on this CPU.
    KernelBusy = c"kernel_busy",
    /// Left to the driver at decapsulation: headers missing or unreadable.
    KernelHeaders = c"kernel_headers",
    /// Left to the driver at decapsulation: VXLAN header bits that the device does not know.
    KernelReserved = c"kernel_reserved",
    /// Left to the driver at decapsulation: the device uses an extension of VXLAN.
    KernelFeatures = c"kernel_features",
    /// Left to the driver at decapsulation: no device has the VNI.
    KernelVni = c"kernel_vni",
    /// Left to the driver at decapsulation: the VXLAN device is down.
    KernelDown = c"kernel_down",
    /// Left to the driver at decapsulation: the frame was sent by the VXLAN device itself.
    KernelLoop = c"kernel_loop",
    /// Left to the driver at decapsulation: ECN fields that it logs or drops (RFC 6040).
    KernelEcn = c"kernel_ecn",
    /// Decapsulated by the driver, which learns a new address or a moved one, then received at once.
    KernelLearn = c"kernel_learn",
    /// Decapsulated by the driver to keep a learnt address from ageing, then received at once.
    KernelRefresh = c"kernel_refresh",
    /// Left to the kernel at delivery: no peer, or an end of the pair is down.
    KernelNoPeer = c"kernel_no_peer",
    /// Left to the kernel at delivery: an XDP program on the peer.
    KernelXdp = c"kernel_xdp",
    /// Left to the kernel at delivery: a qdisc on the device.
    KernelQdisc = c"kernel_qdisc",
    /// Left to the kernel at delivery: a tc program on the device's egress.
    KernelTc = c"kernel_tc",
    /// Left to the kernel at delivery: a packet socket on the device.
    KernelTap = c"kernel_tap",
    /// Left to the kernel at delivery: those before it were left, and wait.
    KernelBehind = c"kernel_behind",
    /// Left to the kernel at delivery: may have to be segmented.
    KernelGso = c"kernel_gso",
    /// Left to the kernel at delivery: larger than the peer takes.
    KernelMtu = c"kernel_mtu",
    /// Left to the kernel at delivery: another property of packet or device.
    KernelOther = c"kernel_other",
}

impl Counter {
    /// Of packets that had to wait, of the class with this place among those that wait.
    #[inline]
    pub(crate) fn deferred(class: usize) -> Self {
        match class {
            0 => Self::DeferredInteractive,
            1 => Self::DeferredNormal,
            _ => Self::DeferredBulk,
        }
    }

    /// Of packets that were dropped as too much waited.
    pub(crate) fn dropped(class: usize) -> Self {
        match class {
            0 => Self::DroppedInteractive,
            1 => Self::DroppedNormal,
            _ => Self::DroppedBulk,
        }
    }
}

impl From<Unclassified> for Counter {
    #[inline]
    fn from(reason: Unclassified) -> Self {
        match reason {
            Unclassified::Truncated => Self::UnclassifiedTruncated,
            Unclassified::BadLength => Self::UnclassifiedBadLength,
            Unclassified::NotIp => Self::UnclassifiedNotIp,
            Unclassified::Fragment => Self::UnclassifiedFragment,
            Unclassified::Options => Self::UnclassifiedOptions,
            Unclassified::Extension => Self::UnclassifiedExtension,
            Unclassified::ZeroPort => Self::UnclassifiedZeroPort,
            Unclassified::TunnelFlags => Self::UnclassifiedTunnelFlags,
            Unclassified::NestedTunnel => Self::UnclassifiedNestedTunnel,
            Unclassified::Vlan => Self::UnclassifiedVlan,
            Unclassified::Multicast => Self::UnclassifiedMulticast,
        }
    }
}

impl From<vxlan::Leave> for Counter {
    fn from(reason: vxlan::Leave) -> Self {
        match reason {
            vxlan::Leave::Headers => Self::KernelHeaders,
            vxlan::Leave::Reserved => Self::KernelReserved,
            vxlan::Leave::Features => Self::KernelFeatures,
            vxlan::Leave::Vni => Self::KernelVni,
            vxlan::Leave::Down => Self::KernelDown,
            vxlan::Leave::Loop => Self::KernelLoop,
            vxlan::Leave::Ecn => Self::KernelEcn,
            vxlan::Leave::Learn => Self::KernelLearn,
            vxlan::Leave::Refresh => Self::KernelRefresh,
        }
    }
}

impl From<express::Leave> for Counter {
    fn from(reason: express::Leave) -> Self {
        match reason {
            express::Leave::Learn => Self::ExpressLearn,
            express::Leave::Hook => Self::ExpressHook,
            express::Leave::Tap => Self::ExpressTap,
            express::Leave::Tc => Self::ExpressTc,
            express::Leave::Packet => Self::ExpressPacket,
            express::Leave::Behind => Self::ExpressBehind,
        }
    }
}

impl From<veth::Leave> for Counter {
    fn from(reason: veth::Leave) -> Self {
        match reason {
            veth::Leave::NoPeer => Self::KernelNoPeer,
            veth::Leave::Xdp => Self::KernelXdp,
            veth::Leave::Qdisc => Self::KernelQdisc,
            veth::Leave::Tc => Self::KernelTc,
            veth::Leave::Tap => Self::KernelTap,
            veth::Leave::Behind => Self::KernelBehind,
            veth::Leave::Gso => Self::KernelGso,
            veth::Leave::Mtu => Self::KernelMtu,
            veth::Leave::Other => Self::KernelOther,
        }
    }
}

/// The counters of one CPU.
pub(crate) struct Block([AtomicU64; Counter::ALL.len()]);

impl Default for Block {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Counter::ALL.len()])
    }
}

impl Block {
    /// How many packets this CPU has counted.
    ///
    /// Context: any.
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.0
            .get(counter as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// The counters of all CPUs.
pub(crate) struct Stats(PerCpu<Block>);

impl Stats {
    /// All zero.
    ///
    /// Context: process.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(PerCpu::new()?))
    }

    /// Counts one packet.
    #[inline]
    pub(crate) fn count(&self, cx: &RxContext<'_>, counter: impl Into<Counter>) {
        self.add(cx, counter, 1);
    }

    /// Counts `packets` packets.
    #[inline]
    pub(crate) fn add(&self, cx: &RxContext<'_>, counter: impl Into<Counter>, packets: u32) {
        if let Some(count) = self.0.get(cx).0.get(counter.into() as usize) {
            // Only this CPU writes it.
            count.store(
                count.load(Ordering::Relaxed).wrapping_add(packets.into()),
                Ordering::Relaxed,
            );
        }
    }

    /// Counts many packets.
    ///
    /// Context: process.
    pub(crate) fn count_many(&self, counter: Counter, packets: u32) {
        with_rx_context(|cx| self.add(&cx, counter, packets));
    }

    /// How many packets all CPUs have counted.
    ///
    /// Context: any.
    pub(crate) fn sum(&self, counter: Counter) -> u64 {
        self.0
            .iter()
            .map(|block| block.get(counter))
            .fold(0, u64::wrapping_add)
    }

    /// The numbers of all CPUs that there may be, each with its counters.
    ///
    /// Context: any.
    pub(crate) fn each_cpu(&self) -> impl Iterator<Item = (u32, &Block)> + '_ {
        self.0.each()
    }
}
