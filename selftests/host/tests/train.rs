// SPDX-License-Identifier: GPL-2.0

//! Trains: full-sized packets, back to back.

use prism_host::classify::train::{
    Train,
    CARS,
    FULL,
    HELD, //
};
use proptest::prelude::*;

/// So long that none has to go alone.
const NEVER: u32 = u32::MAX;

trait Joined {
    /// Whether a packet is part of a train, where nothing is held.
    fn is_joined(&mut self, len: u32, tick: u32) -> bool;
}

impl Joined for Train {
    fn is_joined(&mut self, len: u32, tick: u32) -> bool {
        self.keeps(len, tick, NEVER, false, || false)
    }
}

#[test]
fn one_goes_alone_in_each_term() {
    let mut train = Train::default();
    let mut kept = |tick| train.keeps(100, tick, 10, true, || false);

    assert!(!kept(50));
    assert!((51..60).all(&mut kept));
    assert!(!kept(60) && kept(61));
}

#[test]
fn what_is_held_is_not_overtaken() {
    let mut train = Train::default();

    for _ in 1..CARS {
        // Nothing was kept, so whatever is held is of others.
        assert!(!train.keeps(FULL, 7, NEVER, false, || true));
    }
    assert!(train.keeps(FULL, 7, NEVER, false, || false));
    assert!(train.keeps(100, 7, NEVER, false, || true));
    assert!(!train.keeps(100, 7, NEVER, false, || false));
    assert!(!train.keeps(100, 7, NEVER, false, || true));
    // Nor if its turn has come to go alone.
    let mut train = Train::default();
    train.keeps(FULL, 100, 10, true, || false);
    assert!(train.keeps(FULL, 101, 10, true, || false));
    assert!(train.keeps(FULL, 111, 10, true, || true));
    assert!(!train.keeps(FULL, 111, 10, true, || false));
}

#[test]
fn what_may_be_held_is_so_for_a_while() {
    let mut train = Train::default();

    assert!(!train.may_be_held(0));
    train.keeps(FULL, u32::MAX - 1, NEVER, true, || false);
    assert!(train.may_be_held(u32::MAX - 1) && train.may_be_held(HELD - 2));
    assert!(!train.may_be_held(HELD - 1));
    // Nor if what was kept is gone.
    train.keeps(FULL, 0, NEVER, true, || false);
    train.keeps(100, 0, NEVER, false, || false);
    assert!(!train.may_be_held(0));
}

#[test]
fn a_train_needs_its_cars() {
    let mut train = Train::default();

    for _ in 1..CARS {
        assert!(!train.is_joined(FULL, 7));
    }
    assert!(train.is_joined(FULL, 7) && train.is_joined(FULL + 400, 8));
    // A small packet ends it.
    assert!(!train.is_joined(FULL - 1, 8) && !train.is_joined(FULL, 8));
}

#[test]
fn a_pause_ends_it() {
    let mut train = Train::default();

    for _ in 0..CARS {
        train.is_joined(FULL, u32::MAX);
    }
    // The clock starts anew.
    assert!(train.is_joined(FULL, 0));
    assert!(!train.is_joined(FULL, 2));
}

proptest! {
    #[test]
    fn it_is_what_the_last_packets_are(packets in prop::collection::vec((0u32..3000, 0u32..3), 1..80)) {
        let mut train = Train::default();
        let mut now = 100;
        let mut row = 0;

        for (len, pause) in packets {
            now += pause;
            row = if len < FULL { 0 } else if pause > 1 { 1 } else { row + 1 };
            prop_assert_eq!(train.is_joined(len, now), row >= u32::from(CARS));
        }
    }
}
