// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the parts of the networking core that a receive-path module needs and the
//! `kernel` crate lacks.
//!
//! Every `unsafe` block of the module is in this crate. A registration is an object: making it
//! registers, dropping it unregisters and waits until no CPU can be inside its callbacks. Packets are
//! handed to callbacks by value and must be given back as a verdict, so that none is lost or used
//! twice. A [`context::RxContext`] stands for "BH is off on this CPU, and an RCU read-side section is
//! entered"; what is per CPU or under RCU asks to be shown one.
//!
//! Not supported: transmitting packets of one's own, more than one user of a hook. With `KNET_NIC` set,
//! which the module is built without, there is also what measurements need: a NIC without hardware.

#![deny(missing_docs)]

use kernel::prelude::*;

/// Prefix of the lines that this crate logs.
const __LOG_PREFIX: &[u8] = b"prism\0";

#[allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    rustdoc::all,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
mod bindings {
    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    include!(env!("KNET_BINDINGS"));
}

pub mod cell;
pub mod configfs;
pub mod context;
pub mod errno;
pub mod express;
pub mod files;
pub mod gro;
pub mod inflight;
pub mod learnt;
pub mod local;
pub mod log;
mod met;
pub mod netdev;
pub mod netfilter;
#[cfg(KNET_NIC)]
pub mod nic;
pub mod percpu;
pub mod queue;
pub mod rcu;
pub mod receivers;
pub mod reclaim;
pub mod routes;
#[cfg(KNET_NIC)]
pub mod sink;
mod skb;
pub mod spare;
pub mod stage;
pub mod sysfs;
pub mod time;
#[cfg(not(KNET_NIC))]
pub mod trace;
pub mod underway;
pub mod veth;
pub mod vxlan;
pub mod work;

pub use skb::{
    Frame,
    Met,
    Verdict,
    HEAD_MAX, //
};

/// A random number, fit to seed a hash.
pub fn random_u64() -> u64 {
    // SAFETY: May be called in any context.
    unsafe { bindings::knet_random_u64() }
}

/// Turns what a C function returned into a [`Result`].
fn to_result(err: kernel::ffi::c_int) -> Result {
    kernel::error::to_result(err)
}
