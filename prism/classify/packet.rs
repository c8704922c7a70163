// SPDX-License-Identifier: GPL-2.0

//! From the bytes of a packet to its flow.

use super::{
    wire::{
        ethernet,
        ipv4,
        ipv6,
        sctp,
        tcp,
        udp,
        vxlan,
        Ip,
        Window, //
    },
    Family,
    Flow,
    Protocol,
    Unclassified,
    Vni, //
};

/// How many bytes from the outer network header on [`parse`] reads at most. A longer `head` gains
/// nothing; a shorter one leaves packets with long headers [`Unclassified::Truncated`].
pub const WINDOW: usize = {
    let outer = ipv6::HEADER_LEN + udp::HEADER_LEN + vxlan::HEADER_LEN;
    let inner = ethernet::HEADER_LEN + ethernet::TAG_LEN + ipv6::HEADER_LEN;

    outer as usize + inner as usize + tcp::READ_LEN
};

/// What classification knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What to look up: the inner packet's flow where there is a tunnel, else the packet's own.
    pub flow: Flow,
    /// The tunnel in which the packet came, if it came in one.
    pub tunnel: Option<Tunnel>,
}

/// The VXLAN encapsulation of a packet: offsets in bytes from the outer network header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The network that the packet came from.
    pub vni: Vni,
    /// Where the outer UDP header starts.
    pub udp: u16,
    /// Where the VXLAN header starts.
    pub vxlan: u16,
    /// Where the inner Ethernet header starts.
    pub ethernet: u16,
    /// Where the inner network header starts: behind the VLAN tag if there is one.
    pub network: u16,
}

/// Knows the UDP ports on which VXLAN is received.
pub trait VxlanPorts {
    /// Whether a datagram over `family` to `port` is VXLAN.
    fn is_vxlan(&self, family: Family, port: u16) -> bool;
}

impl<F: Fn(Family, u16) -> bool> VxlanPorts for F {
    #[inline]
    fn is_vxlan(&self, family: Family, port: u16) -> bool {
        self(family, port)
    }
}

/// Finds the flow of a packet.
///
/// `head` is what can be read of the packet from its network header on, `len` the packet's true
/// length from there in bytes, link-layer padding included. `head` may be shorter ([`WINDOW`] bytes
/// are enough for any packet) and is never read past `len`. `family` is the link layer's word on what
/// the packet is; the version field must agree.
///
/// A datagram to a port that `vxlan` knows is a tunnel's: the flow is the inner packet's, and where
/// the inner packet has none, neither has the outer one. Checksums are not verified.
///
/// # Errors
///
/// The first reason met, from the outer header inwards, for leaving the packet to the kernel.
#[inline]
pub fn parse(
    family: Family,
    head: &[u8],
    len: usize,
    vxlan: &impl VxlanPorts,
) -> Result<Packet, Unclassified> {
    let outer = network(family, Window::new(head, len))?;
    let ((source, destination), data) = transport(&outer)?;

    match data {
        Some(data) if vxlan.is_vxlan(family, destination) => tunnelled(family, data, vxlan),
        _ => Ok(Packet {
            flow: Flow::of(outer.words.ports(source, destination)),
            tunnel: None,
        }),
    }
}

/// Finds the flow inside the VXLAN packet `data`, which came over `family`.
#[inline]
fn tunnelled(
    family: Family,
    data: Window<'_>,
    ports: &impl VxlanPorts,
) -> Result<Packet, Unclassified> {
    let header = vxlan::parse(data)?;
    let frame = ethernet::parse(header.frame)?;
    let inner = network(frame.family, frame.payload)?;
    let ((source, destination), data) = transport(&inner)?;
    if data.is_some() && ports.is_vxlan(frame.family, destination) {
        return Err(Unclassified::NestedTunnel);
    }

    let words = inner.words.ports(source, destination);
    Ok(Packet {
        flow: Flow::of(words.vni(header.vni.get())),
        tunnel: Some(Tunnel::new(family, header.vni, frame.header_len)),
    })
}

impl Tunnel {
    /// The tunnel over an outer header of `family` that carries a frame with a header of
    /// `frame_header_len` bytes. Neither outer header has a variable part, or it were unclassified.
    #[inline]
    fn new(family: Family, vni: Vni, frame_header_len: u16) -> Self {
        let udp = match family {
            Family::V4 => ipv4::HEADER_LEN,
            Family::V6 => ipv6::HEADER_LEN,
        };
        let vxlan = udp.wrapping_add(udp::HEADER_LEN);
        let ethernet = vxlan.wrapping_add(vxlan::HEADER_LEN);

        Self {
            vni,
            udp,
            vxlan,
            ethernet,
            network: ethernet.wrapping_add(frame_header_len),
        }
    }
}

/// Reads a network header of `family`.
#[inline]
fn network(family: Family, packet: Window<'_>) -> Result<Ip<'_>, Unclassified> {
    match family {
        Family::V4 => ipv4::parse(packet),
        Family::V6 => ipv6::parse(packet),
    }
}

/// Reads the transport header that `ip` carries: its ports, and for UDP the data behind it.
#[inline]
fn transport<'a>(ip: &Ip<'a>) -> Result<((u16, u16), Option<Window<'a>>), Unclassified> {
    Ok(match ip.protocol {
        Protocol::UDP => {
            let (ports, data) = udp::parse(ip.payload)?;
            (ports, Some(data))
        }
        Protocol::TCP => (tcp::parse(ip.payload)?, None),
        Protocol::SCTP => (sctp::parse(ip.payload)?, None),
        _ => ((0, 0), None),
    })
}
