// SPDX-License-Identifier: GPL-2.0

//! Scenarios: files of lines, of which each starts with a word.
//!
//! ```text
//! peers NAME...
//! loads idle|PERCENT...|highest      of what the plain kernel takes of plain bulk traffic, which is
//!                                    found; `highest`: the most that each peer takes is found
//! saturation PACKETS_PER_SECOND|own  of this rate instead; of what it takes of this scenario's flows
//! duration_ms N
//! warmup_ms N                        of these, what does not count (0)
//! rules N                            that name other flows (0)
//! flow NAME rate=N|load to=PLACE [class=CLASS] [limit=RATE] [deadline_us=N] [KEY=VALUE...]
//! ```
//!
//! A place is a container, `c1` to `c3`, or a socket of the host, `h1` to `h3`. A rate of `load` is what
//! the other flows leave of the load. `limit` is the rate of the rule for a class other than `normal`.
//! Packets that take longer than `deadline_us`, or are lost, are counted as late. The other keys are
//! those of simnic's flows that do not say where from or to. Comments start with `#`.

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
    "loaded",
    "unmatched",
    "host",
];

const CLASSES: &[&str] = &["high", "interactive", "normal", "bulk"];
const PLACES: &[&str] = &["c1", "c2", "c3", "h1", "h2", "h3"];
/// The most flows: each has source ports of its own.
const FLOWS_MAX: usize = 6;
const FLOW_KEYS: &[&str] = &[
    "protocol", "burst", "arrivals", "seed", "size", "ports", "from_ms", "to_ms", "note", "group",
];

/// A scenario.
pub struct Scenario {
    pub name: String,
    peers: Vec<String>,
    loads: Loads,
    /// What loads are per cent of: a rate, `single`, `own` or `none`.
    base: String,
    pub duration_ms: u32,
    warmup_ms: u32,
    rules: u32,
    flows: Vec<Flow>,
}

/// At what loads a scenario is run.
enum Loads {
    /// Per cent; 0 is idle.
    Percent(Vec<u32>),
    /// The most that each peer takes.
    Highest,
}

/// A flow of a scenario.
pub struct Flow {
    name: String,
    pub class: String,
    rate: String,
    to: String,
    /// The rate of its rule; 0 is none.
    limit: u32,
    /// What a packet takes that is in time.
    pub deadline_ns: Option<u64>,
    /// Of a packet's content, in bytes.
    pub size: u32,
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
            loads: Loads::Percent(Vec::new()),
            base: "single".to_owned(),
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
        ensure!(scenario.cells() > 0, "no loads");
        ensure!(!scenario.flows.is_empty(), "no flows");
        ensure!(
            scenario.flows.len() <= FLOWS_MAX,
            "more than {FLOWS_MAX} flows"
        );
        scenario.check_classes()?;
        ensure!(
            scenario.warmup_ms < scenario.duration_ms,
            "duration_ms is not longer than warmup_ms"
        );
        Ok(scenario)
    }

    /// A rule names all flows to a place.
    fn check_classes(&self) -> Result<()> {
        for flow in &self.flows {
            let differs = |other: &&Flow| {
                other.to == flow.to && (&other.class, other.limit) != (&flow.class, flow.limit)
            };

            if let Some(other) = self.flows.iter().find(differs) {
                bail!(
                    "flows {} and {} go to one place, with different rules",
                    flow.name,
                    other.name
                );
            }
        }
        Ok(())
    }

    fn set(&mut self, word: &str, rest: &[&str]) -> Result<()> {
        match word {
            "peers" => {
                for peer in rest {
                    ensure!(PEERS.contains(peer), "no such peer: {peer}");
                }
                self.peers = rest.iter().map(|&peer| peer.to_owned()).collect();
            }
            "loads" if rest == ["highest"] => {
                self.loads = Loads::Highest;
                self.base = "none".to_owned();
            }
            "loads" => {
                let percent = |load: &&str| match *load {
                    "idle" => Ok(0),
                    load => within(load, 1, 1000),
                };

                self.loads = Loads::Percent(rest.iter().map(percent).collect::<Result<_>>()?);
            }
            "saturation" if rest == ["own"] => self.base = "own".to_owned(),
            "saturation" => self.base = only(rest, 1000, 10_000_000)?.to_string(),
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

    /// The flow of that name.
    pub fn flow(&self, name: &str) -> Option<&Flow> {
        self.flows.iter().find(|it| it.name == name)
    }

    /// How many cells it has.
    pub fn cells(&self) -> usize {
        let loads = match &self.loads {
            Loads::Percent(loads) => loads.len(),
            Loads::Highest => 1,
        };

        self.peers.len() * loads
    }

    /// The scenario as the guest reads it.
    pub fn plan(&self) -> String {
        let loads = match &self.loads {
            Loads::Percent(loads) => loads.iter().map(u32::to_string).collect(),
            Loads::Highest => vec!["highest".to_owned()],
        };
        let mut plan = format!(
            "scenario {} {} {} {} {}\n",
            self.name, self.duration_ms, self.warmup_ms, self.rules, self.base
        );

        for Flow {
            name,
            class,
            rate,
            to,
            limit,
            rest,
            ..
        } in &self.flows
        {
            plan += &format!(
                "flow {name} {class} {rate} {to} {limit} {}\n",
                rest.join(" ")
            );
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
            limit: 0,
            deadline_ns: None,
            size: 64,
            rest: Vec::new(),
        };

        for word in words {
            let (key, value) = word
                .split_once('=')
                .with_context(|| format!("{word}: no KEY=VALUE"))?;
            match key {
                "class" if CLASSES.contains(&value) => flow.class = value.to_owned(),
                "to" if PLACES.contains(&value) => flow.to = value.to_owned(),
                "rate" if value == "load" || within(value, 1, 10_000_000).is_ok() => {
                    flow.rate = value.to_owned();
                }
                "class" | "to" | "rate" => bail!("{key}: no such value: {value}"),
                "limit" => flow.limit = within(value, 1, 10_000_000).context("limit")?,
                "deadline_us" => {
                    let us = within(value, 1, 10_000_000).context("deadline_us")?;
                    flow.deadline_ns = Some(u64::from(us) * 1000);
                }
                _ if FLOW_KEYS.contains(&key) => flow.rest.push((*word).to_owned()),
                _ => bail!("a flow has no {key}"),
            }
        }
        ensure!(!flow.rate.is_empty(), "flow {name} has no rate");
        ensure!(!flow.to.is_empty(), "flow {name} goes nowhere");
        ensure!(
            flow.limit == 0 || flow.class != "normal",
            "flow {name} has a limit and no rule"
        );
        for word in &flow.rest {
            if let Some(size) = word.strip_prefix("size=") {
                flow.size = within(size, 24, 1400).context("size")?;
            }
        }
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
            "scenario it 10 0 0 single\nflow high high 100 c1 0 seed=1\n\
             flow bulk normal load c2 0 burst=8\npeers vanilla sync\nloads 0 80\nrun\n"
        );
        assert_eq!(scenario.cells(), 4);
        assert_eq!(scenario.flow("high").unwrap().class, "high");
        assert_eq!(scenario.flow("high").unwrap().size, 64);
    }

    #[test]
    fn finds_what_is_to_be_found() {
        let more = "loads highest\nsaturation own\nflow fast class=high limit=9 deadline_us=5 \
            to=h1 rate=1 size=100\n";
        let scenario = Scenario::parse("it", &format!("{GOOD}{more}")).unwrap();
        let fast = scenario.flow("fast").unwrap();

        assert!(scenario.plan().starts_with("scenario it 10 0 0 own\n"));
        assert!(scenario.plan().contains("flow fast high 1 h1 9 size=100\n"));
        assert!(scenario.plan().contains("loads highest\n"));
        assert_eq!(scenario.cells(), 2);
        assert_eq!((fast.deadline_ns, fast.size), (Some(5000), 100));
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
        assert_eq!(bad("flow x rate=1 to=c4"), "line 7: to: no such value: c4");
        assert_eq!(
            bad("flow x rate=1 to=c3 limit=5"),
            "line 7: flow x has a limit and no rule"
        );
        assert_eq!(
            bad("flow x rate=1 to=c3 size=23"),
            "line 7: size: 23 is not from 24 to 1400"
        );
        assert_eq!(
            bad("flow x rate=1 to=c1"),
            "flows high and x go to one place, with different rules"
        );
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
