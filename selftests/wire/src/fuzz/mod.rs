// SPDX-License-Identifier: GPL-2.0

//! A differential test: the same sequence of frames once in each configuration of the module, and what
//! comes of it.
//!
//! Bursts follow from `--seed` and their index alone, so `--only` plays a single one again. After each
//! burst all is awaited that comes of it: sentinels of each class go behind it. What the sockets and
//! packet sockets got in the first configuration is what they have to get in the others. That one is played
//! once more at the end; where it differs from itself, chance has a part in the burst, which proves
//! nothing.

mod burst;
mod choice;
mod draft;
mod message;
mod mutate;
mod parse;
mod place;
mod play;
mod port;
mod shape;
mod sight;
mod stream;
mod tally;
mod watch;

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    str::FromStr, //
};

use anyhow::{
    anyhow,
    bail,
    Context,
    Result, //
};
use clap::Args;
use nix::{
    sched::{
        sched_setaffinity,
        CpuSet, //
    },
    unistd::Pid, //
};

use self::{
    burst::{
        Burst,
        Maker, //
    },
    play::Player,
    port::Port,
    shape::Entry,
    tally::Tally,
    watch::Watch, //
};
use crate::{
    inject,
    stop, //
};

/// Indices of bursts: `17` or `17-20`.
#[derive(Clone)]
struct Indices(RangeInclusive<u32>);

impl FromStr for Indices {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));

        Ok(Self(first.parse()?..=last.parse()?))
    }
}

/// Options of `fuzz`.
#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many bursts to play.
    #[arg(long, default_value_t = 100)]
    count: u32,
    /// Only these bursts of the sequence.
    #[arg(long, value_name = "INDEX[-LAST]")]
    only: Option<Indices>,
    /// Knobs and their values, once for each configuration. What they do not name is as with mode off.
    #[arg(long = "with", value_name = "KNOB=VALUE,...", required = true)]
    configurations: Vec<String>,
    /// The tap device to attach to.
    #[arg(long, default_value = "tap0")]
    device: String,
    /// Hands frames in by pieces that lie in pages.
    #[arg(long)]
    pieces: bool,
    /// The device is a NIC of simnic's: frames come as packets of all shapes, by these calls.
    #[arg(long, value_name = "CALLS")]
    shapes: Option<Entry>,
    /// Nothing but connections whose segments come at once.
    #[arg(long, requires = "shapes")]
    segments: bool,
    /// Where copies of what that NIC sends are sent.
    #[arg(long, default_value = "copies")]
    copies: String,
    /// Devices merge datagrams, so that packet sockets see other packets than came.
    #[arg(long)]
    merging: bool,
    /// How many differences to show.
    #[arg(long, default_value_t = 3)]
    show: usize,
}

/// The knobs, and what they are without the module.
const KNOBS: [(&str, &str); 4] = [
    ("mode", "off"),
    ("isolate", "0"),
    ("accelerate", "high"),
    ("recent_us", "10000"),
];

/// Sets the knobs that `configuration` names, and the others as they are without the module.
fn configure(configuration: &str) -> Result<()> {
    let named: Vec<_> = configuration
        .split(',')
        .map(|word| {
            word.split_once('=')
                .ok_or_else(|| anyhow!("{word} is not KNOB=VALUE"))
        })
        .collect::<Result<_>>()?;
    if let Some((knob, _)) = named
        .iter()
        .find(|(knob, _)| KNOBS.iter().all(|(known, _)| known != knob))
    {
        bail!("{knob} is none of the knobs");
    }

    for (knob, default) in KNOBS {
        let value = named.iter().find(|(named, _)| *named == knob);
        let path = format!("/sys/kernel/prism/{knob}");
        std::fs::write(&path, value.map_or(default, |(_, value)| value)).with_context(|| path)?;
    }
    Ok(())
}

/// What was got in a burst.
#[derive(Default)]
struct Got {
    /// All of it, sorted.
    lines: Vec<String>,
    /// What came too early, in any flow.
    overtaken: BTreeSet<String>,
}

impl Got {
    /// What is here and not in `other`. GRO itself has packets of a flow overtake others that it holds,
    /// as they cannot be merged with these; but no more do.
    fn beyond<'a>(&'a self, other: &'a Self) -> Vec<&'a String> {
        let mut rest: Vec<_> = other.lines.iter().collect();
        let mut beyond = Vec::new();

        for line in &self.lines {
            match rest.iter().position(|other| *other == line) {
                Some(at) => drop(rest.swap_remove(at)),
                None => beyond.push(line),
            }
        }
        beyond.extend(self.overtaken.difference(&other.overtaken));
        beyond
    }

    /// Whether this is as good as `wanted`.
    fn is_like(&self, wanted: &Self) -> bool {
        self.lines == wanted.lines && self.overtaken.is_subset(&wanted.overtaken)
    }
}

struct Difference {
    index: u32,
    configuration: String,
    is: Got,
}

/// Plays all, compares, and tells.
pub fn run(options: &Options) -> Result<()> {
    let indices = match &options.only {
        Some(Indices(range)) => range.clone(),
        None => 0..=options.count.saturating_sub(1),
    };
    // One CPU receives all, in the order in which it is sent.
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpus)?;
    stop::catch()?;

    configure("mode=off")?;
    let port = match options.shapes {
        Some(entry) => Port::nic(&options.device, entry, &options.copies)?,
        None => Port::open(&options.device, options.pieces)?,
    };
    let maker = Maker {
        seed: options.seed,
        host: inject::address_of(&options.device)?,
        in_pieces: options.pieces,
        has_shapes: options.shapes.is_some(),
        is_merging: options.merging,
        has_segments_only: options.segments,
        pass: 0,
    };
    let watch = Watch::open(options.merging)?;
    let mut player = Player::new(&port, maker, &watch, &options.device);

    let (first, others) = options
        .configurations
        .split_first()
        .context("no configuration")?;
    let (wanted, tally) = tallied_pass(options, &mut player, first, &indices)?;
    let mut tallies = vec![tally];
    let mut differences = Vec::new();
    for configuration in others.iter().chain([first]) {
        let (got, tally) = tallied_pass(options, &mut player, configuration, &indices)?;
        tallies.push(tally);
        differences.extend(indices.clone().zip(got).zip(&wanted).filter_map(
            |((index, is), wanted)| {
                (!is.is_like(wanted)).then(|| Difference {
                    index,
                    configuration: configuration.clone(),
                    is,
                })
            },
        ));
    }
    configure("mode=off")?;
    report(options, &indices, &wanted, &player, differences)?;
    tally::report(&options.configurations, &tallies);
    Ok(())
}

/// A pass, and what was counted in it.
fn tallied_pass(
    options: &Options,
    player: &mut Player<'_>,
    configuration: &str,
    indices: &RangeInclusive<u32>,
) -> Result<(Vec<Got>, Tally)> {
    let before = Tally::now(options)?;
    let got = pass(player, configuration, indices)?;

    Ok((got, Tally::now(options)?.since(&before)))
}

/// Plays all bursts in one configuration.
fn pass(
    player: &mut Player<'_>,
    configuration: &str,
    indices: &RangeInclusive<u32>,
) -> Result<Vec<Got>> {
    let mut all = Vec::new();

    player.maker.pass += 1;
    configure(configuration)?;
    player.settle()?;
    for index in indices.clone() {
        if stop::requested() {
            bail!("stopped");
        }
        all.push(player.play(index)?);
    }
    Ok(all)
}

fn report(
    options: &Options,
    indices: &RangeInclusive<u32>,
    wanted: &[Got],
    player: &Player<'_>,
    differences: Vec<Difference>,
) -> Result<()> {
    let first = &options.configurations[0];
    let unstable: BTreeSet<_> = differences
        .iter()
        .filter(|difference| difference.configuration == *first)
        .map(|difference| difference.index)
        .collect();
    let real: Vec<_> = differences
        .iter()
        .filter(|difference| !unstable.contains(&difference.index))
        .collect();

    let streams = wanted
        .iter()
        .flat_map(|got| &got.lines)
        .filter(|line| line.starts_with("stream "));
    let (right, wrong): (Vec<_>, Vec<_>) = streams.partition(|line| line.contains("is_right=true"));
    println!(
        "seed={} bursts={} frames={} refused={} lines={} streams={} wrong_streams={} differences={} unstable={} late={}",
        options.seed,
        wanted.len(),
        player.frames,
        port::refused(),
        wanted.iter().map(|got| got.lines.len()).sum::<usize>(),
        right.len() + wrong.len(),
        wrong.len(),
        real.len(),
        unstable.len(),
        player.late,
    );
    let shown = real.iter().copied().chain(
        differences
            .iter()
            .filter(|difference| difference.configuration == *first),
    );
    for difference in shown.take(options.show) {
        let at = (difference.index - indices.start()) as usize;
        show(options, &player.maker, difference, &wanted[at]);
    }
    Ok(())
}

/// Prints what is different in a burst, and its frames.
fn show(options: &Options, maker: &Maker, difference: &Difference, wanted: &Got) {
    let event = maker.event(difference.index);
    let mut replay = format!(
        "wire fuzz --seed {} --only {} --with {} --with {}",
        options.seed, difference.index, options.configurations[0], difference.configuration
    );
    if let Some(entry) = options.shapes {
        replay.push_str(&format!(" --device {} --shapes {entry:?}", options.device).to_lowercase());
    }
    for (is_set, option) in [
        (options.pieces, " --pieces"),
        (options.merging, " --merging"),
    ] {
        replay.push_str(if is_set { option } else { "" });
    }

    println!(
        "burst {} ({}{}) with {}: {replay}",
        difference.index,
        event.kind,
        if event.is_tapped { ", tapped" } else { "" },
        difference.configuration,
    );
    let lacking = wanted.beyond(&difference.is);
    for line in lacking
        .iter()
        .filter(|line| !wanted.overtaken.contains(**line))
    {
        println!("- {line}");
    }
    for line in difference.is.beyond(wanted) {
        println!("+ {line}");
    }
    let frames: Vec<String> = match &event.burst {
        Burst::Shots(shots) => shots.iter().map(describe).collect(),
        Burst::Stream(stream) => stream.frames().iter().map(|frame| hex(frame)).collect(),
    };
    for (number, frame) in frames.iter().enumerate() {
        println!("frame {number} {frame}");
    }
}

fn describe(shot: &draft::Shot) -> String {
    format!(
        "header={} cut={} {}",
        hex(&shot.header),
        shot.cut,
        hex(&shot.frame)
    )
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();

    for byte in bytes.iter().take(200) {
        text.push_str(&format!("{byte:02x}"));
    }
    if bytes.len() > 200 {
        text.push_str(&format!("...({} bytes)", bytes.len()));
    }
    text
}
