// SPDX-License-Identifier: GPL-2.0

//! Fuzz target: a packet is parsed two ways, which must not differ. `fuzz.sh` builds and runs it.
//!
//! The first two bytes of an input say how to take the rest, see [`input::split`].

#![no_main]
#![allow(dead_code, unreachable_pub)]

#[path = "../tests/common/build.rs"]
mod build;
mod input;
#[path = "../tests/common/oracle.rs"]
mod oracle;

/// What libFuzzer calls with each input.
///
/// # Safety
///
/// `data` points at `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> i32 {
    // SAFETY: By this function's precondition. An empty slice must not have a null pointer.
    let data = match size {
        0 => &[],
        _ => unsafe { core::slice::from_raw_parts(data, size) },
    };

    if let Some((v6, head, len)) = input::split(data) {
        let _ = oracle::check(v6, head, len);
    }
    0
}
