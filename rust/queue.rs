// SPDX-License-Identifier: GPL-2.0

//! Packets that wait.

use core::ptr::NonNull;

use kernel::ffi::c_void;

use crate::{
    bindings,
    context::{
        with_rx_context,
        RxContext, //
    },
    inflight::InFlight,
    netdev::NetDevice,
    routes::Routes,
    skb::{
        Entry,
        Frame,
        Met,
        PacketId,
        Skb,
        View, //
    }, //
};

/// How many packets are dropped with BH off: as many as NAPI receives in a poll.
const DROPPED_AT_ONCE: u32 = 64;

/// A received packet that was taken from the kernel at one of its stages and is to be given back there.
///
/// Dropping it drops the packet as one that found a full backlog: counted
/// on its device, and with that reason. Context: BH off.
///
/// # Invariants
///
/// `skb` is valid, nobody else uses it, and its device is there: who makes one sees to it that none
/// is left when a device goes away.
pub struct Waiting(NonNull<bindings::sk_buff>);

// SAFETY: A packet may be used by any thread that owns it.
unsafe impl Send for Waiting {}

impl Waiting {
    /// Takes the packet at `skb`, which was met at `entry`.
    ///
    /// # Safety
    ///
    /// `skb` is a received packet of the caller's, who does not use it any more.
    #[inline]
    pub(crate) unsafe fn take(skb: NonNull<bindings::sk_buff>, entry: Entry) -> Self {
        // SAFETY: By the safety requirements of this function. At the ingress hook all others have
        // run for the packet: ours is the last.
        unsafe {
            match entry {
                Entry::Gro => bindings::knet_pull_headers(skb.as_ptr()),
                Entry::Ingress => bindings::knet_skip_ingress(skb.as_ptr()),
            }
        }
        // INVARIANT: By the safety requirements of this function.
        Self(skb)
    }

    /// A packet that is past the first stage, where nothing is left to be done for its hook.
    #[inline]
    pub(crate) fn past_entry(skb: Skb<'_>) -> Self {
        // INVARIANT: By the invariants of `Skb`.
        Self(skb.into_raw())
    }

    /// Receives a packet that was [decapsulated](crate::vxlan::Decapsulated), in flight again.
    #[inline]
    pub fn receive_decapsulated(self, cx: &RxContext<'_>, inflight: &InFlight) {
        let skb = self.into_raw().as_ptr();

        // SAFETY: The packet is ours to give away; BH is off.
        inflight.run_again(cx, skb, || unsafe {
            bindings::knet_receive_decapsulated(skb)
        });
    }

    /// Receives a packet that was [delivered](crate::veth::Delivered). Nothing else is taken into flight
    /// meanwhile.
    #[inline]
    pub fn receive_delivered(self, cx: &RxContext<'_>, inflight: &InFlight, routes: &Routes) {
        let skb = self.route(cx, routes).into_raw().as_ptr();

        inflight.run(cx, core::ptr::dangling_mut(), || {
            // SAFETY: The packet is ours to give away; BH is off.
            unsafe { bindings::knet_receive_delivered(skb) }
        });
    }

    /// Gives the packet, which is about to be received, its route.
    #[inline]
    pub fn route(self, cx: &RxContext<'_>, routes: &Routes) -> Self {
        // SAFETY: By the type invariants.
        unsafe { routes.attach(cx, self.as_ptr()) };
        self
    }

    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        PacketId::of(self.as_ptr())
    }

    /// The packet as a frame of the first stage again, which was `met` like that.
    #[inline]
    pub(crate) fn into_frame<'a>(
        self,
        cx: RxContext<'a>,
        met: Met,
        view: &'a mut View,
    ) -> Frame<'a> {
        Frame::waiting(Skb::owned(self.into_raw(), cx), met, view)
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// The packet, which is the caller's from now on.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<bindings::sk_buff> {
        let skb = self.0;

        core::mem::forget(self);
        skb
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::knet_drop_backlog(self.0.as_ptr()) };
    }
}

/// What the owner of a packet keeps of it while it waits.
#[derive(Clone, Copy, Default)]
pub struct Memo {
    /// As the owner likes.
    pub word: u32,
    /// When the packet was first seen, in whatever the owner measures that; zero if nobody did.
    pub since: u32,
    /// As the owner likes.
    pub ticket: u64,
}

impl Memo {
    /// With a word alone.
    #[inline]
    pub fn of(word: u32) -> Self {
        Self {
            word,
            ..Self::default()
        }
    }

    #[inline]
    fn of_c(memo: bindings::knet_memo) -> Self {
        Self {
            word: memo.word,
            since: memo.since,
            ticket: memo.ticket,
        }
    }

    #[inline]
    fn to_c(self) -> bindings::knet_memo {
        bindings::knet_memo {
            ticket: self.ticket,
            word: self.word,
            since: self.since,
        }
    }
}

/// Packets in a row, the first to leave first, each with a memo of its owner's.
///
/// # Invariants
///
/// The C queue holds packets that were [`Waiting`].
#[derive(Default)]
pub struct PacketQueue(bindings::knet_queue);

// SAFETY: The packets may be used by any thread that owns the queue.
unsafe impl Send for PacketQueue {}

impl PacketQueue {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.packets == 0
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> u32 {
        self.0.packets
    }

    /// Adds a packet at the end.
    #[inline]
    pub fn push(&mut self, packet: Waiting, memo: Memo) {
        // SAFETY: The packet is ours and on no list; the queue is borrowed exclusively.
        unsafe { bindings::knet_queue_push(&mut self.0, packet.into_raw().as_ptr(), memo.to_c()) };
    }

    /// Adds a packet in front of all others.
    pub fn push_front(&mut self, packet: Waiting, memo: Memo) {
        // SAFETY: As above.
        unsafe {
            bindings::knet_queue_push_front(&mut self.0, packet.into_raw().as_ptr(), memo.to_c())
        };
    }

    /// Takes the first packet.
    #[inline]
    pub fn pop(&mut self) -> Option<(Waiting, Memo)> {
        let mut memo = bindings::knet_memo::default();
        // SAFETY: The queue is borrowed exclusively.
        let skb = unsafe { bindings::knet_queue_pop(&mut self.0, &mut memo) };

        // INVARIANT: By the type invariants.
        NonNull::new(skb).map(|skb| (Waiting(skb), Memo::of_c(memo)))
    }

    /// Moves all packets that were received on `device` to `to`, and calls `gone` with the memo of each.
    ///
    /// Context: BH off.
    pub fn purge<F: FnMut(Memo)>(
        &mut self,
        device: NetDevice<'_>,
        to: &mut PacketQueue,
        mut gone: F,
    ) {
        /// # Safety
        ///
        /// `data` is an `F` that nobody else uses.
        unsafe extern "C" fn call<F: FnMut(Memo)>(data: *mut c_void, memo: bindings::knet_memo) {
            // SAFETY: By the safety requirements of this function.
            unsafe { (*data.cast::<F>())(Memo::of_c(memo)) };
        }

        // SAFETY: The queue is borrowed exclusively; the callback gets the closure it expects.
        unsafe {
            bindings::knet_queue_purge(
                &mut self.0,
                device.as_ptr(),
                &mut to.0,
                Some(call::<F>),
                (&raw mut gone).cast(),
            )
        };
    }

    /// Drops all packets, whose device goes away, a few at a time: nobody on this CPU waits for all. `each`
    /// is shown every one before. How many packets that were.
    ///
    /// Context: process.
    pub(crate) fn drop_with_device(
        &mut self,
        mut each: impl FnMut(&RxContext<'_>, &Waiting, Memo),
    ) -> u32 {
        let packets = self.len();

        while !self.is_empty() {
            with_rx_context(|cx| {
                for _ in 0..DROPPED_AT_ONCE {
                    let Some((packet, memo)) = self.pop() else {
                        break;
                    };

                    each(&cx, &packet, memo);
                    // SAFETY: The packet is ours; BH is off.
                    unsafe { bindings::knet_drop_with_device(packet.into_raw().as_ptr()) };
                }
            });
        }
        packets
    }
}

impl Drop for PacketQueue {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
