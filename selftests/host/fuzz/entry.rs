// SPDX-License-Identifier: GPL-2.0

//! Where libFuzzer enters a fuzz target.

/// Has `$check`, a function of a slice of bytes, called with each input.
macro_rules! entry {
    ($check:path) => {
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

            $check(data);
            0
        }
    };
}
