// SPDX-License-Identifier: GPL-2.0

//! UDP sockets that swallow what reaches them, and tell when it does.
//!
//! A datagram is taken where it would be queued for its reader: the protocol has found the socket and
//! checked the checksum. Datagrams of such a socket are not queued, so none is lost for lack of a
//! reader.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use core::{
    net::IpAddr,
    ptr::NonNull,
    slice, //
};

use kernel::{
    ffi::c_void,
    prelude::*,
    sync::Arc, //
};

use crate::bindings;

/// Gets what reaches a sink.
pub trait Receive: Send + Sync + 'static {
    /// A datagram that starts with `head`: up to [`HEAD_MAX`] bytes of its content.
    ///
    /// Context: softirq. May be called on several CPUs at once.
    fn receive(&self, head: &[u8]);
}

/// What is shown of a datagram, in bytes.
pub const HEAD_MAX: usize = bindings::KNET_SINK_HEAD as usize;

/// A socket whose datagrams `R` gets.
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
    /// Opens a socket at this address in the network namespace of the calling process, which stays
    /// as long as the socket.
    ///
    /// Context: process; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EADDRINUSE`, `EADDRNOTAVAIL`, as `bind` has them.
    pub fn open(address: IpAddr, port: u16, receiver: Arc<R>) -> Result<Self> {
        let (v4, v6);
        let (is_v6, octets): (bool, &[u8]) = match address {
            IpAddr::V4(address) => {
                v4 = address.octets();
                (false, &v4)
            }
            IpAddr::V6(address) => {
                v6 = address.octets();
                (true, &v6)
            }
        };
        let data = Arc::as_ptr(&receiver).cast_mut().cast();

        // SAFETY: `octets` is as long as an address of the family, and copied; the callback expects
        // `data`, which is valid as long as the sink is open.
        let sink = kernel::error::from_err_ptr(unsafe {
            bindings::knet_sink_create(is_v6, octets.as_ptr(), port, Some(receive::<R>), data)
        })?;
        // INVARIANT: Just opened.
        Ok(Self {
            sink: NonNull::new(sink).ok_or(ENOMEM)?,
            _receiver: receiver,
        })
    }
}

impl<R: Receive> Drop for Sink<R> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is open.
        unsafe { bindings::knet_sink_destroy(self.sink.as_ptr()) };
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
