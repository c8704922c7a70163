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
