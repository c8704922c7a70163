// SPDX-License-Identifier: GPL-2.0

//! What has to be changed to get from one configuration to another, and doing that as a whole or not at
//! all.

use std::{
    collections::BTreeSet,
    fmt, //
};

use crate::{
    knob::{
        Kind,
        Knob,
        KNOBS, //
    },
    module::Error,
    rule::{
        Field,
        Rule, //
    },
    state::{
        new_rule,
        Named,
        State, //
    },
};

/// What can be configured.
pub trait Target {
    /// How it is.
    ///
    /// # Errors
    ///
    /// Why that is not known.
    fn state(&self) -> Result<State, Error>;

    /// The names of all rules.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    fn names(&self) -> Result<Vec<String>, Error>;

    /// A rule.
    ///
    /// # Errors
    ///
    /// [`Error::NoRule`], [`Error::Denied`], [`Error::Read`], [`Error::Unknown`].
    fn rule(&self, name: &str) -> Result<Rule, Error>;

    /// Makes a rule, of which no field is set.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn make(&self, name: &str) -> Result<(), Error>;

    /// Removes a rule, enabled or not.
    ///
    /// # Errors
    ///
    /// Why it is still there.
    fn remove(&self, name: &str) -> Result<(), Error>;

    /// Sets a field of a rule that is disabled.
    ///
    /// # Errors
    ///
    /// Why it is as before.
    fn set(&self, name: &str, field: Field, text: &str) -> Result<(), Error>;

    /// Enables or disables a rule.
    ///
    /// # Errors
    ///
    /// Why it is as before.
    fn enable(&self, name: &str, is_enabled: bool) -> Result<(), Error>;

    /// Turns a knob.
    ///
    /// # Errors
    ///
    /// Why it is as before.
    fn turn(&self, knob: &Knob, text: &str) -> Result<(), Error>;
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A rule comes.
    Add(String, Rule),
    /// A rule goes.
    Remove(String, Rule),
    /// A rule changes, from the first to the second.
    Alter(String, Rule, Rule),
    /// A knob changes, from the first to the second.
    Turn(&'static Knob, String, String),
}

impl Change {
    /// Whether something is seen to be otherwise then.
    fn is_seen(&self) -> bool {
        !matches!(self, Self::Turn(_, from, to) if from == to)
    }

    /// What takes it back.
    fn inverse(&self) -> Self {
        match self.clone() {
            Self::Add(name, rule) => Self::Remove(name, rule),
            Self::Remove(name, rule) => Self::Add(name, rule),
            Self::Alter(name, from, to) => Self::Alter(name, to, from),
            Self::Turn(knob, from, to) => Self::Turn(knob, to, from),
        }
    }

    /// As a whole or, where it fails, not at all but for what the second error tells.
    fn carry_out(&self, target: &impl Target) -> Result<(), (Error, Option<Error>)> {
        match self {
            Self::Add(name, rule) => {
                target.make(name).map_err(|why| (why, None))?;
                fill(target, name, &new_rule(), rule)
                    .map_err(|why| (why, target.remove(name).err()))
            }
            Self::Remove(name, _) => target.remove(name).map_err(|why| (why, None)),
            Self::Alter(name, from, to) => {
                let altered = (|| {
                    if from.enabled {
                        target.enable(name, false)?;
                    }
                    fill(target, name, from, to)
                })();

                altered.map_err(|why| (why, restore(target, name, from).err()))
            }
            Self::Turn(knob, _, to) => target.turn(knob, to).map_err(|why| (why, None)),
        }
    }
}

/// Makes a disabled rule that is like `from` like `to`.
fn fill(target: &impl Target, name: &str, from: &Rule, to: &Rule) -> Result<(), Error> {
    for field in Field::ALL {
        let text = field.of(to).to_string();

        if text != field.of(from).to_string() {
            target.set(name, field, &text)?;
        }
    }
    if to.enabled {
        target.enable(name, true)?;
    }
    Ok(())
}

/// Makes a rule that is somehow like `rule` again.
fn restore(target: &impl Target, name: &str, rule: &Rule) -> Result<(), Error> {
    target.enable(name, false)?;
    for field in Field::ALL {
        target.set(name, field, &field.of(rule).to_string())?;
    }
    if rule.enabled {
        target.enable(name, true)?;
    }
    Ok(())
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(name, rule) => write!(f, "+ rule {}", Named(name, rule)),
            Self::Remove(name, rule) => write!(f, "- rule {}", Named(name, rule)),
            Self::Alter(name, from, to) => {
                write!(
                    f,
                    "- rule {}\n+ rule {}",
                    Named(name, from),
                    Named(name, to)
                )
            }
            Self::Turn(knob, from, to) => {
                write!(f, "- {name}={from}\n+ {name}={to}", name = knob.name)
            }
        }
    }
}

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something was refused. All is as before.
    #[error("{0}; nothing was changed")]
    Undone(Error),
    /// Something was refused, and then something else was when what had been done was to be undone.
    #[error("{why}; and what had been done could not be undone: {left}")]
    Left {
        /// What was refused first.
        why: Error,
        /// What was refused then.
        left: Error,
    },
}

/// Changes in the order in which they are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(Vec<Change>);

impl Plan {
    /// From `now` to `wanted`. Knobs that are not wanted otherwise stay; so do rules that `wanted` does
    /// not have if `keeps` says so of their names. Devices that are wanted by their names are chosen again
    /// even where just these are shown: others may have been chosen that are away.
    pub fn new(now: &State, wanted: &State, keeps: impl Fn(&str) -> bool) -> Self {
        let mut changes = Vec::new();
        let names: BTreeSet<&String> = now.rules.keys().chain(wanted.rules.keys()).collect();

        for name in names {
            match (now.rules.get(name), wanted.rules.get(name)) {
                (Some(from), Some(to)) if from != to => {
                    changes.push(Change::Alter(name.clone(), *from, *to));
                }
                (None, Some(rule)) => changes.push(Change::Add(name.clone(), *rule)),
                (Some(rule), None) if !keeps(name) => {
                    changes.push(Change::Remove(name.clone(), *rule));
                }
                _ => (),
            }
        }
        for knob in &KNOBS {
            let from = now.knobs.get(knob.name).cloned().unwrap_or_default();
            let Some(to) = wanted.knobs.get(knob.name) else {
                continue;
            };
            let shows_all = knob.kind != Kind::Devices || to == knob.default;

            if *to != from || !shows_all {
                changes.push(Change::Turn(knob, from, to.clone()));
            }
        }
        changes.sort_by_key(|change| match change {
            // Where none is there of those that were chosen, there is no way back from others.
            Change::Turn(knob, from, _) if knob.kind == Kind::Devices && from.is_empty() => 3,
            // One that is not there is refused before anything else is touched.
            Change::Turn(knob, ..) if knob.kind == Kind::Devices => 0,
            // Then comes what makes room.
            Change::Remove(..) => 1,
            Change::Alter(_, from, to) if from.enabled && !to.enabled => 1,
            _ => 2,
        });
        Self(changes)
    }

    /// The changes that are seen.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.0.iter().filter(|change| change.is_seen())
    }

    /// Whether nothing is seen to change.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// Does it all, or nothing.
    ///
    /// # Errors
    ///
    /// What was refused.
    pub fn carry_out(&self, target: &impl Target) -> Result<(), Failure> {
        for (done, change) in self.0.iter().enumerate() {
            let Err((why, mut left)) = change.carry_out(target) else {
                continue;
            };

            for before in self.0.iter().take(done).rev() {
                if let Err((why, more)) = before.inverse().carry_out(target) {
                    left = left.or(more).or(Some(why));
                }
            }
            return Err(match left {
                Some(left) => Failure::Left { why, left },
                None => Failure::Undone(why),
            });
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.changes()
            .try_for_each(|change| writeln!(f, "{change}"))
    }
}

#[cfg(test)]
mod tests;
