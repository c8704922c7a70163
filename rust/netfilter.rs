// SPDX-License-Identifier: GPL-2.0

//! The netfilter hooks of a device: ingress and egress.
//!
//! Ours are the last hooks at their place, so what they take has been seen by all others.
//!
//! Not supported: hooks of the protocol families, priorities.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    ffi::{
        c_uint,
        c_void, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex,
    types::Opaque, //
};

use crate::{
    bindings,
    context::Entered,
    gro::ReceiveFrame,
    netdev::{
        DeviceId,
        NetDevice,
        Rtnl, //
    },
    skb::{
        Frame,
        Skb,
        View, //
    },
    veth::{
        EgressPacket,
        TransmitPacket, //
    }, //
};

/// A place at which a device has hooks, with what is done there.
pub trait Place: 'static {
    /// The hook's number.
    const HOOK: u32;

    /// Called by netfilter. Whether the packet is taken.
    ///
    /// # Safety
    ///
    /// `skb` and `state` are those of a netfilter hook at this place.
    #[doc(hidden)]
    unsafe fn takes(skb: *mut bindings::sk_buff, state: *const bindings::nf_hook_state) -> bool;
}

/// The ingress hook, with `T` doing what it does at GRO.
pub struct Ingress<T>(PhantomData<fn() -> T>);

impl<T: ReceiveFrame> Place for Ingress<T> {
    const HOOK: u32 = bindings::nf_dev_hooks_NF_NETDEV_INGRESS;

    #[inline]
    unsafe fn takes(skb: *mut bindings::sk_buff, _state: *const bindings::nf_hook_state) -> bool {
        // SAFETY: The ingress hook runs with BH off, under RCU and without locks of the receive path.
        let entered = unsafe { Entered::new() };
        // SAFETY: The hook may take the packet.
        let packet = unsafe { Skb::from_hook(skb, &entered) };

        if T::is_idle(&packet.cx) {
            return false;
        }
        let mut view = View::uninit();

        Frame::at_ingress(packet, &mut view).is_some_and(|frame| T::receive(frame).is_taken())
    }
}

/// The egress hook of a device that hands packets to its peer.
pub struct Egress<T>(PhantomData<fn() -> T>);

impl<T: TransmitPacket> Place for Egress<T> {
    const HOOK: u32 = bindings::nf_dev_hooks_NF_NETDEV_EGRESS;

    #[inline]
    unsafe fn takes(skb: *mut bindings::sk_buff, state: *const bindings::nf_hook_state) -> bool {
        // SAFETY: The packet is the hook's. May be called in any context.
        if !unsafe { bindings::knet_may_be_in_flight(skb) } {
            return false;
        }
        // Not otherwise, as who sends may hold locks that who receives takes.
        // SAFETY: BH is off, under RCU.
        let Some(entered) = (unsafe { Entered::again() }) else {
            return false;
        };
        // SAFETY: The egress hook may take the packet; the device it is called for is in `state` and
        // stays for the call.
        let packet = unsafe { EgressPacket::new(Skb::from_hook(skb, &entered), (*state).out) };

        T::transmit(packet).is_taken()
    }
}

/// The hooks at one place of any number of devices.
///
/// Dropping it takes all of them away and waits until no CPU is in one.
#[pin_data(PinnedDrop)]
pub struct DeviceHooks<P: Place> {
    #[pin]
    hooks: Mutex<KVec<Hook>>,
    _place: PhantomData<P>,
}

/// A registered hook.
///
/// # Invariants
///
/// `ops` comes from [`KBox::into_raw`] and is registered for the device and the namespace that it was
/// made with, both of which exist.
struct Hook {
    ops: NonNull<bindings::nf_hook_ops>,
    net: *mut bindings::net,
    device: DeviceId,
}

// SAFETY: The pointers are used under RTNL only, by any thread.
unsafe impl Send for Hook {}

impl<P: Place> DeviceHooks<P> {
    /// No hooks yet.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            hooks <- new_mutex!(KVec::new()),
            _place: PhantomData,
        })
    }

    /// Hooks `device`, unless it is hooked already. Each device must be given to
    /// [`DeviceHooks::remove`] before it goes away.
    ///
    /// Context: process; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EOPNOTSUPP` where the kernel has no such hook.
    pub fn add(&self, device: NetDevice<'_>, _rtnl: &Rtnl) -> Result {
        let mut hooks = self.hooks.lock();

        if hooks.iter().any(|hook| hook.device == device.id()) {
            return Ok(());
        }
        hooks.reserve(1, GFP_KERNEL)?;
        hooks.push(Hook::new::<P>(device)?, GFP_KERNEL)?;
        Ok(())
    }

    /// Unhooks `device`. The hook may still run on another CPU for a moment. Netfilter drops what
    /// its namespace has queued to user space at that time (NFQUEUE), as for every hook that goes.
    ///
    /// Context: process; sleeps.
    pub fn remove(&self, device: NetDevice<'_>, _rtnl: &Rtnl) {
        self.hooks.lock().retain(|hook| hook.device != device.id());
    }
}

#[pinned_drop]
impl<P: Place> PinnedDrop for DeviceHooks<P> {
    fn drop(self: Pin<&mut Self>) {
        crate::netdev::with_rtnl(|_| self.hooks.lock().clear());
        // SAFETY: Process context.
        unsafe { bindings::synchronize_net() };
    }
}

impl Hook {
    fn new<P: Place>(device: NetDevice<'_>) -> Result<Self> {
        let ops = KBox::new(
            Opaque::new(bindings::nf_hook_ops {
                hook: Some(call::<P>),
                dev: device.as_ptr(),
                pf: bindings::NFPROTO_NETDEV as u8,
                hooknum: P::HOOK,
                priority: i32::MAX,
                ..Default::default()
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The device is valid.
        let net = unsafe { bindings::knet_dev_net(device.as_ptr()) };

        // SAFETY: `ops` stays until it is unregistered; the device is in `net`.
        crate::to_result(unsafe { bindings::nf_register_net_hook(net, ops.get()) })?;
        // INVARIANT: Just registered.
        Ok(Self {
            // SAFETY: A box is not null.
            ops: unsafe { NonNull::new_unchecked(Opaque::cast_into(KBox::into_raw(ops))) },
            net,
            device: device.id(),
        })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered, its namespace exists, and its memory is
        // that of a box, which is freed once those who list hooks have passed.
        unsafe {
            bindings::nf_unregister_net_hook(self.net, self.ops.as_ptr());
            bindings::knet_free_hook(self.ops.as_ptr());
        };
    }
}

/// # Safety
///
/// Called by netfilter at the place `P`.
unsafe extern "C" fn call<P: Place>(
    _data: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: We are registered at this place, and the arguments are netfilter's.
    if unsafe { P::takes(skb, state) } {
        bindings::NF_STOLEN
    } else {
        bindings::NF_ACCEPT
    }
}
