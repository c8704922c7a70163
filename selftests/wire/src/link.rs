// SPDX-License-Identifier: GPL-2.0

//! Makes, changes and removes network devices over a socket that is open already, so that what the
//! caller does in between is what the kernel does for the device.

use std::{
    io, mem,
    os::fd::{
        AsRawFd,
        OwnedFd, //
    },
};

use nix::sys::socket::{
    recv,
    send,
    socket,
    AddressFamily,
    MsgFlags,
    SockFlag,
    SockProtocol,
    SockType, //
};

const HEADER: usize = 16;

/// The port of VXLAN at IANA.
const VXLAN_PORT: u16 = 4789;

// `linux/if_link.h`
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_PORT: u16 = 15;

/// A route netlink socket.
pub struct Links {
    socket: OwnedFd,
}

impl Links {
    /// Opens it.
    pub fn open() -> nix::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;

        Ok(Self { socket })
    }

    /// Makes a device. One of kind `vxlan` has that VNI.
    pub fn add(&self, kind: &str, name: &str, vni: u32) -> io::Result<()> {
        let mut data = Vec::new();

        if kind == "vxlan" {
            attribute(&mut data, IFLA_VXLAN_ID, &vni.to_ne_bytes());
            attribute(&mut data, IFLA_VXLAN_PORT, &VXLAN_PORT.to_be_bytes());
        }
        let mut info = Vec::new();
        attribute(&mut info, IFLA_INFO_KIND, kind.as_bytes());
        attribute(&mut info, IFLA_INFO_DATA, &data);
        let mut attributes = name_of(name);
        attribute(&mut attributes, libc::IFLA_LINKINFO, &info);

        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.ask(libc::RTM_NEWLINK, flags, 0, 0, &attributes)
    }

    /// Removes a device.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.ask(libc::RTM_DELLINK, 0, 0, 0, &name_of(name))
    }

    /// Brings a device up or down.
    pub fn set_up(&self, name: &str, up: bool) -> io::Result<()> {
        let flag = libc::IFF_UP as u32;
        let flags = if up { flag } else { 0 };

        self.ask(libc::RTM_NEWLINK, 0, flags, flag, &name_of(name))
    }

    /// Sends a request for a device and reads what became of it.
    fn ask(
        &self,
        request: u16,
        flags: i32,
        device_flags: u32,
        changed: u32,
        attributes: &[u8],
    ) -> io::Result<()> {
        let flags = flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK;
        let mut message = Vec::new();

        // struct nlmsghdr, then struct ifinfomsg.
        message.extend((2 * HEADER as u32 + attributes.len() as u32).to_ne_bytes());
        message.extend(request.to_ne_bytes());
        message.extend((flags as u16).to_ne_bytes());
        message.extend([0; 8]);
        message.extend([0; 8]);
        message.extend(device_flags.to_ne_bytes());
        message.extend(changed.to_ne_bytes());
        message.extend(attributes);

        let socket = self.socket.as_raw_fd();
        let mut answer = [0; 4096];
        send(socket, &message, MsgFlags::empty())?;
        let len = recv(socket, &mut answer, MsgFlags::empty())?;
        // struct nlmsgerr follows the header.
        match answer[..len].get(HEADER..HEADER + mem::size_of::<i32>()) {
            Some(&[a, b, c, d]) => match i32::from_ne_bytes([a, b, c, d]) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(-error)),
            },
            _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }
}

fn name_of(name: &str) -> Vec<u8> {
    let mut attributes = Vec::new();
    let mut name = name.as_bytes().to_vec();

    name.push(0);
    attribute(&mut attributes, libc::IFLA_IFNAME, &name);
    attributes
}

fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend((4 + value.len() as u16).to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}
