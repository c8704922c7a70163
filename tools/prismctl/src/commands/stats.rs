// SPDX-License-Identifier: GPL-2.0

//! `stats`: the counters, of all or by rule and CPU.

mod cpus;
mod rules;

use std::collections::BTreeMap;

use prism_config::{
    Counter,
    Group,
    Module,
    COUNTERS, //
};

use serde::Serialize;

use self::{
    cpus::ByCpu,
    rules::ByRule, //
};
use crate::{
    counted::{
        self,
        debugfs::Debugfs, //
    },
    error::Error,
    output::{
        styled,
        Output,
        BOLD, //
    }, //
};

/// What is wanted, and how.
pub(super) struct Options {
    /// What is zero, too.
    pub(super) is_all: bool,
    pub(super) rules: bool,
    pub(super) cpus: bool,
    /// Whether rules have their histograms.
    pub(super) histogram: bool,
}

/// What is shown of rules and CPUs.
#[derive(Serialize)]
struct Parts {
    #[serde(flatten)]
    rules: Option<ByRule>,
    #[serde(flatten)]
    cpus: Option<ByCpu>,
}

/// The counters, or those of each rule and CPU.
pub(super) fn stats(out: &mut Output, options: &Options) -> Result<(), Error> {
    let module = Module::open()?;

    if !(options.rules || options.cpus) {
        return all(out, &module, options.is_all);
    }
    let debug = Debugfs::new();
    let unseen = |what| move |why| Error::Unseen { what, why };
    let by_rule = || {
        let rules = counted::rules(&module)?;

        ByRule::new(rules, &debug, options.histogram)
            .map_err(unseen("how long packets of rules took is not known"))
    };
    let by_cpu = || {
        debug
            .cpus()
            .map(ByCpu::new)
            .map_err(unseen("what each CPU has counted is not known"))
    };
    let parts = Parts {
        rules: options.rules.then(by_rule).transpose()?,
        cpus: options.cpus.then(by_cpu).transpose()?,
    };

    out.print(&parts, |out| {
        if let Some(rules) = &parts.rules {
            rules.print(out, options.is_all)?;
            if options.histogram {
                rules.print_histograms(out)?;
            }
        }
        if let Some(cpus) = &parts.cpus {
            if parts.rules.is_some() {
                writeln!(out)?;
            }
            cpus.print(out, options.is_all)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// All counters by what they tell; those that are zero where `is_all`.
fn all(out: &mut Output, module: &Module, is_all: bool) -> Result<(), Error> {
    let counts = module.counters()?;

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
