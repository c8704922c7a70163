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

/// Checks that some interleaving violates a property of `model`, which panics with `what` then: its source
/// is broken.
fn is_found(what: &str, model: fn()) {
    let found = catch_unwind(AssertUnwindSafe(|| check(model)));
    let why = found.expect_err("the model does not see what is broken");
    let text = why
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| why.downcast_ref::<&str>().copied())
        .unwrap_or_default();

    assert!(text.contains(what), "it panics with another thing: {text}");
}
