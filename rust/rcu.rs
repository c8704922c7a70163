// SPDX-License-Identifier: GPL-2.0

//! A pointer that the packet path reads and that can be replaced.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use core::{
    ptr,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    },
};

use kernel::prelude::*;

use crate::{
    bindings,
    context::RxContext, //
};

/// An optional box whose readers need no lock and see either the old or the new value.
///
/// # Invariants
///
/// The pointer is null or comes from [`KBox::into_raw`], and what it points at is freed only once
/// every reader that could have seen it is gone.
pub struct RcuCell<T: Send + Sync> {
    current: AtomicPtr<T>,
}

impl<T: Send + Sync> RcuCell<T> {
    /// A cell that holds nothing.
    pub const fn new() -> Self {
        // INVARIANT: The pointer is null.
        Self {
            current: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The value, for as long as the receive path is not left.
    #[inline]
    pub fn read<'a>(&'a self, _cx: &RxContext<'a>) -> Option<&'a T> {
        // The ordering pairs with the one in `swap`: what is read behind the pointer is what was
        // written before it was published.
        let current = self.current.load(Ordering::Acquire);

        // SAFETY: By the type invariants the pointer is null or valid, and it stays valid in the RCU
        // read-side section that the context stands for.
        unsafe { current.as_ref() }
    }

    /// Puts `new` in place and waits until nobody reads the old value, which is then freed.
    ///
    /// Context: process; sleeps for a grace period if there was a value.
    pub fn replace(&self, new: Option<KBox<T>>) {
        drop(self.swap(new));
    }

    /// Puts `new` in place and returns the old value as something that waits for its readers before
    /// it frees it.
    ///
    /// Context: any, but what is returned must be dropped in process context.
    pub fn swap(&self, new: Option<KBox<T>>) -> Retired<T> {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        let old = self.current.swap(new, Ordering::AcqRel);

        // SAFETY: By the type invariants the pointer came from `KBox::into_raw`; it was exchanged
        // atomically, so this is the only owner.
        let old = (!old.is_null()).then(|| unsafe { KBox::from_raw(old) });

        Retired(old)
    }
}

impl<T: Send + Sync> Default for RcuCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync> Drop for RcuCell<T> {
    fn drop(&mut self) {
        // There is no reader to wait for, as readers borrow the cell.
        drop(self.swap(None).0.take());
    }
}

/// A value that readers may still see. Dropping it waits for a grace period.
pub struct Retired<T: Send + Sync>(Option<KBox<T>>);

impl<T: Send + Sync> Retired<T> {
    /// Drops many values after a single grace period.
    ///
    /// Context: process; sleeps.
    pub fn drop_all(retired: KVec<Retired<T>>) {
        if !retired.is_empty() {
            wait_for_readers();
        }
        for mut value in retired {
            value.0.take();
        }
    }
}

impl<T: Send + Sync> Drop for Retired<T> {
    fn drop(&mut self) {
        if self.0.is_some() {
            wait_for_readers();
        }
    }
}

/// Waits until every reader that runs now has left its read-side section.
///
/// Context: process; sleeps.
pub fn wait_for_readers() {
    // SAFETY: All callers are in process context.
    unsafe { bindings::synchronize_rcu() };
}
