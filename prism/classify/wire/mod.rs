// SPDX-License-Identifier: GPL-2.0

//! Formats on the wire: a file per protocol.
//!
//! Each format has a `parse` that takes a [`Window`] on the packet, checks the header, and gives the
//! fields that classification needs as a plain value, with the window on what the header carries.

pub(crate) mod ethernet;
pub(crate) mod ipv4;
pub(crate) mod ipv6;
pub(crate) mod sctp;
pub(crate) mod tcp;
pub(crate) mod udp;
pub(crate) mod vxlan;

use super::{
    flow::Words,
    Protocol,
    Unclassified, //
};

/// What the header of an IP packet of either version says.
pub(crate) struct Ip<'a> {
    /// The family, the addresses, the protocol and the Differentiated Services codepoint.
    pub(crate) words: Words,
    pub(crate) protocol: Protocol,
    /// What the packet carries: as long as the header says.
    pub(crate) payload: Window<'a>,
}

/// A packet from some header on: the bytes of it that can be read, and its true length.
///
/// # Invariants
///
/// `head` is not longer than `len`.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    head: &'a [u8],
    len: usize,
}

impl<'a> Window<'a> {
    /// The window on a packet of `len` bytes whose first bytes are `head`. Bytes of `head` past `len`
    /// (padding) are cut off.
    #[inline]
    pub(crate) fn new(head: &'a [u8], len: usize) -> Self {
        // INVARIANT: `head` is cut where it is longer than `len`.
        Self {
            head: head.get(..len).unwrap_or(head),
            len,
        }
    }

    /// The number of bytes of the packet from here on.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first `N` bytes.
    #[inline]
    pub(crate) fn bytes<const N: usize>(&self) -> Result<&'a [u8; N], Unclassified> {
        self.head.first_chunk().ok_or(Unclassified::Truncated)
    }

    /// The window without its first `N` bytes.
    #[inline]
    pub(crate) fn skip<const N: usize>(&self) -> Result<Self, Unclassified> {
        let (_, head) = self
            .head
            .split_first_chunk::<N>()
            .ok_or(Unclassified::Truncated)?;

        // INVARIANT: `head` was not longer than `len`, and both are `N` bytes shorter.
        Ok(Self {
            head,
            len: self.len.wrapping_sub(N),
        })
    }

    /// The window on the first `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Unclassified::BadLength`] where the packet is shorter.
    #[inline]
    pub(crate) fn limit(&self, len: usize) -> Result<Self, Unclassified> {
        if len > self.len {
            return Err(Unclassified::BadLength);
        }
        Ok(Self::new(self.head, len))
    }
}

/// The numbers of a source and of a destination port.
///
/// # Errors
///
/// [`Unclassified::ZeroPort`] where one is zero.
#[inline]
fn ports(source: [u8; 2], destination: [u8; 2]) -> Result<(u16, u16), Unclassified> {
    let source = u16::from_be_bytes(source);
    let destination = u16::from_be_bytes(destination);

    if source == 0 || destination == 0 {
        return Err(Unclassified::ZeroPort);
    }
    Ok((source, destination))
}
