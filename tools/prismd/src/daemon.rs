// SPDX-License-Identifier: GPL-2.0

//! Keeps the rules those of the containers that run.

use std::{
    collections::{
        BTreeMap,
        BTreeSet,
        HashMap, //
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
    backoff::Backoff,
    container::{
        Container,
        Network, //
    },
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
    /// What its rules are for, kept as long as there is such a container.
    networks: Vec<Arc<Network>>,
}

/// The daemon.
#[derive(Debug)]
pub(crate) struct Daemon<K> {
    kernel: K,
    report: Report,
    left_out: Option<LeftOutFile>,
    /// By the short forms of their IDs.
    watched: BTreeMap<String, Watched>,
    /// By their IDs.
    networks: HashMap<String, Arc<Network>>,
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
            networks: HashMap::new(),
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
            let until = Instant::now() + backoff.next();
            while Instant::now() < until {
                tokio::select! {
                    () = sleep_until(until) => (),
                    () = self.disturbed(changed) => self.sync().await,
                }
            }
        }
    }

    /// Follows the engine until it goes.
    async fn follow(&mut self, path: &str, changed: &Notify) -> Result<Infallible, Error> {
        let engine = Engine::connect(path).await?;
        // Before what there is, so that nothing is missed.
        let mut events = engine.events().await?;

        self.reload(&engine).await?;
        self.report.set_engine(true);
        info!(
            "connected to the Docker engine at {path}; {} containers have {CLASS}",
            self.watched.len()
        );
        self.sync().await;
        loop {
            tokio::select! {
                event = events.next() => {
                    let mut batch = BTreeSet::new();

                    self.note(event.ok_or(Error::Closed)??, &mut batch);
                    while let Some(event) = events.try_next() {
                        self.note(event?, &mut batch);
                    }
                    for id in batch {
                        self.refresh(&engine, &id).await?;
                    }
                    if self.pending.is_any() {
                        self.sync().await;
                    }
                }
                () = self.disturbed(changed) => self.sync().await,
            }
        }
    }

    /// Waits until there is something to do again, or all of it.
    async fn disturbed(&mut self, changed: &Notify) {
        let retry = self.retry;
        let retry = async {
            match retry {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };

        tokio::select! {
            () = changed.notified() => self.pending.are_all = true,
            () = retry => (),
        }
    }

    /// Adds the container of an event to those that are to be looked at, if it matters.
    fn note(&self, event: Event, batch: &mut BTreeSet<String>) {
        let Event { container, about } = event;
        let is_watched = self.watched.contains_key(short(&container));

        match about {
            About::Asking => (),
            About::Incomplete if !is_watched => {
                warn!(
                    "container {}: it has labels of ours, but not {CLASS}: no rule",
                    short(&container)
                );
                return;
            }
            _ if !is_watched => return,
            _ => (),
        }
        batch.insert(container);
    }

    /// Looks at all containers.
    pub(crate) async fn reload(&mut self, engine: &Engine) -> Result<(), Error> {
        let ids = engine.asking().await?;
        let known: BTreeSet<&str> = ids.iter().map(|id| short(id)).collect();

        self.watched.retain(|id, _| known.contains(id.as_str()));
        self.networks.clear();
        for id in &ids {
            self.refresh(engine, id).await?;
        }
        self.is_informed = true;
        self.pending.are_all = true;
        Ok(())
    }

    /// Looks at a container.
    async fn refresh(&mut self, engine: &Engine, id: &str) -> Result<(), Error> {
        let told = engine.container(id).await?;

        match told.and_then(Container::new) {
            Some(container) => self.look_at(engine, &container).await?,
            None => self.forget(id),
        }
        Ok(())
    }

    fn forget(&mut self, id: &str) {
        if let Some(Watched { name, .. }) = self.watched.remove(short(id)) {
            debug!("container {name} has stopped");
            self.pending.some.insert(short(id).to_owned());
            self.networks
                .retain(|_, network| Arc::strong_count(network) > 1);
        }
    }

    async fn look_at(&mut self, engine: &Engine, container: &Container) -> Result<(), Error> {
        let mut watched = Watched {
            name: container.name.clone(),
            desired: Desired::default(),
            is_refused: false,
            notes: Vec::new(),
            networks: Vec::new(),
        };

        match Asked::new(&container.labels) {
            Ok(Some(asked)) => {
                for endpoint in &container.endpoints {
                    watched
                        .networks
                        .extend(self.network(engine, &endpoint.network).await?);
                }
                let networks = |id: &str| self.networks.get(id).map(|network| &**network);

                watched.desired = Desired::new(container, &asked, networks);
            }
            Ok(None) => {
                self.forget(&container.id);
                return Ok(());
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
        let id = short(&container.id).to_owned();
        let said = self.watched.get(&id).map(|before| &before.notes);
        if said != Some(&watched.notes) {
            for note in &watched.notes {
                warn!("container {}: {note}", watched.name.escape_debug());
            }
        }
        self.watched.insert(id.clone(), watched);
        self.pending.some.insert(id);
        Ok(())
    }

    /// What is known of a network, if there is one.
    async fn network(&mut self, engine: &Engine, id: &str) -> Result<Option<Arc<Network>>, Error> {
        if let Some(network) = self.networks.get(id) {
            return Ok(Some(network.clone()));
        }
        let network = engine.network(id).await?.map(Network::new).map(Arc::new);

        if let Some(network) = &network {
            self.networks.insert(id.to_owned(), network.clone());
        }
        Ok(network)
    }

    /// Makes the rules of the containers that are pending what they are to be.
    async fn sync(&mut self) {
        if !self.is_informed {
            return;
        }
        // Nothing is awaited while it is held.
        let guard = loop {
            match self.kernel.try_lock() {
                Ok(Some(guard)) => break Ok(guard),
                Ok(None) => tokio::time::sleep(LOCK).await,
                Err(why) => break Err(why),
            }
        };

        if let Err(why) = guard.and_then(|_guard| self.carry_out()) {
            self.complain(&why);
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
        for (id, failure) in &done.failed {
            let name = self.watched.get(id).map_or("that has gone", |of| &of.name);

            warn!("container {id} {name}: {failure}");
        }
        self.failed = done
            .failed
            .into_iter()
            .map(|(id, failure)| (id, failure.to_string()))
            .collect();
        self.pending = Pending {
            are_all: false,
            some: self.failed.keys().cloned().collect(),
        };
        if self.pending.some.is_empty() {
            self.retries.reset();
            self.retry = None;
        } else {
            self.retry = Some(Instant::now() + self.retries.next());
        }
        Ok(())
    }

    /// What has to be done.
    pub(crate) fn todo(&self, module: &K::Module) -> Result<Todo, ModuleError> {
        let of = (!self.pending.are_all).then_some(&self.pending.some);
        let rules = |watched: &Watched| -> Rules {
            let rules = watched.desired.rules.iter();

            rules
                .map(|(name, wanted)| (name.clone(), wanted.rule))
                .collect()
        };
        let wanted = self
            .watched
            .iter()
            .filter(|(id, _)| of.is_none_or(|of| of.contains(*id)))
            .map(|(id, watched)| (id.clone(), rules(watched)))
            .collect();

        Todo::new(module, &wanted, of)
    }

    /// Does what is to be done, now.
    pub(crate) fn settle(&mut self) -> Result<bool, ModuleError> {
        self.carry_out()?;
        Ok(self.pending.some.is_empty())
    }

    /// Whether the labels of each container are good.
    pub(crate) fn are_labels_good(&self) -> bool {
        self.watched.values().all(|watched| !watched.is_refused)
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

        self.report.set(
            self.watched.len(),
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
