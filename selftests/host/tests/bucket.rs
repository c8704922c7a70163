// SPDX-License-Identifier: GPL-2.0

//! The token bucket: what it never exceeds, and what it does not withhold.

mod common;

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering, //
    },
    thread, //
};

use common::cases;
use prism_host::classify::{
    bucket::{
        Local,
        BURST_MIN,
        BURST_NS, //
    },
    rule::Rate,
    Bucket, //
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn rate(rate: u32) -> Rate {
    Rate::new(rate).unwrap()
}

/// The burst that is promised at `rate`, in packets times a second.
fn burst_seconds(rate: Rate) -> u64 {
    (u64::from(rate.get()) * BURST_NS).max(BURST_MIN * SECOND)
}

/// The burst that is promised at `rate`, in whole packets.
fn burst(rate: Rate) -> u64 {
    burst_seconds(rate) / SECOND
}

/// Asserts that in no interval between two of `times`, at which packets were admitted, there were
/// more than `rate * t + burst`.
fn assert_bound(times: &[u64], rate: Rate) {
    // Both sides times a second: packet `k` at `t` has the level `k * SECOND - rate * t`, which may
    // rise by the burst.
    let level = |index: usize, time: u64| {
        index as i128 * i128::from(SECOND) - i128::from(rate.get()) * i128::from(time)
    };
    let burst = i128::from(burst_seconds(rate));
    let mut lowest = i128::MAX;

    for (index, &time) in times.iter().enumerate() {
        lowest = lowest.min(level(index, time));
        let risen = level(index + 1, time) - lowest;
        assert!(
            risen <= burst,
            "packet {index} at {time}: {risen} > {burst}"
        );
    }
}

/// Offers packets, each a gap after the one before and to one of eight CPUs, and gives the times at
/// which they were admitted.
fn admitted(rate: Rate, start: u64, packets: impl IntoIterator<Item = (u64, usize)>) -> Vec<u64> {
    let bucket = Bucket::new();
    let mut locals = [Local::default(); 8];
    let mut now = start;
    let mut times = Vec::new();

    for (gap, cpu) in packets {
        now = now.saturating_add(gap);
        if bucket.take(&mut locals[cpu], rate, now) {
            times.push(now);
        }
    }
    assert_bound(&times, rate);
    times
}

/// A random number from a counter.
fn random(counter: u64) -> u64 {
    let mixed = (counter ^ (counter >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

#[test]
fn no_limit() {
    let bucket = Bucket::new();
    let mut local = Local::default();

    for now in [0, 0, 1, u64::MAX, 0] {
        assert!(bucket.take(&mut local, Rate::UNLIMITED, now));
    }
}

#[test]
fn a_new_bucket_is_full() {
    for per_second in [1, 10, 1000, 1599, 1600, 1601, 2000] {
        let rate = rate(per_second);
        let count = admitted(rate, 0, (0..1000).map(|_| (0, 0))).len() as u64;

        // CPUs may keep a tenth of the burst, which is for them then.
        assert!(count <= burst(rate), "{per_second}: {count}");
        assert!(count >= burst(rate) * 9 / 10, "{per_second}: {count}");
    }
    assert_eq!(admitted(rate(1), 0, (0..99).map(|_| (0, 0))).len(), 16);
}

#[test]
fn one_packet_a_second() {
    // The burst, and then a packet each second.
    let times = admitted(rate(1), 5 * SECOND, (0..10_000).map(|_| (SECOND / 100, 0)));

    assert!((115..=116).contains(&times.len()), "{}", times.len());
}

#[test]
fn one_packet_a_nanosecond() {
    let times = admitted(
        rate(Rate::MAX),
        0,
        (0..100_000).map(|packet| (1, packet % 8)),
    );

    assert_eq!(times.len(), 100_000);
}

/// A flow that keeps its rate loses nothing, spread over CPUs or not.
#[test]
fn packets_within_the_rate() {
    for per_second in [100, 1000, 3000, 10_000, 100_000, 1_000_000, 10_000_000] {
        for cpus in [1, 3, 8] {
            // At 85 %, with gaps that vary from nothing to the double.
            let gap = SECOND * 100 / 85 / u64::from(per_second);
            let packets = (0..200_000u64).map(|packet| {
                (
                    random(packet) % (2 * gap + 1),
                    random(!packet) as usize % cpus,
                )
            });
            let count = admitted(rate(per_second), 0, packets).len();

            assert_eq!(count, 200_000, "{per_second} on {cpus}");
        }
    }
}

/// Of a flow that exceeds its rate, the rate is admitted, less what CPUs keep and lose.
#[test]
fn packets_beyond_the_rate() {
    for per_second in [1000, 10_000, 100_000, 1_000_000, 3_333_333] {
        for (cpus, percent) in [(1, 98), (3, 95), (8, 90)] {
            for excess in [2, 10] {
                let gap = SECOND / excess / u64::from(per_second);
                let packets = (0..400_000u64).map(|packet| {
                    (
                        random(packet) % (2 * gap + 1),
                        random(!packet) as usize % cpus,
                    )
                });
                let times = admitted(rate(per_second), 0, packets);
                let time = 400_000 * gap;
                let earned = (u64::from(per_second) * time / SECOND) as usize;

                assert!(
                    times.len() * 100 >= earned * percent,
                    "{per_second} on {cpus}, times {excess}: {} of {earned}",
                    times.len()
                );
            }
        }
    }
}

/// Packets in bursts, as NICs deliver them, keep CPUs from estimating what they use.
#[test]
fn bursts_within_the_rate() {
    // 8 CPUs, each with 32 packets at once every 4 ms: 64,000 packets per second.
    let packets = (0..100_000u64).map(|packet| {
        let gap = if packet % 32 == 0 { SECOND / 2000 } else { 0 };
        (gap, packet as usize / 32 % 8)
    });

    assert_eq!(admitted(rate(72_000), 0, packets).len(), 100_000);
}

#[test]
fn tokens_that_a_cpu_keeps_expire() {
    let bucket = Bucket::new();
    let mut local = Local::default();
    let rate = rate(100_000);
    let mut taken = 0u64;

    // Busy for some time, so that batches grow; then two seconds of nothing.
    for now in (0..20_000_000).step_by(10_000) {
        taken += u64::from(bucket.take(&mut local, rate, now));
    }
    assert_eq!(taken, 2000);
    let times = (0..5000).filter(|_| bucket.take(&mut local, rate, 2 * SECOND));
    assert!(times.count() as u64 <= burst(rate));
}

/// How many tokens each of `locals` gets at `now`, one after the other.
fn drain<const N: usize>(
    bucket: &Bucket,
    rate: Rate,
    now: u64,
    locals: [&mut Local; N],
) -> [usize; N] {
    locals.map(|local| {
        (0..100_000)
            .take_while(|_| bucket.take(local, rate, now))
            .count()
    })
}

/// A CPU that used 100 tokens in a millisecond takes twelve: one is used, eleven are left when another
/// CPU has drained the bucket.
#[test]
fn a_busy_cpu_takes_batches() {
    let bucket = Bucket::new();
    let mut busy = Local::default();
    let mut other = Local::default();
    let rate = rate(100_000);

    for packet in 0..=100 {
        assert!(bucket.take(&mut busy, rate, packet * 10_000));
    }
    let [others, kept] = drain(&bucket, rate, 1_000_000, [&mut other, &mut busy]);
    assert!(others > 800);
    assert_eq!(kept, 11);
}

/// CPUs take batches from a full bucket, which fills up again before they use them: the worst that can
/// happen.
#[test]
fn batches_and_a_full_bucket() {
    let busy = (0..8).flat_map(|cpu| (0..600).map(move |_| (1_500, cpu)));
    let silence = [(20_000_000, 0)];
    let batches = (1..8).map(|cpu| (0, cpu));
    let refill = [(900_000, 0)];
    let at_once = (0..8).flat_map(|cpu| (0..2_000).map(move |_| (0, cpu)));
    let packets = busy
        .chain(silence)
        .chain(batches)
        .chain(refill)
        .chain(at_once);

    let times = admitted(rate(1_000_000), 0, packets);
    assert!(times.len() >= 8 * 600 + 8 + 9_000, "{}", times.len());
}

/// What a CPU took and did not use says nothing about what it will use.
#[test]
fn a_cpu_that_gets_quiet_takes_single_tokens() {
    let bucket = Bucket::new();
    let mut quiet = Local::default();
    let mut other = Local::default();
    let rate = rate(1_000_000);

    for packet in 0..=1000 {
        assert!(bucket.take(&mut quiet, rate, packet * 1000));
    }
    assert!(bucket.take(&mut quiet, rate, 20_000_000));
    let [others, kept] = drain(&bucket, rate, 20_000_000, [&mut other, &mut quiet]);
    assert!(others > 8000);
    assert_eq!(kept, 0);
}

#[test]
fn the_end_of_time() {
    for per_second in [1, 1000, Rate::MAX] {
        for start in [u64::MAX - 2 * SECOND, u64::MAX - 1, u64::MAX] {
            admitted(
                rate(per_second),
                start,
                (0..1000).map(|cpu| (SECOND / 250, cpu % 8)),
            );
        }
    }
}

#[test]
fn a_clock_that_stands_or_steps_back() {
    let bucket = Bucket::new();
    let mut local = Local::default();
    let rate = rate(1000);
    let mut take = |now| {
        (0..100)
            .filter(|_| bucket.take(&mut local, rate, now))
            .count()
    };

    assert_eq!(take(SECOND), 16);
    assert_eq!(take(SECOND), 0);
    assert_eq!(take(SECOND - 1_000_000), 0);
    assert_eq!(take(SECOND + 1_000_000), 1);
}

#[test]
fn a_rate_that_changes() {
    let bucket = Bucket::new();
    let mut local = Local::default();

    for now in 0..10_000u64 {
        bucket.take(&mut local, rate(1_000_000), now * 1000);
    }
    // What is kept at the old rate is gone after a millisecond; then there is a packet a second.
    let start = SECOND;
    let times: Vec<_> = (0..10_000u64)
        .map(|packet| start + packet * 1_000_000)
        .filter(|&now| bucket.take(&mut local, rate(1), now))
        .collect();
    assert_bound(&times, rate(1));
    assert!(times.len() >= 9);
}

#[test]
fn one_that_is_filled_has_its_burst_at_any_rate() {
    let bucket = Bucket::new();
    let mut local = Local::default();
    let taken = |local: &mut Local, packets_per_second, now| {
        (0..100)
            .take_while(|_| bucket.take(local, rate(packets_per_second), now))
            .count()
    };

    assert_eq!(taken(&mut local, 1, SECOND), 16);
    assert_eq!(taken(&mut local, 1600, SECOND + 1_000_000), 0);
    bucket.fill();
    assert_eq!(taken(&mut local, 1600, SECOND + 1_000_000), 16);
}

/// Threads that share a bucket and a clock, all as fast as they can.
#[test]
fn threads() {
    const PACKETS: u64 = 200_000;
    let rate = rate(5_000_000);
    let bucket = Bucket::new();
    let clock = AtomicU64::new(0);

    let mut times: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut local = Local::default();
                    (0..PACKETS)
                        .map(|_| clock.fetch_add(50, Ordering::Relaxed))
                        .filter(|&now| bucket.take(&mut local, rate, now))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });

    times.sort_unstable();
    let earned = 4 * PACKETS * 50 * u64::from(rate.get()) / SECOND;
    assert!(times.len() as u64 <= earned + burst(rate));
    assert!(
        times.len() as u64 >= earned / 2,
        "{} of {earned}",
        times.len()
    );
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn never_more_than_rate_and_burst(
        per_second in prop_oneof![1u32..=Rate::MAX, 1u32..10_000, 1_000u32..1_000_000],
        start: u64,
        scale in 0u32..32,
        packets in prop::collection::vec((any::<u32>(), 0usize..8), 0..2000),
    ) {
        let packets = packets.into_iter().map(|(gap, cpu)| (u64::from(gap >> scale), cpu));

        admitted(rate(per_second), start, packets);
    }

    /// Bursts and silences, in turn.
    #[test]
    fn never_more_in_bursts(
        per_second in 1_000u32..10_000_000,
        bursts in prop::collection::vec((0u64..30_000_000, 1usize..500, 0usize..8), 1..60),
    ) {
        let packets = bursts.into_iter().flat_map(|(gap, count, cpu)| {
            (0..count).map(move |packet| (if packet == 0 { gap } else { 0 }, cpu))
        });

        admitted(rate(per_second), 0, packets);
    }
}
