// SPDX-License-Identifier: GPL-2.0

//! Ethernet frames with UDP datagrams, in a tunnel or not.

use std::{
    error::Error,
    net::Ipv4Addr, //
};

const VXLAN_PORT: u16 = 4789;
/// Where datagrams come from, but for those that have answers.
const SOURCE_PORT: u16 = 49_152;

/// Bytes of an Ethernet header, and of an IPv4 header without options and a UDP header behind it.
const ETHERNET: usize = 14;
const IP_UDP: usize = 20 + 8;
const VXLAN: usize = 8;
const UDP: u8 = 17;

/// One end of a datagram.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    mac: [u8; 6],
    ip: Ipv4Addr,
}

impl std::str::FromStr for End {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mac, ip) = text.split_once(',').ok_or("expected MAC,IP")?;
        let octets = mac
            .split(':')
            .map(|octet| u8::from_str_radix(octet, 16))
            .collect::<Result<Vec<_>, _>>()?;

        Ok(Self {
            mac: octets
                .try_into()
                .map_err(|_| "a MAC address has six octets")?,
            ip: ip.parse()?,
        })
    }
}

/// A VXLAN tunnel from one host to another.
pub struct Tunnel {
    pub from: End,
    pub to: End,
    pub vni: u32,
}

impl Tunnel {
    /// `frame` in the tunnel. The outer datagram has no UDP checksum (RFC 7348 section 5).
    pub fn wrap(&self, frame: &[u8]) -> Vec<u8> {
        let mut vxlan = vec![8, 0, 0, 0];

        vxlan.extend((self.vni << 8).to_be_bytes());
        vxlan.extend(frame);
        frame_of(&self.from, &self.to, &udp(SOURCE_PORT, VXLAN_PORT, &vxlan))
    }
}

/// A frame with a UDP datagram over IPv4.
pub fn datagram(from: &End, to: &End, port: u16, data: &[u8]) -> Vec<u8> {
    datagram_from(SOURCE_PORT, from, to, port, data)
}

/// The same with a source port.
pub fn datagram_from(source_port: u16, from: &End, to: &End, port: u16, data: &[u8]) -> Vec<u8> {
    let mut udp = udp(source_port, port, data);
    let mut pseudo = [from.ip.octets(), to.ip.octets()].concat();

    pseudo.extend([0, UDP]);
    pseudo.extend((udp.len() as u16).to_be_bytes());
    let sum = checksum(&[&pseudo[..], &udp].concat());
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    frame_of(from, to, &udp)
}

/// What is in a datagram to `port` of a container, where `frame` is one in a VXLAN tunnel.
pub fn tunnelled_to(port: u16, frame: &[u8]) -> Option<&[u8]> {
    let vxlan = data_to(VXLAN_PORT, frame)?;

    data_to(port, vxlan.get(VXLAN..)?)
}

/// What is in a UDP datagram to `port` over IPv4, where `frame` has one.
fn data_to(port: u16, frame: &[u8]) -> Option<&[u8]> {
    let (ethernet, ip) = frame.split_at_checked(ETHERNET)?;
    let (headers, data) = ip.split_at_checked(IP_UDP)?;

    (ethernet[12..] == [8, 0]
        && headers[0] == 0x45
        && headers[9] == UDP
        && headers[22..24] == port.to_be_bytes())
    .then_some(data)
}

/// A UDP header without a checksum (RFC 768), and what is behind it.
fn udp(source_port: u16, port: u16, data: &[u8]) -> Vec<u8> {
    let mut udp = Vec::new();

    udp.extend(source_port.to_be_bytes());
    udp.extend(port.to_be_bytes());
    udp.extend((8 + data.len() as u16).to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(data);
    udp
}

/// An Ethernet frame with UDP over IPv4 (RFC 791).
fn frame_of(from: &End, to: &End, udp: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];

    ip.extend((20 + udp.len() as u16).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    ip.extend(from.ip.octets());
    ip.extend(to.ip.octets());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());

    [&to.mac[..], &from.mac, &[8, 0], &ip, udp].concat()
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();

    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (End, End) {
        let end = |text: &str| text.parse().unwrap();

        (
            end("02:00:00:00:00:01,10.0.0.1"),
            end("02:00:00:00:00:02,10.0.0.2"),
        )
    }

    /// A sum over what has its checksum is zero (RFC 1071).
    #[test]
    fn checksums() {
        let (from, to) = ends();
        let frame = datagram(&from, &to, 9, &[1, 2, 3]);
        let mut pseudo = frame[26..34].to_vec();
        pseudo.extend([0, 17, 0, 11]);
        pseudo.extend(&frame[34..]);

        assert_eq!(checksum(&frame[14..34]), 0);
        assert_eq!(checksum(&pseudo), 0);
        assert_eq!(frame.len(), 14 + 20 + 8 + 3);
    }

    #[test]
    fn what_is_in_a_tunnel() {
        let (from, to) = ends();
        let inner = datagram(&from, &to, 9, &[1, 2, 3]);
        let frame = Tunnel { from, to, vni: 42 }.wrap(&inner);

        assert_eq!(tunnelled_to(9, &frame), Some(&[1, 2, 3][..]));
        assert_eq!(tunnelled_to(10, &frame), None);
        assert_eq!(tunnelled_to(9, &inner), None);
        for len in 0..frame.len() - 3 {
            assert_eq!(tunnelled_to(9, &frame[..len]), None);
        }
    }
}
