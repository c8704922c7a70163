// SPDX-License-Identifier: GPL-2.0

//! What is looked at when something is wrong: files in `/sys/kernel/debug/prism`.
//!
//! A kernel without debugfs has none of them, and nothing else changes.

use core::{
    fmt::{
        self,
        Formatter, //
    },
    str, //
};

use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    uaccess::UserSliceReader, //
};
use knet::trace::Watching;

use crate::{
    classify::{
        histogram::{
            least,
            BUCKETS, //
        },
        rule::parse_bool,
        Class, //
    },
    datapath::Shared,
    latency::{
        Histogram,
        Histograms,
        Times, //
    },
    stats::Counter, //
};

/// More than any word that is taken.
const WORD_MAX: usize = 16;

/// The files, there until they are dropped.
#[pin_data]
pub(super) struct Debug {
    #[pin]
    counters: File<Arc<Shared>>,
    #[pin]
    enable: File<Switch>,
    #[pin]
    delivered: File<Arc<Shared>>,
    #[pin]
    waited: File<Arc<Shared>>,
    #[pin]
    delivered_by_rule: File<Arc<Shared>>,
    #[pin]
    waited_by_rule: File<Arc<Shared>>,
}

/// Turns the measurement of times on and off.
#[pin_data]
struct Switch {
    shared: Arc<Shared>,
    #[pin]
    watching: Mutex<Option<Watching>>,
}

impl Switch {
    fn new(shared: Arc<Shared>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            shared,
            watching <- new_mutex!(None),
        })
    }

    fn turn(&self, is_on: bool) -> Result {
        let mut watching = self.watching.lock();

        self.shared.rules.measure(is_on)?;
        self.shared.latency.turn(is_on);
        if !is_on {
            *watching = None;
        } else if watching.is_none() {
            *watching = Some(Watching::begin());
        }
        Ok(())
    }
}

impl Debug {
    /// Makes the files.
    ///
    /// Context: process.
    pub(super) fn new(shared: &Arc<Shared>) -> impl PinInit<Self, Error> {
        let shared = shared.clone();

        pin_init::pin_init_scope(move || {
            let dir = Dir::new(c"prism");
            let latency = dir.subdir(c"latency");

            Ok(try_pin_init!(Self {
                counters <- dir.read_callback_file(c"counters", shared.clone(), &show_counters),
                enable <- latency.read_write_callback_file(
                    c"enable",
                    Switch::new(shared.clone()),
                    &show_switch,
                    &turn_switch,
                ),
                delivered <- latency.read_callback_file(c"delivered", shared.clone(), &show_delivered),
                waited <- latency.read_callback_file(c"waited", shared.clone(), &show_waited),
                delivered_by_rule <- latency.read_callback_file(
                    c"delivered_by_rule",
                    shared.clone(),
                    &show_delivered_by_rule,
                ),
                waited_by_rule <- latency.read_callback_file(
                    c"waited_by_rule",
                    shared,
                    &show_waited_by_rule,
                ),
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
            Counter::RouteReused => row(f, shared.routes.reused_each()),
            _ => row(f, cpus().map(|(_, counts)| counts.get(counter))),
        }?;
    }
    Ok(())
}

fn show_switch(switch: &Switch, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}", u8::from(switch.watching.lock().is_some()))
}

/// Takes what rules take as `enabled`.
fn turn_switch(switch: &Switch, from: &mut UserSliceReader) -> Result {
    let mut buffer = [0; WORD_MAX];
    let word = buffer.get_mut(..from.len()).ok_or(EINVAL)?;

    from.read_slice(word)?;
    let text = str::from_utf8(word).map_err(|_| EINVAL)?;

    switch.turn(parse_bool(text).map_err(|_| EINVAL)?)
}

fn show_delivered(shared: &Arc<Shared>, f: &mut Formatter<'_>) -> fmt::Result {
    show_histograms(&shared.latency.delivered, f)
}

fn show_waited(shared: &Arc<Shared>, f: &mut Formatter<'_>) -> fmt::Result {
    show_histograms(&shared.latency.waited, f)
}

fn show_delivered_by_rule(shared: &Arc<Shared>, f: &mut Formatter<'_>) -> fmt::Result {
    show_rules(shared, f, |times| &times.delivered)
}

fn show_waited_by_rule(shared: &Arc<Shared>, f: &mut Formatter<'_>) -> fmt::Result {
    show_rules(shared, f, |times| &times.waited)
}

/// The lines of each class.
fn show_histograms(histograms: &Histograms, f: &mut Formatter<'_>) -> fmt::Result {
    Class::ALL
        .into_iter()
        .try_for_each(|class| show_buckets(f, class, |bucket| histograms.sum(class, bucket)))
}

/// The lines of each enabled rule.
fn show_rules(
    shared: &Shared,
    f: &mut Formatter<'_>,
    of: impl Fn(&Times) -> &Histogram,
) -> fmt::Result {
    shared.rules.each(|rule| match rule.times().map(&of) {
        Some(histogram) => {
            let name = rule.name().to_str().map_err(|_| fmt::Error)?;

            show_buckets(f, name, |bucket| histogram.packets(bucket))
        }
        None => Ok(()),
    })
}

/// A line for each bucket that is not empty: whose packets they are, the times from and up to which it is,
/// in ns, and how many packets are in it.
fn show_buckets(
    f: &mut Formatter<'_>,
    whose: impl fmt::Display,
    packets: impl Fn(usize) -> u64,
) -> fmt::Result {
    for bucket in 0..BUCKETS {
        let packets = packets(bucket);

        if packets != 0 {
            let (first, end) = (least(bucket), least(bucket.wrapping_add(1)));

            writeln!(f, "{whose} {first} {end} {packets}")?;
        }
    }
    Ok(())
}

/// The rest of a line.
fn row(f: &mut Formatter<'_>, mut numbers: impl Iterator<Item = u64>) -> fmt::Result {
    numbers.try_for_each(|number| write!(f, " {number}"))?;
    f.write_str("\n")
}
