// SPDX-License-Identifier: GPL-2.0

//! A NIC without hardware: its interrupt is a timer, and its driver makes the frames up.
//!
//! Not supported: transmitting (what is sent is counted and dropped), more than one queue. The driver's
//! frames are in one piece; others have whatever shape is ordered.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use core::{
    marker::PhantomData,
    ptr::NonNull,
    slice, //
};

use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::Arc, //
};

use crate::bindings;

/// What is counted of the shapes of packets, in C's order.
const SHAPES: [&str; bindings::KNET_SHAPES as usize] = [
    "receive",
    "frags",
    "direct",
    "none",
    "unnecessary",
    "level",
    "complete",
    "partial",
    "lie",
    "pages",
    "list",
    "headless",
    "odd",
    "gso",
    "cloned",
    "shared",
    "tag",
    "priority_tag",
    "no_headroom",
    "empty",
];

/// What makes the frames.
pub trait Driver: Send + Sync + 'static {
    /// Hands over frames until there are none or `poll` takes no more.
    ///
    /// Context: the NAPI poll. Not called twice at once.
    fn poll(&self, poll: &mut Poll<'_>);

    /// When the next frame comes, in ns of monotonic time. `None` where none will.
    ///
    /// Context: the NAPI poll, after one that took all there was.
    fn next_interrupt(&self) -> Option<u64>;
}

/// A registered device, of which `D` is the driver.
///
/// Dropping it unregisters the device and waits until nobody is in a callback.
///
/// # Invariants
///
/// `nic` is registered with the callbacks of `D` and a pointer to what `driver` points at.
pub struct Nic<D: Driver> {
    nic: NonNull<bindings::knet_nic>,
    driver: Arc<D>,
}

// SAFETY: The device is registered, used and unregistered by any thread; `D` is `Send` and `Sync`.
unsafe impl<D: Driver> Send for Nic<D> {}
// SAFETY: As above; the methods are safe to call at once.
unsafe impl<D: Driver> Sync for Nic<D> {}

impl<D: Driver> Nic<D> {
    const OPS: bindings::knet_nic_ops = bindings::knet_nic_ops {
        poll: Some(poll::<D>),
        interrupt: Some(interrupt::<D>),
    };

    /// Registers a device named `name` in the caller's network namespace. It is down.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EEXIST` where there is a device of this name; `ENAMETOOLONG`; `EINVAL` for what is
    /// no name, or a pattern for one.
    pub fn register(name: &CStr, driver: Arc<D>) -> Result<Self> {
        let data = Arc::as_ptr(&driver).cast_mut().cast();
        if name.to_bytes_with_nul().len() > bindings::IFNAMSIZ as usize {
            return Err(crate::errno::name_too_long());
        }
        if name.to_bytes().contains(&b'%') {
            return Err(EINVAL);
        }

        // SAFETY: The name is a C string, which is copied; the callbacks are there for ever, and
        // `data` is what they expect for as long as the device is registered.
        let nic = kernel::error::from_err_ptr(unsafe {
            bindings::knet_nic_create(name.as_char_ptr(), &Self::OPS, data)
        })?;
        // INVARIANT: Just registered.
        Ok(Self {
            nic: NonNull::new(nic).ok_or(ENOMEM)?,
            driver,
        })
    }

    /// The driver.
    pub fn driver(&self) -> &Arc<D> {
        &self.driver
    }

    /// Has an interrupt come at `ns` of monotonic time, in place of one that is yet to come.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` where the device is down.
    pub fn interrupt_at(&self, ns: u64) -> Result {
        // SAFETY: By the type invariants the device is registered.
        if unsafe { bindings::knet_nic_interrupt_at(self.nic.as_ptr(), ns) } {
            return Ok(());
        }
        Err(crate::errno::net_down())
    }

    /// Has a frame come as a packet of a certain shape: `order` is a `struct knet_shape`, and the frame.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` where the device is down; `EINVAL` for what is no such order; `ENOMEM`.
    pub fn shape(&self, order: &[u8]) -> Result {
        // SAFETY: By the type invariants the device is registered; the pointer and the length are those
        // of `order`.
        crate::to_result(unsafe {
            bindings::knet_nic_shape(self.nic.as_ptr(), order.as_ptr(), order.len())
        })
    }

    /// How many packets of each shape there were, and how many of these somebody has taken from the
    /// kernel at once.
    ///
    /// Context: any.
    pub fn shapes(&self) -> impl Iterator<Item = (&'static str, u64, u64)> + '_ {
        SHAPES.iter().zip(0..).map(|(name, shape)| {
            // SAFETY: By the type invariants the device is registered; there is a name for each shape and
            // for nothing else.
            let count = unsafe { bindings::knet_nic_shape_count(self.nic.as_ptr(), shape) };

            (*name, count.offered, count.taken)
        })
    }

    /// How many packets that were not only the kernel's were written to.
    ///
    /// Context: any.
    pub fn written(&self) -> u64 {
        // SAFETY: By the type invariants the device is registered.
        unsafe { bindings::knet_nic_written(self.nic.as_ptr()) }
    }

    /// The device's MAC address.
    pub fn address(&self) -> [u8; 6] {
        let mut address = [0; 6];

        // SAFETY: By the type invariants the device is registered; an address has six bytes.
        unsafe { bindings::knet_nic_address(self.nic.as_ptr(), address.as_mut_ptr()) };
        address
    }
}

impl<D: Driver> Drop for Nic<D> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the device is registered, and it is used no more.
        unsafe { bindings::knet_nic_destroy(self.nic.as_ptr()) };
    }
}

/// A poll of NAPI: takes so many frames and no more.
///
/// # Invariants
///
/// `nic` is a registered device in its NAPI poll.
pub struct Poll<'a> {
    nic: NonNull<bindings::knet_nic>,
    budget: u32,
    done: u32,
    _poll: PhantomData<&'a mut ()>,
}

impl Poll<'_> {
    /// How many frames may still be handed over.
    #[inline]
    pub fn room(&self) -> u32 {
        self.budget.wrapping_sub(self.done)
    }

    /// Hands over a frame of `len` bytes, which `fill` writes, and of whose checksums the NIC has
    /// verified `checksums`, the outermost first. Returns whether there was memory for it.
    ///
    /// A call that is more than there is [room](Self::room) for does nothing.
    #[inline]
    pub fn receive(&mut self, len: u32, checksums: u8, fill: impl FnOnce(&mut [u8])) -> bool {
        if self.done >= self.budget {
            return false;
        }
        self.done = self.done.wrapping_add(1);

        let mut data = core::ptr::null_mut();
        // SAFETY: By the type invariants this is the device's NAPI poll.
        let skb = unsafe { bindings::knet_nic_alloc(self.nic.as_ptr(), len, &mut data) };
        if skb.is_null() {
            return false;
        }
        // SAFETY: `data` is what was allocated above: so many bytes of zero, which nobody else uses.
        let frame = unsafe { slice::from_raw_parts_mut(data, len as usize) };
        fill(frame);
        // SAFETY: As above; the packet is given away.
        unsafe { bindings::knet_nic_receive(self.nic.as_ptr(), skb, checksums) };
        true
    }

    /// Counts frames that the ring had no room for.
    #[inline]
    pub fn count_missed(&self, frames: u64) {
        if frames > 0 {
            // SAFETY: By the type invariants the device is registered.
            unsafe { bindings::knet_nic_missed(self.nic.as_ptr(), frames) };
        }
    }
}

/// # Safety
///
/// Called by a registered device with the pointer to its driver.
unsafe extern "C" fn poll<D: Driver>(
    driver: *mut c_void,
    nic: *mut bindings::knet_nic,
    budget: c_int,
) -> c_int {
    // SAFETY: By the safety requirements of this function; the device is unregistered before its
    // driver goes.
    let driver = unsafe { &*driver.cast::<D>() };
    // INVARIANT: Called from the NAPI poll of `nic`.
    let mut poll = Poll {
        // SAFETY: A valid pointer is not null.
        nic: unsafe { NonNull::new_unchecked(nic) },
        budget: u32::try_from(budget).unwrap_or(0),
        done: 0,
        _poll: PhantomData,
    };

    // With no budget, netpoll wants transmissions only.
    if poll.budget > 0 {
        driver.poll(&mut poll);
    }
    poll.done as c_int
}

/// # Safety
///
/// Called by a registered device with the pointer to its driver.
unsafe extern "C" fn interrupt<D: Driver>(driver: *mut c_void) -> u64 {
    // SAFETY: By the safety requirements of this function; the device is unregistered before its
    // driver goes.
    unsafe { &*driver.cast::<D>() }
        .next_interrupt()
        .unwrap_or(0)
}
