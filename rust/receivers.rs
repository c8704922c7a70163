// SPDX-License-Identifier: GPL-2.0

//! The tasks that receive packets, and how soon they run once a packet has woken them.
//!
//! Among tasks of one weight, the scheduler (EEVDF) lets a task that was woken preempt another if its
//! time slice is the shorter one; how much of the processor each gets in the long run does not change.
//! So a task that deliveries wake is given a short slice, until a second after the last one.
//!
//! Does not touch kernel threads, tasks of another policy than `SCHED_NORMAL`, or a slice that a user has
//! chosen. A child of a task with a short slice has it too, for a second.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use core::{
    ptr,
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        AtomicU32,
        Ordering, //
    },
};

use kernel::{
    ffi::c_void,
    new_mutex, new_spinlock,
    prelude::*,
    static_lock_class,
    sync::{
        Mutex,
        SpinLock, //
    },
};

use crate::{
    bindings,
    context::{
        with_rx_context,
        RxContext, //
    },
    time::{
        ticks,
        ticks_of, //
    },
    to_result,
    work::{
        Run,
        Work, //
    },
};

/// How many tasks are known at a time: a power of two.
const TASKS_MAX: usize = 256;
/// Among how many places a task has its own.
const WAYS: usize = 4;
/// For how long a task is known after it was woken last, in microseconds.
const LINGER_US: u32 = 1_000_000;
/// How often it is looked whether that is over, in milliseconds.
const LOOK_MS: u32 = 250;

/// What sees to it that receivers run soon.
#[pin_data(PinnedDrop)]
pub struct Receivers {
    /// Whether there is a slice, for the packet path.
    is_on: AtomicBool,
    #[pin]
    work: Work<Tasks>,
    /// Whether the probes are registered.
    #[pin]
    is_watching: Mutex<bool>,
}

/// The tasks that are known. Dropping it, when its work is cancelled, gives them their slices back.
#[pin_data(PinnedDrop)]
struct Tasks {
    /// The slice that they are to have, in microseconds; zero is their own.
    slice_us: AtomicU32,
    places: KVVec<Place>,
    /// Taken by whoever puts a task into a place or takes one out.
    #[pin]
    changes: SpinLock<()>,
}

/// A place for a task.
///
/// # Invariants
///
/// `task` is null, or the place has a reference to it.
struct Place {
    task: AtomicPtr<bindings::task_struct>,
    /// When it was woken last, in ticks.
    woken: AtomicU32,
    /// The slice that it was given, in microseconds; zero if it has its own.
    slice_us: AtomicU32,
}

impl Receivers {
    /// Nothing is done about anybody.
    ///
    /// Context: process.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            is_on: AtomicBool::new(false),
            work <- Work::new(pin_init::pin_init_scope(|| {
                let mut places = KVVec::with_capacity(TASKS_MAX, GFP_KERNEL)?;

                for _ in 0..TASKS_MAX {
                    places.push(Place::empty(), GFP_KERNEL)?;
                }
                Ok(try_pin_init!(Tasks {
                    slice_us: AtomicU32::new(0),
                    places,
                    changes <- new_spinlock!(()),
                }))
            }), static_lock_class!()),
            is_watching <- new_mutex!(false),
        })
    }

    /// The time slice of receivers in microseconds, or zero.
    pub fn slice_us(&self) -> u32 {
        self.work.target().slice_us.load(Ordering::Relaxed)
    }

    /// Changes it. With zero, those that have one get their own back soon.
    ///
    /// Context: process; sleeps.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if this kernel has no tracepoints, or `ENOMEM`; nothing has changed then.
    pub fn set_slice_us(&self, slice_us: u32) -> Result {
        let mut is_watching = self.is_watching.lock();
        let tasks = self.work.target();

        if slice_us != 0 && !*is_watching {
            // SAFETY: The work is pinned, and there until `Drop` has unregistered the probe.
            to_result(unsafe {
                bindings::knet_receivers_watch(Some(forked), self.work_of_probe())
            })?;
            *is_watching = true;
        }
        tasks.slice_us.store(slice_us, Ordering::Relaxed);
        self.is_on.store(slice_us != 0, Ordering::Relaxed);
        if slice_us == 0 && *is_watching {
            self.unwatch();
            *is_watching = false;
        }
        self.work.queue(0);
        Ok(())
    }

    /// How many tasks have a short slice.
    pub fn count(&self) -> usize {
        let places = self.work.target().places.iter();

        places
            .filter(|place| place.slice_us.load(Ordering::Relaxed) != 0)
            .count()
    }

    /// Whether there is a slice for receivers.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Runs `f`, which delivers packets, and sees to it that the tasks that it wakes run soon from then
    /// on. Whether it woke any.
    pub fn watch<R>(&self, cx: &RxContext<'_>, f: impl FnOnce() -> R) -> (R, bool) {
        let mut woken = [ptr::null_mut(); bindings::KNET_WOKEN_MAX as usize];

        // SAFETY: BH is off by the type invariants of `cx`; packets are delivered one at a time.
        unsafe { bindings::knet_delivery_begin() };
        let result = f();
        // SAFETY: As above; there is room for as many tasks as there can be.
        let count = unsafe { bindings::knet_delivery_end(woken.as_mut_ptr()) };

        for task in woken.into_iter().take(count as usize) {
            if self.work.target().woken(cx, task) {
                self.work.queue(0);
            }
            // SAFETY: `knet_delivery_end` gave a reference, which is used no more.
            unsafe { bindings::knet_task_put(task) };
        }
        (result, count != 0)
    }

    fn unwatch(&self) {
        // SAFETY: The probes were registered with these values.
        unsafe { bindings::knet_receivers_unwatch(Some(forked), self.work_of_probe()) };
    }

    /// What the probe is registered with.
    fn work_of_probe(&self) -> *mut c_void {
        ptr::from_ref(&self.work).cast_mut().cast()
    }
}

#[pinned_drop]
impl PinnedDrop for Receivers {
    fn drop(self: Pin<&mut Self>) {
        if *self.is_watching.lock() {
            self.unwatch();
        }
    }
}

/// # Safety
///
/// Called where `parent` has made `child`: both are there, `child` does not run yet, and `work` is what the
/// probe was registered with, a `Work<Tasks>`.
unsafe extern "C" fn forked(
    work: *mut c_void,
    parent: *mut bindings::task_struct,
    child: *mut bindings::task_struct,
) {
    // SAFETY: By the safety requirements of this function.
    let work = unsafe { &*work.cast::<Work<Tasks>>() };
    let tasks = work.target();

    if let Some(place) = tasks.place_of(parent) {
        let slice_us = place.slice_us.load(Ordering::Relaxed);

        // The parent may be forgotten meanwhile, and with it that there is somebody to look at.
        if with_rx_context(|cx| tasks.add(&cx, child, slice_us)) {
            work.queue(0);
        }
    }
}

impl Tasks {
    /// Where `task` is known, or may be.
    fn places_of(&self, task: *mut bindings::task_struct) -> impl Iterator<Item = &Place> + '_ {
        // Tasks are objects of some kilobytes.
        let first = (task as usize >> 6).wrapping_mul(0x9e37_79b1) >> 8;

        (0..WAYS).filter_map(move |way| {
            let index = first.wrapping_add(way) % TASKS_MAX;
            self.places.get(index)
        })
    }

    /// Where `task` is known, if it is.
    #[inline]
    fn place_of(&self, task: *mut bindings::task_struct) -> Option<&Place> {
        self.places_of(task)
            .find(|place| ptr::eq(place.task.load(Ordering::Relaxed), task))
    }

    /// Notes that `task` was woken. Whether it is known since now.
    #[inline]
    fn woken(&self, cx: &RxContext<'_>, task: *mut bindings::task_struct) -> bool {
        let Some(place) = self.place_of(task) else {
            return self.add(cx, task, 0);
        };
        let now = ticks();

        // Others look at it, so it is written as seldom as can be.
        if place.woken.load(Ordering::Relaxed) != now {
            place.woken.store(now, Ordering::Relaxed);
        }
        false
    }

    /// Adds `task`, which has that slice, if there is a place. The caller has a reference.
    #[cold]
    fn add(&self, _cx: &RxContext<'_>, task: *mut bindings::task_struct, slice_us: u32) -> bool {
        let _changes = self.changes.lock();
        let is_empty = |place: &&Place| place.task.load(Ordering::Relaxed).is_null();

        if self.place_of(task).is_some() {
            return false;
        }
        let Some(place) = self.places_of(task).find(is_empty) else {
            return false;
        };

        place.woken.store(ticks(), Ordering::Relaxed);
        place.slice_us.store(slice_us, Ordering::Relaxed);
        // INVARIANT: The place gets a reference of its own.
        // SAFETY: The caller has a reference.
        let task = unsafe { bindings::knet_task_get(task) };
        place.task.store(task, Ordering::Release);
        true
    }

    /// Gives each task the slice that it is to have, and forgets those that were not woken for long.
    /// Whether there are any left.
    ///
    /// Context: process. One caller at a time.
    fn look(&self) -> bool {
        let slice_us = self.slice_us.load(Ordering::Relaxed);
        let mut are_left = false;

        for place in &self.places {
            let task = place.task.load(Ordering::Acquire);

            if task.is_null() {
                continue;
            }
            let idle = ticks().wrapping_sub(place.woken.load(Ordering::Relaxed));
            // SAFETY: By the type invariants of the place, which only this function empties, there is a
            // reference.
            let is_gone = unsafe { bindings::knet_task_is_gone(task) };
            let is_over = slice_us == 0 || is_gone || idle > ticks_of(LINGER_US);

            place.change_slice(task, if is_over { 0 } else { slice_us });
            if is_over {
                self.forget(place);
            } else {
                are_left = true;
            }
        }
        are_left
    }

    fn forget(&self, place: &Place) {
        let task = with_rx_context(|_| {
            let _changes = self.changes.lock();

            place.slice_us.store(0, Ordering::Relaxed);
            place.task.swap(ptr::null_mut(), Ordering::Relaxed)
        });

        // SAFETY: By its type invariants the place had a reference, which it has no more.
        unsafe { bindings::knet_task_put(task) };
    }
}

impl Place {
    fn empty() -> Self {
        // INVARIANT: The task is null.
        Self {
            task: AtomicPtr::new(ptr::null_mut()),
            woken: AtomicU32::new(0),
            slice_us: AtomicU32::new(0),
        }
    }

    /// Gives `task`, which is in this place, a slice, or with zero its own.
    fn change_slice(&self, task: *mut bindings::task_struct, slice_us: u32) {
        let ns = |us: u32| u64::from(us).wrapping_mul(1000);
        let before = self.slice_us.load(Ordering::Relaxed);

        if slice_us == before {
            return;
        }
        // SAFETY: By the type invariants there is a reference; process context.
        if unsafe { bindings::knet_task_change_slice(task, ns(before), ns(slice_us)) } {
            self.slice_us.store(slice_us, Ordering::Relaxed);
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Tasks {
    fn drop(self: Pin<&mut Self>) {
        self.slice_us.store(0, Ordering::Relaxed);
        self.look();
    }
}

impl Run for Tasks {
    fn run(&self) -> Option<u32> {
        self.look().then_some(LOOK_MS)
    }
}
