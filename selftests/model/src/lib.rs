// SPDX-License-Identifier: GPL-2.0

//! Models of what CPUs do at the same time, checked by loom: it runs each in all interleavings, and with
//! all values that the memory model lets a load see. A thread is interrupted a few times at most.
//!
//! The very files of the module are built here, `core` and `kernel` being this crate, which has atomics
//! that loom knows. `build.rs` makes broken copies of them, of which the models have to find that they are.
//!
//! Leaves out: `compare_exchange_weak` does not fail for no reason here.

extern crate self as core;
extern crate self as kernel;

pub use std::{
    array,
    cmp,
    convert,
    ffi,
    fmt,
    hash,
    hint,
    iter,
    marker,
    mem,
    net,
    num,
    ops,
    option,
    ptr,
    result,
    slice,
    str, //
};

pub mod bindings;
pub mod cell;
pub mod context;
pub mod percpu;
pub mod prelude;
pub mod sync;

#[path = "../../../prism/classify/mod.rs"]
pub mod classify;

/// Of which the models use a part.
#[allow(dead_code)]
#[path = "../../../rust/inflight.rs"]
pub mod inflight;

/// The file of that name.
#[path = "../../../rust/cell.rs"]
pub mod try_cell;

/// Copies that are broken.
pub mod broken {
    #![allow(
        clippy::all,
        missing_docs,
        dead_code,
        unused_variables,
        unused_imports,
        unused_mut
    )]

    use crate::classify::rule;

    pub mod cell_not_exchanged {
        include!(concat!(env!("OUT_DIR"), "/cell_not_exchanged.rs"));
    }
    pub mod cell_relaxed_release {
        include!(concat!(env!("OUT_DIR"), "/cell_relaxed_release.rs"));
    }
    pub mod cell_not_released {
        include!(concat!(env!("OUT_DIR"), "/cell_not_released.rs"));
    }
    pub mod bucket_not_exchanged {
        include!(concat!(env!("OUT_DIR"), "/bucket_not_exchanged.rs"));
    }
    pub mod bucket_not_retried {
        include!(concat!(env!("OUT_DIR"), "/bucket_not_retried.rs"));
    }
    pub mod inflight_not_cleared {
        include!(concat!(env!("OUT_DIR"), "/inflight_not_cleared.rs"));
    }
    pub mod inflight_of_all_cpus {
        include!(concat!(env!("OUT_DIR"), "/inflight_of_all_cpus.rs"));
    }
}

#[cfg(test)]
mod tests;
