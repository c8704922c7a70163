// SPDX-License-Identifier: GPL-2.0

//! `stats --rules`: what each rule has met, and how long its packets took.

use std::{
    collections::BTreeMap,
    io::{
        self,
        Write, //
    },
};

use prism_config::Counts;
use serde::Serialize;
use serde_json::Value;

use crate::{
    counted::{
        debugfs::{
            Debugfs,
            Unseen, //
        },
        histogram::{
            chart,
            packets,
            to_json,
            within,
            Kind,
            Times, //
        },
        RuleCount, //
    },
    output::{
        number,
        styled,
        Table,
        BOLD, //
    },
};

/// All rules.
#[derive(Serialize)]
pub(super) struct ByRule {
    rules: Vec<OfRule>,
    /// `None` for who may not know.
    latency_is_measured: Option<bool>,
    /// Why there are no times.
    latency_unknown: Option<String>,
    #[serde(skip)]
    times: Times,
}

/// One of them.
#[derive(Serialize)]
struct OfRule {
    name: String,
    class: String,
    enabled: bool,
    #[serde(flatten)]
    counts: Counts,
    latency: Vec<Value>,
}

impl ByRule {
    /// With times as far as they can be read; with those that have to be, it fails.
    pub(super) fn new(
        rules: BTreeMap<String, RuleCount>,
        debug: &Debugfs,
        needs_times: bool,
    ) -> Result<Self, Unseen> {
        let read = || Ok((debug.is_measured()?, debug.by_rule()?));
        let (is_measured, times, why) = match read() {
            Ok((is_measured, times)) => (Some(is_measured), times, None),
            Err(why) if needs_times => return Err(why),
            Err(why) => (
                debug.is_measured().ok(),
                Times::default(),
                Some(why.to_string()),
            ),
        };
        let rules = rules.into_iter().map(|(name, rule)| OfRule {
            class: rule.class,
            enabled: rule.enabled,
            counts: rule.counts,
            latency: Kind::ALL
                .into_iter()
                .filter_map(|kind| Some(to_json(kind, times.of(kind, &name)?)))
                .collect(),
            name,
        });

        Ok(Self {
            rules: rules.collect(),
            latency_is_measured: is_measured,
            latency_unknown: why,
            times,
        })
    }

    /// Those that have met something; the others, too, where `is_all`.
    pub(super) fn print(&self, out: &mut dyn Write, is_all: bool) -> io::Result<()> {
        let mut table = Table::new(&[
            "RULE", "CLASS", "PACKETS", "BYTES", "DROPPED", "HALF", "99%", "",
        ]);
        let shown: Vec<&OfRule> = self
            .rules
            .iter()
            .filter(|rule| is_all || rule.has_met())
            .collect();

        if shown.is_empty() {
            writeln!(out, "no rule has met a packet")?;
        } else {
            shown.iter().for_each(|rule| table.line(self.cells(rule)));
            table.print(out)?;
        }
        self.notes()
            .into_iter()
            .try_for_each(|note| writeln!(out, "{note}"))
    }

    fn cells(&self, rule: &OfRule) -> Vec<String> {
        let times = match self.times.best(&rule.name) {
            Some((kind, buckets)) => [
                within(buckets, 0.5),
                within(buckets, 0.99),
                if kind == Kind::Waited { "w" } else { "" }.to_owned(),
            ],
            None => ["-", "-", ""].map(str::to_owned),
        };
        let counts = [
            rule.name.clone(),
            rule.class.clone(),
            rule.counts.packets.to_string(),
            rule.counts.bytes.to_string(),
            number(rule.counts.dropped),
        ];

        counts.into_iter().chain(times).collect()
    }

    /// What is to be known of the times.
    fn notes(&self) -> Vec<String> {
        let names = self.times.names();
        let mut notes = Vec::new();

        if let Some(why) = &self.latency_unknown {
            notes.push(format!("there are no times: {why}"));
        } else if self.latency_is_measured == Some(false) {
            notes.push(match names.is_empty() {
                true => "times are not measured: prismctl top --latency".to_owned(),
                false => "times are those of when they were measured; now they are not".to_owned(),
            });
        }
        let is_waiting = |name: &&str| {
            self.times
                .best(name)
                .is_some_and(|(kind, _)| kind == Kind::Waited)
        };
        if names.iter().any(is_waiting) {
            notes.push("w: none was delivered, and this is how long packets waited".to_owned());
        }
        notes
    }

    /// How many packets of each rule took how long, as bars.
    pub(super) fn print_histograms(&self, out: &mut dyn Write) -> io::Result<()> {
        for rule in &self.rules {
            for kind in Kind::ALL {
                let Some(buckets) = self.times.of(kind, &rule.name) else {
                    continue;
                };

                writeln!(
                    out,
                    "\n{}\n  {} packets, half of them within {}, 99% within {}, all within {}",
                    styled(BOLD, format!("{}: {}", rule.name, kind.title())),
                    packets(buckets),
                    within(buckets, 0.5),
                    within(buckets, 0.99),
                    within(buckets, 1.0),
                )?;
                chart(buckets)
                    .iter()
                    .try_for_each(|line| writeln!(out, "{line}"))?;
            }
        }
        Ok(())
    }
}

impl OfRule {
    fn has_met(&self) -> bool {
        self.counts.packets != 0 || self.counts.dropped.unwrap_or(0) != 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::counted::debugfs::tests::files;

    /// Rules with packets and drops.
    fn rules(all: &[(&str, u64, Option<u64>)]) -> BTreeMap<String, RuleCount> {
        let rule = |&(name, packets, dropped): &(&str, u64, Option<u64>)| {
            let counts = Counts {
                packets,
                bytes: packets * 100,
                dropped,
            };
            let rule = RuleCount {
                class: "interactive".to_owned(),
                enabled: true,
                counts,
            };

            (name.to_owned(), rule)
        };

        all.iter().map(rule).collect()
    }

    fn text(f: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();

        f(&mut out).unwrap();
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap()
    }

    const SOME: [(&str, u64, Option<u64>); 3] = [
        ("backup", 123_456_789_012, Some(7)),
        ("cache", 100, Some(0)),
        ("idle", 0, Some(0)),
    ];

    const TIMES: [(&str, &str); 3] = [
        ("latency/enable", "1\n"),
        (
            "latency/delivered_by_rule",
            "cache 2048 2560 90\ncache 4096 5120 10\n",
        ),
        ("latency/waited_by_rule", "backup 16384 20480 50\n"),
    ];

    #[test]
    fn rules_have_counts_and_times() {
        let (_dir, debug) = files(&TIMES);
        let stats = ByRule::new(rules(&SOME), &debug, true).unwrap();
        let shown = text(|out| stats.print(out, false));

        assert_eq!(
            shown,
            "RULE    CLASS        PACKETS       BYTES           DROPPED  HALF    99%\n\
             backup  interactive  123456789012  12345678901200  7        20.5us  20.5us  w\n\
             cache   interactive  100           10000           0        2.6us   5.1us\n\
             w: none was delivered, and this is how long packets waited\n"
        );
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
        assert!(text(|out| stats.print(out, true)).contains("\nidle "));
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["latency_is_measured"], true);
        assert_eq!(json["latency_unknown"], json!(null));
        assert_eq!(json["rules"][0]["dropped"], 7);
        assert_eq!(json["rules"][0]["latency"][0]["kind"], "waited");
        assert_eq!(json["rules"][1]["latency"][0]["p99_ns"], 5120);
        assert_eq!(json["rules"][2]["latency"], json!([]));
    }

    #[test]
    fn histograms_are_bars() {
        let (_dir, debug) = files(&TIMES);
        let stats = ByRule::new(rules(&SOME), &debug, true).unwrap();

        assert_eq!(
            text(|out| stats.print_histograms(out)),
            format!(
                "\nbackup: waited\n  \
                 50 packets, half of them within 20.5us, 99% within 20.5us, all within 20.5us\n\
                 \x20  16.4us to  32.8us           50  {bar}\n\
                 \ncache: delivered\n  \
                 100 packets, half of them within 2.6us, 99% within 5.1us, all within 5.1us\n\
                 \x20   2.0us to   4.1us           90  {bar}\n\
                 \x20   4.1us to   8.2us           10  ████▍\n",
                bar = "█".repeat(40)
            )
        );
    }

    #[test]
    fn an_older_module_tells_less() {
        let (_dir, debug) = files(&[("latency/enable", "0\n")]);
        let rules = || rules(&[("cache", 100, None)]);
        let stats = ByRule::new(rules(), &debug, false).unwrap();
        let shown = text(|out| stats.print(out, false));

        assert!(
            shown.contains("\ncache  interactive  100      10000  -        -     -\n"),
            "{shown}"
        );
        assert!(
            shown.contains("\nthere are no times: the module that is loaded has no /"),
            "{shown}"
        );
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["rules"][0]["dropped"], json!(null));
        assert_eq!(json["latency_is_measured"], false);
        assert!(json["latency_unknown"].is_string());
        assert!(matches!(
            ByRule::new(rules(), &debug, true),
            Err(Unseen::Older(_))
        ));
    }

    #[test]
    fn what_is_not_measured_is_said() {
        let (_dir, debug) = files(&[
            ("latency/enable", "0\n"),
            ("latency/delivered_by_rule", ""),
            ("latency/waited_by_rule", ""),
        ]);
        let stats = ByRule::new(rules(&[("idle", 0, Some(0))]), &debug, true).unwrap();

        assert_eq!(
            text(|out| stats.print(out, false)),
            "no rule has met a packet\ntimes are not measured: prismctl top --latency\n"
        );
        assert_eq!(text(|out| stats.print_histograms(out)), "");
    }
}
