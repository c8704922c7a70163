// SPDX-License-Identifier: GPL-2.0

//! Values of which each CPU has its own, to change on the packet path without locks.

use core::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};

use kernel::prelude::*;

use crate::{
    context::RxContext,
    percpu::PerCpu, //
};

/// One `T` for each possible CPU, which only that CPU uses, one at a time.
pub struct Local<T: Send>(PerCpu<Cell<T>>);

/// A CPU's value.
///
/// # Invariants
///
/// Once the cell is shared, only the CPU whose it is touches it, and only in the context that an
/// [`RxContext`] stands for, in which nothing else runs on that CPU that does. Who changed `is_taken`
/// from `false` to `true` has exclusive access to `value` until he changes it back.
struct Cell<T> {
    is_taken: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: By the type invariants at most one thread has access to the value.
unsafe impl<T: Send> Sync for Cell<T> {}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self {
            is_taken: AtomicBool::new(false),
            value: UnsafeCell::new(None),
        }
    }
}

impl<T: Send> Local<T> {
    /// A value for each possible CPU, made by `make`.
    ///
    /// Context: process; may sleep.
    pub fn new(mut make: impl FnMut() -> Result<T>) -> Result<Self> {
        let cells: PerCpu<Cell<T>> = PerCpu::new()?;

        for cell in cells.iter() {
            let value = make()?;

            // SAFETY: Nobody else knows the cells yet.
            unsafe { *cell.value.get() = Some(value) };
        }
        // INVARIANT: The cells are reached through `with` alone from here on.
        Ok(Self(cells))
    }

    /// Calls `f` with this CPU's value, unless this is called by such an `f`.
    #[inline]
    pub fn with<R>(&self, cx: &RxContext<'_>, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.with_option(cx, |value| value.map(f))
    }

    /// Calls `f` with this CPU's value, or without one if this is called by such an `f`.
    #[inline]
    pub fn with_option<R>(&self, cx: &RxContext<'_>, f: impl FnOnce(Option<&mut T>) -> R) -> R {
        let cell = self.0.get(cx);

        // Not exchanged atomically: by the type invariants no other CPU does this.
        if cell.is_taken.load(Ordering::Relaxed) {
            return f(None);
        }
        cell.is_taken.store(true, Ordering::Relaxed);
        // SAFETY: By the type invariants, as this has just changed `is_taken`.
        let result = f(unsafe { &mut *cell.value.get() }.as_mut());

        cell.is_taken.store(false, Ordering::Relaxed);
        result
    }
}
