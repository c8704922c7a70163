// SPDX-License-Identifier: GPL-2.0

//! Packet sockets: whole frames to and from a device.

use std::{
    io, mem,
    os::fd::{
        AsFd,
        AsRawFd,
        BorrowedFd,
        FromRawFd,
        OwnedFd, //
    },
};

use anyhow::{
    Context,
    Result, //
};
use nix::{
    net::if_::if_nametoindex,
    sys::{
        socket::{
            setsockopt,
            sockopt, //
        },
        time::TimeVal, //
    }, //
};

/// A packet socket on one device.
pub struct PacketSocket(OwnedFd);

/// What a packet socket says of a frame.
pub struct Seen {
    /// The length of the frame in bytes.
    pub len: usize,
    /// Whether the device sent the frame, and did not receive it.
    pub outgoing: bool,
}

impl PacketSocket {
    /// Opens a socket on `device` in the namespace of the calling thread. With `receives` it gets
    /// each frame that the device receives or sends; without, it only sends.
    pub fn open(device: &str, receives: bool) -> Result<Self> {
        let index = if_nametoindex(device).with_context(|| device.to_owned())?;
        let protocol = if receives { libc::ETH_P_ALL } else { 0 };

        // SAFETY: A system call without pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        let fd = check(fd as isize).context("packet socket")?;
        // SAFETY: The descriptor was just made and has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };

        // SAFETY: A sockaddr_ll of zeroes is a valid value.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (protocol as u16).to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: The pointer and the length are those of `address`.
        check(unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as u32,
            )
        } as isize)
        .with_context(|| format!("bind {device}"))?;

        setsockopt(&fd, sockopt::RcvBufForce, &(32 << 20))?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(0, 20_000))?;
        Ok(Self(fd))
    }

    /// Sends `frame`, which starts with its Ethernet header.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: The pointer and the length are those of `frame`.
        check(unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) })
            .map(drop)
    }

    /// Receives a frame, or `None` when there is none for 20 ms.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Seen>> {
        // SAFETY: A sockaddr_ll of zeroes is a valid value.
        let mut from: libc::sockaddr_ll = unsafe { mem::zeroed() };
        let mut from_len = mem::size_of_val(&from) as u32;

        // SAFETY: Each pointer and length is that of the value next to it.
        let len = check(unsafe {
            libc::recvfrom(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut from).cast(),
                &raw mut from_len,
            )
        });
        match len {
            Ok(len) => Ok(Some(Seen {
                len: len as usize,
                outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
            })),
            Err(error) if is_pause(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PacketSocket> for OwnedFd {
    fn from(socket: PacketSocket) -> Self {
        socket.0
    }
}

/// Whether `error` only says that nothing came, or that the device is down for now.
pub fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::*;

    matches!(
        error.kind(),
        WouldBlock | TimedOut | Interrupted | NetworkDown
    )
}

fn check(result: isize) -> io::Result<isize> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
