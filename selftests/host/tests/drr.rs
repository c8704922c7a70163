// SPDX-License-Identifier: GPL-2.0

//! Tests of the sharing of turns.

use prism_host::classify::drr::{
    Drr,
    PACKET_COST,
    WEIGHT_MAX, //
};
use proptest::prelude::*;

const QUEUES: usize = 3;

/// Serves `packets` times from queues that are never empty; what each has spent.
fn spent(weights: [u32; QUEUES], sizes: [u32; QUEUES], packets: usize) -> [u64; QUEUES] {
    let mut drr = Drr::<QUEUES>::new();
    let mut spent = [0; QUEUES];

    for _ in 0..packets {
        let queue = drr.next(|_| true, |queue| weights[queue]).unwrap();

        drr.spend(queue, sizes[queue]);
        spent[queue] += u64::from(sizes[queue] + PACKET_COST);
    }
    spent
}

#[test]
fn nothing_waits() {
    assert_eq!(Drr::<QUEUES>::new().next(|_| false, |_| 1), None);
}

#[test]
fn alone_it_is_always_served() {
    let mut drr = Drr::<QUEUES>::new();

    for _ in 0..1000 {
        assert_eq!(drr.next(|queue| queue == 2, |_| 1), Some(2));
        drr.spend(2, 65_535);
    }
    // What it spent alone is not held against it.
    let first: Vec<_> = (0..20)
        .map(|_| {
            let queue = drr.next(|queue| queue != 1, |_| 1).unwrap();
            drr.spend(queue, 100);
            queue
        })
        .collect();
    assert!(first.contains(&2) && first.contains(&0), "{first:?}");
}

#[test]
fn who_was_empty_has_saved_nothing() {
    let mut drr = Drr::<QUEUES>::new();
    let mut serve = |waits: fn(usize) -> bool| {
        let queue = drr.next(waits, |_| 1).unwrap();

        // As much as is earned in a round.
        drr.spend(queue, 0);
        queue
    };

    for _ in 0..100 {
        serve(|queue| queue != 0);
    }
    let run = (0..100).take_while(|_| serve(|_| true) == 0).count();
    assert!(run <= 1, "{run} in a row");
}

#[test]
fn weights_hold() {
    let spent = spent([8, 4, 1], [100, 100, 100], 13_000);
    let total: u64 = spent.iter().sum();

    for (spent, weight) in spent.iter().zip([8, 4, 1]) {
        let share = total * weight / 13;
        assert!(spent.abs_diff(share) * 50 < share, "{spent} for {share}");
    }
}

#[test]
fn a_packet_costs_more_than_its_bytes() {
    // With equal weights, small packets are not served 24 times as often as large ones.
    let spent = spent([1, 1, 1], [60, 60, 1440], 10_000);
    let packets = |queue: usize, size: u32| spent[queue] / u64::from(size + PACKET_COST);

    assert!(packets(0, 60) < 2 * packets(2, 1440));
}

proptest! {
    /// What was spent differs from the share by a round and a packet at most.
    #[test]
    fn shares(
        weights in prop::array::uniform3(1..=WEIGHT_MAX),
        sizes in prop::array::uniform3(0..=65_535u32),
        packets in 1_000..20_000usize,
    ) {
        let spent = spent(weights, sizes, packets);
        let all: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        // Rounds that were completed, in what a weight of one earns.
        let rounds = spent
            .iter()
            .zip(weights)
            .map(|(&spent, weight)| spent as f64 / f64::from(weight));
        let (least, most) = rounds.fold((f64::MAX, 0f64), |(least, most), rounds| {
            (least.min(rounds), most.max(rounds))
        });
        let slack = f64::from(65_535 + 2 * PACKET_COST) + f64::from(PACKET_COST);

        prop_assert!(most - least <= slack * 2.0, "{spent:?} of {all}");
    }

    /// Whatever waits, a queue that waits is chosen, and each in finite time.
    #[test]
    fn nobody_starves(
        weights in prop::array::uniform3(0..=WEIGHT_MAX),
        steps in prop::collection::vec((0..8u8, 0..=65_535u32), 1..500),
    ) {
        let mut drr = Drr::<QUEUES>::new();

        for (waits, bytes) in steps {
            let waits = |queue: usize| waits & (1 << queue) != 0;
            match drr.next(waits, |queue| weights[queue]) {
                Some(queue) => {
                    prop_assert!(waits(queue));
                    drr.spend(queue, bytes);
                }
                None => prop_assert!((0..QUEUES).all(|queue| !waits(queue))),
            }
        }
        let mut served = [false; QUEUES];
        for _ in 0..300_000 {
            let queue = drr.next(|_| true, |queue| weights[queue]).unwrap();
            served[queue] = true;
            drr.spend(queue, 1500);
        }
        prop_assert!(served.iter().all(|&served| served), "{served:?}");
    }
}
