// SPDX-License-Identifier: GPL-2.0

//! Turns of the gate: when they say that the queues behind it are empty.

use prism_host::classify::quiet::{
    Found,
    Quiet,
    QUIET_TURNS,
    TURNS_MAX, //
};
use proptest::prelude::*;

/// What happens before a turn, and whether something is held then.
#[derive(Clone, Copy, Debug)]
struct Step {
    packets: u32,
    is_held: bool,
    starts: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (prop_oneof![3 => Just(0u32), 1 => 1u32..3], 0u8..8, 0u8..16).prop_map(
        |(packets, held, starts)| Step {
            packets,
            is_held: held > 0,
            starts: starts == 0,
        },
    )
}

/// What the last of `steps` has to find: the queues are empty where, since something is held without a
/// break, nothing came before any of the last turns, or there were that many.
fn found(steps: &[Step]) -> Found {
    let (last, earlier) = steps.split_last().expect("there is a step");
    if !last.is_held {
        return Found::Nothing;
    }
    let mut run = 1;
    if !last.starts {
        for step in earlier.iter().rev() {
            if !step.is_held {
                break;
            }
            run += 1;
            if step.starts {
                break;
            }
        }
    }
    let turns = &steps[steps.len() - run..];
    // Before the first of them, anything may have come.
    let quiet = turns[1..].iter().rev().take_while(|step| step.packets == 0);

    if run > TURNS_MAX as usize || quiet.count() >= QUIET_TURNS as usize {
        Found::Quiet
    } else {
        Found::Busy { is_first: run == 1 }
    }
}

proptest! {
    #[test]
    fn turns_tell_what_their_history_tells(
        start in any::<u32>(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let quiet = Quiet::default();
        let mut received = start;

        for (at, step) in steps.iter().enumerate() {
            received = received.wrapping_add(step.packets);
            if step.starts {
                quiet.start();
            }
            prop_assert_eq!(quiet.turn(step.is_held, received), found(&steps[..=at]));
        }
    }
}

#[test]
fn a_turn_with_nothing_held_counts_none() {
    let quiet = Quiet::default();

    for _ in 0..5 {
        assert_eq!(quiet.turn(false, 7), Found::Nothing);
    }
    assert_eq!(quiet.turn(true, 7), Found::Busy { is_first: true });
    assert_eq!(quiet.turn(true, 7), Found::Busy { is_first: false });
    assert_eq!(quiet.turn(false, 7), Found::Nothing);
    assert_eq!(quiet.turn(true, 7), Found::Busy { is_first: true });
    assert_eq!(quiet.turn(true, 7), Found::Busy { is_first: false });
    assert_eq!(quiet.turn(true, 7), Found::Quiet);
}

#[test]
fn what_comes_all_the_time_is_not_waited_for_for_ever() {
    let quiet = Quiet::default();
    let turns = (0..).take_while(|turn| quiet.turn(true, *turn) != Found::Quiet);

    assert_eq!(turns.count(), TURNS_MAX as usize);
}
