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
    /// How many words of the mask are not zero, counted from the first to the last such.
    used: u16,
    salt: u64,
    /// The bits of the first word in which all entries agree, and their value.
    agreed: u64,
    value: u64,
    mask: Words,
}

impl Group {
    /// Memory for a group.
    pub const UNUSED: Self = Self {
        best: Rank::NONE,
        id: 0,
        used: 0,
        salt: 0,
        agreed: 0,
        value: 0,
        mask: Words::ZERO,
    };

    /// The group of the rules that look at the bits of `mask`, before its first entry.
    pub(super) fn new(id: u16, mask: Words) -> Self {
        let unused = mask.0.iter().rev().take_while(|word| **word == 0).count();

        Self {
            id,
            used: Words::COUNT.saturating_sub(unused) as u16,
            mask,
            ..Self::UNUSED
        }
    }

    /// Takes note of an entry.
    pub(super) fn add(&mut self, entry: &Entry) {
        let [value, ..] = entry.words.0;

        if self.is_unused() {
            let [mask, ..] = self.mask.0;
            self.agreed = mask;
            self.value = value;
        }
        self.agreed &= !(self.value ^ value);
        self.value &= self.agreed;
        self.best = self.best.max(entry.rank);
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

    pub(super) fn mask(&self) -> &Words {
        &self.mask
    }

    /// Whether the group can have an entry for a flow: `false` where each of its entries wants
    /// another VNI, protocol and so on.
    #[inline]
    pub(super) fn may_have(&self, flow: &Words) -> bool {
        let [word, ..] = flow.0;

        (word ^ self.value) & self.agreed == 0
    }

    /// The hash of what the group looks at in `flow`.
    #[inline]
    pub(super) fn hash(&self, key: &Key, flow: &Words) -> u32 {
        key.hash(self.salt, flow, &self.mask, self.used.into())
    }
}

/// What a group has for a rule, or for a part of it: the bits that a flow must have.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    words: Words,
    rank: Rank,
    /// The group's `id`.
    group: u16,
}

impl Entry {
    /// Memory for an entry.
    pub const UNUSED: Self = Self {
        words: Words::ZERO,
        rank: Rank::NONE,
        group: 0,
    };

    pub(super) fn new(words: Words, rank: Rank, group: u16) -> Self {
        Self { words, rank, group }
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

    /// Whether this is the entry of `group` for `flow`.
    #[inline]
    pub(super) fn is_of(&self, group: &Group, flow: &Words) -> bool {
        let differences = flow.0.iter().zip(&self.words.0).zip(&group.mask.0);

        self.group == group.id
            && differences.fold(0, |all, ((flow, word), mask)| all | ((flow ^ word) & mask)) == 0
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
        Self((hash << 16) | (index as u32).wrapping_add(1))
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
        usize::from(self.0 as u16).checked_sub(1)
    }

    /// The entry in this slot, if the slot's hash is that of the entry looked for.
    #[inline]
    pub(super) fn entry(self, hash: u32, entries: &[Entry]) -> Option<&Entry> {
        entries.get(self.index(hash)?)
    }
}
