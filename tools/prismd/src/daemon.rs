// SPDX-License-Identifier: GPL-2.0

//! Keeps the rules those of the containers that run.

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    convert::Infallible,
    sync::Arc,
    time::Duration, //
};

use prism_config::{
    Error as ModuleError,
    LeftOutFile, //
};
use tokio::{
    sync::Notify,
    time::{
        sleep_until,
        Instant, //
    },
};
use tracing::{
    debug,
    info,
    warn, //
};

use crate::{
    backoff::{
        until,
        Backoff, //
    },
    container::Network,
    desired::Desired,
    engine::{
        Engine,
        Error, //
    },
    events::{
        About,
        Event, //
    },
    kernel::{
        is_absent,
        Kernel, //
    },
    label::{
        Asked,
        CLASS, //
    },
    looks::{
        Found,
        Looks,
        Told, //
    },
    own::short,
    report::Report,
    sync::{
        Rules,
        Todo, //
    },
};

/// Waits between attempts to reach the engine.
const ENGINE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Waits between attempts to do what was refused.
const RULES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Waits for somebody else who changes something.
const LOCK: Duration = Duration::from_millis(20);

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

/// The daemon.
#[derive(Debug)]
pub(crate) struct Daemon<K> {
    kernel: K,
    report: Report,
    left_out: Option<LeftOutFile>,
    /// By the short forms of their IDs.
    watched: BTreeMap<String, Watched>,
    /// Containers of which the engine has not told what they are to have, by the short forms of their
    /// IDs, with why not where it was asked. Their rules stay as they are.
    untold: BTreeMap<String, Option<String>>,
    /// Whether it is known which containers run. Before that, all rules would seem to be of none.
    is_informed: bool,
    pending: Pending,
    retries: Backoff,
    retry: Option<Instant>,
    /// What of the module was complained of.
    complaint: Option<String>,
    /// Why the file of who is left out cannot be written.
    unwritten: Option<String>,
    /// What the module said of containers that it refused rules, by ID.
    failed: BTreeMap<String, String>,
    foreign: BTreeSet<String>,
}

/// Containers whose rules may not be what they are to be.
#[derive(Debug, Default)]
struct Pending {
    are_all: bool,
    some: BTreeSet<String>,
}

impl<K: Kernel> Daemon<K> {
    pub(crate) fn new(kernel: K, report: Report) -> Self {
        Self {
            kernel,
            report,
            left_out: None,
            watched: BTreeMap::new(),
            untold: BTreeMap::new(),
            is_informed: false,
            pending: Pending::default(),
            retries: Backoff::new(RULES),
            retry: None,
            complaint: None,
            unwritten: None,
            failed: BTreeMap::new(),
            foreign: BTreeSet::new(),
        }
    }

    /// Has it say in a file who is left out.
    pub(crate) fn with_left_out(mut self, file: LeftOutFile) -> Self {
        self.left_out = Some(file);
        self
    }

    /// Follows the engine at a socket for ever. `changed` tells when rules may have changed behind our
    /// back, as where the module was loaded.
    pub(crate) async fn run(&mut self, path: &str, changed: &Notify) {
        let mut backoff = Backoff::new(ENGINE);
        let mut is_known = false;

        loop {
            let connected = self.report.connections();
            let Err(why) = self.follow(path, changed).await;

            // What was told last.
            self.sync();
            self.report.set_engine(false);
            if self.report.connections() != connected {
                backoff.reset();
                is_known = false;
            }
            if is_known {
                debug!("{why}");
            } else {
                warn!("{why}; rules stay as they are until it is back");
            }
            is_known = true;
            let again = Instant::now() + backoff.next();
            while Instant::now() < again {
                tokio::select! {
                    () = sleep_until(again) => (),
                    () = self.disturbed(changed) => self.sync(),
                }
            }
        }
    }

    /// Follows the engine until it goes.
    async fn follow(&mut self, path: &str, changed: &Notify) -> Result<Infallible, Error> {
        let engine = Engine::connect(path).await?;
        // Before what there is, so that nothing is missed.
        let mut events = engine.events().await?;

        let mut looks = self.begin(&engine).await?;
        self.report.set_engine(true);
        info!(
            "connected to the Docker engine at {path}; {} containers have {CLASS}",
            self.untold.len()
        );
        self.sync();
        loop {
            tokio::select! {
                event = events.next() => {
                    self.note(event.ok_or(Error::Closed)??, &mut looks);
                    while let Some(event) = events.try_next() {
                        self.note(event?, &mut looks);
                    }
                }
                told = looks.next() => {
                    self.learn(told);
                    while let Some(told) = looks.try_next() {
                        self.learn(told);
                    }
                    self.sync();
                }
                () = self.disturbed(changed) => self.sync(),
            }
        }
    }

    /// Waits until there is something to do again, or all of it.
    async fn disturbed(&mut self, changed: &Notify) {
        tokio::select! {
            () = changed.notified() => self.pending.are_all = true,
            () = until(self.retry) => (),
        }
    }

    /// Adds the container of an event to those that are to be looked at, if it matters.
    fn note(&self, event: Event, looks: &mut Looks) {
        let Event { container, about } = event;
        let id = short(&container);
        let is_known = self.watched.contains_key(id) || looks.has(&container);

        match about {
            About::Asking => (),
            About::Incomplete if !is_known => {
                warn!(
                    "container {}: it has labels of ours, but not {CLASS}: no rule",
                    id
                );
                return;
            }
            _ if !is_known => return,
            _ => (),
        }
        looks.add(container);
    }

    /// Begins anew, with the containers that run now.
    async fn begin(&mut self, engine: &Engine) -> Result<Looks, Error> {
        let mut looks = Looks::new(engine);
        let ids = engine.asking().await?;

        self.untold.clear();
        for id in ids {
            self.untold.insert(short(&id).to_owned(), None);
            looks.add(id);
        }
        let untold = &self.untold;
        self.watched.retain(|id, _| untold.contains_key(id));
        self.is_informed = true;
        self.pending.are_all = true;
        Ok(looks)
    }

    /// Looks at all containers, once.
    pub(crate) async fn reload(&mut self, engine: &Engine) -> Result<(), Error> {
        let mut looks = self.begin(engine).await?;

        while !looks.are_done() {
            self.learn(looks.next().await);
        }
        Ok(())
    }

    /// Takes note of what the engine tells of a container.
    fn learn(&mut self, told: Told) {
        let id = short(&told.id).to_owned();

        match told.answer {
            Ok(found) => {
                if self.untold.remove(&id).is_some() {
                    self.pending.some.insert(id.clone());
                }
                match found {
                    Some(found) => self.look_at(id, &found),
                    None => self.forget(id),
                }
            }
            Err(why) => {
                let why = why.to_string();

                if self.untold.get(&id).is_none_or(|said| said.is_none()) {
                    warn!("container {id}: {why}; its rules stay as they are until it tells");
                }
                self.untold.insert(id, Some(why));
            }
        }
    }

    fn forget(&mut self, id: String) {
        if let Some(Watched { name, .. }) = self.watched.remove(&id) {
            debug!("container {name} has stopped");
            self.pending.some.insert(id);
        }
    }

    fn look_at(&mut self, id: String, found: &Found) {
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
            Ok(None) => {
                self.forget(id);
                return;
            }
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
        let said = self.watched.get(&id).map(|before| &before.notes);
        if said != Some(&watched.notes) {
            for note in &watched.notes {
                warn!("container {}: {note}", watched.name.escape_debug());
            }
        }
        self.watched.insert(id.clone(), watched);
        self.pending.some.insert(id);
    }

    /// Makes the rules of the containers that are pending what they are to be, or does so later, where
    /// somebody else changes something.
    fn sync(&mut self) {
        if !self.is_informed {
            return;
        }
        if self.pending.is_any() {
            let done = match self.kernel.try_lock() {
                Ok(Some(_guard)) => self.carry_out(),
                Ok(None) => {
                    self.retry = Some(Instant::now() + LOCK);
                    return;
                }
                Err(why) => Err(why),
            };

            if let Err(why) = done {
                self.complain(&why);
            }
        }
        self.publish();
        self.say_who_is_left_out();
    }

    fn carry_out(&mut self) -> Result<(), ModuleError> {
        let module = self.kernel.module()?;
        let todo = self.todo(&module)?;
        let done = todo.carry_out(&module);

        if self.complaint.take().is_some() {
            info!("the module prism is there again");
        }
        for name in todo.foreign.difference(&self.foreign) {
            warn!("rule {name} has a name of ours, but is not of our making: it is left alone");
        }
        if self.pending.are_all {
            self.foreign = todo.foreign;
        } else {
            self.foreign.extend(todo.foreign);
        }
        if done.made + done.removed + done.changed > 0 {
            info!(
                "{} rules made, {} removed, {} changed",
                done.made, done.removed, done.changed
            );
        }
        self.report
            .count(done.made, done.removed, done.changed, done.failed.len());
        let failed: BTreeMap<String, String> = done
            .failed
            .into_iter()
            .map(|(id, failure)| (id, failure.to_string()))
            .collect();
        for (id, failure) in &failed {
            if self.failed.get(id) != Some(failure) {
                let name = self.watched.get(id).map_or("that has gone", |of| &of.name);

                warn!("container {id} {name}: {failure}");
            }
        }
        self.failed = failed;
        self.pending = Pending {
            are_all: false,
            some: self.failed.keys().cloned().collect(),
        };
        if self.pending.some.is_empty() {
            self.retries.reset();
            self.retry = None;
        } else if self.retry.is_none_or(|at| at <= Instant::now()) {
            self.retry = Some(Instant::now() + self.retries.next());
        }
        Ok(())
    }

    /// What has to be done.
    pub(crate) fn todo(&self, module: &K::Module) -> Result<Todo, ModuleError> {
        let Pending { are_all, some } = &self.pending;
        let is_meant = |id: &str| match are_all {
            true => !self.untold.contains_key(id) || self.watched.contains_key(id),
            false => some.contains(id),
        };
        let rules = |watched: &Watched| -> Rules {
            let rules = watched.desired.rules.iter();

            rules
                .map(|(name, wanted)| (name.clone(), wanted.rule))
                .collect()
        };
        let wanted = self
            .watched
            .iter()
            .filter(|(id, _)| is_meant(id))
            .map(|(id, watched)| (id.clone(), rules(watched)))
            .collect();

        Todo::new(module, &wanted, is_meant)
    }

    /// Does what is to be done, now.
    pub(crate) fn settle(&mut self) -> Result<bool, ModuleError> {
        self.carry_out()?;
        Ok(self.pending.some.is_empty() && self.untold.is_empty())
    }

    /// Whether each container is known and its labels are good.
    pub(crate) fn are_containers_good(&self) -> bool {
        self.untold.is_empty() && self.watched.values().all(|watched| !watched.is_refused)
    }

    /// Says once what is wrong with the module, and what becomes of it.
    fn complain(&mut self, why: &ModuleError) {
        let text = why.to_string();

        self.pending.are_all = true;
        if self.complaint.as_ref() != Some(&text) {
            warn!("{text}; waiting");
        }
        self.complaint = Some(text);
        // The kernel tells when it comes.
        self.retry = (!is_absent(why)).then(|| Instant::now() + self.retries.next());
    }

    /// Says how things are, to who measures.
    fn publish(&self) {
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

        self.report.set(
            self.watched.len(),
            untold,
            refused,
            self.foreign.len(),
            rules.collect(),
            lacking.collect(),
        );
    }
}

impl Pending {
    fn is_any(&self) -> bool {
        self.are_all || !self.some.is_empty()
    }
}

mod left_out;
#[cfg(test)]
pub(crate) mod tests;
