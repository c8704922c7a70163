// SPDX-License-Identifier: GPL-2.0

//! The first look at a received frame: a handler in front of the kernel's GRO handlers of IP.
//!
//! GRO asks one `packet_offload` for each ethertype, the first in its list. Ours is put there by
//! taking the kernel's out and adding it again behind ours; ours forwards whatever it does not take,
//! so there is no moment without a handler. When ours goes, the kernel's is the first again.
//!
//! Not supported: more than one user at a time.
//!
//! C header: [`include/net/gro.h`](srctree/include/net/gro.h)

use core::{
    marker::PhantomData,
    ptr,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    },
};

use kernel::{
    ffi::c_int,
    prelude::*,
    types::Opaque, //
};

use crate::{
    bindings,
    context::{
        Entered,
        RxContext, //
    },
    errno,
    skb::{
        Frame,
        Skb,
        View,
        ETHERTYPE_IPV4,
        ETHERTYPE_IPV6, //
    },
    Verdict, //
};

/// What is done with frames of the first stage.
pub trait ReceiveFrame: 'static {
    /// Whether there is nothing to do for any frame, so that none needs to be looked at.
    fn is_idle(cx: &RxContext<'_>) -> bool;

    /// Called for each IPv4 and IPv6 frame that a NIC hands to GRO, in the receive path.
    fn receive(frame: Frame<'_>) -> Verdict<'_>;
}

/// The kernel's own handlers, while ours are registered.
static KERNEL_V4: AtomicPtr<bindings::packet_offload> = AtomicPtr::new(ptr::null_mut());
static KERNEL_V6: AtomicPtr<bindings::packet_offload> = AtomicPtr::new(ptr::null_mut());

/// The handlers of `T`, registered for both families.
///
/// Dropping it waits until no CPU is in a handler.
pub struct GroHook<T: ReceiveFrame> {
    _v4: Registered,
    _v6: Option<Registered>,
    _handler: PhantomData<fn() -> T>,
}

impl<T: ReceiveFrame> GroHook<T> {
    /// Registers the handlers. IPv6 is left alone where the kernel has no handler for it.
    ///
    /// Context: process; sleeps.
    ///
    /// # Errors
    ///
    /// `EBUSY` if handlers are registered already, `EOPNOTSUPP` if the kernel has none for IPv4.
    pub fn new() -> Result<Self> {
        let v4 = Registered::new(ETHERTYPE_IPV4, &KERNEL_V4, handlers::<T, ETHERTYPE_IPV4>())?;
        let v6 = match Registered::new(ETHERTYPE_IPV6, &KERNEL_V6, handlers::<T, ETHERTYPE_IPV6>())
        {
            Ok(v6) => Some(v6),
            Err(err) if err == errno::not_supported() => None,
            Err(err) => return Err(err),
        };

        Ok(Self {
            _v4: v4,
            _v6: v6,
            _handler: PhantomData,
        })
    }
}

/// A `packet_offload` of ours in GRO's list.
///
/// # Invariants
///
/// `offload` is in the list, and `kernel` holds the handler that it forwards to.
struct Registered {
    offload: KBox<Opaque<bindings::packet_offload>>,
    kernel: &'static AtomicPtr<bindings::packet_offload>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Registered {}
// SAFETY: It has no methods that take a shared reference.
unsafe impl Sync for Registered {}

impl Registered {
    fn new(
        ethertype: u16,
        kernel: &'static AtomicPtr<bindings::packet_offload>,
        callbacks: bindings::offload_callbacks,
    ) -> Result<Self> {
        let offload = KBox::new(
            Opaque::new(bindings::packet_offload {
                type_: ethertype.to_be(),
                callbacks,
                ..Default::default()
            }),
            GFP_KERNEL,
        )?;
        // The kernel's handlers are never removed, so what is found stays valid.
        let found = {
            let _rcu = kernel::sync::rcu::read_lock();

            // SAFETY: An RCU read-side section is entered.
            unsafe { bindings::gro_find_receive_by_type(ethertype.to_be()) }
        };
        if found.is_null() {
            return Err(errno::not_supported());
        }
        kernel
            .compare_exchange(ptr::null_mut(), found, Ordering::Release, Ordering::Relaxed)
            .map_err(|_| EBUSY)?;

        // Ours is added behind the kernel's, which then moves behind ours.
        // SAFETY: `offload` is pinned in its box and stays until it is removed; `found` is registered
        // and is registered again before anybody but ours could miss it. Process context.
        unsafe {
            bindings::dev_add_offload(offload.get());
            bindings::dev_remove_offload(found);
            bindings::dev_add_offload(found);
        }
        // INVARIANT: Just added, and `kernel` was set before.
        Ok(Self { offload, kernel })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered. Waits until no CPU uses it.
        unsafe { bindings::dev_remove_offload(self.offload.get()) };
        self.kernel.store(ptr::null_mut(), Ordering::Release);
    }
}

/// The callbacks of `T` for an ethertype.
fn handlers<T: ReceiveFrame, const ETHERTYPE: u16>() -> bindings::offload_callbacks {
    bindings::offload_callbacks {
        gro_receive: Some(gro_receive::<T, ETHERTYPE>),
        gro_complete: Some(gro_complete::<ETHERTYPE>),
        gso_segment: Some(gso_segment::<ETHERTYPE>),
    }
}

/// The callbacks of the kernel's handler for an ethertype.
///
/// # Safety
///
/// Called from a callback of ours, so that a handler of ours is registered.
#[inline]
unsafe fn kernel_callbacks<const ETHERTYPE: u16>() -> &'static bindings::offload_callbacks {
    let kernel = if ETHERTYPE == ETHERTYPE_IPV4 {
        &KERNEL_V4
    } else {
        &KERNEL_V6
    };

    // SAFETY: By the invariants of `Registered` the pointer is that of the kernel's handler, which is
    // never freed.
    unsafe { &(*kernel.load(Ordering::Acquire)).callbacks }
}

/// # Safety
///
/// Called by the networking core, while a handler of ours is registered.
unsafe extern "C" fn gro_receive<T: ReceiveFrame, const ETHERTYPE: u16>(
    head: *mut bindings::list_head,
    skb: *mut bindings::sk_buff,
) -> *mut bindings::sk_buff {
    // SAFETY: GRO runs with BH off, under RCU and without locks of the receive path.
    let entered = unsafe { Entered::new() };
    // SAFETY: GRO hands over a packet that nobody else uses.
    let packet = unsafe { Skb::from_hook(skb, &entered) };

    if !T::is_idle(&packet.cx) {
        let mut view = View::uninit();

        if let Some(frame) = Frame::at_gro(packet, ETHERTYPE, head, &mut view) {
            if T::receive(frame).is_taken() {
                return errno::in_progress().to_ptr();
            }
        }
    }
    drop(entered);

    // SAFETY: We are such a callback.
    match unsafe { kernel_callbacks::<ETHERTYPE>() }.gro_receive {
        // SAFETY: The arguments are those of the caller, who keeps the same contract.
        Some(receive) => unsafe { receive(head, skb) },
        None => ptr::null_mut(),
    }
}

/// # Safety
///
/// Called by the networking core, while a handler of ours is registered.
unsafe extern "C" fn gro_complete<const ETHERTYPE: u16>(
    skb: *mut bindings::sk_buff,
    nhoff: c_int,
) -> c_int {
    // SAFETY: We are such a callback.
    match unsafe { kernel_callbacks::<ETHERTYPE>() }.gro_complete {
        // SAFETY: The arguments are those of the caller, who keeps the same contract.
        Some(complete) => unsafe { complete(skb, nhoff) },
        None => 0,
    }
}

/// # Safety
///
/// Called by the networking core, while a handler of ours is registered.
unsafe extern "C" fn gso_segment<const ETHERTYPE: u16>(
    skb: *mut bindings::sk_buff,
    features: bindings::netdev_features_t,
) -> *mut bindings::sk_buff {
    // SAFETY: We are such a callback.
    match unsafe { kernel_callbacks::<ETHERTYPE>() }.gso_segment {
        // SAFETY: The arguments are those of the caller, who keeps the same contract.
        Some(segment) => unsafe { segment(skb, features) },
        None => errno::protocol_not_supported().to_ptr(),
    }
}
