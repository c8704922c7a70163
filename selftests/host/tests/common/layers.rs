// SPDX-License-Identifier: GPL-2.0

//! Rules that come and go, kept in layers as the module keeps them.

use std::{
    cell::Cell,
    rc::Rc, //
};

use prism_host::classify::{
    layers::{
        is_due,
        merge,
        place,
        preferred,
        Found,
        Named, //
    },
    rule::Match,
    table::Error,
    Flow, //
};

use super::rules::{
    table,
    HostTable, //
};

/// A rule that was enabled.
pub struct Live {
    pub name: String,
    pub flows: Match,
    is_withdrawn: Cell<bool>,
    place: usize,
}

impl Named for Live {
    fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    fn is_withdrawn(&self) -> bool {
        self.is_withdrawn.get()
    }
}

/// A table of rules.
pub struct Layer {
    pub rules: Vec<Rc<Live>>,
    pub table: HostTable,
}

impl Layer {
    fn new(rules: Vec<Rc<Live>>) -> Result<Self, Error> {
        let flows: Vec<_> = rules.iter().map(|live| live.flows).collect();
        let table = table(&flows, 1)?;

        Ok(Self { rules, table })
    }
}

/// The enabled rules in two layers.
pub struct Layers {
    pub old: Layer,
    pub recent: Layer,
    enabled: usize,
    /// How many rules were put into tables so far.
    pub work: usize,
}

impl Layers {
    pub fn new() -> Self {
        Self {
            old: Layer::new(vec![]).unwrap(),
            recent: Layer::new(vec![]).unwrap(),
            enabled: 0,
            work: 0,
        }
    }

    fn pending(&self) -> usize {
        self.old.rules.len() + 2 * self.recent.rules.len() - self.enabled
    }

    pub fn enable(&mut self, name: &str, flows: Match) -> Result<(), Error> {
        let added = [Rc::new(Live {
            name: name.into(),
            flows,
            is_withdrawn: Cell::new(false),
            place: place(&self.old.rules, name.as_bytes()),
        })];
        let recent: Vec<_> = merge(&self.recent.rules, &added).cloned().collect();

        if !is_due(self.enabled + 1, self.pending() + 1) {
            self.work += recent.len();
            let layer = Layer::new(recent.clone())?;
            if self.old.table.fits_with(&layer.table) {
                self.recent = layer;
                self.enabled += 1;
                return Ok(());
            }
        }
        self.rebuild(&recent)?;
        self.enabled += 1;
        Ok(())
    }

    pub fn disable(&mut self, name: &str) {
        let mut rules = self.old.rules.iter().chain(&self.recent.rules);
        let is_meant = |live: &&Rc<Live>| live.name == name && !live.is_withdrawn();

        rules.find(is_meant).unwrap().is_withdrawn.set(true);
        self.enabled -= 1;
        if is_due(self.enabled, self.pending()) {
            self.settle();
        }
    }

    pub fn settle(&mut self) {
        let recent = self.recent.rules.clone();

        self.rebuild(&recent).unwrap();
    }

    fn rebuild(&mut self, recent: &[Rc<Live>]) -> Result<(), Error> {
        let all: Vec<_> = merge(&self.old.rules, recent).cloned().collect();
        self.work += all.len();

        self.old = Layer::new(all)?;
        self.recent = Layer::new(vec![])?;
        Ok(())
    }

    /// The name of the rule that names `flow`.
    pub fn lookup(&self, flow: &Flow) -> Option<&str> {
        let hit = |layer: &Layer| {
            let is_live = |index: usize| !layer.rules[index].is_withdrawn();
            layer.table.lookup_among(flow, is_live)
        };
        let place = |index: usize| self.recent.rules[index].place;

        let live = match preferred(hit(&self.old), hit(&self.recent), place)? {
            Found::Old(index) => &self.old.rules[index],
            Found::Recent(index) => &self.recent.rules[index],
        };
        Some(&live.name)
    }
}
