// SPDX-License-Identifier: GPL-2.0

//! Network devices and their events.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use core::{
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{
        AtomicI32,
        Ordering, //
    }, //
};

use kernel::{
    container_of,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    str::CStr,
    types::Opaque, //
};

use crate::bindings;

/// What a device is, as far as the receive path of an overlay is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An Ethernet device that no other kind describes: hardware, physical or virtual.
    Nic,
    /// The loopback device.
    Loopback,
    /// A VXLAN device.
    Vxlan,
    /// One end of a veth pair.
    Veth,
    /// One end of a netkit pair.
    Netkit,
    /// A bridge.
    Bridge,
    /// A tun or tap device.
    Tun,
    /// A device on top of others, such as a VLAN or a bond, or any other virtual device.
    Upper,
}

/// A device, for a time in which it cannot go away.
#[derive(Clone, Copy)]
pub struct NetDevice<'a> {
    dev: NonNull<bindings::net_device>,
    _lifetime: PhantomData<&'a ()>,
}

/// Which device it is, for comparing only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(usize);

impl DeviceId {
    /// No device has this identity.
    pub const NONE: Self = Self(0);

    /// Nor this one.
    pub const GONE: Self = Self(usize::MAX);

    /// The identity as a number without meaning, for hashing.
    #[inline]
    pub fn get(self) -> usize {
        self.0
    }
}

impl NetDevice<'_> {
    /// # Safety
    ///
    /// `dev` is valid for the lifetime that the caller chooses.
    #[inline]
    pub(crate) unsafe fn from_ptr(dev: *const bindings::net_device) -> Self {
        Self {
            // SAFETY: A valid pointer is not null.
            dev: unsafe { NonNull::new_unchecked(dev.cast_mut()) },
            _lifetime: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// The device's identity, good as long as the device is registered.
    #[inline]
    pub fn id(&self) -> DeviceId {
        DeviceId(self.dev.as_ptr() as usize)
    }

    /// What the device is.
    pub fn kind(&self) -> Kind {
        // SAFETY: The device is valid.
        match unsafe { bindings::knet_dev_kind(self.as_ptr()) } {
            bindings::knet_dev_kind_KNET_DEV_NIC => Kind::Nic,
            bindings::knet_dev_kind_KNET_DEV_LOOPBACK => Kind::Loopback,
            bindings::knet_dev_kind_KNET_DEV_VXLAN => Kind::Vxlan,
            bindings::knet_dev_kind_KNET_DEV_VETH => Kind::Veth,
            bindings::knet_dev_kind_KNET_DEV_NETKIT => Kind::Netkit,
            bindings::knet_dev_kind_KNET_DEV_BRIDGE => Kind::Bridge,
            bindings::knet_dev_kind_KNET_DEV_TUN => Kind::Tun,
            _ => Kind::Upper,
        }
    }

    /// The device's name, while it cannot be renamed: under RTNL.
    pub fn name<'b>(&'b self, _rtnl: &'b Rtnl) -> &'b CStr {
        // SAFETY: The device is valid, its name is a C string inside it, and RTNL keeps it from
        // being renamed.
        unsafe { CStr::from_char_ptr(bindings::knet_dev_name(self.as_ptr())) }
    }

    /// Whether GRO merges datagrams that the device receives even where no socket asked for that.
    #[inline]
    pub fn merges_udp(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::knet_dev_merges_udp(self.as_ptr()) }
    }

    /// Whether the device is in the initial network namespace.
    #[inline]
    pub fn in_init_net(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::knet_dev_in_init_net(self.as_ptr()) }
    }
}

/// Evidence that the RTNL is held: no device comes, goes or is renamed.
pub struct Rtnl(PhantomData<*mut ()>);

impl Rtnl {
    /// States that the RTNL is held.
    ///
    /// # Safety
    ///
    /// It is, as long as the value is used.
    pub(crate) unsafe fn assume() -> Self {
        Self(PhantomData)
    }

    /// Calls `f` for each device in each namespace.
    pub fn for_each_device<F: FnMut(NetDevice<'_>)>(&self, mut f: F) {
        /// # Safety
        ///
        /// `data` is an `F` that nobody else uses, and `dev` a valid device.
        unsafe extern "C" fn call<F: FnMut(NetDevice<'_>)>(
            dev: *mut bindings::net_device,
            data: *mut c_void,
        ) {
            // SAFETY: `data` is the closure passed below, borrowed for the time of the walk.
            let f = unsafe { &mut *data.cast::<F>() };

            // SAFETY: The walk hands over valid devices, which RTNL keeps.
            f(unsafe { NetDevice::from_ptr(dev) });
        }

        // SAFETY: RTNL is held; the callback gets the closure it expects.
        unsafe { bindings::knet_for_each_netdev(Some(call::<F>), (&raw mut f).cast()) };
    }
}

/// Runs `f` with the RTNL held.
///
/// Context: process; sleeps.
pub fn with_rtnl<R>(f: impl FnOnce(&Rtnl) -> R) -> R {
    // SAFETY: Process context; released below.
    unsafe { bindings::knet_rtnl_lock() };
    // SAFETY: Taken above.
    let result = f(unsafe { &Rtnl::assume() });

    // SAFETY: Taken above.
    unsafe { bindings::knet_rtnl_unlock() };
    result
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is there, or has entered this namespace.
    Register,
    /// It is up: opened and running.
    Up,
    /// It is down: stopped.
    Down,
    /// It goes away, or leaves this namespace.
    Unregister,
    /// It has another name.
    Rename,
    /// Its features have changed.
    Features,
}

/// What is done on events of devices.
pub trait DeviceEvents: Send + Sync + 'static {
    /// Called for each event, under RTNL. A new listener is told of each device that is there
    /// already, and one that leaves of each device as if it went away.
    ///
    /// # Errors
    ///
    /// A new listener is not registered. Later, nothing that happens to a device is undone, and
    /// [`DeviceEvents::missed`] is called.
    fn event(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) -> Result;

    /// Called where [`DeviceEvents::event`] has failed for a device that is as it is all the same.
    fn missed(&self, error: Error, device: NetDevice<'_>, rtnl: &Rtnl);
}

/// A listener, registered.
pub struct Notifier<T: DeviceEvents>(KBox<Listener<T>>);

#[repr(C)]
struct Listener<T> {
    block: Opaque<bindings::notifier_block>,
    events: T,
    /// The first error while it is new, or zero; then [`NOT_NEW`].
    first_error: AtomicI32,
}

/// No error.
const NOT_NEW: i32 = 1;

// SAFETY: The block is touched by the notifier chain only, under its lock; `T` is both.
unsafe impl<T: DeviceEvents> Send for Listener<T> {}
// SAFETY: As above.
unsafe impl<T: DeviceEvents> Sync for Listener<T> {}

impl<T: DeviceEvents> Notifier<T> {
    /// Registers `events`, which is told of all devices before this returns.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and those of [`DeviceEvents::event`] for one of the devices.
    pub fn new(events: T) -> Result<Self> {
        let listener = KBox::new(
            Listener {
                block: Opaque::new(bindings::notifier_block {
                    notifier_call: Some(notify::<T>),
                    ..Default::default()
                }),
                events,
                first_error: AtomicI32::new(0),
            },
            GFP_KERNEL,
        )?;

        // SAFETY: The block is in a box that stays until it is unregistered.
        crate::to_result(unsafe { bindings::register_netdevice_notifier(listener.block.get()) })?;
        // From here on dropping it unregisters it.
        let notifier = Self(listener);

        // Not by the notifier's result, which could keep a device from coming at the same time.
        crate::to_result(notifier.0.first_error.swap(NOT_NEW, Ordering::Relaxed))?;
        Ok(notifier)
    }

    /// The listener.
    pub fn events(&self) -> &T {
        &self.0.events
    }
}

impl<T: DeviceEvents> Drop for Notifier<T> {
    fn drop(&mut self) {
        // SAFETY: It was registered in `new`. No callback runs once this returns.
        unsafe { bindings::unregister_netdevice_notifier(self.0.block.get()) };
    }
}

impl<T> Listener<T> {
    /// Keeps `error` for who registers the listener. Whether there is somebody.
    fn keeps(&self, error: Error) -> bool {
        let (order, errno) = (Ordering::Relaxed, error.to_errno());

        self.first_error.compare_exchange(0, errno, order, order) != Err(NOT_NEW)
    }
}

/// # Safety
///
/// Called by the notifier chain for a block of a `Listener<T>`.
unsafe extern "C" fn notify<T: DeviceEvents>(
    block: *mut bindings::notifier_block,
    event: c_ulong,
    info: *mut c_void,
) -> c_int {
    let block = block.cast::<Opaque<bindings::notifier_block>>();
    // SAFETY: The block is that of a `Listener<T>`, which lives until it is unregistered.
    let listener = unsafe { &*container_of!(block, Listener<T>, block) };
    let event = match event as u32 {
        bindings::netdev_cmd_NETDEV_REGISTER => Event::Register,
        bindings::netdev_cmd_NETDEV_UP => Event::Up,
        bindings::netdev_cmd_NETDEV_DOWN => Event::Down,
        bindings::netdev_cmd_NETDEV_UNREGISTER => Event::Unregister,
        bindings::netdev_cmd_NETDEV_CHANGENAME => Event::Rename,
        bindings::netdev_cmd_NETDEV_FEAT_CHANGE => Event::Features,
        _ => return 0,
    };

    // SAFETY: `info` is the notifier's; the device is valid for the call, which RTNL is held for.
    let (device, rtnl) = unsafe {
        (
            NetDevice::from_ptr(bindings::knet_notifier_dev(info)),
            Rtnl::assume(),
        )
    };

    if let Err(error) = listener.events.event(event, device, &rtnl) {
        if !listener.keeps(error) {
            listener.events.missed(error, device, &rtnl);
        }
    }
    0
}

/// Whether the initial namespace has a device of this name.
///
/// Context: process.
pub fn exists(name: &CStr) -> bool {
    // SAFETY: A C string; process context.
    unsafe { bindings::knet_init_net_has_dev(name.as_char_ptr()) }
}
