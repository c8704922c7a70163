// SPDX-License-Identifier: GPL-2.0

//! What happened between two moments, as tables.

mod json;

use std::{
    collections::BTreeMap,
    iter, //
};

use super::sample::{
    Dropped,
    Sample, //
};
use crate::{
    counted::{
        debugfs::{
            sums,
            SUMS, //
        },
        histogram::{
            bars,
            packets,
            within,
            Buckets,
            Kind,
            Times,
            SCALE, //
        },
        RuleCount, //
    },
    output::number,
};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Rules,
    Cpus,
    Latency,
    RuleLatency,
    Drops,
}

impl View {
    pub(super) const ALL: [Self; 5] = [
        Self::Rules,
        Self::Cpus,
        Self::Latency,
        Self::RuleLatency,
        Self::Drops,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Cpus => "CPUs",
            Self::Latency => "latency",
            Self::RuleLatency => "rule latency",
            Self::Drops => "host drops",
        }
    }

    pub(super) fn next(self) -> Self {
        match self {
            Self::Rules => Self::Cpus,
            Self::Cpus => Self::Latency,
            Self::Latency => Self::RuleLatency,
            Self::RuleLatency => Self::Drops,
            Self::Drops => Self::Rules,
        }
    }

    /// Whether its lines have an order that can be chosen.
    pub(super) const fn is_sorted(self) -> bool {
        matches!(self, Self::Rules | Self::RuleLatency | Self::Drops)
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
    /// The columns that are left out where there is little room for names, first the first.
    pub(super) spare: &'static [&'static str],
    pub(super) lines: Vec<Vec<String>>,
    pub(super) hint: Option<&'static str>,
}

/// What happened between two moments.
pub(super) struct Change<'a> {
    before: &'a Sample,
    pub(super) now: &'a Sample,
    /// How long packets of each class took meanwhile.
    by_class: Times,
    /// The same of each rule.
    by_rule: Option<Times>,
}

/// What a rule met in a second.
struct Rates {
    packets: f64,
    bytes: f64,
    dropped: Option<f64>,
}

/// The classes, as they are shown.
const CLASSES: [&str; 4] = ["high", "interactive", "normal", "bulk"];

/// What a line is ordered by.
struct Keyed {
    rate: f64,
    total: u64,
    cells: Vec<String>,
}

impl<'a> Change<'a> {
    pub(super) fn new(before: &'a Sample, now: &'a Sample) -> Self {
        // What a rule had that was disabled is not known.
        let is_known = |name: &str| before.rules.get(name).is_none_or(|rule| rule.enabled);
        let nothing = Times::default();
        let of_rules_before = before.by_rule.as_ref().unwrap_or(&nothing);

        Self {
            before,
            now,
            by_class: now.by_class.since(&before.by_class, |_| true),
            by_rule: now
                .by_rule
                .as_ref()
                .map(|times| times.since(of_rules_before, is_known)),
        }
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
            View::RuleLatency => self.rule_latency(sort),
            View::Drops => self.drops(sort),
        }
    }

    fn rule_rates(&self, name: &str, rule: &RuleCount) -> Rates {
        let (before, now) = (
            self.before.rules.get(name).map(|rule| rule.counts),
            rule.counts,
        );

        Rates {
            packets: self.rate(before.map(|it| it.packets), now.packets),
            bytes: self.rate(before.map(|it| it.bytes), now.bytes),
            dropped: now
                .dropped
                .map(|dropped| self.rate(before.and_then(|it| it.dropped), dropped)),
        }
    }

    /// What tells most of how long packets of a rule took meanwhile.
    fn times_of_rule(&self, name: &str) -> Option<(Kind, &Buckets)> {
        self.by_rule.as_ref()?.best(name)
    }

    fn rules(&self, sort: Sort) -> Lines {
        let has_times = self.now.measures == Some(true) && self.by_rule.is_some();
        let times = |name: &str| {
            let Some((kind, buckets)) = self.times_of_rule(name) else {
                return ["-", "-", ""].map(str::to_owned);
            };
            let mark = if kind == Kind::Waited { "w" } else { "" };

            [within(buckets, 0.5), within(buckets, 0.99), mark.to_owned()]
        };
        let line = |(name, rule): (&String, &RuleCount)| {
            let rates = self.rule_rates(name, rule);
            let mut cells = vec![
                name.clone(),
                rule.class.clone(),
                if rule.enabled { "yes" } else { "no" }.to_owned(),
                amount(rates.packets),
                amount(rates.bytes * 8.0),
                rates.dropped.map_or_else(|| "-".to_owned(), amount),
            ];

            if has_times {
                cells.extend(times(name));
            }
            cells.extend([rule.counts.packets.to_string(), number(rule.counts.dropped)]);
            Keyed {
                rate: rates.packets,
                total: rule.counts.packets,
                cells,
            }
        };
        let mut heading = vec!["RULE", "CLASS", "ON", "PKT/S", "BIT/S", "DROP/S"];

        if has_times {
            heading.extend(["HALF", "99%", ""]);
        }
        heading.extend(["PACKETS", "DROPPED"]);
        Lines {
            heading,
            spare: &["DROPPED", "PACKETS", "BIT/S", "ON", "CLASS"],
            lines: sorted(self.now.rules.iter().map(line), sort),
            hint: self
                .now
                .rules
                .is_empty()
                .then_some("there is no rule, or only root may know"),
        }
    }

    /// What the counters of each CPU add up to in a second. `None` for who may not know.
    fn cpu_rates(&self) -> Option<BTreeMap<u32, [f64; 5]>> {
        let rates = |(cpu, counts): (&u32, &BTreeMap<String, u64>)| {
            let before = self.before.cpus.as_ref().and_then(|cpus| cpus.get(cpu));
            let (before, now) = (before.map(sums).unwrap_or_default(), sums(counts));
            let mut before = before.into_iter();

            (*cpu, now.map(|now| self.rate(before.next(), now)))
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

            iter::once(cpu.to_string()).chain(rates).collect()
        };
        let headings = SUMS.into_iter().map(|(heading, _)| heading);

        Lines {
            heading: iter::once("CPU").chain(headings).collect(),
            spare: &[],
            lines: rates.into_iter().flatten().map(line).collect(),
            hint,
        }
    }

    fn latency(&self) -> Lines {
        let of = |kind| {
            CLASSES.into_iter().filter_map(move |class| {
                Some(times_line(class, kind, self.by_class.of(kind, class)?))
            })
        };
        let lines: Vec<_> = Kind::ALL.into_iter().flat_map(of).collect();

        Lines {
            heading: times_heading("CLASS"),
            spare: &[],
            hint: self.no_times(
                lines.is_empty(),
                "no packet was delivered or waited meanwhile",
            ),
            lines,
        }
    }

    fn rule_latency(&self, sort: Sort) -> Lines {
        let line = |times: &Times, name: &str, kind| {
            let buckets = times.of(kind, name)?;
            let total = self.now.by_rule.as_ref()?.of(kind, name).map(packets);

            Some(Keyed {
                rate: packets(buckets) as f64,
                total: total.unwrap_or(0),
                cells: times_line(name, kind, buckets),
            })
        };
        let mut lines = Vec::new();

        if let Some(times) = &self.by_rule {
            for name in times.names() {
                lines.extend(
                    Kind::ALL
                        .into_iter()
                        .filter_map(|kind| line(times, name, kind)),
                );
            }
        }
        let hint = match (self.now.measures, &self.by_rule) {
            (Some(_), None) => Some("the module that is loaded does not tell times of rules"),
            _ => self.no_times(
                lines.is_empty(),
                "no packet of a rule was delivered or waited meanwhile",
            ),
        };

        Lines {
            heading: times_heading("RULE"),
            spare: &[],
            lines: sorted(lines.into_iter(), sort),
            hint,
        }
    }

    /// Why there are no times; `none` where they are measured.
    fn no_times(&self, is_empty: bool, none: &'static str) -> Option<&'static str> {
        match self.now.measures {
            None => Some("only root may know, there is no debugfs, or it is locked down"),
            Some(false) => Some("not measured: prismctl top --latency"),
            Some(true) => is_empty.then_some(none),
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
            spare: &[],
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
}

fn times_heading(whose: &'static str) -> Vec<&'static str> {
    vec![whose, "", "PACKETS", "HALF", "99%", "ALL", SCALE]
}

/// How long packets of `whose` took.
fn times_line(whose: &str, kind: Kind, buckets: &Buckets) -> Vec<String> {
    vec![
        whose.to_owned(),
        kind.title().to_owned(),
        packets(buckets).to_string(),
        within(buckets, 0.5),
        within(buckets, 0.99),
        within(buckets, 1.0),
        bars(buckets),
    ]
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

#[cfg(test)]
mod tests;
