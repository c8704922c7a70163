// SPDX-License-Identifier: GPL-2.0

//! Asks the engine about containers, many at a time: it does not answer about one that is being
//! started until that is done, or its network is there, and the others have to have their rules by
//! then, or to lose them.

use std::{
    collections::{
        BTreeMap,
        BTreeSet,
        HashMap,
        VecDeque, //
    },
    sync::{
        Arc,
        Mutex,
        MutexGuard,
        PoisonError,
        Weak, //
    },
    time::Duration,
};

use futures_util::{
    future::{
        BoxFuture,
        FutureExt, //
    },
    stream::{
        FuturesUnordered,
        StreamExt, //
    },
};
use tokio::time::Instant;

use crate::{
    backoff::{
        until,
        Backoff, //
    },
    container::{
        Container,
        Network, //
    },
    engine::{
        Engine,
        Error, //
    },
    label::CLASS,
};

/// About how many it is asked at a time.
const AT_ONCE: usize = 16;

/// About how many of those it is asked again of which it would not tell, where nobody waits.
const AGAIN_AT_ONCE: usize = 4;

/// Waits before it is asked again about those of which it would not tell.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What the engine tells of a container.
#[derive(Debug)]
pub(crate) struct Told {
    /// All of its ID.
    pub(crate) id: String,
    /// What it is; `None` where it does not run.
    pub(crate) answer: Result<Option<Found>, Error>,
}

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Found {
    /// The container.
    pub(crate) container: Container,
    /// The networks that it is in, by their IDs, where it asks for something.
    pub(crate) networks: HashMap<String, Arc<Network>>,
}

/// Containers to be looked at.
pub(crate) struct Looks {
    engine: Engine,
    networks: Networks,
    /// IDs of those that wait, in the order in which something happened to them.
    waiting: VecDeque<String>,
    /// Those about which the engine is asked, with whether something has happened to them since.
    asked: BTreeMap<String, bool>,
    answers: FuturesUnordered<BoxFuture<'static, Told>>,
    /// Those of which it would not tell.
    untold: BTreeSet<String>,
    /// Those of them about which it is to be asked again, after all that wait.
    retried: BTreeSet<String>,
    /// Those of which it would not tell the last time.
    failing: BTreeSet<String>,
    backoff: Backoff,
    again: Option<Instant>,
}

impl Looks {
    /// None yet.
    pub(crate) fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            networks: Networks::default(),
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            answers: FuturesUnordered::new(),
            untold: BTreeSet::new(),
            retried: BTreeSet::new(),
            failing: BTreeSet::new(),
            backoff: Backoff::new(AGAIN),
            again: None,
        }
    }

    /// Has a container looked at, from now on.
    pub(crate) fn add(&mut self, id: String) {
        self.untold.remove(&id);
        self.retried.remove(&id);
        match self.asked.get_mut(&id) {
            Some(has_changed) => *has_changed = true,
            None if self.waiting.contains(&id) => (),
            None => self.waiting.push_back(id),
        }
    }

    /// Whether a container is looked at, or is to be.
    pub(crate) fn has(&self, id: &String) -> bool {
        self.asked.contains_key(id)
            || self.waiting.contains(id)
            || self.untold.contains(id)
            || self.retried.contains(id)
    }

    /// Whether the engine has been asked about each, and has answered, well or not.
    pub(crate) fn are_done(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_empty()
    }

    /// The next answer. Nothing is lost where it is no longer waited for.
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            self.ask();
            tokio::select! {
                Some(told) = self.answers.next() => return self.took(told),
                () = until(self.again) => {
                    self.again = None;
                    self.retried.append(&mut self.untold);
                }
            }
        }
    }

    /// The next answer where it has come already.
    pub(crate) fn try_next(&mut self) -> Option<Told> {
        self.next().now_or_never()
    }

    /// Asks about as many as may be.
    fn ask(&mut self) {
        while self.asked.len() < AT_ONCE {
            let mut next = self.waiting.pop_front();
            if next.is_none() && self.asked.len() < AGAIN_AT_ONCE {
                next = self.retried.pop_first();
            }
            let Some(id) = next else {
                return;
            };
            let (engine, networks) = (self.engine.clone(), self.networks.clone());

            self.asked.insert(id.clone(), false);
            self.answers.push(
                async move {
                    let answer = look(&engine, &networks, &id).await;

                    Told { id, answer }
                }
                .boxed(),
            );
        }
    }

    fn took(&mut self, told: Told) -> Told {
        let has_changed = self.asked.remove(&told.id).unwrap_or(false);

        if told.answer.is_ok() {
            self.failing.remove(&told.id);
        }
        if has_changed {
            self.waiting.push_back(told.id.clone());
        } else if told.answer.is_err() {
            let is_new = self.failing.insert(told.id.clone());

            self.untold.insert(told.id.clone());
            if is_new {
                // It does not wait for as long as those that have failed before.
                self.backoff.reset();
            }
            if is_new || self.again.is_none() {
                let next = Instant::now() + self.backoff.next();

                self.again = Some(self.again.map_or(next, |again| again.min(next)));
            }
        } else if self.untold.is_empty() && self.retried.is_empty() && self.are_done() {
            self.backoff.reset();
        }
        told
    }
}

async fn look(engine: &Engine, networks: &Networks, id: &str) -> Result<Option<Found>, Error> {
    let Some(told) = engine.container(id).await? else {
        return Ok(None);
    };
    let Some(container) = Container::new(told).map_err(Error::Lacking)? else {
        return Ok(None);
    };
    let mut found = Found {
        container,
        networks: HashMap::new(),
    };

    if found.container.labels.contains_key(CLASS) {
        for endpoint in &found.container.endpoints {
            if let Some(network) = networks.get(engine, &endpoint.network).await? {
                found.networks.insert(endpoint.network.clone(), network);
            }
        }
    }
    Ok(Some(found))
}

/// What is known of networks, by their IDs, as long as it is of use to somebody. Clones are the same.
#[derive(Clone, Debug, Default)]
struct Networks(Arc<Mutex<HashMap<String, Weak<Network>>>>);

impl Networks {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Weak<Network>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them, if it is there.
    async fn get(&self, engine: &Engine, id: &str) -> Result<Option<Arc<Network>>, Error> {
        let known = self.known().get(id).and_then(Weak::upgrade);
        if known.is_some() {
            return Ok(known);
        }
        let network = engine.network(id).await?.map(Network::new).map(Arc::new);

        if let Some(network) = &network {
            let mut known = self.known();

            known.retain(|_, of| of.strong_count() > 0);
            known.insert(id.to_owned(), Arc::downgrade(network));
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_begins_to_fail_does_not_wait_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let _docker = fake_docker::Engine::start(&path).unwrap();
        let engine = Engine::connect(&path.to_string_lossy()).await.unwrap();
        let mut looks = Looks::new(&engine);
        let mut fails = |id: &str, is_asked_again: bool| {
            if is_asked_again {
                looks.again = None;
            }
            looks.took(Told {
                id: id.to_owned(),
                answer: Err(Error::Silent),
            });
            looks.again.unwrap().duration_since(Instant::now())
        };

        for _ in 0..10 {
            fails("a", true);
        }
        assert!(fails("a", true) > AGAIN.1 / 2);
        assert!(fails("b", false) <= AGAIN.0);
        // Once.
        assert!(fails("b", true) > AGAIN.0);
        assert!(fails("a", true) > AGAIN.0 * 2);
    }
}
