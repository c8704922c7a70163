// SPDX-License-Identifier: GPL-2.0

//! What the vxlan driver has learnt: which addresses need not be shown to it again.
//!
//! C: `vxlan_snoop()` in `drivers/net/vxlan/vxlan_core.c`.

use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;

use crate::{
    bindings,
    context::RxContext,
    percpu::PerCpu, //
};

/// Follows the changes of FDBs, so that what [`Refreshed`] remembers is not used past one.
///
/// Dropping it stops that.
pub struct FdbFollower(());

impl FdbFollower {
    /// Starts to follow.
    ///
    /// Context: process. There must be one at a time, while sockets are attached.
    pub fn new() -> Result<Self> {
        // SAFETY: Process context; undone when this is dropped.
        crate::to_result(unsafe { bindings::knet_vxlan_follow_fdb() })?;
        Ok(Self(()))
    }
}

impl Drop for FdbFollower {
    fn drop(&mut self) {
        // SAFETY: `new` succeeded.
        unsafe { bindings::knet_vxlan_unfollow_fdb() };
    }
}

/// Who sends: a device, a MAC address behind it, and the VTEP, at this second and generation of FDBs.
pub(crate) struct Sender {
    /// Depends on all bits of the three.
    hash: u64,
    second: u32,
    generation: u32,
}

impl Sender {
    #[inline]
    pub(crate) fn new(view: &bindings::knet_vxlan) -> Self {
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let inner = (view.source ^ view.dev as u64).wrapping_mul(MIX);

        Self {
            hash: inner
                .rotate_left(32)
                .wrapping_add(view.outer_source)
                .wrapping_mul(MIX),
            second: view.second,
            generation: view.fdb_generation,
        }
    }

    /// The second and the generation.
    #[inline]
    fn when(&self) -> u64 {
        u64::from(self.second) << 32 | u64::from(self.generation)
    }
}

/// Remembers, for each CPU, which learnt addresses the driver has seen in use within this second, and
/// that the FDB then had them as the packets do.
///
/// It may forget, when two addresses share a place; the driver then sees one of them more often.
pub struct Refreshed(PerCpu<Recent>);

const PLACES: usize = 64;
const PLACES_SHIFT: u32 = u64::BITS - PLACES.ilog2();

/// A sender that was seen: its hash, and the second and the generation of FDBs that it was seen in.
#[derive(Default)]
pub(crate) struct Place {
    hash: AtomicU64,
    when: AtomicU64,
}

struct Recent([Place; PLACES]);

impl Default for Recent {
    fn default() -> Self {
        Self(core::array::from_fn(|_| Place::default()))
    }
}

impl Place {
    /// Whether `sender` was seen in this second, and no FDB has changed since.
    #[inline]
    pub(crate) fn knows(&self, sender: &Sender) -> bool {
        self.hash.load(Ordering::Relaxed) == sender.hash
            && self.when.load(Ordering::Relaxed) == sender.when()
    }

    /// Notes that the FDB has `sender` as it is. Returns whether the driver has seen it this second.
    pub(crate) fn note(&self, sender: &Sender) -> bool {
        let is_recent = self.hash.load(Ordering::Relaxed) == sender.hash
            && (self.when.load(Ordering::Relaxed) >> 32) as u32 == sender.second;

        self.hash.store(sender.hash, Ordering::Relaxed);
        self.when.store(sender.when(), Ordering::Relaxed);
        is_recent
    }
}

impl Refreshed {
    /// Remembers nothing yet.
    ///
    /// Context: process.
    pub fn new() -> Result<Self> {
        Ok(Self(PerCpu::new()?))
    }

    /// Where `sender` is remembered on this CPU.
    #[inline]
    pub(crate) fn place<'a>(&'a self, cx: &RxContext<'a>, sender: &Sender) -> &'a Place {
        let Recent(places) = self.0.get(cx);
        let [first, ..] = places;

        // The index has as many bits as there are places, so there is one.
        places
            .get((sender.hash >> PLACES_SHIFT) as usize)
            .unwrap_or(first)
    }
}
