// SPDX-License-Identifier: GPL-2.0

//! `rust/cell.rs`: a value that is given to one at a time.
//!
//! Models: two threads, each of which wants the value twice.
//!
//! Property: who has the value has it alone, and sees what those before have done with it; once he is
//! through it is free again. Broken: the flag is not exchanged at once, is released in no order, or is
//! not released.
//!
//! Leaves out: that it is free at the end where somebody was turned away meanwhile. Loom lets his exchange
//! come behind the release that it was before. That a function that was given the value may panic, which ends the kernel.

use loom::{
    sync::Arc,
    thread, //
};

macro_rules! model {
    ($cell:path) => {{
        use $cell as TryCell;

        let cell = Arc::new(TryCell::new(0u32));
        // Loom hears of it here.
        for _ in 0..2 {
            assert!(cell.try_with(|_| ()).is_some());
        }

        let other = cell.clone();
        let thread = thread::spawn(move || wanted(|f| other.try_with(f)));
        let given = wanted(|f| cell.try_with(f)) + thread.join().unwrap();

        match cell.try_with(|value| *value) {
            Some(value) => assert_eq!(value, given),
            None => assert!(given < 4),
        }
    }};
}

/// Wants the value twice, and counts in it how often it was given.
fn wanted(mut try_with: impl FnMut(&mut dyn FnMut(&mut u32)) -> Option<()>) -> u32 {
    let mut given = 0;

    for _ in 0..2 {
        let count = &mut |value: &mut u32| {
            let before = *value;
            thread::yield_now();
            *value = before + 1;
        };
        given += u32::from(try_with(count).is_some());
    }
    given
}

#[test]
fn one_at_a_time() {
    super::check(|| model!(crate::try_cell::TryCell));
}

#[test]
fn not_exchanged() {
    super::is_found("Concurrent write accesses", || {
        model!(crate::broken::cell_not_exchanged::TryCell)
    });
}

#[test]
fn relaxed_release() {
    super::is_found("Concurrent write accesses", || {
        model!(crate::broken::cell_relaxed_release::TryCell)
    });
}

#[test]
fn not_released() {
    super::is_found("try_with(|_| ()).is_some()", || {
        model!(crate::broken::cell_not_released::TryCell)
    });
}
