// SPDX-License-Identifier: GPL-2.0

//! Cells: what was measured at one load with one peer.

use std::collections::BTreeMap;

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use serde::{
    Deserialize,
    Serialize, //
};

use crate::scenario::Scenario;

/// A cell.
#[derive(Debug, Default)]
pub struct Cell {
    pub scenario: String,
    /// Per cent of `saturation`; 0 is idle.
    pub load: u32,
    /// In packets per second.
    pub saturation: u32,
    pub peer: String,
    pub flows: Vec<Flow>,
    /// Where the kernel dropped packets, and how many.
    pub drops: BTreeMap<String, u64>,
}

/// What became of a flow.
#[derive(Debug, Default)]
pub struct Flow {
    pub name: String,
    pub sent: u64,
    pub received: u64,
    /// For which the ring had no room.
    pub ring: u64,
    pub times: Times,
    /// What else was noted: gap, jitter, age, group.
    notes: Vec<(String, Times)>,
}

impl Flow {
    /// How many packets were neither received nor lost in the ring.
    fn missing(&self) -> u64 {
        self.sent.saturating_sub(self.received + self.ring)
    }
}

/// Times that were measured.
#[derive(Debug, Default)]
pub struct Times {
    total_ns: u64,
    longest_ns: u64,
    /// The lowest time of each bucket in ns, and how often it was that.
    pub buckets: Vec<(u64, u64)>,
}

/// A flow of a cell, as it is in results.json.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub scenario: String,
    pub load_percent: u32,
    pub saturation_pps: u32,
    pub peer: String,
    pub flow: String,
    pub class: String,
    pub sent: u64,
    pub received: u64,
    pub lost: u64,
    /// Of the lost ones, those for which the NIC's ring had no room.
    pub lost_ring: u64,
    /// Where the packets of the cell were dropped that the ring had room for.
    pub cell_drops: BTreeMap<String, u64>,
    /// How long it was sent.
    pub duration_ms: u32,
    /// Of content.
    pub received_bytes: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
    pub mean_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// What applications look at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, Note>,
    /// Why the peer cannot run this scenario, in place of all figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cannot: Option<String>,
}

/// How many packets came too late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deadline {
    pub ns: u64,
    /// In per cent of all, with those that were lost.
    pub missed_percent: f64,
}

/// A figure other than the time of a packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub count: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
    pub mean_ns: u64,
}

impl Row {
    /// Where it was measured.
    pub fn place(&self) -> String {
        format!(
            "{} at {} %, {}, flow {}",
            self.scenario, self.load_percent, self.peer, self.flow
        )
    }

    /// Received packets per second.
    pub fn rate(&self) -> f64 {
        self.received as f64 * 1000.0 / f64::from(self.duration_ms.max(1))
    }

    /// Received content, in bits per second.
    pub fn bit_rate(&self) -> f64 {
        self.received_bytes as f64 * 8000.0 / f64::from(self.duration_ms.max(1))
    }
}

/// The row of the same scenario and flow as `like`, for this peer and load.
pub fn find<'a>(rows: &'a [Row], like: &Row, peer: &str, load: u32) -> Option<&'a Row> {
    rows.iter().find(|row| {
        (&*row.scenario, &*row.flow, &*row.peer, row.load_percent)
            == (&*like.scenario, &*like.flow, peer, load)
    })
}

impl Cell {
    /// Adds a line of the guest's.
    pub fn add(&mut self, line: &str) -> Result<()> {
        let words: Vec<_> = line.split_whitespace().collect();
        let times = |total: &str, longest: &str| -> Result<Times> {
            Ok(Times {
                total_ns: total.parse()?,
                longest_ns: longest.parse()?,
                buckets: Vec::new(),
            })
        };

        match words.as_slice() {
            ["flow", name, "sent", sent, "received", received, "ring", ring, "total", total, "longest", longest] =>
            {
                self.flows.push(Flow {
                    name: (*name).to_owned(),
                    sent: sent.parse()?,
                    received: received.parse()?,
                    ring: ring.parse()?,
                    times: times(total, longest)?,
                    notes: Vec::new(),
                });
            }
            ["note", name, "total", total, "longest", longest] => {
                let flow = self.flows.last_mut().context("a note of no flow")?;
                flow.notes
                    .push(((*name).to_owned(), times(total, longest)?));
            }
            ["drop", place, count] => {
                self.drops.insert((*place).to_owned(), count.parse()?);
            }
            [time, count] => {
                let flow = self.flows.last_mut().context("times of no flow")?;
                let times = match flow.notes.last_mut() {
                    Some((_, times)) => times,
                    None => &mut flow.times,
                };
                times.buckets.push((time.parse()?, count.parse()?));
            }
            _ => bail!("unexpected: {line}"),
        }
        Ok(())
    }

    /// Attributes what is missing of a connection of which something was dropped behind the ring. Nobody
    /// sends that again, so what comes behind the hole waits in the socket for ever.
    pub fn find_holes(&mut self, scenario: &Scenario) {
        let dropped: u64 = self.drops.values().sum();
        let is_connection = |flow: &&Flow| {
            scenario
                .flow(&flow.name)
                .is_some_and(|it| it.is_connection())
        };
        let missing: u64 = self
            .flows
            .iter()
            .filter(is_connection)
            .map(Flow::missing)
            .sum();

        if dropped > 0 && missing > dropped {
            self.drops
                .insert("behind_hole".to_owned(), missing - dropped);
        }
    }

    /// Whether each packet is accounted for: received, or dropped where something counts that.
    pub fn check(&self) -> Result<()> {
        let missing: u64 = self.flows.iter().map(Flow::missing).sum();
        let dropped: u64 = self.drops.values().sum();

        for flow in &self.flows {
            ensure!(flow.sent > 0, "flow {} sent nothing", flow.name);
            ensure!(
                flow.received + flow.ring <= flow.sent,
                "flow {}: more was received and lost than sent",
                flow.name
            );
        }
        ensure!(
            missing == dropped,
            "{missing} packets are missing behind the ring, and {dropped} were counted as dropped"
        );
        Ok(())
    }

    /// A row for each flow of `scenario`.
    pub fn rows(&self, scenario: &Scenario) -> Vec<Row> {
        self.flows
            .iter()
            .filter_map(|flow| {
                let described = scenario.flow(&flow.name)?;
                let lost = flow.sent.saturating_sub(flow.received);

                Some(Row {
                    scenario: self.scenario.clone(),
                    load_percent: self.load,
                    saturation_pps: self.saturation,
                    peer: self.peer.clone(),
                    flow: flow.name.clone(),
                    class: described.class.clone(),
                    sent: flow.sent,
                    received: flow.received,
                    lost,
                    lost_ring: flow.ring,
                    cell_drops: self.drops.clone(),
                    duration_ms: scenario.duration_ms,
                    received_bytes: flow.received * u64::from(described.size),
                    p50_ns: flow.times.percentile(500),
                    p90_ns: flow.times.percentile(900),
                    p99_ns: flow.times.percentile(990),
                    p999_ns: flow.times.percentile(999),
                    max_ns: flow.times.longest_ns,
                    mean_ns: flow.times.mean(),
                    deadline: described.deadline_ns.map(|ns| Deadline {
                        ns,
                        missed_percent: flow.times.missed(ns, lost),
                    }),
                    notes: flow
                        .notes
                        .iter()
                        .map(|(name, times)| (name.clone(), times.note()))
                        .collect(),
                    cannot: None,
                })
            })
            .collect()
    }
}

impl Times {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The time within which so many per mille of them are: the lowest of its bucket, which is less than
    /// 1 % too low.
    pub fn percentile(&self, per_mille: u64) -> u64 {
        let wanted = (self.count() * per_mille).div_ceil(1000);
        let mut seen = 0;

        for (time, count) in &self.buckets {
            seen += count;
            if seen >= wanted.max(1) {
                return *time;
            }
        }
        0
    }

    fn mean(&self) -> u64 {
        self.total_ns.checked_div(self.count()).unwrap_or(0)
    }

    /// How many per cent, with so many `lost` ones, took longer than `ns`.
    fn missed(&self, ns: u64, lost: u64) -> f64 {
        let late: u64 = self
            .buckets
            .iter()
            .filter(|(time, _)| *time > ns)
            .map(|(_, count)| count)
            .sum();

        (late + lost) as f64 * 100.0 / (self.count() + lost).max(1) as f64
    }

    fn note(&self) -> Note {
        Note {
            count: self.count(),
            p50_ns: self.percentile(500),
            p99_ns: self.percentile(990),
            max_ns: self.longest_ns,
            mean_ns: self.mean(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(lines: &str) -> Cell {
        let mut cell = Cell::default();

        for line in lines.lines() {
            cell.add(line).unwrap();
        }
        cell
    }

    fn rows(cell: &Cell) -> Vec<Row> {
        let text = "peers sync\nloads 80\nduration_ms 2\n\
            flow high class=high rate=9 to=c1 size=100 deadline_us=1 note=gap\n";

        cell.rows(&Scenario::parse("it", text).unwrap())
    }

    const GOOD: &str =
        "flow high sent 10 received 8 ring 1 total 800 longest 200\n50 4\n100 3\n200 1\n\
        drop gro_cells 1\ndrop backlog 0";

    #[test]
    fn percentiles_and_mean() {
        let row = &rows(&cell(GOOD))[0];

        assert_eq!((row.p50_ns, row.p90_ns, row.p99_ns), (50, 200, 200));
        assert_eq!((row.mean_ns, row.max_ns), (100, 200));
        assert_eq!((row.lost, row.lost_ring), (2, 1));
        assert_eq!(row.cell_drops["gro_cells"], 1);
        assert_eq!(row.class, "high");
        assert_eq!((row.rate(), row.bit_rate()), (4000.0, 3_200_000.0));
    }

    #[test]
    fn what_applications_look_at() {
        let lines = "flow high sent 10 received 8 ring 2 total 8 longest 2000\n500 7\n2000 1\n\
            note gap total 60 longest 30\n10 3\n30 1";
        let row = &rows(&cell(lines))[0];
        let deadline = row.deadline.as_ref().unwrap();

        assert_eq!((deadline.ns, deadline.missed_percent), (1000, 30.0));
        assert_eq!(
            row.notes["gap"],
            Note {
                count: 4,
                p50_ns: 10,
                p99_ns: 30,
                max_ns: 30,
                mean_ns: 15
            }
        );
    }

    #[test]
    fn packets_that_nobody_counts_are_an_error() {
        cell(GOOD).check().unwrap();
        let more = cell(&format!("{GOOD}\ndrop backlog 1"))
            .check()
            .unwrap_err();
        assert!(more.to_string().contains("1 packets are missing"));
        cell("flow x sent 0 received 0 ring 0 total 0 longest 0")
            .check()
            .unwrap_err();
        cell("flow x sent 1 received 2 ring 0 total 0 longest 0")
            .check()
            .unwrap_err();
    }

    #[test]
    fn what_is_behind_a_hole_of_a_connection() {
        let scenario = |protocol: &str| {
            let text =
                format!("peers sync\nloads 80\nduration_ms 2\nflow high rate=9 to=c1{protocol}\n");
            Scenario::parse("it", &text).unwrap()
        };
        let after = |lines: &str, protocol| {
            let mut cell = cell(lines);
            cell.find_holes(&scenario(protocol));
            (cell.check().is_ok(), cell.drops.get("behind_hole").copied())
        };
        let holed = GOOD.replace("received 8", "received 5");

        assert_eq!(after(&holed, " protocol=tcp"), (true, Some(3)));
        assert_eq!(after(&holed, ""), (false, None));
        assert_eq!(after(GOOD, " protocol=tcp"), (true, None));
        // Nothing was dropped, so there is no hole.
        let whole = holed.replace("gro_cells 1", "gro_cells 0");
        assert_eq!(after(&whole, " protocol=tcp"), (false, None));
    }

    #[test]
    fn nonsense_is_refused() {
        let mut cell = Cell::default();

        cell.add("1 2").unwrap_err();
        cell.add("note gap total 1 longest 1").unwrap_err();
        cell.add("flow x").unwrap_err();
        cell.add("drop ring many").unwrap_err();
    }
}
