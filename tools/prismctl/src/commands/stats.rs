// SPDX-License-Identifier: GPL-2.0

//! `stats`: the counters.

use std::collections::BTreeMap;

use prism_config::{
    Counter,
    Group,
    Module,
    COUNTERS, //
};

use crate::{
    error::Error,
    output::{
        styled,
        Output,
        BOLD, //
    }, //
};

/// All counters by what they tell; those that are zero where `is_all`.
pub(super) fn stats(out: &mut Output, is_all: bool) -> Result<(), Error> {
    let counts = Module::open()?.counters()?;

    out.print(&counts, |out| {
        for group in Group::ALL {
            let lines: Vec<String> = counters(&counts, group)
                .filter(|(_, count)| is_all || *count != 0)
                .map(|(counter, count)| line(counter, count))
                .collect();

            if !lines.is_empty() {
                writeln!(out, "{}", styled(BOLD, group.title()))?;
                lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            }
        }
        // Of a module that is newer.
        let unknown = |(name, count): &(&String, &u64)| {
            Counter::named(name).is_none() && (is_all || **count != 0)
        };
        for (name, count) in counts.iter().filter(unknown) {
            writeln!(out, "{count:>16}  {name}")?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The counters of a group that are there.
pub(super) fn counters(
    counts: &BTreeMap<String, u64>,
    group: Group,
) -> impl Iterator<Item = (&'static Counter, u64)> + '_ {
    COUNTERS
        .iter()
        .filter(move |counter| counter.group == group)
        .filter_map(|counter| Some((counter, *counts.get(counter.name)?)))
}

/// A counter in a line of at most 80 columns.
pub(super) fn line(counter: &Counter, count: u64) -> String {
    format!("{count:>16}  {:26}{}", counter.name, counter.what)
}
