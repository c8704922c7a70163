// SPDX-License-Identifier: GPL-2.0

//! A second parser to hold the first one against, written another way: it walks over absolute
//! offsets, reads each field as a number, and builds nothing.

use std::net::IpAddr;

use prism_host::classify::{
    parse,
    Family,
    Flow,
    Unclassified,
    Vni, //
};

use super::build::VXLAN_PORTS;

/// What was found in a packet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    vni: Option<u32>,
    v6: bool,
    source: u128,
    destination: u128,
    protocol: u8,
    source_port: u16,
    destination_port: u16,
    dscp: u8,
    /// How many bytes were looked at.
    read: usize,
}

struct Walk<'a> {
    head: &'a [u8],
    /// Where the packet ends, as far as is known.
    end: usize,
    at: usize,
    found: Found,
}

type Result<T> = std::result::Result<T, Unclassified>;

impl Walk<'_> {
    /// Demands that the next `count` bytes are there.
    fn demand(&mut self, count: usize) -> Result<()> {
        if self.at + count > self.end.min(self.head.len()) {
            return Err(Unclassified::Truncated);
        }
        self.found.read = self.at + count;
        Ok(())
    }

    /// The big-endian number in bytes `from..to` of this header.
    fn field(&self, from: usize, to: usize) -> u128 {
        let mut number = 0;
        for byte in &self.head[self.at + from..self.at + to] {
            number = number * 256 + u128::from(*byte);
        }
        number
    }

    fn refuse(&self, bad: bool, why: Unclassified) -> Result<()> {
        if bad {
            Err(why)
        } else {
            Ok(())
        }
    }

    fn ipv4(&mut self) -> Result<()> {
        self.demand(20)?;
        let ihl = self.field(0, 1) % 16 * 4;
        self.refuse(self.field(0, 1) / 16 != 4, Unclassified::NotIp)?;
        self.refuse(ihl < 20, Unclassified::BadLength)?;
        self.refuse(ihl > 20, Unclassified::Options)?;
        let not_df = self.field(6, 8) != 0 && self.field(6, 8) != 0x4000;
        self.refuse(not_df, Unclassified::Fragment)?;
        let end = self.at + self.field(2, 4) as usize;
        self.refuse(end < self.at + 20, Unclassified::BadLength)?;
        self.refuse(end > self.end, Unclassified::BadLength)?;

        self.found.v6 = false;
        self.found.source = self.field(12, 16);
        self.found.destination = self.field(16, 20);
        self.found.protocol = self.field(9, 10) as u8;
        self.found.dscp = (self.field(1, 2) / 4) as u8;
        self.end = end;
        self.at += 20;
        Ok(())
    }

    fn ipv6(&mut self) -> Result<()> {
        self.demand(40)?;
        self.refuse(self.field(0, 1) / 16 != 6, Unclassified::NotIp)?;
        let next = self.field(6, 7) as u8;
        self.refuse(next == 44, Unclassified::Fragment)?;
        let extensions = [0, 43, 51, 59, 60, 135, 139, 140, 253, 254];
        self.refuse(extensions.contains(&next), Unclassified::Extension)?;
        let end = self.at + 40 + self.field(4, 6) as usize;
        self.refuse(end > self.end, Unclassified::BadLength)?;

        self.found.v6 = true;
        self.found.source = self.field(8, 24);
        self.found.destination = self.field(24, 40);
        self.found.protocol = next;
        self.found.dscp = (self.field(0, 2) / 64 % 64) as u8;
        self.end = end;
        self.at += 40;
        Ok(())
    }

    /// Reads the network and the transport header. True at the data of a VXLAN datagram.
    fn packet(&mut self, v6: bool) -> Result<bool> {
        if v6 {
            self.ipv6()?;
        } else {
            self.ipv4()?;
        }
        self.found.source_port = 0;
        self.found.destination_port = 0;
        match self.found.protocol {
            17 => {
                self.demand(8)?;
                let len = self.field(4, 6) as usize;
                self.refuse(self.at + len != self.end, Unclassified::BadLength)?;
            }
            6 => {
                self.demand(13)?;
                let len = (self.field(12, 13) / 16 * 4) as usize;
                self.refuse(len < 20, Unclassified::BadLength)?;
                self.refuse(self.at + len > self.end, Unclassified::BadLength)?;
            }
            132 => self.demand(12)?,
            _ => return Ok(false),
        }
        self.found.source_port = self.field(0, 2) as u16;
        self.found.destination_port = self.field(2, 4) as u16;
        let has_zero = self.found.source_port == 0 || self.found.destination_port == 0;
        self.refuse(has_zero, Unclassified::ZeroPort)?;

        let is_vxlan = VXLAN_PORTS.contains(&self.found.destination_port);
        Ok(self.found.protocol == 17 && is_vxlan)
    }

    fn tunnel(&mut self) -> Result<()> {
        self.at += 8;
        self.demand(8)?;
        let is_plain = self.field(0, 4) == 0x0800_0000 && self.field(7, 8) == 0;
        self.refuse(!is_plain, Unclassified::TunnelFlags)?;
        self.found.vni = Some(self.field(4, 7) as u32);

        self.at += 8;
        self.demand(14)?;
        let is_group = self.field(0, 1) % 2 == 1;
        self.refuse(is_group, Unclassified::Multicast)?;
        self.at += 12;
        if self.field(0, 2) == 0x8100 {
            self.at += 4;
            self.demand(2)?;
            self.refuse(self.field(0, 2) == 0x8100, Unclassified::Vlan)?;
        }
        let ethertype = self.field(0, 2);
        self.refuse([0x88a8, 0x9100].contains(&ethertype), Unclassified::Vlan)?;
        self.refuse(![0x0800, 0x86dd].contains(&ethertype), Unclassified::NotIp)?;
        self.at += 2;

        let is_nested = self.packet(ethertype == 0x86dd)?;
        self.refuse(is_nested, Unclassified::NestedTunnel)
    }
}

/// Reads a packet the second way.
pub fn read(v6: bool, head: &[u8], len: usize) -> Result<Found> {
    let mut walk = Walk {
        head,
        end: len,
        at: 0,
        found: Found::default(),
    };

    if walk.packet(v6)? {
        walk.tunnel()?;
    }
    Ok(walk.found)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn found(flow: Flow, read: usize) -> Found {
    Found {
        vni: flow.vni().map(Vni::get),
        v6: flow.family() == Family::V6,
        source: number(flow.source()),
        destination: number(flow.destination()),
        protocol: flow.transport().protocol.0,
        source_port: flow.transport().source_port,
        destination_port: flow.transport().destination_port,
        dscp: flow.dscp(),
        read,
    }
}

/// Parses a packet both ways and panics where they differ.
pub fn check(v6: bool, head: &[u8], len: usize) -> Result<Flow> {
    let family = if v6 { Family::V6 } else { Family::V4 };
    let is_vxlan = |_: Family, port: u16| VXLAN_PORTS.contains(&port);
    let parsed = parse(family, head, len, &is_vxlan);
    let second = read(v6, head, len);
    let read = second.as_ref().map_or(0, |found| found.read);

    assert!(read <= head.len().min(len));
    assert_eq!(
        parsed.map(|flow| found(flow, read)),
        second,
        "v6 {v6}, len {len}, head {head:02x?}"
    );
    parsed
}
