// SPDX-License-Identifier: GPL-2.0

//! The entry devices: those whose received frames are classified.

use core::{
    fmt,
    sync::atomic::{
        AtomicBool,
        AtomicUsize,
        Ordering, //
    },
};

use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
};
use knet::{
    context::{
        self,
        RxContext, //
    },
    files::SHOW_MAX,
    netdev::{
        self,
        DeviceId,
        Kind,
        NetDevice,
        Rtnl, //
    },
    rcu::RcuCell,
    reclaim::Reclaimer, //
};

/// How the entry devices are chosen.
pub(crate) enum Selection {
    /// Every NIC, in every namespace: each Ethernet device that is not a virtual stage.
    Auto,
    /// The devices of these names in the initial namespace.
    Named(KVec<CString>),
}

impl Selection {
    fn includes(&self, device: NetDevice<'_>, rtnl: &Rtnl) -> bool {
        match self {
            Self::Auto => device.kind() == Kind::Nic,
            Self::Named(names) => {
                device.in_init_net() && names.iter().any(|name| **name == *device.name(rtnl))
            }
        }
    }
}

/// An entry device.
pub(crate) struct Entry {
    id: AtomicUsize,
    /// Its frames have been seen at GRO, so there is nothing to do for them at the ingress hook.
    has_gro: AtomicBool,
}

impl Entry {
    fn vacant() -> Self {
        Self {
            id: AtomicUsize::new(DeviceId::NONE.get()),
            has_gro: AtomicBool::new(false),
        }
    }

    #[inline]
    fn is(&self, id: usize) -> bool {
        self.id.load(Ordering::Relaxed) == id
    }

    /// Notes that the device hands its frames to GRO. Returns whether that is news.
    #[inline]
    pub(crate) fn saw_gro(&self) -> bool {
        !self.has_gro() && !self.has_gro.swap(true, Ordering::Relaxed)
    }

    /// Whether the device has handed a frame to GRO.
    #[inline]
    pub(crate) fn has_gro(&self) -> bool {
        self.has_gro.load(Ordering::Relaxed)
    }
}

/// The entry devices of a moment: a hash table with at least one vacant place.
struct Set(KVec<Entry>);

impl Set {
    fn new(devices: &[DeviceId]) -> Result<Self> {
        let size = devices
            .len()
            .saturating_mul(2)
            .saturating_add(1)
            .next_power_of_two();
        let mut places = KVec::with_capacity(size, GFP_KERNEL)?;

        for _ in 0..size {
            places.push(Entry::vacant(), GFP_KERNEL)?;
        }
        let mut set = Self(places);

        for id in devices.iter().map(|id| id.get()) {
            let vacant = set
                .probe(id)
                .find(|&place| set.0.get(place).is_some_and(|e| e.is(DeviceId::NONE.get())));

            if let Some(entry) = vacant.and_then(|place| set.0.get_mut(place)) {
                *entry.id.get_mut() = id;
            }
        }
        Ok(set)
    }

    /// The places where `id` may be, in the order in which they are filled.
    #[inline]
    fn probe(&self, id: usize) -> impl Iterator<Item = usize> {
        let mask = self.0.len().wrapping_sub(1);
        // Devices are aligned to more than a cache line.
        let first = id >> 8;

        (0..=mask).map(move |step| first.wrapping_add(step) & mask)
    }

    /// Whether it has devices that `other` has not.
    fn exceeds(&self, other: &Self) -> bool {
        let is_lost = |entry: &Entry| {
            let id = entry.id.load(Ordering::Relaxed);
            let is_vacant = id == DeviceId::NONE.get() || id == DeviceId::GONE.get();

            !is_vacant && other.find(id).is_none()
        };

        self.0.iter().any(is_lost)
    }

    #[inline]
    fn find(&self, id: usize) -> Option<&Entry> {
        self.probe(id)
            .map_while(|place| self.0.get(place).filter(|e| !e.is(DeviceId::NONE.get())))
            .find(|entry| entry.is(id))
    }
}

/// How many sets that were replaced may wait to be freed.
const RETIRED_MAX: usize = 32;

/// The choice of entry devices and what it comes to.
#[pin_data]
pub(crate) struct Devices {
    #[pin]
    selection: Mutex<Arc<Selection>>,
    set: RcuCell<Set>,
    /// Set when a device that stays may have left the set, and packets of it may wait.
    has_lost: AtomicBool,
    #[pin]
    reclaimer: Reclaimer<Set>,
}

impl Devices {
    /// The automatic choice; nothing is looked at before [`Devices::refresh`].
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            selection <- new_mutex!(Arc::new(Selection::Auto, GFP_KERNEL)?),
            set: RcuCell::new(),
            has_lost: AtomicBool::new(false),
            reclaimer <- Reclaimer::new(RETIRED_MAX),
        })
    }

    /// The entry that `device` is, if it is one.
    #[inline]
    pub(crate) fn find<'a>(&'a self, cx: &RxContext<'a>, device: DeviceId) -> Option<&'a Entry> {
        self.set.read(cx)?.find(device.get())
    }

    /// Puts a choice in force.
    ///
    /// Context: process, under RTNL; sleeps.
    pub(crate) fn adopt(&self, choice: Choice, _rtnl: &Rtnl) {
        *self.selection.lock() = choice.selection;
        self.has_lost.store(true, Ordering::Relaxed);
        self.reclaimer.defer(self.set.swap(Some(choice.set)));
    }

    /// Takes a device out of the set in force, if it is in there.
    ///
    /// Context: process, under RTNL.
    pub(crate) fn forget(&self, device: NetDevice<'_>) {
        context::with_rx_context(|cx| {
            if let Some(entry) = self.find(&cx, device.id()) {
                entry.id.store(DeviceId::GONE.get(), Ordering::Relaxed);
            }
        });
    }

    /// The same for one that stays, and is chosen no more.
    ///
    /// Context: process, under RTNL.
    pub(crate) fn lose(&self, device: NetDevice<'_>) {
        self.has_lost.store(true, Ordering::Relaxed);
        self.forget(device);
    }

    /// Forgets whether a device hands its frames to GRO.
    ///
    /// Context: process, under RTNL.
    pub(crate) fn relearn(&self, device: NetDevice<'_>) {
        context::with_rx_context(|cx| {
            if let Some(entry) = self.find(&cx, device.id()) {
                entry.has_gro.store(false, Ordering::Relaxed);
            }
        });
    }

    /// Has no device in the set in force.
    ///
    /// Context: process, while nothing waits.
    pub(crate) fn clear(&self) {
        self.has_lost.store(false, Ordering::Relaxed);
        self.reclaimer.defer(self.set.swap(None));
    }

    /// Looks at all devices again. What was learnt of them is forgotten.
    ///
    /// Context: process, under RTNL.
    pub(crate) fn refresh(&self, rtnl: &Rtnl) -> Result {
        let set = collect(&self.selection(), rtnl)?;

        // Devices of a namespace that goes are not found any more, and are still to be unregistered.
        if context::with_rx_context(|cx| self.set.read(&cx).is_some_and(|old| old.exceeds(&set))) {
            self.has_lost.store(true, Ordering::Relaxed);
        }
        self.reclaimer.defer(self.set.swap(Some(set)));
        Ok(())
    }

    /// Whether `device` is in the set in force.
    pub(crate) fn holds(&self, device: NetDevice<'_>) -> bool {
        context::with_rx_context(|cx| self.find(&cx, device.id()).is_some())
    }

    /// Whether packets of `device` may wait: it is in the set in force, or may have been in one before.
    ///
    /// Context: process, under RTNL.
    pub(crate) fn may_have_waiting(&self, device: NetDevice<'_>) -> bool {
        self.has_lost.load(Ordering::Relaxed) || self.holds(device)
    }

    /// Whether `device` is in the set in force and hands its frames to GRO.
    pub(crate) fn uses_gro(&self, device: NetDevice<'_>) -> bool {
        context::with_rx_context(|cx| self.find(&cx, device.id()).is_some_and(Entry::has_gro))
    }

    /// Whether `device` is chosen.
    pub(crate) fn includes(&self, device: NetDevice<'_>, rtnl: &Rtnl) -> bool {
        self.selection.lock().includes(device, rtnl)
    }

    /// Writes the choice in a form that can be chosen again: the names, after `auto` where the choice
    /// is automatic. What is no text cannot be chosen and is left out, and so is what there is no room for.
    ///
    /// Context: process; sleeps, takes the RTNL.
    pub(crate) fn show(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        netdev::with_rtnl(|rtnl| {
            let selection = self.selection();
            let mut result = Ok(());
            let mut separator = "";
            // But for "auto", and the line's end.
            let mut room = SHOW_MAX.saturating_sub(5);

            if matches!(*selection, Selection::Auto) {
                result = to.write_str("auto");
                separator = " ";
            }
            rtnl.for_each_device(|device| {
                if result.is_err() || !selection.includes(device, rtnl) {
                    return;
                }
                let Ok(name) = device.name(rtnl).to_str() else {
                    return;
                };
                let Some(left) = room.checked_sub(separator.len().saturating_add(name.len()))
                else {
                    return;
                };

                room = left;
                result = to.write_fmt(format_args!("{separator}{name}"));
                separator = " ";
            });
            result?;
            to.write_str("\n")
        })
    }

    /// The choice. The lock is not held while namespaces are walked: the walk takes a lock of its own,
    /// inside which [`Devices::includes`] takes this one.
    fn selection(&self) -> Arc<Selection> {
        self.selection.lock().clone()
    }
}

/// A choice that is not in force yet, with all that it takes to be.
pub(crate) struct Choice {
    selection: Arc<Selection>,
    set: KBox<Set>,
}

impl Choice {
    /// Looks at all devices. That those that are named exist is for the caller to check.
    ///
    /// Context: process, under RTNL. It must be held until the choice is adopted.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(selection: Selection, rtnl: &Rtnl) -> Result<Self> {
        let selection = Arc::new(selection, GFP_KERNEL)?;

        Ok(Self {
            set: collect(&selection, rtnl)?,
            selection,
        })
    }

    /// Whether `device` is chosen.
    pub(crate) fn includes(&self, device: NetDevice<'_>, rtnl: &Rtnl) -> bool {
        self.selection.includes(device, rtnl)
    }
}

fn collect(selection: &Selection, rtnl: &Rtnl) -> Result<KBox<Set>> {
    let mut ids = KVec::new();
    let mut result = Ok(());

    rtnl.for_each_device(|device| {
        if result.is_ok() && selection.includes(device, rtnl) {
            result = ids.push(device.id(), GFP_KERNEL);
        }
    });
    result?;
    Ok(KBox::new(Set::new(&ids)?, GFP_KERNEL)?)
}
