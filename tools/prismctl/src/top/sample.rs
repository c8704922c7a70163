// SPDX-License-Identifier: GPL-2.0

//! What the module and the host have counted at a moment.

use std::{
    collections::BTreeMap,
    time::Instant, //
};

use prism_config::Module;

use super::measured::Measured;
use crate::{
    counted::{
        self,
        debugfs::{
            is_drop,
            Cpus,
            Debugfs, //
        },
        histogram::Times,
        RuleCount, //
    },
    doctor::{
        host::Host,
        namespace, //
    },
    error::Error, //
};

/// Counts of a moment.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) mode: String,
    pub(super) isolates: bool,
    pub(super) rules: BTreeMap<String, RuleCount>,
    pub(super) counters: BTreeMap<String, u64>,
    /// The counters of each CPU; `None` for who may not know.
    pub(super) cpus: Option<Cpus>,
    /// Whether times are measured; `None` for who may not know.
    pub(super) measures: Option<bool>,
    /// How long packets of each class took.
    pub(super) by_class: Times,
    /// The same of each rule; `None` for who may not know, and where the module does not tell.
    pub(super) by_rule: Option<Times>,
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

/// Where the counts come from.
pub(super) struct Source {
    module: Module,
    debug: Debugfs,
}

impl Source {
    pub(super) fn open() -> Result<Self, Error> {
        Ok(Self {
            module: Module::open()?,
            debug: Debugfs::new(),
        })
    }

    /// What is counted now.
    pub(super) fn read(&self) -> Result<Sample, Error> {
        let counters = self.module.counters()?;
        let host = Host::read()?;

        Ok(Sample {
            at: Instant::now(),
            mode: self.module.value("mode")?,
            isolates: self.module.value("isolate")? == "1",
            rules: self.rules()?,
            drops: drops(&counters, &host, namespace::drops(&host.networks)),
            counters,
            cpus: self.debug.cpus().ok(),
            measures: self.debug.is_measured().ok(),
            by_class: self.debug.by_class().unwrap_or_default(),
            by_rule: self.debug.by_rule().ok(),
        })
    }

    /// All rules; none for who may not know them.
    fn rules(&self) -> Result<BTreeMap<String, RuleCount>, Error> {
        match counted::rules(&self.module) {
            Err(prism_config::Error::Denied(_)) => Ok(BTreeMap::new()),
            rules => Ok(rules?),
        }
    }

    /// Has times measured until what it returns is dropped.
    pub(super) fn measure(&self) -> Result<Measured, Error> {
        Measured::new(self.debug.switch())
    }
}

/// What is dropped, and where: by the module, and by the rest of the host, `elsewhere` by devices of namespaces
/// without processes.
fn drops(
    counters: &BTreeMap<String, u64>,
    host: &Host,
    elsewhere: Vec<(String, u64)>,
) -> BTreeMap<String, Dropped> {
    let by_place = |(place, packets): (String, u64)| (place.clone(), Dropped { place, packets });
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

    use prism_config::Counts;

    use super::*;
    use crate::counted::histogram::{
        Buckets,
        Histograms, //
    };

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
        let rule = |class: &str, packets: u64, dropped: u64| RuleCount {
            class: class.to_owned(),
            enabled: true,
            counts: Counts {
                packets: packets * seconds + 7,
                bytes: packets * seconds * 100,
                dropped: Some(dropped * seconds),
            },
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

        let took = |seconds: u64| {
            Buckets::from([
                ((2048, 2560), 90 * seconds),
                ((4096, 5120), 9 * seconds),
                ((1_048_576, 1_310_720), seconds),
            ])
        };

        Sample {
            at: begin + Duration::from_secs(seconds),
            mode: "sync".to_owned(),
            isolates: true,
            rules: BTreeMap::from([
                ("backup".to_owned(), rule("bulk", 400, 3)),
                ("cache".to_owned(), rule("high", 1000, 0)),
                ("idle".to_owned(), rule("high", 0, 0)),
            ]),
            counters: counters(1400),
            cpus: Some(BTreeMap::from([(0, counters(1000)), (1, counters(400))])),
            measures: Some(true),
            by_class: Times {
                delivered: Histograms::from([("high".to_owned(), took(seconds))]),
                waited: Histograms::new(),
            },
            by_rule: Some(Times {
                delivered: Histograms::from([("cache".to_owned(), took(seconds))]),
                waited: Histograms::from([(
                    "backup".to_owned(),
                    Buckets::from([((16384, 20480), 50 * seconds)]),
                )]),
            }),
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
