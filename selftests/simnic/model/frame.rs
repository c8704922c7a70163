// SPDX-License-Identifier: GPL-2.0

//! The frames of a flow: a header that is made once, and what differs from packet to packet.
//!
//! UDP over IPv4 or IPv6 (RFC 768, 791, 8200), plain or in VXLAN (RFC 7348), with right checksums; the
//! outer one of a tunnel over IPv4 has none, as senders of VXLAN have it.

use core::net::IpAddr;

use super::flow::{
    Addresses,
    Flow,
    Mac, //
};

/// The most bytes of headers: Ethernet, IPv6, UDP, VXLAN, and the first three again.
const HEADERS_MAX: usize = 2 * (14 + 40 + 8) + 8;
/// The bytes of a [`Stamp`].
pub const STAMP_LEN: usize = 24;

const MAGIC: u32 = 0x7072_736d;
const UDP: u8 = 17;
const ETHERNET: usize = 14;
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
    /// As bytes.
    pub fn bytes(&self) -> [u8; STAMP_LEN] {
        let mut bytes = [0; STAMP_LEN];
        let words = [
            (u64::from(MAGIC) << 32) | u64::from(self.flow),
            self.sequence,
            self.arrival,
        ];

        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        bytes
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
    /// Where the UDP header that the socket sees starts.
    udp: usize,
    /// The sum under its checksum, of what is the same in all packets.
    udp_sum: u32,
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
        let content = usize::from(flow.size);
        let inner_ip = ip_len(&flow.addresses) + 8 + content;
        let gateway = Mac([2, 0, 0, 0, 0xfe, 1]);
        let mut outer = None;

        match &flow.tunnel {
            None => writer.ethernet(gateway, nic, &flow.addresses),
            Some(tunnel) => {
                let len = 8 + 8 + ETHERNET + inner_ip;

                writer.ethernet(gateway, nic, &tunnel.outer);
                let udp = writer.ip_udp(&tunnel.outer, 0, tunnel.port, len);
                writer.put(&[8, 0, 0, 0]);
                writer.put(&(tunnel.vni << 8).to_be_bytes());
                outer = Some((udp, &tunnel.outer, len));
                writer.ethernet(tunnel.source_mac, tunnel.destination_mac, &flow.addresses);
            }
        }
        let udp = writer.ip_udp(&flow.addresses, 0, flow.destination_port, 8 + content);

        let outer = outer.map(|(udp, addresses, len)| Outer {
            udp,
            sum: addresses
                .source
                .is_ipv6()
                .then(|| pseudo(addresses, len) + sum(writer.from(udp))),
        });
        Self {
            udp_sum: pseudo(&flow.addresses, 8 + content) + sum(writer.from(udp)),
            headers: writer.bytes,
            headers_len: writer.len,
            len: writer.len + content,
            udp,
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
    pub fn write(&self, stamp: &Stamp, frame: &mut [u8]) {
        let stamped = self.headers_len..self.headers_len + STAMP_LEN;
        let turn = (stamp.sequence % u64::from(self.ports.max(1))) as u16;
        let source_port = self.source_port.wrapping_add(turn).max(1);
        let stamp = stamp.bytes();
        let (Some(headers), true) = (
            self.headers.get(..self.headers_len),
            frame.len() >= self.len,
        ) else {
            return;
        };
        put(frame, 0, headers);
        put(frame, stamped.start, &stamp);

        let stamp_sum = sum(&stamp);
        let checksum = checksum(self.udp_sum + stamp_sum + u32::from(source_port));
        put(frame, self.udp, &source_port.to_be_bytes());
        put(frame, self.udp + 6, &checksum.to_be_bytes());
        if let Some(outer) = &self.outer {
            let outer_port = OUTER_PORT + turn % 0x4000;

            put(frame, outer.udp, &outer_port.to_be_bytes());
            if let Some(base) = outer.sum {
                let words = [outer_port, source_port, checksum].map(u32::from);
                let outer_checksum = self::checksum(base + stamp_sum + words.iter().sum::<u32>());

                put(frame, outer.udp + 6, &outer_checksum.to_be_bytes());
            }
        }
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

    /// The headers of a datagram of `len` bytes. Returns where that of UDP starts.
    fn ip_udp(
        &mut self,
        addresses: &Addresses,
        source: u16,
        destination: u16,
        len: usize,
    ) -> usize {
        match (addresses.source, addresses.destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let start = self.len;

                self.put(&[0x45, 0]);
                self.put(&((20 + len) as u16).to_be_bytes());
                self.put(&[0, 0, 0x40, 0, 64, UDP, 0, 0]);
                self.put(&from.octets());
                self.put(&to.octets());
                let checksum = checksum(sum(self.from(start)));
                put(&mut self.bytes, start + 10, &checksum.to_be_bytes());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                self.put(&[0x60, 0, 0, 0]);
                self.put(&(len as u16).to_be_bytes());
                self.put(&[UDP, 64]);
                self.put(&from.octets());
                self.put(&to.octets());
            }
            // The description has been checked.
            _ => {}
        }
        let udp = self.len;
        self.put(&source.to_be_bytes());
        self.put(&destination.to_be_bytes());
        self.put(&(len as u16).to_be_bytes());
        self.put(&[0, 0]);
        udp
    }
}

/// The sum of the pseudo header of a datagram of `len` bytes (RFC 768, RFC 8200 section 8.1).
fn pseudo(addresses: &Addresses, len: usize) -> u32 {
    let address = |address: IpAddr| match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };

    address(addresses.source) + address(addresses.destination) + u32::from(UDP) + len as u32
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
