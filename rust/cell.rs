// SPDX-License-Identifier: GPL-2.0

//! A cell for values that hardly ever two want at once.

use core::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};

/// A value that is given to one at a time, and to nobody who would have to wait for it.
///
/// Meant for a CPU's own value in a [`PerCpu`](crate::percpu::PerCpu), which is always free and in that
/// CPU's cache.
///
/// # Invariants
///
/// Who changed `is_taken` from `false` to `true` has exclusive access to `value` until he changes it
/// back.
#[derive(Default)]
pub struct TryCell<T> {
    is_taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: By the type invariants at most one thread has access to the value.
unsafe impl<T: Send> Sync for TryCell<T> {}

impl<T> TryCell<T> {
    /// A cell with `value`.
    pub const fn new(value: T) -> Self {
        Self {
            is_taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Calls `f` with the value, unless it is taken.
    ///
    /// Context: any. With preemption, others may find the value taken for long.
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        if self.is_taken.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: By the type invariants, as this has just changed `is_taken`.
        let result = f(unsafe { &mut *self.value.get() });

        self.is_taken.store(false, Ordering::Release);
        Some(result)
    }
}
