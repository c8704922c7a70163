// SPDX-License-Identifier: GPL-2.0

//! Rules in two tables: a large one, and a small one of the rules that came since.
//!
//! A table does not change, so that a packet meets all of a change or nothing of it. A new table of
//! all rules for each rule would make the cost of `n` rules grow with the square of `n`. So a new
//! rule costs a new small table only, and a withdrawn one is passed over where it is. From time to
//! time a large table of all rules takes the place of both: as seldom as [`is_due`] tells, so that
//! both kinds of tables cost the same in the long run, which for `n` changes is `n` times the square
//! root of `n`.

use core::{
    iter,
    ops::Deref, //
};

use super::table::Hit;

/// Up to so many rules are always in one table.
pub const FEW: usize = 64;

/// Whether all of `rules` are to be in one table again, of which `pending` came or went since they
/// were.
pub fn is_due(rules: usize, pending: usize) -> bool {
    // The square of `n` pending rules is what their small tables have cost twice.
    let cost = pending.saturating_mul(pending) / 2;

    rules <= FEW || (pending > FEW && cost > rules)
}

/// A rule in a list that is sorted by name.
pub trait Named {
    /// The name, which no other rule has that is not withdrawn.
    fn name(&self) -> &[u8];

    /// Whether the rule was withdrawn since it came into the list.
    fn is_withdrawn(&self) -> bool;
}

/// The rules of two lists, less the withdrawn ones, sorted by name.
pub fn merge<'a, R>(old: &'a [R], recent: &'a [R]) -> impl Iterator<Item = &'a R>
where
    R: Deref<Target: Named>,
{
    let mut old = old.iter().peekable();
    let mut recent = recent.iter().peekable();
    let next = move || match (old.peek(), recent.peek()) {
        (Some(one), Some(other)) if one.name() <= other.name() => old.next(),
        (_, Some(_)) => recent.next(),
        (_, None) => old.next(),
    };

    iter::from_fn(next).filter(|rule| !rule.is_withdrawn())
}

/// How many rules of `list` come before `name`.
pub fn place<R>(list: &[R], name: &[u8]) -> usize
where
    R: Deref<Target: Named>,
{
    list.partition_point(|rule| rule.name() < name)
}

/// A rule found in one of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The rule at this index of the large table.
    Old(usize),
    /// The rule at this index of the small table.
    Recent(usize),
}

/// Which of the rules that were found in both tables counts, where `place` tells for the index of a
/// recent rule what its [`place`] among the old ones is.
pub fn preferred(
    old: Option<Hit>,
    recent: Option<Hit>,
    place: impl FnOnce(usize) -> usize,
) -> Option<Found> {
    match (old, recent) {
        (Some(old), Some(recent)) => {
            let is_recent = recent.specificity > old.specificity
                || recent.specificity == old.specificity && place(recent.rule) <= old.rule;
            Some(if is_recent {
                Found::Recent(recent.rule)
            } else {
                Found::Old(old.rule)
            })
        }
        (Some(old), None) => Some(Found::Old(old.rule)),
        (None, recent) => recent.map(|recent| Found::Recent(recent.rule)),
    }
}
