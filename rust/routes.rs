// SPDX-License-Identifier: GPL-2.0

//! Routes of received packets, which are remembered by their addresses.
//!
//! IPv4 looks up the route of each packet it receives, except where an established socket has kept that
//! of the last. Here a packet to this host gets the route of the last one with its addresses. It is
//! good for a second at most, and only as long as the kernel says so of its own copies: whatever
//! changes routes or addresses ends it at once. Where anybody could tell, who looks at packets before
//! they are routed or at their sockets before they are delivered, there is none.
//!
//! Not supported: IPv6, packets that are forwarded, policy routing, VRF.
//!
//! C: `ip_rcv_finish_core()` in `net/ipv4/ip_input.c`, `ip_route_input_noref()` in `net/ipv4/route.c`.

use core::ptr::NonNull;

use kernel::prelude::*;

use crate::{
    bindings,
    context::RxContext,
    percpu::possible_cpus, //
};

/// The routes that each CPU remembers.
///
/// # Invariants
///
/// The pointer is that of `knet_routes_alloc()`.
pub struct Routes(NonNull<bindings::knet_routes>);

// SAFETY: Each CPU uses its own, and the allocation is not bound to a thread.
unsafe impl Send for Routes {}
// SAFETY: As above.
unsafe impl Sync for Routes {}

impl Routes {
    /// None is remembered yet.
    ///
    /// Context: process; may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        // SAFETY: Process context.
        let routes = unsafe { bindings::knet_routes_alloc() };

        // INVARIANT: By the line above.
        NonNull::new(routes).map(Self).ok_or(ENOMEM)
    }

    /// How many packets got the route of another.
    ///
    /// Context: any.
    pub fn reused(&self) -> u64 {
        self.reused_each().fold(0, u64::wrapping_add)
    }

    /// The same of each CPU that there may be.
    ///
    /// Context: any.
    pub fn reused_each(&self) -> impl Iterator<Item = u64> + '_ {
        possible_cpus().map(|cpu| {
            // SAFETY: By the type invariants; there may be such a CPU.
            unsafe { bindings::knet_routes_reused(self.0.as_ptr(), cpu) }
        })
    }

    /// Gives a packet the route of the last one with its addresses, if there is one and it may.
    ///
    /// # Safety
    ///
    /// The caller owns the packet at `skb`, whose data begins at the network header, and then has its
    /// device receive it in the context `_cx`.
    #[inline]
    pub(crate) unsafe fn attach(&self, _cx: &RxContext<'_>, skb: *mut bindings::sk_buff) {
        // SAFETY: By the type invariants and the safety requirements of this function.
        unsafe { bindings::knet_route_attach(self.0.as_ptr(), skb) };
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; nobody uses the routes since `self` is borrowed exclusively.
        // What packets have of them stays until they have been received.
        unsafe { bindings::knet_routes_free(self.0.as_ptr()) };
    }
}
