// SPDX-License-Identifier: GPL-2.0

//! Round trips of one datagram at a time.

use std::{
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

use anyhow::Result;
use clap::Args;

use crate::{
    content::datagram,
    end::Ends, //
};

/// Options of `rtt`.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    ends: Ends,
    /// How many round trips.
    #[arg(long, default_value_t = 1000)]
    count: u32,
    /// Bytes of content.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Microseconds between round trips.
    #[arg(long, default_value_t = 0)]
    gap: u64,
    /// Round trips before those that count.
    #[arg(long, default_value_t = 10)]
    warm_up: u32,
}

/// Measures and prints the percentiles in microseconds.
pub fn run(options: &Options) -> Result<()> {
    let server = options.ends.receiver()?;
    let client = options.ends.sender()?;
    let done = AtomicBool::new(false);

    let times = thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0; 1 << 16];
            while !done.load(Ordering::Acquire) {
                if let Ok((len, from)) = server.recv_from(&mut buffer) {
                    let _ = server.send_to(&buffer[..len], from);
                }
            }
        });
        let times = (0..options.warm_up + options.count)
            .filter_map(|seq| {
                thread::sleep(Duration::from_micros(options.gap));
                trip(&client, seq, options.size).filter(|_| seq >= options.warm_up)
            })
            .collect::<Vec<_>>();
        done.store(true, Ordering::Release);
        times
    });

    report(options, times);
    Ok(())
}

/// The time of one round trip, if the answer is what was sent.
fn trip(client: &std::net::UdpSocket, seq: u32, size: usize) -> Option<Duration> {
    let mut question = Vec::new();
    let mut answer = vec![0; 1 << 16];
    datagram::make(seq, size, &mut question);

    let start = Instant::now();
    client.send(&question).ok()?;
    loop {
        match client.recv(&mut answer) {
            Ok(len) if answer[..len] == question => return Some(start.elapsed()),
            // One of an earlier round.
            Ok(_) => {}
            Err(_) if start.elapsed() < Duration::from_millis(300) => {}
            Err(_) => return None,
        }
    }
}

fn report(options: &Options, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times
            .get(index)
            .map_or(0.0, |time| time.as_nanos() as f64 / 1000.0)
    };

    println!(
        "sent={} received={} p50_us={:.1} p99_us={:.1}",
        options.count,
        times.len(),
        at(50),
        at(99),
    );
}
