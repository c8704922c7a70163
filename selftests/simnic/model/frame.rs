// SPDX-License-Identifier: GPL-2.0

//! The frames of a flow: a header that is made once, and what differs from packet to packet.
//!
//! UDP or TCP over IPv4 or IPv6 (RFC 768, 9293, 791, 8200), plain or in VXLAN (RFC 7348), with right checksums; the
//! outer one of a tunnel over IPv4 has none, as senders of VXLAN have it.

use core::net::IpAddr;

use super::flow::{
    Addresses,
    Flow,
    Mac,
    Protocol, //
};

/// The most bytes of headers: Ethernet, IPv6, UDP, VXLAN, Ethernet, IPv6, TCP.
const HEADERS_MAX: usize = (14 + 40 + 8) + 8 + (14 + 40 + 20);
/// The bytes of a [`Stamp`].
pub const STAMP_LEN: usize = 24;

const MAGIC: u32 = 0x7072_736d;
const ETHERNET: usize = 14;
/// The first number of a connection's bytes, in either direction.
pub const SEQUENCE: u32 = 1;
/// Of a segment: five words of header, ACK.
const ACK: u16 = 0x5010;
/// Likewise with PSH, which a sender sets in the last segment of what it was given.
const PSH_ACK: u16 = 0x5018;

/// The first source port of tunnels, RFC 6335's dynamic ones.
const OUTER_PORT: u16 = 49152;

/// What the content of a datagram starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The number of its flow.
    pub flow: u32,
    /// Its number in the flow.
    pub sequence: u64,
    /// When it arrived at the NIC, in ns.
    pub arrival: u64,
}

impl Stamp {
    /// As numbers, of which the bytes follow each other.
    #[inline]
    fn words(&self) -> [u64; STAMP_LEN / 8] {
        [
            (u64::from(MAGIC) << 32) | u64::from(self.flow),
            self.sequence,
            self.arrival,
        ]
    }

    /// As bytes.
    pub fn bytes(&self) -> [u8; STAMP_LEN] {
        let mut bytes = [0; STAMP_LEN];

        for (to, word) in bytes.chunks_exact_mut(8).zip(self.words()) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// The sum of its 16-bit words but for multiples of 0xffff (RFC 1071 section 2), in a few instructions.
    #[inline]
    fn sum(&self) -> u32 {
        let halves = |word: u64| (word >> 32) + (word & 0xffff_ffff);
        let sum = halves(self.words().into_iter().map(halves).sum());

        ((sum >> 16) + (sum & 0xffff)) as u32
    }

    /// From the start of a datagram's content.
    pub fn read(content: &[u8]) -> Option<Self> {
        let (first, rest) = content.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let first = u64::from_be_bytes(*first);
        if (first >> 32) as u32 != MAGIC {
            return None;
        }

        Some(Self {
            flow: first as u32,
            sequence: u64::from_be_bytes(*sequence),
            arrival: u64::from_be_bytes(*rest.first_chunk()?),
        })
    }
}

/// The frames of a flow.
pub struct Template {
    headers: [u8; HEADERS_MAX],
    headers_len: usize,
    len: usize,
    /// Where the header of the protocol that the socket speaks starts.
    transport: usize,
    /// The sum under its checksum, of what is the same in all packets.
    sum: u32,
    protocol: Protocol,
    size: u16,
    burst: u32,
    source_port: u16,
    ports: u16,
    outer: Option<Outer>,
}

struct Outer {
    udp: usize,
    /// As above. `None` for a datagram without a checksum.
    sum: Option<u32>,
}

impl Template {
    /// The frames of `flow`, which a NIC with address `nic` receives.
    pub fn new(flow: &Flow, nic: Mac) -> Self {
        let mut writer = Writer::default();
        let len = transport_len(flow.protocol) + usize::from(flow.size);
        let gateway = Mac([2, 0, 0, 0, 0xfe, 1]);
        let mut outer = None;

        match &flow.tunnel {
            None => writer.ethernet(gateway, nic, &flow.addresses),
            Some(tunnel) => {
                let len = 8 + 8 + ETHERNET + ip_len(&flow.addresses) + len;

                writer.ethernet(gateway, nic, &tunnel.outer);
                let udp = writer.ip(&tunnel.outer, Protocol::Udp, len);
                writer.udp(tunnel.port, len);
                writer.put(&[8, 0, 0, 0]);
                writer.put(&(tunnel.vni << 8).to_be_bytes());
                outer = Some((udp, &tunnel.outer, len));
                writer.ethernet(tunnel.source_mac, tunnel.destination_mac, &flow.addresses);
            }
        }
        let transport = writer.ip(&flow.addresses, flow.protocol, len);
        match flow.protocol {
            Protocol::Udp => writer.udp(flow.destination_port, len),
            Protocol::Tcp => writer.tcp(flow.destination_port),
        }

        let outer = outer.map(|(udp, addresses, len)| Outer {
            udp,
            sum: addresses
                .source
                .is_ipv6()
                .then(|| pseudo(addresses, Protocol::Udp, len) + sum(writer.from(udp))),
        });
        Self {
            sum: pseudo(&flow.addresses, flow.protocol, len) + sum(writer.from(transport)),
            headers: writer.bytes,
            headers_len: writer.len,
            len: writer.len + usize::from(flow.size),
            transport,
            protocol: flow.protocol,
            size: flow.size,
            burst: flow.burst,
            source_port: flow.source_port,
            ports: flow.ports,
            outer,
        }
    }

    /// The length of each frame, in bytes.
    pub fn frame_len(&self) -> usize {
        self.len
    }

    /// How many checksums a NIC says to have verified, the outermost first. NICs count the outer one of
    /// a tunnel where there is none, too, and the kernel expects that.
    pub fn checksums(&self) -> u8 {
        1 + u8::from(self.outer.is_some())
    }

    /// Writes a frame into as many bytes of zero as it is long. A shorter buffer is left alone.
    ///
    /// `before` is how many frames of the flow came through before: a connection goes on behind them,
    /// as with a sender who sends again at once what was lost.
    pub fn write(&self, stamp: &Stamp, before: u32, frame: &mut [u8]) {
        let turn = (stamp.sequence % u64::from(self.ports.max(1))) as u16;
        let source_port = self.source_port.wrapping_add(turn).max(1);
        let content = stamp.bytes();
        let (Some(headers), true) = (
            self.headers.get(..self.headers_len),
            frame.len() >= self.len,
        ) else {
            return;
        };
        put(frame, 0, headers);
        put(frame, self.headers_len, &content);
        put(frame, self.transport, &source_port.to_be_bytes());

        let mut changed = stamp.sum() + u32::from(source_port);
        let checksum_at = match self.protocol {
            Protocol::Udp => 6,
            Protocol::Tcp => {
                let segment = self.segment(stamp, before);

                put(frame, self.transport + 4, &segment);
                changed += sum(&segment);
                16
            }
        };
        let checksum = checksum(self.sum + changed);
        put(frame, self.transport + checksum_at, &checksum.to_be_bytes());
        if let Some(outer) = &self.outer {
            let outer_port = OUTER_PORT + turn % 0x4000;

            put(frame, outer.udp, &outer_port.to_be_bytes());
            if let Some(base) = outer.sum {
                let changed = changed + u32::from(outer_port) + u32::from(checksum);
                let outer_checksum = self::checksum(base + changed);

                put(frame, outer.udp + 6, &outer_checksum.to_be_bytes());
            }
        }
    }

    /// What differs between the headers of segments: from the sequence number to the flags.
    fn segment(&self, stamp: &Stamp, before: u32) -> [u8; 10] {
        let sequence = SEQUENCE.wrapping_add(before.wrapping_mul(self.size.into()));
        let is_last = (stamp.sequence + 1) % u64::from(self.burst.max(1)) == 0;
        let mut bytes = [0; 10];

        put(&mut bytes, 0, &sequence.to_be_bytes());
        put(&mut bytes, 4, &SEQUENCE.to_be_bytes());
        put(
            &mut bytes,
            8,
            &if is_last { PSH_ACK } else { ACK }.to_be_bytes(),
        );
        bytes
    }
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = frame.get_mut(at..at + bytes.len()) {
        to.copy_from_slice(bytes);
    }
}

fn ip_len(addresses: &Addresses) -> usize {
    if addresses.source.is_ipv4() {
        20
    } else {
        40
    }
}

/// Headers, one behind the other.
struct Writer {
    bytes: [u8; HEADERS_MAX],
    len: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            bytes: [0; HEADERS_MAX],
            len: 0,
        }
    }
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        put(&mut self.bytes, self.len, bytes);
        self.len += bytes.len();
    }

    /// What was written from `start` on.
    fn from(&self, start: usize) -> &[u8] {
        self.bytes.get(start..self.len).unwrap_or_default()
    }

    fn ethernet(&mut self, source: Mac, destination: Mac, addresses: &Addresses) {
        let ethertype: u16 = if addresses.source.is_ipv4() {
            0x0800
        } else {
            0x86dd
        };

        self.put(&destination.0);
        self.put(&source.0);
        self.put(&ethertype.to_be_bytes());
    }

    /// The header of an IP packet with `len` bytes of `protocol`. Returns where these start.
    fn ip(&mut self, addresses: &Addresses, protocol: Protocol, len: usize) -> usize {
        let number = number(protocol);

        match (addresses.source, addresses.destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let start = self.len;

                self.put(&[0x45, 0]);
                self.put(&((20 + len) as u16).to_be_bytes());
                self.put(&[0, 0, 0x40, 0, 64, number, 0, 0]);
                self.put(&from.octets());
                self.put(&to.octets());
                let checksum = checksum(sum(self.from(start)));
                put(&mut self.bytes, start + 10, &checksum.to_be_bytes());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                self.put(&[0x60, 0, 0, 0]);
                self.put(&(len as u16).to_be_bytes());
                self.put(&[number, 64]);
                self.put(&from.octets());
                self.put(&to.octets());
            }
            // The description has been checked.
            _ => {}
        }
        self.len
    }

    /// The header of a datagram of `len` bytes, without source port and checksum.
    fn udp(&mut self, destination: u16, len: usize) {
        self.put(&[0, 0]);
        self.put(&destination.to_be_bytes());
        self.put(&(len as u16).to_be_bytes());
        self.put(&[0, 0]);
    }

    /// The header of a segment, without source port, checksum and what [`Template::segment`] has.
    fn tcp(&mut self, destination: u16) {
        self.put(&[0, 0]);
        self.put(&destination.to_be_bytes());
        self.put(&[0; 10]);
        self.put(&u16::MAX.to_be_bytes());
        self.put(&[0; 4]);
    }
}

fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 17,
        Protocol::Tcp => 6,
    }
}

fn transport_len(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Udp => 8,
        Protocol::Tcp => 20,
    }
}

/// The sum of the pseudo header of `len` bytes (RFC 768, RFC 9293 section 3.1, RFC 8200 section 8.1).
fn pseudo(addresses: &Addresses, protocol: Protocol, len: usize) -> u32 {
    let address = |address: IpAddr| match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };

    let number = u32::from(number(protocol));

    address(addresses.source) + address(addresses.destination) + number + len as u32
}

/// The sum of 16-bit words, not folded (RFC 1071).
fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        })
        .sum()
}

/// The checksum of a sum; never zero, which stands for none.
fn checksum(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        checksum => checksum,
    }
}
