// SPDX-License-Identifier: GPL-2.0

//! What the engine has told of the containers that run and ask for something.

use std::{
    collections::BTreeMap,
    sync::Arc, //
};

use prism_config::LeftOut;
use tracing::{
    debug,
    warn, //
};

use crate::{
    container::Network,
    desired::{
        Desired,
        Lacking, //
    },
    label::Asked,
    looks::{
        Found,
        Told, //
    },
    own::short,
    report::Report,
    sync::Rules,
};

/// A container that runs and asks for something.
#[derive(Debug)]
struct Watched {
    name: String,
    desired: Desired,
    /// Whether its labels were refused.
    is_refused: bool,
    /// What was said of it.
    notes: Vec<String>,
    /// What its rules are for, which others need not ask for as long as there is such a container.
    _networks: Vec<Arc<Network>>,
}

/// The containers, by the short forms of their IDs.
#[derive(Debug, Default)]
pub(super) struct Containers {
    watched: BTreeMap<String, Watched>,
    /// Those of which the engine has not told what they are to have, with why not where it was asked.
    /// Their rules stay as they are.
    untold: BTreeMap<String, Option<String>>,
}

impl Containers {
    /// Begins anew with those that run now, by their IDs. What is known of one stays until the engine
    /// tells.
    pub(super) fn begin<'a>(&mut self, ids: impl Iterator<Item = &'a String>) {
        self.untold = ids.map(|id| (short(id).to_owned(), None)).collect();
        self.watched.retain(|id, _| self.untold.contains_key(id));
    }

    /// How many there are of which the engine has not told.
    pub(super) fn untold(&self) -> usize {
        self.untold.len()
    }

    /// Whether one is known to ask for something.
    pub(super) fn has(&self, id: &str) -> bool {
        self.watched.contains_key(id)
    }

    /// Whether it is known what one is to have, be it nothing, or was.
    pub(super) fn is_known(&self, id: &str) -> bool {
        !self.untold.contains_key(id) || self.has(id)
    }

    /// What a container is called, for who reads the log.
    pub(super) fn name(&self, id: &str) -> &str {
        self.watched
            .get(id)
            .map_or("that has gone", |of| of.name.as_str())
    }

    /// Whether each is known and its labels are good.
    pub(super) fn are_good(&self) -> bool {
        self.untold.is_empty() && self.watched.values().all(|watched| !watched.is_refused)
    }

    /// Takes note of what the engine tells of a container, and returns its short ID where its rules may
    /// not be what they are to be.
    pub(super) fn learn(&mut self, told: Told) -> Option<String> {
        let id = short(&told.id).to_owned();
        let found = match told.answer {
            Ok(found) => found,
            Err(why) => {
                self.is_not_told(id, why.to_string());
                return None;
            }
        };
        let was_untold = self.untold.remove(&id).is_some();
        let is_changed = match found.and_then(|found| self.watch(&id, &found)) {
            Some(watched) => {
                self.watched.insert(id.clone(), watched);
                true
            }
            None => self.forget(&id),
        };

        (is_changed || was_untold).then_some(id)
    }

    fn is_not_told(&mut self, id: String, why: String) {
        if self.untold.get(&id).is_none_or(|said| said.is_none()) {
            warn!("container {id}: {why}; its rules stay as they are until it tells");
        }
        self.untold.insert(id, Some(why));
    }

    /// Whether something was known of it.
    fn forget(&mut self, id: &str) -> bool {
        let gone = self.watched.remove(id);

        if let Some(watched) = &gone {
            debug!("container {} has stopped", watched.name);
        }
        gone.is_some()
    }

    /// What a container is to have, if it asks for something. Says what is wrong with it, once.
    fn watch(&self, id: &str, found: &Found) -> Option<Watched> {
        let Found {
            container,
            networks,
        } = found;
        let mut watched = Watched {
            name: container.name.clone(),
            desired: Desired::default(),
            is_refused: false,
            notes: Vec::new(),
            _networks: networks.values().cloned().collect(),
        };

        match Asked::new(&container.labels) {
            Ok(Some(asked)) => {
                let networks = |id: &str| networks.get(id).map(|network| &**network);

                watched.desired = Desired::new(container, &asked, networks);
            }
            Ok(None) => return None,
            Err(bad) => {
                watched.is_refused = true;
                watched.notes.push(format!("{bad}; it gets no rule"));
            }
        }
        for lacking in &watched.desired.lacking {
            let of = match lacking.network.as_str() {
                "" => String::new(),
                name => format!("network {}: ", name.escape_debug()),
            };

            watched
                .notes
                .push(format!("{of}no rule: {}", lacking.reason));
        }
        let said = self.watched.get(id).map(|before| &before.notes);
        if said != Some(&watched.notes) {
            for note in &watched.notes {
                warn!("container {}: {note}", watched.name.escape_debug());
            }
        }
        Some(watched)
    }

    /// The rules that each of those that are meant is to have, by ID.
    pub(super) fn rules(&self, is_meant: impl Fn(&str) -> bool) -> BTreeMap<String, Rules> {
        let rules = |watched: &Watched| -> Rules {
            let rules = watched.desired.rules.iter();

            rules
                .map(|(name, wanted)| (name.clone(), wanted.rule))
                .collect()
        };

        self.watched
            .iter()
            .filter(|(id, _)| is_meant(id))
            .map(|(id, watched)| (id.clone(), rules(watched)))
            .collect()
    }

    /// Says how they are, to who measures; and how many rules have names of ours and are not.
    pub(super) fn publish(&self, report: &Report, foreign: usize) {
        let rules = self.watched.values().flat_map(|watched| {
            let rules = watched.desired.rules.iter();

            rules.map(|(name, wanted)| {
                let of = (watched.name.clone(), wanted.network.clone());

                (name.clone(), of)
            })
        });
        let lacking = self.watched.values().flat_map(|watched| {
            let lacking = watched.desired.lacking.iter();

            lacking.map(|lacking| {
                (
                    watched.name.clone(),
                    lacking.network.clone(),
                    lacking.reason.word(),
                )
            })
        });
        let refused = self.watched.values().filter(|of| of.is_refused).count();
        let untold = self.untold.values().filter(|why| why.is_some()).count();

        report.set(
            self.watched.len(),
            untold,
            refused,
            foreign,
            rules.collect(),
            lacking.collect(),
        );
    }

    /// Those that ask for a class and have no rule, or none for one of their networks. `failed` is what
    /// the module said of those that it refused rules, by ID.
    pub(super) fn left_out(&self, failed: &BTreeMap<String, String>) -> Vec<LeftOut> {
        let of = |id: &String, network: &str, reason: &str, text: String| LeftOut {
            id: id.clone(),
            name: self
                .watched
                .get(id)
                .map_or_else(String::new, |of| of.name.clone()),
            network: network.to_owned(),
            reason: reason.to_owned(),
            text,
        };
        let wrong = self.watched.iter().filter(|(_, of)| of.is_refused);
        let wrong = wrong.map(|(id, watched)| of(id, "", "label", watched.notes.join("; ")));
        let lacking = self.watched.iter().flat_map(|(id, watched)| {
            let lacking = watched.desired.lacking.iter();

            lacking.map(move |lacking| {
                let Lacking { network, reason } = lacking;

                of(id, network, reason.word(), reason.to_string())
            })
        });
        let failed = failed
            .iter()
            .filter(|(id, _)| self.has(id))
            .map(|(id, why)| of(id, "", "refused", why.clone()));
        let untold = self.untold.iter().filter_map(|(id, why)| {
            let why = why.as_ref()?;

            Some(of(
                id,
                "",
                "untold",
                format!("any that it had stays as it is: {why}"),
            ))
        });

        wrong.chain(lacking).chain(failed).chain(untold).collect()
    }
}
