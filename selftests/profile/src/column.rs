// SPDX-License-Identifier: GPL-2.0

//! Columns: what a packet costs in one mode.

use std::collections::BTreeMap;

use anyhow::{
    ensure,
    Result, //
};
use serde::Serialize;

use crate::{
    guest::Told,
    packet::{
        self,
        Spot,
        Window, //
    },
    stage::Stage,
    trace::Run,
};

/// How far the mean of the stages' sums may be from what the NIC measures, in per cent.
const TOLERANCE: f64 = 3.0;

/// Instructions of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Until it was at its socket.
    pub to_socket: u64,
    /// From then until the processor was back at what it did.
    pub afterwards: u64,
    /// Of all these, repetitions of one instruction.
    pub repetitions: u64,
}

impl Cost {
    #[must_use]
    pub fn whole(self) -> u64 {
        self.to_socket + self.afterwards
    }

    fn add(&mut self, instructions: u64, spot: &Spot) {
        if spot.repeated {
            self.repetitions += instructions;
        }
        if spot.arrived {
            self.afterwards += instructions;
        } else {
            self.to_socket += instructions;
        }
    }
}

/// A stage of a packet's way.
#[derive(Debug, Serialize)]
pub struct Part {
    pub stage: Stage,
    #[serde(flatten)]
    pub cost: Cost,
    /// The functions of it, without what they call.
    pub functions: BTreeMap<String, Cost>,
}

/// What a packet costs, of which the way to the socket is the median one of all packets.
#[derive(Debug, Serialize)]
pub struct Column {
    pub name: String,
    pub packets: u32,
    /// The mean of all packets' sums up to the socket.
    pub mean: f64,
    /// The mean time from arrival to socket, as the NIC has measured it.
    pub measured: f64,
    pub stages: Vec<Part>,
}

impl Column {
    /// What a recording says.
    ///
    /// # Errors
    ///
    /// Packets that are not found in it one by one.
    pub fn new(told: &Told, recording: &[Run]) -> Result<Self> {
        let windows = packet::windows(recording, &told.symbols);
        let mut packets: Vec<_> = windows.iter().filter(|it| it.arrivals == 1).collect();

        ensure!(
            packets.len() == told.received as usize && !packets.is_empty(),
            "column {}: of {} packets, {} are found",
            told.name,
            told.received,
            packets.len()
        );
        packets.sort_by_key(|it| to_socket(it));
        let sum: u64 = packets.iter().map(|it| to_socket(it)).sum();
        Ok(Self {
            name: told.name.clone(),
            packets: told.received,
            mean: sum as f64 / f64::from(told.received),
            measured: told.mean_ns(),
            stages: parts(packets[packets.len() / 2], told),
        })
    }

    /// The sum of the stages.
    #[must_use]
    pub fn sum(&self) -> Cost {
        self.stages.iter().fold(Cost::default(), |sum, part| Cost {
            to_socket: sum.to_socket + part.cost.to_socket,
            afterwards: sum.afterwards + part.cost.afterwards,
            repetitions: sum.repetitions + part.cost.repetitions,
        })
    }

    /// How far the stages are from what the NIC has measured, in per cent of that.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.mean / self.measured - 1.0) * 100.0
    }

    /// Whether the stages are to be believed.
    ///
    /// # Errors
    ///
    /// A sum that is not what the NIC has measured, or a stage that every packet of the plain kernel
    /// passes and this one did not.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.deviation().abs() <= TOLERANCE,
            "column {}: the stages are {:.1} % off what the NIC has measured",
            self.name,
            self.deviation()
        );
        for part in &self.stages {
            ensure!(
                self.name != "vanilla" || part.stage.is_ours() || part.cost.whole() > 0,
                "no packet of the plain kernel came by stage '{}'",
                part.stage.label()
            );
        }
        Ok(())
    }
}

fn to_socket(window: &Window) -> u64 {
    window.cost(|spot| !spot.arrived)
}

fn parts(packet: &Window, told: &Told) -> Vec<Part> {
    let mut parts: Vec<_> = Stage::ALL
        .into_iter()
        .map(|stage| Part {
            stage,
            cost: Cost::default(),
            functions: BTreeMap::new(),
        })
        .collect();

    for (spot, &instructions) in &packet.costs {
        let name = spot.function.map(|it| told.symbols.get(it).label());
        let part = &mut parts[spot.stage as usize];

        part.cost.add(instructions, spot);
        part.functions
            .entry(name.unwrap_or_else(|| "not the kernel's".to_owned()))
            .or_default()
            .add(instructions, spot);
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::symbols::Symbols;

    /// One packet: eight instructions to the socket, of which two in the driver, and four after.
    fn column(received: u32, total_ns: u64) -> Result<Column> {
        let text = "ffffffff81000000 t halt\nffffffff81000100 t asm_sysvec_apic_timer_interrupt\n\
                    ffffffff81000200 t netif_receive_skb\nffffffff81000300 t udp_queue_rcv_skb\n\
                    ffffffffc0000000 t nic_poll [simnic]\nffffffffc0000100 t process_backlog\n\
                    ffffffffc0000200 t knet_ktime_ns [simnic]\nffffffffc0000300 t handle_softirqs";
        let told = Told {
            name: "vanilla".to_owned(),
            symbols: Rc::new(Symbols::parse(text.lines()).unwrap()),
            received,
            total_ns,
        };
        let runs = [
            (0x8100_0001, 9),
            (0x8100_0100, 1),
            (0xc000_0300, 1),
            (0xc000_0000, 2),
            (0xc000_0300 + 1, 1),
            (0xc000_0100, 1),
            (0x8100_0200, 1),
            (0x8100_0300, 1),
            (0xc000_0200, 4),
            (0x8100_0001, 9),
        ];
        let recording = runs.map(|(start, count)| Run {
            start: 0xffff_ffff_0000_0000 | start,
            count,
        });

        Column::new(&told, &recording)
    }

    #[test]
    fn a_packet_in_parts() {
        let column = column(1, 8).unwrap();
        let cost = |stage: Stage| column.stages[stage as usize].cost;

        assert_eq!(cost(Stage::Driver).to_socket, 2);
        assert_eq!(cost(Stage::Softirq).to_socket, 2);
        assert_eq!(cost(Stage::Inner).whole(), 1);
        assert_eq!((column.sum().to_socket, column.sum().afterwards), (8, 4));
        let socket = &column.stages[Stage::Socket as usize];
        assert_eq!(socket.functions["knet_ktime_ns [simnic]"].afterwards, 4);
    }

    #[test]
    fn packets_that_are_not_found_are_an_error() {
        assert!(column(2, 16).is_err());
    }

    #[test]
    fn sums_have_to_be_what_was_measured() {
        let why = |total_ns| {
            column(1, total_ns)
                .unwrap()
                .check()
                .unwrap_err()
                .to_string()
        };

        assert_eq!(
            why(10),
            "column vanilla: the stages are -20.0 % off what the NIC has measured"
        );
        assert_eq!(why(8), "no packet of the plain kernel came by stage 'GRO'");
    }
}
