// SPDX-License-Identifier: GPL-2.0

//! A configuration: rules and knobs.

use std::{
    collections::BTreeMap,
    fmt, //
};

use crate::{
    classify::Class,
    rule::{
        Field,
        Rule, //
    },
};

/// Rules by their names, and knobs by theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The rules.
    pub rules: BTreeMap<String, Rule>,
    /// The knobs, each with its value as the module shows it.
    pub knobs: BTreeMap<&'static str, String>,
}

/// A rule as the module makes it: of class `high`, and disabled.
pub fn new_rule() -> Rule {
    Rule {
        class: Class::High,
        ..Rule::default()
    }
}

/// The fields of a rule that are not as in a new one.
pub fn set_fields(rule: &Rule) -> impl Iterator<Item = (Field, String)> + '_ {
    let new = new_rule();

    Field::ALL
        .into_iter()
        .map(|field| (field, field.of(rule).to_string()))
        .filter(move |(field, text)| *text != field.of(&new).to_string())
}

/// A rule with its name, in a line: the fields that are not as in a new rule.
pub struct Named<'a>(pub &'a str, pub &'a Rule);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, rule) = self;
        let new = new_rule();

        f.write_str(name)?;
        for field in Field::ALL {
            let text = field.of(rule).to_string();

            // What a rule is for is always said.
            if field == Field::Class || text != field.of(&new).to_string() {
                write!(f, " {}={text}", field.name())?;
            }
        }
        if !rule.enabled {
            f.write_str(" (disabled)")?;
        }
        Ok(())
    }
}
