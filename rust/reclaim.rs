// SPDX-License-Identifier: GPL-2.0

//! Frees what the packet path may still read without making the writer wait.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::mem;

use kernel::{
    container_of,
    new_mutex,
    prelude::*,
    sync::Mutex,
    types::Opaque, //
};

use crate::{
    bindings,
    rcu::Retired, //
};

/// How many values may wait: whoever retires more waits.
const PENDING_MAX: usize = 32;

/// Drops retired values in the background, many after one grace period.
///
/// Dropping it waits until all are dropped.
///
/// # Invariants
///
/// `work` is initialised with [`run`] and queued only by [`Reclaimer::defer`].
#[pin_data(PinnedDrop)]
pub struct Reclaimer<T: Send + Sync + 'static> {
    #[pin]
    work: Opaque<bindings::work_struct>,
    #[pin]
    pending: Mutex<KVec<Retired<T>>>,
}

// SAFETY: The work is queued and cancelled by any thread.
unsafe impl<T: Send + Sync> Send for Reclaimer<T> {}
// SAFETY: Queueing work is atomic; the values are behind a mutex.
unsafe impl<T: Send + Sync> Sync for Reclaimer<T> {}

impl<T: Send + Sync> Reclaimer<T> {
    /// A reclaimer with nothing to do.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            work <- Opaque::ffi_init(|work| {
                // INVARIANT: Initialised here.
                // SAFETY: The memory is valid for a work item and does not move.
                unsafe { bindings::knet_work_init(work, Some(run::<T>)) }
            }),
            pending <- new_mutex!(KVec::new()),
        })
    }

    /// Drops `retired` after its readers are gone.
    ///
    /// Context: process. Sleeps for a grace period only if much is pending or memory is short.
    pub fn defer(&self, retired: Retired<T>) {
        let mut pending = self.pending.lock();
        if pending.len() >= PENDING_MAX || pending.reserve(1, GFP_KERNEL).is_err() {
            drop(pending);
            return drop(retired);
        }
        // There is room. If there were none, the value would be dropped, which waits.
        let _ = pending.push(retired, GFP_KERNEL);
        drop(pending);

        // SAFETY: By the type invariants the work is initialised; `Drop` waits for it.
        unsafe { bindings::knet_work_queue(self.work.get()) };
    }

    fn take(&self) -> KVec<Retired<T>> {
        mem::take(&mut *self.pending.lock())
    }
}

#[pinned_drop]
impl<T: Send + Sync> PinnedDrop for Reclaimer<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the work is initialised, and nobody queues it any more.
        unsafe { bindings::knet_work_cancel(self.work.get()) };
        Retired::drop_all(self.take());
    }
}

/// # Safety
///
/// Called by the workqueue: `work` is that of a `Reclaimer<T>`, whose `Drop` waits for this.
unsafe extern "C" fn run<T: Send + Sync + 'static>(work: *mut bindings::work_struct) {
    let work = Opaque::cast_from(work.cast_const()).cast_mut();
    // SAFETY: By the safety requirements of this function.
    let reclaimer = unsafe { &*container_of!(work, Reclaimer<T>, work) };

    Retired::drop_all(reclaimer.take());
}
