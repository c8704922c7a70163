// SPDX-License-Identifier: GPL-2.0

//! The tracepoints `prism:*`, and the key that says whether anybody looks at packets.
//!
//! The key is a no-op in the code while nobody does. What is written about a packet is gathered only
//! behind it.
//!
//! C: `rust/helpers/trace.c`, `rust/helpers/prism_trace.h`.

use core::{
    net::IpAddr,
    ptr, //
};

use kernel::{
    jump_label::static_branch_unlikely,
    prelude::*,
    str::CStr, //
};

use crate::{
    bindings,
    met::{
        head_of,
        view_of,
        Met,
        View, //
    },
    netdev::NetDevice,
    queue::Waiting, //
};

pub use crate::skb::PacketId;

/// The numbers of reasons, `KNET_REASON_*`.
pub use crate::bindings::knet_reason as reason;

/// Whether somebody looks at packets.
#[inline(always)]
pub fn is_watched() -> bool {
    // SAFETY: The key is one of C's, which is there as long as this code.
    unsafe { static_branch_unlikely!(bindings::knet_watched, bindings::knet_watch, key) }
}

/// Has packets be looked at until it is dropped, beside those who look by tracepoints.
pub struct Watching(());

impl Watching {
    /// Begins.
    ///
    /// Context: process; sleeps. So must it be dropped.
    pub fn begin() -> Self {
        // SAFETY: Process context.
        unsafe { bindings::knet_watch_begin() };
        Self(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // SAFETY: Process context; it was begun once for this.
        unsafe { bindings::knet_watch_end() };
    }
}

/// Where a packet was when it was handed back to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Behind the driver.
    Entry = bindings::knet_stage::KNET_STAGE_Entry as isize,
    /// At the VXLAN socket.
    Tunnel = bindings::knet_stage::KNET_STAGE_Tunnel as isize,
    /// In front of the container.
    Container = bindings::knet_stage::KNET_STAGE_Container as isize,
}

/// Whereto a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Into the queue of its class.
    Queue = bindings::knet_place::KNET_PLACE_Queue as isize,
    /// Into a batch.
    Batch = bindings::knet_place::KNET_PLACE_Batch as isize,
    /// Behind the gate, as something has changed.
    Gate = bindings::knet_place::KNET_PLACE_Gate as isize,
    /// To GRO, to be merged.
    Gro = bindings::knet_place::KNET_PLACE_Gro as isize,
    /// To the receive path of the device that has it, behind GRO.
    Stack = bindings::knet_place::KNET_PLACE_Stack as isize,
    /// To a VXLAN device.
    Tunnel = bindings::knet_place::KNET_PLACE_Tunnel as isize,
    /// To the device in a container.
    Container = bindings::knet_place::KNET_PLACE_Container as isize,
    /// To the driver of a pair of devices, which consumed, queued or dropped it.
    Driver = bindings::knet_place::KNET_PLACE_Driver as isize,
}

/// By which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The kernel's.
    Kernel = bindings::knet_way::KNET_WAY_Kernel as isize,
    /// That of mode `batch`.
    Batch = bindings::knet_way::KNET_WAY_Batch as isize,
    /// That of mode `sync`.
    Sync = bindings::knet_way::KNET_WAY_Sync as isize,
    /// The short one of mode `express`.
    Express = bindings::knet_way::KNET_WAY_Express as isize,
}

impl Waiting {
    /// Calls `f` with the packet, which was `met` like that, to be looked at.
    pub fn look<R>(&self, met: Met, f: impl FnOnce(&Look<'_>) -> R) -> R {
        let mut view = View::uninit();
        // SAFETY: By the type invariants; what waits is as the hook has left it.
        let view = unsafe { view_of(self.as_ptr(), met, &mut view) };

        f(&Look { view, met })
    }
}

/// A packet that waits, as it is seen.
pub struct Look<'a> {
    view: &'a bindings::knet_frame,
    met: Met,
}

impl Look<'_> {
    /// Whether it is IPv6 by its ethertype; it is IPv4 otherwise.
    pub fn is_ipv6(&self) -> bool {
        self.met.is_ipv6()
    }

    /// Bytes from the network header on.
    pub fn len(&self) -> u32 {
        self.view.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.view.len == 0
    }

    /// What can be read of them in place.
    pub fn head(&self) -> &[u8] {
        // SAFETY: The packet waits, and its owner is borrowed.
        unsafe { head_of(self.view) }
    }

    /// The device that received the packet.
    pub fn device(&self) -> NetDevice<'_> {
        // SAFETY: By the invariants of `Waiting` its device is there.
        unsafe { NetDevice::from_ptr(self.view.dev) }
    }
}

/// What is known of a packet.
#[derive(Clone, Copy, Default)]
pub struct Seen(bindings::knet_seen);

impl Seen {
    /// A packet of whose flow nothing is known.
    pub fn unknown(id: PacketId) -> Self {
        Self(bindings::knet_seen {
            skb: id.0 as u64,
            vni: -1,
            ..Default::default()
        })
    }

    /// A packet of a flow.
    pub fn new(
        id: PacketId,
        vni: Option<u32>,
        (source, source_port): (IpAddr, u16),
        (destination, destination_port): (IpAddr, u16),
        protocol: u8,
        dscp: u8,
    ) -> Self {
        let mut seen = Self::unknown(id).0;

        if let Some(vni) = vni {
            seen.vni = vni as i32;
        }
        seen.source = words(source);
        seen.destination = words(destination);
        seen.source_port = source_port;
        seen.destination_port = destination_port;
        seen.family = if source.is_ipv4() { 4 } else { 6 };
        seen.protocol = protocol;
        seen.dscp = dscp;
        seen.hash = hash(&seen);
        Self(seen)
    }

    /// Which packet it is.
    pub fn id(&self) -> PacketId {
        PacketId(self.0.skb as usize)
    }

    /// Whether it is known to be the host's own, in no tunnel.
    pub fn is_of_host(&self) -> bool {
        self.0.vni == -1 && self.0.family != 0
    }

    /// Tells that a packet was classified: received by `device`, named by `rule` if that is not empty, and to
    /// be served in a class which may be lower than its own. Classes are numbers, the highest is zero.
    pub fn classified(
        &self,
        device: NetDevice<'_>,
        len: u32,
        rule: &CStr,
        (class, own): (usize, usize),
    ) {
        // SAFETY: The pointers are good for the call.
        unsafe {
            bindings::knet_trace_classify(
                &self.0,
                device.as_ptr(),
                len,
                rule.as_char_ptr(),
                class as u8,
                own as u8,
            )
        };
    }

    /// Tells whereto a packet goes, and how.
    pub fn goes(&self, to: To, way: By) {
        // SAFETY: The pointer is good for the call.
        unsafe { bindings::knet_trace_deliver(&self.0, ptr::null(), to as u8, way as u8) };
    }

    /// The same where it is `device` that is to receive the packet.
    pub fn enters(&self, device: NetDevice<'_>, to: To, way: By) {
        // SAFETY: The pointers are good for the call.
        unsafe { bindings::knet_trace_deliver(&self.0, device.as_ptr(), to as u8, way as u8) };
    }

    /// Tells that a packet is the kernel's again, for the reason with that number.
    pub fn is_left(&self, stage: Stage, reason: usize) {
        // SAFETY: The pointer is good for the call.
        unsafe { bindings::knet_trace_fallback(&self.0, stage as u8, reason as u8) };
    }

    /// Tells that a packet is served in a lower class than its own, as it exceeds `limit`, if there is one.
    pub fn is_demoted(&self, reason: usize, limit: u32) {
        // SAFETY: The pointer is good for the call.
        unsafe { bindings::knet_trace_demote(&self.0, reason as u8, limit) };
    }

    /// Tells that a packet is dropped.
    pub fn is_dropped(&self, reason: usize) {
        // SAFETY: The pointer is good for the call.
        unsafe { bindings::knet_trace_drop(&self.0, reason as u8) };
    }
}

/// The high and the low half of an address, of IPv4 as mapped into IPv6.
fn words(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };

    [(bits >> 64) as u64, bits as u64]
}

/// The same for all packets of a flow, wherever and whenever.
fn hash(seen: &bindings::knet_seen) -> u32 {
    let ports = u64::from(seen.source_port) << 16 | u64::from(seen.destination_port);
    let rest =
        u64::from(seen.vni as u32) << 32 | u64::from(seen.family) << 8 | u64::from(seen.protocol);
    let words = [
        seen.source[0],
        seen.source[1],
        seen.destination[0],
        seen.destination[1],
        ports,
        rest,
    ];
    let mix = |hash: u64, word: u64| {
        (hash ^ word)
            .rotate_left(23)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };

    (words.into_iter().fold(0, mix) >> 32) as u32
}
