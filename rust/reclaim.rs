// SPDX-License-Identifier: GPL-2.0

//! Frees what the packet path may still read without making the writer wait.

use core::mem;

use kernel::{
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::Mutex, //
};

use crate::{
    rcu::Retired,
    work::{
        Run,
        Work, //
    },
};

/// For how long values are gathered, in milliseconds.
const GATHER_MS: u32 = 10;

/// Drops retired values in the background, many after one grace period.
///
/// Dropping it waits until all are dropped.
#[pin_data]
pub struct Reclaimer<T: Send + Sync + 'static> {
    #[pin]
    work: Work<Pending<T>>,
    /// How many values may wait: whoever retires more waits.
    most: usize,
}

#[pin_data(PinnedDrop)]
struct Pending<T: Send + Sync + 'static> {
    #[pin]
    retired: Mutex<KVec<Retired<T>>>,
}

impl<T: Send + Sync> Reclaimer<T> {
    /// A reclaimer with nothing to do. It lets `most` values wait.
    pub fn new(most: usize) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            work <- Work::new(try_pin_init!(Pending {
                retired <- new_mutex!(KVec::new()),
            }), static_lock_class!()),
            most,
        })
    }

    /// Drops `retired` after its readers are gone.
    ///
    /// Context: process. Sleeps for a grace period only if much is pending or memory is short.
    pub fn defer(&self, retired: Retired<T>) {
        let mut pending = self.work.target().retired.lock();

        if pending.len() >= self.most || pending.reserve(1, GFP_KERNEL).is_err() {
            drop(pending);
            return drop(retired);
        }
        // There is room. If there were none, the value would be dropped, which waits.
        let _ = pending.push(retired, GFP_KERNEL);
        drop(pending);
        self.work.queue(GATHER_MS);
    }
}

impl<T: Send + Sync> Run for Pending<T> {
    fn run(&self) -> Option<u32> {
        let retired = mem::take(&mut *self.retired.lock());

        Retired::drop_all(retired);
        None
    }
}

#[pinned_drop]
impl<T: Send + Sync> PinnedDrop for Pending<T> {
    fn drop(self: Pin<&mut Self>) {
        self.run();
    }
}
