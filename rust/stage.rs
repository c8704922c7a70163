// SPDX-License-Identifier: GPL-2.0

//! A stage of one's own: what waits on a CPU, and the NAPI instance that serves it.
//!
//! A packet is taken from the kernel by [`Frame::defer`](crate::Frame::defer), waits in whatever the
//! user of this keeps for each CPU, and is given back in a [`Turn`]. Where a CPU goes offline, the
//! kernel has another one poll its instance, hence the lock around what waits.
//!
//! Not supported: polling in threads, busy polling.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

mod turn;

use core::{
    ptr::{
        self,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        AtomicU32,
        Ordering, //
    },
};

use kernel::{
    new_spinlock,
    prelude::*,
    sync::SpinLock,
    time::{
        delay::fsleep,
        Delta, //
    },
};

use self::turn::poll;
pub use self::turn::Turn;
use crate::{
    bindings,
    context::{
        with_rx_context,
        RxContext, //
    },
    netdev::NetDevice,
    percpu::{
        possible_cpus,
        PerCpu, //
    },
    queue::{
        Memo,
        PacketQueue,
        Waiting, //
    },
    rcu,
    skb::Frame,
};

/// What waits on a CPU, and how it is served.
pub trait Serve: Send + Sized + Unpin + 'static {
    /// What is told of a stage without its lock.
    type Seen: Default + Send + Sync;

    /// What tracing calls the stage, `napi:napi_poll` for one: at most 15 bytes.
    const NAME: &'static CStr;

    /// Whether its turns come before those of all other NAPI instances of the CPU.
    const IS_FIRST: bool;

    /// How many packets wait.
    fn packets(&self) -> u32;

    /// Moves what was received on `device` to `to`.
    fn purge(&mut self, device: NetDevice<'_>, to: &mut PacketQueue);

    /// Serves what waits, in the receive path.
    fn serve(turn: &Turn<'_, Self>) -> Served;
}

/// What came of a turn.
pub enum Served {
    /// Nothing is left.
    All {
        /// How many packets were served.
        packets: u32,
    },
    /// Something is left, and others are to have a turn before.
    Some {
        /// How many packets were served.
        packets: u32,
    },
}

impl Served {
    /// How many packets were served.
    #[inline]
    pub fn packets(&self) -> u32 {
        match *self {
            Self::All { packets } | Self::Some { packets } => packets,
        }
    }
}

/// A stage for each CPU.
///
/// Dropping it waits until none is served. What still waits is dropped.
pub struct Stages<T: Serve> {
    here: PerCpu<AtomicPtr<Stage<T>>>,
    /// Of each possible CPU; `here` points into it.
    all: KVec<Pin<KBox<Stage<T>>>>,
}

impl<T: Serve> Stages<T> {
    /// Stages in whose queues, which `empty` makes, nothing waits.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(mut empty: impl FnMut() -> T) -> Result<Self> {
        let mut stages = Self {
            here: PerCpu::new()?,
            all: KVec::new(),
        };

        for (cpu, pointer) in possible_cpus().zip(stages.here.iter()) {
            let stage = KBox::pin_init(Stage::new(empty(), cpu), GFP_KERNEL)?;

            pointer.store(ptr::from_ref(&*stage).cast_mut(), Ordering::Relaxed);
            stages.all.push(stage, GFP_KERNEL)?;
        }
        // From here on dropping the stages stops those that were started.
        stages.iter().try_for_each(Stage::start)?;
        Ok(stages)
    }

    /// The stage of the CPU that runs this.
    #[inline]
    pub fn here<'a>(&'a self, cx: &RxContext<'a>) -> &'a Stage<T> {
        let stage = self.here.get(cx).load(Ordering::Relaxed);

        // SAFETY: `new` has set the pointer of each possible CPU to a box in `all`, which stays as
        // long as `self`.
        unsafe { &*stage }
    }

    /// Whether `stage` is that of the CPU that runs this. It is not where its CPU went offline while
    /// packets waited, and the kernel has another one serve them.
    #[inline]
    pub fn is_here(&self, cx: &RxContext<'_>, stage: &Stage<T>) -> bool {
        ptr::eq(self.here(cx), stage)
    }

    /// How many packets wait on all CPUs.
    ///
    /// Context: any.
    pub fn waiting(&self) -> u64 {
        self.iter().fold(0, |sum: u64, stage| {
            sum.saturating_add(stage.waiting().into())
        })
    }

    /// Whether packets wait on the CPU that runs this.
    #[inline]
    pub fn holds(&self, cx: &RxContext<'_>) -> bool {
        self.here(cx).holds()
    }

    /// What is told of the stages of all possible CPUs.
    ///
    /// Context: any.
    pub fn all_seen(&self) -> impl Iterator<Item = &T::Seen> + '_ {
        self.iter().map(Stage::seen)
    }

    /// Drops what was received on a device that goes away. `each` is shown every packet before. How many
    /// packets that were.
    ///
    /// Context: process, under RTNL; sleeps.
    pub fn purge(
        &self,
        device: NetDevice<'_>,
        mut each: impl FnMut(&RxContext<'_>, &Waiting, Memo),
    ) -> u32 {
        self.iter().fold(0, |gone: u32, stage| {
            gone.saturating_add(stage.purge(device, &mut each))
        })
    }

    /// Waits until on each CPU what waits now does not any more, and what was added meanwhile. It ends where
    /// nothing is added but to what waits already.
    ///
    /// Context: process; sleeps.
    pub fn drain(&self) {
        // Who still adds something has done so by then.
        rcu::wait_for_readers();
        for stage in self.iter() {
            while stage.holds() {
                fsleep(Delta::from_millis(1));
            }
        }
    }

    /// The stages of all possible CPUs.
    fn iter(&self) -> impl Iterator<Item = &Stage<T>> + '_ {
        self.all.iter().map(|stage| &**stage)
    }
}

impl<T: Serve> Drop for Stages<T> {
    fn drop(&mut self) {
        self.iter().for_each(Stage::stop);
        // One grace period for all.
        rcu::wait_for_readers();
    }
}

/// The stage of a CPU.
///
/// # Invariants
///
/// `napi` is null or an instance whose data is this stage. The stage is in a box of a [`Stages`], whose
/// drop stops the instance and waits for a grace period before the box goes.
#[pin_data(PinnedDrop)]
pub struct Stage<T: Serve> {
    napi: AtomicPtr<bindings::knet_napi>,
    cpu: u32,
    /// Set while it is served by its own CPU.
    is_serving: AtomicBool,
    seen: T::Seen,
    /// How many packets wait, for those without the lock.
    waiting: AtomicU32,
    #[pin]
    queues: SpinLock<T>,
}

impl<T: Serve> Stage<T> {
    fn new(empty: T, cpu: u32) -> impl PinInit<Self, Error> {
        // INVARIANT: The pointer is null.
        try_pin_init!(Self {
            napi: AtomicPtr::new(ptr::null_mut()),
            cpu,
            is_serving: AtomicBool::new(false),
            seen: T::Seen::default(),
            waiting: AtomicU32::new(0),
            queues <- new_spinlock!(empty),
        })
    }

    /// Makes the instance, once.
    fn start(&self) -> Result {
        let data = ptr::from_ref(self).cast_mut();
        // SAFETY: Process context; by the type invariants the stage stays where it is and outlives the
        // instance.
        let napi = unsafe {
            bindings::knet_napi_create(
                T::NAME.as_char_ptr(),
                Some(poll::<T>),
                data.cast(),
                self.cpu,
            )
        };

        if napi.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: Made with this stage.
        self.napi.store(napi, Ordering::Release);
        Ok(())
    }

    /// Ends the instance, if there is one. Nobody schedules it any more.
    ///
    /// Context: process; sleeps.
    fn stop(&self) {
        if let Some(napi) = NonNull::new(self.napi()) {
            // SAFETY: By the type invariants; process context.
            unsafe { bindings::knet_napi_stop(napi.as_ptr()) };
        }
    }

    #[inline]
    fn napi(&self) -> *mut bindings::knet_napi {
        self.napi.load(Ordering::Relaxed)
    }

    /// Whether this CPU is inside a turn, so that what it receives may have waited here.
    #[inline]
    pub fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Relaxed)
    }

    /// What is told of the stage without its lock.
    #[inline]
    pub fn seen(&self) -> &T::Seen {
        &self.seen
    }

    /// How many packets wait.
    #[inline]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether packets wait.
    #[inline]
    pub fn holds(&self) -> bool {
        self.waiting() != 0
    }

    /// Calls `f`, which should not take long, with what waits.
    #[inline]
    pub fn with<R>(&self, _cx: &RxContext<'_>, f: impl FnOnce(&mut T) -> R) -> R {
        let mut queues = self.queues.lock();
        let result = f(&mut queues);

        self.waiting.store(queues.packets(), Ordering::Relaxed);
        result
    }

    /// Sees to it that what waits has a turn.
    #[inline]
    pub fn schedule(&self, _cx: &RxContext<'_>) {
        // SAFETY: By the type invariants; BH is off.
        unsafe { schedule::<T>(self.napi()) };
    }

    /// Notes which driver brought `frame`, so that it can be polled between two turns.
    #[inline]
    pub fn note_driver(&self, frame: &Frame<'_>) {
        if let Some((skb, gro_list)) = frame.at_gro_list() {
            // SAFETY: By the type invariants. The frame is in a GRO handler, which was called with
            // this packet and this list.
            unsafe { bindings::knet_napi_note_driver(self.napi(), skb, gro_list) };
        }
    }

    /// Drops what was received on `device`, while no turn runs and nothing that was served is under way
    /// in GRO.
    ///
    /// Context: process; sleeps. One caller at a time.
    fn purge(
        &self,
        device: NetDevice<'_>,
        each: impl FnMut(&RxContext<'_>, &Waiting, Memo),
    ) -> u32 {
        // SAFETY: By the type invariants; process context.
        unsafe { bindings::knet_napi_pause(self.napi()) };
        // All at once, so that nothing of the device is served in between; they are dropped behind it.
        let mut gone = PacketQueue::default();
        with_rx_context(|cx| self.with(&cx, |queues| queues.purge(device, &mut gone)));
        // SAFETY: As above.
        unsafe { bindings::knet_napi_resume(self.napi()) };
        // What came meanwhile could not have it scheduled. What comes from here on can.
        let is_left = with_rx_context(|cx| self.with(&cx, |queues| queues.packets() != 0));

        if is_left {
            // SAFETY: By the type invariants; process context.
            unsafe { bindings::knet_napi_schedule_on(self.napi(), self.cpu) };
        }
        gone.drop_with_device(each)
    }
}

#[pinned_drop]
impl<T: Serve> PinnedDrop for Stage<T> {
    fn drop(self: Pin<&mut Self>) {
        if let Some(napi) = NonNull::new(self.napi()) {
            // SAFETY: By the type invariants it was stopped, and a grace period has passed.
            unsafe { bindings::knet_napi_free(napi.as_ptr()) };
        }
    }
}

/// How many packets this CPU has received so far, at any device. It starts anew after four thousand
/// million. Not of use but where it cannot change, as in a turn.
pub fn received_here() -> u32 {
    // SAFETY: May be called in any context.
    unsafe { bindings::knet_received_here() }
}

/// # Safety
///
/// `napi` is an instance, and BH is off.
#[inline]
unsafe fn schedule<T: Serve>(napi: *mut bindings::knet_napi) {
    // SAFETY: By the safety requirements of this function.
    unsafe {
        if T::IS_FIRST {
            bindings::knet_napi_schedule_first(napi);
        } else {
            bindings::knet_napi_schedule(napi);
        }
    }
}
