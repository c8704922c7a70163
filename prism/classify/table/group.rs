// SPDX-License-Identifier: GPL-2.0

//! What a table consists of.

use super::{
    super::flow::Words,
    hash::Key,
    ENTRIES_MAX, //
};

/// How good a match is: the specificity of a rule, then its place among the rules.
///
/// The lower half counts places down from the last, so that the first rule has the highest rank and
/// zero is left for no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u32);

impl Rank {
    /// The rank of no rule: below all others.
    pub(super) const NONE: Self = Self(0);

    /// The rank of the rule at `index`. `None` past the last index that can be told.
    pub(super) fn new(specificity: u32, index: usize) -> Option<Self> {
        let place = ENTRIES_MAX.checked_sub(index)?;
        if place == 0 {
            return None;
        }
        Some(Self((specificity << 16) | place as u32))
    }

    /// The specificity of the rule.
    pub(super) fn specificity(self) -> u32 {
        self.0 >> 16
    }

    /// The index of the rule.
    #[inline]
    pub(super) fn rule(self) -> Option<usize> {
        if self == Self::NONE {
            return None;
        }
        ENTRIES_MAX.checked_sub(usize::from(self.0 as u16))
    }
}

/// The rules of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The rank of the best rule; `NONE` in an unused group.
    best: Rank,
    /// What entries call this group.
    id: u16,
    /// Whether more than the first two words of the mask count.
    is_wide: bool,
    /// Whether all entries are alike, so that what they agree in is all that they want.
    is_uniform: bool,
    salt: u64,
    /// The bits in which all entries agree.
    agreed: Words,
    /// The value of these bits.
    value: Words,
    mask: Words,
}

impl Group {
    /// Memory for a group.
    pub const UNUSED: Self = Self {
        best: Rank::NONE,
        id: 0,
        is_wide: false,
        is_uniform: true,
        salt: 0,
        agreed: Words::ZERO,
        value: Words::ZERO,
        mask: Words::ZERO,
    };

    /// The group of the rules that look at the bits of `mask`, before its first entry.
    pub(super) fn new(id: u16, mask: Words) -> Self {
        Self {
            id,
            is_wide: mask.is_wide(),
            mask,
            ..Self::UNUSED
        }
    }

    /// Takes note of an entry.
    pub(super) fn add(&mut self, entry: &Entry) {
        if self.is_unused() {
            self.agreed = self.mask;
            self.value = entry.words;
        }
        self.agree_with(&entry.words);
        self.best = self.best.max(entry.rank);
    }

    /// Leaves out of what the entries agree in where `words` differ.
    fn agree_with(&mut self, words: &Words) {
        let agreed = self.agreed.0.iter_mut().zip(&self.value.0);

        for ((agreed, value), word) in agreed.zip(&words.0) {
            *agreed &= !(value ^ word);
        }
        self.is_uniform = self.agreed == self.mask;
    }

    pub(super) fn set_salt(&mut self, salt: u64) {
        self.salt = salt;
    }

    #[inline]
    pub(super) fn is_unused(&self) -> bool {
        self.best == Rank::NONE
    }

    #[inline]
    pub(super) fn best(&self) -> Rank {
        self.best
    }

    #[inline]
    pub(super) fn is_uniform(&self) -> bool {
        self.is_uniform
    }

    pub(super) fn mask(&self) -> &Words {
        &self.mask
    }

    /// Whether `flow` has what all entries agree in: the same VNI, say, or the same network.
    #[inline]
    pub(super) fn agrees_with(&self, flow: &Words) -> bool {
        flow.is_same(&self.value, &self.agreed, self.is_wide)
    }

    /// The hash of what the group looks at in `flow`.
    #[inline]
    pub(super) fn hash(&self, key: &Key, flow: &Words) -> u32 {
        key.hash(self.salt, flow, &self.mask, self.is_wide)
    }
}

/// The used ones of sorted groups: unused ones have the lowest rank.
pub(super) fn used(groups: &[Group]) -> &[Group] {
    let used = groups.partition_point(|group| !group.is_unused());

    groups.get(..used).unwrap_or_default()
}

/// The way to an entry: its index plus one, or zero for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(u16);

impl Link {
    /// The way to no entry.
    pub(super) const NONE: Self = Self(0);

    /// The way to the entry at `index`, which is less than `ENTRIES_MAX`.
    pub(super) fn to(index: usize) -> Self {
        Self((index as u16).wrapping_add(1))
    }

    /// The index of the entry.
    #[inline]
    pub(super) fn index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

/// What a group has for a rule, or for a part of it: the bits that a flow must have.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    words: Words,
    rank: Rank,
    /// The group's `id`.
    group: u16,
    /// The entry of the next lower rank with the same bits in the same group.
    next: Link,
}

impl Entry {
    /// Memory for an entry.
    pub const UNUSED: Self = Self {
        words: Words::ZERO,
        rank: Rank::NONE,
        group: 0,
        next: Link::NONE,
    };

    pub(super) fn new(words: Words, rank: Rank, group: u16) -> Self {
        Self {
            words,
            rank,
            group,
            next: Link::NONE,
        }
    }

    #[inline]
    pub(super) fn rank(&self) -> Rank {
        self.rank
    }

    pub(super) fn group(&self) -> usize {
        self.group.into()
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn next(&self) -> Link {
        self.next
    }

    pub(super) fn set_next(&mut self, next: Link) {
        self.next = next;
    }

    /// Whether this is the entry of `group` for `flow`.
    ///
    /// Kept out of the loop over slots, which seldom comes here.
    #[inline(never)]
    pub(super) fn is_of(&self, group: &Group, flow: &Words) -> bool {
        self.group == group.id && flow.is_same(&self.words, &group.mask, group.is_wide)
    }
}

/// A place in the hash table: the entry's index plus one in the lower half, and in the upper half the
/// lower half of its hash. Zero is an empty slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// A slot without an entry.
    pub const EMPTY: Self = Self(0);

    /// The slot of the entry at `index`, which is less than `ENTRIES_MAX`.
    pub(super) fn new(hash: u32, index: usize) -> Self {
        Self((hash << 16) | u32::from(Link::to(index).0))
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// The index in this slot. None where the slot's hash is not `hash`.
    #[inline]
    pub(super) fn index(self, hash: u32) -> Option<usize> {
        if (self.0 >> 16) as u16 != hash as u16 {
            return None;
        }
        self.link().index()
    }

    /// The way to the entry in this slot, if there is one.
    #[inline]
    pub(super) fn link(self) -> Link {
        Link(self.0 as u16)
    }

    /// The entry in this slot, if the slot's hash is that of the entry looked for.
    #[inline]
    pub(super) fn entry(self, hash: u32, entries: &[Entry]) -> Option<&Entry> {
        entries.get(self.index(hash)?)
    }
}
