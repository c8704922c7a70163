// SPDX-License-Identifier: GPL-2.0

//! What is looked at when something is wrong: files in `/sys/kernel/debug/prism`.
//!
//! A kernel without debugfs has none of them, and nothing else changes.

use core::fmt::{
    self,
    Formatter, //
};

use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    prelude::*,
    sync::Arc, //
};

use crate::{
    datapath::Shared,
    stats::Counter, //
};

/// The files, there until they are dropped.
#[pin_data]
pub(super) struct Debug {
    #[pin]
    counters: File<Arc<Shared>>,
}

impl Debug {
    /// Makes the files.
    ///
    /// Context: process.
    pub(super) fn new(shared: &Arc<Shared>) -> impl PinInit<Self, Error> {
        let shared = shared.clone();

        pin_init::pin_init_scope(move || {
            let dir = Dir::new(c"prism");

            Ok(try_pin_init!(Self {
                counters <- dir.read_callback_file(c"counters", shared, &show_counters),
            }))
        })
    }
}

/// A line for each counter, and a column for each CPU that there may be.
fn show_counters(shared: &Arc<Shared>, f: &mut Formatter<'_>) -> fmt::Result {
    let cpus = || shared.stats.each_cpu();

    f.write_str("counter")?;
    for (cpu, _) in cpus() {
        write!(f, " cpu{cpu}")?;
    }
    f.write_str("\n")?;
    for counter in Counter::ALL {
        f.write_str(counter.name().to_str().map_err(|_| fmt::Error)?)?;
        match counter {
            Counter::RouteReused => row(f, shared.routes.reused_each().map(|(_, packets)| packets)),
            _ => row(f, cpus().map(|(_, counts)| counts.get(counter))),
        }?;
    }
    Ok(())
}

/// The rest of a line.
fn row(f: &mut Formatter<'_>, mut numbers: impl Iterator<Item = u64>) -> fmt::Result {
    numbers.try_for_each(|number| write!(f, " {number}"))?;
    f.write_str("\n")
}
