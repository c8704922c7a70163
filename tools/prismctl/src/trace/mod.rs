// SPDX-License-Identifier: GPL-2.0

//! `trace`: what becomes of packets, stage by stage.

mod event;
mod filter;
mod packet;
mod tracefs;

use std::{
    io::{
        self,
        Read,
        Write, //
    },
    os::fd::AsFd,
    time::{
        Duration,
        Instant, //
    },
};

use nix::time::ClockId;
use prism_config::{
    rule::{
        Match,
        Rule, //
    },
    Module,
    Target, //
};
use serde_json::json;

use self::{
    event::Line,
    packet::Packets,
    tracefs::Instance, //
};
use crate::{
    commands::pair,
    error::Error,
    output::{
        complaint,
        Output, //
    },
    signals::Signals, //
};

/// When to end.
pub(crate) struct Until {
    /// After so many packets.
    pub(crate) count: Option<u64>,
    /// After so many seconds.
    pub(crate) seconds: Option<u64>,
}

/// Tells what becomes of the packets of a flow, until it is over or a signal comes.
pub(crate) fn trace(out: &mut Output, flow: &[String], until: &Until) -> Result<(), Error> {
    let module = Module::open()?;
    let flows = flows(&module, flow)?;
    // Before there is anything to take away.
    let signals = Signals::block()?;
    let instance = Instance::new(filter::of(&flows).as_deref())?;

    follow(out, &instance, &signals, until)
}

/// The flows that the words name: fields of a rule, or the name of one.
fn flows(module: &Module, words: &[String]) -> Result<Match, Error> {
    if let [name] = words {
        if !name.contains('=') {
            return Ok(module.rule(name)?.flows);
        }
    }
    let mut rule = Rule::default();

    for word in words {
        let (name, value) = pair(word)?;
        let set = prism_config::set_named(&mut rule, name, value);

        set.map_err(|why| Error::Value(why.to_string()))?;
    }
    let fields_of_flows = Rule {
        flows: rule.flows,
        ..Rule::default()
    };
    if rule != fields_of_flows {
        return Err(Error::Value(
            "class, rate, gro and enabled tell no flows apart".to_owned(),
        ));
    }
    Ok(rule.flows)
}

fn follow(
    out: &mut Output,
    instance: &Instance,
    signals: &Signals,
    until: &Until,
) -> Result<(), Error> {
    let end = until
        .seconds
        // So many that there is no such time are for ever.
        .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let mut left = until.count;
    let mut packets = Packets::default();
    let mut lines = Lines::default();

    while left != Some(0) {
        let is_over = wait(instance, signals, end)?;

        hear(&mut packets, &lines.read(instance)?, out.is_json());
        if is_over {
            packets.end_all();
        }
        while let Some(packet) = packets.next().filter(|_| left != Some(0)) {
            left = left.map(|left| left - 1);
            out.line(&packet.to_json(), |out| packet.print(out))?;
        }
        if is_over {
            break;
        }
    }
    Ok(())
}

/// Has packets know what is told of them, and ends those of which nothing more is.
fn hear(packets: &mut Packets, told: &Told, is_json: bool) {
    for line in &told.lines {
        match event::parse(line) {
            Some(Line::Event(event)) => packets.add(event),
            Some(Line::Lost(events)) => {
                writeln!(io::stderr(), "{}", lost(events, is_json)).ok();
            }
            None => (),
        }
    }
    if let Some(us) = told.until {
        packets.end_gone(us);
    }
}

/// What is said of events that found no room.
fn lost(events: u64, is_json: bool) -> String {
    complaint(
        is_json,
        &json!({ "lost_events": events }),
        format_args!("{events} events were lost"),
    )
}

/// Waits for events. Whether it is to end.
fn wait(instance: &Instance, signals: &Signals, end: Option<Instant>) -> Result<bool, Error> {
    // Events come in pages; what is there for less than one wakes nobody.
    let most = Duration::from_millis(100);
    let left = end.map_or(most, |end| end.saturating_duration_since(Instant::now()));
    let Some(pipe) = instance.pipe() else {
        return Ok(true);
    };
    let is_signalled = signals.wait(Some(pipe.as_fd()), left.min(most))?;

    Ok(is_signalled || left.is_zero())
}

/// What events tell.
struct Told {
    lines: Vec<String>,
    /// The time of events until which that is all; `None` where there is more to be read.
    until: Option<u64>,
}

/// Now, in microseconds, by the clock of events.
fn now() -> Result<u64, Error> {
    let now = ClockId::CLOCK_MONOTONIC.now().map_err(io::Error::from)?;

    Ok(u64::try_from(Duration::from(now).as_micros()).unwrap_or(u64::MAX))
}

/// What was read of a line that is not over.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// All lines that are there, though not for ever, where events come faster than they are read.
    fn read(&mut self, instance: &Instance) -> Result<Told, Error> {
        const MOST: usize = 1 << 22;
        // What comes while it is read is later.
        let now = now()?;
        let mut buffer = [0; 65536];

        while let Some(mut pipe) = instance.pipe().filter(|_| self.0.len() <= MOST) {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(bytes) => self.0.extend_from_slice(&buffer[..bytes]),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => (),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(Told {
            until: (self.0.len() <= MOST).then_some(now),
            lines: self.split(),
        })
    }

    fn split(&mut self) -> Vec<String> {
        let end = self.0.iter().rposition(|&byte| byte == b'\n');
        let whole: Vec<u8> = self.0.drain(..end.map_or(0, |end| end + 1)).collect();

        String::from_utf8_lossy(&whole)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_pieces() {
        let mut lines = Lines::default();

        lines.0.extend_from_slice(b"one\ntw");
        assert_eq!(lines.split(), ["one"]);
        lines.0.extend_from_slice(b"o\nthree\n");
        assert_eq!(lines.split(), ["two", "three"]);
        assert!(lines.split().is_empty());
    }

    #[test]
    fn lost_events_are_told() {
        assert_eq!(lost(3, false), "prismctl: 3 events were lost");
        assert_eq!(lost(3, true), r#"{"lost_events":3}"#);
    }

    #[test]
    fn a_packet_of_which_nothing_more_is_told_ends_by_the_clock() {
        let told = |us: u64| {
            let us = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);

            vec![format!(
                "  a-1 [000] b.s3. {us}: prism_deliver: skbaddr=1 to=tunnel way=sync"
            )]
        };
        let mut packets = Packets::default();
        let mut is_ended = |lines: Vec<String>, until: Option<u64>| {
            hear(&mut packets, &Told { lines, until }, false);
            packets.next().is_some()
        };
        let begin = now().unwrap();

        assert!(!is_ended(told(begin), Some(begin)));
        assert!(!is_ended(vec![], Some(begin + 1_000_000)));
        // Where not all is read, it may be told of.
        assert!(!is_ended(vec![], None));
        assert!(is_ended(vec![], Some(begin + 1_000_001)));
        assert!(!is_ended(vec![], Some(begin + 3_000_000)));
    }
}
