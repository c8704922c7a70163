// SPDX-License-Identifier: GPL-2.0

//! Received packets as the hooks see them.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};

use crate::{
    bindings,
    context::{
        Entered,
        RxContext, //
    },
    inflight::InFlight,
    met::{
        head_of,
        view_of, //
    },
    netdev::NetDevice,
    queue::Waiting,
    routes::Routes, //
};

pub use crate::met::Met;
pub(crate) use crate::met::View;

/// Bytes of headers that can be copied out of a packet at most.
pub const HEAD_MAX: usize = bindings::KNET_HEAD_MAX as usize;

/// The ethertype of IPv4.
pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
/// The ethertype of IPv6.
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;

/// What a hook decided about its packet. Only the packet's own methods make one, and the lifetime,
/// which is the packet's and no other, keeps it from being given for another packet.
#[must_use]
pub struct Verdict<'a>(Fate, Brand<'a>);

/// Makes a type invariant in a lifetime.
pub(crate) type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

enum Fate {
    /// The kernel goes on with the packet.
    Passed,
    /// The packet is somebody else's, or gone.
    Taken,
}

impl Verdict<'_> {
    #[inline]
    pub(crate) fn passed() -> Self {
        Self(Fate::Passed, PhantomData)
    }

    #[inline]
    pub(crate) fn taken() -> Self {
        Self(Fate::Taken, PhantomData)
    }

    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.0, Fate::Taken)
    }
}

/// Which packet it is, for comparing only: the address of one that is gone may be that of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketId(pub(crate) usize);

impl PacketId {
    #[inline]
    pub(crate) fn of(skb: *const bindings::sk_buff) -> Self {
        Self(skb as usize)
    }
}

/// A packet for the time of a hook.
///
/// # Invariants
///
/// `skb` is valid and not used by anybody else until the hook returns or gives it away; the context
/// is that of the hook.
pub(crate) struct Skb<'a> {
    skb: NonNull<bindings::sk_buff>,
    pub(crate) cx: RxContext<'a>,
}

impl<'a> Skb<'a> {
    /// The packet that a hook was called with, in the receive path.
    ///
    /// # Safety
    ///
    /// `skb` is valid and the hook's alone until the value is used up.
    #[inline]
    pub(crate) unsafe fn from_hook(skb: *mut bindings::sk_buff, entered: &'a Entered) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self {
            // SAFETY: A valid pointer is not null.
            skb: unsafe { NonNull::new_unchecked(skb) },
            cx: entered.context(),
        }
    }

    /// A packet that waited and whose turn it is.
    #[inline]
    pub(crate) fn owned(skb: NonNull<bindings::sk_buff>, cx: RxContext<'_>) -> Skb<'_> {
        Skb { skb, cx }
    }

    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<bindings::sk_buff> {
        self.skb
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.skb.as_ptr()
    }

    /// Whether this is the packet that `inflight` knows.
    #[inline]
    pub(crate) fn is_in(&self, inflight: &InFlight) -> bool {
        inflight.holds(&self.cx, self.as_ptr())
    }

    /// Its `skb->priority`.
    #[inline]
    pub(crate) fn priority(&self) -> u32 {
        // SAFETY: By the type invariants the packet may be looked at.
        unsafe { self.priority_ptr().read() }
    }

    /// Changes its `skb->priority`.
    #[inline]
    pub(crate) fn set_priority(&self, priority: u32) {
        // SAFETY: By the type invariants the packet is ours to change.
        unsafe { self.priority_ptr().write(priority) };
    }

    #[inline]
    fn priority_ptr(&self) -> *mut u32 {
        // CAST: At this offset there is a `u32`.
        // SAFETY: The offset is inside of the packet, which is valid by the type invariants.
        unsafe {
            self.as_ptr()
                .byte_add(bindings::KNET_SKB_PRIORITY as usize)
                .cast::<u32>()
        }
    }

    /// Which packet it is.
    #[inline]
    pub(crate) fn id(&self) -> PacketId {
        PacketId::of(self.as_ptr())
    }

    /// The device that received it last.
    #[inline]
    pub(crate) fn device(&self) -> NetDevice<'_> {
        // SAFETY: A received packet has a device, which stays as long as the packet is in the receive path.
        unsafe { NetDevice::from_ptr(bindings::knet_skb_dev(self.as_ptr())) }
    }

    /// Gives the packet, whose data begins at the network header and which is about to be received, its
    /// route.
    #[inline]
    pub(crate) fn route(&self, routes: &Routes) {
        // SAFETY: By the type invariants the packet is ours to change.
        unsafe { routes.attach(&self.cx, self.as_ptr()) };
    }

    /// Puts the packet through the receive path of its device, up to its socket.
    #[inline]
    pub(crate) fn receive(self) {
        // SAFETY: By the type invariants the packet is ours to give away, and BH is off.
        unsafe { bindings::netif_receive_skb(self.as_ptr()) };
    }
}

/// A frame at the first stage, right behind the driver: nothing has looked at it yet, or only taps
/// and tc.
pub struct Frame<'a> {
    skb: Skb<'a>,
    view: &'a mut bindings::knet_frame,
    ethertype: u16,
    entry: Entry,
    /// The list that a GRO handler was called with; null where it is none that runs.
    gro_list: *mut bindings::list_head,
}

/// The hook at which a [`Frame`] was met.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// GRO, before it merges.
    Gro,
    /// The netfilter ingress hook of a device that receives without GRO.
    Ingress,
}

impl<'a> Frame<'a> {
    /// Describes `skb`, if it is a frame of the first stage for the device that received it.
    #[inline]
    pub(crate) fn at_gro(
        skb: Skb<'a>,
        ethertype: u16,
        gro_list: *mut bindings::list_head,
        view: &'a mut View,
    ) -> Option<Self> {
        // SAFETY: By the invariants of `Skb` the packet may be looked at; this is a GRO callback.
        if !unsafe { bindings::knet_gro_frame(skb.as_ptr(), ethertype, view.as_mut_ptr()) } {
            return None;
        }
        Some(Self {
            skb,
            // SAFETY: The C side has filled it.
            view: unsafe { view.assume_init_mut() },
            ethertype,
            entry: Entry::Gro,
            gro_list,
        })
    }

    /// The same for a packet at the ingress hook.
    #[inline]
    pub(crate) fn at_ingress(skb: Skb<'a>, view: &'a mut View) -> Option<Self> {
        // SAFETY: By the invariants of `Skb` the packet may be looked at.
        let ethertype = unsafe { bindings::knet_skb_protocol(skb.as_ptr()) };

        if !matches!(ethertype, ETHERTYPE_IPV4 | ETHERTYPE_IPV6) {
            return None;
        }
        // SAFETY: As above; this is an ingress hook.
        if !unsafe { bindings::knet_ingress_frame(skb.as_ptr(), view.as_mut_ptr()) } {
            return None;
        }
        Some(Self {
            skb,
            // SAFETY: The C side has filled it.
            view: unsafe { view.assume_init_mut() },
            ethertype,
            entry: Entry::Ingress,
            gro_list: ptr::null_mut(),
        })
    }

    /// Describes a packet that was a frame before, was `met` like that, and has waited since.
    #[inline]
    pub(crate) fn waiting(skb: Skb<'a>, met: Met, view: &'a mut View) -> Self {
        // SAFETY: By the invariants of `Skb` the packet may be looked at.
        let view = unsafe { view_of(skb.as_ptr(), met, view) };

        Self {
            skb,
            view,
            ethertype: if met.is_ipv6() {
                ETHERTYPE_IPV6
            } else {
                ETHERTYPE_IPV4
            },
            entry: if met.is_at_gro() {
                Entry::Gro
            } else {
                Entry::Ingress
            },
            gro_list: ptr::null_mut(),
        }
    }

    /// How the frame was met.
    #[inline]
    pub fn met(&self) -> Met {
        Met::new(self.is_at_gro(), self.is_ipv6(), !self.is_untagged())
    }

    /// The context of the hook.
    #[inline]
    pub fn context(&self) -> &RxContext<'a> {
        &self.skb.cx
    }

    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        self.skb.id()
    }

    /// The device that received the frame.
    #[inline]
    pub fn device(&self) -> NetDevice<'_> {
        // SAFETY: The C side took the pointer from the packet, whose device stays as long as the
        // packet is in the receive path.
        unsafe { NetDevice::from_ptr(self.view.dev) }
    }

    /// Whether the frame was met at GRO, and not at an ingress hook.
    #[inline]
    pub fn is_at_gro(&self) -> bool {
        self.entry == Entry::Gro
    }

    /// Whether the network header comes first, and not behind a VLAN tag.
    #[inline]
    pub fn is_untagged(&self) -> bool {
        self.view.offset == 0
    }

    /// Whether the frame is IPv6 by its ethertype; it is IPv4 otherwise.
    #[inline]
    pub fn is_ipv6(&self) -> bool {
        self.ethertype == ETHERTYPE_IPV6
    }

    /// Bytes from the network header to the end of the packet, padding included.
    #[inline]
    pub fn len(&self) -> u32 {
        self.view.len
    }

    /// Whether the frame has no bytes behind its link-layer header.
    pub fn is_empty(&self) -> bool {
        self.view.len == 0
    }

    /// Whether the frame is several packets that were merged before they came here.
    #[inline]
    pub fn is_merged(&self) -> bool {
        self.view.gso
    }

    /// What of the packet can be read in place, from the network header on. May be less than the
    /// headers; see [`Frame::copy_head`].
    #[inline]
    pub fn head(&self) -> &[u8] {
        // SAFETY: The packet is not changed while `self` is borrowed, and where it was before, its headers
        // are forgotten.
        unsafe { head_of(self.view) }
    }

    /// Forgets where the headers are, as they may have moved: nothing can be read in place any more.
    #[inline]
    pub(crate) fn forget_head(&mut self) {
        self.view.head = ptr::null();
    }

    /// Copies the first [`HEAD_MAX`] bytes from the network header on, or the whole packet where it
    /// is shorter, wherever they lie. Returns what was copied: nothing if it cannot be read.
    pub fn copy_head<'b>(&self, buffer: &'b mut [u8; HEAD_MAX]) -> &'b [u8] {
        let len = (self.view.len as usize).min(HEAD_MAX);

        // SAFETY: The buffer has room for `len` bytes; by the invariants of `Skb` the packet may be
        // looked at. The C side checks that it has as many bytes.
        let err = unsafe {
            bindings::knet_skb_copy_bits(
                self.skb.as_ptr(),
                self.view.offset,
                buffer.as_mut_ptr(),
                len as u32,
            )
        };
        if err != 0 {
            return &[];
        }
        buffer.get(..len).unwrap_or(&[])
    }

    /// Tags the packet: sets its `skb->priority`. Not where it may leave the namespace with that, as it
    /// is the host's alone.
    #[inline]
    pub fn set_priority(&mut self, priority: u32) {
        if !self.view.shared {
            self.skb.set_priority(priority);
        }
    }

    /// Leaves the frame to the kernel.
    #[inline]
    pub fn pass(self) -> Verdict<'a> {
        Verdict::passed()
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.skb.as_ptr()
    }

    #[inline]
    pub(crate) fn into_skb(self) -> Skb<'a> {
        self.skb
    }

    /// What the GRO holds that the frame may be left to, if it may.
    #[inline]
    pub fn gro_queue(&self) -> Option<GroQueue<'_>> {
        let (skb, list) = self.at_gro_list()?;

        Some(GroQueue {
            skb,
            list,
            _frame: PhantomData,
        })
    }

    /// The packet and the list that a GRO handler was called with, if this is one.
    #[inline]
    pub(crate) fn at_gro_list(
        &self,
    ) -> Option<(*const bindings::sk_buff, *mut bindings::list_head)> {
        (!self.gro_list.is_null()).then(|| (self.skb.as_ptr().cast_const(), self.gro_list))
    }

    /// Takes the packet from the kernel, to be given back in a turn of a stage.
    #[inline]
    pub fn defer(self) -> (Verdict<'a>, Waiting) {
        // SAFETY: By the invariants of `Skb` the packet is ours to take, and from here on the hook
        // does not give it back.
        let waiting = unsafe { Waiting::take(self.skb.into_raw(), self.entry) };

        (Verdict::taken(), waiting)
    }

    /// Drops the packet, as one that waited is.
    #[inline]
    pub fn discard(self) -> Verdict<'a> {
        // SAFETY: By the invariants of `Skb` the packet is ours to take, and from here on the hook
        // does not give it back; BH is off.
        unsafe { bindings::knet_drop_backlog(self.skb.as_ptr()) };
        Verdict::taken()
    }

    /// Runs the packet to completion: out of its batch, through the kernel's own receive path, with
    /// the packet in flight in `inflight`. It gets its route of `routes`.
    #[inline]
    pub fn run_to_completion(self, inflight: &InFlight, routes: &Routes) -> Verdict<'a> {
        let Self { skb, entry, .. } = self;
        let cx = skb.cx;

        // SAFETY: By the invariants of `Skb` the packet is ours to change, and from here on the hook
        // does not give it back. At the ingress hook all others have run for it: ours is the last.
        unsafe {
            match entry {
                Entry::Gro => bindings::knet_pull_headers(skb.as_ptr()),
                Entry::Ingress => bindings::knet_skip_ingress(skb.as_ptr()),
            }
        }
        skb.route(routes);
        inflight.run(&cx, skb.as_ptr(), || skb.receive());
        Verdict::taken()
    }
}

/// What a GRO holds, as its handler finds it.
///
/// # Invariants
///
/// The packet and the list are those that the handler was called with, which has not returned.
pub struct GroQueue<'a> {
    skb: *const bindings::sk_buff,
    list: *mut bindings::list_head,
    _frame: PhantomData<&'a ()>,
}

impl GroQueue<'_> {
    /// Whether nothing is there that came before the frame: of its flow, to be merged, or of any, to be
    /// received.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // SAFETY: By the type invariants.
        unsafe { bindings::knet_gro_is_empty(self.skb, self.list) }
    }
}
