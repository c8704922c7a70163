// SPDX-License-Identifier: GPL-2.0

//! Prints the frequency of this machine's time stamp counter, in kHz.
//!
//! A guest without KVM reads that counter as it is, but where processors are scarce it errs by a factor
//! when it measures the frequency against a timer that is emulated. So it is told.

use std::{
    thread,
    time::{
        Duration,
        Instant, //
    },
};

/// How long one measurement takes.
const PERIOD: Duration = Duration::from_millis(50);

fn main() {
    let mut measured: Vec<u64> = (0..5).map(|_| measure()).collect();

    measured.sort_unstable();
    println!("{}", measured[measured.len() / 2]);
}

/// One measurement, in kHz.
fn measure() -> u64 {
    let (from, start) = (ticks(), Instant::now());

    thread::sleep(PERIOD);
    let (to, elapsed) = (ticks(), start.elapsed());
    (to.wrapping_sub(from) as f64 / elapsed.as_secs_f64() / 1e3).round() as u64
}

fn ticks() -> u64 {
    // SAFETY: Every x86-64 processor has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}
