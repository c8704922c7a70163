// SPDX-License-Identifier: GPL-2.0

//! Cells: what was measured at one load with one peer.

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

/// A cell.
#[derive(Debug, Default)]
pub struct Cell {
    pub scenario: String,
    /// Per cent of what the plain kernel takes; 0 is idle.
    pub load: u32,
    pub peer: String,
    pub flows: Vec<Flow>,
    /// Where the kernel dropped packets, and how many.
    pub drops: Vec<(String, u64)>,
}

/// What became of a flow.
#[derive(Debug, Default)]
pub struct Flow {
    pub name: String,
    pub sent: u64,
    pub received: u64,
    /// For which the ring had no room.
    pub ring: u64,
    total_ns: u64,
    longest_ns: u64,
    /// The lowest time of each bucket in ns, and how many packets took that.
    pub times: Vec<(u64, u64)>,
}

/// A flow of a cell, as it is in results.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub scenario: String,
    pub load_percent: u32,
    pub peer: String,
    pub flow: String,
    pub class: String,
    pub sent: u64,
    pub received: u64,
    pub lost: u64,
    pub lost_ring: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
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

        match words.as_slice() {
            ["flow", name, "sent", sent, "received", received, "ring", ring, "total", total, "longest", longest] =>
            {
                self.flows.push(Flow {
                    name: (*name).to_owned(),
                    sent: sent.parse()?,
                    received: received.parse()?,
                    ring: ring.parse()?,
                    total_ns: total.parse()?,
                    longest_ns: longest.parse()?,
                    times: Vec::new(),
                });
            }
            ["drop", place, count] => self.drops.push(((*place).to_owned(), count.parse()?)),
            [time, count] => {
                let flow = self.flows.last_mut().context("times of no flow")?;
                flow.times.push((time.parse()?, count.parse()?));
            }
            _ => bail!("unexpected: {line}"),
        }
        Ok(())
    }

    /// Whether each packet is accounted for: received, or dropped where something counts that.
    pub fn check(&self) -> Result<()> {
        let missing: u64 = self
            .flows
            .iter()
            .map(|flow| flow.sent.saturating_sub(flow.received + flow.ring))
            .sum();
        let dropped: u64 = self.drops.iter().map(|(_, count)| count).sum();

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

    /// A row for each flow, the class of which `class` knows.
    pub fn rows<'a>(&'a self, class: impl Fn(&str) -> &'a str) -> Vec<Row> {
        self.flows
            .iter()
            .map(|flow| Row {
                scenario: self.scenario.clone(),
                load_percent: self.load,
                peer: self.peer.clone(),
                flow: flow.name.clone(),
                class: class(&flow.name).to_owned(),
                sent: flow.sent,
                received: flow.received,
                lost: flow.sent - flow.received.min(flow.sent),
                lost_ring: flow.ring,
                p50_ns: flow.percentile(500),
                p90_ns: flow.percentile(900),
                p99_ns: flow.percentile(990),
                p999_ns: flow.percentile(999),
                max_ns: flow.longest_ns,
                mean_ns: flow.total_ns.checked_div(flow.counted()).unwrap_or(0),
            })
            .collect()
    }
}

impl Flow {
    /// How many packets count.
    pub fn counted(&self) -> u64 {
        self.times.iter().map(|(_, count)| count).sum()
    }

    /// The time within which so many per mille of the packets got through: the lowest of its bucket,
    /// which is less than 1 % too low.
    pub fn percentile(&self, per_mille: u64) -> u64 {
        let wanted = (self.counted() * per_mille).div_ceil(1000);
        let mut seen = 0;

        for (time, count) in &self.times {
            seen += count;
            if seen >= wanted.max(1) {
                return *time;
            }
        }
        0
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

    const GOOD: &str =
        "flow high sent 10 received 8 ring 1 total 800 longest 200\n50 4\n100 3\n200 1\n\
        drop gro_cells 1\ndrop backlog 0";

    #[test]
    fn percentiles_and_mean() {
        let cell = cell(GOOD);
        let row = &cell.rows(|_| "high")[0];

        assert_eq!((row.p50_ns, row.p90_ns, row.p99_ns), (50, 200, 200));
        assert_eq!((row.mean_ns, row.max_ns), (100, 200));
        assert_eq!((row.lost, row.lost_ring), (2, 1));
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
    fn nonsense_is_refused() {
        let mut cell = Cell::default();

        cell.add("1 2").unwrap_err();
        cell.add("flow x").unwrap_err();
        cell.add("drop ring many").unwrap_err();
    }
}
