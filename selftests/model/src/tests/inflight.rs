// SPDX-License-Identifier: GPL-2.0

//! `rust/inflight.rs`: the packet that a CPU runs to completion.
//!
//! Models: two CPUs, each of which runs two packets to completion, one after the other, in memory that both
//! take from the same two places and give back inside the run: so what one has freed is soon a packet of
//! the other's, or its own next one. Before, inside and behind the runs hooks ask whether a packet is in
//! flight: the CPU's own, one that it makes inside a run in other memory, and behind its last run one that
//! may have the address of the packet that was.
//!
//! Property: a hook finds a packet in flight only if it is the one that this CPU has set, inside the run
//! that has set it, and not once that is finished. Broken: what was set is not cleared, or all CPUs share
//! a cell.
//!
//! Leaves out: a packet that is made inside a run in the memory of the one in flight, which the egress
//! hook tells by its interface: spin/flight.pml has that.

use std::sync::{
    atomic::{
        AtomicBool,
        Ordering, //
    },
    Mutex, //
};

use loom::{
    sync::Arc,
    thread, //
};

use crate::{
    bindings::sk_buff,
    context::RxContext, //
};

/// Memory for two packets, by its addresses.
struct Memory(Mutex<Vec<usize>>);

impl Memory {
    fn alloc(&self) -> usize {
        self.0.lock().unwrap().pop().unwrap()
    }

    fn free(&self, packet: usize) {
        self.0.lock().unwrap().push(packet);
    }
}

fn at(packet: usize) -> *mut sk_buff {
    std::ptr::without_provenance_mut(packet)
}

/// A packet for which there is other memory.
const REPLY: usize = 0x9000;

macro_rules! model {
    ($inflight:path) => {{
        use $inflight as InFlight;

        let shared = Arc::new((
            InFlight::new().unwrap(),
            Memory(Mutex::new(vec![0x1000, 0x2000])),
        ));
        // Loom hears of it here.
        for cpu in 0..2 {
            shared.0.run(&RxContext::of(cpu), at(REPLY), || ());
        }
        // Told at the end, as nothing of loom's may be left then.
        let violated = std::sync::Arc::new(AtomicBool::new(false));
        let run = |cpu: usize, violated: &AtomicBool, (inflight, memory): &(InFlight, Memory)| {
            let cx = RxContext::of(cpu);
            let is = |right: bool| {
                violated.fetch_or(!right, Ordering::Relaxed);
            };

            for _ in 0..2 {
                let packet = memory.alloc();

                is(!inflight.is_busy(&cx));
                is(!inflight.holds(&cx, at(packet)));
                inflight.run(&cx, at(packet), || {
                    is(inflight.holds(&cx, at(packet)));
                    is(!inflight.holds(&cx, at(REPLY)));
                    is(inflight.is_busy(&cx));
                    inflight.finish(&cx);
                    memory.free(packet);
                    is(!inflight.holds(&cx, at(packet)));
                    is(inflight.is_busy(&cx));
                });
                is(!inflight.holds(&cx, at(packet)));
            }
        };

        let other = (violated.clone(), shared.clone());
        let cpu = thread::spawn(move || run(1, &other.0, &other.1));
        run(0, &violated, &shared);
        cpu.join().unwrap();
        drop(shared);
        assert!(!violated.load(Ordering::Relaxed));
    }};
}

#[test]
fn only_what_this_run_has_set() {
    super::check(|| model!(crate::inflight::InFlight));
}

#[test]
fn not_cleared() {
    super::is_found("!violated.load", || {
        model!(crate::broken::inflight_not_cleared::InFlight)
    });
}

#[test]
fn of_all_cpus() {
    super::is_found("!violated.load", || {
        model!(crate::broken::inflight_of_all_cpus::InFlight)
    });
}
