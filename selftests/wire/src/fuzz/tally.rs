// SPDX-License-Identifier: GPL-2.0

//! What is counted of a whole pass: packets by their shapes, and what the kernel has dropped and why.

use std::{
    collections::BTreeMap,
    fs, //
};

use anyhow::Result;

use super::{
    port::Port,
    Options, //
};
use crate::netns;

/// Drops that the kernel counts in each namespace. Express does not count outer packets, but those that
/// are not dropped.
const DROPS: [&str; 14] = [
    "Ip.InHdrErrors",
    "Ip.InAddrErrors",
    "Ip.InUnknownProtos",
    "Ip.InDiscards",
    "Udp.NoPorts",
    "Udp.InErrors",
    "Udp.InCsumErrors",
    "Tcp.InCsumErrors",
    "Icmp.InCsumErrors",
    "Ip6InHdrErrors",
    "Ip6InTruncatedPkts",
    "Udp6NoPorts",
    "Udp6InErrors",
    "Udp6InCsumErrors",
];

/// What the module counts of packets that did not go the kernel's way.
const USED: [&str; 2] = ["completed", "served"];

/// The counts of a moment, or of a pass.
pub struct Tally {
    shapes: Vec<(String, u64, u64)>,
    drops: BTreeMap<String, u64>,
    used: u64,
}

impl Tally {
    pub fn now(options: &Options) -> Result<Self> {
        let mut drops = BTreeMap::<String, u64>::new();
        if options.shapes.is_some() {
            for place in ["", "c1", "c2", "c3"] {
                let texts = netns::within(place, || {
                    Ok((
                        fs::read_to_string("/proc/thread-self/net/snmp")?,
                        fs::read_to_string("/proc/thread-self/net/snmp6")?,
                    ))
                })?;
                for (name, count) in counters(&texts.0, &texts.1) {
                    if DROPS.contains(&name.as_str()) {
                        // Who polls counts a wrong checksum of IPv6 as one of IPv4, who reads does not.
                        let name = name.replace("Udp6In", "Udp.In");
                        *drops.entry(format!("{place}:{name}")).or_default() += count;
                    }
                }
            }
        }

        let mut used = 0;
        for name in USED {
            let count = fs::read_to_string(format!("/sys/kernel/prism/stats/{name}"))?;
            used += count.trim_end().parse::<u64>()?;
        }

        Ok(Self {
            used,
            shapes: match options.shapes {
                Some(_) => Port::shapes(&options.device)?,
                None => Vec::new(),
            },
            drops,
        })
    }

    pub fn since(mut self, before: &Self) -> Self {
        for (now, then) in self.shapes.iter_mut().zip(&before.shapes) {
            now.1 -= then.1;
            now.2 -= then.2;
        }
        self.used -= before.used;
        for (name, count) in &mut self.drops {
            *count -= before.drops.get(name).unwrap_or(&0);
        }
        self
    }
}

/// The counters of both files, with the names `netstat` gives them.
fn counters(v4: &str, v6: &str) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let lines: Vec<_> = v4.lines().collect();

    for pair in lines.chunks_exact(2) {
        let (names, values) = (pair[0].split(' '), pair[1].split(' '));
        let group = pair[0].split(':').next().unwrap_or_default();
        let found = names.zip(values).skip(1);
        all.extend(
            found
                .filter_map(|(name, value)| Some((format!("{group}.{name}"), value.parse().ok()?))),
        );
    }
    all.extend(v6.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    }));
    all
}

/// Tells of passes with `configurations`, and of one more with the first: for each shape how many packets
/// were delivered, and taken at once, in the pass with the fewest; which drops are others than with the
/// first one, unless that differs from itself there; and how many packets were not left to the kernel in the
/// pass with the fewest of them.
pub fn report(configurations: &[String], tallies: &[Tally]) {
    let (Some((first, others)), Some(again)) = (tallies.split_first(), tallies.last()) else {
        return;
    };
    let passes = &others[..others.len() - 1];

    for (at, (name, offered, taken)) in first.shapes.iter().enumerate() {
        let least = |of: fn(&(String, u64, u64)) -> u64| {
            let counts = passes.iter().filter_map(|pass| pass.shapes.get(at).map(of));
            counts.min().unwrap_or(0)
        };
        let off_taken = again
            .shapes
            .get(at)
            .map_or(*taken, |count| count.2.max(*taken));
        println!(
            "offered_{name}={} taken_{name}={} off_taken_{name}={off_taken} off_{name}={offered}",
            least(|count| count.1),
            least(|count| count.2),
        );
    }
    let mut drops = 0;
    let mut different = 0;
    let mut unsteady = 0;
    for (name, count) in &first.drops {
        drops += count;
        if again.drops.get(name) != Some(count) {
            unsteady += 1;
            println!(
                "drops {name}: {count}, and {:?} again",
                again.drops.get(name)
            );
            continue;
        }
        for (pass, configuration) in passes.iter().zip(&configurations[1..]) {
            let is = pass.drops.get(name).copied().unwrap_or(0);
            if is != *count {
                different += 1;
                println!("drops {name}: {count}, with {configuration} {is}");
            }
        }
    }
    let used = passes.iter().map(|pass| pass.used).min().unwrap_or(0);
    println!(
        "drops={drops} different_drops={different} unsteady_drops={unsteady} least_used={used}"
    );
}
