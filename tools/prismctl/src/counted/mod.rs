// SPDX-License-Identifier: GPL-2.0

//! What the module has counted of rules and CPUs, and how long packets took.

pub(crate) mod debugfs;
pub(crate) mod histogram;

use std::collections::BTreeMap;

use prism_config::{
    Counts,
    Error,
    Module,
    Target, //
};

/// A rule, with what it has met.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleCount {
    pub(crate) class: String,
    pub(crate) enabled: bool,
    pub(crate) counts: Counts,
}

/// All rules.
///
/// # Errors
///
/// [`Error::Denied`] for who may not know them, and what else keeps them from being read.
pub(crate) fn rules(module: &Module) -> Result<BTreeMap<String, RuleCount>, Error> {
    let mut rules = BTreeMap::new();

    for name in module.names()? {
        match rule(module, &name) {
            // It went meanwhile.
            Err(Error::NoRule(_)) => (),
            rule => {
                rules.insert(name, rule?);
            }
        }
    }
    Ok(rules)
}

fn rule(module: &Module, name: &str) -> Result<RuleCount, Error> {
    let rule = module.rule(name)?;

    Ok(RuleCount {
        class: rule.class.to_string(),
        enabled: rule.enabled,
        counts: module.counts(name)?,
    })
}
