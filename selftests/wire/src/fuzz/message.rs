// SPDX-License-Identifier: GPL-2.0

//! A message of any socket, with what the kernel tells beside it.

use std::{
    io,
    mem,
    os::fd::RawFd,
    ptr, //
};

use nix::{
    errno::Errno,
    sys::socket::{
        SockaddrLike,
        SockaddrStorage, //
    },
};

/// What a packet socket tells beside a frame (`struct tpacket_auxdata`).
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Aux {
    pub status: u32,
    len: u32,
    snaplen: u32,
    mac: u16,
    net: u16,
    pub vlan: u16,
    vlan_protocol: u16,
}

/// A message, as far as it was told.
#[derive(Default)]
pub struct Message<'a> {
    pub bytes: &'a [u8],
    pub from: String,
    pub tos: u8,
    pub ttl: u8,
    /// The number of the device where it was received, of a datagram.
    pub device: u32,
    /// The length of each part of datagrams that were merged.
    pub segment: Option<usize>,
    pub aux: Aux,
}

/// The next message of a socket, if there is one.
pub fn receive(fd: RawFd, buffer: &mut [u8]) -> io::Result<Option<Message<'_>>> {
    let mut control = [0u64; 32];
    // SAFETY: A sockaddr_storage of zeroes is a valid value.
    let mut from: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: A msghdr of zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut from).cast();
    header.msg_namelen = mem::size_of_val(&from) as u32;
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&control);

    // SAFETY: Each pointer in the header is to a value that outlives the call, with its length.
    let len = unsafe { libc::recvmsg(fd, &raw mut header, libc::MSG_DONTWAIT) };
    if len < 0 {
        return match Errno::last() {
            Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN => Ok(None),
            error => Err(error.into()),
        };
    }
    let mut message = Message {
        bytes: &buffer[..len as usize],
        // SAFETY: The kernel has written an address of that length.
        from: unsafe {
            SockaddrStorage::from_raw((&raw const from).cast(), Some(header.msg_namelen))
        }
        .filter(|_| i32::from(from.ss_family) != libc::AF_PACKET)
        .map_or(String::new(), |from| from.to_string()),
        ..Message::default()
    };
    read_control(&header, &mut message);
    Ok(Some(message))
}

fn read_control(header: &libc::msghdr, message: &mut Message<'_>) {
    // SAFETY: The header is as the kernel left it, and its buffer lives.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(header) };

    while !at.is_null() {
        // SAFETY: The kernel has written a whole header there, and `CMSG_DATA` is behind it.
        let (kind, data) = unsafe { (((*at).cmsg_level, (*at).cmsg_type), libc::CMSG_DATA(at)) };
        // SAFETY: Messages of these kinds hold such values.
        unsafe {
            match kind {
                (libc::SOL_IP, libc::IP_TTL) | (libc::SOL_IPV6, libc::IPV6_HOPLIMIT) => {
                    message.ttl = ptr::read_unaligned(data.cast::<i32>()) as u8;
                }
                (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = ptr::read_unaligned(data.cast());
                    message.device = info.ipi6_ifindex;
                }
                (libc::SOL_IP, libc::IP_TOS) => message.tos = *data,
                (libc::SOL_IPV6, libc::IPV6_TCLASS) => {
                    message.tos = ptr::read_unaligned(data.cast::<i32>()) as u8;
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    message.segment = Some(ptr::read_unaligned(data.cast::<i32>()) as usize);
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    message.aux = ptr::read_unaligned(data.cast());
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
}
