// SPDX-License-Identifier: GPL-2.0

//! A limit on what users can make the module log.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use crate::bindings;

/// Whether there is room in the log for one more line that a user causes: 100 in a second. The kernel
/// logs how many there was no room for.
///
/// Context: any.
pub fn may_log() -> bool {
    // SAFETY: May be called in any context.
    unsafe { bindings::knet_may_log() }
}
