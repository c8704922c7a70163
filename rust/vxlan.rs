// SPDX-License-Identifier: GPL-2.0

//! VXLAN sockets and the decapsulation of what they receive (RFC 7348).
//!
//! A VXLAN socket hands each datagram to its `encap_rcv`, the vxlan driver's own. Ours stands in
//! front of it and may take the packet: it then does the steps of `vxlan_rcv()` and has the VXLAN
//! device receive the frame at once, where the driver would queue it.
//!
//! Not supported, hence the driver's: the extensions GPE, GBP and remote checksum offload, devices
//! that collect metadata, filter VNIs or have a multicast database, and learning.
//!
//! C header: [`include/net/vxlan.h`](srctree/include/net/vxlan.h)

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    },
};

use kernel::{
    ffi::c_int,
    prelude::*, //
};

use crate::{
    bindings,
    context::{
        Entered,
        RxContext, //
    },
    inflight::{
        InFlight,
        Tunnel, //
    },
    learnt::{
        Place,
        Refreshed,
        Sender, //
    },
    netdev::{
        NetDevice,
        Rtnl, //
    },
    queue::Waiting,
    skb::{
        Brand,
        PacketId,
        Skb,
        ETHERTYPE_IPV4,
        ETHERTYPE_IPV6, //
    },
    spare::Spares, //
};

/// What is done with datagrams that a VXLAN socket receives.
pub trait ReceiveTunnel: 'static {
    /// Called for each datagram, in the receive path.
    fn receive(packet: TunnelPacket<'_>) -> Handled<'_>;
}

/// What a handler did with its packet. Only the packet's own methods make one, and it is good for
/// that packet alone.
#[must_use]
pub struct Handled<'a>(c_int, Brand<'a>);

impl Handled<'_> {
    /// For a packet that somebody else has, or that is gone.
    #[inline]
    fn taken() -> Self {
        Self(0, PhantomData)
    }
}

/// The driver's own `encap_rcv`: one function for all sockets. The vxlan module stays loaded as long
/// as this one, which uses its symbols.
static DRIVER: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

type EncapRcv = unsafe extern "C" fn(*mut bindings::sock, *mut bindings::sk_buff) -> c_int;

/// Puts `T` in front of the driver on the sockets of a VXLAN device, if it is up.
///
/// A socket may serve many devices and goes away with the last; what is in front of the driver goes
/// with it, or by [`detach`].
pub fn attach<T: ReceiveTunnel>(device: NetDevice<'_>, _rtnl: &Rtnl) {
    for_each_socket(device, |sock| {
        // SAFETY: The socket is that of a device, which RTNL keeps up.
        let current = unsafe { bindings::knet_sock_encap_rcv(sock) };
        let Some(driver) = current.filter(|&rcv| !is_ours::<T>(rcv)) else {
            return;
        };
        let driver = driver as *mut ();

        match DRIVER.compare_exchange(
            ptr::null_mut(),
            driver,
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            Err(known) if known != driver => {
                pr_warn!("a VXLAN socket has a foreign receive handler and is left alone\n");
            }
            // SAFETY: As above. The handler is called with this very signature.
            _ => unsafe { bindings::knet_sock_set_encap_rcv(sock, Some(encap_rcv::<T>)) },
        }
    });
}

/// Gives the sockets of a VXLAN device back to the driver. A handler may still run on another CPU
/// until a grace period has passed.
pub fn detach<T: ReceiveTunnel>(device: NetDevice<'_>, _rtnl: &Rtnl) {
    for_each_socket(device, |sock| {
        // SAFETY: The socket is that of a device, which RTNL keeps up.
        let current = unsafe { bindings::knet_sock_encap_rcv(sock) };

        if current.is_some_and(is_ours::<T>) {
            // SAFETY: As above; the driver's handler was found on such a socket.
            unsafe { bindings::knet_sock_set_encap_rcv(sock, driver()) };
        }
    });
}

/// Whose namespace a socket is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The initial network namespace.
    Home,
    /// Another one that belongs to the initial user namespace.
    Away,
    /// One of a user namespace, whose root needs no leave from the host for what is there.
    Foreign,
}

/// Calls `f` with the UDP port, in host order, of each socket that a VXLAN device receives on, with
/// whether it receives over IPv6, and with whose it is.
pub fn for_each_port(device: NetDevice<'_>, _rtnl: &Rtnl, mut f: impl FnMut(u16, bool, Owner)) {
    for_each_socket(device, |sock| {
        // SAFETY: The socket is that of a device, which RTNL keeps up.
        let (port, v6, owner) = unsafe {
            (
                bindings::knet_sock_port(sock),
                bindings::knet_sock_is_v6(sock),
                bindings::knet_sock_owner(sock),
            )
        };
        let owner = match owner {
            bindings::knet_sock_owner_KNET_SOCK_HOME => Owner::Home,
            bindings::knet_sock_owner_KNET_SOCK_AWAY => Owner::Away,
            _ => Owner::Foreign,
        };

        f(port, v6, owner);
    });
}

fn for_each_socket(device: NetDevice<'_>, f: impl FnMut(*mut bindings::sock)) {
    let mut socks = [ptr::null_mut(); 2];
    // SAFETY: The callers hold the RTNL and checked that this is a VXLAN device.
    let found = unsafe { bindings::knet_vxlan_socks(device.as_ptr(), socks.as_mut_ptr()) };

    socks.into_iter().take(found as usize).for_each(f);
}

fn is_ours<T: ReceiveTunnel>(rcv: EncapRcv) -> bool {
    ptr::fn_addr_eq(rcv, encap_rcv::<T> as EncapRcv)
}

#[inline]
fn driver() -> bindings::knet_encap_rcv_t {
    let driver = DRIVER.load(Ordering::Acquire);

    // SAFETY: The pointer is null, which is `None`, or was made from a function of this type.
    unsafe { core::mem::transmute::<*mut (), bindings::knet_encap_rcv_t>(driver) }
}

/// # Safety
///
/// Called by UDP for a VXLAN socket.
unsafe extern "C" fn encap_rcv<T: ReceiveTunnel>(
    sock: *mut bindings::sock,
    skb: *mut bindings::sk_buff,
) -> c_int {
    // SAFETY: UDP hands over the packet with BH off, under RCU and without locks of the receive path.
    let entered = unsafe { Entered::new() };
    // SAFETY: It is the socket's alone, which stays for the call.
    let packet = unsafe { TunnelPacket::new(Skb::from_hook(skb, &entered), sock) };

    T::receive(packet).0
}

/// Why a datagram is left to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The headers are not there, or not readable.
    Headers,
    /// The VXLAN header has bits that the device does not know, or lacks the I bit.
    Reserved,
    /// The device or the socket uses an extension of VXLAN, or is not bound to one VNI.
    Features,
    /// No device has the VNI.
    Vni,
    /// The device is down.
    Down,
    /// The frame was sent by the device itself.
    Loop,
    /// The ECN fields do not go together (RFC 6040), or the driver logs them.
    Ecn,
    /// The driver has something to learn from it.
    Learn,
    /// The learnt address is used and must not age.
    Refresh,
}

/// What became of a packet that was to be decapsulated.
pub enum Decapsulation<'a> {
    /// It is out of its tunnel.
    Done(Decapsulated<'a>),
    /// It was dropped, as the driver drops it, or is the driver's.
    Gone(Handled<'a>),
}

/// A frame that the VXLAN device is to receive.
pub struct Decapsulated<'a>(Skb<'a>);

impl<'a> Decapsulated<'a> {
    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        self.0.id()
    }

    /// The VXLAN device.
    #[inline]
    pub fn device(&self) -> NetDevice<'_> {
        self.0.device()
    }

    /// Has the device receive it now.
    #[inline]
    pub fn receive(self) -> Handled<'a> {
        self.0.receive();
        Handled::taken()
    }

    /// Has it wait, to be received before the poll ends in which this is.
    #[inline]
    pub fn wait(self) -> (Handled<'a>, Waiting) {
        (Handled::taken(), Waiting::past_entry(self.0))
    }
}

/// A datagram that a VXLAN socket received.
pub struct TunnelPacket<'a> {
    skb: Skb<'a>,
    sock: *mut bindings::sock,
}

/// `VXLAN_F_*` of receive paths that only the driver has (`include/net/vxlan.h`).
const UNSUPPORTED: u32 = bindings::VXLAN_F_REMCSUM_RX
    | bindings::VXLAN_F_GBP
    | bindings::VXLAN_F_GPE
    | bindings::VXLAN_F_COLLECT_METADATA
    | bindings::VXLAN_F_VNIFILTER
    | bindings::VXLAN_F_MDB;

/// The ECN field of a TOS or Traffic Class; if all of it is set, there was congestion.
const ECN: u8 = 3;
/// Its values for transports that understand it (RFC 3168).
const ECT_0: u8 = 2;
const ECT_1: u8 = 1;

/// Whether RFC 6040 lets a packet through without a word in the log.
///
/// The driver looks for the inner field behind the Ethernet header even where a VLAN tag is there, and
/// so is it done here.
#[inline]
fn ecn_allows(view: &bindings::knet_vxlan) -> bool {
    inner_ecn(view).is_none_or(|inner| inner != 0 || view.outer_dsfield & ECN == 0)
}

/// Whether RFC 6040 may have the inner field changed to what the outer one says.
#[inline]
fn ecn_changes(view: &bindings::knet_vxlan) -> bool {
    match view.outer_dsfield & ECN {
        ECN => true,
        ECT_1 => inner_ecn(view) == Some(ECT_0),
        _ => false,
    }
}

#[inline]
fn inner_ecn(view: &bindings::knet_vxlan) -> Option<u8> {
    let dsfield = match view.inner_protocol {
        ETHERTYPE_IPV4 => view.inner_word as u8,
        ETHERTYPE_IPV6 => (view.inner_word >> 4) as u8,
        _ => return None,
    };

    Some(dsfield & ECN)
}

impl<'a> TunnelPacket<'a> {
    /// # Safety
    ///
    /// `sock` is a VXLAN socket that stays for the call, and `skb` is what it received.
    #[inline]
    unsafe fn new(skb: Skb<'a>, sock: *mut bindings::sock) -> Self {
        Self { skb, sock }
    }

    /// The context of the handler.
    #[inline]
    pub fn context(&self) -> &RxContext<'a> {
        &self.skb.cx
    }

    /// Whether this is the packet in flight on this CPU, and not decapsulated before.
    #[inline]
    pub fn is_in(&self, inflight: &InFlight) -> bool {
        self.skb.is_in(inflight) && inflight.may_decapsulate(&self.skb.cx)
    }

    /// Which packet it is.
    #[inline]
    pub fn id(&self) -> PacketId {
        self.skb.id()
    }

    /// Its `skb->priority`.
    #[inline]
    pub fn priority(&self) -> u32 {
        self.skb.priority()
    }

    /// Takes the `tag` that a frame was given from the datagram, if it has that and the driver may
    /// decapsulate it into another namespace, in which the tag is nobody's business, or to who leads it there.
    #[inline]
    pub fn untag(&self, tag: Option<u32>) {
        if tag == Some(self.priority()) {
            // SAFETY: The packet is ours to change, its data starts at the UDP header, and the socket is a
            // VXLAN socket; this is an RCU read-side section.
            unsafe { bindings::knet_vxlan_untag(self.sock, self.skb.as_ptr()) };
        }
    }

    /// Takes the datagram into flight for the time of `f`, where nothing else is.
    #[inline]
    pub fn fly(self, inflight: &InFlight, f: impl FnOnce(Self) -> Handled<'a>) -> Handled<'a> {
        let (cx, skb) = (self.skb.cx, self.skb.as_ptr());

        inflight.run(&cx, skb, || f(self))
    }

    /// Leaves the datagram to the driver.
    #[inline]
    pub fn pass(self) -> Handled<'a> {
        match driver() {
            // SAFETY: The arguments are those that the driver's handler would have been called with.
            Some(driver) => Handled(unsafe { driver(self.sock, self.skb.as_ptr()) }, PhantomData),
            // A positive result hands the datagram to the socket itself.
            None => Handled(1, PhantomData),
        }
    }

    /// Decapsulates the packet, which loses its `tag` where that may lead into another namespace.
    ///
    /// # Errors
    ///
    /// The packet, unchanged, and why it is the driver's.
    #[inline]
    pub fn decapsulate(
        self,
        inflight: &InFlight,
        refreshed: &Refreshed,
        tag: Option<u32>,
    ) -> Result<Decapsulation<'a>, (Self, Leave)> {
        let mut view = MaybeUninit::uninit();
        let device = match self.examine(&mut view, refreshed) {
            Ok(device) => device,
            Err(leave) => return Err((self, leave)),
        };
        // SAFETY: The packet is ours; what the call relies on was found by `examine`.
        if !unsafe { bindings::knet_vxlan_decapsulate(device, self.skb.as_ptr()) } {
            return Ok(Decapsulation::Gone(Handled::taken()));
        }
        if device.leads_out && tag == Some(self.skb.priority()) {
            self.skb.set_priority(0);
        }
        inflight.decapsulated(&self.skb.cx);
        // The short way leaves the inner field as it is.
        if !ecn_changes(device) {
            let tunnel = Tunnel {
                device: device.dev,
                is_cross_net: device.cross_net,
            };

            inflight.came_to(&self.skb.cx, tunnel, device.from);
        }
        Ok(Decapsulation::Done(Decapsulated(self.skb)))
    }

    /// Has the driver decapsulate the packet, so that it learns from it, and takes back what it then
    /// would queue, in order with the packets before and behind.
    ///
    /// The driver queues a packet that has a clone on this CPU's backlog and not in the gro_cells of
    /// the device, and it can be taken from there. A merged packet loses its clone before, and stays
    /// in the gro_cells.
    pub fn learn(self, inflight: &InFlight, spares: &Spares) -> Decapsulation<'a> {
        let Some(driver) = driver() else {
            return Decapsulation::Gone(self.pass());
        };
        let (cx, skb) = (self.skb.cx, self.skb.as_ptr());

        inflight.decapsulated(&cx);
        // Who pulls a header in takes the clone from a packet. Without memory the driver drops it.
        // SAFETY: The packet is ours, and its data starts at the UDP header.
        if !unsafe { bindings::knet_vxlan_pull_headers(skb) } {
            return Decapsulation::Gone(Handled::taken());
        }
        spares.while_cloned(&cx, &self.skb, || {
            // SAFETY: The driver is called as by the socket.
            unsafe { driver(self.sock, skb) }
        });
        // SAFETY: BH is off. The packet is looked at only if it is found on this CPU's backlog, and then
        // it is ours again.
        if unsafe { bindings::knet_backlog_take(skb) } {
            Decapsulation::Done(Decapsulated(self.skb))
        } else {
            Decapsulation::Gone(Handled::taken())
        }
    }

    /// Finds the device and looks for anything that only the driver does. Changes nothing.
    #[inline]
    fn examine<'b>(
        &self,
        view: &'b mut MaybeUninit<bindings::knet_vxlan>,
        refreshed: &Refreshed,
    ) -> Result<&'b bindings::knet_vxlan, Leave> {
        // SAFETY: The packet is ours and its data starts at the outer UDP header, with the outer
        // network header set and linear; the socket is a VXLAN socket; this is an RCU read-side
        // section.
        match unsafe { bindings::knet_vxlan_look(self.sock, self.skb.as_ptr(), view.as_mut_ptr()) }
        {
            bindings::knet_vxlan_lookup_KNET_VXLAN_FOUND => (),
            bindings::knet_vxlan_lookup_KNET_VXLAN_NO_HEADERS => return Err(Leave::Headers),
            bindings::knet_vxlan_lookup_KNET_VXLAN_NO_FLAG => return Err(Leave::Reserved),
            bindings::knet_vxlan_lookup_KNET_VXLAN_NO_VNI => return Err(Leave::Vni),
            _ => return Err(Leave::Features),
        }
        // SAFETY: The C side has filled it.
        let view = unsafe { view.assume_init_ref() };

        if view.features & UNSUPPORTED != 0 {
            return Err(Leave::Features);
        }
        if view.reserved != 0 {
            return Err(Leave::Reserved);
        }
        if !view.up {
            return Err(Leave::Down);
        }
        if view.own_source {
            return Err(Leave::Loop);
        }
        if !ecn_allows(view) {
            return Err(Leave::Ecn);
        }
        if view.features & bindings::VXLAN_F_LEARN != 0 {
            self.check_learnt(view, refreshed)?;
        }
        Ok(view)
    }

    /// Leaves to the driver what it would learn from, and once a second what keeps an address.
    #[inline]
    fn check_learnt(
        &self,
        view: &bindings::knet_vxlan,
        refreshed: &Refreshed,
    ) -> Result<(), Leave> {
        // The generation was read before the entry is, so that a change in between makes it old.
        let sender = Sender::new(view);
        let place = refreshed.place(&self.skb.cx, &sender);

        if place.knows(&sender) {
            Ok(())
        } else {
            self.ask_fdb(view, place, &sender)
        }
    }

    #[cold]
    fn ask_fdb(
        &self,
        view: &bindings::knet_vxlan,
        place: &Place,
        sender: &Sender,
    ) -> Result<(), Leave> {
        // SAFETY: The device stays under RCU; the outer network header is set.
        if !unsafe { bindings::knet_vxlan_fdb_current(view, self.sock, self.skb.as_ptr()) } {
            return Err(Leave::Learn);
        }
        // What was merged could not be taken back from the driver. Others show the address.
        if view.transport != 0 || place.note(sender) {
            return Ok(());
        }
        Err(Leave::Refresh)
    }
}
