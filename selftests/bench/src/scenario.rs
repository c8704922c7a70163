// SPDX-License-Identifier: GPL-2.0

//! Scenarios: files of lines, of which each starts with a word.
//!
//! ```text
//! peers NAME...
//! loads idle|PERCENT...|highest      of what the plain kernel takes of plain bulk traffic, which is
//!                                    found; `highest`: the most that each peer takes is found
//! saturation PACKETS_PER_SECOND      of this rate instead
//! saturation own [PEER]              of what the plain kernel, or PEER, takes of this scenario's flows
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

mod flow;

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

use flow::{
    within,
    Flow, //
};

/// The peers that there are.
pub const PEERS: &[&str] = &[
    "vanilla",
    "threaded",
    "ebpf-peer",
    "ebpf-nic",
    "sync",
    "express",
    "batch",
    "off-isolated",
    "sync-isolated",
    "express-isolated",
    "express-bulk",
    "one-rule",
    "loaded",
    "unmatched",
    "host",
];

/// How many ms of virtual time one guest is to take about: several share the loads of a scenario that
/// takes longer. All peers at a load are in one guest, as guests differ a little from each other. And
/// this is the same for all machines, as figures are exact in guests that do the same.
const PART_MS: u32 = 20_000;
/// What traffic takes beside its own time, and how often the search for the highest rate has some.
const AROUND_MS: u32 = 350;
const SEARCH_STEPS: u32 = 13;
const SEARCH_MS: u32 = 100;

/// The most flows: each has source ports of its own.
const FLOWS_MAX: usize = 6;

/// A scenario.
pub struct Scenario {
    pub name: String,
    peers: Vec<String>,
    loads: Loads,
    base: Base,
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

/// What loads are per cent of.
#[derive(Clone)]
enum Base {
    /// In packets per second.
    Rate(u32),
    /// The most that the plain kernel takes of plain bulk traffic.
    Single,
    /// The most that this peer takes of the scenario's flows.
    Own(String),
    /// Nothing: for each peer the most is found.
    None,
}

/// What one guest is to do.
pub struct Part {
    /// As the guest reads it.
    pub plan: String,
    /// How long that takes about, in ms of virtual time.
    pub ms: u32,
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
            base: Base::Single,
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
                let peers = rest.iter().map(|peer| Ok(known(peer)?.to_owned()));

                self.peers = peers.collect::<Result<_>>()?;
            }
            "loads" if rest == ["highest"] => {
                self.loads = Loads::Highest;
                self.base = Base::None;
            }
            "loads" => {
                let percent = |load: &&str| match *load {
                    "idle" => Ok(0),
                    load => within(load, 1, 1000),
                };

                self.loads = Loads::Percent(rest.iter().map(percent).collect::<Result<_>>()?);
            }
            "saturation" => {
                self.base = match rest {
                    ["own"] => Base::Own("vanilla".to_owned()),
                    ["own", peer] => Base::Own(known(peer)?.to_owned()),
                    _ => Base::Rate(only(rest, 1000, 10_000_000)?),
                };
            }
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
            known(peer)?;
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

    /// The place of a peer among its peers.
    pub fn peer(&self, name: &str) -> Option<usize> {
        self.peers.iter().position(|it| it == name)
    }

    /// Whether it has such a cell; the load `highest` is 100.
    #[cfg(test)]
    pub fn has(&self, load: u32, peer: &str, flow: &str) -> bool {
        let has_load = match &self.loads {
            Loads::Percent(loads) => loads.contains(&load),
            Loads::Highest => load == 100,
        };

        has_load && self.peer(peer).is_some() && self.flow(flow).is_some()
    }

    /// How many cells it has.
    pub fn cells(&self) -> usize {
        self.peers.len() * self.loads().len()
    }

    /// Whether its loads are per cent of what the plain kernel takes of plain bulk traffic.
    pub fn wants_single(&self) -> bool {
        matches!(self.base, Base::Single) && !self.peers.is_empty()
    }

    /// What finds that.
    pub fn single() -> Part {
        Part {
            plan:
                "scenario single 100 0 0 none\nflow bulk normal load c2 0 arrivals=random seed=7\n\
                   peers vanilla\nloads highest\nrun\n"
                    .to_owned(),
            ms: 0,
        }
    }

    /// What guests are to do, each about as much, where `single` is what was found.
    pub fn parts(&self, single: u32) -> Vec<Part> {
        let loads = self.loads();
        let guests = match self.base {
            // Those who share a scenario have to agree on this.
            Base::Own(_) => 1,
            _ => match self.ms(loads.len()) / PART_MS {
                0 => 1,
                // Two run at once where there are two processors.
                more => (more as usize + 1).next_multiple_of(2),
            },
        };

        // Each has some of the high loads, which take longest.
        (0..guests.min(loads.len()))
            .map(|guest| {
                let its: Vec<_> = loads.iter().skip(guest).step_by(guests).cloned().collect();

                self.part(&its, single)
            })
            .collect()
    }

    /// How long so many loads take about, in ms of virtual time.
    fn ms(&self, loads: usize) -> u32 {
        let peers = self.peers.len() as u32;
        let search = SEARCH_STEPS * (SEARCH_MS + AROUND_MS);
        let all = (self.duration_ms + AROUND_MS) * loads as u32 * peers;

        all + match self.base {
            Base::None => search * peers,
            Base::Own(_) => search,
            Base::Rate(_) | Base::Single => 0,
        }
    }

    /// The loads, as the guest knows them.
    fn loads(&self) -> Vec<String> {
        match &self.loads {
            Loads::Percent(loads) => loads.iter().map(u32::to_string).collect(),
            Loads::Highest => vec!["highest".to_owned()],
        }
    }

    fn part(&self, loads: &[String], single: u32) -> Part {
        let base = match &self.base {
            Base::Rate(rate) => rate.to_string(),
            Base::Single => single.to_string(),
            Base::Own(peer) => format!("own {peer}"),
            Base::None => "none".to_owned(),
        };
        let mut plan = format!(
            "scenario {} {} {} {} {base}\n",
            self.name, self.duration_ms, self.warmup_ms, self.rules
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
        plan += &format!(
            "peers {}\nloads {}\nrun\n",
            self.peers.join(" "),
            loads.join(" ")
        );
        Part {
            plan,
            ms: self.ms(loads.len()),
        }
    }
}

/// A peer that there is.
fn known(peer: &str) -> Result<&str> {
    ensure!(PEERS.contains(&peer), "no such peer: {peer}");
    Ok(peer)
}

fn only(words: &[&str], least: u32, most: u32) -> Result<u32> {
    match words {
        [word] => within(word, least, most),
        _ => bail!("expected one number"),
    }
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
            scenario.parts(90_000)[0].plan,
            "scenario it 10 0 0 90000\nflow high high 100 c1 0 seed=1\n\
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

        let plan = &scenario.parts(0)[0].plan;
        assert!(plan.starts_with("scenario it 10 0 0 own vanilla\n"));
        assert!(plan.contains("flow fast high 1 h1 9 size=100\n"));
        assert!(plan.contains("loads highest\n"));
        assert_eq!(scenario.cells(), 2);
        assert_eq!((fast.deadline_ns, fast.size), (Some(5000), 100));
    }

    #[test]
    fn is_shared_by_guests_where_it_is_long() {
        let text = format!("{GOOD}loads idle 50 80\nduration_ms 9000\n");
        let parts = Scenario::parse("it", &text).unwrap().parts(1000);
        let loads: Vec<_> = parts
            .iter()
            .filter_map(|part| part.plan.lines().find(|line| line.starts_with("loads")))
            .collect();

        assert_eq!(loads, ["loads 0", "loads 50", "loads 80"]);

        let own = format!("{text}saturation own ebpf-nic\n");
        let parts = Scenario::parse("it", &own).unwrap().parts(1000);
        assert_eq!(parts.len(), 1);
        assert!(parts[0].plan.contains(" own ebpf-nic\n"));
    }

    /// What the guest begins and ends is what can be asked for.
    #[test]
    fn all_peers_are_there() {
        let guest = include_str!("../guest/peers.sh");

        for peer in PEERS {
            assert!(guest.contains(&format!("\nbegin_{peer}() {{")), "{peer}");
            assert!(guest.contains(&format!("\nend_{peer}() {{")), "{peer}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let bad = |more: &str| match Scenario::parse("it", &format!("{GOOD}{more}\n")) {
            Ok(_) => panic!("{more}"),
            Err(why) => format!("{why:#}"),
        };

        assert_eq!(bad("peers best"), "line 7: no such peer: best");
        assert_eq!(bad("saturation own best"), "line 7: no such peer: best");
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
