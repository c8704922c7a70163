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
    /// That of the flow, of which no other has the same.
    ticket: Ticket,
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
            ticket: Ticket::VACANT,
            ports: 0,
            rule: Self::NONE,
            shape: Shape::V4,
            extra: T::default(),
        }
    }

    #[inline]
    fn rule(&self) -> Option<usize> {
        (self.rule != Self::NONE).then_some(self.rule as usize)
    }
}

/// Where a packet's flow may be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacancy {
    shape: Shape,
    index: usize,
}

/// A flow that was noted in a cache, to be found again without a packet: the number of the cache, that
/// of the flow in it, and the index of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

impl Ticket {
    /// Of no flow.
    pub const NONE: Self = Self(0);
    /// That of a slot without a flow, which nobody has.
    const VACANT: Self = Self(u64::MAX);
    /// How many bits the index has.
    const INDEX_BITS: u32 = 16;
    /// How many bits the number of a flow has. Numbers begin anew after as many flows as a cache notes in
    /// an hour at a million in a second; a ticket is good for as long as a packet may wait.
    const FLOW_BITS: u32 = 32;

    /// The first of the cache with this number.
    const fn first(cache: u16) -> Self {
        Self((cache as u64) << (Self::INDEX_BITS + Self::FLOW_BITS))
    }

    /// The next of the same cache, for a flow in the slot at `index`.
    #[inline]
    fn next(self, index: usize) -> Self {
        const INDEX: u64 = (1 << Ticket::INDEX_BITS) - 1;
        const FLOW: u64 = ((1 << Ticket::FLOW_BITS) - 1) << Ticket::INDEX_BITS;
        let flow = (self.0 | INDEX).wrapping_add(1) & FLOW;

        Self(self.0 & !(FLOW | INDEX) | flow | index as u64 & INDEX)
    }

    #[inline]
    fn index(self) -> usize {
        self.0 as u16 as usize
    }

    /// The ticket as a word.
    #[inline]
    pub fn word(self) -> u64 {
        self.0
    }

    /// From its word.
    #[inline]
    pub fn from_word(word: u64) -> Self {
        Self(word)
    }
}

/// Where a packet's flow is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    shape: Shape,
    ticket: Ticket,
}

impl Place {
    /// Of which headers the packets of the flow consist.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What the flow is found by again.
    #[inline]
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }
}

/// What is known of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The rule of its flow, if there is one: what the table said when the flow was noted here.
    Flow(Place, Option<usize>),
    /// Nothing, but its flow may be noted here.
    Vacant(Vacancy),
    /// Nothing, and its headers are of no kind that is kept.
    Unfit,
}

/// Known flows, each in the only slot where it may be. A flow takes the slot of another.
///
/// The number of slots is a power of two, and at most 65,536.
pub struct Cache<S> {
    slots: S,
    /// That of the flow that was noted last.
    ticket: Ticket,
}

impl<T, S> Cache<S>
where
    T: Default,
    S: DerefMut<Target = [Slot<T>]>,
{
    /// A cache over the memory of the caller. No other has the same number, which is not zero.
    pub fn new(slots: S, number: u16) -> Self {
        Self {
            slots,
            ticket: Ticket::first(number),
        }
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
        let index = index(found.hash);
        let shape = found.shape;

        match self.slots.get(index).filter(|_| found.is_same) {
            Some(slot) => {
                let ticket = slot.ticket;

                Known::Flow(Place { shape, ticket }, slot.rule())
            }
            None => Known::Vacant(Vacancy { shape, index }),
        }
    }

    /// Where the flow with this ticket is known, if it is still, and its `stamp` is this one.
    #[inline]
    pub fn resume(&self, ticket: Ticket, stamp: u64) -> Option<Place> {
        let slot = self.slots.get(ticket.index())?;
        let shape = slot.shape;

        (slot.ticket == ticket && slot.stamp == stamp).then_some(Place { shape, ticket })
    }

    /// What a table said of the flow with this ticket, if it is known still, and its `stamp` is this one.
    pub fn rule(&self, ticket: Ticket, stamp: u64) -> Option<Option<usize>> {
        let slot = self.slots.get(ticket.index())?;

        (slot.ticket == ticket && slot.stamp == stamp).then(|| slot.rule())
    }

    /// Notes the flow of a packet that [`find`](Self::find) gave `vacancy` and
    /// [`parse`](super::parse) a flow, with what a table said of it. Returns the place if that was done.
    #[inline]
    pub fn note(
        &mut self,
        vacancy: Vacancy,
        head: &[u8],
        stamp: u64,
        rule: Option<usize>,
    ) -> Option<Place> {
        let Vacancy { shape, index } = vacancy;
        let slot = self.slots.get_mut(index)?;
        let (words, ports) = template::of(shape, head)?;
        let ticket = self.ticket.next(index);

        *slot = Slot {
            words,
            stamp,
            ticket,
            ports,
            rule: rule.map_or(Slot::<T>::NONE, |rule| rule as u32),
            shape,
            extra: T::default(),
        };
        self.ticket = ticket;
        Some(Place { shape, ticket })
    }

    /// What the caller keeps beside the flow with this ticket, unless another flow has its slot now.
    #[inline]
    pub fn extra(&mut self, ticket: Ticket) -> Option<&mut T> {
        let slot = self.slots.get_mut(ticket.index())?;

        (slot.ticket == ticket).then_some(&mut slot.extra)
    }

    /// What the caller keeps beside the flow that is to make place, if there is one.
    pub fn occupant(&self, vacancy: Vacancy) -> Option<&T> {
        let slot = self.slots.get(vacancy.index)?;

        (slot.ticket != Ticket::VACANT).then_some(&slot.extra)
    }
}
