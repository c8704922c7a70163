// SPDX-License-Identifier: GPL-2.0

//! What happened between two moments, in numbers.

use std::collections::BTreeMap;

use serde_json::{
    json,
    Value, //
};

use super::{
    Change,
    CLASSES, //
};
use crate::counted::{
    debugfs::SUMS,
    histogram::{
        quantile,
        to_json,
        Kind,
        Times, //
    },
};

impl Change<'_> {
    /// All that is known.
    pub(in crate::top) fn to_json(&self) -> Value {
        let drops: BTreeMap<&str, u64> = self
            .dropped()
            .map(|(dropped, _)| (dropped.place.as_str(), dropped.packets))
            .collect();
        let drop_rates: BTreeMap<&str, f64> = self
            .dropped()
            .map(|(dropped, rate)| (dropped.place.as_str(), rate))
            .collect();
        let by_rule = self
            .by_rule
            .as_ref()
            .map(|times| latency(times, "rule", &times.names()));

        json!({
            "seconds": self.seconds(),
            "mode": self.now.mode,
            "isolate": self.now.isolates,
            "rules": self.rules_json(),
            "counters": self.now.counters,
            "cpus": self.now.cpus,
            "cpus_per_second": self.cpus_json(),
            "latency_is_measured": self.now.measures,
            "latency": latency(&self.by_class, "class", &CLASSES),
            "rule_latency": by_rule,
            "drops": drops,
            "drops_per_second": drop_rates,
        })
    }

    fn rules_json(&self) -> Value {
        let rules = self.now.rules.iter().map(|(name, rule)| {
            let rates = self.rule_rates(name, rule);
            let best = self.times_of_rule(name);
            let at = |part| best.and_then(|(_, buckets)| quantile(buckets, part));

            json!({
                "name": name,
                "class": rule.class,
                "enabled": rule.enabled,
                "packets": rule.counts.packets,
                "bytes": rule.counts.bytes,
                "dropped": rule.counts.dropped,
                "packets_per_second": rates.packets,
                "bytes_per_second": rates.bytes,
                "dropped_per_second": rates.dropped,
                "latency_kind": best.map(|(kind, _)| kind.title()),
                "p50_ns": at(0.5),
                "p99_ns": at(0.99),
            })
        });

        rules.collect()
    }

    fn cpus_json(&self) -> Option<BTreeMap<u32, BTreeMap<&'static str, f64>>> {
        let names = || SUMS.into_iter().map(|(_, name)| name);
        let named = |(cpu, rates)| (cpu, names().zip(rates).collect());

        Some(self.cpu_rates()?.into_iter().map(named).collect())
    }
}

/// A list of those that were delivered and those that waited, of each of `names`, which are of a `what`.
fn latency(times: &Times, what: &str, names: &[&str]) -> Value {
    let of = |kind, name: &str| {
        let mut value = to_json(kind, times.of(kind, name)?);

        value.as_object_mut()?.insert(what.to_owned(), name.into());
        Some(value)
    };

    Kind::ALL
        .into_iter()
        .flat_map(|kind| names.iter().filter_map(move |name| of(kind, name)))
        .collect()
}
