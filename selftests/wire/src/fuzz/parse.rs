// SPDX-License-Identifier: GPL-2.0

//! As much of a frame's meaning as it takes to compare frames.

use std::net::{
    IpAddr,
    Ipv4Addr,
    Ipv6Addr, //
};

/// An IP packet in a frame.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    pub source: IpAddr,
    pub protocol: u8,
    /// What is behind the IP header, up to the end that it tells.
    pub payload: &'a [u8],
}

/// What a TCP header says.
pub struct Segment<'a> {
    pub source: u16,
    pub destination: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub data: &'a [u8],
}

pub fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// An IP packet without what tells its fragments from others, which is another one each time.
pub fn without_id(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let is_fragment = packet.get(6) == Some(&44);
    let ranges = match packet.first().map(|first| first >> 4) {
        Some(4) => [4..6, 10..12],
        Some(6) if is_fragment => [44..48, 0..0],
        _ => [0..0, 0..0],
    };

    for range in ranges {
        if let Some(bytes) = packet.get_mut(range) {
            bytes.fill(0);
        }
    }
    packet
}

/// The packet in `frame`, in which VLAN tags are passed over.
pub fn packet(frame: &[u8]) -> Option<Packet<'_>> {
    let mut at = 12;
    while matches!(word(frame, at)?, 0x8100 | 0x88a8) {
        at += 4;
    }
    let ip = frame.get(at + 2..)?;

    match (word(frame, at)?, *ip.first()? >> 4) {
        (0x0800, 4) => {
            let header = usize::from(*ip.first()? & 15) * 4;
            let end = usize::from(word(ip, 2)?).min(ip.len());
            Some(Packet {
                source: Ipv4Addr::from(long(ip, 12)?).into(),
                protocol: *ip.get(9)?,
                payload: ip.get(header..end)?,
            })
        }
        (0x86dd, 6) => {
            let end = (40 + usize::from(word(ip, 4)?)).min(ip.len());
            let source: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
            Some(Packet {
                source: Ipv6Addr::from(source).into(),
                protocol: *ip.get(6)?,
                payload: ip.get(40..end)?,
            })
        }
        _ => None,
    }
}

impl<'a> Packet<'a> {
    /// The packet inside, or this one where it is no VXLAN.
    pub fn innermost(self) -> Self {
        let is_vxlan = self.protocol == 17 && word(self.payload, 2) == Some(4789);

        match self.payload.get(16..) {
            Some(inner) if is_vxlan => packet(inner).unwrap_or(self),
            _ => self,
        }
    }

    pub fn segment(&self) -> Option<Segment<'a>> {
        let tcp = self.payload;
        if self.protocol != 6 {
            return None;
        }

        let header = usize::from(*tcp.get(12)? >> 4) * 4;
        Some(Segment {
            source: word(tcp, 0)?,
            destination: word(tcp, 2)?,
            seq: long(tcp, 4)?,
            ack: long(tcp, 8)?,
            flags: *tcp.get(13)?,
            data: tcp.get(header..)?,
        })
    }
}

/// Whether an ICMP message is sent when it is time, and not for a frame of ours: neighbours and routers
/// are looked for, and so are those who do not answer.
pub fn is_by_clock(protocol: i32, kind: u8, code: u8) -> bool {
    match protocol {
        1 => matches!((kind, code), (3, 1) | (11, 1)),
        58 => kind >= 130 || matches!((kind, code), (1, 3) | (3, 1)),
        _ => false,
    }
}

/// What of a frame that the host sends does not depend on chance: its answers.
pub fn answer(frame: &[u8]) -> Option<String> {
    let packet = packet(frame)?.innermost();
    let kind = packet.payload.first().copied()?;

    match packet.protocol {
        1 | 58 => {
            let code = packet.payload.get(1).copied()?;
            (!is_by_clock(packet.protocol.into(), kind, code)).then(|| {
                format!(
                    "answer icmp{} from={} type={kind} code={code} len={}",
                    if packet.protocol == 1 { "" } else { "v6" },
                    packet.source,
                    packet.payload.len()
                )
            })
        }
        6 => {
            let segment = packet.segment()?;
            (segment.flags & 4 != 0).then(|| {
                format!(
                    "answer reset from={}:{} to={}",
                    packet.source, segment.source, segment.destination
                )
            })
        }
        _ => None,
    }
}
