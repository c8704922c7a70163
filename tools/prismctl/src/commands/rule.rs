// SPDX-License-Identifier: GPL-2.0

//! Rules: `rule add`, `set`, `del`, `list` and `show`.

use std::collections::BTreeMap;

use prism_config::{
    is_of_daemon,
    rule,
    rule::Rule,
    Counts,
    Field,
    Module,
    Target,
    NOT_YOURS, //
};
use serde::Serialize;

use super::{
    change,
    pair, //
};
use crate::{
    error::Error,
    output::{
        number,
        Output,
        Table, //
    }, //
};

/// A rule with its name and counters, for JSON.
#[derive(Serialize)]
struct Shown {
    name: String,
    enabled: bool,
    #[serde(flatten)]
    fields: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    counts: Counts,
    /// The fields that are worth a word in a list.
    #[serde(skip)]
    flows: String,
}

impl Shown {
    fn new(module: &Module, name: &str) -> Result<Self, Error> {
        let rule = module.rule(name)?;

        Ok(Self {
            name: name.to_owned(),
            enabled: rule.enabled,
            fields: Field::ALL
                .iter()
                .map(|field| (field.name(), field.of(&rule).to_string()))
                .collect(),
            counts: module.counts(name)?,
            flows: flows(&rule),
        })
    }
}

/// A new one.
pub(super) fn add(
    out: &mut Output,
    name: &str,
    fields: &[String],
    is_disabled: bool,
) -> Result<(), Error> {
    rule::check_name(name.as_bytes()).map_err(|why| refused(name, why))?;
    if is_of_daemon(name) {
        return Err(refused(name, NOT_YOURS));
    }
    change(out, |state| {
        if state.rules.contains_key(name) {
            return Err(prism_config::Error::IsRule(name.to_owned()).into());
        }
        let mut rule = prism_config::new_rule();

        rule.enabled = !is_disabled;
        fill(name, &mut rule, fields)?;
        state.rules.insert(name.to_owned(), rule);
        Ok(())
    })
}

/// Fields of one that is there.
pub(super) fn set(out: &mut Output, name: &str, fields: &[String]) -> Result<(), Error> {
    change(out, |state| match state.rules.get_mut(name) {
        Some(rule) => fill(name, rule, fields),
        None => Err(prism_config::Error::NoRule(name.to_owned()).into()),
    })
}

/// Several, all or none of them.
pub(super) fn del(out: &mut Output, names: &[String]) -> Result<(), Error> {
    change(out, |state| {
        for name in names {
            if state.rules.remove(name).is_none() {
                return Err(prism_config::Error::NoRule(name.to_owned()).into());
            }
        }
        Ok(())
    })
}

/// A line for each.
pub(super) fn list(out: &mut Output) -> Result<(), Error> {
    let module = Module::open()?;
    let mut rules = Vec::new();

    for name in module.names()? {
        match Shown::new(&module, &name) {
            // It went meanwhile.
            Err(Error::Module(prism_config::Error::NoRule(_))) => (),
            rule => rules.push(rule?),
        }
    }
    out.print(&rules, |out| {
        let mut table = Table::new(&[
            "NAME", "CLASS", "ON", "PACKETS", "BYTES", "DROPPED", "FLOWS",
        ]);

        for rule in &rules {
            table.line(vec![
                rule.name.clone(),
                rule.fields["class"].clone(),
                if rule.enabled { "yes" } else { "no" }.to_owned(),
                rule.counts.packets.to_string(),
                rule.counts.bytes.to_string(),
                number(rule.counts.dropped),
                rule.flows.clone(),
            ]);
        }
        table.print(out)
    })?;
    Ok(())
}

/// Which flows a rule names, and what else is not as in a new rule but for its class.
fn flows(rule: &Rule) -> String {
    let words: Vec<String> = prism_config::set_fields(rule)
        .filter(|(field, _)| *field != Field::Class)
        .map(|(field, text)| format!("{}={text}", field.name()))
        .collect();

    words.join(" ")
}

/// All of one.
pub(super) fn show(out: &mut Output, name: &str) -> Result<(), Error> {
    let rule = Shown::new(&Module::open()?, name)?;

    out.print(&rule, |out| {
        for field in Field::ALL {
            writeln!(out, "{:17} {}", field.name(), rule.fields[field.name()])?;
        }
        writeln!(
            out,
            "{:17} {}",
            "enabled",
            if rule.enabled { "yes" } else { "no" }
        )?;
        writeln!(out, "{:17} {}", "packets", rule.counts.packets)?;
        writeln!(out, "{:17} {}", "bytes", rule.counts.bytes)?;
        writeln!(out, "{:17} {}", "dropped", number(rule.counts.dropped))
    })?;
    Ok(())
}

/// Sets fields of a rule, which has to be good as a whole if it is enabled.
fn fill(name: &str, rule: &mut Rule, fields: &[String]) -> Result<(), Error> {
    for text in fields {
        let (field, value) = pair(text)?;

        prism_config::set_named(rule, field, value).map_err(|why| refused(name, why))?;
    }
    if rule.enabled {
        rule.flows.validate().map_err(|why| refused(name, why))?;
    }
    Ok(())
}

fn refused(name: &str, why: impl std::fmt::Display) -> Error {
    Error::Value(format!("rule \"{}\": {why}", name.escape_debug()))
}
