// SPDX-License-Identifier: GPL-2.0

//! Work that is done later, in process context.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use kernel::{
    container_of,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

use crate::bindings;

/// What is to be done.
pub trait Run: Send + Sync + 'static {
    /// Does it. Never runs twice at a time. In how many milliseconds it is to be done again, if it is.
    ///
    /// Context: process; may sleep.
    fn run(&self) -> Option<u32>;
}

/// Something to be done, which can be queued.
///
/// Dropping it takes it off the queue, or waits until it is done.
///
/// # Invariants
///
/// `work` is initialised with [`run`] and queued only by [`Work::queue`].
#[pin_data(PinnedDrop)]
pub struct Work<T: Run> {
    #[pin]
    work: Opaque<bindings::knet_work>,
    #[pin]
    target: T,
}

// SAFETY: The work is queued and cancelled by any thread; `T` is `Send`.
unsafe impl<T: Run> Send for Work<T> {}
// SAFETY: Queueing work is atomic; `T` is `Sync`.
unsafe impl<T: Run> Sync for Work<T> {}

impl<T: Run> Work<T> {
    /// Work that does what `target` does. To lockdep, all of a class is the same work: what one does while
    /// it is waited for, all may.
    pub fn new(
        target: impl PinInit<T, Error>,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            work <- Opaque::ffi_init(move |work| {
                // INVARIANT: Initialised here.
                // SAFETY: The memory is valid for a work item and does not move; the class is static.
                unsafe { bindings::knet_work_init(work, Some(run::<T>), class.as_ptr().cast()) }
            }),
            target <- target,
        })
    }

    /// Has it done in `delay_ms` milliseconds, unless it is queued already.
    ///
    /// Context: any.
    pub fn queue(&self, delay_ms: u32) {
        // SAFETY: By the type invariants the work is initialised; `Drop` waits for it.
        unsafe { bindings::knet_work_queue(self.work.get(), delay_ms) };
    }

    /// Has it done now, even if it is queued for later.
    ///
    /// Context: any.
    pub fn hasten(&self) {
        // SAFETY: As above.
        unsafe { bindings::knet_work_hasten(self.work.get()) };
    }

    /// What does the work.
    pub fn target(&self) -> &T {
        &self.target
    }
}

#[pinned_drop]
impl<T: Run> PinnedDrop for Work<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the work is initialised, and nobody queues it any more.
        unsafe { bindings::knet_work_cancel(self.work.get()) };
    }
}

/// # Safety
///
/// Called by the workqueue: `work` is that of a `Work<T>`, whose `Drop` waits for this.
unsafe extern "C" fn run<T: Run>(work: *mut bindings::knet_work) {
    let work = Opaque::cast_from(work.cast_const());
    // SAFETY: By the safety requirements of this function.
    let this = unsafe { &*container_of!(work, Work<T>, work) };

    if let Some(delay_ms) = this.target.run() {
        this.queue(delay_ms);
    }
}
