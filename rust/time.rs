// SPDX-License-Identifier: GPL-2.0

//! Time on the packet path.

use crate::bindings;

/// Monotonic time in nanoseconds. Cheap, and callable in any context.
///
/// Source: `ktime_get_mono_fast_ns()`.
#[inline]
pub fn now_ns() -> u64 {
    // SAFETY: May be called in any context.
    unsafe { bindings::knet_ktime_ns() }
}

/// The kernel's ticks since some moment, of which there are [`ticks_of`] in a time. Wraps around.
///
/// Source: `jiffies`. A read of memory, where [`now_ns`] asks a clock.
#[inline]
pub fn ticks() -> u32 {
    // SAFETY: The variable is always there; who reads it gets some value of it.
    unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) as u32 }
}

/// How many ticks pass in `us` microseconds, rounded up.
pub fn ticks_of(us: u32) -> u32 {
    // SAFETY: May be called in any context.
    unsafe { bindings::knet_usecs_to_jiffies(us) }
}
