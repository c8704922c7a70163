// SPDX-License-Identifier: GPL-2.0

//! What the module and the host have counted at a moment.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::Instant, //
};

use prism_config::{
    Module,
    Target, //
};

use super::measured::Measured;
use crate::{
    doctor::{
        host::Host,
        namespace, //
    },
    error::Error, //
};

const DEBUG: &str = "/sys/kernel/debug/prism";

/// Counts of a moment.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) mode: String,
    pub(super) isolates: bool,
    pub(super) rules: BTreeMap<String, RuleCount>,
    pub(super) counters: BTreeMap<String, u64>,
    /// The counters of each CPU; `None` for who may not know.
    pub(super) cpus: Option<BTreeMap<u32, BTreeMap<String, u64>>>,
    /// Whether times are measured; `None` for who may not know.
    pub(super) measures: Option<bool>,
    pub(super) delivered: Histograms,
    pub(super) waited: Histograms,
    /// What was dropped, by what identifies the place.
    pub(super) drops: BTreeMap<String, Dropped>,
}

/// Packets that were dropped.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dropped {
    /// Where, in words.
    pub(super) place: String,
    pub(super) packets: u64,
}

/// What a rule has met.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RuleCount {
    pub(super) class: String,
    pub(super) enabled: bool,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// How many packets took a time from the one to the other, in ns.
pub(super) type Buckets = BTreeMap<(u64, u64), u64>;

/// Those of each class.
pub(super) type Histograms = BTreeMap<String, Buckets>;

/// Where the counts come from.
pub(super) struct Source {
    module: Module,
    debug: PathBuf,
}

impl Source {
    pub(super) fn open() -> Result<Self, Error> {
        Ok(Self {
            module: Module::open()?,
            debug: PathBuf::from(DEBUG),
        })
    }

    /// What is counted now.
    pub(super) fn read(&self) -> Result<Sample, Error> {
        let counters = self.module.counters()?;
        let host = Host::read()?;
        let debug = |name: &str| fs::read_to_string(self.debug.join(name)).ok();
        let histograms = |name| {
            debug(name)
                .map(|text| histograms(&text))
                .unwrap_or_default()
        };

        Ok(Sample {
            at: Instant::now(),
            mode: self.module.value("mode")?,
            isolates: self.module.value("isolate")? == "1",
            rules: self.rules()?,
            drops: drops(&counters, &host, namespace::drops(&host.networks)),
            counters,
            cpus: debug("counters").map(|text| cpus(&text)),
            measures: debug("latency/enable").map(|text| text.trim_end() == "1"),
            delivered: histograms("latency/delivered"),
            waited: histograms("latency/waited"),
        })
    }

    /// All rules; none for who may not know them.
    fn rules(&self) -> Result<BTreeMap<String, RuleCount>, Error> {
        let mut rules = BTreeMap::new();

        for name in self.module.names()? {
            let count = || {
                let rule = self.module.rule(&name)?;
                let counts = self.module.counts(&name)?;

                Ok(RuleCount {
                    class: rule.class.to_string(),
                    enabled: rule.enabled,
                    packets: counts.packets,
                    bytes: counts.bytes,
                })
            };

            match count() {
                Ok(count) => {
                    rules.insert(name, count);
                }
                Err(prism_config::Error::NoRule(_) | prism_config::Error::Denied(_)) => (),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(rules)
    }

    /// Has times measured until what it returns is dropped.
    pub(super) fn measure(&self) -> Result<Measured, Error> {
        Measured::new(self.debug.join("latency/enable"))
    }
}

/// The table of the file `counters`.
fn cpus(text: &str) -> BTreeMap<u32, BTreeMap<String, u64>> {
    let mut lines = text.lines();
    let numbers: Vec<u32> = lines
        .next()
        .unwrap_or("")
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("cpu")?.parse().ok())
        .collect();
    let mut cpus: BTreeMap<u32, BTreeMap<String, u64>> = BTreeMap::new();

    for line in lines {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else {
            continue;
        };
        for (cpu, count) in numbers.iter().zip(words) {
            cpus.entry(*cpu)
                .or_default()
                .insert(name.to_owned(), count.parse().unwrap_or(0));
        }
    }
    cpus
}

/// Lines such as `high 3584 4096 17`.
fn histograms(text: &str) -> Histograms {
    let mut classes = Histograms::new();

    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [class, numbers @ ..] = words.as_slice() else {
            continue;
        };
        let numbers: Option<Vec<u64>> = numbers.iter().map(|word| word.parse().ok()).collect();

        if let Some([from, to, packets]) = numbers.as_deref() {
            classes
                .entry((*class).to_owned())
                .or_default()
                .insert((*from, *to), *packets);
        }
    }
    classes
}

/// What is dropped, and where: by the module, and by the rest of the host, `elsewhere` by devices of namespaces
/// without processes.
fn drops(
    counters: &BTreeMap<String, u64>,
    host: &Host,
    elsewhere: Vec<(String, u64)>,
) -> BTreeMap<String, Dropped> {
    let by_place = |(place, packets): (String, u64)| (place.clone(), Dropped { place, packets });
    let is_drop = |name: &str| name == "purged" || name.starts_with("dropped");
    let module = counters
        .iter()
        .filter(|(name, _)| is_drop(name))
        .map(|(name, count)| (format!("prism: {name}"), *count));
    let backlogs = host
        .cpus
        .iter()
        .map(|(cpu, it)| (format!("cpu {cpu}: backlog is full"), it.dropped));
    let devices = host.devices.iter().flat_map(|(name, device)| {
        [
            (format!("{name}: dropped"), device.rx_dropped),
            (format!("{name}: ring is full"), device.rx_missed),
        ]
    });
    let elsewhere = elsewhere
        .into_iter()
        .map(|(device, packets)| (format!("{device}: dropped"), packets));
    // The process that is found in one may be another the next time.
    let networks = host.networks.iter().map(|(id, network)| {
        let dropped = Dropped {
            place: format!("{}: socket is full", network.process),
            packets: network.buffer_errors,
        };

        (id.clone(), dropped)
    });

    module
        .chain(backlogs)
        .chain(devices)
        .chain(elsewhere)
        .map(by_place)
        .chain(networks)
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_table_of_cpus_is_read() {
        let cpus = cpus("counter cpu0 cpu2\nclassified 3 4\ndelivered 1 2\n");

        assert_eq!(cpus.keys().copied().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(cpus[&2]["classified"], 4);
        assert_eq!(cpus[&0]["delivered"], 1);
    }

    #[test]
    fn histograms_are_read() {
        let classes = histograms("high 256 320 5\nbulk 1 2 3\nbad 1 2\nworse 1 2 x\n\n");

        assert_eq!(classes.len(), 2);
        assert_eq!(classes["high"][&(256, 320)], 5);
    }

    #[test]
    fn drops_elsewhere_have_their_place() {
        let device = "vxlan0 of /run/docker/netns/1-abc".to_owned();
        let drops = drops(&BTreeMap::new(), &Host::default(), vec![(device, 5)]);

        assert_eq!(
            drops.into_values().collect::<Vec<_>>(),
            [Dropped {
                place: "vxlan0 of /run/docker/netns/1-abc: dropped".to_owned(),
                packets: 5
            }]
        );
    }

    /// A sample after so many seconds, in each of which there was the same.
    pub(in crate::top) fn sample(begin: Instant, seconds: u64) -> Sample {
        let rule = |class: &str, packets: u64| RuleCount {
            class: class.to_owned(),
            enabled: true,
            packets: packets * seconds + 7,
            bytes: packets * seconds * 100,
        };
        let counters = |packets: u64| {
            BTreeMap::from([
                ("classified".to_owned(), packets * seconds),
                ("completed".to_owned(), packets * seconds / 2),
                ("dropped_bulk".to_owned(), 3 * seconds),
                ("kernel_tap".to_owned(), seconds),
                ("kernel_refresh".to_owned(), 5 * seconds),
            ])
        };

        Sample {
            at: begin + Duration::from_secs(seconds),
            mode: "sync".to_owned(),
            isolates: true,
            rules: BTreeMap::from([
                ("backup".to_owned(), rule("bulk", 400)),
                ("cache".to_owned(), rule("high", 1000)),
                ("idle".to_owned(), rule("high", 0)),
            ]),
            counters: counters(1400),
            cpus: Some(BTreeMap::from([(0, counters(1000)), (1, counters(400))])),
            measures: Some(true),
            delivered: Histograms::from([(
                "high".to_owned(),
                BTreeMap::from([
                    ((2048, 2560), 90 * seconds),
                    ((4096, 5120), 9 * seconds),
                    ((1_048_576, 1_310_720), seconds),
                ]),
            )]),
            waited: Histograms::new(),
            drops: [
                ("1", "prism: dropped_bulk", 3 * seconds),
                ("2", "eth0: ring is full", 12 * seconds),
                ("3", "eth0: dropped", 0),
            ]
            .into_iter()
            .map(|(id, place, packets)| {
                let place = place.to_owned();

                (id.to_owned(), Dropped { place, packets })
            })
            .collect(),
        }
    }
}
