// SPDX-License-Identifier: GPL-2.0

//! Scenarios: files of lines, of which each starts with a word.
//!
//! ```text
//! peers NAME...
//! loads idle|PERCENT...              of the rate that the plain kernel takes at most
//! saturation PACKETS_PER_SECOND      instead of that rate, which is found otherwise
//! duration_ms N
//! warmup_ms N                        of these, what does not count (0)
//! rules N                            that name other flows (0)
//! flow NAME rate=N|load to=c1|c2 [class=CLASS] [KEY=VALUE...]
//! ```
//!
//! A rate of `load` is what the other flows leave of the load. The other keys are those of simnic's
//! flows that do not say where from or to. Comments start with `#`.

use std::{
    fs,
    path::Path, //
};

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};

/// The peers that there are.
pub const PEERS: &[&str] = &[
    "vanilla",
    "threaded",
    "ebpf-peer",
    "ebpf-nic",
    "sync",
    "host",
];

const CLASSES: &[&str] = &["high", "interactive", "normal", "bulk"];
const CONTAINERS: &[&str] = &["c1", "c2"];
const FLOW_KEYS: &[&str] = &[
    "burst",
    "arrivals",
    "seed",
    "size",
    "source_port",
    "ports",
    "from_ms",
    "to_ms",
];

/// A scenario.
pub struct Scenario {
    pub name: String,
    peers: Vec<String>,
    loads: Vec<u32>,
    /// What loads are per cent of; 0 is to find it.
    saturation: u32,
    duration_ms: u32,
    warmup_ms: u32,
    rules: u32,
    flows: Vec<Flow>,
}

/// A flow of a scenario.
struct Flow {
    name: String,
    class: String,
    rate: String,
    to: String,
    rest: Vec<String>,
}

/// All scenarios in a directory, by name.
pub fn read_all(dir: &Path) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();

    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;

        scenarios.push(Scenario::parse(&name, &text).with_context(|| path.display().to_string())?);
    }
    scenarios.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scenarios)
}

impl Scenario {
    /// Reads a scenario.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut scenario = Self {
            name: name.to_owned(),
            peers: Vec::new(),
            loads: Vec::new(),
            saturation: 0,
            duration_ms: 0,
            warmup_ms: 0,
            rules: 0,
            flows: Vec::new(),
        };

        for (number, line) in text.lines().enumerate() {
            let mut words = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            if let Some(word) = words.next() {
                scenario
                    .set(word, &words.collect::<Vec<_>>())
                    .with_context(|| format!("line {}", number + 1))?;
            }
        }
        ensure!(!scenario.peers.is_empty(), "no peers");
        ensure!(!scenario.loads.is_empty(), "no loads");
        ensure!(!scenario.flows.is_empty(), "no flows");
        ensure!(
            scenario.warmup_ms < scenario.duration_ms,
            "duration_ms is not longer than warmup_ms"
        );
        Ok(scenario)
    }

    fn set(&mut self, word: &str, rest: &[&str]) -> Result<()> {
        match word {
            "peers" => {
                for peer in rest {
                    ensure!(PEERS.contains(peer), "no such peer: {peer}");
                }
                self.peers = rest.iter().map(|&peer| peer.to_owned()).collect();
            }
            "loads" => {
                self.loads = rest
                    .iter()
                    .map(|&load| match load {
                        "idle" => Ok(0),
                        load => within(load, 1, 1000),
                    })
                    .collect::<Result<_>>()?;
            }
            "saturation" => self.saturation = only(rest, 1000, 10_000_000)?,
            "duration_ms" => self.duration_ms = only(rest, 1, 60_000)?,
            "warmup_ms" => self.warmup_ms = only(rest, 0, 60_000)?,
            "rules" => self.rules = only(rest, 0, 16_000)?,
            "flow" => self.flows.push(Flow::parse(rest)?),
            _ => bail!("no such word: {word}"),
        }
        Ok(())
    }

    /// Leaves out all peers but these; none is all.
    pub fn keep_peers(&mut self, peers: &[String]) -> Result<()> {
        for peer in peers {
            ensure!(PEERS.contains(&peer.as_str()), "no such peer: {peer}");
        }
        if !peers.is_empty() {
            self.peers.retain(|peer| peers.contains(peer));
        }
        Ok(())
    }

    /// The class of a flow.
    pub fn class(&self, flow: &str) -> Option<&str> {
        let flow = self.flows.iter().find(|it| it.name == flow)?;

        Some(&flow.class)
    }

    /// How many cells it has.
    pub fn cells(&self) -> usize {
        self.peers.len() * self.loads.len()
    }

    /// The scenario as the guest reads it.
    pub fn plan(&self) -> String {
        let loads: Vec<_> = self.loads.iter().map(u32::to_string).collect();
        let mut plan = format!(
            "scenario {} {} {} {} {}\n",
            self.name, self.duration_ms, self.warmup_ms, self.rules, self.saturation
        );

        for Flow {
            name,
            class,
            rate,
            to,
            rest,
        } in &self.flows
        {
            plan += &format!("flow {name} {class} {rate} {to} {}\n", rest.join(" "));
        }
        plan + &format!(
            "peers {}\nloads {}\nrun\n",
            self.peers.join(" "),
            loads.join(" ")
        )
    }
}

impl Flow {
    fn parse(words: &[&str]) -> Result<Self> {
        let (name, words) = words.split_first().context("a flow has a name")?;
        let mut flow = Self {
            name: (*name).to_owned(),
            class: "normal".to_owned(),
            rate: String::new(),
            to: String::new(),
            rest: Vec::new(),
        };

        for word in words {
            let (key, value) = word
                .split_once('=')
                .with_context(|| format!("{word}: no KEY=VALUE"))?;
            match key {
                "class" if CLASSES.contains(&value) => flow.class = value.to_owned(),
                "to" if CONTAINERS.contains(&value) => flow.to = value.to_owned(),
                "rate" if value == "load" || within(value, 1, 10_000_000).is_ok() => {
                    flow.rate = value.to_owned();
                }
                "class" | "to" | "rate" => bail!("{key}: no such value: {value}"),
                _ if FLOW_KEYS.contains(&key) => flow.rest.push((*word).to_owned()),
                _ => bail!("a flow has no {key}"),
            }
        }
        ensure!(!flow.rate.is_empty(), "flow {name} has no rate");
        ensure!(!flow.to.is_empty(), "flow {name} goes nowhere");
        Ok(flow)
    }
}

fn only(words: &[&str], least: u32, most: u32) -> Result<u32> {
    match words {
        [word] => within(word, least, most),
        _ => bail!("expected one number"),
    }
}

fn within(text: &str, least: u32, most: u32) -> Result<u32> {
    let number = text.parse().with_context(|| format!("{text}: no number"))?;

    ensure!(
        (least..=most).contains(&number),
        "{number} is not from {least} to {most}"
    );
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# A comment\npeers vanilla sync\nloads idle 80 # both\nduration_ms 10\n\
        flow high class=high rate=100 to=c1 seed=1\nflow bulk rate=load to=c2 burst=8\n";

    #[test]
    fn becomes_a_plan() {
        let scenario = Scenario::parse("it", GOOD).unwrap();

        assert_eq!(
            scenario.plan(),
            "scenario it 10 0 0 0\nflow high high 100 c1 seed=1\nflow bulk normal load c2 burst=8\n\
             peers vanilla sync\nloads 0 80\nrun\n"
        );
        assert_eq!(scenario.cells(), 4);
        assert_eq!(scenario.class("high"), Some("high"));
    }

    #[test]
    fn says_what_is_wrong() {
        let bad = |more: &str| match Scenario::parse("it", &format!("{GOOD}{more}\n")) {
            Ok(_) => panic!("{more}"),
            Err(why) => format!("{why:#}"),
        };

        assert_eq!(bad("peers best"), "line 7: no such peer: best");
        assert_eq!(bad("loads 0"), "line 7: 0 is not from 1 to 1000");
        assert_eq!(
            bad("saturation 1"),
            "line 7: 1 is not from 1000 to 10000000"
        );
        assert_eq!(bad("speed 1"), "line 7: no such word: speed");
        assert_eq!(bad("flow x rate=1"), "line 7: flow x goes nowhere");
        assert_eq!(bad("flow x to=c1"), "line 7: flow x has no rate");
        assert_eq!(bad("flow x rate=0 to=c1"), "line 7: rate: no such value: 0");
        assert_eq!(bad("flow x rate=1 to=c3"), "line 7: to: no such value: c3");
        assert_eq!(
            bad("flow x rate=1 to=c1 vni=1"),
            "line 7: a flow has no vni"
        );
        assert_eq!(
            bad("warmup_ms 10"),
            "duration_ms is not longer than warmup_ms"
        );
        assert_eq!(bad("duration_ms"), "line 7: expected one number");
    }

    #[test]
    fn keeps_the_peers_that_are_wanted() {
        let mut scenario = Scenario::parse("it", GOOD).unwrap();

        assert!(scenario.keep_peers(&["best".to_owned()]).is_err());
        scenario.keep_peers(&["sync".to_owned()]).unwrap();
        assert_eq!(scenario.cells(), 2);
    }
}
