// SPDX-License-Identifier: GPL-2.0

//! Headers made field by field, each of which may lie.

use std::{
    net::{
        Ipv4Addr,
        Ipv6Addr, //
    },
    ops::Range, //
};

/// The Internet checksum of `bytes` on top of `sum`.
fn fold(sum: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(sum, |sum, pair| {
        let word = match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [high] => u16::from_be_bytes([*high, 0]),
            _ => 0,
        };
        let sum = sum + u32::from(word);
        (sum & 0xffff) + (sum >> 16)
    })
}

fn finish(sum: u32) -> u16 {
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// What to write into a checksum field.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Checksum {
    #[default]
    Right,
    Wrong,
    Zero,
}

impl Checksum {
    fn of(self, right: u16) -> u16 {
        match self {
            Self::Right => right,
            Self::Wrong => right ^ 0x5555,
            Self::Zero => 0,
        }
    }
}

/// A pair of addresses.
#[derive(Clone, Copy)]
pub enum Pair {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Pair {
    fn sum(&self) -> u32 {
        match self {
            Self::V4(source, destination) => fold(fold(0, &source.octets()), &destination.octets()),
            Self::V6(source, destination) => fold(fold(0, &source.octets()), &destination.octets()),
        }
    }

    /// The EtherType of packets between such addresses.
    pub fn ethertype(&self) -> u16 {
        match self {
            Self::V4(..) => 0x0800,
            Self::V6(..) => 0x86dd,
        }
    }
}

/// A UDP header.
#[derive(Clone, Copy)]
pub struct Udp {
    pub source: u16,
    pub destination: u16,
    /// What to add to the length.
    pub len: i32,
    pub checksum: Checksum,
}

impl Udp {
    pub fn new(source: u16, destination: u16) -> Self {
        Self {
            source,
            destination,
            len: 0,
            checksum: Checksum::Right,
        }
    }

    /// The datagram with this header between the addresses of `pair`.
    pub fn wrap(&self, pair: &Pair, data: &[u8]) -> Vec<u8> {
        let true_len = 8 + data.len();
        let mut out = Vec::with_capacity(true_len);

        out.extend(self.source.to_be_bytes());
        out.extend(self.destination.to_be_bytes());
        out.extend(((true_len as i32 + self.len) as u16).to_be_bytes());
        out.extend([0, 0]);
        out.extend(data);
        let right = match finish(fold(pair.sum() + 17 + true_len as u32, &out)) {
            0 => 0xffff,
            sum => sum,
        };
        out[6..8].copy_from_slice(&self.checksum.of(right).to_be_bytes());
        out
    }
}

/// A TCP header of 20 bytes.
#[derive(Clone, Copy)]
pub struct Tcp {
    pub source: u16,
    pub destination: u16,
    pub seq: u32,
    pub ack: u32,
    /// The flags: 1 FIN, 2 SYN, 4 RST, 8 PSH, 16 ACK.
    pub flags: u8,
    /// Data offset in words.
    pub offset: u8,
    pub checksum: Checksum,
}

impl Tcp {
    /// The start of a connection.
    pub fn syn(source: u16, destination: u16) -> Self {
        Self {
            source,
            destination,
            seq: 0x0102_0304,
            ack: 0,
            flags: 2,
            offset: 5,
            checksum: Checksum::Right,
        }
    }

    pub fn wrap(&self, pair: &Pair, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();

        out.extend(self.source.to_be_bytes());
        out.extend(self.destination.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        out.extend([self.offset << 4, self.flags]);
        out.extend(1024u16.to_be_bytes());
        out.extend([0, 0, 0, 0]);
        out.extend(data);
        let sum = finish(fold(pair.sum() + 6 + out.len() as u32, &out));
        out[16..18].copy_from_slice(&self.checksum.of(sum).to_be_bytes());
        out
    }
}

/// The Internet checksum of `bytes` behind nothing, or behind the pseudo header of IPv6.
pub fn checksum(pair: &Pair, protocol: u8, bytes: &[u8]) -> u16 {
    let start = match (pair, protocol) {
        (Pair::V6(..), 58) => pair.sum() + 58 + bytes.len() as u32,
        _ => 0,
    };

    finish(fold(start, bytes))
}

/// What a checksum field holds whose sum is left to the next one: that of the pseudo header.
pub fn pseudo_sum(pair: &Pair, protocol: u8, len: usize) -> u16 {
    !finish(pair.sum() + u32::from(protocol) + len as u32)
}

/// An IPv4 or an IPv6 header.
#[derive(Clone)]
pub struct Ip {
    pub pair: Pair,
    pub protocol: u8,
    pub tos: u8,
    pub ttl: u8,
    /// The Version field.
    pub version: u8,
    /// What to add to the length.
    pub len: i32,
    /// IPv4: flags and offset.
    pub fragment: u16,
    pub id: u16,
    /// IPv4: options, a multiple of four bytes. IPv6: extension headers with their Next Header
    /// fields set, and `protocol` that of the first.
    pub extra: Vec<u8>,
    /// IPv4: what to write as header length instead of the truth, in words.
    pub header_len: Option<u8>,
    pub checksum: Checksum,
}

impl Ip {
    pub fn new(pair: Pair, protocol: u8) -> Self {
        Self {
            pair,
            protocol,
            tos: 0,
            ttl: 64,
            version: match pair {
                Pair::V4(..) => 4,
                Pair::V6(..) => 6,
            },
            len: 0,
            fragment: 0,
            id: 0,
            extra: Vec::new(),
            header_len: None,
            checksum: Checksum::Right,
        }
    }

    /// Gives an IPv6 packet one extension header, of that kind and with padding in it.
    pub fn extend(&mut self, kind: u8) {
        self.set_extension(kind, [0, 1, 4, 0, 0, 0, 0]);
    }

    /// Makes an IPv6 packet a fragment. `place` is its offset and flags as they are written.
    pub fn be_fragment_v6(&mut self, place: u16, id: u16) {
        let [high, low] = place.to_be_bytes();
        let [id_high, id_low] = id.to_be_bytes();

        self.set_extension(44, [0, high, low, 0, 0, id_high, id_low]);
    }

    /// The one extension header is of that kind, and `rest` is what follows its Next Header field.
    fn set_extension(&mut self, kind: u8, rest: [u8; 7]) {
        self.extra = vec![self.protocol];
        self.extra.extend(rest);
        self.protocol = kind;
    }

    /// The packet with this header.
    pub fn wrap(&self, data: &[u8]) -> Vec<u8> {
        match self.pair {
            Pair::V4(source, destination) => self.wrap_v4(source, destination, data),
            Pair::V6(source, destination) => self.wrap_v6(source, destination, data),
        }
    }

    fn wrap_v4(&self, source: Ipv4Addr, destination: Ipv4Addr, data: &[u8]) -> Vec<u8> {
        let header = 20 + self.extra.len();
        let len = ((header + data.len()) as i32 + self.len) as u16;
        let words = self.header_len.unwrap_or((header / 4) as u8);
        let mut out = Vec::with_capacity(header + data.len());

        out.extend([(self.version << 4) | words, self.tos]);
        out.extend(len.to_be_bytes());
        out.extend(self.id.to_be_bytes());
        out.extend(self.fragment.to_be_bytes());
        out.extend([self.ttl, self.protocol, 0, 0]);
        out.extend(source.octets());
        out.extend(destination.octets());
        out.extend(&self.extra);
        let covered = (usize::from(words) * 4).clamp(20, out.len());
        let right = finish(fold(0, &out[..covered]));
        out[10..12].copy_from_slice(&self.checksum.of(right).to_be_bytes());
        out.extend(data);
        out
    }

    fn wrap_v6(&self, source: Ipv6Addr, destination: Ipv6Addr, data: &[u8]) -> Vec<u8> {
        let len = ((self.extra.len() + data.len()) as i32 + self.len) as u16;
        let first = (u32::from(self.version) << 28) | (u32::from(self.tos) << 20);
        let mut out = Vec::with_capacity(40 + data.len());

        out.extend(first.to_be_bytes());
        out.extend(len.to_be_bytes());
        out.extend([self.protocol, self.ttl]);
        out.extend(source.octets());
        out.extend(destination.octets());
        out.extend(&self.extra);
        out.extend(data);
        out
    }
}

/// A VXLAN header.
#[derive(Clone, Copy)]
pub struct Vxlan {
    /// The first word.
    pub flags: u32,
    pub vni: u32,
    /// The last byte.
    pub reserved: u8,
}

impl Vxlan {
    pub fn new(vni: u32) -> Self {
        Self {
            flags: 0x0800_0000,
            vni,
            reserved: 0,
        }
    }

    pub fn wrap(&self, frame: &[u8]) -> Vec<u8> {
        let mut out = self.flags.to_be_bytes().to_vec();

        out.extend(((self.vni << 8) | u32::from(self.reserved)).to_be_bytes());
        out.extend(frame);
        out
    }
}

pub type Mac = [u8; 6];

/// An Ethernet header with as many tags as one likes, each an EtherType and a tag's value.
#[derive(Clone)]
pub struct Ethernet {
    pub source: Mac,
    pub destination: Mac,
    pub tags: Vec<(u16, u16)>,
    pub ethertype: u16,
}

impl Ethernet {
    /// Without tags.
    pub fn new(source: Mac, destination: Mac, ethertype: u16) -> Self {
        Self {
            source,
            destination,
            tags: Vec::new(),
            ethertype,
        }
    }

    pub fn wrap(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(14 + data.len());

        out.extend(self.destination);
        out.extend(self.source);
        for (ethertype, tag) in &self.tags {
            out.extend(ethertype.to_be_bytes());
            out.extend(tag.to_be_bytes());
        }
        out.extend(self.ethertype.to_be_bytes());
        out.extend(data);
        out
    }
}

/// The content of the UDP datagram to `port` that `frame` holds, inside VXLAN or not.
pub fn datagram_to(frame: &[u8], port: u16) -> Option<&[u8]> {
    let (destination, data) = datagram(frame)?;
    if destination == port {
        return Some(data);
    }

    let (destination, data) = datagram(data.get(8..)?)?;
    (destination == port).then_some(data)
}

/// The destination port and the content of the first UDP datagram in `frame`.
fn datagram(frame: &[u8]) -> Option<(u16, &[u8])> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let mut at = 12;
    while word(at)? == 0x8100 {
        at += 4;
    }

    let ip = at + 2;
    let udp = match word(at)? {
        0x0800 if *frame.get(ip + 9)? == 17 && word(ip + 6)? & 0x1fff == 0 => {
            ip + usize::from(*frame.get(ip)? & 15) * 4
        }
        0x86dd if *frame.get(ip + 6)? == 17 => ip + 40,
        _ => return None,
    };
    let len = usize::from(word(udp + 4)?).max(8);
    let range: Range<usize> = udp + 8..(udp + len).min(frame.len());
    Some((word(udp + 2)?, frame.get(range)?))
}
