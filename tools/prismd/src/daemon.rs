// SPDX-License-Identifier: GPL-2.0

//! Keeps the rules those of the containers that run.

mod containers;

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    convert::Infallible,
    future::Future,
    pin::pin,
    time::Duration, //
};

use prism_config::{
    Error as ModuleError,
    LeftOutFile,
    LEFT_OUT, //
};
use tokio::{
    sync::Notify,
    time::{
        sleep,
        Instant, //
    },
};
use tracing::{
    debug,
    info,
    warn, //
};

use self::containers::Containers;
use crate::{
    backoff::{
        until,
        Backoff, //
    },
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
    label::CLASS,
    looks::{
        Looks,
        Told, //
    },
    own::{
        container_of,
        short, //
    },
    report::Report,
    sync::Todo,
};

/// Waits between attempts to reach the engine.
const ENGINE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Waits between attempts to do what was refused.
const RULES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// For how long an engine has to be there to be asked again at once where it goes.
const STEADY: Duration = Duration::from_secs(1);
/// Waits for somebody else who changes something.
const LOCK: Duration = Duration::from_millis(20);

/// What others call the daemon for.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Rules may have changed behind its back, as where the module was loaded.
    pub(crate) changed: Notify,
    /// Somebody wants the engine to be asked again what runs.
    pub(crate) anew: Notify,
}

/// The daemon.
#[derive(Debug)]
pub(crate) struct Daemon<K> {
    kernel: K,
    report: Report,
    left_out: Option<LeftOutFile>,
    containers: Containers,
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
            containers: Containers::default(),
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

    /// Follows the engine at a socket for ever.
    pub(crate) async fn run(&mut self, path: &str, calls: &Calls) {
        let mut backoff = Backoff::new(ENGINE);
        let mut is_known = false;

        loop {
            let mut connected = None;
            let Err(why) = self.follow(path, calls, &mut connected).await;

            // What was told last.
            self.sync();
            self.report.set_engine(false);
            if let Some(since) = connected {
                is_known = false;
                if since.elapsed() >= STEADY {
                    backoff.reset();
                }
            }
            if is_known {
                debug!("{why}");
            } else {
                warn!("{why}; rules stay as they are until it is back");
            }
            is_known = true;
            self.meanwhile(calls, sleep(backoff.next())).await;
        }
    }

    /// Follows the engine until it goes. `connected` is since when it was there, if it was.
    async fn follow(
        &mut self,
        path: &str,
        calls: &Calls,
        connected: &mut Option<Instant>,
    ) -> Result<Infallible, Error> {
        let engine = self.meanwhile(calls, Engine::connect(path)).await?;
        // Before what there is, so that nothing is missed.
        let mut events = self.meanwhile(calls, engine.events()).await?;
        let ids = self.meanwhile(calls, engine.asking()).await?;

        let mut looks = self.begin(&engine, ids);
        *connected = Some(Instant::now());
        self.report.set_engine(true);
        info!(
            "connected to the Docker engine at {path}; {} containers have {CLASS}",
            self.containers.untold()
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
                () = calls.anew.notified() => {
                    let ids = self.meanwhile(calls, engine.asking()).await?;

                    looks = self.begin(&engine, ids);
                    self.sync();
                }
                () = self.disturbed(calls) => self.sync(),
            }
        }
    }

    /// Waits for what may take its time, and does what there is to do.
    async fn meanwhile<T>(&mut self, calls: &Calls, awaited: impl Future<Output = T>) -> T {
        let mut awaited = pin!(awaited);

        loop {
            tokio::select! {
                came = &mut awaited => return came,
                () = self.disturbed(calls) => self.sync(),
            }
        }
    }

    /// Waits until there is something to do again, or all of it.
    async fn disturbed(&mut self, calls: &Calls) {
        tokio::select! {
            () = calls.changed.notified() => self.pending.are_all = true,
            () = until(self.retry) => (),
        }
    }

    /// Adds the container of an event to those that are to be looked at, if it matters.
    fn note(&self, event: Event, looks: &mut Looks) {
        let Event { container, about } = event;
        let id = short(&container);
        let is_known = self.containers.has(id) || looks.has(&container);

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
    fn begin(&mut self, engine: &Engine, ids: Vec<String>) -> Looks {
        let mut looks = Looks::new(engine);

        self.containers.begin(ids.iter());
        for id in ids {
            looks.add(id);
        }
        self.is_informed = true;
        self.pending.are_all = true;
        looks
    }

    /// Looks at all containers, once.
    pub(crate) async fn reload(&mut self, engine: &Engine) -> Result<(), Error> {
        let ids = engine.asking().await?;
        let mut looks = self.begin(engine, ids);

        while !looks.are_done() {
            self.learn(looks.next().await);
        }
        Ok(())
    }

    /// Takes note of what the engine tells of a container.
    fn learn(&mut self, told: Told) {
        if let Some(id) = self.containers.learn(told) {
            self.pending.some.insert(id);
        }
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
        self.containers.publish(&self.report, self.foreign.len());
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
            let some = &self.pending.some;

            self.foreign
                .retain(|name| !container_of(name).is_some_and(|id| some.contains(id)));
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
                let name = self.containers.name(id);

                warn!("container {id} {name}: {failure}");
            }
        }
        if failed.keys().any(|id| !self.failed.contains_key(id)) {
            // It does not wait for as long as those that have failed before.
            self.retries.reset();
            self.retry = None;
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
            true => self.containers.is_known(id),
            false => some.contains(id),
        };
        let wanted = self.containers.rules(is_meant);

        Todo::new(module, &wanted, is_meant)
    }

    /// Does what is to be done, now.
    pub(crate) fn settle(&mut self) -> Result<bool, ModuleError> {
        self.carry_out()?;
        Ok(self.pending.some.is_empty() && self.containers.untold() == 0)
    }

    /// Whether each container is known and its labels are good.
    pub(crate) fn are_containers_good(&self) -> bool {
        self.containers.are_good()
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

    /// Says who is left out, to who looks at the host.
    fn say_who_is_left_out(&mut self) {
        let Some(file) = &mut self.left_out else {
            return;
        };
        let containers = self.containers.left_out(&self.failed);
        let unwritten = file.set(containers).err().map(|why| why.to_string());

        if let Some(why) = unwritten
            .as_ref()
            .filter(|why| self.unwritten.as_ref() != Some(why))
        {
            warn!("prismctl status cannot tell which containers have no rule: {LEFT_OUT}: {why}");
        }
        self.unwritten = unwritten;
    }
}

impl Pending {
    fn is_any(&self) -> bool {
        self.are_all || !self.some.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests;
