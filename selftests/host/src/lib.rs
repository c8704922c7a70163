// SPDX-License-Identifier: GPL-2.0

//! The classification of packets, built for the host: the very files that are in the module.

#![no_std]
#![forbid(unsafe_code)]
// What could panic in the kernel.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[path = "../../../prism/classify/mod.rs"]
pub mod classify;
