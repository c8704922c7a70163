// SPDX-License-Identifier: GPL-2.0

//! The sockets that frames may come to, in the containers and on the host.

use std::{
    io,
    net::{
        Ipv6Addr,
        SocketAddr,
        TcpListener,
        TcpStream, //
    },
    os::fd::{
        AsFd,
        AsRawFd,
        FromRawFd,
        OwnedFd, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use anyhow::{
    Context,
    Result, //
};
use nix::{
    poll::{
        poll,
        PollFd,
        PollFlags,
        PollTimeout, //
    },
    sys::socket::{
        setsockopt,
        sockopt, //
    },
};

use super::{
    burst::{
        ODD,
        TCP_PORTS,
        UDP_PORTS, //
    },
    message::{
        self,
        Message, //
    },
    parse,
    place::Place,
    sight, //
};
use crate::{
    content::{
        self,
        datagram, //
    },
    end,
    netns,
    packet::PacketSocket, //
};

/// What a sentinel's content starts with.
pub const SENTINEL: &[u8] = b"sentinel";

/// The protocols that raw sockets listen for, of either family.
const RAW_V4: [i32; 5] = [1, 132, 47, 89, 115];
const RAW_V6: [i32; 5] = [58, 132, 47, 89, 115];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Datagram,
    /// The protocol is ICMP, or ICMPv6, or another.
    Raw(i32),
    Packet,
}

struct Observer {
    name: String,
    kind: Kind,
    fd: OwnedFd,
}

/// What something got.
#[derive(Default)]
pub struct Item {
    /// Whose order counts among themselves.
    pub flow: String,
    pub text: String,
    /// Its place in what was sent, as far as a datagram tells.
    pub number: Option<u8>,
    /// Bytes whose order does not count, with a sum over them; such an item has no text.
    pub bytes: u64,
    pub sum: u64,
}

struct Listener {
    netns: &'static str,
    port: u16,
    socket: TcpListener,
}

/// All sockets.
pub struct Watch {
    observers: Vec<Observer>,
    listeners: Vec<Listener>,
    /// Whether devices merge datagrams, so that packet sockets see other packets than came.
    is_merging: bool,
}

impl Watch {
    pub fn open(is_merging: bool) -> Result<Self> {
        let mut watch = Self {
            observers: Vec::new(),
            listeners: Vec::new(),
            is_merging,
        };

        for netns in ["", "c1", "c2", "c3"] {
            let (observers, listeners) = netns::within(netns, || {
                // The second container has nothing that clones packets.
                let device = ["c1", "c3"].contains(&netns).then_some("eth0");
                Ok((observers(netns, device)?, listeners(netns)?))
            })?;
            watch.observers.extend(observers);
            watch.listeners.extend(listeners);
        }
        Ok(watch)
    }

    /// The connection from port `client` to `server`.
    pub fn accept(
        &self,
        place: Place,
        server: u16,
        client: u16,
        patience: Duration,
    ) -> Option<TcpStream> {
        let end = Instant::now() + patience;
        let is_meant = |at: &&Listener| at.netns == place.netns() && at.port == server;
        let listener = self.listeners.iter().find(is_meant)?;

        while Instant::now() < end {
            match listener.socket.accept() {
                Ok((stream, from)) if from.port() == client => {
                    stream.set_nonblocking(true).ok()?;
                    return Some(stream);
                }
                Ok(_) => {}
                Err(_) => std::thread::yield_now(),
            }
        }
        None
    }

    /// Reads all that is there into `items`, and counts those sentinels that are number `sentinel`.
    pub fn drain(&self, items: &mut Vec<Item>, sentinel: u32, wait: Duration) -> Result<usize> {
        let mut fds: Vec<_> = self
            .observers
            .iter()
            .map(|observer| PollFd::new(observer.fd.as_fd(), PollFlags::POLLIN))
            .collect();
        let mut buffer = vec![0; 1 << 17];
        let mut sentinels = 0;

        poll(&mut fds, PollTimeout::from(wait.as_millis() as u16))?;
        for (observer, fd) in self.observers.iter().zip(&fds) {
            if fd.any() != Some(true) {
                continue;
            }
            while let Some(message) = message::receive(observer.fd.as_raw_fd(), &mut buffer)? {
                sentinels += self.understand(observer, &message, sentinel, items);
            }
        }
        Ok(sentinels)
    }

    /// One for a sentinel; other messages become items.
    fn understand(
        &self,
        observer: &Observer,
        message: &Message<'_>,
        sentinel: u32,
        items: &mut Vec<Item>,
    ) -> usize {
        let bytes = message.bytes;

        match observer.kind {
            Kind::Packet => sight::add(&observer.name, message, self.is_merging, items),
            Kind::Datagram if bytes.starts_with(SENTINEL) => {
                return usize::from(bytes[SENTINEL.len()..] == sentinel.to_be_bytes());
            }
            Kind::Datagram => {
                let size = message.segment.unwrap_or(bytes.len()).max(1);
                let parts: Vec<_> = match bytes.len() {
                    0 => vec![bytes],
                    _ => bytes.chunks(size).collect(),
                };
                items.extend(parts.into_iter().map(|part| Item {
                    flow: format!("{} from={}", observer.name, message.from),
                    text: self.described(part, message),
                    number: number(part),
                    ..Item::default()
                }));
            }
            Kind::Raw(protocol) if is_by_clock(protocol, bytes) => {}
            Kind::Raw(_) => items.push(Item {
                flow: format!("{} from={}", observer.name, message.from),
                text: self.described(&parse::without_id(bytes), message),
                ..Item::default()
            }),
        }
        0
    }

    fn described(&self, bytes: &[u8], message: &Message<'_>) -> String {
        let (id, _) = datagram::claims(bytes);
        // The kernel routes a list of datagrams, and counts the TTL of the first one only.
        let ttl = if self.is_merging { 0 } else { message.ttl };

        format!(
            "on={} tos={:#04x} ttl={ttl} len={} id={}.{} content={:016x}",
            message.device,
            message.tos,
            bytes.len(),
            id >> 8,
            id & 0xff,
            content::hash(bytes)
        )
    }
}

/// The number in its burst that a datagram says it has, if its order counts.
fn number(content: &[u8]) -> Option<u8> {
    let (id, bits) = datagram::claims(content);

    (bits > 0 && id as u8 & ODD == 0).then_some(id as u8)
}

/// Whether what a raw socket of that protocol got came when it was time, and not for a frame of ours.
fn is_by_clock(protocol: i32, bytes: &[u8]) -> bool {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    // Over IPv4, the header is there too.
    let start = match protocol {
        1 => usize::from(byte(0) & 15) * 4,
        _ => 0,
    };

    parse::is_by_clock(protocol, byte(start), byte(start + 1))
}

fn observers(netns: &'static str, device: Option<&str>) -> Result<Vec<Observer>> {
    let mut observers = Vec::new();
    let place = if netns.is_empty() { "host" } else { netns };

    for port in UDP_PORTS {
        let socket = end::bound(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))?;
        end::tell_all(&socket)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        if port == UDP_PORTS[4] {
            setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
        }
        observers.push(Observer {
            name: format!("{place} udp port={port}"),
            kind: Kind::Datagram,
            fd: socket.into(),
        });
    }
    for (family, protocols) in [(libc::AF_INET, RAW_V4), (libc::AF_INET6, RAW_V6)] {
        for protocol in protocols {
            observers.push(Observer {
                name: format!("{place} raw family={family} protocol={protocol}"),
                kind: Kind::Raw(protocol),
                fd: raw(family, protocol)?,
            });
        }
    }
    if let Some(device) = device {
        let socket = PacketSocket::open(device, true)?;
        sight::tell_all(socket.as_fd())?;
        observers.push(Observer {
            name: format!("{place} packet device={device}"),
            kind: Kind::Packet,
            fd: socket.into(),
        });
    }
    Ok(observers)
}

fn raw(family: i32, protocol: i32) -> Result<OwnedFd> {
    // SAFETY: A system call without pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("raw socket");
    }
    // SAFETY: The descriptor was just made and has no other owner.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };

    setsockopt(&fd, sockopt::RcvBufForce, &(4 << 20))?;
    if family == libc::AF_INET6 {
        setsockopt(&fd, sockopt::Ipv6RecvTClass, &true)?;
        setsockopt(&fd, sockopt::Ipv6RecvHopLimit, &true)?;
    }
    Ok(fd)
}

fn listeners(netns: &'static str) -> Result<Vec<Listener>> {
    TCP_PORTS
        .into_iter()
        .map(|port| {
            let socket = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
            socket.set_nonblocking(true)?;
            Ok(Listener {
                netns,
                port,
                socket,
            })
        })
        .collect()
}
