// SPDX-License-Identifier: GPL-2.0

//! A Docker engine that only says what containers there are, for tests: what version 20.10 answers to
//! the requests that `prismd` makes, and nothing else.

mod answer;

use std::{
    collections::{
        BTreeMap,
        HashMap, //
    },
    fs, io,
    path::{
        Path,
        PathBuf, //
    },
    sync::{
        Arc,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
    time::{
        Duration,
        SystemTime, //
    },
};

use hyper::{
    body::Bytes,
    server::conn::http1,
    service::service_fn, //
};
use hyper_util::rt::TokioIo;
use serde_json::{
    json,
    Value, //
};
use tokio::{
    net::UnixListener,
    sync::mpsc::UnboundedSender,
    task::{
        JoinHandle,
        JoinSet, //
    },
};

/// An engine.
#[derive(Debug)]
pub struct Engine {
    path: PathBuf,
    state: Shared,
    server: Option<JoinHandle<()>>,
}

type Shared = Arc<Mutex<State>>;

/// A container.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// All of its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// Its network mode; that of a bridge where it is empty.
    pub mode: String,
    /// IDs of networks, with its addresses there, which may be empty.
    pub endpoints: BTreeMap<String, (String, String)>,
    /// Ports such as `6379/tcp`, with addresses and ports of the host.
    pub ports: Vec<(String, String, u16)>,
}

/// A network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// Options of its driver.
    pub options: HashMap<String, String>,
    /// Whether Swarm's published ports come through it.
    pub is_ingress: bool,
}

#[derive(Debug, Default)]
struct State {
    containers: BTreeMap<String, Container>,
    networks: BTreeMap<String, Network>,
    /// What happened, for those who ask later.
    events: Vec<(u64, Value)>,
    /// Those who want to know what happens, with what they want to know.
    followers: Vec<(Filters, UnboundedSender<Bytes>)>,
    requests: Vec<String>,
    lag: Duration,
    tear: Tear,
    /// What is wrong with containers, by ID.
    trouble: BTreeMap<String, Trouble>,
    /// Whoever is still connected has no answer any more.
    is_down: bool,
}

/// What becomes of who asks about a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no answer before it has recovered, and then one of how it was when it was asked for.
    Silence,
    /// The answer is an error.
    Failure,
}

/// Where lines of events are torn.
#[derive(Debug, Default)]
enum Tear {
    #[default]
    Nowhere,
    /// The next one before its end.
    BeforeEnd,
    /// The end of the last one is still to come.
    AfterText,
}

/// What somebody wants to know: values by their kinds.
type Filters = HashMap<String, Vec<String>>;

/// How many events are remembered, as by the engine.
const REMEMBERED: usize = 256;

impl Engine {
    /// Starts one at a socket.
    ///
    /// # Errors
    ///
    /// Why there is no socket.
    pub fn start(path: &Path) -> io::Result<Self> {
        let mut engine = Self {
            path: path.to_owned(),
            state: Shared::default(),
            server: None,
        };

        engine.up()?;
        Ok(engine)
    }

    /// Goes away, in the middle of whatever it says. Containers live on.
    pub fn down(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
        let mut state = self.state();
        state.is_down = true;
        state.followers.clear();
        drop(state);
        fs::remove_file(&self.path).ok();
    }

    /// Comes back, and has forgotten what happened.
    ///
    /// # Errors
    ///
    /// Why there is no socket.
    pub fn up(&mut self) -> io::Result<()> {
        let listener = UnixListener::bind(&self.path)?;

        let mut state = self.state();
        state.is_down = false;
        state.events.clear();
        drop(state);
        self.server = Some(tokio::spawn(serve(listener, self.state.clone())));
        Ok(())
    }

    /// Makes a network.
    pub fn add_network(&self, network: Network) {
        self.state().networks.insert(network.id.clone(), network);
    }

    /// Starts a container.
    pub fn run(&self, container: Container) {
        let mut state = self.state();
        let event = container_event("start", &container);

        state.containers.insert(container.id.clone(), container);
        state.tell(event);
    }

    /// Stops a container.
    pub fn stop(&self, id: &str) {
        let mut state = self.state();

        if let Some(container) = state.containers.remove(id) {
            state.tell(container_event("die", &container));
        }
    }

    /// Connects a container to a network, or changes its addresses there.
    pub fn connect(&self, id: &str, network: &str, v4: &str, v6: &str) {
        let mut state = self.state();

        if let Some(container) = state.containers.get_mut(id) {
            container
                .endpoints
                .insert(network.to_owned(), (v4.to_owned(), v6.to_owned()));
            state.tell(network_event("connect", network, id));
        }
    }

    /// Disconnects a container from a network.
    pub fn disconnect(&self, id: &str, network: &str) {
        let mut state = self.state();

        if let Some(container) = state.containers.get_mut(id) {
            container.endpoints.remove(network);
            state.tell(network_event("disconnect", network, id));
        }
    }

    /// Something happens that nobody should be told of who has not asked for it.
    pub fn chatter(&self, id: &str) {
        let mut state = self.state();

        if let Some(container) = state.containers.get(id).cloned() {
            state.tell(container_event("exec_start: true", &container));
        }
    }

    /// From here on, who asks for events is told only of what happens so much later, and of what he
    /// asks for of before.
    pub fn set_lag(&self, lag: Duration) {
        self.state().lag = lag;
    }

    /// The end of the next event's line comes with the event after it, as where a buffer was full
    /// there.
    pub fn tear(&self) {
        self.state().tear = Tear::BeforeEnd;
    }

    /// Something is wrong with a container, or no longer; with the list of them where the ID is empty.
    pub fn set_trouble(&self, id: &str, trouble: Option<Trouble>) {
        let mut state = self.state();

        match trouble {
            Some(trouble) => state.trouble.insert(id.to_owned(), trouble),
            None => state.trouble.remove(id),
        };
    }

    /// Who follows what happens.
    pub fn followers(&self) -> usize {
        let mut state = self.state();

        state.followers.retain(|(_, to)| !to.is_closed());
        state.followers.len()
    }

    /// The paths of all requests.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.down();
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn tell(&mut self, event: Value) {
        let (text, next) = match self.tear {
            Tear::Nowhere => (format!("{event}\n"), Tear::Nowhere),
            Tear::BeforeEnd => (event.to_string(), Tear::AfterText),
            Tear::AfterText => (format!("\n{event}\n"), Tear::Nowhere),
        };
        let text = Bytes::from(text);

        self.tear = next;
        self.followers
            .retain(|(filters, to)| !is_wanted(filters, &event) || to.send(text.clone()).is_ok());
        self.events.push((now(), event));
        if self.events.len() > REMEMBERED {
            self.events.remove(0);
        }
    }
}

/// Whether an event is one of those that are asked for.
fn is_wanted(filters: &Filters, event: &Value) -> bool {
    let passes = |kind: &str, value: &Value| {
        let wanted = filters.get(kind);

        wanted.is_none_or(|wanted| wanted.iter().any(|word| value == word))
    };

    passes("type", &event["Type"]) && passes("event", &event["Action"])
}

/// Seconds since the epoch.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn container_event(action: &str, container: &Container) -> Value {
    let mut attributes = json!(container.labels);

    attributes["name"] = json!(container.name);
    attributes["image"] = json!("busybox");
    event("container", action, &container.id, &attributes)
}

fn network_event(action: &str, network: &str, container: &str) -> Value {
    event(
        "network",
        action,
        network,
        &json!({ "container": container }),
    )
}

fn event(kind: &str, action: &str, id: &str, attributes: &Value) -> Value {
    let now = now();

    json!({
        "status": action, "id": id, "from": "busybox",
        "Type": kind, "Action": action, "Actor": { "ID": id, "Attributes": attributes },
        "scope": "local", "time": now, "timeNano": now * 1_000_000_000,
    })
}

/// Answers all who connect. Those who are connected go with it.
async fn serve(listener: UnixListener, state: Shared) {
    let mut connections = JoinSet::new();

    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();

        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let service = service_fn(|request| {
                let state = state.clone();

                async move {
                    Ok::<_, std::convert::Infallible>(answer::answer(&state, &request).await)
                }
            });

            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}
