// SPDX-License-Identifier: GPL-2.0

//! The packets of a recording: which stage, and which function in it, has executed how many
//! instructions for each.
//!
//! A packet's way is the interrupt by which its NIC says that it is there, with the softirqs behind.
//! There, a stack of calls is kept: who executes the first instruction of a function was called, and
//! who goes on within a function that is on the stack has returned to it. A function is in the stage of
//! its caller, unless a stage begins there.

use std::collections::BTreeMap;

use crate::{
    stage::{
        is_arrival,
        is_interrupt,
        is_switch,
        Stage, //
    },
    symbols::{
        Place,
        Symbols, //
    },
    trace::Run,
};

/// Where instructions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub stage: Stage,
    pub function: Option<usize>,
    /// Whether the packet is at its socket.
    pub arrived: bool,
    /// Whether it is an instruction that repeats itself, from its second time on: one that fills or
    /// copies memory. Virtual time counts each time, hardware takes many at once.
    pub repeated: bool,
}

/// An interrupt and what follows, until the processor is back at what it did.
#[derive(Debug, Default)]
pub struct Window {
    /// How many instructions each spot has taken.
    pub costs: BTreeMap<Spot, u64>,
    /// How many packets have reached their sockets.
    pub arrivals: u32,
}

impl Window {
    /// How many instructions the spots took that are so.
    pub fn cost(&self, is_so: impl Fn(&Spot) -> bool) -> u64 {
        let costs = self.costs.iter().filter(|(spot, _)| is_so(spot));

        costs.map(|(_, cost)| cost).sum()
    }
}

/// A call.
struct Frame {
    function: Option<usize>,
    stage: Stage,
}

/// A window as it is read.
struct Open {
    window: Window,
    /// What was interrupted.
    interrupted: Option<usize>,
    /// The innermost call is the last.
    calls: Vec<Frame>,
}

impl Open {
    /// The stage that executes.
    fn stage(&self) -> Stage {
        self.calls.last().map_or(Stage::Interrupt, |it| it.stage)
    }

    /// Follows the processor to `place`. False where that is outside of the window.
    fn go(&mut self, place: Place, symbols: &Symbols) -> bool {
        let function = place.function.map(|it| symbols.get(it));

        if place.is_entry {
            if function.is_some_and(is_switch) {
                return false;
            }
            self.call(place, symbols);
        } else if let Some(depth) = self.depth(place.function) {
            self.calls.truncate(depth + 1);
        } else if place.function == self.interrupted {
            return false;
        } else {
            // A jump into the middle of a function, as assembly has it.
            self.call(place, symbols);
        }
        true
    }

    fn depth(&self, function: Option<usize>) -> Option<usize> {
        self.calls.iter().rposition(|it| it.function == function)
    }

    fn call(&mut self, place: Place, symbols: &Symbols) {
        let mut stage = self.stage();

        if let Some(function) = place.function.map(|it| symbols.get(it)) {
            if is_interrupt(function) {
                stage = Stage::Interrupt;
            } else {
                stage = stage.of_call(function);
            }
            if is_arrival(stage, function) {
                self.window.arrivals += 1;
            }
        }
        self.calls.push(Frame {
            function: place.function,
            stage,
        });
    }

    fn spend(&mut self, instructions: u16, repeated: bool) {
        let spot = Spot {
            stage: self.stage(),
            function: self.calls.last().and_then(|it| it.function),
            arrived: self.window.arrivals > 0,
            repeated,
        };

        *self.window.costs.entry(spot).or_default() += u64::from(instructions);
    }
}

/// The windows of a recording.
#[must_use]
pub fn windows(recording: &[Run], symbols: &Symbols) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut open: Option<Open> = None;
    let mut before = Run::BEGIN;

    for run in recording {
        let place = symbols.find(run.start);
        let function = place.function.map(|it| symbols.get(it));

        if open.is_none() && place.is_entry && function.is_some_and(is_interrupt) {
            open = Some(Open {
                window: Window::default(),
                interrupted: symbols.find(before.start).function,
                calls: Vec::new(),
            });
        }
        if let Some(mut it) = open.take() {
            if it.go(place, symbols) {
                it.spend(run.count, *run == before && run.count == 1);
                open = Some(it);
            } else {
                windows.push(it.window);
            }
        }
        before = *run;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "pv_native_safe_halt",
        "asm_sysvec_apic_timer_interrupt",
        "handle_softirqs",
        "__schedule",
        "nic_poll\t[simnic]",
        "gro_receive_skb",
        "receive\t[prism]",
        "netif_receive_skb",
        "encap_rcv\t[prism]",
        "__dev_queue_xmit",
        "udp_queue_rcv_skb",
        "knet_ktime_ns\t[simnic]",
    ];
    const BASE: u64 = 0xffff_ffff_8100_0000;

    fn symbols() -> Symbols {
        let lines: Vec<_> = (BASE..)
            .step_by(0x100)
            .zip(NAMES)
            .map(|(address, name)| format!("{address:x} t {name}"))
            .collect();

        Symbols::parse(lines.iter().map(String::as_str)).unwrap()
    }

    /// A trace from words: `>NAME` enters a function, `NAME` goes on in it. Each is as many
    /// instructions as its place in the text, counted from 1.
    fn trace(text: &str) -> Vec<Run> {
        let run = |(word, count): (&str, u16)| {
            let name = word.trim_start_matches('>');
            let index = NAMES.iter().position(|it| it.starts_with(name)).unwrap();
            let start = BASE + 0x100 * index as u64 + u64::from(name.len() == word.len());

            Run { start, count }
        };

        text.split_whitespace().zip(1..).map(run).collect()
    }

    fn costs(window: &Window) -> Vec<(Stage, u64)> {
        let costs = Stage::ALL.map(|stage| (stage, window.cost(|spot| spot.stage == stage)));

        costs.into_iter().filter(|(_, cost)| *cost > 0).collect()
    }

    const IN: &str = "pv >asm >handle >nic >gro";
    const OUT: &str = "gro nic handle asm pv";

    #[test]
    fn a_function_is_in_the_stage_of_its_caller() {
        let windows = windows(&trace(&format!("{IN} {OUT}")), &symbols());

        assert_eq!(windows.len(), 1);
        assert_eq!(windows[0].arrivals, 0);
        assert_eq!(
            costs(&windows[0]),
            [
                (Stage::Interrupt, 2 + 9),
                (Stage::Softirq, 3 + 8),
                (Stage::Driver, 4 + 7),
                (Stage::Gro, 5 + 6),
            ]
        );
    }

    #[test]
    fn a_packet_runs_to_completion() {
        let way = ">receive >netif >encap >netif >__dev >netif >udp >knet";
        let back = "udp netif __dev netif encap netif receive";
        let windows = windows(&trace(&format!("{IN} {way} {back} {OUT}")), &symbols());

        assert_eq!(windows.len(), 1);
        assert_eq!(windows[0].arrivals, 1);
        assert_eq!(
            costs(&windows[0]),
            [
                (Stage::Interrupt, 2 + 24),
                (Stage::Softirq, 3 + 23),
                (Stage::Driver, 4 + 22),
                (Stage::Gro, 5 + 21),
                (Stage::Hook, 6 + 20),
                (Stage::Outer, 7 + 19),
                (Stage::Decapsulation, 8 + 18),
                (Stage::Bridge, 9 + 17),
                (Stage::Veth, 10 + 16),
                (Stage::Inner, 11 + 15),
                (Stage::Socket, 12 + 13 + 14),
            ]
        );
        assert_eq!(
            windows[0].cost(|spot| !spot.arrived),
            (2..=12).sum::<u64>(),
            "the moment of arrival is where the clock is read"
        );
    }

    #[test]
    fn who_jumps_instead_of_calling_does_not_return() {
        // gro jumps to netif, which returns to who called gro.
        let windows = windows(
            &trace(&format!("{IN} >netif nic handle asm pv")),
            &symbols(),
        );

        assert_eq!(
            costs(&windows[0])[2..],
            [(Stage::Driver, 4 + 7), (Stage::Gro, 5), (Stage::Outer, 6)]
        );
    }

    #[test]
    fn an_interrupt_within_is_none_of_the_stage() {
        let windows = windows(&trace(&format!("{IN} >asm asm {OUT}")), &symbols());

        assert_eq!(windows.len(), 1);
        assert_eq!(costs(&windows[0])[0], (Stage::Interrupt, 2 + 6 + 7 + 11));
        assert_eq!(costs(&windows[0])[3], (Stage::Gro, 5 + 8));
    }

    #[test]
    fn repetitions_are_told_apart() {
        let mut trace = trace(&format!("{IN} {OUT}"));
        let once = Run {
            count: 1,
            ..trace[5]
        };
        trace.splice(5..6, [once; 4]);
        let windows = windows(&trace, &symbols());

        assert_eq!(costs(&windows[0])[3], (Stage::Gro, 5 + 4));
        assert_eq!(windows[0].cost(|spot| spot.repeated), 3);
    }

    #[test]
    fn a_window_ends_where_another_task_is_next() {
        let windows = windows(&trace("pv >asm >__schedule asm pv >asm pv"), &symbols());

        let costs: Vec<_> = windows.iter().map(costs).collect();
        assert_eq!(
            costs,
            [[(Stage::Interrupt, 2)], [(Stage::Interrupt, 6)]],
            "what follows a switch is of no packet"
        );
    }
}
