// SPDX-License-Identifier: GPL-2.0

//! Hands a burst in, and collects what comes of it.

use std::{
    collections::BTreeMap,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use anyhow::Result;

use super::{
    burst::{
        Burst,
        Maker,
        UDP_PORTS, //
    },
    draft::{
        Draft,
        Transport, //
    },
    parse,
    place::Place,
    port::Port,
    watch::{
        Item,
        Watch,
        SENTINEL, //
    },
    Got,
};
use crate::{
    frame::Udp,
    packet::PacketSocket, //
};

/// How long sentinels may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// For longer than what the device's GRO may hold; see gro_flush_timeout in differential.sh.
pub const HELD: Duration = Duration::from_millis(5);
/// How long a change of the knobs takes to be in force.
const CHANGE: Duration = Duration::from_millis(50);

/// Plays bursts.
pub struct Player<'a> {
    port: &'a Port,
    pub maker: Maker,
    watch: &'a Watch,
    device: &'a str,
    sentinel: u32,
    /// How many frames were handed in.
    pub frames: u64,
    /// How many bursts were not through in time.
    pub late: u64,
}

impl<'a> Player<'a> {
    pub fn new(port: &'a Port, maker: Maker, watch: &'a Watch, device: &'a str) -> Self {
        Self {
            port,
            maker,
            watch,
            device,
            sentinel: 0,
            frames: 0,
            late: 0,
        }
    }

    /// Waits until nothing of what was is left.
    pub fn settle(&mut self) -> Result<()> {
        thread::sleep(CHANGE);
        for _ in 0..2 {
            self.await_all(&mut Vec::new())?;
        }
        self.answers();
        Ok(())
    }

    /// Plays a burst, and tells what was got.
    pub fn play(&mut self, index: u32) -> Result<Got> {
        let event = self.maker.event(index);
        let mut items = Vec::new();
        let mut lines = Vec::new();

        let tap = match event.is_tapped {
            true => Some(PacketSocket::open(self.device, true)?),
            false => None,
        };
        match &event.burst {
            Burst::Shots(shots) => {
                for shot in shots {
                    self.port.send(shot);
                }
                self.frames += shots.len() as u64;
            }
            Burst::Stream(stream) => {
                lines.push(stream.play(self.port, self.watch));
                self.frames += stream.frames().len() as u64;
            }
        }
        self.await_all(&mut items)?;
        drop(tap);
        if event.kind != "random" {
            // Sentinels flush what is older than they are.
            thread::sleep(HELD);
            self.await_all(&mut items)?;
        }

        let mut got = by_flow(items);
        lines.extend(self.answers());
        lines.sort();
        got.lines.splice(0..0, lines);
        Ok(got)
    }

    /// Sends a sentinel of each class behind what came, and reads until all are there.
    fn await_all(&mut self, items: &mut Vec<Item>) -> Result<()> {
        let mut count = 0;

        self.sentinel += 1;
        for place in [Place::Host, Place::Bridged] {
            for port in &UDP_PORTS[..4] {
                let content = [SENTINEL, &self.sentinel.to_be_bytes()].concat();
                let transport = Transport::Udp(Udp::new(50123, *port));
                let draft = Draft::new(place, false, self.maker.host, transport, content);
                self.port.send(&draft.shot());
                count += 1;
            }
        }
        let end = Instant::now() + PATIENCE;
        let mut got = 0;
        while got < count {
            if Instant::now() > end {
                self.late += 1;
                break;
            }
            got += self
                .watch
                .drain(items, self.sentinel, Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// What the host has sent.
    fn answers(&self) -> Vec<String> {
        let mut buffer = vec![0; 1 << 17];
        let mut answers = Vec::new();

        while let Some(frame) = self.port.receive(&mut buffer) {
            answers.extend(parse::answer(frame));
        }
        answers
    }
}

/// The items as lines, by flow, and what came in another order than it was sent in.
fn by_flow(items: Vec<Item>) -> Got {
    let mut flows = BTreeMap::<String, Flow>::new();
    let mut got = Got::default();

    for item in items {
        let flow = flows.entry(item.flow).or_default();
        flow.bytes += item.bytes;
        flow.sum = flow.sum.wrapping_add(item.sum);
        flow.numbers.extend(item.number);
        if item.bytes == 0 {
            flow.texts.push(item.text);
        }
    }
    for (name, mut flow) in flows {
        flow.texts.sort();
        let texts = flow.texts.iter().map(|text| format!("{name} {text}"));
        got.lines.extend(texts);
        if flow.bytes > 0 {
            let line = format!("{name} bytes={} sum={:016x}", flow.bytes, flow.sum);
            got.lines.push(line);
        }
        for (at, later) in flow.numbers.iter().enumerate() {
            let overtaken = flow.numbers[..at].iter().filter(|earlier| *earlier > later);
            got.overtaken
                .extend(overtaken.map(|earlier| format!("{name}: {earlier} came before {later}")));
        }
    }
    got
}

/// What came of a flow.
#[derive(Default)]
struct Flow {
    texts: Vec<String>,
    numbers: Vec<u8>,
    bytes: u64,
    sum: u64,
}
