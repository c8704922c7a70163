// SPDX-License-Identifier: GPL-2.0

//! Lookup of the rule that names a flow, by mask group and hash (tuple space search).
//!
//! Rules of one shape, that is, which look at the same bits of a flow, are in one group. A lookup
//! masks the flow once for each group and finds what is left in a hash table that all groups share,
//! so its cost grows with the number of shapes and not with the number of rules. Groups whose entries
//! agree in something that the flow lacks, such as a VNI, are passed over. A range of ports is entered
//! as the prefixes that it consists of.
//!
//! Of several rules that name a flow, the one with the highest
//! [specificity](super::rule::Match::specificity) is found, and among equals the first one.

mod build;
mod group;
mod hash;
mod shape;

use core::ops::Deref;

use super::Flow;

pub use self::{
    build::{
        Error,
        Plan, //
    },
    group::{
        Entry,
        Group,
        Slot, //
    },
};

use self::{
    group::Rank,
    hash::Key, //
};

/// The largest number of entries: one for a rule without ranges of ports, up to 30 for a range.
pub const ENTRIES_MAX: usize = u16::MAX as usize;

/// The largest number of shapes.
pub const SHAPES_MAX: usize = 1024;

/// The largest number of slots that a lookup in a group looks at.
pub const PROBES_MAX: usize = 64;

/// A lookup table over the memory that its builder was given.
pub struct Table<G, S, E> {
    groups: G,
    slots: S,
    entries: E,
    key: Key,
}

impl<G, S, E> Table<G, S, E>
where
    G: Deref<Target = [Group]>,
    S: Deref<Target = [Slot]>,
    E: Deref<Target = [Entry]>,
{
    /// Whether there is no rule, so that no flow need be looked up.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.groups.first().is_none_or(Group::is_unused)
    }

    /// The index of the rule that names `flow`, in the order in which the rules were given.
    #[inline]
    pub fn lookup(&self, flow: &Flow) -> Option<usize> {
        self.search(flow, |_| true, &mut ()).rule()
    }

    /// As [`lookup`](Self::lookup), and tells what it cost.
    pub fn lookup_with_cost(&self, flow: &Flow) -> (Option<usize>, Cost) {
        let mut cost = Cost::default();
        let rank = self.search(flow, |_| true, &mut cost);

        (rank.rule(), cost)
    }

    /// As [`lookup`](Self::lookup), of the rules whose index `counts` only.
    pub fn lookup_among(&self, flow: &Flow, counts: impl Fn(usize) -> bool) -> Option<Hit> {
        let counts = |rank: Rank| rank.rule().is_some_and(&counts);
        let rank = self.search(flow, counts, &mut ());

        Some(Hit {
            specificity: rank.specificity(),
            rule: rank.rule()?,
        })
    }

    /// Whether the rules of both tables fit into one.
    pub fn fits_with(&self, other: &Self) -> bool {
        let entries = self.entries.len().saturating_add(other.entries.len());

        entries <= ENTRIES_MAX && self.shapes_with(other) <= SHAPES_MAX
    }

    /// At least the number of shapes in both tables, and exactly that if it is near the largest one.
    fn shapes_with(&self, other: &Self) -> usize {
        let ours = group::used(&self.groups);
        let theirs = group::used(&other.groups);
        let both = ours.len().saturating_add(theirs.len());
        if both <= SHAPES_MAX {
            return both;
        }

        let is_ours = |group: &&Group| ours.iter().any(|other| other.mask() == group.mask());
        theirs
            .iter()
            .filter(is_ours)
            .fold(both, |both, _| both.saturating_sub(1))
    }

    #[inline]
    fn search(&self, flow: &Flow, counts: impl Fn(Rank) -> bool, meter: &mut impl Meter) -> Rank {
        let mut best = Rank::NONE;

        for group in self.groups.iter() {
            // Groups are sorted: neither this one nor those behind it have a better rule.
            if group.best() <= best {
                break;
            }
            meter.group();
            if group.agrees_with(flow.words()) {
                best = best.max(match group.is_uniform() && counts(group.best()) {
                    true => group.best(),
                    false => self.find(group, flow, &counts, meter),
                });
            }
        }
        best
    }

    /// The highest rank that `counts` of a rule in `group` that names `flow`.
    ///
    /// Not inlined, as most groups are passed over and do not need its registers.
    #[inline(never)]
    fn find(
        &self,
        group: &Group,
        flow: &Flow,
        counts: impl Fn(Rank) -> bool,
        meter: &mut impl Meter,
    ) -> Rank {
        meter.search();
        let hash = group.hash(&self.key, flow.words());
        let Some(run) = self.slots.get(self.key.home(hash)..) else {
            return Rank::NONE;
        };

        // The builder saw to it that each entry is near its home.
        let run = run.iter().take(PROBES_MAX);
        for slot in run.take_while(|slot| !slot.is_empty()) {
            meter.probe();
            if let Some(entry) = slot.entry(hash, &self.entries) {
                if entry.is_of(group, flow.words()) {
                    return self.first(entry, counts);
                }
            }
        }
        Rank::NONE
    }

    /// The first rank that `counts` of `entry` and its like.
    #[inline]
    fn first<'a>(&'a self, mut entry: &'a Entry, counts: impl Fn(Rank) -> bool) -> Rank {
        while !counts(entry.rank()) {
            let next = entry.next().index();
            let Some(next) = next.and_then(|next| self.entries.get(next)) else {
                return Rank::NONE;
            };
            entry = next;
        }
        entry.rank()
    }
}

/// A rule that names a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// How [specific](super::rule::Match::specificity) it is.
    pub specificity: u32,
    /// Its index.
    pub rule: usize,
}

/// What a lookup cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many groups were looked at.
    pub groups: usize,
    /// In how many of these the flow was searched for.
    pub searches: usize,
    /// How many used slots were looked at.
    pub probes: usize,
}

/// Counts the steps of a lookup, or compiles to nothing.
trait Meter {
    fn group(&mut self);
    fn search(&mut self);
    fn probe(&mut self);
}

impl Meter for () {
    #[inline]
    fn group(&mut self) {}
    #[inline]
    fn search(&mut self) {}
    #[inline]
    fn probe(&mut self) {}
}

impl Meter for Cost {
    fn group(&mut self) {
        self.groups = self.groups.saturating_add(1);
    }

    fn search(&mut self) {
        self.searches = self.searches.saturating_add(1);
    }

    fn probe(&mut self) {
        self.probes = self.probes.saturating_add(1);
    }
}
