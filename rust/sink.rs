// SPDX-License-Identifier: GPL-2.0

//! UDP and TCP sockets that swallow what reaches them, and tell when it does.
//!
//! A datagram is taken where it would be queued for its reader: the protocol has found the socket and
//! checked the checksum. Datagrams of such a socket are not queued, so none is lost for lack of a
//! reader. Of a connection, bytes are taken when its reader would be woken, and acknowledged as those
//! of any other. It is made without a handshake, as one that is restored (`TCP_REPAIR`): both sides
//! start at [`SEQUENCE`].
//!
//! Not supported: a peer that ends a connection; what it leaves out is waited for for ever.
//!
//! C headers: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h),
//! [`include/net/tcp.h`](srctree/include/net/tcp.h)

use core::{
    net::{
        IpAddr,
        SocketAddr, //
    },
    ptr::NonNull,
    slice, //
};

use kernel::{
    error::from_err_ptr,
    ffi::c_void,
    prelude::*,
    sync::Arc, //
};

use crate::bindings;

/// Gets what reaches a sink.
pub trait Receive: Send + Sync + 'static {
    /// A datagram or a message that starts with `head`: up to [`HEAD_MAX`] bytes of its content.
    ///
    /// Context: softirq. May be called on several CPUs at once.
    fn receive(&self, head: &[u8]);
}

/// What is shown of a message, in bytes.
pub const HEAD_MAX: usize = bindings::KNET_SINK_HEAD as usize;
/// The number of the first byte of a connection, in either direction (RFC 9293 section 3.4).
pub const SEQUENCE: u32 = bindings::KNET_SINK_SEQUENCE;

/// A socket whose datagrams or messages `R` gets.
///
/// Dropping it closes the socket and waits until nobody is inside `R`.
///
/// # Invariants
///
/// `sink` is open, with the callback of `R` and a pointer to what `receiver` points at.
pub struct Sink<R: Receive> {
    sink: NonNull<bindings::knet_sink>,
    _receiver: Arc<R>,
}

// SAFETY: A sink is opened and closed by any thread, and `R` is `Send` and `Sync`.
unsafe impl<R: Receive> Send for Sink<R> {}
// SAFETY: It has no methods that take a shared reference.
unsafe impl<R: Receive> Sync for Sink<R> {}

impl<R: Receive> Sink<R> {
    /// Opens a UDP socket at this address in the network namespace of the calling process, which stays
    /// as long as the socket.
    ///
    /// Context: process; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EADDRINUSE`, `EADDRNOTAVAIL`, as `bind` has them.
    pub fn open(local: SocketAddr, receiver: Arc<R>) -> Result<Self> {
        let data = Arc::as_ptr(&receiver).cast_mut().cast();

        // SAFETY: The endpoint is read by the call alone; the callback expects `data`, which is valid
        // as long as the sink is open.
        let sink = unsafe {
            bindings::knet_sink_open(local.is_ipv6(), &endpoint(local), Some(receive::<R>), data)
        };
        Self::from_c(sink, receiver)
    }

    /// Makes a TCP connection from `local` to `peer`, whose stream consists of messages of `message`
    /// bytes, at least one. Otherwise as [`open`](Self::open).
    ///
    /// Context: process; sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` for messages without bytes and addresses of two families; `EHOSTUNREACH` and
    /// `ENETUNREACH` without a route; what [`open`](Self::open) has.
    pub fn connect(
        local: SocketAddr,
        peer: SocketAddr,
        message: u32,
        receiver: Arc<R>,
    ) -> Result<Self> {
        let data = Arc::as_ptr(&receiver).cast_mut().cast();
        if message == 0 || local.is_ipv6() != peer.is_ipv6() {
            return Err(EINVAL);
        }

        // SAFETY: As in `open`; both endpoints are of the same family.
        let sink = unsafe {
            bindings::knet_sink_connect(
                local.is_ipv6(),
                &endpoint(local),
                &endpoint(peer),
                message,
                Some(receive::<R>),
                data,
            )
        };
        Self::from_c(sink, receiver)
    }

    fn from_c(sink: *mut bindings::knet_sink, receiver: Arc<R>) -> Result<Self> {
        // INVARIANT: Just opened.
        Ok(Self {
            sink: NonNull::new(from_err_ptr(sink)?).ok_or(ENOMEM)?,
            _receiver: receiver,
        })
    }
}

fn endpoint(address: SocketAddr) -> bindings::knet_endpoint {
    let mut bytes = [0; 16];

    match address.ip() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [bytes[0], bytes[1], bytes[2], bytes[3]] = [a, b, c, d];
        }
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    bindings::knet_endpoint {
        address: bytes,
        port: address.port(),
    }
}

impl<R: Receive> Drop for Sink<R> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is open.
        unsafe { bindings::knet_sink_close(self.sink.as_ptr()) };
    }
}

/// # Safety
///
/// Called by a sink with the pointer to its receiver, and `head` has `len` bytes.
unsafe extern "C" fn receive<R: Receive>(data: *mut c_void, head: *const u8, len: u32) {
    // SAFETY: By the safety requirements of this function; the sink is closed before its receiver
    // goes.
    let (receiver, head) = unsafe {
        (
            &*data.cast::<R>(),
            slice::from_raw_parts(head, len as usize),
        )
    };

    receiver.receive(head);
}
