// SPDX-License-Identifier: GPL-2.0

//! A module that is not there, for tests: it takes what the module takes, and refuses what it refuses.

use std::sync::{
    Arc,
    Mutex,
    MutexGuard,
    PoisonError, //
};

use crate::{
    knob::{
        Kind,
        Knob, //
    },
    module::Error,
    plan::Target,
    rule::{
        Field,
        Rule, //
    },
    state::{
        new_rule,
        State, //
    },
};

/// A module of which a call may fail. Clones are the same module.
#[derive(Clone, Debug)]
pub struct Fake(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    state: State,
    /// How many calls succeed before one fails.
    until: usize,
    calls: usize,
    max_rules: usize,
}

impl Fake {
    /// One that is like `state`, and refuses the call after the first `until` that change something.
    pub fn new(state: &State, until: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            state: state.clone(),
            until,
            calls: 0,
            max_rules: usize::MAX,
        })))
    }

    /// How many calls were to change something.
    pub fn calls(&self) -> usize {
        self.inner().calls
    }

    /// Has room for so many rules, or for as many as there are.
    pub fn set_max_rules(&self, max: usize) {
        self.inner().max_rules = max;
    }

    /// Changes it as nobody could who uses [`Target`].
    pub fn edit(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.inner().state);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(
        &self,
        what: &str,
        f: impl FnOnce(&mut Inner) -> Result<(), &'static str>,
    ) -> Result<(), Error> {
        let mut inner = self.inner();
        let refused = |why: &str| Error::Refused {
            what: what.to_owned(),
            why: why.to_owned(),
        };

        inner.calls += 1;
        let until = inner.until;
        inner.until = until.wrapping_sub(1);
        if until == 0 {
            return Err(refused("no memory"));
        }
        f(&mut inner).map_err(refused)
    }
}

impl Target for Fake {
    fn state(&self) -> Result<State, Error> {
        Ok(self.inner().state.clone())
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.inner().state.rules.keys().cloned().collect())
    }

    fn rule(&self, name: &str) -> Result<Rule, Error> {
        let rule = self.inner().state.rules.get(name).copied();

        rule.ok_or_else(|| Error::NoRule(name.to_owned()))
    }

    fn make(&self, name: &str) -> Result<(), Error> {
        self.call("make", |inner| {
            if inner.state.rules.len() >= inner.max_rules {
                return Err("there are too many");
            }
            match inner.state.rules.insert(name.to_owned(), new_rule()) {
                None => Ok(()),
                Some(_) => Err("there is one"),
            }
        })
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        self.call("remove", |inner| {
            let removed = inner.state.rules.remove(name);

            removed.map(|_| ()).ok_or("there is none")
        })
    }

    fn set(&self, name: &str, field: Field, text: &str) -> Result<(), Error> {
        self.call("set", |inner| {
            let rule = inner.state.rules.get_mut(name).ok_or("there is none")?;

            if rule.enabled {
                return Err("it is enabled");
            }
            field.set(rule, text).map_err(|_| "a bad value")
        })
    }

    fn enable(&self, name: &str, is_enabled: bool) -> Result<(), Error> {
        self.call("enable", |inner| {
            let rule = inner.state.rules.get_mut(name).ok_or("there is none")?;

            if is_enabled {
                rule.flows.validate().map_err(|_| "not to be enabled")?;
            }
            rule.enabled = is_enabled;
            Ok(())
        })
    }

    fn turn(&self, knob: &Knob, text: &str) -> Result<(), Error> {
        self.call("turn", |inner| {
            if knob.kind == Kind::Devices && text.is_empty() {
                return Err("no name");
            }
            inner.state.knobs.insert(knob.name, text.to_owned());
            Ok(())
        })
    }
}
