// SPDX-License-Identifier: GPL-2.0

//! Building a table in memory that the caller allocates.

use core::{
    cmp::Reverse,
    fmt,
    mem,
    ops::DerefMut, //
};

use super::{
    super::{
        flow::Words,
        rule::{
            self,
            Match,
            SPECIFICITY_MAX, //
        }, //
    },
    group::{
        Link,
        Rank, //
    },
    hash::{
        Key,
        Random, //
    },
    shape::{
        self,
        Pattern, //
    },
    Entry,
    Group,
    Slot,
    Table,
    ENTRIES_MAX,
    PROBES_MAX,
    SHAPES_MAX, //
};

/// Home slots for each entry: a third of them is used.
const SLOTS_PER_ENTRY: usize = 3;
/// How many hash keys are tried.
const TRIES: u32 = 8;

/// Why rules cannot be put into a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A rule is not [valid](Match::validate).
    Rule(rule::Error),
    /// There are more rules, with their ranges of ports taken apart, than [`ENTRIES_MAX`].
    TooLarge,
    /// The rules have more shapes than [`SHAPES_MAX`].
    TooManyShapes,
    /// The memory is not what the [`Plan`] asked for.
    Memory,
    /// With each key tried, an entry was [`PROBES_MAX`] slots from its home: improbable, and another
    /// seed will do.
    Seed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(error) => error.fmt(f),
            Self::TooLarge => write!(
                f,
                "more than {ENTRIES_MAX} rules, where a range of ports counts up to 30 times"
            ),
            Self::TooManyShapes => write!(
                f,
                "more than {SHAPES_MAX} combinations of fields and prefix lengths"
            ),
            Self::Memory => f.write_str("less memory than planned"),
            Self::Seed => f.write_str("no even distribution found"),
        }
    }
}

impl From<rule::Error> for Error {
    fn from(error: rule::Error) -> Self {
        Self::Rule(error)
    }
}

/// How much memory a table takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    entries: usize,
}

impl Plan {
    /// The plan for a table of `rules`.
    ///
    /// # Errors
    ///
    /// - [`Error::Rule`] for the first rule that is not valid.
    /// - [`Error::TooLarge`].
    pub fn of<'a>(rules: impl Iterator<Item = &'a Match>) -> Result<Self, Error> {
        let mut entries: usize = 0;

        for rule in rules {
            rule.validate()?;
            entries = entries.saturating_add(shape::count(rule));
        }
        if entries > ENTRIES_MAX {
            return Err(Error::TooLarge);
        }
        Ok(Self { entries })
    }

    /// The number of [`Group`]s: as many as there may be shapes.
    pub fn groups(&self) -> usize {
        self.entries.min(SHAPES_MAX)
    }

    /// The number of [`Slot`]s. Those behind the home slots are for what the last homes cannot take.
    pub fn slots(&self) -> usize {
        self.homes().saturating_add(PROBES_MAX)
    }

    /// The number of [`Entry`]s.
    pub fn entries(&self) -> usize {
        self.entries
    }

    fn homes(&self) -> usize {
        self.entries.saturating_mul(SLOTS_PER_ENTRY)
    }
}

impl<G, S, E> Table<G, S, E>
where
    G: DerefMut<Target = [Group]>,
    S: DerefMut<Target = [Slot]>,
    E: DerefMut<Target = [Entry]>,
{
    /// Builds the table of `rules` in memory as long as a [`Plan`] of the same rules tells; what the
    /// memory holds does not matter. `seed` should be random, so that nobody can aim at long runs.
    ///
    /// The time it takes is proportional to the number of entries.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::of`], and:
    ///
    /// - [`Error::Memory`].
    /// - [`Error::TooManyShapes`].
    /// - [`Error::Seed`].
    pub fn build<'a>(
        rules: impl Iterator<Item = &'a Match> + Clone,
        seed: u64,
        mut groups: G,
        mut slots: S,
        mut entries: E,
    ) -> Result<Self, Error> {
        let plan = Plan::of(rules.clone())?;
        let mut builder = Builder {
            plan,
            random: Random::new(seed),
            groups: groups.get_mut(..plan.groups()).ok_or(Error::Memory)?,
            slots: slots.get_mut(..plan.slots()).ok_or(Error::Memory)?,
            entries: entries.get_mut(..plan.entries()).ok_or(Error::Memory)?,
        };

        builder.collect(rules)?;
        let key = builder.distribute()?;
        builder.sort();

        Ok(Self {
            groups,
            slots,
            entries,
            key,
        })
    }
}

/// A table in the making.
struct Builder<'a> {
    plan: Plan,
    random: Random,
    groups: &'a mut [Group],
    slots: &'a mut [Slot],
    entries: &'a mut [Entry],
}

impl Builder<'_> {
    /// A new key, with all slots empty.
    fn new_key(&mut self) -> Key {
        self.slots.fill(Slot::EMPTY);

        Key::new(&mut self.random, self.plan.homes() as u32)
    }

    /// Fills the groups and the entries. The slots serve to find the group of a shape.
    fn collect<'a>(&mut self, rules: impl Iterator<Item = &'a Match>) -> Result<(), Error> {
        let key = self.new_key();
        let mut used_groups = 0;
        let mut used_entries = 0;

        self.groups.fill(Group::UNUSED);
        for (index, rule) in rules.enumerate() {
            let rank = Rank::new(rule.specificity(), index).ok_or(Error::TooLarge)?;

            for pattern in shape::patterns(rule) {
                let id = self.group_of(&pattern, &key, &mut used_groups)?;
                let entry = Entry::new(pattern.value, rank, id as u16);

                self.groups
                    .get_mut(id)
                    .ok_or(Error::TooManyShapes)?
                    .add(&entry);
                *self.entries.get_mut(used_entries).ok_or(Error::Memory)? = entry;
                used_entries = used_entries.saturating_add(1);
            }
        }
        Ok(())
    }

    /// The index of the group with the mask of `pattern`, which is added if it is new.
    fn group_of(&mut self, pattern: &Pattern, key: &Key, used: &mut usize) -> Result<usize, Error> {
        let hash = key.hash(0, &pattern.mask, &Words::ALL, true);
        let run = self.slots.get_mut(key.home(hash)..).unwrap_or_default();

        for slot in run {
            if slot.is_empty() {
                let id = *used;
                let group = self.groups.get_mut(id).ok_or(Error::TooManyShapes)?;

                *group = Group::new(id as u16, pattern.mask);
                *slot = Slot::new(hash, id);
                *used = id.saturating_add(1);
                return Ok(id);
            }
            let id = slot.index(hash).unwrap_or(usize::MAX);
            let group = self.groups.get(id);
            if group.is_some_and(|group| *group.mask() == pattern.mask) {
                return Ok(id);
            }
        }
        Err(Error::Seed)
    }

    /// Puts the entries into the slots, with the first key that keeps each near its home.
    fn distribute(&mut self) -> Result<Key, Error> {
        for _ in 0..TRIES {
            let key = self.new_key();
            for group in self.groups.iter_mut() {
                group.set_salt(self.random.next());
            }

            if self
                .by_specificity()
                .iter()
                .all(|list| self.place_all(&key, *list))
            {
                return Ok(key);
            }
        }
        Err(Error::Seed)
    }

    /// Brings the groups into the order in which they are searched.
    fn sort(&mut self) {
        self.groups
            .sort_unstable_by_key(|group| Reverse(group.best()));
    }

    /// Links the entries of each specificity into a list, from the lowest rank to the highest.
    fn by_specificity(&mut self) -> [Link; SPECIFICITY_MAX + 1] {
        let mut lists = [Link::NONE; SPECIFICITY_MAX + 1];

        // Each is put in front of its list, and rules come with the highest rank first.
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if let Some(first) = lists.get_mut(entry.rank().specificity() as usize) {
                entry.set_next(*first);
                *first = Link::to(index);
            }
        }
        lists
    }

    /// Puts the entries of a list into the slots. False if one is not near its home.
    fn place_all(&mut self, key: &Key, mut list: Link) -> bool {
        while let Some(index) = list.index() {
            list = self.entries.get(index).map_or(Link::NONE, Entry::next);
            if !self.place(key, index) {
                return false;
            }
        }
        true
    }

    /// Puts the entry at `index` into the first free slot, or in front of its like, whose ranks are
    /// lower. False if there is neither near its home.
    fn place(&mut self, key: &Key, index: usize) -> bool {
        let Some(entry) = self.entries.get(index) else {
            return false;
        };
        let Some(group) = self.groups.get(entry.group()) else {
            return false;
        };
        let hash = group.hash(key, entry.words());
        let is_like = |slot: &Slot| {
            let other = slot.entry(hash, self.entries);
            other.is_some_and(|other| other.is_of(group, entry.words()))
        };

        let run = self.slots.get_mut(key.home(hash)..).unwrap_or_default();
        let mut run = run.iter_mut().take(PROBES_MAX);
        let Some(slot) = run.find(|slot| slot.is_empty() || is_like(slot)) else {
            return false;
        };
        let like = mem::replace(slot, Slot::new(hash, index)).link();
        if let Some(entry) = self.entries.get_mut(index) {
            entry.set_next(like);
        }
        true
    }
}
