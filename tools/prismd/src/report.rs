// SPDX-License-Identifier: GPL-2.0

//! What is told to Prometheus, read anew whenever it asks.

use std::{
    collections::BTreeMap,
    fmt::{
        self,
        Write, //
    },
    sync::{
        Arc,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
};

use prism_config::{
    Counter,
    Counts, //
};
use prometheus_client::{
    collector::Collector,
    encoding::{
        text::encode,
        DescriptorEncoder,
        EncodeLabelValue,
        EncodeMetric,
        LabelValueEncoder, //
    },
    metrics::{
        counter::ConstCounter,
        gauge::ConstGauge,
        MetricType, //
    },
    registry::Registry,
};

use crate::kernel::{
    Counted,
    Kernel, //
};

/// How things are. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    is_connected: bool,
    connections: u64,
    containers: usize,
    untold: usize,
    refused: usize,
    foreign: usize,
    made: u64,
    removed: u64,
    changed: u64,
    failed: u64,
    rules: Rules,
    lacking: Vec<Lacking>,
}

/// Names of rules, with those of container and network.
type Rules = BTreeMap<String, (String, String)>;

/// A container, a network, and why there is no rule.
type Lacking = (String, String, &'static str);

impl Report {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the engine was reached.
    #[cfg(test)]
    pub(crate) fn connections(&self) -> u64 {
        self.inner().connections
    }

    /// Says whether the engine is there.
    pub(crate) fn set_engine(&self, is_connected: bool) {
        let mut inner = self.inner();

        inner.is_connected = is_connected;
        inner.connections += u64::from(is_connected);
    }

    /// Says what was done to rules, and for how many containers that was refused.
    pub(crate) fn count(&self, made: u64, removed: u64, changed: u64, failed: usize) {
        let mut inner = self.inner();

        inner.made += made;
        inner.removed += removed;
        inner.changed += changed;
        inner.failed += failed as u64;
    }

    /// Says what there is.
    pub(crate) fn set(
        &self,
        containers: usize,
        untold: usize,
        refused: usize,
        foreign: usize,
        rules: Rules,
        lacking: Vec<Lacking>,
    ) {
        let mut inner = self.inner();

        inner.containers = containers;
        inner.untold = untold;
        inner.refused = refused;
        inner.foreign = foreign;
        inner.rules = rules;
        inner.lacking = lacking;
    }

    /// All of it, and what the module counts, in the format of OpenMetrics.
    ///
    /// # Errors
    ///
    /// A mistake in names or values.
    pub(crate) fn text<K: Kernel>(&self, kernel: &K) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        let mut text = String::new();

        registry.register_collector(Box::new(Scrape {
            report: self.clone(),
            kernel: kernel.clone(),
        }));
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// One look at everything.
#[derive(Debug)]
struct Scrape<K> {
    report: Report,
    kernel: K,
}

impl<K: Kernel> Collector for Scrape<K> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let inner = self.report.inner();

        own(&mut encoder, &inner)?;
        let module = self.kernel.module();
        gauge(
            &mut encoder,
            "prism_up",
            "Whether the module prism is loaded",
            u64::from(module.is_ok()),
        )?;
        match module {
            Ok(module) => of_module(&mut encoder, &inner, &module),
            Err(_) => Ok(()),
        }
    }
}

/// What the daemon knows of itself.
fn own(encoder: &mut DescriptorEncoder<'_>, inner: &Inner) -> fmt::Result {
    for (name, help, value) in [
        (
            "prismd_engine_up",
            "Whether the Docker engine is connected",
            u64::from(inner.is_connected),
        ),
        (
            "prismd_containers",
            "Containers that run and have the label io.prism.class",
            inner.containers as u64,
        ),
        (
            "prismd_containers_untold",
            "Containers that have it of which the engine does not tell more",
            inner.untold as u64,
        ),
        (
            "prismd_containers_refused",
            "Containers whose labels are wrong",
            inner.refused as u64,
        ),
        (
            "prismd_rules",
            "Rules that the containers are to have",
            inner.rules.len() as u64,
        ),
        (
            "prismd_foreign_rules",
            "Rules with names of the daemon's that it has not made",
            inner.foreign as u64,
        ),
    ] {
        gauge(encoder, name, help, value)?;
    }
    for (name, help, value) in [
        (
            "prismd_connections",
            "How often the Docker engine was connected",
            inner.connections,
        ),
        ("prismd_rules_made", "Rules that were made", inner.made),
        (
            "prismd_rules_removed",
            "Rules that were removed",
            inner.removed,
        ),
        (
            "prismd_rules_changed",
            "Rules that were changed",
            inner.changed,
        ),
        (
            "prismd_failures",
            "How often the module refused the rules of a container",
            inner.failed,
        ),
    ] {
        counter(encoder, name, help, value)?;
    }

    let mut family = encoder.encode_descriptor(
        "prismd_lacking",
        "Containers and networks for which there is no rule, by reason",
        None,
        MetricType::Gauge,
    )?;
    for (container, network, reason) in &inner.lacking {
        let labels = labels([
            ("container", container),
            ("network", network),
            ("reason", reason),
        ]);

        ConstGauge::new(1u64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// One of the counts of a rule, where it is known.
type Kind = fn(&Counts) -> Option<u64>;

/// What the module counts.
fn of_module(
    encoder: &mut DescriptorEncoder<'_>,
    inner: &Inner,
    module: &impl Counted,
) -> fmt::Result {
    for (name, value) in module.counters().unwrap_or_default() {
        let help = Counter::named(&name).map_or("not known to this version", |known| known.what);

        counter(encoder, &format!("prism_{name}"), help, value)?;
    }

    // A rule may have gone, or may not be there yet.
    let counts: Vec<_> = inner
        .rules
        .iter()
        .filter_map(|(name, of)| Some((name, of, module.counts(name).ok()?)))
        .collect();
    let kinds: [(&str, &str, Kind); 3] = [
        (
            "prism_rule_packets",
            "Packets that a container's rule has met",
            |counts| Some(counts.packets),
        ),
        (
            "prism_rule_bytes",
            "Bytes that a container's rule has met",
            |counts| Some(counts.bytes),
        ),
        // A module that is older does not count them.
        (
            "prism_rule_dropped",
            "Packets of a container's rule that were dropped as too much waited",
            |counts| counts.dropped,
        ),
    ];
    for (name, help, of_kind) in kinds {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;

        for (rule, (container, network), counts) in &counts {
            let Some(value) = of_kind(counts) else {
                continue;
            };
            let labels = labels([
                ("container", container),
                ("network", network),
                ("rule", rule),
            ]);

            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// A label's value, which others have chosen, as the format wants it. The library leaves that to us; from
/// its version 0.25.2 on it does the same, and this is to go.
#[derive(Debug)]
struct Escaped<'a>(&'a str);

impl EncodeLabelValue for Escaped<'_> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\\' => encoder.write_str(r"\\")?,
                '"' => encoder.write_str(r#"\""#)?,
                '\n' => encoder.write_str(r"\n")?,
                _ => encoder.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// Names of labels, with their values.
fn labels<'a, const N: usize>(labels: [(&'a str, &'a str); N]) -> [(&'a str, Escaped<'a>); N] {
    labels.map(|(name, value)| (name, Escaped(value)))
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;

    ConstGauge::new(value).encode(metric)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;

    ConstCounter::new(value).encode(metric)
}

#[cfg(test)]
mod tests {
    use prism_config::Target;

    use super::*;
    use crate::daemon::tests::FakeKernel;

    #[test]
    fn names_of_others_are_no_more_than_values() {
        let network = "a\"b\\n\"} 1\nprism_up 0\n";
        let shown = r#"network="a\"b\\n\"} 1\nprism_up 0\n""#;
        let (kernel, report) = (FakeKernel::default(), Report::default());
        let of = ("c1".to_owned(), network.to_owned());
        let rules = Rules::from([("r".to_owned(), of)]);
        let lacking = vec![("c\"2".to_owned(), network.to_owned(), "driver")];

        kernel.module().unwrap().make("r").unwrap();
        report.set(2, 0, 0, 0, rules, lacking);
        let text = report.text(&kernel).unwrap();
        for line in [
            format!(r#"prismd_lacking{{container="c\"2",{shown},reason="driver"}} 1"#),
            format!(r#"prism_rule_packets_total{{container="c1",{shown},rule="r"}} 3"#),
            format!(r#"prism_rule_bytes_total{{container="c1",{shown},rule="r"}} 99"#),
            format!(r#"prism_rule_dropped_total{{container="c1",{shown},rule="r"}} 2"#),
            "prism_up 1".to_owned(),
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.lines().any(|it| it == "prism_up 0"), "{text}");
    }

    #[test]
    fn an_older_module_does_not_count_what_rules_drop() {
        let (kernel, report) = (FakeKernel::default(), Report::default());
        let of = ("c1".to_owned(), String::new());
        let rules = Rules::from([("old".to_owned(), of)]);

        kernel.module().unwrap().make("old").unwrap();
        report.set(1, 0, 0, 0, rules, Vec::new());
        let text = report.text(&kernel).unwrap();
        assert!(text.contains("prism_rule_packets_total{"), "{text}");
        assert!(!text.contains("prism_rule_dropped_total{"), "{text}");
    }
}
