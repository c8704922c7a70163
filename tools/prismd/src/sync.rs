// SPDX-License-Identifier: GPL-2.0

//! Makes the rules of containers what they are to be.

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    fmt, //
};

use prism_config::{
    rule::Rule,
    Change,
    Error,
    Failure,
    Plan,
    State,
    Target, //
};

use crate::own::{
    container_of,
    is_likely, //
};

/// Rules by their names.
pub(crate) type Rules = BTreeMap<String, Rule>;

/// What has to be done for some containers.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Containers, by the short forms of their IDs, with what has to be done for each. Those that only
    /// lose rules come first, as they make room.
    plans: Vec<(String, Plan)>,
    /// Rules with names of ours that are not ours.
    pub(crate) foreign: BTreeSet<String>,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// How many rules were made.
    pub(crate) made: u64,
    /// How many were removed.
    pub(crate) removed: u64,
    /// How many were changed.
    pub(crate) changed: u64,
    /// Containers for which nothing was done, and why.
    pub(crate) failed: BTreeMap<String, Failure>,
}

impl Todo {
    /// What has to be done for the containers that are meant to have the rules in `wanted`, which are of
    /// such containers.
    ///
    /// # Errors
    ///
    /// Why that is not known.
    pub(crate) fn new(
        target: &impl Target,
        wanted: &BTreeMap<String, Rules>,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let mut todo = Self::default();
        let mut now: BTreeMap<String, State> = BTreeMap::new();

        for name in target.names()? {
            let Some(container) = container_of(&name) else {
                continue;
            };
            if !is_meant(container) {
                continue;
            }
            let rule = match target.rule(&name) {
                Ok(rule) => rule,
                // It went meanwhile.
                Err(Error::NoRule(_)) => continue,
                // With a value of a later version; not of our making.
                Err(Error::Unknown { .. }) => {
                    todo.foreign.insert(name);
                    continue;
                }
                Err(why) => return Err(why),
            };

            if is_likely(&rule) {
                let container = container.to_owned();

                now.entry(container).or_default().rules.insert(name, rule);
            } else {
                todo.foreign.insert(name);
            }
        }

        let containers: BTreeSet<&String> = now.keys().chain(wanted.keys()).collect();
        for container in containers {
            let now = now.get(container).cloned().unwrap_or_default();
            let mut state = State::default();

            if let Some(wanted) = wanted.get(container) {
                let free = |(name, _): &(&String, &Rule)| !todo.foreign.contains(*name);
                let rules = wanted.iter().filter(free);

                state.rules = rules.map(|(name, rule)| (name.clone(), *rule)).collect();
            }
            let plan = Plan::new(&now, &state, |_| false);
            if !plan.is_empty() {
                todo.plans.push((container.clone(), plan));
            }
        }
        let is_loss = |change: &Change| matches!(change, Change::Remove(..));
        todo.plans
            .sort_by_key(|(_, plan)| !plan.changes().all(is_loss));
        Ok(todo)
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// Does it. For each container all is done, or nothing.
    pub(crate) fn carry_out(&self, target: &impl Target) -> Done {
        let mut done = Done::default();

        for (container, plan) in &self.plans {
            match plan.carry_out(target) {
                Ok(()) => done.count(plan),
                Err(failure) => {
                    done.failed.insert(container.clone(), failure);
                }
            }
        }
        done
    }
}

impl Done {
    fn count(&mut self, plan: &Plan) {
        for change in plan.changes() {
            match change {
                Change::Add(..) => self.made += 1,
                Change::Remove(..) => self.removed += 1,
                Change::Alter(..) => self.changed += 1,
                Change::Turn(..) => (),
            }
        }
    }
}

impl fmt::Display for Todo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plans.iter().try_for_each(|(_, plan)| plan.fmt(f))
    }
}

#[cfg(test)]
mod tests;
