// SPDX-License-Identifier: GPL-2.0

//! What happened between two moments, as tables.

use std::collections::BTreeMap;

use prism_config::{
    Counter,
    Group, //
};
use serde_json::{
    json,
    Value, //
};

use super::sample::{
    Buckets,
    Dropped,
    Histograms,
    Sample, //
};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Rules,
    Cpus,
    Latency,
    Drops,
}

impl View {
    pub(super) const ALL: [Self; 4] = [Self::Rules, Self::Cpus, Self::Latency, Self::Drops];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Cpus => "CPUs",
            Self::Latency => "latency",
            Self::Drops => "host drops",
        }
    }

    pub(super) fn next(self) -> Self {
        match self {
            Self::Rules => Self::Cpus,
            Self::Cpus => Self::Latency,
            Self::Latency => Self::Drops,
            Self::Drops => Self::Rules,
        }
    }
}

/// The order of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// What happens most often first.
    Rate,
    /// What has happened most often first.
    Total,
    Name,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Rate => Self::Total,
            Self::Total => Self::Name,
            Self::Name => Self::Rate,
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Rate => "by rate",
            Self::Total => "by total",
            Self::Name => "by name",
        }
    }
}

/// A table, with a line instead where there is nothing to be shown.
pub(super) struct Lines {
    pub(super) heading: Vec<&'static str>,
    pub(super) lines: Vec<Vec<String>>,
    pub(super) hint: Option<&'static str>,
}

/// What happened between two moments.
pub(super) struct Change<'a> {
    before: &'a Sample,
    pub(super) now: &'a Sample,
}

/// What a line is ordered by.
struct Keyed {
    rate: f64,
    total: u64,
    cells: Vec<String>,
}

impl<'a> Change<'a> {
    pub(super) fn new(before: &'a Sample, now: &'a Sample) -> Self {
        Self { before, now }
    }

    fn seconds(&self) -> f64 {
        let passed = self.now.at.saturating_duration_since(self.before.at);

        passed.as_secs_f64().max(1e-3)
    }

    /// In a second. What begins anew, such as with a module that was loaded again, counts from zero.
    fn rate(&self, before: Option<u64>, now: u64) -> f64 {
        let before = before.filter(|before| *before <= now).unwrap_or(0);

        (now - before) as f64 / self.seconds()
    }

    pub(super) fn lines(&self, view: View, sort: Sort) -> Lines {
        match view {
            View::Rules => self.rules(sort),
            View::Cpus => self.cpus(),
            View::Latency => self.latency(),
            View::Drops => self.drops(sort),
        }
    }

    fn rules(&self, sort: Sort) -> Lines {
        let lines = self.now.rules.iter().map(|(name, rule)| {
            let before = self.before.rules.get(name);
            let packets = self.rate(before.map(|rule| rule.packets), rule.packets);
            let bytes = self.rate(before.map(|rule| rule.bytes), rule.bytes);

            Keyed {
                rate: packets,
                total: rule.packets,
                cells: vec![
                    name.clone(),
                    rule.class.clone(),
                    if rule.enabled { "yes" } else { "no" }.to_owned(),
                    amount(packets),
                    amount(bytes * 8.0),
                    rule.packets.to_string(),
                ],
            }
        });

        Lines {
            heading: vec!["RULE", "CLASS", "ON", "PKT/S", "BIT/S", "PACKETS"],
            lines: sorted(lines, sort),
            hint: self
                .now
                .rules
                .is_empty()
                .then_some("there is no rule, or only root may know"),
        }
    }

    /// For each CPU how many packets a second were looked up, went at once, waited, were dropped, and were
    /// left to the kernel. `None` for who may not know.
    fn cpu_rates(&self) -> Option<BTreeMap<u32, [f64; 5]>> {
        let rates = |(cpu, counts): (&u32, &BTreeMap<String, u64>)| {
            let before = self.before.cpus.as_ref().and_then(|cpus| cpus.get(cpu));
            let sum = |is_in: &dyn Fn(&str) -> bool| {
                let rates = counts
                    .iter()
                    .filter(|(name, _)| is_in(name))
                    .map(|(name, now)| {
                        self.rate(before.and_then(|counts| counts.get(name)).copied(), *now)
                    });

                rates.fold(0.0, |sum, rate| sum + rate)
            };
            let sums = [
                sum(&|name| matches!(name, "classified" | "unmatched")),
                sum(&|name| name == "completed"),
                sum(&|name| name.starts_with("deferred_")),
                sum(&|name| name.starts_with("dropped") || name == "purged"),
                sum(&is_left),
            ];

            (*cpu, sums)
        };

        Some(self.now.cpus.as_ref()?.iter().map(rates).collect())
    }

    fn cpus(&self) -> Lines {
        let rates = self.cpu_rates();
        let hint = rates
            .is_none()
            .then_some("only root may know, or there is no debugfs");
        let line = |(cpu, rates): (u32, [f64; 5])| {
            let rates = rates.into_iter().map(amount);

            std::iter::once(cpu.to_string()).chain(rates).collect()
        };

        Lines {
            heading: vec![
                "CPU",
                "LOOKED UP",
                "AT ONCE",
                "WAITED",
                "DROPPED",
                "KERNEL'S",
            ],
            lines: rates.into_iter().flatten().map(line).collect(),
            hint,
        }
    }

    /// The packets of a class that took each time meanwhile.
    fn meanwhile(before: &Histograms, now: &Histograms, class: &str) -> Buckets {
        let buckets = now.get(class).into_iter().flatten();

        buckets
            .map(|(at, packets)| {
                let before = before.get(class).and_then(|buckets| buckets.get(at));

                (*at, packets.saturating_sub(before.copied().unwrap_or(0)))
            })
            .filter(|(_, packets)| *packets != 0)
            .collect()
    }

    /// Of each class, those that were delivered and those that waited.
    fn histograms(&self) -> Vec<(&'static str, String, Buckets)> {
        let kinds = [
            ("delivered", &self.before.delivered, &self.now.delivered),
            ("waited", &self.before.waited, &self.now.waited),
        ];
        let mut all = Vec::new();

        for (kind, before, now) in kinds {
            for class in ["high", "interactive", "normal", "bulk"] {
                let buckets = Self::meanwhile(before, now, class);

                if !buckets.is_empty() {
                    all.push((kind, class.to_owned(), buckets));
                }
            }
        }
        all
    }

    fn latency(&self) -> Lines {
        let mut lines = Vec::new();

        for (kind, class, buckets) in self.histograms() {
            let packets: u64 = buckets.values().sum();
            let at = |part| quantile(&buckets, part).map_or_else(String::new, duration);

            lines.push(vec![
                class,
                kind.to_owned(),
                packets.to_string(),
                at(0.5),
                at(0.99),
                at(1.0),
                bars(&buckets),
            ]);
        }
        let hint = match self.now.measures {
            None => Some("only root may know, there is no debugfs, or it is locked down"),
            Some(false) => Some("not measured: prismctl top --latency"),
            Some(true) if lines.is_empty() => Some("no packet was delivered or waited meanwhile"),
            Some(true) => None,
        };

        Lines {
            heading: vec!["CLASS", "", "PACKETS", "HALF", "99%", "ALL", SCALE],
            lines,
            hint,
        }
    }

    /// What was dropped at each place, with how much of it a second.
    fn dropped(&self) -> impl Iterator<Item = (&Dropped, f64)> {
        self.now.drops.iter().map(|(id, now)| {
            // What is new, such as a CPU that comes online, has its past.
            let before = self.before.drops.get(id).unwrap_or(now);

            (now, self.rate(Some(before.packets), now.packets))
        })
    }

    fn drops(&self, sort: Sort) -> Lines {
        let lines = self.dropped().filter(|(dropped, _)| dropped.packets != 0);
        let mut lines: Vec<Keyed> = lines
            .map(|(dropped, rate)| Keyed {
                rate,
                total: dropped.packets,
                cells: vec![
                    dropped.place.clone(),
                    amount(rate),
                    dropped.packets.to_string(),
                ],
            })
            .collect();

        lines.sort_by(|a, b| a.cells.cmp(&b.cells));
        Lines {
            heading: vec!["WHERE", "PKT/S", "PACKETS"],
            hint: lines.is_empty().then_some("nothing was dropped"),
            lines: sorted(lines.into_iter(), sort),
        }
    }

    /// A line about all of it.
    pub(super) fn summary(&self) -> String {
        let rate = |name: &str| {
            let now = self.now.counters.get(name).copied().unwrap_or(0);

            amount(self.rate(self.before.counters.get(name).copied(), now))
        };

        format!(
            "prism  mode {}  isolate {}  {} rules  classified {}/s  at once {}/s",
            self.now.mode,
            if self.now.isolates { "on" } else { "off" },
            self.now.rules.len(),
            rate("classified"),
            rate("completed"),
        )
    }

    /// All that is known, in numbers.
    pub(super) fn to_json(&self) -> Value {
        let rules: Value = self
            .now
            .rules
            .iter()
            .map(|(name, rule)| {
                let before = self.before.rules.get(name);

                json!({
                    "name": name,
                    "class": rule.class,
                    "enabled": rule.enabled,
                    "packets": rule.packets,
                    "bytes": rule.bytes,
                    "packets_per_second": self.rate(before.map(|it| it.packets), rule.packets),
                    "bytes_per_second": self.rate(before.map(|it| it.bytes), rule.bytes),
                })
            })
            .collect();
        let latency: Value = self
            .histograms()
            .into_iter()
            .map(|(kind, class, buckets)| {
                let list: Value = buckets
                    .iter()
                    .map(|((from, to), packets)| json!([from, to, packets]))
                    .collect();

                json!({
                    "class": class,
                    "kind": kind,
                    "packets": buckets.values().sum::<u64>(),
                    "p50_ns": quantile(&buckets, 0.5),
                    "p99_ns": quantile(&buckets, 0.99),
                    "buckets": list,
                })
            })
            .collect();

        let drops: BTreeMap<&str, u64> = self
            .dropped()
            .map(|(dropped, _)| (dropped.place.as_str(), dropped.packets))
            .collect();
        let drop_rates: BTreeMap<&str, f64> = self
            .dropped()
            .map(|(dropped, rate)| (dropped.place.as_str(), rate))
            .collect();
        let cpu_rates = self.cpu_rates().map(|rates| {
            let names = ["looked_up", "at_once", "waited", "dropped", "kernel"];
            let named = |(cpu, rates)| (cpu, names.into_iter().zip(rates).collect());

            rates
                .into_iter()
                .map(named)
                .collect::<BTreeMap<u32, BTreeMap<&str, f64>>>()
        });

        json!({
            "seconds": self.seconds(),
            "mode": self.now.mode,
            "isolate": self.now.isolates,
            "rules": rules,
            "counters": self.now.counters,
            "cpus": self.now.cpus,
            "cpus_per_second": cpu_rates,
            "latency_is_measured": self.now.measures,
            "latency": latency,
            "drops": drops,
            "drops_per_second": drop_rates,
        })
    }
}

/// Whether a counter is of what was left to the kernel though it need not have been.
fn is_left(name: &str) -> bool {
    Counter::named(name)
        .is_some_and(|counter| counter.group == Group::LeftToKernel && !counter.is_normal)
}

fn sorted(lines: impl Iterator<Item = Keyed>, sort: Sort) -> Vec<Vec<String>> {
    // They come by name.
    let mut lines: Vec<Keyed> = lines.collect();

    match sort {
        Sort::Rate => lines.sort_by(|a, b| b.rate.total_cmp(&a.rate)),
        Sort::Total => lines.sort_by(|a, b| b.total.cmp(&a.total)),
        Sort::Name => (),
    }
    lines.into_iter().map(|line| line.cells).collect()
}

/// A number in at most six characters.
fn amount(number: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e4, "k")];

    for (from, unit) in UNITS {
        if number >= from {
            let least = if unit == "k" { 1e3 } else { from };
            return format!("{:.1}{unit}", number / least);
        }
    }
    format!("{number:.0}")
}

/// Nanoseconds for people.
fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{:.1}us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}ms", ns as f64 / 1e6),
        _ => format!("{:.1}s", ns as f64 / 1e9),
    }
}

/// What so large a part of packets took at most, in ns.
fn quantile(buckets: &Buckets, part: f64) -> Option<u64> {
    let wanted = (buckets.values().sum::<u64>() as f64 * part).ceil() as u64;
    let mut packets = 0;

    buckets.iter().find_map(|((_, to), count)| {
        packets += count;
        (packets >= wanted.max(1)).then_some(*to)
    })
}

/// What stands above bars: each time begins where its own is.
const SCALE: &str = "1us   100us 10ms";

/// How high the packets of each time stand: three columns for each power of ten from a microsecond on.
fn bars(buckets: &Buckets) -> String {
    const COLUMNS: usize = 18;
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut columns = [0u64; COLUMNS];

    for ((from, _), packets) in buckets {
        let at = ((*from as f64 / 1e3).max(1.0).log10() * 3.0) as usize;

        columns[at.min(COLUMNS - 1)] += packets;
    }
    let most = columns.iter().copied().max().unwrap_or(0).max(1) as f64;
    let bar = |packets: u64| match packets {
        0 => ' ',
        // Few are seen beside many.
        packets => LEVELS[((packets as f64).ln_1p() / most.ln_1p() * 7.0) as usize % 8],
    };

    columns.into_iter().map(bar).collect()
}

#[cfg(test)]
mod tests;
