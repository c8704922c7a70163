// SPDX-License-Identifier: GPL-2.0

//! What the daemon lives in.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc,
    },
    time::{
        Duration,
        Instant, //
    },
};

use fake_docker::{
    Container,
    Engine,
    Network, //
};
use prism_config::{
    fake::Fake,
    rule::Rule,
    Counts,
    Error,
    Field,
    Known,
    LeftOutFile,
    Named,
    State,
    Target, //
};
use tokio::task::JoinHandle;

use crate::{
    daemon::{
        Calls,
        Daemon, //
    },
    kernel::{
        Counted,
        Kernel, //
    },
    report::Report,
};

/// A kernel with a module that is not there.
#[derive(Clone, Debug)]
pub(crate) struct FakeKernel {
    pub(super) module: Fake,
    is_loaded: Arc<AtomicBool>,
    is_locked: Arc<AtomicBool>,
}

impl Default for FakeKernel {
    fn default() -> Self {
        Self {
            module: Fake::new(&State::default(), usize::MAX),
            is_loaded: Arc::new(true.into()),
            is_locked: Arc::default(),
        }
    }
}

impl FakeKernel {
    pub(super) fn set_loaded(&self, is_loaded: bool) {
        self.is_loaded.store(is_loaded, Ordering::Relaxed);
    }

    pub(super) fn set_locked(&self, is_locked: bool) {
        self.is_locked.store(is_locked, Ordering::Relaxed);
    }
}

impl Kernel for FakeKernel {
    type Module = Fake;
    type Guard = ();

    fn module(&self) -> Result<Fake, Error> {
        if !self.is_loaded.load(Ordering::Relaxed) {
            return Err(Error::NotLoaded);
        }
        Ok(self.module.clone())
    }

    fn try_lock(&self) -> Result<Option<()>, Error> {
        Ok((!self.is_locked.load(Ordering::Relaxed)).then_some(()))
    }
}

impl Counted for Fake {
    fn counters(&self) -> Result<BTreeMap<String, u64>, Error> {
        Ok(BTreeMap::from([("classified".to_owned(), 12)]))
    }

    fn counts(&self, name: &str) -> Result<Counts, Error> {
        self.rule(name).map(|_| Counts {
            packets: 3,
            bytes: 99,
            // As of an older module, where one is called like that.
            dropped: (name != "old").then_some(2),
        })
    }
}

/// An engine, a kernel, and the daemon between them.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) kernel: FakeKernel,
    pub(super) report: Report,
    pub(super) calls: Arc<Calls>,
    daemon: Option<JoinHandle<()>>,
    dir: tempfile::TempDir,
}

impl World {
    /// Without the daemon.
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::start(&dir.path().join("docker.sock")).unwrap();
        let vni = |vni: &str| {
            let name = "com.docker.network.driver.overlay.vxlanid_list";

            (name.to_owned(), vni.to_owned())
        };

        for (name, options) in [
            ("back", vec![vni("4097")]),
            ("side", vec![vni("4098")]),
            (
                "secret",
                vec![vni("4099"), ("encrypted".to_owned(), String::new())],
            ),
        ] {
            engine.add_network(Network {
                id: format!("{name:0<14}"),
                name: name.to_owned(),
                driver: "overlay".to_owned(),
                options: options.into_iter().collect(),
                ..Network::default()
            });
        }
        Self {
            engine,
            kernel: FakeKernel::default(),
            report: Report::default(),
            calls: Arc::default(),
            daemon: None,
            dir,
        }
    }

    /// A connection to the engine.
    pub(super) async fn client(&self) -> crate::engine::Engine {
        let path = self.dir.path().join("docker.sock");

        crate::engine::Engine::connect(&path.to_string_lossy())
            .await
            .unwrap()
    }

    /// Starts the daemon.
    pub(super) fn start(&mut self) {
        let path = self.dir.path().join("docker.sock");
        let (kernel, calls) = (self.kernel.clone(), self.calls.clone());
        self.report = Report::default();
        let report = self.report.clone();
        let left_out = LeftOutFile::new(&self.left_out());

        self.daemon = Some(tokio::spawn(async move {
            let mut daemon = Daemon::new(kernel, report).with_left_out(left_out);

            daemon.run(&path.to_string_lossy(), &calls).await;
        }));
    }

    /// Stops it, wherever it is.
    pub(super) async fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.abort();
            assert!(daemon.await.unwrap_err().is_cancelled());
        }
    }

    pub(super) fn rules(&self) -> BTreeMap<String, Rule> {
        self.kernel.module.state().unwrap().rules
    }

    /// The file that says who is left out.
    pub(super) fn left_out(&self) -> PathBuf {
        self.dir.path().join("prismd/left-out.json")
    }

    /// Waits for that file to name these containers and networks, with reasons, and no others.
    pub(super) async fn left_out_are(&self, expected: &[(&str, &str, &str)]) {
        self.wait(|| match Known::read(&self.left_out()).unwrap() {
            Known::Now(now) => now
                .iter()
                .map(|of| (of.name.as_str(), of.network.as_str(), of.reason.as_str()))
                .eq(expected.iter().copied()),
            _ => false,
        })
        .await;
    }

    /// What Prometheus is told.
    pub(super) fn text(&self) -> String {
        self.report.text(&self.kernel).unwrap()
    }

    /// Waits for something to be so.
    async fn wait(&self, what: impl Fn() -> bool) {
        let start = Instant::now();

        while !what() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "rules: {:#?}\n{}",
                self.shown(),
                self.text()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits for rules to be so.
    pub(super) async fn settled(&self, what: impl Fn(&BTreeMap<String, Rule>) -> bool) {
        self.wait(|| what(&self.rules())).await;
    }

    /// Waits for the daemon to have told that.
    pub(super) async fn told(&self, line: &str) {
        self.wait(|| self.text().contains(line)).await;
    }

    pub(super) async fn connected(&self) {
        self.told("\nprismd_engine_up 1\n").await;
    }

    /// Waits until the daemon is told what happens when it happens.
    pub(super) async fn followed(&self) {
        self.wait(|| self.engine.followers() == 1).await;
    }

    /// Waits until the daemon has asked about a container.
    pub(super) async fn asked_about(&self, id: &str) {
        let is_so = |path: &String| path.ends_with(&format!("/containers/{id}/json"));

        self.wait(|| self.engine.requests().iter().any(is_so)).await;
    }

    /// Waits until the daemon asks for the list of containers.
    pub(super) async fn listed(&self) {
        self.has_listed(1).await;
    }

    /// Waits until it has done so twice since the engine runs.
    pub(super) async fn listed_again(&self) {
        self.has_listed(2).await;
    }

    async fn has_listed(&self, times: usize) {
        let is_list = |path: &&String| path.ends_with("/containers/json");
        let lists = || self.engine.requests().iter().filter(is_list).count();
        let before = lists();

        self.wait(|| lists() >= before + times).await;
    }

    /// Rules in words.
    fn shown(&self) -> Vec<String> {
        let rules = self.rules();
        let rules = rules.iter();

        rules
            .map(|(name, rule)| Named(name, rule).to_string())
            .collect()
    }

    /// Waits for rules to be these, and all.
    pub(super) async fn has(&self, rules: &[&str]) {
        self.wait(|| self.shown() == rules).await;
    }

    /// Waits for rules to be for these addresses, and all, one for each.
    pub(super) async fn has_addresses(&self, addresses: &[&str]) {
        self.settled(|rules| {
            let mut now: Vec<String> = rules
                .values()
                .filter(|rule| rule.enabled)
                .map(|rule| Field::Destination.of(rule).to_string())
                .collect();

            now.sort();
            now == addresses
        })
        .await;
    }
}

/// The ID of a container of that number.
pub(super) fn id(number: u32) -> String {
    format!("{number:012}{number:052}")
}

/// A container of that number in the network `back`.
pub(super) fn container(number: u32, labels: &[(&str, &str)]) -> Container {
    let [_, _, high, low] = number.to_be_bytes();

    Container {
        id: id(number),
        name: format!("c{number}"),
        labels: labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        endpoints: BTreeMap::from([(
            "back0000000000".to_owned(),
            (format!("10.0.{high}.{low}"), String::new()),
        )]),
        ..Container::default()
    }
}
