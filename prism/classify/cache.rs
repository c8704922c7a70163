// SPDX-License-Identifier: GPL-2.0

//! Flows that were classified, known again by the bytes of their headers.
//!
//! Packets of a flow differ in a few fields only: lengths, identification, TTL, checksums, and what
//! follows the ports. So the headers of a packet are kept, under a mask that leaves these fields out,
//! with what the table said of its flow. A packet with the same bytes under that mask, whose lengths
//! are as consistent as [`parse`](super::parse) wants them, has the same flow. It is found by a
//! comparison of words, at a fraction of the cost of parsing and lookup.
//!
//! What is kept is good for one [`stamp`](Cache::find), which stands for the rules and the VXLAN
//! ports in force.
//!
//! Not supported, hence always parsed: VLAN tags, headers that lie in more than one piece.

use core::ops::DerefMut;

use super::{
    template::{
        self,
        Shape,
        Words, //
    },
    Family,
    VxlanPorts, //
};

/// A known flow, with a `T` that the caller keeps beside it.
#[derive(Clone, Copy)]
pub struct Slot<T> {
    words: Words,
    stamp: u64,
    ports: u32,
    /// The index of a rule, or [`NONE`](Self::NONE).
    rule: u32,
    shape: Shape,
    /// What the caller keeps. A flow that takes the slot starts with the default.
    pub extra: T,
}

impl<T: Default> Slot<T> {
    /// No stamp that is in use.
    const VACANT: u64 = 0;
    /// No index that a table gives.
    const NONE: u32 = u32::MAX;

    /// A slot without a flow.
    pub fn vacant() -> Self {
        Self {
            words: Words::ZERO,
            stamp: Self::VACANT,
            ports: 0,
            rule: Self::NONE,
            shape: Shape::V4,
            extra: T::default(),
        }
    }
}

/// Where a packet's flow belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    shape: Shape,
    index: usize,
}

impl Place {
    /// Of which headers the packets of the flow consist.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// What is known of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The rule of its flow, if there is one: what the table said when the flow was noted here.
    Flow(Place, Option<usize>),
    /// Nothing, but its flow may be noted here.
    Place(Place),
    /// Nothing, and its headers are of no kind that is kept.
    Unfit,
}

/// Known flows, each in the only slot where it may be. A flow takes the slot of another.
///
/// The number of slots is a power of two.
pub struct Cache<S> {
    slots: S,
}

impl<T, S> Cache<S>
where
    T: Default,
    S: DerefMut<Target = [Slot<T>]>,
{
    /// A cache over the memory of the caller.
    pub fn new(slots: S) -> Self {
        Self { slots }
    }

    /// What is known of a packet whose flow was noted with this `stamp`, which is not zero.
    ///
    /// The other arguments are those of [`parse`](super::parse). Where the stamp is the same, the
    /// ports must be.
    #[inline]
    pub fn find(
        &self,
        family: Family,
        head: &[u8],
        len: usize,
        vxlan: &impl VxlanPorts,
        stamp: u64,
    ) -> Known {
        let index = |hash: u64| hash as usize & self.slots.len().wrapping_sub(1);
        let get = |shape, hash| {
            let slot = self.slots.get(index(hash))?;

            (slot.stamp == stamp && slot.shape == shape).then_some((&slot.words, slot.ports))
        };
        let Some(found) = template::find(family, head, len, vxlan, get) else {
            return Known::Unfit;
        };
        let place = Place {
            shape: found.shape,
            index: index(found.hash),
        };

        match self.slots.get(place.index).filter(|_| found.is_same) {
            Some(slot) => {
                let rule = (slot.rule != Slot::<T>::NONE).then_some(slot.rule as usize);

                Known::Flow(place, rule)
            }
            None => Known::Place(place),
        }
    }

    /// Notes the flow of a packet that [`find`](Self::find) gave `place` and
    /// [`parse`](super::parse) a flow, with what a table said of it. Returns the place if that was done.
    #[inline]
    pub fn note(
        &mut self,
        place: Place,
        head: &[u8],
        stamp: u64,
        rule: Option<usize>,
    ) -> Option<Place> {
        let slot = self.slots.get_mut(place.index)?;
        let (words, ports) = template::of(place.shape, head)?;

        *slot = Slot {
            words,
            stamp,
            ports,
            rule: rule.map_or(Slot::<T>::NONE, |rule| rule as u32),
            shape: place.shape,
            extra: T::default(),
        };
        Some(place)
    }

    /// What the caller keeps beside the flow at `place`.
    #[inline]
    pub fn extra(&mut self, place: Place) -> Option<&mut T> {
        self.slots.get_mut(place.index).map(|slot| &mut slot.extra)
    }
}
