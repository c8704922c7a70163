// SPDX-License-Identifier: GPL-2.0

//! The models.

mod bucket;
mod cell;
mod inflight;

use std::panic::{
    catch_unwind,
    AssertUnwindSafe, //
};

/// How often a thread is interrupted at most in an interleaving, or there would be too many of them.
const INTERRUPTIONS: usize = 3;

/// Checks `model` in all interleavings.
fn check(model: fn()) {
    let mut builder = loom::model::Builder::new();

    builder.preemption_bound = Some(INTERRUPTIONS);
    builder.check(model);
}

/// Checks that some interleaving violates a property of `model`: its source is broken.
fn is_found(model: fn()) {
    let found = catch_unwind(AssertUnwindSafe(|| check(model)));

    assert!(found.is_err(), "the model does not see what is broken");
}
