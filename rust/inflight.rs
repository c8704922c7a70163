// SPDX-License-Identifier: GPL-2.0

//! The packet that this CPU runs to completion.

use core::sync::atomic::{
    AtomicBool,
    AtomicPtr,
    Ordering, //
};

use kernel::prelude::*;

use crate::{
    bindings,
    context::RxContext,
    percpu::PerCpu, //
};

/// Knows, for each CPU, the one packet that is being run to completion on it.
///
/// The packet is known by its address, which stands for it only inside a run: there the
/// packet is on this CPU's stack of calls, or it is gone. The address could then be that of another
/// packet, allocated after the first was freed; but that one was made here, and is not received before
/// the run ends. A hook that meets packets which were made here has to tell them apart by the interface
/// they came from, which is not set.
pub struct InFlight(PerCpu<Cell>);

struct Cell {
    /// Null if nothing is in flight, dangling if what is in flight has been delivered.
    skb: AtomicPtr<bindings::sk_buff>,
    /// A packet is decapsulated once: the stack has no room for tunnels in tunnels.
    is_decapsulated: AtomicBool,
    /// The VXLAN device that it came to, if it was decapsulated without the driver.
    tunnel: AtomicPtr<bindings::net_device>,
    /// The device that received it before.
    from: AtomicPtr<bindings::net_device>,
    is_cross_net: AtomicBool,
    /// Whether it is, or may be, queued for a pair's other end.
    is_left: AtomicBool,
}

/// Where a packet in flight was decapsulated.
pub(crate) struct Tunnel {
    pub(crate) device: *mut bindings::net_device,
    /// The socket is in another namespace than the device.
    pub(crate) is_cross_net: bool,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            skb: AtomicPtr::new(core::ptr::null_mut()),
            is_decapsulated: AtomicBool::new(false),
            tunnel: AtomicPtr::new(core::ptr::null_mut()),
            from: AtomicPtr::new(core::ptr::null_mut()),
            is_cross_net: AtomicBool::new(false),
            is_left: AtomicBool::new(false),
        }
    }
}

impl Cell {
    /// What was left has been queued by now.
    #[cold]
    fn is_queued(&self) {
        self.is_left.store(false, Ordering::Relaxed);
        // SAFETY: BH is off, as a packet was in flight.
        unsafe { bindings::knet_left_is_queued() };
    }
}

impl InFlight {
    /// Nothing is in flight.
    ///
    /// Context: process.
    pub fn new() -> Result<Self> {
        Ok(Self(PerCpu::new()?))
    }

    /// Whether a packet is in flight on this CPU.
    #[inline]
    pub fn is_busy(&self, cx: &RxContext<'_>) -> bool {
        !self.cell(cx).skb.load(Ordering::Relaxed).is_null()
    }

    /// Runs `f` with the packet at `skb` in flight. The depth is one: where a packet is in flight
    /// already, [`InFlight::is_busy`], the caller leaves the next one to the kernel.
    #[inline]
    pub(crate) fn run<R>(
        &self,
        cx: &RxContext<'_>,
        skb: *mut bindings::sk_buff,
        f: impl FnOnce() -> R,
    ) -> R {
        self.run_as(cx, skb, false, f)
    }

    /// The same with a packet that was taken out of its tunnel in an earlier run.
    #[inline]
    pub(crate) fn run_again<R>(
        &self,
        cx: &RxContext<'_>,
        skb: *mut bindings::sk_buff,
        f: impl FnOnce() -> R,
    ) -> R {
        self.run_as(cx, skb, true, f)
    }

    #[inline]
    fn run_as<R>(
        &self,
        cx: &RxContext<'_>,
        skb: *mut bindings::sk_buff,
        is_decapsulated: bool,
        f: impl FnOnce() -> R,
    ) -> R {
        let cell = self.cell(cx);

        cell.is_decapsulated
            .store(is_decapsulated, Ordering::Relaxed);
        cell.tunnel.store(core::ptr::null_mut(), Ordering::Relaxed);
        cell.skb.store(skb, Ordering::Relaxed);
        let result = f();

        if cell.is_left.load(Ordering::Relaxed) {
            cell.is_queued();
        }
        cell.skb.store(core::ptr::null_mut(), Ordering::Relaxed);
        result
    }

    /// Whether the packet at `skb`, which was received, is the one in flight.
    #[inline]
    pub(crate) fn holds(&self, cx: &RxContext<'_>, skb: *const bindings::sk_buff) -> bool {
        let held: *const bindings::sk_buff = self.cell(cx).skb.load(Ordering::Relaxed);

        core::ptr::eq(held, skb)
    }

    /// Marks the packet in flight as past its last shortcut: nothing of what follows is taken for
    /// it, and no other is taken into flight before it is done.
    #[inline]
    pub(crate) fn finish(&self, cx: &RxContext<'_>) {
        self.cell(cx)
            .skb
            .store(core::ptr::dangling_mut(), Ordering::Relaxed);
    }

    /// Notes that the packet in flight is left to the driver of a pair of devices.
    #[cold]
    pub(crate) fn left(&self, cx: &RxContext<'_>) {
        self.cell(cx).is_left.store(true, Ordering::Relaxed);
    }

    /// Forgets what is in flight, where nothing can be.
    #[cold]
    pub fn forget(&self, cx: &RxContext<'_>) {
        self.cell(cx)
            .skb
            .store(core::ptr::null_mut(), Ordering::Relaxed);
    }

    /// Notes that the packet in flight is taken out of its tunnel.
    #[inline]
    pub(crate) fn decapsulated(&self, cx: &RxContext<'_>) {
        self.cell(cx).is_decapsulated.store(true, Ordering::Relaxed);
    }

    /// Notes in which tunnel that was, and that `from` had received the packet.
    #[inline]
    pub(crate) fn came_to(
        &self,
        cx: &RxContext<'_>,
        tunnel: Tunnel,
        from: *const bindings::net_device,
    ) {
        let cell = self.cell(cx);

        cell.tunnel.store(tunnel.device, Ordering::Relaxed);
        cell.from.store(from.cast_mut(), Ordering::Relaxed);
        cell.is_cross_net
            .store(tunnel.is_cross_net, Ordering::Relaxed);
    }

    /// In which tunnel that was, if `from` had received the packet.
    #[inline]
    pub(crate) fn tunnel(
        &self,
        cx: &RxContext<'_>,
        from: *const bindings::net_device,
    ) -> Option<Tunnel> {
        let cell = self.cell(cx);
        let device = cell.tunnel.load(Ordering::Relaxed);
        let is_from = core::ptr::eq(cell.from.load(Ordering::Relaxed), from);

        (is_from && !device.is_null()).then(|| Tunnel {
            device,
            is_cross_net: cell.is_cross_net.load(Ordering::Relaxed),
        })
    }

    /// Whether the packet in flight has not been taken out of a tunnel.
    #[inline]
    pub(crate) fn may_decapsulate(&self, cx: &RxContext<'_>) -> bool {
        !self.cell(cx).is_decapsulated.load(Ordering::Relaxed)
    }

    #[inline]
    fn cell<'a>(&'a self, cx: &RxContext<'a>) -> &'a Cell {
        self.0.get(cx)
    }
}
