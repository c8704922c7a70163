// SPDX-License-Identifier: GPL-2.0

//! Cells whose accesses loom checks.

use std::sync::OnceLock;

use loom::cell;

/// As core's. Asking for the address counts as writing the value: who gets it while somebody else may
/// still use it, as nothing orders the two, is found.
#[derive(Default)]
pub struct UnsafeCell<T> {
    accesses: OnceLock<cell::UnsafeCell<()>>,
    value: std::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    /// A cell with `value`.
    pub const fn new(value: T) -> Self {
        Self {
            accesses: OnceLock::new(),
            value: std::cell::UnsafeCell::new(value),
        }
    }

    /// The address of the value.
    pub fn get(&self) -> *mut T {
        let accesses = self.accesses.get_or_init(|| cell::UnsafeCell::new(()));

        accesses.with_mut(|_| ());
        self.value.get()
    }
}
